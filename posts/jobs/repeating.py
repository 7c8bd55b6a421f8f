"""Repeating posts: the next ones are made ahead, at once for a new series and several times a day for all."""

from __future__ import annotations

from posts.models import Recurrence
from posts.services import recurrence
from queue_app.context import JobContext
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy


@job_type(
    "posts.repeat_all",
    retry=RetryPolicy.fixed(max_attempts=3, delay_seconds=60),
    timeout_seconds=120,
    every_seconds=6 * 3600,
    internal=True,
)
def repeat_all(context: JobContext) -> int:
    """Queue a job for each series that goes on; return how many."""
    going_on = Recurrence.objects.filter(ended_at=None).order_by("pk")
    for found in going_on:
        recurrence.make_soon(found)
    return len(going_on)


@job_type(
    recurrence.REPEAT,
    retry=RetryPolicy.exponential(max_attempts=8, base_seconds=10, cap_seconds=1800),
    timeout_seconds=120,
    internal=True,
)
def repeat(context: JobContext, recurrence_id: int) -> int:
    """Make the posts of one series that are due to be made; return how many."""
    return recurrence.make_occurrences(recurrence_id)
