"""Calls to the YouTube Data API v3, and what its refusals mean.

Errors are sorted by ``errors[0].reason``, then by status: https://developers.google.com/youtube/v3/docs/errors
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from posts.platforms._days import next_midnight
from posts.publishing.errors import ContentRejected, PublishError, RateLimited, ReconnectNeeded, TokenExpired
from posts.publishing.http import Response
from posts.publishing.platform import Session
from posts.publishing.types import Body, Json

API = "https://www.googleapis.com"
HOSTS = ("googleapis.com",)

PACIFIC = ZoneInfo("America/Los_Angeles")  # quotas begin anew at its midnight
SHORT_LIMIT_SECONDS = 60.0  # assumed where a short limit names no time
CHANNEL_LIMIT = timedelta(hours=24)

DAILY_QUOTA = frozenset({"quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg"})
SHORT_LIMITS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "uploadRateLimitExceeded"})
# How the message of a 429 names a day's limit; reason and status are those of a short one.
DAILY_TEXTS = ("per day",)

Refusal = Callable[..., PublishError]

# What ``reason`` means, wherever it comes. Anything else is unexplained.
REFUSALS: Mapping[str, Refusal] = {
    "youtubeSignupRequired": partial(ReconnectNeeded, "youtube.no_channel"),
    "authenticatedUserNotChannel": partial(ReconnectNeeded, "youtube.no_channel"),
    "authenticatedUserAccountClosed": partial(ReconnectNeeded, "youtube.account_closed"),
    "authenticatedUserAccountSuspended": partial(ReconnectNeeded, "youtube.account_suspended"),
    "insufficientPermissions": partial(ReconnectNeeded, "youtube.scope_missing"),
    "forbidden": partial(ReconnectNeeded, "youtube.forbidden"),
    "authError": partial(TokenExpired, "token_expired"),
    "expired": partial(TokenExpired, "token_expired"),
    "authorizationRequired": partial(TokenExpired, "token_expired"),
    "invalidTitle": partial(ContentRejected, "youtube.title_refused", field="title"),
    "invalidDescription": partial(ContentRejected, "youtube.description_refused", field="text"),
    "invalidTags": partial(ContentRejected, "youtube.tags_refused", field="tags"),
    "invalidCategoryId": partial(ContentRejected, "youtube.category_refused", field="category"),
    "invalidPublishAt": partial(ContentRejected, "youtube.publish_at_refused", field="publish_at"),
    "invalidVideoMetadata": partial(ContentRejected, "youtube.details_refused"),
    "defaultLanguageNotSet": partial(ContentRejected, "youtube.details_refused"),
    "forbiddenLicenseSetting": partial(ContentRejected, "youtube.details_refused"),
    "forbiddenPrivacySetting": partial(ContentRejected, "youtube.privacy_refused", field="privacy"),
    "invalidFilename": partial(ContentRejected, "youtube.video_refused", field="media"),
    "mediaBodyRequired": partial(ContentRejected, "youtube.video_refused", field="media"),
}
# What ``reason`` means for a comment: https://developers.google.com/youtube/v3/docs/commentThreads/insert
REFUSALS_OF_COMMENTS: Mapping[str, Refusal] = {
    "commentsDisabled": partial(ContentRejected, "youtube.comments_disabled"),
    "videoNotFound": partial(ContentRejected, "youtube.comments_disabled"),
    "forbidden": partial(ContentRejected, "youtube.comments_disabled"),
    "commentTextRequired": partial(ContentRejected, "youtube.comment_refused"),
    "commentTextTooLong": partial(ContentRejected, "youtube.comment_refused"),
    "invalidCommentThreadMetadata": partial(ContentRejected, "youtube.comment_refused"),
    "ineligibleAccount": partial(ReconnectNeeded, "youtube.forbidden"),
}


def authorized(session: Session) -> dict[str, str]:
    """Return the header of a login."""
    return {"Authorization": f"Bearer {session.credentials['access_token']}"}


def call(
    session: Session,
    method: str,
    path: str,
    *,
    irreversible: bool = False,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    json: Json | None = None,
    content: bytes | Body | None = None,
) -> Response:
    """Call a path of the API with the account's login."""
    return session.http.request(
        method,
        session.app.api(API) + path,
        irreversible=irreversible,
        headers={**(headers or {}), **authorized(session)},
        params=params,
        json=json,
        content=content,
    )


def accepted(session: Session, response: Response, refusals: Mapping[str, Refusal] = REFUSALS) -> Json:
    """Return the answer of a call that went well, else raise what its reason and status mean."""
    if response.status != 200:
        raise refusal(session, response, refusals)
    return response.json()


def items_of(answer: Json) -> list[Json]:
    """Return the entries of a list answer."""
    items = answer.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def part(value: Json, *names: str) -> Json:
    """Return an object inside a resource, empty where it is missing."""
    for name in names:
        inner = value.get(name)
        value = inner if isinstance(inner, dict) else {}
    return value


def refusal(session: Session, response: Response, refusals: Mapping[str, Refusal] = REFUSALS) -> PublishError:
    """Sort an answer that is no success."""
    error = part(response.json_or_empty(), "error")
    reason, message, now = _reason(error), str(error.get("message", "")), session.now()
    detail, status = session.http.redact(": ".join(filter(None, [reason, message]))), response.status
    wait = response.retry_after_seconds(now)
    if status >= 500 or status == 408:
        return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    limited = partial(RateLimited, detail=detail, status_code=status)
    if reason == "uploadLimitExceeded":
        return limited("youtube.channel_limit", until=now + CHANNEL_LIMIT)
    short = reason in SHORT_LIMITS or status == 429
    if reason in DAILY_QUOTA or (short and any(text in message.lower() for text in DAILY_TEXTS)):
        return limited("youtube.quota_used_up", until=next_quota(now), scope="app")
    if short:
        seconds = SHORT_LIMIT_SECONDS if wait is None else max(1.0, wait)
        return limited("rate_limited", until=now + timedelta(seconds=seconds))
    known = refusals.get(reason) or REFUSALS.get(reason)
    if known is None and status == 401:
        known = REFUSALS["authError"]
    if known is None:
        return response.unusable("unexpected_answer", detail=detail)
    return known(detail=detail, status_code=status)


def next_quota(now: datetime) -> datetime:
    """Return the next midnight in California, when the quotas of all projects begin anew (aware UTC)."""
    return next_midnight(now, PACIFIC)


def moment(value: object) -> datetime | None:
    """Return a time of the API (RFC 3339) as aware UTC, ``None`` if it is none."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def _reason(error: Json) -> str:
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return str(first.get("reason", ""))
