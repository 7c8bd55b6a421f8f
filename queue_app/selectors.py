"""Reads of jobs for people and programs: what waits, what runs, what failed. Changes nothing.

Housekeeping (internal job types) is left out everywhere: it is not what people queued.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from queue_app import given, registry, routes
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST, Job
from queue_app.planning import PARKED, PENDING, UNPARKED
from queue_app.states import JobState, named

MOST = 10_000
PRIORITIES = range(PRIORITY_FIRST, PRIORITY_LAST + 1)


def pending(queue: str | None = None, limit: int = 100) -> list[Job]:
    """Return the first pending jobs by priority, then due time; those that are parked or not due yet, too.

    ``queue`` is one queue, ``None`` all of them; ``limit`` is 1 to 10,000. Raises ValueError.
    """
    _check(limit)
    order = ("priority", "run_at", "id")
    waiting = _public(Job.objects.filter(PENDING, UNPARKED)).order_by(*order).values_list(*order)
    parked = _public(Job.objects.filter(PARKED, in_queue(queue))).order_by(*order).values_list(*order)
    # Each queue's first jobs stand together in the claim's index, the parked ones in another.
    first: list[tuple[Any, ...]] = [*parked[:limit]]
    for name in pending_queues() if queue is None else [queue]:
        first += waiting.filter(queue=name)[:limit]
    return _in_order([job_id for _priority, _run_at, job_id in sorted(first)[:limit]])


def all_jobs(limit: int = 100, state: str | None = None) -> list[Job]:
    """Return the newest ``limit`` (1 to 10,000) jobs, or of those in ``state``. Raises ValueError."""
    _check(limit)
    jobs = every_job() if state is None else jobs_of(state)
    return _in_order(jobs.order_by("-id").values_list("id", flat=True)[:limit])


def failed_jobs(limit: int = 100) -> list[Job]:
    """Return the ``limit`` (1 to 10,000) jobs that failed last, the newest first. Raises ValueError."""
    _check(limit)
    return list(jobs_of(JobState.FAILED).order_by("-finished_at", "-id")[:limit])


def every_job() -> QuerySet[Job]:
    """Return all jobs, unordered."""
    return _public(Job.objects.all())


def jobs_of(state: str) -> QuerySet[Job]:
    """Return all jobs in ``state`` (``processing`` is ``running``), unordered. Raises ValueError for no such state."""
    return _public(Job.objects.filter(state=named(state)))


def due(queue: str, types: Collection[str], now: datetime, priority: int) -> QuerySet[Job]:
    """Return the jobs of one priority that may be claimed at ``now``, in the order in which they will be."""
    pending = Job.objects.filter(PENDING, UNPARKED, queue=queue, priority=priority, run_at__lte=now, type__in=types)
    return pending.order_by("run_at", "id")


def ahead_of(job: Job) -> Q:
    """Return the condition of what the claim, and a lot, put before ``job``."""
    same = Q(priority=job.priority)
    return Q(priority__lt=job.priority) | same & (Q(run_at__lt=job.run_at) | Q(run_at=job.run_at, pk__lt=job.pk))


def queue_length(queue: str | None = None) -> int:
    """Return how many jobs are pending, due or not, in ``queue`` or in all of them."""
    here = in_queue(queue)
    if queue is None:
        return jobs_of(JobState.PENDING).count()
    # The indexes of one queue's jobs know no type: what is internal, a handful, is counted by itself and taken off.
    unparked = Job.objects.filter(PENDING, UNPARKED, here).count()
    parked = Job.objects.filter(PARKED, here).count()
    internal = Job.objects.filter(here, state=JobState.PENDING, type__in=internal_types()).count()
    return max(unparked + parked - internal, 0)


def running_count(queue: str | None = None) -> int:
    """Return how many jobs are running, in ``queue`` or in all of them."""
    return jobs_of(JobState.RUNNING).filter(in_queue(queue)).count()


def is_running(job_id: int | str) -> bool:
    """Say whether the job is running now; false for a job that there is not. Raises ValueError for what is no id."""
    return Job.objects.filter(pk=given.job_id(job_id), state=JobState.RUNNING).exists()


def pending_queues() -> list[str]:
    """Return the names of the queues with pending, unparked jobs, in order: one look into the index for each."""
    names: list[str] = []
    waiting = Job.objects.filter(PENDING, UNPARKED).order_by("queue", "priority", "run_at", "id")
    while next_one := waiting.filter(queue__gt=names[-1] if names else "").values_list("queue").first():
        names.append(next_one[0])
    return names


def in_queue(queue: str | None) -> Q:
    """Return the condition of jobs in ``queue``, ``None`` for all queues. Raises ValueError for what is no queue."""
    return Q() if queue is None else Q(queue=given.word("queue", queue, routes.QUEUE_CHARACTERS, spaces=True))


def internal_types() -> list[str]:
    """Return the names of the queue's own job types."""
    return [name for name, job_type in registry.known().items() if job_type.internal]


def _public(jobs: QuerySet[Job]) -> QuerySet[Job]:
    return jobs.exclude(type__in=internal_types())


def _in_order(ids: Sequence[int] | QuerySet[Any, int]) -> list[Job]:
    """Return the jobs with ``ids``, which an index alone has found; without those that were deleted meanwhile."""
    ids = list(ids)
    found = Job.objects.in_bulk(ids)
    return [found[job_id] for job_id in ids if job_id in found]


def _check(limit: int) -> None:
    if not (type(limit) is int and 1 <= limit <= MOST):
        raise ValueError(f"limit is a number from 1 to {MOST:,}, not {limit!r}")
