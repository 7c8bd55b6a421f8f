"""The queue's public Python API. Every function goes through the transition table; errors say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from queue_app import clock, registry, transitions
from queue_app.database import atomic
from queue_app.errors import DuplicateJob, JobNotFound, MarkedJob, QueueError
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST, AttemptOutcome, Job
from queue_app.states import UNFINISHED, IllegalTransition, JobState
from queue_app.stats import counts

PRIORITY_NAMES = {"high": 2, "normal": 5, "low": 8}

__all__ = [
    "DuplicateJob",
    "IllegalTransition",
    "JobNotFound",
    "MarkedJob",
    "QueueError",
    "cancel",
    "check_again",
    "complete_uncertain",
    "enqueue",
    "get",
    "may_have_taken_effect",
    "release",
    "reschedule",
    "retry",
    "stats",
]


def enqueue(
    job_type: str,
    args: dict[str, Any] | None = None,
    *,
    target_id: str | int = "",
    priority: int | str | None = None,
    max_retries: int | None = None,
    run_at: datetime | None = None,
    expires_at: datetime | None = None,
    unique_key: str | None = None,
    keys: Sequence[str] = (),
    metadata: dict[str, Any] | None = None,
    queue: str | None = None,
    on_duplicate: str = "raise",
    actor: str = "",
) -> Job:
    """Add a job in the caller's transaction and return it.

    ``priority`` is 1 (first) to 10 (last) or high, normal, low. ``run_at`` and ``expires_at`` are aware. ``keys`` are
    what it can be blocked by. Raises UnknownJobType, ValueError, and DuplicateJob unless ``on_duplicate="return"``.
    """
    kind = registry.get(job_type)
    now = clock.now()
    for name, moment in (("run_at", run_at), ("expires_at", expires_at)):
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"{name} needs a time zone")
    job = Job(
        type=kind.name,
        queue=queue or kind.queue,
        priority=_priority(kind.priority if priority is None else priority),
        args=args or {},
        target_id=str(target_id),
        metadata=metadata or {},
        keys=list(keys),
        unique_key=unique_key,
        run_at=run_at or now,
        expires_at=expires_at,
        max_attempts=kind.retry.max_attempts if max_retries is None else max_retries + 1,
        created_at=now,
        updated_at=now,
    )
    try:
        with atomic():
            return transitions.add(job, actor=actor)
    except IntegrityError:
        existing = Job.objects.filter(unique_key=unique_key, state__in=UNFINISHED).first() if unique_key else None
        if existing is None:
            raise
        if on_duplicate == "return":
            return existing
        raise DuplicateJob(existing.unique_key or "", existing.pk) from None


def get(job_id: int | str) -> Job:
    """Return the job; raise JobNotFound, or ValueError for an id that is none."""
    if job_id in ("", None):
        raise ValueError("job id cannot be empty")
    try:
        return Job.objects.get(pk=int(job_id))
    except ValueError:
        raise ValueError(f"job id is a number, not {job_id!r}") from None
    except Job.DoesNotExist:
        raise JobNotFound(job_id) from None


def cancel(job_id: int, *, actor: str = "") -> Job:
    """Stop an unfinished job at once. A running one is fenced off; raises MarkedJob if it is already being sent.

    An uncertain job may be cancelled too: it is no longer looked into, and what it sent may be live.
    """
    with atomic():
        job = _lock(job_id)
        if job.state == JobState.RUNNING and job.marked_at is not None:
            raise MarkedJob(job)
        reason = "stopped_may_be_live" if job.state == JobState.UNCERTAIN else "by_hand"
        fence, now = job.fence, clock.now()
        was_running = job.state == JobState.RUNNING
        transitions.change(job, JobState.CANCELLED, now=now, reason=reason, actor=actor)
        if was_running:
            transitions.close_attempt(job, fence, AttemptOutcome.CANCELLED, now=now)
    return job


def retry(job_id: int, *, actor: str = "", expires_at: datetime | None = None) -> Job:
    """Run a failed, cancelled, held or uncertain job again, now; raises its maximum by the policy's.

    Where ``may_have_taken_effect`` says so this may do its irreversible step twice: ask the person first. Raises
    DuplicateJob if another unfinished job has its unique key by now.
    """
    with atomic():
        job = _lock(job_id)
        now = clock.now()
        fields: dict[str, Any] = {}
        if job.state != JobState.HELD:
            kind = registry.known().get(job.type)
            fields["max_attempts"] = job.attempts + (kind.retry.max_attempts if kind else 1)
        if expires_at is not None or (job.expires_at is not None and job.expires_at <= now):
            fields["expires_at"] = expires_at
        try:
            with atomic():
                transitions.change(job, JobState.PENDING, now=now, reason="by_hand", actor=actor, run_at=now, **fields)
        except IntegrityError:
            other = Job.objects.filter(unique_key=job.unique_key, state__in=UNFINISHED).first()
            if other is None:
                raise
            raise DuplicateJob(other.unique_key or "", other.pk) from None
    return job


def may_have_taken_effect(job: Job) -> bool:
    """Say whether an execution of ``job`` may have taken effect unknown to us, so that another could do it twice.

    So it is while the job is uncertain, and after a person retried or stopped it in that state: that settles nothing.
    """
    if job.state == JobState.UNCERTAIN:
        return True
    left = job.events.filter(source=JobState.UNCERTAIN).exclude(target=JobState.UNCERTAIN).order_by("id").last()
    return left is not None and left.reason in ("by_hand", "stopped_may_be_live")


def release(job_id: int, *, actor: str = "") -> Job:
    """Let a held job run; raises IllegalTransition for any other."""
    job = get(job_id)
    if job.state != JobState.HELD:
        raise IllegalTransition(job.pk, job.state, JobState.PENDING)
    return retry(job_id, actor=actor)


def reschedule(
    job_id: int,
    run_at: datetime,
    *,
    expires_at: datetime | None = None,
    priority: int | str | None = None,
    actor: str = "",
) -> Job:
    """Move a pending job to ``run_at`` (aware); its expiry and priority too if given. Others: IllegalTransition."""
    if run_at.tzinfo is None:
        raise ValueError("run_at needs a time zone")
    with atomic():
        job = _lock(job_id)
        if job.state != JobState.PENDING:
            raise IllegalTransition(job.pk, job.state, JobState.PENDING)
        fields: dict[str, Any] = {}
        if priority is not None:
            fields["priority"] = _priority(priority)
        if expires_at is not None:
            fields["expires_at"] = expires_at
        transitions.reschedule(job, run_at, now=clock.now(), actor=actor, **fields)
    return job


def complete_uncertain(job_id: int, result: Any, *, actor: str) -> Job:
    """Record a person's word that an uncertain job took effect, with its result."""
    with atomic():
        job = _lock(job_id)
        if job.state != JobState.UNCERTAIN:
            raise IllegalTransition(job.pk, job.state, JobState.COMPLETED)
        transitions.change(
            job, JobState.COMPLETED, now=clock.now(), reason="said_by_person", actor=actor, result=result
        )
    return job


def check_again(job_id: int) -> Job:
    """Look an uncertain job up anew, now."""
    with atomic():
        job = _lock(job_id)
        if job.state != JobState.UNCERTAIN:
            raise IllegalTransition(job.pk, job.state, JobState.UNCERTAIN)
        now = clock.now()
        waiting = Job.objects.filter(unique_key=f"reconcile:{job.pk}", state=JobState.PENDING).first()
        if waiting is not None:
            transitions.reschedule(waiting, now, now=now)
        else:
            transitions.request_reconciliation(job, now=now, delay_seconds=0.0)
    return job


def stats() -> dict[str, int]:
    """Return the exact number of jobs in every state, and ``total``."""
    return counts()


def _lock(job_id: int) -> Job:
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise JobNotFound(job_id)
    return job


def _priority(value: int | str) -> int:
    number = PRIORITY_NAMES.get(value) if isinstance(value, str) else value
    if number is None or not PRIORITY_FIRST <= number <= PRIORITY_LAST:
        names = ", ".join(PRIORITY_NAMES)
        raise ValueError(f"priority is {PRIORITY_FIRST} (first) to {PRIORITY_LAST} (last) or {names}, not {value!r}")
    return number
