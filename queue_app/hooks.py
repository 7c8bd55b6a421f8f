"""What job types are asked about their jobs: what follows a change, what a job is called, whom it concerns.

Owns asking them, in the transaction of what has happened, and leaving that out where a hook is broken. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from queue_app import notices, registry
from queue_app.database import at_once
from queue_app.models import Event, Job
from queue_app.registry import JobType

_are_asked: ContextVar[bool] = ContextVar("are_asked", default=True)


@contextmanager
def without_hooks() -> Iterator[None]:
    """Ask none: the last resort where a hook is broken, so that nothing sticks."""
    token = _are_asked.set(False)
    try:
        yield
    finally:
        _are_asked.reset(token)


def follow(job: Job, event: Event) -> None:
    """Have the job's type do what follows ``event``, which was just written."""
    kind = _asked(job)
    if kind is not None and kind.on_transition is not None:
        with at_once():
            kind.on_transition(job, event)


def subject_of(job: Job) -> str:
    """Return what people call the job."""
    kind = _asked(job)
    return kind.describe(job) if kind is not None and kind.describe is not None else str(job)


def concern_of(job: Job) -> notices.Concern:
    """Return whom it concerns what becomes of the job."""
    kind = _asked(job)
    return kind.concerns(job) if kind is not None and kind.concerns is not None else notices.EVERYBODY_WHO_WATCHES


def _asked(job: Job) -> JobType | None:
    return registry.find(job.type) if _are_asked.get() else None
