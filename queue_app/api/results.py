"""Results: saved with a time to live, read until then. Their deletion is the purge's business."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from queue_app import arguments, clock, given
from queue_app.api.lookup import get, locked
from queue_app.database import atomic
from queue_app.errors import NoResult, ResultExpired
from queue_app.models import Job
from queue_app.states import JobState

DEFAULT_TTL_SECONDS = 3600.0
LONGEST_TTL_SECONDS = 100 * 366 * 86_400.0


def save_result(job_id: int | str, result: Any, ttl_seconds: float | None = DEFAULT_TTL_SECONDS) -> Job:
    """Keep ``result`` (JSON) with a job of any state, for ``ttl_seconds`` from now (``None``: as long as the job).

    A result that its execution gives later replaces it. Raises JobNotFound, ValueError.
    """
    result, seconds = checked(result), lifetime(ttl_seconds)
    with atomic():
        job, now = locked(job_id), clock.now()
        job.result, job.updated_at = result, now
        job.result_expires_at = None if seconds is None else now + timedelta(seconds=seconds)
        job.save(update_fields=["result", "result_expires_at", "updated_at"])
    return job


def get_result(job_id: int | str) -> Any:
    """Return the job's result; ``None`` is that of a job completed without one.

    Raises JobNotFound, NoResult (nothing yet), ResultExpired (its time is over).
    """
    job = get(job_id)
    if job.result_expires_at is not None and job.result_expires_at <= clock.now():
        raise ResultExpired(job.pk, job.result_expires_at)
    if job.result is None and job.state != JobState.COMPLETED:
        raise NoResult(job.pk, job.state)
    return job.result


def checked(result: Any) -> Any:
    """Return ``result`` if both databases can store it as JSON; raise ValueError saying why not."""
    arguments.check_json("the result", "", result)
    return result


def lifetime(ttl_seconds: float | None) -> float | None:
    """Return a time to live as it was given, if it can be one; raise ValueError."""
    if ttl_seconds is None:
        return None
    seconds = given.number("ttl_seconds", ttl_seconds, 0.0, LONGEST_TTL_SECONDS)
    if not seconds:
        raise ValueError("ttl_seconds is above 0; None keeps the result as long as the job")
    return seconds
