"""Webhooks: the log is forwarded to whoever wants it, and each event sent until it has arrived or is given up."""

from __future__ import annotations

from datetime import timedelta

from posts.services import forwarding, sending
from queue_app import clock
from queue_app.context import JobContext
from queue_app.outcomes import Done, Fail, Failure, Outcome, Postpone, Retry
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy

# As Standard Webhooks suggests: nine tries more, the last after three days.
SEND_RETRY = RetryPolicy.by_steps(5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
BEHIND_SECONDS = 1


@job_type(
    forwarding.FORWARD,
    retry=RetryPolicy.exponential(max_attempts=20, base_seconds=1, cap_seconds=60),
    timeout_seconds=300,
    every_seconds=300,
    internal=True,
)
def forward_events(context: JobContext, event_id: int = 0) -> Outcome:
    """Queue for every webhook what it has not been sent yet, at least up to the event ``event_id``."""
    reached = forwarding.forward()
    if reached is None:
        return Done()
    if reached < event_id:
        # Another transaction may still write an event before it.
        return Postpone("events_behind", until=clock.now() + timedelta(seconds=BEHIND_SECONDS))
    forwarding.follow_jobs()
    return Done()


@job_type(
    forwarding.SEND,
    priority=8,
    retry=SEND_RETRY,
    timeout_seconds=60,
    breaker="endpoint:*",
    internal=True,
)
def send_event(context: JobContext, endpoint_id: int, event_id: int) -> Outcome:
    """Send one event to one webhook. One that fails again and again rests, so that it keeps no worker busy."""
    sent = sending.send_event(endpoint_id, event_id)
    if sent is None:
        return Done()
    if sent.arrived:
        return Done({"status": sent.status})
    failure = Failure("WebhookRefused", sent.message, code=sent.code, response_code=sent.status)
    if sent.status == sending.GONE:
        return Fail(failure)
    return Retry(failure, sent.retry_after_seconds)
