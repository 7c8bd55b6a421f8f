"""Finding and taking the next job: the claim and the start are one transaction.

The cost does not grow with jobs that are not due: the partial index ``queue_app_job_due`` is entered once a priority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet

from queue_app import blocks, clock, registry, transitions
from queue_app.database import alias, atomic, lock_control
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST, Attempt, Job, Worker
from queue_app.states import JobState

# The most jobs that one claim cancels or parks before it ends its transaction.
SET_ASIDE_BATCH = 50


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this process has started, with its attempt."""

    job: Job
    attempt: Attempt


class SetAside:
    """Jobs were in the way: commit what was done with them, then claim again."""


class Unclaimable(Exception):
    """The next job cannot be started because its own hook breaks; put it aside in a new transaction."""

    def __init__(self, job: Job, fence: int) -> None:
        super().__init__(f"job {job.pk} cannot be started")
        self.job_id = job.pk
        self.fence = fence


def due(queue: str, types: Sequence[str], now: datetime, priority: int) -> QuerySet[Job]:
    """Return the jobs of one priority that may be claimed at ``now``, in the order in which they will be."""
    return Job.objects.filter(
        queue=queue, priority=priority, state=JobState.PENDING, parked_by="", run_at__lte=now, type__in=types
    ).order_by("run_at", "id")


def next_due_at(queue: str, types: Sequence[str]) -> datetime | None:
    """Return the earliest due time of the queue's pending, unparked jobs, ``None`` if there are none. One query."""
    return min((job.run_at for job in _first_of_each_priority(queue, types)), default=None)


def claim_next(
    queue: str, worker: Worker | None, *, types: Sequence[str], holder: str = "", joined: bool = False
) -> Claim | SetAside | None:
    """Take and start the next due job of ``queue``; return ``None`` where none is due. Call inside a transaction.

    Jobs met on the way that have expired are cancelled; jobs with a blocked key are parked under it. ``joined`` says
    that the transaction has changed another job: then a job is only started, and only one without a hook. So no
    transaction waits for one job's locks while it holds another's. Raises Unclaimable.
    """
    now = clock.now()
    for _ in range(SET_ASIDE_BATCH):
        job = _next(queue, types, now)
        if job is None:
            return None
        if joined and not _is_plain(job, now):
            return SetAside()
        fence = job.fence
        try:
            if _expired(job, now):
                transitions.change(job, JobState.CANCELLED, now=now, reason=transitions.EXPIRED)
                return SetAside()
            if _park(job, now):
                continue
            timeout = registry.get(job.type).timeout
            return Claim(job, transitions.start(job, worker, now=now, timeout_seconds=timeout, holder=holder))
        except (transitions.LostRace, OperationalError, InterfaceError):
            raise
        except Exception as error:
            raise Unclaimable(job, fence) from error
    return SetAside()


def hold_unclaimable(refusal: Unclaimable) -> None:
    """Hold a job whose hook breaks at every start, without asking the hook, and tell someone."""
    with transitions.without_hooks(), atomic():
        job = Job.objects.select_for_update().filter(pk=refusal.job_id, fence=refusal.fence).first()
        if job is not None:
            cause = refusal.__cause__
            transitions.change(
                job, JobState.HELD, now=clock.now(), reason="hook_failed", last_error=f"{type(cause).__name__}"
            )


def _first_of_each_priority(queue: str, types: Sequence[str]) -> list[Job]:
    """Return each priority's first pending, unparked job, the most urgent first; only id, priority and due time."""
    sql, params = _compiled(alias(), queue, tuple(types))
    return sorted(Job.objects.using(alias()).raw(sql, params), key=lambda job: job.priority)


@lru_cache(maxsize=64)
def _compiled(using: str, queue: str, types: tuple[str, ...]) -> tuple[str, tuple[Any, ...]]:
    """Return the query for the first pending job of each priority. Kept: clusters ask it at every change and claim."""
    parts: list[str] = []
    params: list[Any] = []
    for priority in range(PRIORITY_FIRST, PRIORITY_LAST + 1):
        pending = Job.objects.filter(
            queue=queue, priority=priority, state=JobState.PENDING, parked_by="", type__in=types
        )
        first = pending.order_by("run_at", "id").values("id", "priority", "run_at")[:1]
        sql, values = first.query.get_compiler(using=using).as_sql()
        parts.append(f"SELECT * FROM ({sql}) AS first_of_{priority}")  # noqa: S608 -- compiled by Django
        params += values
    return " UNION ALL ".join(parts), tuple(params)


def _next(queue: str, types: Sequence[str], now: datetime) -> Job | None:
    for first in _first_of_each_priority(queue, types):
        if first.run_at > now:
            continue
        # On PostgreSQL rows that others are claiming are skipped; SQLite's writers are alone.
        job = due(queue, types, now, first.priority).select_for_update(skip_locked=True).first()
        if job is not None:
            return job
    return None


def _is_plain(job: Job, now: datetime) -> bool:
    hooked = registry.get(job.type).on_transition is not None
    return not (hooked or _expired(job, now) or blocks.first_active(job, now) is not None)


def _expired(job: Job, now: datetime) -> bool:
    return job.expires_at is not None and job.expires_at <= now


def _park(job: Job, now: datetime) -> bool:
    if blocks.first_active(job, now) is None:
        return False
    # The block may be lifted this moment: under the lock it is there, and unparking comes after us, or it is gone.
    lock_control(shared=True)
    block = blocks.first_active(job, now)
    if block is not None:
        transitions.park(job, block.key, now=now)
    return block is not None
