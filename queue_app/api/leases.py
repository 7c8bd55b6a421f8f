"""Jobs that programs outside the clusters run: taken with a lease, kept by extending it, ended under its fence.

Claims and ends as the clusters do, through ``claims`` and ``finish``: blocks, limits and expiry hold alike, and a lease
that runs out is rescued. Not for types with an irreversible step: only a worker of the site's own can mark it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from queue_app import claims, clock, conf, finish, gates, given, registry, transitions
from queue_app.api.lookup import get
from queue_app.api.results import checked, lifetime
from queue_app.database import atomic, lock_control
from queue_app.errors import CannotStart, LeaseLost
from queue_app.models import Attempt, Job
from queue_app.outcomes import Done, Fail, Failure, Outcome, Retry
from queue_app.routes import QUEUE_CHARACTERS
from queue_app.states import JobState

DEFAULT_LEASE_SECONDS = 300.0
LONGEST_LEASE_SECONDS = 86_400.0
LONGEST_DELAY_SECONDS = 366 * 86_400.0
OUTSIDE = "outside"

# When this process last looked for jobs behind gates that are open, on the monotonic clock.
_swept_at = -math.inf


@dataclass(frozen=True, slots=True)
class Lease:
    """A job that a program holds until ``lease_until`` (aware UTC). ``fence`` proves it; ``attempt`` counts from 1."""

    job_id: int
    type: str
    args: dict[str, Any]
    target_id: str
    fence: int
    lease_until: datetime
    attempt: int


def dequeue(
    queue: str = "default",
    *,
    types: Sequence[str] | None = None,
    lease_seconds: float = DEFAULT_LEASE_SECONDS,
    worker: str = "",
) -> Lease | None:
    """Take the next due job of ``queue``; ``None`` where none is due. ``worker`` names the caller in its history.

    ``types`` are the job types that the caller can do, also such as this process does not know; ``None`` stands for all
    that it knows, less those with an irreversible step and the queue's own. Work on it until ``lease_until``,
    ``extend`` it in time, then ``complete`` or ``fail`` it. Raises ValueError. Not inside a transaction.
    """
    names = _servable(types)
    queue = given.word("queue", queue, QUEUE_CHARACTERS, spaces=True)
    holder = given.word("worker", OUTSIDE if worker == "" else worker, given.ACTOR_CHARACTERS, spaces=True)
    seconds = given.number("lease_seconds", lease_seconds, 1.0, LONGEST_LEASE_SECONDS)
    opened = False
    while True:
        try:
            with atomic():
                taken = claims.claim_next({queue: 1}, None, types=names, holder=holder, lease_seconds=seconds)
        except claims.Unclaimable as refusal:
            claims.hold_unclaimable(refusal)
            continue
        if isinstance(taken, claims.Claim):
            return _of(taken.job, taken.attempt)
        if taken is None:
            freed = _open_gates()
            if not freed and (opened or freed is None):
                return None
            opened = True


def start(job: Job, *, worker: str = "", lease_seconds: float = DEFAULT_LEASE_SECONDS) -> None:
    """Start this pending job, whose row the caller has locked, for a program outside.

    Raises CannotStart where a claim would not take it: not due, expired, blocked, over a limit, or not for outsiders.
    """
    if _is_ours(job.type):
        raise CannotStart(job.pk, f"only workers of the site's own may run jobs of type {job.type}")
    lock_control(shared=True)
    now = clock.now()
    if job.expires_at is not None and job.expires_at <= now:
        raise CannotStart(job.pk, "it has expired")
    if job.run_at > now:
        raise CannotStart(job.pk, f"it is due at {job.run_at:%Y-%m-%d %H:%M:%S} UTC; reschedule it first")
    passage = gates.enter(job, now)
    if isinstance(passage, gates.Shut):
        raise CannotStart(job.pk, " ".join(filter(None, [passage.kind, passage.key, passage.reason])))
    transitions.start(job, None, now=now, lease_seconds=lease_seconds, holder=given.actor(worker) or OUTSIDE)
    passage.record(job, now)


def lease_of(job_id: int | str, fence: int) -> Lease:
    """Return the lease that a program holds, or held, by what it was told: for those that call over a network.

    Raises JobNotFound, and LeaseLost where no program outside ever had the job under ``fence``.
    """
    job = get(job_id)
    attempt = Attempt.objects.filter(job=job, fence=given.job_id(fence)).first()
    if attempt is None or (job.fence == attempt.fence and job.worker_id is not None):
        raise LeaseLost(job.pk, job.state)
    return _of(job, attempt)


def extend(lease: Lease, seconds: float = DEFAULT_LEASE_SECONDS) -> Lease:
    """Keep the job for ``seconds`` more from now; return the new lease. Raises LeaseLost, ValueError."""
    lease, seconds = _lease(lease), given.number("seconds", seconds, 1.0, LONGEST_LEASE_SECONDS)
    until = clock.now() + timedelta(seconds=seconds)
    held = Job.objects.filter(pk=lease.job_id, state=JobState.RUNNING, fence=lease.fence, worker=None)
    if held.update(lease_until=until) == 0:
        raise LeaseLost(lease.job_id, get(lease.job_id).state)
    return replace(lease, lease_until=until)


def complete(lease: Lease, result: Any = None, ttl_seconds: float | None = None) -> Job:
    """End the job as completed; ``result`` is JSON, kept for ``ttl_seconds`` (``None``: as its type says).

    Raises LeaseLost where the caller came too late: nothing changes, and the answer is kept with its attempt. Call it
    outside a transaction, or undoing yours forgets that answer. Raises ValueError for a result that is no JSON.
    """
    return _end(lease, Done(checked(result), lifetime(ttl_seconds)))


def fail(lease: Lease, error: str, requeue: bool = True, delay_seconds: float | None = None) -> Job:
    """End this execution with ``error``: to be tried again by the type's policy, or failed for good.

    ``delay_seconds`` makes the wait longer than the policy's. Out of attempts the job fails either way. Raises
    LeaseLost as ``complete`` does, and ValueError.
    """
    if not given.text("error", error).strip():
        raise ValueError("say in error what went wrong")
    failure = Failure("OutsideError", error)
    if not requeue:
        return _end(lease, Fail(failure))
    delay = None if delay_seconds is None else given.number("delay_seconds", delay_seconds, 0.0, LONGEST_DELAY_SECONDS)
    return _end(lease, Retry(failure, delay))


def _open_gates() -> int | None:
    """Open the gates whose time has come, as no cluster may run that would; return how many jobs that let go.

    ``None``: it was no gate's time, and those that wait behind an open one were looked for a moment ago.
    """
    global _swept_at
    opening = gates.next_opening()
    if opening is not None and opening <= clock.now():
        return gates.open_due()
    if time.monotonic() < _swept_at + float(conf.get("HEARTBEAT_SECONDS")):
        return None
    _swept_at = time.monotonic()
    return gates.sweep()


def _end(lease: Lease, outcome: Outcome) -> Job:
    job = get(_lease(lease).job_id)
    attempt = Attempt.objects.filter(job=job, fence=lease.fence).first()
    if attempt is None or (job.fence == lease.fence and job.worker_id is not None):
        raise LeaseLost(job.pk, job.state)
    stored = job.state
    # As it was taken: where the stored row differs, what follows finds it gone and keeps the answer as a late one.
    job.state, job.fence, job.marked_at = JobState.RUNNING, lease.fence, None
    ended, _nothing = finish.settle(claims.Claim(job, attempt), outcome)
    if ended is None:
        raise LeaseLost(job.pk, stored)
    return job


def _of(job: Job, attempt: Attempt | transitions.Execution) -> Lease:
    held = job.fence == attempt.fence and job.lease_until is not None
    until = job.lease_until if held and job.lease_until else attempt.finished_at or attempt.started_at
    return Lease(job.pk, job.type, job.args, job.target_id, attempt.fence, until, attempt.number)


def _servable(types: Sequence[str] | None) -> list[str]:
    if types is None:
        return sorted(name for name in registry.known() if not _is_ours(name))
    names = [
        given.word("a job type", name, registry.NAME_CHARACTERS, spaces=True) for name in given.listed("types", types)
    ]
    refused = sorted(name for name in names if _is_ours(name))
    if refused:
        raise ValueError(f"only workers of the site's own may run jobs of type {', '.join(refused)}")
    return sorted(set(names))


def _lease(lease: object) -> Lease:
    if not isinstance(lease, Lease):
        raise ValueError(f"a lease is what dequeue or lease_of returned, not a {type(lease).__name__}")  # noqa: TRY004
    return lease


def _is_ours(type_name: str) -> bool:
    """Say whether jobs of this type are not for outsiders: they mark an irreversible step, or keep the queue."""
    kind = registry.find(type_name)
    return kind is not None and (kind.internal or kind.reconcile is not None)
