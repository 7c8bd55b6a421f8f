"""Calls to LinkedIn's REST API, and what its refusals mean. Knows no post.

Errors: https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from posts.platforms._days import next_midnight
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Scope,
    Temporary,
    TokenExpired,
)
from posts.publishing.http import Response
from posts.publishing.platform import Session
from posts.publishing.types import Json

DEFAULT_API = "https://api.linkedin.com"
DEFAULT_VERSION = "202609"  # six digits; a version lives about a year
OWN_HOSTS = ("linkedin.com", "licdn.com")  # upload addresses are there, or beneath

# A token can answer "revoked" for some seconds after it was issued. Shorter than the wait, so that it is tried once.
FRESH_SECONDS = 10.0
FRESH_WAIT_SECONDS = 15.0
RATE_LIMIT_SECONDS = 300.0  # assumed where a 429 does not speak of a day
VERSION_PAUSE = timedelta(hours=1)

Refusal = Callable[..., PublishError]

# What the codes of an answer mean, whatever its status below 500.
CODES: Mapping[str, Refusal] = {
    "FIELD_LENGTH_TOO_LONG": partial(ContentRejected, "linkedin.text_too_long", field="text"),
    "MISSING_FIELD": partial(ContentRejected, "linkedin.post_refused"),
    "INVALID_VALUE_FOR_FIELD": partial(ContentRejected, "linkedin.post_refused"),
    "INVALID_VALUE_BLANK_FIELD": partial(ContentRejected, "linkedin.post_refused"),
    "INVALID_URN_TYPE": partial(ContentRejected, "linkedin.post_refused"),
    "INVALID_URN_ID": partial(ContentRejected, "linkedin.post_refused"),
    "UNPROCESSABLE_ENTITY": partial(ContentRejected, "linkedin.post_refused"),
    "INVALID_IMAGE_ID": partial(ContentRejected, "linkedin.media_refused", field="media"),
    "INVALID_VIDEO_ID": partial(ContentRejected, "linkedin.media_refused", field="media"),
    "MEDIA_ASSET_PROCESSING_FAILED": partial(ContentRejected, "linkedin.media_refused", field="media"),
    "MEDIA_ASSET_WAITING_UPLOAD": partial(NotReady, "media_processing", check_after_seconds=20),
    "EXPIRED_UPLOAD_URL": partial(Temporary, "linkedin.upload_over", restart=True),
    "UPDATING_ASSET_FAILED": partial(Temporary, "linkedin.upload_over", restart=True),
    "CONFLICT": partial(Temporary, "linkedin.conflict"),
    "ACCESS_DENIED": partial(ReconnectNeeded, "linkedin.no_permission"),
}


class Message(NamedTuple):
    """A message without a code of its own: its status and what it contains, in lower case."""

    status: int
    contains: str
    refusal: Refusal


TEXTS = (
    Message(403, "resource is forbidden", partial(Temporary, "linkedin.media_hidden", retry_after_seconds=30)),
    Message(403, "unpermitted fields present in request_body", partial(ReconnectNeeded, "linkedin.not_the_author")),
)
STATUSES: Mapping[int, Refusal] = {
    403: partial(ReconnectNeeded, "linkedin.no_permission"),
    409: partial(Temporary, "linkedin.conflict"),
    413: partial(ContentRejected, "linkedin.media_refused", field="media"),
}
VERSION_OVER_TEXT = "is not active"
DUPLICATE_STATUSES = (400, 409, 422)
LIVE_URN = re.compile(r"urn:li:(?:share|ugcPost|activity):[0-9]+")
DAY_LIMIT = re.compile(r"\b(?:(application|member) )?day limit\b")


def call(
    session: Session,
    method: str,
    path: str,
    *,
    irreversible: bool = False,
    finder: bool = False,
    params: Mapping[str, str] | None = None,
    json: Json | None = None,
) -> Response:
    """Call one path of the API as the account."""
    headers = {
        "Authorization": f"Bearer {session.credentials['access_token']}",
        "LinkedIn-Version": session.app.settings.get("api_version") or DEFAULT_VERSION,
        "X-Restli-Protocol-Version": "2.0.0",
    }
    if finder:
        headers["X-RestLi-Method"] = "FINDER"
    url = session.app.api(DEFAULT_API) + path
    return session.http.request(method, url, irreversible=irreversible, headers=headers, params=params, json=json)


def read(session: Session, path: str, *, finder: bool = False, params: Mapping[str, str] | None = None) -> Json:
    """Return what a GET answers; raise what its refusal means."""
    response = call(session, "GET", path, finder=finder, params=params)
    if response.status != 200:
        raise refusal(session, response)
    return response.json()


def of_urn(path: str, urn: str) -> str:
    """Return ``path`` with a URN at its end, in the one form that LinkedIn takes in a path."""
    return f"{path}/{quote(urn, safe='')}"


def is_own(session: Session, url: object) -> bool:
    """Return whether an address that LinkedIn handed out is LinkedIn's, so that it may be sent files and a token."""
    if not isinstance(url, str):
        return False
    given, base = urlsplit(url), urlsplit(session.app.api(DEFAULT_API))
    host = given.hostname or ""
    beneath = any(host == own or host.endswith(f".{own}") for own in OWN_HOSTS)
    return (given.scheme, given.netloc) == (base.scheme, base.netloc) or (given.scheme == "https" and beneath)


def duplicate_of(response: Response) -> str | None:
    """Return the URN of the post that this one repeats, "" where none is named, ``None`` if it is no duplicate."""
    code, message = _said(response.json_or_empty())
    if response.status not in DUPLICATE_STATUSES or (code != "DUPLICATE_POST" and "duplicate" not in message.lower()):
        return None
    named = LIVE_URN.search(message)
    return named[0] if named else ""


def refusal(session: Session, response: Response) -> PublishError:
    """Sort a refusal: by status where that is enough, then by its code, then by what its message says."""
    answer, now, status = response.json_or_empty(), session.now(), response.status
    code, message = _said(answer)
    detail = session.http.redact(": ".join(filter(None, [code, message])))
    said = message.lower()
    if status >= 500 or status == 408:
        wait = response.retry_after_seconds(now)
        return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    if status < 400:
        return response.unusable("bad_answer" if status == 200 else "unexpected_answer", detail=detail)
    if status == 429:
        until, scope = _limited(response, said, now)
        return RateLimited("rate_limited", until=until, scope=scope, detail=detail, status_code=status)
    if status == 401:
        return _unauthorized(session, code, detail)
    if status == 426 or code == "NONEXISTENT_VERSION" or VERSION_OVER_TEXT in said:
        until = now + VERSION_PAUSE
        return RateLimited(
            "linkedin.version_over", until=until, scope="app", tell=True, detail=detail, status_code=status
        )
    meaning = CODES.get(code) or next(
        (text.refusal for text in TEXTS if text.status == status and text.contains in said), STATUSES.get(status)
    )
    if meaning is None or not answer:
        return response.unusable("unexpected_answer", detail=detail)
    return meaning(detail=detail, status_code=status)


def _said(answer: Json) -> tuple[str, str]:
    """Return the most exact code of an answer, and its message."""
    details = answer.get("errorDetails")
    inputs = details.get("inputErrors") if isinstance(details, dict) else None
    first = inputs[0] if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) else {}
    code, message = first.get("code") or answer.get("code"), answer.get("message") or first.get("description")
    return code if isinstance(code, str) else "", message if isinstance(message, str) else ""


def _unauthorized(session: Session, code: str, detail: str) -> PublishError:
    if code == "REVOKED_ACCESS_TOKEN" and _age_seconds(session) < FRESH_SECONDS:
        return Temporary(
            "linkedin.login_too_new", retry_after_seconds=FRESH_WAIT_SECONDS, detail=detail, status_code=401
        )
    return TokenExpired("linkedin.token_expired", detail=detail, status_code=401)


def _age_seconds(session: Session) -> float:
    """Return how old the access token is; endless where that is not known."""
    try:
        return (session.now() - datetime.fromisoformat(session.config.get("issued_at", ""))).total_seconds()
    except (TypeError, ValueError):
        return float("inf")


def _limited(response: Response, said: str, now: datetime) -> tuple[datetime, Scope]:
    """Return until when and for whom a 429 holds: a day's limit lasts until midnight UTC, and has no headers."""
    day = DAY_LIMIT.search(said)
    scope: Scope = "app" if day and day[1] == "application" else "account"
    wait = response.retry_after_seconds(now)
    if wait is None and day:
        return next_midnight(now), scope
    return now + timedelta(seconds=RATE_LIMIT_SECONDS if wait is None else max(1.0, wait)), scope
