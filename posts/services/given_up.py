"""Events that a webhook did not take in all their tries: told once a webhook, sent again or forgotten by a person.

Each is a failed job of its own, which is kept as long as dead letters are. Sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, QuerySet
from django.utils.translation import ngettext

from posts.models import WebhookEndpoint
from posts.services.concerns import concern_of_endpoint
from posts.services.forwarding import SEND
from posts.services.sending import notice_subject
from queue_app import alerts, api, notices
from queue_app.models import Event, Job
from queue_app.states import JobState

GAVE_UP_NOTICE = "webhook_gave_up"


@dataclass(frozen=True, slots=True)
class GivenUp:
    """How many events were given up, and since when."""

    count: int
    since: datetime


def given_up(endpoint: WebhookEndpoint) -> GivenUp | None:
    """Return what was given up for the webhook and not sent again since, ``None`` for nothing."""
    found = _jobs(endpoint).aggregate(count=Count("pk"), since=Min("finished_at"))
    return GivenUp(**found) if found["count"] else None


def follow_sending(job: Job, event: Event) -> None:
    """Tell people that an event is given up, once for all of its webhook; and that none is any more."""
    if JobState.FAILED in (event.source, event.target):
        endpoint = WebhookEndpoint.objects.select_related("owner").filter(pk=job.args["endpoint_id"]).first()
        if endpoint is not None:
            _tell(endpoint)


def send_again(endpoint: WebhookEndpoint, actor: str) -> int:
    """Send what was given up once more, with as many tries as new events have; return how many events."""
    return api.retry_many([job.pk for job in _jobs(endpoint)], actor=actor).done


def forget(endpoint: WebhookEndpoint, actor: str, *, after: int = 0) -> int:
    """Give up for good what was given up, of the events after the id ``after``; return how many events."""
    newer = [job.pk for job in _jobs(endpoint) if job.args["event_id"] > after]
    return api.discard_many(newer, actor=actor).done


def is_over(endpoint: WebhookEndpoint) -> None:
    """Close what people were told: nothing is given up any more, or the webhook is about to be deleted."""
    alerts.over(GAVE_UP_NOTICE, notice_subject(endpoint), key=endpoint.key)


def _tell(endpoint: WebhookEndpoint) -> None:
    found = given_up(endpoint)
    if found is None:
        is_over(endpoint)
        return
    subject = notice_subject(endpoint)
    text = ngettext(
        "%(n)s event was given up after three days, since %(since)s UTC. Its page sends it again.",
        "%(n)s events were given up after three days, since %(since)s UTC. Its page sends them again.",
        found.count,
    ) % {"n": f"{found.count:,}", "since": f"{found.since:%Y-%m-%d %H:%M}"}
    if not alerts.tell(GAVE_UP_NOTICE, subject, text, concern_of_endpoint(endpoint), key=endpoint.key):
        notices.say_anew(GAVE_UP_NOTICE, subject, text, key=endpoint.key)


def _jobs(endpoint: WebhookEndpoint) -> QuerySet[Job]:
    return Job.objects.filter(type=SEND, target_id=str(endpoint.pk), state=JobState.FAILED).order_by("pk")
