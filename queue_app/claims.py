"""Finding and taking the next job: the claim and the start are one transaction.

The cost does not grow with jobs that are not due: the partial index ``queue_app_job_due`` is entered once a priority,
and the first entry that finds a row ends the search. Jobs that something keeps waiting are parked on the way.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.db import connections

from queue_app import clock, gates, hooks, registry, statements, transitions
from queue_app.database import alias, atomic, is_away, lock_control
from queue_app.expressions import unindexed
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST, Attempt, Block, Job, Worker
from queue_app.selectors import PRIORITIES, due
from queue_app.states import JobState
from queue_app.transitions import Execution

# The most jobs that one claim parks, and how many it expires, before it ends its transaction.
PARK_BATCH = 500
SET_ASIDE_BATCH = 50
# A handler that overran its timeout is stopped by the cluster this much later, if its own alarm did not.
LEASE_GRACE_SECONDS = 30.0
_RUN_AT = Job._meta.get_field("run_at")


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this process has started, with its attempt."""

    job: Job
    attempt: Attempt | Execution


class SetAside:
    """Jobs were in the way: commit what was done with them, then claim again."""


class Unclaimable(Exception):
    """The next job cannot be started because its own hook breaks; put it aside in a new transaction."""

    def __init__(self, job: Job, fence: int) -> None:
        super().__init__(f"job {job.pk} cannot be started")
        self.job_id = job.pk
        self.fence = fence


def count_due(queue: str, types: Collection[str], now: datetime, most: int) -> int:
    """Return how many jobs of ``queue`` may be claimed at ``now``; counting ends at ``most``."""
    found = 0
    for priority in PRIORITIES:
        if found < most:
            found += due(queue, types, now, priority)[: most - found].count()
    return found


def next_due_at(queues: Collection[str], types: Sequence[str]) -> datetime | None:
    """Return the earliest due time of the queues' pending, unparked jobs, ``None`` if there are none. One query."""
    rows = statements.fetch(_first_due_sql(alias(), tuple(queues), tuple(types)), ())
    moments = [statements.read(_RUN_AT, moment) for (moment,) in rows]
    return min((moment for moment in moments if moment is not None), default=None)


def claim_next(
    queues: Mapping[str, int],
    worker: Worker | None,
    *,
    types: Sequence[str],
    holder: str = "",
    lease_seconds: float | None = None,
    joined: bool = False,
) -> Claim | SetAside | None:
    """Take and start the next due job of ``queues``; return ``None`` where none is due. Call inside a transaction.

    Of several queues with due jobs one is drawn by its weight. Jobs met on the way that have expired are cancelled;
    jobs that a gate keeps waiting are parked, and with them those behind. ``lease_seconds`` replaces the type's
    timeout for a holder outside the clusters. ``joined`` says that the transaction has changed another job: then a
    job is only started, and only one without a hook or a gate, so that no transaction waits for one job's locks while
    it holds another's. Raises Unclaimable.
    """
    for queue in drawn(queues):
        found = _first_due(queue, types)
        if found is not None:
            job, now, may_be_blocked = found
            guarded = may_be_blocked or gates.has_own(job)
            if joined and (guarded or _expired(job, now) or registry.is_hooked(job.type)):
                return SetAside()
            return _take(job, now, worker, types, holder, lease_seconds, guarded=guarded)
    return None


def lease_seconds_of(type_name: str) -> float:
    """Return how long a worker of a cluster has a job of this type before it is taken for lost."""
    return registry.get(type_name).timeout + LEASE_GRACE_SECONDS


def hold_unclaimable(refusal: Unclaimable) -> None:
    """Hold a job whose hook breaks at every start, without asking the hook, and tell someone."""
    with hooks.without_hooks(), atomic():
        job = Job.objects.select_for_update().filter(pk=refusal.job_id, fence=refusal.fence).first()
        if job is not None:
            cause = refusal.__cause__
            transitions.change(
                job, JobState.HELD, now=clock.now(), reason="hook_failed", last_error=f"{type(cause).__name__}"
            )


def _take(
    job: Job,
    now: datetime,
    worker: Worker | None,
    types: Sequence[str],
    holder: str,
    lease_seconds: float | None,
    *,
    guarded: bool,
) -> Claim | SetAside:
    fence = job.fence
    try:
        if _expired(job, now):
            _expire(job, now, types)
            return SetAside()
        if guarded:
            # A gate may open this moment: under the lock it is shut, and letting go comes after us, or it is open.
            lock_control(shared=True)
            now = clock.now()
            passage = gates.enter(job, now)
            if isinstance(passage, gates.Shut):
                _park_with_followers(job, passage, now, types)
                return SetAside()
        else:
            passage = gates.FREE
        if lease_seconds is None:
            lease_seconds = lease_seconds_of(job.type)
        attempt = transitions.start(job, worker, now=now, lease_seconds=lease_seconds, holder=holder)
        passage.record(job, now)
        return Claim(job, attempt)
    except transitions.LostRace:
        raise
    except Exception as error:
        if is_away(error):
            raise
        raise Unclaimable(job, fence) from error


def _expire(job: Job, now: datetime, types: Sequence[str]) -> None:
    """Cancel the expired job and those right behind it; a hooked one alone, for its hook may lock more."""
    transitions.change(job, JobState.CANCELLED, now=now, reason=transitions.EXPIRED)
    if not registry.is_hooked(job.type):
        for other in _behind(job, now, types, SET_ASIDE_BATCH):
            if _expired(other, now) and not registry.is_hooked(other.type):
                transitions.change(other, JobState.CANCELLED, now=now, reason=transitions.EXPIRED)


def _park_with_followers(job: Job, shut: gates.Shut, now: datetime, types: Sequence[str]) -> None:
    """Park the job, and of those due behind it in its queue whichever the same gate keeps waiting."""
    behind = _behind(job, now, types, PARK_BATCH)
    waiting = [other for other in behind if gates.concerns(shut.lot, other) and not _expired(other, now)]
    transitions.park([job, *waiting], shut.lot, now=now)


def _behind(job: Job, now: datetime, types: Sequence[str], most: int) -> list[Job]:
    """Return the due jobs of the same queue and priority after ``job``, less those that others hold."""
    following = due(job.queue, types, now, job.priority).exclude(pk=job.pk)
    return list(following.select_for_update(skip_locked=True)[:most])


def drawn(queues: Mapping[str, int]) -> list[str]:
    """Return the queues in an order drawn by their weights: the first with something due is served."""
    if len(queues) == 1:
        return list(queues)
    # Efraimidis and Spirakis: sorting by u^(1/w) draws without replacement by weight.
    return sorted(queues, key=lambda queue: random.random() ** (1 / queues[queue]), reverse=True)  # noqa: S311 -- a draw


def _expired(job: Job, now: datetime) -> bool:
    return job.expires_at is not None and job.expires_at <= now


def _first_due(queue: str, types: Sequence[str]) -> tuple[Job, datetime, bool] | None:
    """Return the first due job, locked, with the time at which it was found and whether there is any block at all."""
    if not types:
        return None
    rows = statements.fetch(claim_sql(alias(), queue, tuple(types)), clock.parameters())
    if not rows:
        return None
    *values, moment, blocked = rows[0]
    now = statements.read(_RUN_AT, moment)
    clock.told(now)
    return statements.instance(Job, values), now, bool(blocked)


@lru_cache(maxsize=64)
def claim_sql(using: str, queue: str, types: tuple[str, ...]) -> str:
    """Return the query for the first due job, most urgent priority first. Its one parameter is the clock's.

    The priorities are looked into one after the other until one has a row, and only that row is locked; rows that
    others are claiming are skipped. States and names stand in the text: partial indexes serve no parameters.
    PostgreSQL plans and starts a part for each priority whether or not it looks into it, but one that is joined once.
    """
    select = f"SELECT {statements.columns(Job, 'job')} "
    now = "moment.now" if connections[using].vendor == "postgresql" else clock.expression()
    first = f"AND run_at <= {now} ORDER BY run_at, id LIMIT 1"
    if connections[using].vendor == "postgresql":
        levels = f"generate_series({PRIORITY_FIRST}, {PRIORITY_LAST}) AS level"
        part = f"{select} {_pending(queue, types, 'level')} {first} FOR UPDATE SKIP LOCKED"
        source = f"(SELECT {clock.expression()} AS now) AS moment, {levels}, LATERAL ({part}) AS found"
    else:
        parts = (f"SELECT * FROM ({select} {_pending(queue, types, priority)} {first})" for priority in PRIORITIES)  # noqa: S608 -- names
        source = f"({' UNION ALL '.join(parts)}) AS found"
    block = statements.quoted(Block._meta.db_table)
    return f"SELECT found.*, {now} AS now, EXISTS (SELECT 1 FROM {block}) AS blocked FROM {source} LIMIT 1"  # noqa: S608 -- names


@lru_cache(maxsize=64)
def _first_due_sql(using: str, queues: tuple[str, ...], types: tuple[str, ...]) -> str:
    """Return the query for the first due time of each queue and priority. Kept: clusters ask it at every change."""
    return " UNION ALL ".join(
        f"SELECT * FROM (SELECT run_at {_pending(queue, types, priority)} ORDER BY run_at, id LIMIT 1)"  # noqa: S608
        f" AS first_{number}_{priority}"
        for number, queue in enumerate(queues)
        for priority in PRIORITIES
    )


def _pending(queue: str, types: tuple[str, ...], priority: int | str) -> str:
    table = statements.quoted(Job._meta.db_table)
    known = ", ".join(statements.literal(name) for name in types)
    return (
        f"FROM {table} AS job WHERE queue = {statements.literal(queue)} AND priority = {priority} "
        f"AND {unindexed('state')} = '{JobState.PENDING.value}' AND parked_by = '' AND type IN ({known})"
    )
