"""From the event log to what is sent: each event that a webhook wants becomes one job, none is lost and none doubled.

The cursor of an endpoint, its ``position``, moves in the transaction that queues what lies behind it. Talks to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from posts.models import WebhookEndpoint
from posts.selectors.events import may_follow
from queue_app import api, clock
from queue_app.database import atomic
from queue_app.models import Event, EventName
from queue_app.new_jobs import NewJob
from queue_app.stream import is_internal
from queue_app.tail import Tail

FORWARD, SEND = "posts.forward_events", "posts.send_event"
# How often the events of jobs are looked for, where an endpoint wants any; what happens to posts is sent at once.
FOLLOW_SECONDS = 10


def wake(event: Event) -> None:
    """Have ``event``, just written in the caller's transaction, forwarded once that commits, if anybody wants it.

    Each has a job of its own: one that waits already might run, and look, before this transaction commits.
    """
    enabled = WebhookEndpoint.objects.filter(enabled=True).values_list("names", flat=True)
    if any(not names or event.name in names for names in enabled):
        api.enqueue(FORWARD, {"event_id": event.pk}, unique_key=f"forward:{event.pk}", on_duplicate="return")


def forward() -> int | None:
    """Queue what the enabled endpoints have not been sent yet; return how far the log was read, ``None``: for nobody.

    Events behind a transaction that is still open are left for later. Safe for several processes at once.
    """
    positions = list(WebhookEndpoint.objects.filter(enabled=True).values_list("position", flat=True))
    if not positions:
        return None
    tail = Tail(min(positions))
    since = tail.position
    while events := tail.read():
        with atomic():
            endpoints = WebhookEndpoint.objects.select_for_update(of=("self",)).filter(enabled=True)
            for endpoint in endpoints.select_related("owner").order_by("pk"):
                # One that was switched on meanwhile may have more to be sent before this: its turn is the next.
                if since <= endpoint.position < tail.position:
                    _queue(endpoint, events)
                    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(position=tail.position)
        since = tail.position
    return tail.position


def follow_jobs() -> None:
    """See that the log is looked at again soon, where an endpoint wants events of jobs: nothing else wakes for these.

    One look for each stretch of time, whoever asks for it.
    """
    enabled = WebhookEndpoint.objects.filter(enabled=True).values_list("names", flat=True)
    if any(not names or set(names) & set(EventName.values) for names in enabled):
        stretch = int(clock.now().timestamp()) // FOLLOW_SECONDS + 1
        at = datetime.fromtimestamp(stretch * FOLLOW_SECONDS, UTC)
        api.enqueue(FORWARD, {}, unique_key=f"forward:at:{stretch}", run_at=at, on_duplicate="return")


def look_soon() -> None:
    """Have the log looked at, after the caller's transaction: an endpoint was made, changed or switched on."""
    api.enqueue(FORWARD)


def _queue(endpoint: WebhookEndpoint, events: Sequence[Event]) -> None:
    """Queue those of ``events`` that a locked endpoint wants and its owner may see."""
    wanted = [event for event in events if event.pk > endpoint.position and _is_wanted(endpoint, event)]
    jobs = [
        NewJob(
            {"endpoint_id": endpoint.pk, "event_id": event.pk},
            target_id=endpoint.pk,
            unique_key=f"send:{endpoint.pk}:{event.pk}",
            keys=[endpoint.key],
        )
        for event in wanted
    ]
    if jobs:
        api.enqueue_many(SEND, jobs, on_duplicate="skip")


def _is_wanted(endpoint: WebhookEndpoint, event: Event) -> bool:
    if endpoint.names and event.name not in endpoint.names:
        return False
    # Housekeeping is nobody's, and what is sent here is itself housekeeping: nothing feeds on itself.
    return not is_internal(getattr(event, "job_type", None)) and may_follow(endpoint.owner, event)
