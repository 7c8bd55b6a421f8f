"""Calls to one server with Mastodon's API, and what its answers mean when they are no success.

Owns the tables from statuses and messages to errors. Messages are asked for in English, but a server may be set to
answer in its own language, so nothing depends on a text being recognised. Statuses and texts:
https://docs.joinmastodon.org/methods/statuses/ and Mastodon's Api::ErrorHandling and PostStatusService.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, NamedTuple

from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.http import Files, Response
from posts.publishing.platform import Session
from posts.publishing.types import Json

Call = Literal["account", "media", "status"]
Refusal = Callable[..., PublishError]

MEDIA_TAKEN, REFUSED = "mastodon.media_taken", "mastodon.refused"
RATE_LIMIT_WINDOW = timedelta(minutes=5)  # of calls in general; assumed where a 429 names no time
RATE_LIMIT_LONGEST = timedelta(days=1)
# What servers put before the message itself (GoToSocial: the name of the status).
PREFIX = re.compile(r"(?:(?:bad request|unprocessable entity|forbidden|not found|validation failed): )+")
THUMBNAIL_FAILED = "error processing thumbnail for uploaded media"


class Case(NamedTuple):
    """How messages of one case begin, in lower case and without ``PREFIX`` (a regular expression)."""

    beginning: str
    refusal: Refusal


FORBIDDEN_CASES = (
    Case("this action is outside the authorized scopes", partial(ReconnectNeeded, "mastodon.scope_missing")),
    Case("insufficient_scope|token has insufficient scope", partial(ReconnectNeeded, "mastodon.scope_missing")),
    Case("insufficient permissions", partial(ReconnectNeeded, "mastodon.scope_missing")),  # Pleroma
    Case("your login is currently disabled", partial(ReconnectNeeded, "mastodon.login_disabled")),
    Case("your login is currently pending approval", partial(ReconnectNeeded, "mastodon.login_disabled")),
    Case("your login is missing a confirmed", partial(ReconnectNeeded, "mastodon.login_disabled")),
)
STATUS_CASES = (
    Case("media( .*)? not found or already attached", partial(Temporary, MEDIA_TAKEN, restart=True)),
    Case("media not found: |media already attached to status: ", partial(Temporary, MEDIA_TAKEN, restart=True)),
    Case("cannot attach files that have not finished processing", partial(NotReady, "media_processing")),
    Case("cannot attach ", partial(ContentRejected, "mastodon.attachments_refused", field="media")),
    Case("text (character limit|can't be blank)", partial(ContentRejected, "mastodon.text_refused", field="text")),
    Case("status too long", partial(ContentRejected, "mastodon.text_refused", field="text")),  # GoToSocial
    Case("(poll |options |expires at )", partial(ContentRejected, "mastodon.poll_refused", field="poll")),
)
# What is left of a status after the cases above; where it says nothing documented, nothing is here.
OTHERS: Mapping[tuple[Call, int], Refusal] = {
    ("account", 403): partial(ReconnectNeeded, "mastodon.forbidden"),
    ("media", 400): partial(ContentRejected, "mastodon.media_refused", field="media"),
    ("media", 403): partial(ReconnectNeeded, "mastodon.forbidden"),
    ("media", 422): partial(ContentRejected, "mastodon.media_refused", field="media"),
    ("status", 400): partial(ContentRejected, REFUSED),
    ("status", 403): partial(ContentRejected, "mastodon.not_allowed"),
    ("status", 422): partial(ContentRejected, REFUSED),
}


def call(
    session: Session,
    method: str,
    path: str,
    *,
    base: str = "",
    token: str | None = None,
    irreversible: bool = False,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    json: Json | None = None,
    data: Mapping[str, str] | None = None,
    files: Files | None = None,
) -> Response:
    """Call the account's server, or the one at ``base``, with the account's token or another one ("" for none)."""
    token = str(session.credentials.get("access_token", "")) if token is None else token
    sent = {"Accept-Language": "en"} | dict(headers or {})
    if token:
        sent["Authorization"] = f"Bearer {token}"
    url = (base or str(session.config["instance"])) + path
    return session.http.request(
        method, url, irreversible=irreversible, headers=sent, params=params, json=json, data=data, files=files
    )


def accepted(session: Session, call: Call, response: Response) -> Json:
    """Return the answer of a call that went well, else raise what it means."""
    if response.status not in (200, 202, 206):
        raise refusal(session, call, response)
    return response.json()


def refusal(session: Session, call: Call, response: Response) -> PublishError:
    """Return what an answer that is no success means: by status where that is enough, else by its message."""
    message, status = error_text(response), response.status
    detail = session.http.redact(message)
    if status == 429:
        until = limited_until(response, session.now())
        return RateLimited("rate_limited", until=until, detail=detail, status_code=429)
    if status >= 500 or status == 408:
        wait = response.retry_after_seconds(session.now())
        return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    if status == 401:
        return TokenExpired("mastodon.token_refused", detail=detail, status_code=401)
    if status == 413 and call == "media":  # usually a proxy in front of the server
        return ContentRejected("mastodon.media_too_large", field="media", detail=detail, status_code=413)
    found = _described(call, status, message) if message else None
    if found is None:
        return response.unusable("unexpected_answer", detail=detail)
    return found(detail=detail, status_code=status)


def error_text(response: Response) -> str:
    """Return the message of a refusal, "" if there is none; Hollo gives an object instead of a text."""
    answer = response.json_or_empty()
    error, more = answer.get("error"), answer.get("error_description")
    if isinstance(error, dict):
        error = error.get("message") or str(error)
    return ": ".join(part for part in (error, more) if isinstance(part, str) and part)


def limited_until(response: Response, now: datetime) -> datetime:
    """Return when more is taken: Retry-After if given, else X-RateLimit-Reset, which is a time in ISO 8601."""
    wait = response.retry_after_seconds(now)
    if wait is not None:
        return now + timedelta(seconds=max(1.0, wait))
    until = moment(response.headers.get("x-ratelimit-reset", ""))
    if until is None or until <= now:
        return now + RATE_LIMIT_WINDOW
    return min(until, now + RATE_LIMIT_LONGEST)


def used_up_until(response: Response, now: datetime) -> datetime | None:
    """Return until when a success's headers say that nothing more is taken, ``None`` if more is."""
    return limited_until(response, now) if response.headers.get("x-ratelimit-remaining", "").strip() == "0" else None


def moment(text: object) -> datetime | None:
    """Return a time in ISO 8601 (taken as UTC without an offset), ``None`` if it is none."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _described(call: Call, status: int, message: str) -> Refusal | None:
    text = PREFIX.sub("", message.strip().lower(), count=1)
    cases = FORBIDDEN_CASES if status == 403 else STATUS_CASES if call == "status" and status in (400, 422) else ()
    for case in cases:
        if re.match(case.beginning, text):
            return case.refusal
    return OTHERS.get((call, status))
