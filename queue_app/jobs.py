"""The queue's own job types: looking up uncertain jobs, mailing notices, operations on many jobs, the daily purge."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from queue_app import answers, clock, mail, mass, purge, registry, telling, transitions
from queue_app.channels import register_channel
from queue_app.context import JobContext
from queue_app.database import atomic
from queue_app.models import Job
from queue_app.outcomes import Absent, CannotTell, Done, Fail, Failure, Found, Outcome, Postpone, Retry
from queue_app.registry import DELIVER_NOTICES, RECONCILE, RECONCILE_RETRY, SEND_NOTICES, job_type
from queue_app.retry import RetryPolicy
from queue_app.runner import failure_of
from queue_app.states import JobState

logger = logging.getLogger("socialq.queue")

# For as long as what waits is news (``telling.TRIED_FOR``): an hour apart at last, for a day.
NOTICES_RETRY = RetryPolicy.exponential(max_attempts=31, base_seconds=30, cap_seconds=3600)
register_channel(mail.Mail())


@job_type(RECONCILE, retry=RECONCILE_RETRY, timeout_seconds=300, internal=True)
def reconcile(context: JobContext, job_id: int) -> Outcome:
    """Ask the type of the uncertain job ``job_id`` what became of it, and act on the answer."""
    job = Job.objects.filter(pk=job_id, state=JobState.UNCERTAIN).first()
    look_up = registry.known()[job.type].reconcile if job is not None and job.type in registry.known() else None
    if job is None or look_up is None:
        return Done("settled elsewhere")
    try:
        finding = look_up(context, job)
    except Exception as error:  # noqa: BLE001 - whatever a look-up trips over, it is tried again
        finding = CannotTell("lookup_failed", look_again=True, failure=failure_of(error))
    logger.info("job=%s reconcile=%s", job.pk, type(finding).__name__)
    try:
        with atomic():
            return _act_on(job, finding, last_look=context.job.attempts >= context.job.max_attempts)
    except transitions.LostRace:
        return Done("settled elsewhere")


def _act_on(job: Job, finding: Any, *, last_look: bool) -> Outcome:
    now = clock.now()
    match finding:
        case Found(result):
            transitions.change(job, JobState.COMPLETED, now=now, reason="found", result=result)
        case Absent() if job.attempts >= job.max_attempts:
            transitions.change(job, JobState.FAILED, now=now, reason="out_of_attempts")
        case Absent():
            transitions.change(job, JobState.PENDING, now=now, reason="proven_absent", run_at=now)
        case CannotTell(reason, look_again, failure):
            reason = answers.code(reason)
            problem = failure or Failure("CannotTell", reason, code=reason)
            if look_again and not last_look:
                return Retry(problem)
            transitions.flag_for_review(job, reason, now=now)
            if look_again:
                return Fail(problem)
    return Done(type(finding).__name__)


@job_type(
    SEND_NOTICES,
    priority=1,  # that the queue is late must not wait until it is not
    retry=NOTICES_RETRY,
    timeout_seconds=120,
    internal=True,
)
def send_notices(context: JobContext) -> int:
    """Find out who is to be told what, and have it sent; return how many messages that are."""
    return telling.send_soon(clock.now())


@job_type(DELIVER_NOTICES, priority=1, retry=NOTICES_RETRY, timeout_seconds=120, internal=True)
def deliver_notices(context: JobContext, channel: str, user: str | None) -> Outcome:
    """Send one person (``None``: the ADMINS) what waits for them on one channel; the result is how many notices.

    What another process has taken to send is looked at again: that one may have been killed.
    """
    sent, until = telling.deliver(channel, user), telling.taken_until(channel, user)
    return Done(sent) if until is None else Postpone("notices_taken", until=until)


@job_type(
    mass.BULK_OPERATION,
    priority=1,  # what is to be cancelled must not run first
    limits="1/s",  # other workers stay free for what people queued
    retry=RetryPolicy.fixed(max_attempts=5, delay_seconds=10),
    timeout_seconds=600,
    describe=mass.describe,
    internal=True,
)
def bulk_operation(
    context: JobContext, operation: str, actor: str, asked_at: str, answers: dict[str, Any], job_ids: list[int]
) -> dict[str, Any]:
    """Do one part of what a person asked for on very many jobs; return how many it did and what it left alone."""
    order = mass.Order(operation, actor, datetime.fromisoformat(asked_at), answers)
    return mass.summary(mass.carry_out(order, job_ids))


@job_type(
    "queue_app.purge",
    retry=RetryPolicy.fixed(max_attempts=5, delay_seconds=600),
    timeout_seconds=3600,
    every_seconds=86_400,
    internal=True,
)
def purge_daily(context: JobContext) -> int:
    """Delete finished jobs by the settings' ages; return how many went."""
    return purge.purge_by_settings()


def schedule_housekeeping() -> None:
    """See that one job of every recurring type waits; called when a cluster starts."""
    now = clock.now()
    for recurring in registry.known().values():
        if recurring.every_seconds is not None:
            with atomic():
                transitions.add_recurring(recurring, now=now, delay_seconds=0.0)
