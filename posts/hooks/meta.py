"""What Meta says by itself: an app was removed, data is to be deleted, a right was revoked, a Page's video is out.

Facebook, Instagram and Threads may have an app each, and Meta calls the addresses that each app's dashboard names: the
secret that has signed tells which one it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from posts.hooks.requests import TEXT, heard, hook, not_believed, not_understood, object_of
from posts.hooks.signatures import moment, signed_by_hub, signed_request
from posts.services import events
from posts.services.sessions import app_of
from queue_app import clock

PLATFORMS = ("facebook", "instagram", "threads")
VERIFY_TOKEN = "webhook_verify_token"  # noqa: S105 - the setting's name
DEAUTHORIZE = "deauthorize"
OLDEST = timedelta(days=7)  # a signed request that is older is a replay, not a retry
MOST_CHANGES = 1000


@hook("POST")
def deauthorize(request: HttpRequest) -> HttpResponse:
    """Ask to reconnect what a person's login had connected: they have removed the app."""
    said = _signed(request, DEAUTHORIZE)
    if isinstance(said, HttpResponse):
        return said
    platforms, person, issued_at, key = said
    for platform in platforms:
        act = partial(events.end_access, platform, [person], happened_at=issued_at)
        events.hear(platform, key, DEAUTHORIZE, act)
    return heard()


@hook("POST")
def data_deletion(request: HttpRequest) -> HttpResponse:
    """Delete the stored logins of a person; answer where they read about it, and under which code."""
    said = _signed(request, events.DELETION)
    if isinstance(said, HttpResponse):
        return said
    platforms, person, _issued_at, key = said
    for platform in platforms:
        events.hear(platform, key, events.DELETION, partial(events.forget_logins, platform, [person]))
    page = reverse("posts:meta_deletion", args=[key])
    return JsonResponse({"url": f"{app_of(platforms[0]).site_url}{page}", "confirmation_code": key})


@hook("GET")
def deletion_status(request: HttpRequest, code: str) -> HttpResponse:
    """Tell a person what became of their request."""
    heard_at = events.event_heard_at(events.DELETION, code)
    if heard_at is None:
        raise Http404("No such request.")
    text = f"The logins that this request is about were deleted from this site on {heard_at:%Y-%m-%d %H:%M} UTC.\n"
    return HttpResponse(text, content_type=TEXT)


@hook("GET", "POST")
def changes(request: HttpRequest) -> HttpResponse:
    """Answer Meta's proof that this address is ours (GET), and hear its notifications (POST)."""
    if request.method == "GET":
        return _verified(request)
    header = request.headers.get("X-Hub-Signature-256", "")
    platforms = [name for name in PLATFORMS if signed_by_hub(request.body, header, app_of(name).client_secret)]
    if not platforms:
        return not_believed()
    said = object_of(request.body)
    if said is None:
        return not_understood()
    key = hashlib.sha256(request.body).hexdigest()
    for platform in platforms:
        _hear_changes(platform, said, key)
    return heard()


def _hear_changes(platform: str, said: dict[str, Any], key: str) -> None:
    """Revoked rights, and videos and posts of Pages that are out. Anything else concerns nobody here."""
    for number, (entry, change) in enumerate(_changes(said)):
        value = change["value"] if isinstance(change.get("value"), dict) else {}
        subject, at = str(entry.get("id", "")), moment(entry.get("time"))
        verb = str(value.get("verb", ""))
        if said.get("object") == "permissions" and verb.startswith("revoke") and at is not None:
            targets = value.get("target_ids")
            ids = [str(each) for each in targets] if isinstance(targets, list) and targets else [subject]
            act = partial(events.end_access, platform, ids, happened_at=at)
            events.hear(platform, f"{key}-{number}", f"permissions: {change.get('field')}", act)
        elif said.get("object") == "page" and change.get("field") == "feed" and verb in ("add", "edited"):
            ids = [str(value.get(name) or "") for name in ("post_id", "video_id", "photo_id")]
            events.look_now(platform, subject, ids)  # to look twice does no harm, so it need not be remembered


def _changes(said: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    found = 0
    entries = said.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        listed = entry.get("changes") if isinstance(entry, dict) else None
        for change in listed if isinstance(listed, list) else ():
            if isinstance(change, dict) and found < MOST_CHANGES:
                found += 1
                yield entry, change


def _verified(request: HttpRequest) -> HttpResponse:
    challenge, given = request.GET.get("hub.challenge", ""), request.GET.get("hub.verify_token", "")
    if request.GET.get("hub.mode") != "subscribe" or not challenge or len(challenge) > 200:
        return not_understood()
    known = [token for name in PLATFORMS if (token := app_of(name).settings.get(VERIFY_TOKEN, ""))]
    if not any(hmac.compare_digest(given.encode(), token.encode()) for token in known):
        return not_believed()
    return HttpResponse(challenge, content_type=TEXT)


def _signed(request: HttpRequest, kind: str) -> HttpResponse | tuple[list[str], str, datetime, str]:
    """Return whose app has signed, the person, when, and the request's key; or what to answer instead."""
    text = request.POST.get("signed_request", "")
    if "." not in text:
        return not_understood()
    said = {name: signed_request(text, app_of(name).client_secret) for name in PLATFORMS}
    platforms = [name for name, each in said.items() if each is not None]
    if not platforms:
        return not_believed()
    payload = said[platforms[0]] or {}
    person, issued_at = str(payload.get("user_id") or ""), moment(payload.get("issued_at"))
    if not person or issued_at is None:
        return not_understood()
    if issued_at < clock.now() - OLDEST:
        return not_believed()
    return platforms, person, issued_at, hashlib.sha256(f"{kind} {text.partition('.')[2]}".encode()).hexdigest()
