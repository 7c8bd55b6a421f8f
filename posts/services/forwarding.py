"""From the event log to what is sent: one job a webhook sends it what is new, in the order of the log.

The cursor of a webhook, its ``position``, moves past an event once that was sent, or has a job of its own because it
was not taken. So none is lost, what one refuses delays no other, and no webhook waits for another. Why: ADR 15.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Max

from posts.models import WebhookEndpoint
from posts.selectors.events import may_follow
from posts.services.sending import Sent, send_event
from queue_app import api, clock
from queue_app.database import alias, atomic
from queue_app.models import Event, EventName, Job
from queue_app.states import UNFINISHED, JobState
from queue_app.stream import is_internal
from queue_app.tail import Tail

FORWARD, SEND_NEW, SEND = "posts.forward_events", "posts.send_new_events", "posts.send_event"
# How often the events of jobs are looked for, where a webhook wants any; what happens to posts is sent at once.
FOLLOW_SECONDS = 10
# How soon who is behind is looked for where that may have been missed.
SOON_SECONDS = 1
# When what was not taken is sent again for the first time.
AGAIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the sending stopped: at an event that was ``refused``, before one that may not be the next, or nowhere."""

    refused: Sent | None = None
    is_held_back: bool = False


def wake(event: Event) -> None:
    """Have ``event``, just written in the caller's transaction, sent once that commits to every webhook that wants it.

    Where the process dies in between, the next look finds it.
    """
    enabled = WebhookEndpoint.objects.filter(enabled=True).values_list("pk", "names")
    wanting = [pk for pk, names in enabled if not names or event.name in names]
    if wanting:
        send_after_commit(wanting)


def send_after_commit(endpoint_ids: Iterable[int]) -> None:
    """See, once the caller's transaction commits, that these webhooks are sent what is new."""
    transaction.on_commit(partial(_send_soon, list(endpoint_ids)), using=alias(), robust=True)


def look() -> None:
    """See that every webhook is sent what is new, and that this is looked at again where one wants events of jobs."""
    newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
    enabled = WebhookEndpoint.objects.filter(enabled=True)
    _send_soon(enabled.filter(position__lt=newest).values_list("pk", flat=True))
    wanted = enabled.values_list("names", flat=True)
    if any(not names or set(names) & set(EventName.values) for names in wanted):
        _look_within(FOLLOW_SECONDS)


def send_new(endpoint_id: int, *, is_over: Callable[[], bool] = lambda: False) -> Progress:
    """Send a webhook what it wants of the log behind its cursor, until it does not take one or ``is_over``.

    Events behind a transaction that is still open are left for later.
    """
    endpoint = WebhookEndpoint.objects.select_related("owner").filter(pk=endpoint_id, enabled=True).first()
    if endpoint is None:
        return Progress()
    tail, position = Tail(endpoint.position), endpoint.position
    while events := tail.read():
        for event in events:
            if not _is_wanted(endpoint, event):
                continue
            if is_over():
                _look_within(SOON_SECONDS)
                return Progress()
            sent = send_event(endpoint.pk, event.pk)
            refused = sent if sent is not None and not sent.arrived else None
            if not _move(endpoint, position, event.pk, refused) or refused is not None:
                return Progress(refused)
            position = event.pk
        if not _move(endpoint, position, tail.position, None):
            return Progress()
        position = tail.position
    return Progress(is_held_back=tail.is_held_back)


def _send_soon(endpoint_ids: Iterable[int]) -> None:
    """Queue the sending of what is new to each of these webhooks, once."""
    unique_keys = {pk: f"send:{pk}" for pk in endpoint_ids}
    unfinished = Job.objects.filter(unique_key__in=unique_keys.values(), state__in=UNFINISHED)
    found = {job.unique_key: job for job in unfinished}
    for pk, unique_key in unique_keys.items():
        # Looked for first: after the first of many events nothing need be written.
        job = found.get(unique_key) or api.enqueue(
            SEND_NEW,
            {"endpoint_id": pk},
            target_id=pk,
            keys=[WebhookEndpoint(pk=pk).key],
            unique_key=unique_key,
            on_duplicate="return",
        )
        if job.state == JobState.RUNNING:  # it may have read the log to its end before this
            _look_within(SOON_SECONDS)
        elif job.state == JobState.HELD:  # by clusters of a release that did not know it
            api.release(job.pk)


def _look_within(seconds: int) -> None:
    """See that somebody looks at the end of this stretch of time: one look for each, whoever asks for it."""
    end = (int(clock.now().timestamp()) // seconds + 1) * seconds
    run_at = datetime.fromtimestamp(end, UTC)
    api.enqueue(FORWARD, {}, unique_key=f"forward:at:{end}", run_at=run_at, on_duplicate="return")


def _move(endpoint: WebhookEndpoint, before: int, to: int, refused: Sent | None) -> bool:
    """Move the cursor, and queue what was ``refused`` by itself; false if the webhook was switched meanwhile."""
    with atomic():
        there = WebhookEndpoint.objects.filter(pk=endpoint.pk, enabled=True, position=before)
        if not there.update(position=to):
            return False
        if refused is not None:
            api.enqueue(
                SEND,
                {"endpoint_id": endpoint.pk, "event_id": to},
                target_id=endpoint.pk,
                keys=[endpoint.key],
                unique_key=f"send:{endpoint.pk}:{to}",
                run_at=clock.now() + timedelta(seconds=max(AGAIN_SECONDS, refused.retry_after_seconds or 0)),
                on_duplicate="return",
            )
    return True


def _is_wanted(endpoint: WebhookEndpoint, event: Event) -> bool:
    if endpoint.names and event.name not in endpoint.names:
        return False
    # Housekeeping is nobody's, and what is sent here is itself housekeeping: nothing feeds on itself.
    return not is_internal(getattr(event, "job_type", None)) and may_follow(endpoint.owner, event)
