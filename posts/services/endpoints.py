"""Webhooks of people: made, changed, switched on and off, given a new secret, deleted. Sends nothing.

A secret is shown to who makes it, once; it is kept sealed, to sign with.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.db import IntegrityError
from django.utils.translation import gettext

from posts import credentials
from posts.models import OffReason, WebhookEndpoint
from posts.publishing.standard_webhooks import NEW_KEY_BYTES, secret_of
from posts.selectors.events import visible_endpoints
from posts.services import access, given_up
from posts.services.errors import Conflict, NotAllowed, Problem, Refused, ValidationFailed
from posts.services.forwarding import send_after_commit
from posts.services.sending import OFF_NOTICE, is_allowed, notice_subject
from posts.services.telling import NAMES
from posts.text.storable import is_storable
from queue_app import alerts, breakers, clock
from queue_app.database import atomic
from queue_app.models import EventName
from queue_app.tail import Tail

if TYPE_CHECKING:
    from django.contrib.auth.models import User

KNOWN = (*NAMES, *EventName.values)
# How long events are signed with the old secret, too.
OVERLAP = timedelta(hours=24)
NAME_CHARACTERS, URL_CHARACTERS = 100, 2000


def create_endpoint(owner: User, *, name: str, url: str, names: Sequence[str] = ()) -> tuple[WebhookEndpoint, str]:
    """Make a webhook of ``owner`` that is sent what happens from now on; return it and its secret.

    ``names`` are the events that it is sent, none for all. Raises ValidationFailed, NotAllowed.
    """
    access.require(owner, "add_webhookendpoint")
    endpoint = WebhookEndpoint(owner=owner, position=Tail(None).newest_at_start)
    secret = _new_secret()
    endpoint.sealed = credentials.seal(endpoint.uuid, {"secret": secret})
    _write(endpoint, name, url, names)
    return endpoint, secret


def change_endpoint(
    endpoint: WebhookEndpoint, *, name: str, url: str, names: Sequence[str], actor: User | None = None
) -> None:
    """Change what the webhook is called, where it is and what it is sent from now on; in place.

    Raises ValidationFailed, Conflict, NotAllowed.
    """
    _require(actor, "change_webhookendpoint", endpoint)
    with atomic():
        stored = _locked(endpoint)
        _write(stored, name, url, names)
    endpoint.refresh_from_db()


def renew_secret(endpoint: WebhookEndpoint, *, actor: User | None = None) -> str:
    """Give the webhook a new secret and return it. For ``OVERLAP`` events are signed with the old one, too.

    Raises Conflict, NotAllowed.
    """
    _require(actor, "change_webhookendpoint", endpoint)
    secret = _new_secret()
    with atomic():
        stored = _locked(endpoint)
        try:
            previous = {"previous_secret": credentials.unseal(stored.uuid, stored.sealed)["secret"]}
        except credentials.CannotOpen:
            previous = {}
        stored.sealed = credentials.seal(stored.uuid, {"secret": secret, **previous})
        stored.previous_until = clock.now() + OVERLAP
        stored.save(update_fields=["sealed", "previous_until"])
    return secret


def switch_off(endpoint: WebhookEndpoint, *, actor: User | None = None) -> None:
    """Send nothing more to the webhook. Raises Conflict, NotAllowed."""
    _require(actor, "change_webhookendpoint", endpoint)
    with atomic():
        stored = _locked(endpoint)
        if stored.enabled:
            stored.enabled, stored.off_reason = False, OffReason.PERSON
            stored.save(update_fields=["enabled", "off_reason"])
    endpoint.refresh_from_db()


def switch_on(endpoint: WebhookEndpoint, *, catch_up: bool = False, actor: User | None = None) -> None:
    """Send what happens to the webhook again: from now on, or with ``catch_up`` from where it stopped taking events.

    What it has of that already comes under the same id. Raises Conflict, NotAllowed.
    """
    _require(actor, "change_webhookendpoint", endpoint)
    newest = Tail(None).newest_at_start
    with atomic():
        stored = _locked(endpoint)
        if stored.enabled:
            return
        missed = stored.position if stored.failing_event is None else min(stored.position, stored.failing_event - 1)
        stored.position = missed if catch_up else max(newest, stored.position)
        stored.enabled, stored.off_reason = True, ""
        stored.failing_since = stored.failing_event = None
        stored.save()
        alerts.over(OFF_NOTICE, notice_subject(stored), key=stored.key)
        breakers.close(stored.key)  # it need not wait until it would have been tried again by itself
        if catch_up:
            given_up.forget(stored, access.name_of(actor), after=missed)  # it is sent anew
        send_after_commit([stored.pk])
    endpoint.refresh_from_db()


def send_again(endpoint: WebhookEndpoint, *, actor: User | None = None) -> int:
    """Send what was given up once more; return how many events. Raises Refused, Conflict, NotAllowed."""
    _require(actor, "change_webhookendpoint", endpoint)
    if not endpoint.enabled:
        raise Refused(gettext("This webhook is off; switch it on first"))
    return given_up.send_again(endpoint, access.name_of(actor))


def forget_given_up(endpoint: WebhookEndpoint, *, actor: User | None = None) -> int:
    """Never send what was given up; return how many events. Raises NotAllowed."""
    _require(actor, "change_webhookendpoint", endpoint)
    return given_up.forget(endpoint, access.name_of(actor))


def delete_endpoint(endpoint: WebhookEndpoint, *, actor: User | None = None) -> None:
    """Delete the webhook; what is queued for it is not sent. Raises Conflict, NotAllowed."""
    _require(actor, "delete_webhookendpoint", endpoint)
    with atomic():
        stored = _locked(endpoint)
        alerts.over(OFF_NOTICE, notice_subject(stored), key=stored.key)
        given_up.is_over(stored)
        stored.delete()


def _require(actor: User | None, action: str, endpoint: WebhookEndpoint) -> None:
    access.require(actor, action)
    if actor is not None and not visible_endpoints(actor).filter(pk=endpoint.pk).exists():
        raise NotAllowed(gettext("This webhook belongs to somebody else; ask its owner or an administrator"))


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    found = WebhookEndpoint.objects.select_for_update(of=("self",)).select_related("owner").filter(pk=endpoint.pk)
    stored = found.first()
    if stored is None:
        raise Conflict(gettext("This webhook no longer exists; somebody has deleted it"))
    return stored


def _write(endpoint: WebhookEndpoint, name: str, url: str, names: Sequence[str]) -> None:
    name, url = " ".join(name.split()), url.strip()
    problems = _problems(name, url, names)
    if problems:
        raise ValidationFailed(problems)
    endpoint.name, endpoint.url, endpoint.names = name, url, [known for known in KNOWN if known in names]
    try:
        with atomic():
            endpoint.save()
            send_after_commit([endpoint.pk])
    except IntegrityError:
        text = gettext("There is a webhook “%(name)s” already; choose another name") % {"name": name}
        raise ValidationFailed([Problem("name", text)]) from None


def _problems(name: str, url: str, names: Sequence[str]) -> list[Problem]:
    problems = []
    if not name or len(name) > NAME_CHARACTERS or not is_storable(name):
        text = gettext("A webhook needs a name of at most %(most)s characters") % {"most": NAME_CHARACTERS}
        problems.append(Problem("name", text))
    if not _is_address(url):
        text = gettext("The address is not a web address without a user name in it, like https://example.com/hook")
        problems.append(Problem("url", text))
    elif not is_allowed(url):
        text = gettext("Events are sent by https alone: enter an address that begins with https://")
        problems.append(Problem("url", text))
    unknown = [each for each in names if each not in KNOWN]
    if unknown:
        text = gettext("There is no event “%(name)s”; there are %(known)s")
        problems.append(Problem("names", text % {"name": unknown[0][:NAME_CHARACTERS], "known": ", ".join(KNOWN)}))
    return problems


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
    return usable and len(url) <= URL_CHARACTERS and url.isprintable() and " " not in url and is_storable(url)


def _new_secret() -> str:
    return secret_of(secrets.token_bytes(NEW_KEY_BYTES))
