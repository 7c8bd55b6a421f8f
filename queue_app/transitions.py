"""The only writer of ``Job.state``: every change is one compare-and-set with its event, in the caller's transaction.

Nothing here opens a network connection, sleeps or calls a handler. Functions must be called inside
``database.atomic()``; they raise ``LostRace`` when somebody else changed the job first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError
from django.db.models import F

from queue_app import notices, registry, states
from queue_app.database import atomic, wake
from queue_app.models import Attempt, AttemptOutcome, Event, EventName, Job, Worker
from queue_app.states import FINISHED, JobState

EVENT_NAMES = {
    JobState.COMPLETED: EventName.COMPLETED,
    JobState.FAILED: EventName.FAILED,
    JobState.CANCELLED: EventName.CANCELLED,
}
EXPIRED = "expired"
# A handler that overran its timeout is stopped by the cluster this much later, if its own alarm did not.
LEASE_GRACE_SECONDS = 30.0

_asks_hooks: ContextVar[bool] = ContextVar("asks_hooks", default=True)


class LostRace(Exception):
    """Somebody else changed the job first: its state or fence is not what the caller saw."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.pk} is no longer {job.state} under fence {job.fence}")
        self.job = job


@contextmanager
def without_hooks() -> Iterator[None]:
    """Change jobs without asking their types' hooks: the last resort where a hook is broken, so that nothing sticks."""
    token = _asks_hooks.set(False)
    try:
        yield
    finally:
        _asks_hooks.reset(token)


def add(job: Job, *, actor: str = "") -> Job:
    """Save a new pending job with its first event. Raises IntegrityError if its unique key is taken."""
    job.state = JobState.PENDING
    job.save(force_insert=True)
    _record(job, EventName.ADDED, source="", reason=job.reason, actor=actor, at=job.created_at, data={})
    wake(job.queue)
    return job


def add_once(type_name: str, key: str, *, now: datetime, delay_seconds: float = 0.0, **fields: Any) -> bool:
    """Add one of the queue's own jobs unless an unfinished one has ``key``; return whether it was added."""
    if Job.objects.filter(unique_key=key, state__in=states.UNFINISHED).exists():
        return False
    job = Job(
        type=type_name,
        unique_key=key,
        run_at=now + timedelta(seconds=delay_seconds),
        max_attempts=registry.get(type_name).retry.max_attempts,
        created_at=now,
        updated_at=now,
        **fields,
    )
    try:
        with atomic():
            add(job)
    except IntegrityError:
        return False
    return True


def start(job: Job, worker: Worker | None, *, now: datetime, timeout_seconds: float, holder: str = "") -> Attempt:
    """Claim and start a pending job; count the attempt."""
    change(
        job,
        JobState.RUNNING,
        now=now,
        reason="",
        actor=worker.name if worker else holder,
        worker=worker,
        started_at=now,
        lease_until=now + timedelta(seconds=timeout_seconds + LEASE_GRACE_SECONDS),
        attempts=job.attempts + 1,
    )
    return Attempt.objects.create(
        job=job, number=job.attempts, fence=job.fence, worker=worker.name if worker else holder, started_at=now
    )


def mark(job: Job, *, now: datetime) -> None:
    """Write down that the irreversible step is about to begin. The fence stays: the same worker goes on."""
    rows = Job.objects.filter(pk=job.pk, state=JobState.RUNNING, fence=job.fence).update(marked_at=now, updated_at=now)
    if rows == 0:
        raise LostRace(job)
    job.marked_at = now
    _record(job, EventName.UPDATED, source=JobState.RUNNING, reason="marked", actor="", at=now, data={})


def clear_mark(job: Job) -> None:
    """Forget the mark in memory: the platform documented that nothing happened. Stored with the next change."""
    job.marked_at = None


def park(job: Job, key: str, *, now: datetime) -> None:
    """Put a pending job aside under a blocked key, out of the claim's sight."""
    rows = Job.objects.filter(pk=job.pk, state=JobState.PENDING, fence=job.fence).update(
        parked_by=key, fence=F("fence") + 1, updated_at=now
    )
    if rows == 0:
        raise LostRace(job)
    job.parked_by, job.fence = key, job.fence + 1
    _record(job, EventName.UPDATED, source=JobState.PENDING, reason="parked", actor="", at=now, data={"key": key})


def reschedule(job: Job, run_at: datetime, *, now: datetime, actor: str = "", **fields: Any) -> None:
    """Move a pending job's due time, and its priority or expiry by ``fields``."""
    rows = Job.objects.filter(pk=job.pk, state=JobState.PENDING, fence=job.fence).update(
        run_at=run_at, fence=F("fence") + 1, updated_at=now, **fields
    )
    if rows == 0:
        raise LostRace(job)
    job.run_at, job.fence = run_at, job.fence + 1
    for name, value in fields.items():
        setattr(job, name, value)
    data = {"run_at": run_at}
    _record(job, EventName.UPDATED, source=JobState.PENDING, reason="rescheduled", actor=actor, at=now, data=data)
    wake(job.queue)


def change(
    job: Job,
    target: JobState,
    *,
    now: datetime,
    reason: str,
    actor: str = "",
    data: dict[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Move ``job`` to ``target`` and bring the object up to date.

    ``reason`` is a code of ``explain.REASONS``. ``fields`` are further columns to set. Raises IllegalTransition if the
    table has no such edge and LostRace if the stored state or fence differs.
    """
    source = job.state
    states.check(job.pk, source, target, marked=job.marked_at is not None)
    values: dict[str, Any] = {"state": target, "reason": reason, "parked_by": "", "updated_at": now, **fields}
    if source == JobState.RUNNING:
        values |= {"lease_until": None, "marked_at": job.marked_at}
    if target == JobState.PENDING:
        values |= {"marked_at": None, "finished_at": None, "needs_review_at": None}
        values.setdefault("postponed_since", None)
    if target in FINISHED:
        values |= {"finished_at": now, "needs_review_at": None}
    rows = Job.objects.filter(pk=job.pk, state=source, fence=job.fence).update(fence=F("fence") + 1, **values)
    if rows == 0:
        raise LostRace(job)
    job.fence += 1
    for name, value in values.items():
        setattr(job, name, value)
    name = EVENT_NAMES.get(target, EventName.UPDATED)
    _record(job, name, source=source, reason=reason, actor=actor, at=now, data=data or {})
    if target == JobState.PENDING:
        wake(job.queue)
    elif target == JobState.UNCERTAIN:
        request_reconciliation(job, now=now)
    elif target in (JobState.FAILED, JobState.HELD) or reason == EXPIRED:
        _tell(job, EXPIRED if reason == EXPIRED else target, job.last_error, now=now)
    job_type = registry.known().get(job.type)
    if target in FINISHED and job_type is not None and job_type.every_seconds is not None:
        add_recurring(job_type, now=now, delay_seconds=job_type.every_seconds)


def add_recurring(job_type: registry.JobType, *, now: datetime, delay_seconds: float) -> bool:
    """See that one job of a housekeeping type waits; return whether it had to be added."""
    return add_once(job_type.name, f"every:{job_type.name}", now=now, delay_seconds=delay_seconds)


def request_reconciliation(job: Job, *, now: datetime, delay_seconds: float = registry.RECONCILE_DELAY_SECONDS) -> None:
    """Enqueue the look-up of an uncertain job, once; where its type has none, ask a person at once."""
    if job.type not in registry.known() or registry.get(job.type).reconcile is None:
        flag_for_review(job, "no_lookup", now=now)
        return
    add_once(
        registry.RECONCILE,
        f"reconcile:{job.pk}",
        now=now,
        delay_seconds=delay_seconds,
        queue=job.queue,
        priority=job.priority,
        args={"job_id": job.pk},
        reconciles=job,
    )


def flag_for_review(job: Job, reason: str, *, now: datetime) -> None:
    """Say that a person must decide what became of an uncertain job, and tell someone. Does nothing if it moved on."""
    rows = Job.objects.filter(pk=job.pk, state=JobState.UNCERTAIN, fence=job.fence).update(
        needs_review_at=now, reason=reason, updated_at=now
    )
    if rows == 0:
        return
    job.needs_review_at, job.reason = now, reason
    _record(job, EventName.UPDATED, source=JobState.UNCERTAIN, reason="needs_review", actor="", at=now, data={})
    _tell(job, "needs_review", job.last_error, now=now)


def close_attempt(job: Job, fence: int, outcome: AttemptOutcome, *, now: datetime, **fields: Any) -> None:
    """Finish the attempt that ran under ``fence``."""
    Attempt.objects.filter(job=job, fence=fence, finished_at=None).update(outcome=outcome, finished_at=now, **fields)


def _tell(job: Job, kind: str, text: str, *, now: datetime) -> None:
    """Write a notice about the job and see that it is sent. The queue's own jobs are told of by what they serve."""
    job_type = registry.known().get(job.type)
    if job_type is not None and job_type.internal:
        return
    describe = job_type.describe if job_type is not None and _asks_hooks.get() else None
    subject = describe(job) if describe is not None else str(job)
    notices.record(kind, subject, text, job=job, now=now)
    add_once(registry.SEND_NOTICES, "send_notices", now=now, delay_seconds=notices.GATHER_SECONDS)


def _record(
    job: Job, name: EventName, *, source: str, reason: str, actor: str, at: datetime, data: dict[str, Any]
) -> None:
    event = Event.objects.create(
        job=job, at=at, name=name, source=source, target=job.state, reason=reason, actor=actor, data=data
    )
    hook = registry.known()[job.type].on_transition if job.type in registry.known() else None
    if hook is not None and _asks_hooks.get():
        hook(job, event)
