"""What a person or a program may do with one job. ``actor`` names who did it, in the job's history.

Each locks the job's row and takes one of ``steps`` in a transaction (or in the caller's). What the table of transitions
forbids is IllegalTransition, a job past its mark MarkedJob, an id of no job JobNotFound.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from queue_app import clock, given, priorities, transitions
from queue_app.api import steps
from queue_app.api.lookup import locked
from queue_app.api.results import checked
from queue_app.database import atomic
from queue_app.models import Job
from queue_app.states import IllegalTransition, JobState

logger = logging.getLogger("socialq.queue")


def cancel(job_id: int | str, *, actor: str = "") -> Job:
    """Stop a job at once. A running one is fenced off; raises MarkedJob if it is already being sent.

    An uncertain job may be cancelled too: it is no longer looked into, and what it sent may be live.
    """
    with atomic():
        job = locked(job_id)
        steps.cancel(job, actor=actor)
    return _noted(job, "cancel")


def hold(job_id: int | str, reason: str, *, actor: str = "") -> Job:
    """Keep a pending job, or an unmarked running one, until ``release``; ``reason`` is shown to people."""
    with atomic():
        job = locked(job_id)
        steps.hold(job, reason, actor=actor)
    return _noted(job, "hold")


def release(job_id: int | str, *, actor: str = "") -> Job:
    """Let a held job run, one that a restore has held not before its time; raises IllegalTransition for any other."""
    with atomic():
        job = locked(job_id)
        steps.release(job, actor=actor)
    return _noted(job, "release")


def retry(
    job_id: int | str,
    *,
    actor: str = "",
    args: dict[str, Any] | None = None,
    expires_at: datetime | None = None,
) -> Job:
    """Run a failed, cancelled, held or uncertain job again, now; raises its maximum by the policy's.

    ``args`` replaces its arguments and is checked as when enqueued. Where ``may_have_taken_effect`` says so this may do
    its irreversible step twice: ask the person first. Raises DuplicateJob if another unfinished job has its unique key
    by now, InvalidArguments, UnknownJobType, and ValueError for an ``expires_at`` that is not to come. Without it the
    type's ``expires_seconds`` count from now.
    """
    if expires_at is not None:
        expires_at = given.moment("expires_at", expires_at)
    with atomic():
        job = locked(job_id)
        steps.retry(job, actor=actor, args=args, expires_at=expires_at)
    return _noted(job, "retry")


def discard(job_id: int | str, reason: str = "", *, actor: str = "") -> Job:
    """Give up a failed job: it leaves the dead letters as cancelled. ``reason`` is kept in its history."""
    with atomic():
        job = locked(job_id)
        steps.discard(job, reason, actor=actor)
    return _noted(job, "discard")


def reschedule(
    job_id: int | str,
    run_at: datetime,
    *,
    expires_at: datetime | None = None,
    priority: int | str | None = None,
    actor: str = "",
) -> Job:
    """Move a pending job to ``run_at`` (aware); its expiry and priority too if given. Others: IllegalTransition.

    Without ``expires_at`` the type's ``expires_seconds`` count from ``run_at``, and an expiry of the job's own stands.
    Raises ValueError where it would be dropped before it could run.
    """
    run_at = given.moment("run_at", run_at)
    number = None if priority is None else priorities.number_of(priority)
    if expires_at is not None:
        expires_at = given.moment("expires_at", expires_at)
    with atomic():
        job = locked(job_id)
        steps.reschedule(job, run_at, actor=actor, expires_at=expires_at, priority=number)
    return _noted(job, "reschedule")


def reprioritise(job_id: int | str, priority: int | str, *, actor: str = "") -> Job:
    """Give a pending job another priority: 1 (first) to 10 (last), or high, normal, low. Others: IllegalTransition."""
    number = priorities.number_of(priority)
    with atomic():
        job = locked(job_id)
        steps.reprioritise(job, number, actor=actor)
    return _noted(job, "reprioritise")


def complete_uncertain(job_id: int | str, result: Any, *, actor: str) -> Job:
    """Record a person's word that an uncertain job took effect, with its result (JSON). Raises ValueError."""
    result = checked(result)
    with atomic():
        job = locked(job_id)
        steps.complete_uncertain(job, result, actor=actor)
    return _noted(job, "complete_uncertain")


def check_again(job_id: int | str) -> Job:
    """Look an uncertain job up anew, now."""
    with atomic():
        job = locked(job_id)
        if job.state != JobState.UNCERTAIN:
            raise IllegalTransition(job.pk, job.state, JobState.UNCERTAIN)
        now = clock.now()
        waiting = Job.objects.filter(unique_key=f"reconcile:{job.pk}", state=JobState.PENDING).first()
        if waiting is not None:
            transitions.reschedule(waiting, now, now=now)
        else:
            transitions.request_reconciliation(job, now=now, delay_seconds=0.0)
    return _noted(job, "check_again")


def may_have_taken_effect(job: Job) -> bool:
    """Say whether an execution of ``job`` may have taken effect unknown to us, so that another could do it twice.

    So it is while the job is uncertain, and after a person retried or stopped it in that state: that settles nothing.
    And while a restore holds it that was due by then.
    """
    if not isinstance(job, Job):
        raise ValueError(f"give the job itself, as get returns it, not a {type(job).__name__}")  # noqa: TRY004
    if job.state == JobState.UNCERTAIN:
        return True
    if job.state == JobState.HELD and job.reason == transitions.RESTORED:
        return job.run_at <= job.updated_at
    left = job.events.filter(source=JobState.UNCERTAIN).exclude(target=JobState.UNCERTAIN).order_by("id").last()
    return left is not None and left.reason in ("by_hand", "stopped_may_be_live")


def _noted(job: Job, operation: str) -> Job:
    logger.info(
        "job=%s type=%s priority=%s operation=%s state=%s", job.pk, job.type, job.priority, operation, job.state
    )
    return job
