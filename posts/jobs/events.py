"""Webhooks: what is new is sent in the order of the log; what was not taken, by itself until it is or is given up."""

from __future__ import annotations

import time
from datetime import timedelta

from posts.services import forwarding, sending
from posts.services.given_up import follow_sending
from queue_app import clock
from queue_app.context import JobContext
from queue_app.outcomes import Done, Failure, Outcome, Postpone, Retry
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy

# As Standard Webhooks suggests: of ten tries the second, five seconds after the first, is the first of these jobs.
SEND_RETRY = RetryPolicy.by_steps(300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
BEHIND_SECONDS = 1
# So long one webhook is sent what is new, then others have their turn.
SENDING_SECONDS = 20
PRIORITY = 8


@job_type(
    forwarding.FORWARD,
    retry=RetryPolicy.exponential(max_attempts=20, base_seconds=1, cap_seconds=60),
    timeout_seconds=300,
    every_seconds=300,
    internal=True,
)
def forward_events(context: JobContext, event_id: int = 0) -> None:
    """See that every webhook is sent what is new. The release before named an event, and may still do so."""
    forwarding.look()


@job_type(
    forwarding.SEND_NEW,
    priority=PRIORITY,
    # It is tried for as long as the webhook is on; one that fails again and again rests.
    retry=RetryPolicy.fixed(max_attempts=1000, delay_seconds=1),
    timeout_seconds=60,
    breaker="endpoint:*",
    internal=True,
)
def send_new_events(context: JobContext, endpoint_id: int) -> Outcome:
    """Send one webhook what is new to it, for a while. After one that is not taken it goes on with the next."""
    ends_at = time.monotonic() + SENDING_SECONDS
    reached = forwarding.send_new(endpoint_id, is_over=lambda: context.stopping() or time.monotonic() >= ends_at)
    if reached.refused is not None:
        return _answer(reached.refused)
    if reached.is_held_back:
        return Postpone("events_behind", until=clock.now() + timedelta(seconds=BEHIND_SECONDS))
    return Done()


@job_type(
    forwarding.SEND,
    priority=PRIORITY,
    retry=SEND_RETRY,
    timeout_seconds=60,
    breaker="endpoint:*",
    on_transition=follow_sending,
    internal=True,
)
def send_event(context: JobContext, endpoint_id: int, event_id: int) -> Outcome:
    """Send one event once more to one webhook that did not take it."""
    sent = sending.send_event(endpoint_id, event_id)
    if sent is None:
        return Done()
    return Done({"status": sent.status}) if sent.arrived else _answer(sent)


def _answer(sent: sending.Sent) -> Outcome:
    """Return what follows from an event that did not arrive."""
    if sent.status == sending.GONE:
        return Done({"status": sent.status})  # it is off now, which is told, and what it missed is noted
    failure = Failure("WebhookRefused", sent.message, code=sent.code, response_code=sent.status)
    return Retry(failure, sent.retry_after_seconds)
