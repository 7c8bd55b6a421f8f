"""What each operation does to one job whose row the caller has locked, in the caller's transaction.

One function an operation, shared by those on one job, by ``set_status`` and by those on many. Every change of state
goes through ``transitions``; what the table forbids is IllegalTransition.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError

from queue_app import clock, given, registry, states, transitions
from queue_app.database import atomic
from queue_app.errors import DuplicateJob, MarkedJob
from queue_app.models import AttemptOutcome, Job
from queue_app.new_jobs import NewJob, build, derived_key
from queue_app.states import UNFINISHED, IllegalTransition, JobState

REASON_CHARACTERS = 100
RETRIED = (JobState.FAILED, JobState.CANCELLED, JobState.HELD, JobState.UNCERTAIN)


def cancel(job: Job, *, actor: str) -> None:
    """Stop an unfinished job; a running one is fenced off. Raises MarkedJob."""
    reason = "stopped_may_be_live" if job.state == JobState.UNCERTAIN else "by_hand"
    if job.state == JobState.FAILED:
        reason = "discarded"
    end(job, JobState.CANCELLED, AttemptOutcome.CANCELLED, reason=reason, actor=actor)


def hold(job: Job, reason: str, *, actor: str) -> None:
    """Keep a pending job until a person releases it; a running one is fenced off. Raises MarkedJob, ValueError."""
    reason = given.text("a reason", given.text("a reason", reason).strip(), REASON_CHARACTERS, least=1)
    end(job, JobState.HELD, AttemptOutcome.HELD, reason=reason, actor=actor)


def end(job: Job, target: JobState, outcome: AttemptOutcome, *, reason: str, actor: str, **fields: Any) -> None:
    """Move the job to ``target``, and close its execution with ``outcome`` if one was going on. Raises MarkedJob.

    ``fields`` are further columns of the job; its ``last_error`` is the execution's message too.
    """
    if job.state == JobState.RUNNING and job.marked_at is not None:
        raise MarkedJob(job)
    actor, now, fence, was_running = given.actor(actor), clock.now(), job.fence, job.state == JobState.RUNNING
    transitions.change(job, target, now=now, reason=reason, actor=actor, **fields)
    if was_running:
        transitions.close_attempt(job, fence, outcome, now=now, message=fields.get("last_error", ""))


def discard(job: Job, reason: str, *, actor: str) -> None:
    """Give up a failed job: it is no dead letter any more. ``reason`` is kept in its history."""
    if job.state != JobState.FAILED:
        raise IllegalTransition(job.pk, job.state, JobState.CANCELLED)
    data = {"why": reason} if given.text("the reason", reason) else {}
    transitions.change(
        job, JobState.CANCELLED, now=clock.now(), reason="discarded", actor=given.actor(actor), data=data
    )


def release(job: Job, *, actor: str) -> None:
    """Let a held job run: now, or at its own time if a restore held it that long before."""
    if job.state != JobState.HELD:
        raise IllegalTransition(job.pk, job.state, JobState.PENDING)
    retry(job, actor=actor, at=job.run_at if job.reason == transitions.RESTORED else None)


def retry(
    job: Job,
    *,
    actor: str,
    args: dict[str, Any] | None = None,
    expires_at: datetime | None = None,
    at: datetime | None = None,
) -> None:
    """Run a failed, cancelled, held or uncertain job again: now, or ``at`` a time to come.

    Its type's ``expires_seconds`` count from then; an expiry of its own stands while it is to come. Raises
    DuplicateJob, InvalidArguments, ValueError.
    """
    if job.state not in RETRIED:
        raise IllegalTransition(job.pk, job.state, JobState.PENDING)
    actor, now, kind = given.actor(actor), clock.now(), registry.find(job.type)
    run_at = max(at or now, now)
    if job.state == JobState.HELD:
        # It goes on with the attempts that it has left; the one in which it was held may have been the last.
        most = max(job.max_attempts, job.attempts + 1)
    else:
        most = job.attempts + (kind.max_attempts if kind else 1)
    fields: dict[str, Any] = {"max_attempts": most}
    if expires_at is not None:
        fields["expires_at"] = given.expiry(expires_at, now, now)
    elif kind is not None and kind.expires_seconds is not None:
        fields["expires_at"] = kind.expires_at(run_at)
    elif job.expires_at is not None and job.expires_at <= now:
        fields["expires_at"] = None
    if args is not None:
        fields |= _edited(job, args, now)
    data = {"edited": True} if args is not None else {}
    try:
        with atomic():
            transitions.change(
                job, JobState.PENDING, now=now, reason="by_hand", actor=actor, data=data, run_at=run_at, **fields
            )
    except IntegrityError:
        key = fields.get("unique_key", job.unique_key)
        other = Job.objects.filter(unique_key=key, state__in=UNFINISHED).first()
        if other is None:
            raise
        raise DuplicateJob(other.unique_key or "", other.pk) from None


def reschedule(
    job: Job, run_at: datetime, *, actor: str, expires_at: datetime | None = None, priority: int | None = None
) -> None:
    """Move a pending job's due time, and its priority if given. Raises ValueError if it could only expire.

    Without ``expires_at`` its type's ``expires_seconds`` count from the new time; an expiry of its own stands.
    """
    if job.state != JobState.PENDING:
        raise IllegalTransition(job.pk, job.state, JobState.PENDING)
    actor, now, kind = given.actor(actor), clock.now(), registry.find(job.type)
    fields: dict[str, Any] = {} if priority is None else {"priority": priority}
    if expires_at is not None:
        fields["expires_at"] = given.expiry(expires_at, run_at, now)
    elif kind is not None and kind.expires_seconds is not None:
        fields["expires_at"] = kind.expires_at(max(run_at, now))
    elif job.expires_at is not None and job.expires_at <= max(run_at, now):
        raise ValueError(
            f"job {job.pk} is dropped at {job.expires_at.isoformat()}, before it would run: give expires_at too"
        )
    transitions.reschedule(job, run_at, now=now, actor=actor, **fields)


def reprioritise(job: Job, priority: int, *, actor: str) -> None:
    """Give a pending job another priority; its times stand."""
    if job.state != JobState.PENDING:
        raise IllegalTransition(job.pk, job.state, JobState.PENDING)
    transitions.reschedule(job, job.run_at, now=clock.now(), actor=given.actor(actor), priority=priority)


def hand_back(job: Job, *, actor: str) -> None:
    """Take a running job from whoever runs it: uncertain if it was marked, else pending with the attempt refunded."""
    if job.state != JobState.RUNNING:
        raise IllegalTransition(job.pk, job.state, JobState.PENDING)
    actor, now, fence = given.actor(actor), clock.now(), job.fence
    message = "taken back by hand"
    if job.marked_at is not None:
        transitions.change(job, JobState.UNCERTAIN, now=now, reason="taken_back", actor=actor, last_error=message)
    else:
        attempts = max(job.attempts - 1, 0)
        transitions.change(
            job, JobState.PENDING, now=now, reason="taken_back", actor=actor, run_at=now, attempts=attempts
        )
    transitions.close_attempt(job, fence, AttemptOutcome.HANDED_BACK, now=now, message=message)


def complete_uncertain(job: Job, result: Any, *, actor: str) -> None:
    """Record a person's word that an uncertain job took effect."""
    if job.state != JobState.UNCERTAIN:
        raise IllegalTransition(job.pk, job.state, JobState.COMPLETED)
    transitions.change(
        job,
        JobState.COMPLETED,
        now=clock.now(),
        reason="said_by_person",
        actor=given.actor(actor),
        result=result,
    )


def require(job: Job, target: JobState) -> None:
    """Raise MarkedJob for a job that is being sent, and IllegalTransition unless the table has the edge."""
    if job.state == JobState.RUNNING and job.marked_at is not None:
        raise MarkedJob(job)
    states.check(job.pk, job.state, target)


def _edited(job: Job, args: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the columns that follow from other arguments, checked as when enqueued. A key of its own stays."""
    kind = registry.get(job.type)
    built = build(kind, NewJob(args=args, target_id=job.target_id), now)
    follows = job.unique_key == derived_key(kind, job.args, job.target_id)
    return {"args": built.args, "unique_key": built.unique_key} if follows else {"args": built.args}
