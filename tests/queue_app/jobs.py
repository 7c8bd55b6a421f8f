"""Types of the fixtures in conftest.py, and the job as it is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from queue_app.models import Event, Job
from queue_app.registry import OnTransition

T = TypeVar("T")

Register = Callable[..., str]
Later = Callable[[float], None]
Run = Callable[[], int]


def reloaded(job: Job) -> Job:
    """Return the job as it is stored now."""
    return Job.objects.get(pk=job.pk)


async def and_disconnect(work: Awaitable[T]) -> T:
    """Await ``work``, then close the connections of the thread that Django uses for it."""
    try:
        return await work
    finally:
        await sync_to_async(connections.close_all)()


def broken_hook(*states: str) -> OnTransition:
    """Return a hook that breaks when a job with the target "broken" enters one of ``states``."""

    def hook(job: Job, event: Event) -> None:
        if job.target_id == "broken" and event.target in states and event.source:
            raise KeyError("delivery_id")

    return hook
