"""Plain jobs: the fewest statements end one and find and start the next; on PostgreSQL one, committed by itself.

A plain job is one that nothing but its time and its turn keeps waiting: its type has no hook, no limit and no breaker,
nothing at all is blocked, and it has not expired. Any other is left to ``claims.claim_next``. What is written is what
``transitions.start`` writes; nothing here knows more of states than that. On SQLite no more than these statements is
done while others wait for the write lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from queue_app import claims, clock, conf, events, registry, statements
from queue_app.claims import Claim, SetAside
from queue_app.database import alias, alone, atomic, flush, is_postgresql
from queue_app.models import Attempt, Event, EventName, Job, Worker
from queue_app.outcomes import Done
from queue_app.states import JobState
from queue_app.transitions import NEW_ATTEMPT, Execution

Leases = tuple[tuple[str, float], ...]

START_EVENT = EventName.UPDATED
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
    if conf.get("LIMITS") or events.is_heard(START_EVENT):
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
    params = [clock.parameter(), worker.pk, worker.name, worker.name]
    rows = statements.fetch("SELECT found.*, EXISTS (SELECT 1 FROM started) FROM found", params, named)
    if not rows:
        return None
    *values, moment, _blocked, started = rows[0]
    now = statements.read(_RUN_AT, moment)
    clock.told(now)
    if not started:
        return SetAside()
    job = statements.instance(Job, values)
    job.state, job.reason, job.parked_by = JobState.RUNNING, "", ""
    job.attempts, job.fence, job.worker_id = job.attempts + 1, job.fence + 1, worker.pk
    job.started_at = job.updated_at = now
    job.lease_until = now + timedelta(seconds=dict(plain)[job.type])
    return _claim(job, now)


def _start_in_turn(queue: str, worker: Worker, types: tuple[str, ...], plain: Leases) -> Claim | SetAside:
    run = _statements(alias(), queue, types, plain)
    with atomic():
        flush()
        now = clock.now()
        at = run.stored(now)
        rows = statements.fetch(run.start, [at, worker.pk, *[run.stored(now + lease) for lease in run.leases]])
        for values in rows:
            number, fence = values[_ATTEMPTS], values[_FENCE]
            statements.fetch(run.attempt, [values[_ID], number, fence, worker.name, at])
            statements.fetch(run.event, [values[_ID], worker.name, at])
    # Nothing due, or something else: that is for a closer look.
    return _claim(statements.instance(Job, rows[0]), now) if rows else SetAside()


def _claim(job: Job, now: datetime) -> Claim:
    job.state = JobState(job.state)
    return Claim(job, Execution(job.attempts, job.fence, now))


@lru_cache(maxsize=64)
def _named_sql(using: str, queue: str, types: tuple[str, ...], plain: Leases) -> str:
    """Return a start as parts of a WITH clause: ``found`` is the next due job, ``started`` says if it was started.

    The parameters are the clock's, the worker's id, and twice its name.
    """
    leases = " ".join(f"WHEN {statements.literal(name)} THEN {seconds}" for name, seconds in plain)
    lease = f"plain.now + CASE plain.type {leases} END * INTERVAL '1 second'"
    attempt = _inserting(Attempt, _attempt("id", "attempts + 1", "fence + 1", "%s", "now"))
    event = _inserting(Event, _event("id", "%s", "now"))
    return (
        f"found AS MATERIALIZED ({claims.claim_sql(using, queue, types)}), "  # noqa: S608 -- names
        f"plain AS (SELECT * FROM found WHERE NOT blocked AND {_unexpired(plain, 'now')}), "
        f"started AS ({_updating('plain.now', '%s', lease)} FROM plain WHERE job.id = plain.id RETURNING 1), "
        f"noted AS ({attempt[0]} SELECT {attempt[1]} FROM plain), told AS ({event[0]} SELECT {event[1]} FROM plain)"
    )


@lru_cache(maxsize=64)
def _statements(using: str, queue: str, types: tuple[str, ...], plain: Leases) -> _Statements:
    """Return a start in three statements; their parameters are numbered as ``_start_in_turn`` gives them."""
    seconds = sorted({seconds for _name, seconds in plain})
    leases = " ".join(f"WHEN {statements.literal(name)} THEN ?{seconds.index(each) + 3}" for name, each in plain)
    attempt = _inserting(Attempt, _attempt("?1", "?2", "?3", "?4", "?5"))
    event = _inserting(Event, _event("?1", "?2", "?3"))
    return _Statements(
        start=f"{_updating('?1', '?2', f'CASE type {leases} END')} "  # noqa: S608 -- names
        f"WHERE id = (SELECT id FROM ({claims.claim_sql(using, queue, types)}) WHERE NOT blocked) "
        f"AND {_unexpired(plain, '?1')} RETURNING {statements.columns(Job)}",
        attempt=f"{attempt[0]} VALUES ({attempt[1]})",
        event=f"{event[0]} VALUES ({event[1]})",
        leases=tuple(timedelta(seconds=each) for each in seconds),
        stored=statements.writer(_RUN_AT),
    )


def _unexpired(plain: Leases, now: str) -> str:
    known = ", ".join(statements.literal(name) for name, _seconds in plain)
    return f"type IN ({known}) AND (expires_at IS NULL OR expires_at > {now})"


def _updating(now: str, worker_id: str, lease_until: str) -> str:
    """Return what a start does to the job's row."""
    return (
        f"UPDATE {statements.quoted(Job._meta.db_table)} AS job SET state = '{JobState.RUNNING.value}', reason = '', "  # noqa: S608
        f"parked_by = '', updated_at = {now}, started_at = {now}, worker_id = {worker_id}, "
        f"lease_until = {lease_until}, attempts = job.attempts + 1, fence = job.fence + 1"
    )


def _attempt(job_id: str, number: str, fence: str, worker: str, now: str) -> dict[str, str]:
    defaults = {name: statements.literal(str(value)) for name, value in NEW_ATTEMPT.items()}
    return {**defaults, "job_id": job_id, "number": number, "fence": fence, "worker": worker, "started_at": now}


def _event(job_id: str, actor: str, now: str) -> dict[str, str]:
    words = {"name": START_EVENT.value, "source": JobState.PENDING.value, "target": JobState.RUNNING.value}
    told = {name: statements.literal(word) for name, word in {**words, "reason": "", "data": "{}"}.items()}
    return {**told, "job_id": job_id, "actor": actor, "at": now}


def _inserting(model: type[Any], values: Mapping[str, str]) -> tuple[str, str]:
    """Return the beginning of an insert, and what it inserts."""
    return f"INSERT INTO {statements.quoted(model._meta.db_table)} ({', '.join(values)})", ", ".join(values.values())
