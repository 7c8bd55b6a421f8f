"""Plain jobs on PostgreSQL: one statement, committed by itself, ends a job and finds and starts the next.

A plain job is one that nothing but its time and its turn keeps waiting: its type has no hook, no limit and no breaker,
nothing at all is blocked, and it has not expired. Any other is left to ``claims.claim_next``. What is written is what
``transitions.start`` writes; nothing here knows more of states than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache

from queue_app import claims, clock, conf, events, registry, statements
from queue_app.claims import Claim, SetAside
from queue_app.database import alias, alone, is_postgresql
from queue_app.models import Attempt, Event, EventName, Job, Worker
from queue_app.outcomes import Done
from queue_app.states import JobState
from queue_app.transitions import NEW_ATTEMPT, Execution

_RUN_AT = Job._meta.get_field("run_at")
START_EVENT = EventName.UPDATED


def types_among(types: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``types`` whose jobs may be plain: none where the site has limits, or listens to every start."""
    if not is_postgresql() or conf.get("LIMITS") or events.is_heard(START_EVENT):
        return ()
    return tuple(filter(registry.is_plain, types))


def ends(job: Job, outcome: object) -> bool:
    """Say whether one statement says all that there is to say of the job's end."""
    kind = registry.find(job.type)
    recurs = kind is None or kind.every_seconds is not None
    quiet = registry.is_plain(job.type) and not (recurs or events.is_heard(EventName.COMPLETED))
    return isinstance(outcome, Done) and quiet and is_postgresql() and alone()


def take(
    queues: Mapping[str, int], worker: Worker, types: Sequence[str], plain: tuple[str, ...]
) -> Claim | SetAside | None:
    """Start the next due job of ``queues`` if it is plain; return ``None`` where none is due.

    SetAside: it is not plain, or another queue may have one. ``plain`` are the types of ``types_among``.
    """
    queue, *others = claims.drawn(queues)
    named = _start_sql(alias(), queue, tuple(types), plain)
    params = [clock.parameter(), worker.pk, worker.name, worker.name]
    rows = statements.fetch("SELECT found.*, EXISTS (SELECT 1 FROM started) FROM found", params, named)
    if not rows:
        return SetAside() if others else None
    *values, moment, _blocked, started = rows[0]
    now = statements.read(_RUN_AT, moment)
    clock.told(now)
    if not started:
        return SetAside()
    job = statements.instance(Job, values)
    execution = Execution(job.attempts + 1, job.fence + 1, now)
    job.state, job.reason, job.parked_by = JobState.RUNNING, "", ""
    job.attempts, job.fence, job.worker_id = execution.number, execution.fence, worker.pk
    job.started_at = job.updated_at = now
    job.lease_until = now + timedelta(seconds=claims.lease_seconds_of(job.type))
    return Claim(job, execution)


@lru_cache(maxsize=64)
def _start_sql(using: str, queue: str, types: tuple[str, ...], plain: tuple[str, ...]) -> str:
    """Return what a start writes, as parts of a WITH clause: ``found`` is the next due job, ``started`` says if.

    Its parameters are the clock's, the worker's id, and twice its name.
    """
    job, attempt, event = (statements.quoted(model._meta.db_table) for model in (Job, Attempt, Event))
    known = ", ".join(map(statements.literal, plain))
    leases = " ".join(f"WHEN {statements.literal(name)} THEN {claims.lease_seconds_of(name)}" for name in plain)
    defaults = {name: statements.literal(str(value)) for name, value in NEW_ATTEMPT.items()}
    own = {"job_id": "id", "number": "attempts + 1", "fence": "fence + 1", "worker": "%s", "started_at": "now"}
    values = {**defaults, **own}
    return (
        f"found AS MATERIALIZED ({claims.claim_sql(using, queue, types)}), "  # noqa: S608 -- names
        f"plain AS (SELECT * FROM found WHERE NOT blocked AND type IN ({known}) "
        "AND (expires_at IS NULL OR expires_at > now)), "
        f"started AS (UPDATE {job} AS job SET state = '{JobState.RUNNING.value}', reason = '', parked_by = '', "
        "updated_at = plain.now, started_at = plain.now, worker_id = %s, attempts = job.attempts + 1, "
        "fence = job.fence + 1, "
        f"lease_until = plain.now + CASE plain.type {leases} END * INTERVAL '1 second' "
        "FROM plain WHERE job.id = plain.id RETURNING 1), "
        f"noted AS (INSERT INTO {attempt} ({', '.join(values)}) "
        f"SELECT {', '.join(values.values())} FROM plain), "
        f"told AS (INSERT INTO {event} (job_id, at, name, source, target, reason, actor, data) "
        f"SELECT id, now, '{START_EVENT.value}', '{JobState.PENDING.value}', '{JobState.RUNNING.value}', "
        "'', %s, '{}' FROM plain)"
    )
