"""Where jobs wait that a shut gate keeps from running: lots, out of the claim's sight, left in the claim's order.

A block's lot is its key; ``limit:`` and ``breaker:`` begin the others'. Decides nothing: gates say who may leave.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from queue_app import clock, transitions
from queue_app.models import Job
from queue_app.planning import values_of

BATCH = 500


def lots() -> list[str]:
    """Return every lot in which a job waits. One look-up a lot, however many wait."""
    return values_of("parked_by", Job.objects.exclude(parked_by=""))


def count(lot: str) -> int:
    """Return how many jobs wait in ``lot``."""
    return _in_order(lot).count()


def first(lot: str) -> Job | None:
    """Return the job that leaves ``lot`` next."""
    return _in_order(lot).first()


def goes_first(lot: str, job: Job) -> bool:
    """Say whether a job in ``lot`` comes before ``job``, as claims take them."""
    other = first(lot)
    return other is not None and _place(other) < _place(job)


def let_go(lot: str, most: int = BATCH) -> list[Job]:
    """Let at most ``most`` jobs leave ``lot``, the most urgent first, in the caller's transaction; return them."""
    leaving = list(_in_order(lot).select_for_update(skip_locked=True)[: min(most, BATCH)])
    if leaving:
        transitions.unpark(leaving, now=clock.now())
    return leaving


def _in_order(lot: str) -> QuerySet[Job]:
    # Said twice, for SQLite uses a partial index only where its condition stands in the query.
    return Job.objects.exclude(parked_by="").filter(parked_by=lot).order_by("priority", "run_at", "id")


def _place(job: Job) -> tuple[int, datetime, int]:
    return job.priority, job.run_at, job.pk
