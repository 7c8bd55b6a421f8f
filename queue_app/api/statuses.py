"""Setting a job's status by its word: each becomes the operation that leads there, so the table decides what may be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from queue_app import given
from queue_app.api import leases, steps
from queue_app.api.lookup import locked
from queue_app.api.results import checked
from queue_app.database import atomic
from queue_app.models import AttemptOutcome, Job
from queue_app.states import JobState, named

logger = logging.getLogger("socialq.queue")


@dataclass(frozen=True, slots=True)
class _Word:
    """What the caller said beside the status."""

    result: Any
    error: str
    actor: str


def set_status(job_id: int | str, status: str, *, result: Any = None, error: str = "", actor: str = "") -> Job:
    """Move a job to ``status``, as far as the table of transitions allows, and return it.

    ``running`` (or ``processing``) starts a pending job for the caller, who holds it by
    ``lease_of(job.pk, job.fence)``; ``completed`` takes ``result`` (JSON) and ``failed`` takes ``error``, for good; a
    job taken from a running worker is fenced off from it. Raises ValueError ("invalid job status: ..."),
    IllegalTransition, MarkedJob (it is being sent), CannotStart, DuplicateJob, JobNotFound.
    """
    target = named(status)
    if result is not None and target != JobState.COMPLETED:
        raise ValueError("only a completed job is given a result")
    if given.text("the error", error) and target != JobState.FAILED:
        raise ValueError("only a failed job is given an error")
    word = _Word(checked(result), error, actor)
    with atomic():
        job = locked(job_id)
        steps.require(job, target)
        _MOVES[target](job, word)
    logger.info("job=%s type=%s priority=%s operation=set_status state=%s", job.pk, job.type, job.priority, job.state)
    return job


def _wait(job: Job, word: _Word) -> None:
    if job.state == JobState.RUNNING:
        steps.hand_back(job, actor=word.actor)
    else:
        steps.retry(job, actor=word.actor)


def _run(job: Job, word: _Word) -> None:
    leases.start(job, worker=word.actor)


def _complete(job: Job, word: _Word) -> None:
    if job.state == JobState.UNCERTAIN:
        steps.complete_uncertain(job, word.result, actor=word.actor)
    else:
        steps.end(
            job,
            JobState.COMPLETED,
            AttemptOutcome.COMPLETED,
            reason="by_hand",
            actor=word.actor,
            result=word.result,
            result_expires_at=None,
        )


def _fail(job: Job, word: _Word) -> None:
    error = word.error or job.last_error
    steps.end(job, JobState.FAILED, AttemptOutcome.FAILED, reason="by_hand", actor=word.actor, last_error=error)


_MOVES: Mapping[JobState, Callable[[Job, _Word], None]] = {
    JobState.PENDING: _wait,
    JobState.RUNNING: _run,
    JobState.HELD: lambda job, word: steps.hold(job, "by_hand", actor=word.actor),
    JobState.COMPLETED: _complete,
    JobState.FAILED: _fail,
    JobState.CANCELLED: lambda job, word: steps.cancel(job, actor=word.actor),
}
