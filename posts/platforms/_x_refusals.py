"""What X's refusals mean. Tables, and the one function that reads an answer by them.

Problems are told apart by the end of their ``type`` (its host changed), then by status, then by X's own sentences.
https://docs.x.com/x-api/fundamentals/response-codes-and-errors
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from posts.publishing.errors import ContentRejected, PublishError, RateLimited, ReconnectNeeded, Temporary, TokenExpired
from posts.publishing.http import Response
from posts.publishing.platform import Session
from posts.publishing.types import Json

RATE_LIMIT_WINDOW = timedelta(minutes=5)  # assumed where a 429 names no time; windows last 15 minutes
RATE_LIMIT_LONGEST = timedelta(days=1)
CREDITS_LOOKED_AT_AGAIN = timedelta(hours=1)  # a person has to pay; nothing tells when that happened
USAGE_CAP_LOOKED_AT_AGAIN = timedelta(hours=6)
RATE_LIMIT_CODE = 88  # in the older form of a body, https://docs.x.com/x-api/fundamentals/rate-limits

Refusal = Callable[..., PublishError]


class Texts(NamedTuple):
    """What X says of one case, in lower case; anywhere in its ``detail``."""

    refusal: Refusal
    texts: tuple[str, ...]


FORBIDDEN = (
    Texts(partial(ContentRejected, "x.not_permitted"), ("not permitted to perform this action",)),
    Texts(
        partial(ContentRejected, "x.feature_not_permitted"), ("your account is not permitted to access this feature",)
    ),
    Texts(partial(ContentRejected, "x.invalid_url", field="text"), ("contains an invalid url",)),
    Texts(
        partial(ContentRejected, "x.video_too_long", field="media"),
        ("not allowed to post a video longer than 2 minutes",),
    ),
    Texts(partial(ContentRejected, "x.too_many_files", field="media"), ("maximum of 4 items",)),
    Texts(partial(ContentRejected, "x.reply_not_allowed"), ("reply to this conversation is not allowed",)),
    Texts(partial(ReconnectNeeded, "x.suspended"), ("account is suspended", "account is temporarily locked")),
    Texts(partial(ReconnectNeeded, "x.no_write_permission"), ("oauth1 app permissions",)),
)
# What a 403 means that says nothing known, by the end of the path; elsewhere X refuses the post.
FORBIDDEN_AT: Mapping[str, Refusal] = {
    "/me": partial(ReconnectNeeded, "x.login_refused"),
    "/timeline": partial(Temporary, "unexpected_answer", host="X"),
}
DUPLICATE = "not allowed to create a tweet with duplicate content"
MEDIA_IDS_INVALID = "your media ids are invalid"

# What a 400, 404 or 413 means where it is not about the post, by the end of the path that was called.
REFUSED_AT: Mapping[str, Refusal] = {
    "/upload": partial(ContentRejected, "x.media_refused", field="media"),
    "/initialize": partial(ContentRejected, "x.media_refused", field="media"),
    "/append": partial(Temporary, "x.upload_gone", restart=True),
    "/finalize": partial(Temporary, "x.upload_gone", restart=True),
    "/status": partial(Temporary, "x.upload_gone", restart=True),
    "/metadata": partial(Temporary, "x.upload_gone", restart=True),
    "/tweets": partial(ContentRejected, "x.invalid_request"),
}


def refusal(session: Session, response: Response, place: str) -> PublishError:
    """Return what an answer that is no success means; ``place`` is the end of the path that was called."""
    answer, status = response.json_or_empty(), response.status
    detail, kind = _detail(session, answer), str(answer.get("type", "")).rpartition("/")[2]
    known: Json = {"detail": detail, "status_code": status}
    if kind == "credits":
        until = _reset_date(answer) or session.now() + CREDITS_LOOKED_AT_AGAIN
        return RateLimited("x.out_of_credits", until=until, scope="app", tell=True, **known)
    if status == 429 or kind in ("rate-limit-exceeded", "usage-capped") or _has_code(answer, RATE_LIMIT_CODE):
        return _rate_limited(response, session.now(), capped=kind == "usage-capped", known=known)
    if status >= 500 or status == 408:
        wait = response.retry_after_seconds(session.now())
        return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    if status == 401:
        return TokenExpired("x.token_expired", **known)
    is_problem = any(name in answer for name in ("title", "type", "detail", "errors"))
    if status == 403 and is_problem:
        return _forbidden(answer, kind, place, known, session.now())
    if place in REFUSED_AT and (status == 413 or (is_problem and status in (400, 404))):
        return REFUSED_AT[place](**known)
    return response.unusable("unexpected_answer", detail=detail)


def used_up(response: Response, now: datetime) -> list[tuple[datetime, str]]:
    """Return until when which scope ("account", "app") has nothing left, as an answer's headers say."""
    found = []
    for prefix, scope in (
        ("x-user-limit-24hour", "account"),
        ("x-app-limit-24hour", "app"),
        ("x-rate-limit", "account"),
    ):
        if response.headers.get(f"{prefix}-remaining", "").strip() == "0":
            until = _reset(response, prefix, now)
            if until is not None:
                found.append((until, scope))
    return found


def says(answer: Json, text: str) -> bool:
    """Return whether X's own words in ``answer`` contain ``text`` (lower case)."""
    return text in " ".join(_sentences(answer)).lower()


def _forbidden(answer: Json, kind: str, place: str, known: Json, now: datetime) -> PublishError:
    if kind == "unsupported-authentication" or str(answer.get("title", "")) == "Unsupported Authentication":
        return ReconnectNeeded("x.wrong_token_kind", **known)
    if kind == "client-forbidden":
        until = now + CREDITS_LOOKED_AT_AGAIN
        return RateLimited("x.app_not_enrolled", until=until, scope="app", tell=True, **known)
    for case in FORBIDDEN:
        if any(says(answer, text) for text in case.texts):
            return case.refusal(**known)
    return FORBIDDEN_AT.get(place, partial(ContentRejected, "x.refused"))(**known)


def _rate_limited(response: Response, now: datetime, *, capped: bool, known: Json) -> RateLimited:
    """The 24-hour limits go first: while one of them is used up, the end of the short window changes nothing."""
    named = used_up(response, now)
    if named:
        until, scope = named[0]
        return RateLimited("rate_limited", until=until, scope="app" if scope == "app" else "account", **known)
    if capped:
        return RateLimited("rate_limited", until=now + USAGE_CAP_LOOKED_AT_AGAIN, scope="app", **known)
    wait = response.retry_after_seconds(now)
    if wait is not None:
        return RateLimited("rate_limited", until=now + timedelta(seconds=max(1.0, wait)), **known)
    reset = _reset(response, "x-rate-limit", now)
    return RateLimited("rate_limited", until=reset or now + RATE_LIMIT_WINDOW, **known)


def _reset(response: Response, prefix: str, now: datetime) -> datetime | None:
    """Return when a limit ends (Unix seconds), a day ahead at most; ``None`` if that is not said or is over."""
    try:
        until = datetime.fromtimestamp(int(response.headers.get(f"{prefix}-reset", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return min(until, now + RATE_LIMIT_LONGEST) if until > now else None


def _reset_date(answer: Json) -> datetime | None:
    try:
        return datetime.fromisoformat(str(answer.get("reset_date", ""))).replace(tzinfo=UTC)
    except ValueError:
        return None


def _has_code(answer: Json, code: int) -> bool:
    errors = answer.get("errors")
    listed = [answer, *(errors if isinstance(errors, list) else ())]
    return any(isinstance(each, dict) and each.get("code") == code for each in listed)


def _sentences(answer: Json) -> list[str]:
    errors = answer.get("errors")
    listed = [each for each in (errors if isinstance(errors, list) else ()) if isinstance(each, dict)]
    said = [answer.get("detail"), answer.get("message"), *(each.get("message") for each in listed)]
    return [text for text in said if isinstance(text, str) and text]


def _detail(session: Session, answer: Json) -> str:
    title = answer.get("title")
    heading = [title] if isinstance(title, str) and title and title not in _sentences(answer) else []
    return session.http.redact(": ".join(dict.fromkeys([*heading, *_sentences(answer)])))
