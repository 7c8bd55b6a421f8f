"""What each outcome does to a job. Called by the runner in the transaction that also claims the next job."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any, TypeVar

from queue_app import answers, blocks, breakers, clock, registry, transitions
from queue_app.claims import Claim
from queue_app.context import Blocked, Expired, StopExecution
from queue_app.database import atomic, gathered, lock_control
from queue_app.models import Attempt, AttemptOutcome, BlockKind, Job
from queue_app.outcomes import BlockRequest, Done, Fail, Failure, Hold, Outcome, Postpone, Retry, Uncertain
from queue_app.states import JobState

logger = logging.getLogger("socialq.queue")

T = TypeVar("T")


def settle(
    claim: Claim,
    outcome: Outcome | StopExecution,
    then: Callable[[], T | None] = lambda: None,
    *,
    in_one: bool = False,
) -> tuple[AttemptOutcome | None, T | None]:
    """Record what became of a started job, in a transaction of its own with what ``then`` does.

    Returns how its attempt ended, and the answer of ``then``. An answer that comes too late is kept with its attempt
    and looked into, nothing else is done, and both are ``None``. ``in_one`` says that
    ``then`` ends the transaction, with all that is written here, as ``plain.take`` does, and that nobody follows the
    end. Raises ValueError for an outcome that cannot be meant.
    """
    outcome = answers.fitted(outcome)
    try:
        with nullcontext() if in_one else atomic(), gathered(locks=not in_one):
            at_once = in_one and isinstance(outcome, Done)
            ended, answer = (_complete if at_once else _apply)(claim, outcome), then()
    except transitions.LostRace as lost:
        if lost.job is not claim.job:
            raise
        with atomic():
            _keep_late_answer(claim, outcome)
        return None, None
    _log(claim, outcome, ended)
    return ended, answer


def _apply(claim: Claim, outcome: Outcome | StopExecution) -> AttemptOutcome:
    job = claim.job
    if isinstance(outcome, Postpone) and outcome.block is not None:
        # Before the job and its breakers, as a claim takes it: the block is placed under it.
        lock_control(shared=False)
    breakers.lock(job)
    now, fence = clock.recent(), job.fence
    ended = _end(job, outcome, now)
    failure = getattr(outcome, "failure", None)
    transitions.close_attempt(job, fence, ended, now=now, **_columns(failure))
    _tell_breakers(job, fence, outcome, now)
    return ended


def _complete(claim: Claim, done: Any) -> AttemptOutcome:
    job, now = claim.job, clock.recent()
    transitions.complete(job, now=now, result=done.result, result_expires_at=_result_expires_at(job, done, now))
    return AttemptOutcome.COMPLETED


def _keep_late_answer(claim: Claim, outcome: Outcome | StopExecution) -> None:
    now, failure = clock.now(), getattr(outcome, "failure", None)
    answer = f"{type(outcome).__name__}: {failure.message}" if failure else type(outcome).__name__
    Attempt.objects.filter(job=claim.job, fence=claim.attempt.fence).update(late_answer=answer, finished_at=now)
    stored = Job.objects.filter(pk=claim.job.pk).first()
    state = stored.state if stored is not None else "deleted"
    logger.warning("job=%s late answer outcome=%s state=%s", claim.job.pk, type(outcome).__name__, state)
    if stored is not None and stored.state == JobState.UNCERTAIN:
        transitions.request_reconciliation(stored, now=now, delay_seconds=0.0)


def _log(claim: Claim, outcome: Outcome | StopExecution, ended: AttemptOutcome) -> None:
    failure = getattr(outcome, "failure", None)
    logger.info(
        "job=%s type=%s attempt=%s outcome=%s error=%s",
        claim.job.pk,
        claim.job.type,
        claim.attempt.number,
        ended.value,
        failure.code or failure.error_class if failure else "",
    )


def _end(job: Job, outcome: Outcome | StopExecution, now: datetime) -> AttemptOutcome:
    if isinstance(outcome, StopExecution):
        return _stopped(job, outcome, now)
    if job.marked_at is not None and not isinstance(outcome, Done | Fail | Uncertain):
        # A handler that answers so after its mark says nothing about whether the step took effect.
        failure = getattr(outcome, "failure", None) or Failure(type(outcome).__name__, "no clear answer")
        outcome = Uncertain(failure)
    match outcome:
        case Done():
            expires = _result_expires_at(job, outcome, now)
            transitions.change(
                job, JobState.COMPLETED, now=now, reason="", result=outcome.result, result_expires_at=expires
            )
            return AttemptOutcome.COMPLETED
        case Retry():
            return _retry(job, outcome, now)
        case Postpone():
            return _postpone(job, outcome, now)
        case Hold():
            transitions.change(job, JobState.HELD, now=now, reason=outcome.reason)
            return AttemptOutcome.HELD
        case Uncertain() if job.marked_at is None:
            return _retry(job, Retry(outcome.failure), now)
        case Uncertain():
            transitions.change(job, JobState.UNCERTAIN, now=now, reason="no_answer", last_error=outcome.failure.message)
            return AttemptOutcome.UNCERTAIN
        case Fail():
            code = outcome.failure.code or "failed"
            transitions.change(job, JobState.FAILED, now=now, reason=code, last_error=outcome.failure.message)
            return AttemptOutcome.FAILED


def _result_expires_at(job: Job, done: Done, now: datetime) -> datetime | None:
    kind = registry.find(job.type)
    usual = kind.result_ttl_seconds if kind is not None else None
    ttl = usual if done.result_ttl_seconds is None else done.result_ttl_seconds
    return None if ttl is None else now + timedelta(seconds=ttl)


def _stopped(job: Job, stop: StopExecution, now: datetime) -> AttemptOutcome:
    if isinstance(stop, Expired):
        transitions.change(job, JobState.CANCELLED, now=now, reason="expired")
        return AttemptOutcome.CANCELLED
    if isinstance(stop, Blocked):
        # Not parked here: the block may be gone by now. The next claim looks, under the lock.
        _refund(job, "blocked", now, run_at=now)
        return AttemptOutcome.POSTPONED
    raise transitions.LostRace(job)


def _retry(job: Job, outcome: Retry, now: datetime) -> AttemptOutcome:
    error = outcome.failure
    if job.attempts >= job.max_attempts:
        transitions.change(
            job, JobState.FAILED, now=now, reason=error.code or "out_of_attempts", last_error=error.message
        )
        return AttemptOutcome.FAILED
    # A program outside may run a type that this process does not know.
    kind = registry.find(job.type)
    policy = registry.site_retry() if kind is None else kind.retry
    delay = max(policy.delay_seconds(job.attempts), outcome.delay_seconds or 0.0)
    transitions.change(
        job,
        JobState.PENDING,
        now=now,
        reason="retry",
        last_error=error.message,
        run_at=now + timedelta(seconds=delay),
    )
    return AttemptOutcome.RETRY


def _postpone(job: Job, outcome: Postpone, now: datetime) -> AttemptOutcome:
    since = job.postponed_since or now
    message = outcome.failure.message if outcome.failure else ""
    is_over = outcome.block is None and now - since > timedelta(seconds=outcome.deadline_seconds)
    if is_over and _last_postponed_for(job) != outcome.reason:
        since = now  # the time went into something else, which had a deadline of its own
    elif is_over:
        transitions.change(
            job,
            JobState.FAILED,
            now=now,
            reason=outcome.reason,
            last_error=message or f"waited too long: {outcome.reason}",
        )
        return AttemptOutcome.FAILED
    parked_by = outcome.block.key if outcome.block is not None else ""
    if outcome.block is not None:
        _place(outcome.block, now)
    _refund(
        job,
        outcome.reason,
        now,
        run_at=outcome.until or now,
        parked_by=parked_by,
        # Who waits behind a block has not waited for the reason that a later deadline is about.
        postponed_since=since if outcome.block is None else None,
        last_error=message or job.last_error,
    )
    return AttemptOutcome.POSTPONED


def _last_postponed_for(job: Job) -> str | None:
    waits = job.events.filter(source=JobState.RUNNING, target=JobState.PENDING).order_by("-id")
    return waits.values_list("reason", flat=True).first()


def _tell_breakers(job: Job, fence: int, outcome: Outcome | StopExecution, now: datetime) -> None:
    """Say what the execution tells of the keys that it used: an answer, even a refusal, speaks for them."""
    match outcome:
        case Done() | Fail():
            breakers.succeeded(job, fence, now)
        case Retry() | Uncertain():
            breakers.failed(job, fence, outcome.failure.message, now)
        case _:
            breakers.gave_no_verdict(job, fence)


def _place(request: BlockRequest, now: datetime) -> None:
    # Two jobs under way may be told of two windows, and a person may have paused the key: the longest holds.
    kind, until = BlockKind(request.kind), request.until
    blocks.place(request.key, kind, now=now, reason=request.reason, until=until, may_shorten=False)


def _refund(job: Job, reason: str, now: datetime, **fields: Any) -> None:
    transitions.change(job, JobState.PENDING, now=now, reason=reason, attempts=max(job.attempts - 1, 0), **fields)


def _columns(failure: Failure | None) -> dict[str, object]:
    if failure is None:
        return {}
    return {
        "error_class": failure.error_class,
        "code": failure.code,
        "message": failure.message,
        "traceback": failure.traceback,
        "response_code": failure.response_code,
    }
