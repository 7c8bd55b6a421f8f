"""Types of the fixtures in conftest.py, and the job as it is stored."""

from __future__ import annotations

from collections.abc import Callable

from queue_app.models import Job

Register = Callable[..., str]
Later = Callable[[float], None]
Run = Callable[[], int]


def reloaded(job: Job) -> Job:
    """Return the job as it is stored now."""
    return Job.objects.get(pk=job.pk)
