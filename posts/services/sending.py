"""Sends one event to one webhook, signed, and keeps what came of it: the endpoint's standing and its last attempts.

An answer is its status; its body is read no further than that and believed in nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext

from posts import conf, credentials
from posts.models import OffReason, WebhookEndpoint
from posts.publishing import standard_webhooks, words
from posts.publishing.errors import PublishError
from posts.publishing.http import Http
from posts.selectors.events import may_follow
from posts.services.concerns import concern_of_endpoint
from posts.transactions import in_transaction
from queue_app import alerts, clock, events
from queue_app.database import atomic
from queue_app.models import Event

TEST = "socialq.test"
TIMEOUT_SECONDS = 15
MAX_ANSWER_BYTES = 4096
# Faults of the answer's body, which does not matter.
BODY_FAULTS = frozenset({"answer_too_large", "encoded_answer"})
GONE, WAIT_STATUSES = 410, (429, 503)
RECENT = 20
OFF_NOTICE = "webhook_off"
# What an attempt writes.
STANDING = ("recent", "last_success_at", "failing_since", "failing_event", "enabled", "off_reason")


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one attempt. ``status`` is the answer's, ``None`` for none; ``code`` and ``message`` say why not."""

    status: int | None
    code: str = ""
    message: str = ""
    retry_after_seconds: float | None = None

    @property
    def arrived(self) -> bool:
        """Whether the receiver has it: every 2xx says so, whatever its body."""
        return self.status is not None and 200 <= self.status < 300


def send_event(endpoint_id: int, event_id: int) -> Sent | None:
    """Send an event of the log under an id that every attempt has; ``None`` if there is nothing to send any more.

    That is: the endpoint is off or deleted, the event is purged, or its owner may not see it now.
    """
    endpoint = WebhookEndpoint.objects.select_related("owner").filter(pk=endpoint_id).first()
    event = Event.objects.filter(pk=event_id).first()
    if endpoint is None or event is None or not may_follow(endpoint.owner, event):
        return None
    if not endpoint.enabled and _is_missed(endpoint_id, event_id):
        return None
    told = events.mapping(event)
    job = {"job_id": event.job_id} if event.job_id is not None else {}
    body = standard_webhooks.encoded(event.name, told["timestamp"], {"event_id": event.pk, **job, **told["data"]})
    sent = _post(endpoint, message_id(endpoint, event_id), body)
    _keep(endpoint.pk, sent, event.name, event_id)
    return sent


def send_test(endpoint: WebhookEndpoint) -> Sent:
    """Send an event of the type ``socialq.test`` now, whether the endpoint is on or off."""
    body = standard_webhooks.encoded(TEST, _moment(clock.now()), {})
    sent = _post(endpoint, f"evt_test_{uuid.uuid4().hex}", body)
    _keep(endpoint.pk, sent, TEST, None)
    return sent


def message_id(endpoint: WebhookEndpoint, event_id: int) -> str:
    """Return the ``webhook-id`` of an event: receivers drop what they have under it already. No other site's is it."""
    return f"evt_{uuid.uuid5(endpoint.uuid, str(event_id)).hex}"


def secrets_of(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """Return the secrets to sign with now, the newest first. Raises credentials.CannotOpen."""
    opened = credentials.unseal(endpoint.uuid, endpoint.sealed)
    lasts = endpoint.previous_until is not None and endpoint.previous_until > now
    previous = [opened["previous_secret"]] if lasts and "previous_secret" in opened else []
    return [opened["secret"], *previous]


def is_allowed(url: str) -> bool:
    """Say whether events may be sent to ``url`` as the site is set up: by https, or anything on one's own network."""
    return url.startswith("https://") or bool(conf.get("ALLOW_PRIVATE_NETWORKS"))


def _post(endpoint: WebhookEndpoint, identifier: str, body: bytes) -> Sent:
    now = clock.now()
    try:
        secrets = secrets_of(endpoint, now)
    except credentials.CannotOpen:
        said = gettext("Its secret cannot be opened with this site's keys; make a new one.")
        return Sent(None, "credentials_unreadable", said)
    if not is_allowed(endpoint.url):
        return Sent(None, "address_insecure", gettext("Its address is not https."))
    http = Http(
        allow_private=conf.get("ALLOW_PRIVATE_NETWORKS"),
        timeout_seconds=TIMEOUT_SECONDS,
        refuse_when=in_transaction,
        secrets=secrets,
    )
    headers = standard_webhooks.headers(secrets, identifier, int(now.timestamp()), body)
    try:
        answer = http.request("POST", endpoint.url, headers=headers, content=body, max_response_bytes=MAX_ANSWER_BYTES)
    except PublishError as error:
        if error.code in BODY_FAULTS and error.status_code is not None:
            return _judged(error.status_code, None)
        return Sent(None, error.code, words.sentence(error.code, error.params, gettext("The receiver")))
    return _judged(answer.status, answer.retry_after_seconds(now))


def _judged(status: int, retry_after_seconds: float | None) -> Sent:
    if 200 <= status < 300:
        return Sent(status)
    if status == GONE:
        return Sent(status, "gone", gettext("The receiver says that this address is gone for good."))
    wait = retry_after_seconds if status in WAIT_STATUSES else None
    said = gettext("The receiver answered with status %(status)s.") % {"status": status}
    return Sent(status, "refused", said, wait)


def _is_missed(endpoint_id: int, event_id: int) -> bool:
    """Say whether the endpoint is off; then note that it lacks the event, for whoever has it catch up."""
    with atomic():
        endpoint = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id, enabled=False).first()
        if endpoint is None:
            return False
        endpoint.failing_event = min(endpoint.failing_event or event_id, event_id)
        endpoint.save(update_fields=["failing_event"])
    return True


def _keep(endpoint_id: int, sent: Sent, name: str, event_id: int | None) -> None:
    """Write what came of an attempt; switch an endpoint off that is gone, or that has failed for too long."""
    now = clock.now()
    line: dict[str, Any] = {"at": _moment(now), "event": name, "event_id": event_id, "status": sent.status}
    with atomic():
        endpoint = WebhookEndpoint.objects.select_for_update(of=("self",)).filter(pk=endpoint_id).first()
        if endpoint is None:
            return
        endpoint.recent = [{**line, "message": sent.message}, *endpoint.recent][:RECENT]
        if sent.arrived:
            endpoint.last_success_at = now
            if endpoint.enabled:  # what it lacks while it is off is not made good by a test event, or a late answer
                endpoint.failing_since = endpoint.failing_event = None
        elif event_id is not None:
            endpoint.failing_since = endpoint.failing_since or now
            endpoint.failing_event = min(endpoint.failing_event or event_id, event_id)
            if endpoint.enabled:
                _switch_off_if_hopeless(endpoint, sent, now)
        endpoint.save(update_fields=STANDING)


def _switch_off_if_hopeless(endpoint: WebhookEndpoint, sent: Sent, now: datetime) -> None:
    days = conf.get("WEBHOOK_OFF_AFTER_DAYS")
    since = endpoint.failing_since or now
    if sent.status == GONE:
        endpoint.off_reason = OffReason.GONE
    elif now - since >= timedelta(days=days):
        endpoint.off_reason = OffReason.FAILING
    else:
        return
    endpoint.enabled = False
    text = gettext("%(why)s Nothing is sent to it until somebody switches it on again.") % {"why": sent.message}
    alerts.tell(OFF_NOTICE, notice_subject(endpoint), text, concern_of_endpoint(endpoint), key=endpoint.key)


def notice_subject(endpoint: WebhookEndpoint) -> str:
    """Return what a notice about the endpoint is called by."""
    return gettext("Webhook “%(name)s” of %(owner)s") % {"name": endpoint.name, "owner": endpoint.owner}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
