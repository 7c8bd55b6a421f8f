"""Plain jobs: the fewest statements end one and find and start the next; on PostgreSQL one, committed by itself.

A plain job is one that nothing but its time and its turn keeps waiting: its type has no hook, no limit and no breaker,
nothing at all is blocked, and it has not expired. Any other is left to ``claims.claim_next``. What a start
writes is the business of ``transitions``. On SQLite nothing but these statements is done while others wait for the
write lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from queue_app import claims, clock, conf, events, registry, statements, transitions
from queue_app.claims import Claim, SetAside
from queue_app.database import Execute, alias, alone, briefly, is_postgresql
from queue_app.models import EventName, Job, Worker
from queue_app.outcomes import Done
from queue_app.states import JobState
from queue_app.transitions import Execution

Leases = tuple[tuple[str, float], ...]

_RUN_AT = Job._meta.get_field("run_at")
_COLUMNS = [field.attname for field in Job._meta.concrete_fields]
_ID, _ATTEMPTS, _FENCE = (_COLUMNS.index(name) for name in ("id", "attempts", "fence"))


@dataclass(frozen=True, slots=True)
class _Statements:
    """What a start on SQLite runs. ``start`` takes the time and its worker's id, then the end of each of ``leases``."""

    start: str
    attempt: str
    event: str
    leases: tuple[timedelta, ...]
    stored: Callable[[datetime], Any]


def types_among(types: Sequence[str]) -> Leases:
    """Return those of ``types`` whose jobs may be plain, with how many seconds a worker may have one.

    There are none where the site has limits, or listens to every start.
    """
    if conf.get("LIMITS") or events.is_heard(EventName.UPDATED):
        return ()
    return tuple((name, claims.lease_seconds_of(name)) for name in types if registry.is_plain(name))


def ends(job: Job, outcome: object) -> bool:
    """Say whether a few writes that nobody reads say all that there is to say of the job's end."""
    kind = registry.find(job.type)
    recurs = kind is None or kind.every_seconds is not None
    quiet = registry.is_plain(job.type) and not (recurs or events.is_heard(EventName.COMPLETED))
    return isinstance(outcome, Done) and quiet and alone()


def take(queues: Mapping[str, int], worker: Worker, types: Sequence[str], plain: Leases) -> Claim | SetAside | None:
    """Start the next due job of ``queues`` if it is plain, in a transaction of its own with all that was gathered.

    ``None``: none is due. SetAside: perhaps one is that is not plain, or in another queue. ``plain`` are the types of
    ``types_among``.
    """
    queue, *others = claims.drawn(queues)
    start = _start_in_one if is_postgresql() else _start_in_turn
    found = start(queue, worker, tuple(types), plain)
    return SetAside() if found is None and others else found


def _start_in_one(queue: str, worker: Worker, types: tuple[str, ...], plain: Leases) -> Claim | SetAside | None:
    named = _named_sql(alias(), queue, types, plain)
    params = [*clock.parameters(), worker.pk, worker.name, worker.name]
    rows = statements.fetch("SELECT started.*, found.now FROM found LEFT JOIN started ON TRUE", params, named)
    if not rows:
        return None
    *values, moment = rows[0]
    now = statements.read(_RUN_AT, moment)
    clock.told(now)
    return SetAside() if values[_ID] is None else _claim(values, now)


def _start_in_turn(queue: str, worker: Worker, types: tuple[str, ...], plain: Leases) -> Claim | SetAside:
    run = _statements(alias(), queue, types, plain)

    def start(execute: Execute) -> tuple[list[tuple[Any, ...]], datetime]:
        now = clock.now()
        at = run.stored(now)
        ends = {f"lease_{place}": run.stored(now + lease) for place, lease in enumerate(run.leases)}
        rows = execute(run.start, {"now": at, "worker": worker.pk, **ends}).fetchall()
        for values in rows:
            by = {"job": values[_ID], "worker": worker.name, "now": at}
            execute(run.attempt, {**by, "number": values[_ATTEMPTS], "fence": values[_FENCE]})
            execute(run.event, by)
        return rows, now

    rows, now = briefly(start)
    # Nothing due, or something else: that is for a closer look.
    return _claim(rows[0], now) if rows else SetAside()


def _claim(values: Sequence[Any], now: datetime) -> Claim:
    job = statements.instance(Job, values)
    job.state = JobState(job.state)
    return Claim(job, Execution(job.attempts, job.fence, now))


@lru_cache(maxsize=64)
def _named_sql(using: str, queue: str, types: tuple[str, ...], plain: Leases) -> str:
    """Return a start as parts of a WITH clause: ``found`` is the next due job, ``started`` says if it was started.

    The parameters are the clock's, the worker's id, and twice its name.
    """
    leases = " ".join(f"WHEN {statements.literal(name)} THEN {seconds}" for name, seconds in plain)
    lease = f"plain.now + CASE plain.type {leases} END * INTERVAL '1 second'"
    start = transitions.start_update(now="plain.now", worker_id="%s", lease_until=lease)
    attempt = transitions.start_attempt(job_id="id", number="attempts + 1", fence="fence + 1", worker="%s", now="now")
    event = transitions.start_event(job_id="id", worker="%s", now="now")
    return (
        f"found AS MATERIALIZED ({claims.claim_sql(using, queue, types)}), "  # noqa: S608 -- names
        f"plain AS (SELECT * FROM found WHERE NOT blocked AND {_unexpired(plain, 'now')}), "
        f"started AS ({start} FROM plain WHERE job.id = plain.id "
        f"RETURNING {statements.columns(Job, 'job')}), "
        f"noted AS ({attempt} FROM plain), told AS ({event} FROM plain)"
    )


@lru_cache(maxsize=64)
def _statements(using: str, queue: str, types: tuple[str, ...], plain: Leases) -> _Statements:
    """Return a start in three statements; their parameters have the names that ``_start_in_turn`` gives them."""
    seconds = sorted({seconds for _name, seconds in plain})
    leases = " ".join(f"WHEN {statements.literal(name)} THEN :lease_{seconds.index(each)}" for name, each in plain)
    start = transitions.start_update(now=":now", worker_id=":worker", lease_until=f"CASE type {leases} END")
    return _Statements(
        start=f"{start} "  # noqa: S608 -- names
        f"WHERE id = (SELECT id FROM ({claims.claim_sql(using, queue, types)}) WHERE NOT blocked) "
        f"AND {_unexpired(plain, ':now')} RETURNING {statements.columns(Job)}",
        attempt=transitions.start_attempt(
            job_id=":job", number=":number", fence=":fence", worker=":worker", now=":now"
        ),
        event=transitions.start_event(job_id=":job", worker=":worker", now=":now"),
        leases=tuple(timedelta(seconds=each) for each in seconds),
        stored=statements.writer(_RUN_AT),
    )


def _unexpired(plain: Leases, now: str) -> str:
    known = ", ".join(statements.literal(name) for name, _seconds in plain)
    return f"type IN ({known}) AND (expires_at IS NULL OR expires_at > {now})"
