"""Finding and taking the next job: the claim and the start are one transaction.

The cost does not grow with jobs that are not due: the partial index ``queue_app_job_due`` is entered once a priority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet

from queue_app import blocks, clock, registry, transitions
from queue_app.database import alias, lock_control
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST, Attempt, Job, Worker
from queue_app.states import JobState

# The most jobs that one claim cancels or parks before it ends its transaction.
SET_ASIDE_BATCH = 200


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this process has started, with its attempt."""

    job: Job
    attempt: Attempt


def due(queue: str, types: Sequence[str], now: datetime, priority: int) -> QuerySet[Job]:
    """Return the jobs of one priority that may be claimed at ``now``, in the order in which they will be."""
    return Job.objects.filter(
        queue=queue, priority=priority, state=JobState.PENDING, parked_by="", run_at__lte=now, type__in=types
    ).order_by("run_at", "id")


def anything_due(queue: str, types: Sequence[str], now: datetime) -> bool:
    """Say whether a claim would find a job to look at. One query."""
    return any(job.run_at <= now for job in _first_of_each_priority(queue, types))


def next_due_at(queue: str, types: Sequence[str]) -> datetime | None:
    """Return the earliest due time of the queue's pending, unparked jobs, ``None`` if there are none. One query."""
    return min((job.run_at for job in _first_of_each_priority(queue, types)), default=None)


def claim_next(queue: str, worker: Worker | None, *, types: Sequence[str], holder: str = "") -> Claim | None:
    """Take and start the next due job of ``queue``, or return ``None``. Call inside a transaction.

    Jobs met on the way that have expired are cancelled; jobs with a blocked key are parked under it.
    """
    now = clock.now()
    for _ in range(SET_ASIDE_BATCH):
        job = _next(queue, types, now)
        if job is None:
            return None
        if _set_aside(job, now):
            continue
        job_type = registry.get(job.type)
        attempt = transitions.start(job, worker, now=now, timeout_seconds=job_type.timeout, holder=holder)
        return Claim(job, attempt)
    # Many were in the way: let this much be committed first. What is due is still due.
    return None


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


def _set_aside(job: Job, now: datetime) -> bool:
    if job.expires_at is not None and job.expires_at <= now:
        transitions.change(job, JobState.CANCELLED, now=now, reason="expired")
        return True
    if blocks.first_active(job, now) is None:
        return False
    # The block may be lifted this moment: under the lock it is there, and unparking comes after us, or it is gone.
    lock_control(shared=True)
    block = blocks.first_active(job, now)
    if block is not None:
        transitions.park(job, block.key, now=now)
    return block is not None
