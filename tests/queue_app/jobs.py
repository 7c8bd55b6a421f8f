"""Types of the fixtures in conftest.py, and the job as it is stored."""

from __future__ import annotations

from collections.abc import Callable

from queue_app.models import Event, Job
from queue_app.registry import OnTransition

Register = Callable[..., str]
Later = Callable[[float], None]
Run = Callable[[], int]


def reloaded(job: Job) -> Job:
    """Return the job as it is stored now."""
    return Job.objects.get(pk=job.pk)


def broken_hook(*states: str) -> OnTransition:
    """Return a hook that breaks when a job with the target "broken" enters one of ``states``."""

    def hook(job: Job, event: Event) -> None:
        if job.target_id == "broken" and event.target in states and event.source:
            raise KeyError("delivery_id")

    return hook
