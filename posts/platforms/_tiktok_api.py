"""Calls to TikTok's API, and what its refusals mean.

Every answer has an ``error.code``, "ok" for a success; refusals come with their own status and with 200, so the code
goes first. https://developers.tiktok.com/doc/content-posting-api-reference-direct-post
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from posts.platforms._days import next_midnight
from posts.publishing.errors import (
    ContentRejected,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.http import Response
from posts.publishing.platform import Session
from posts.publishing.types import Json

API = "https://open.tiktokapis.com"
HOSTS = ("tiktokapis.com",)  # those of uploads vary: open-upload.tiktokapis.com, upload.us.tiktokapis.com

USER_INFO = "/v2/user/info/"
CREATOR_INFO = "/v2/post/publish/creator_info/query/"
STATUS = "/v2/post/publish/status/fetch/"

RATE_LIMIT_SECONDS = 60.0  # all limits are per minute; no answer names a time

Refusal = Callable[..., PublishError]

# Limits of a day: they hold until the next one begins (UTC).
DAILY: Mapping[str, str] = {
    "spam_risk_too_many_posts": "tiktok.too_many_posts",
    "spam_risk_too_many_pending_share": "tiktok.too_many_pending",
    "reached_active_user_cap": "tiktok.user_cap",
}
# What ``error.code`` means. Anything else is unexplained.
REFUSALS: Mapping[str, Refusal] = {
    "access_token_invalid": partial(TokenExpired, "token_expired"),
    "scope_not_authorized": partial(ReconnectNeeded, "tiktok.scope_missing"),
    "scope_permission_missed": partial(ReconnectNeeded, "tiktok.scope_missing"),
    "spam_risk_user_banned_from_posting": partial(ReconnectNeeded, "tiktok.banned"),
    "invalid_param": partial(ContentRejected, "tiktok.refused"),
    "invalid_params": partial(ContentRejected, "tiktok.refused"),
    "privacy_level_option_mismatch": partial(ContentRejected, "tiktok.privacy_refused", field="privacy"),
    "unaudited_client_can_only_post_to_private_accounts": partial(ContentRejected, "tiktok.unaudited", field="privacy"),
    "url_ownership_unverified": partial(ContentRejected, "tiktok.domain_unverified", field="media"),
    "spam_risk": partial(ContentRejected, "tiktok.spam"),
    "spam_risk_text": partial(ContentRejected, "tiktok.text_spam", field="text"),
    "invalid_publish_id": partial(Temporary, "tiktok.publish_unknown"),
    "token_not_authorized_for_specified_publish_id": partial(Temporary, "tiktok.publish_unknown"),
}
# What ``fail_reason`` means of a post that TikTok had taken; none of them is live.
FAIL_REASONS: Mapping[str, Refusal] = {
    "file_format_check_failed": partial(ContentRejected, "tiktok.format_refused", field="media"),
    "duration_check_failed": partial(ContentRejected, "tiktok.duration_refused", field="media"),
    "frame_rate_check_failed": partial(ContentRejected, "tiktok.frame_rate_refused", field="media"),
    "picture_size_check_failed": partial(ContentRejected, "tiktok.size_refused", field="media"),
    "publish_cancelled": partial(ContentRejected, "tiktok.cancelled"),
    "auth_removed": partial(ContentRejected, "tiktok.access_removed"),
    "spam_risk_user_banned_from_posting": partial(ContentRejected, "tiktok.banned"),
    "spam_risk": partial(ContentRejected, "tiktok.spam"),
    "spam_risk_text": partial(ContentRejected, "tiktok.text_spam", field="text"),
    "internal": partial(Temporary, "tiktok.internal", restart=True),
    "video_pull_failed": partial(Temporary, "tiktok.pull_failed", restart=True),
    "photo_pull_failed": partial(Temporary, "tiktok.pull_failed", restart=True),
}


def post(
    session: Session,
    path: str,
    body: Json | None = None,
    *,
    params: Mapping[str, str] | None = None,
    irreversible: bool = False,
) -> tuple[Json, Response]:
    """POST to the API; return the ``data`` of a success with the answer, else raise what its code means."""
    headers = {**authorized(session), "Content-Type": "application/json; charset=UTF-8"}
    response = session.http.request(
        "POST",
        session.app.api(API) + path,
        irreversible=irreversible,
        headers=headers,
        params=params,
        json=body,
        content=b"" if body is None else None,
    )
    return accepted(session, response), response


def authorized(session: Session) -> dict[str, str]:
    """Return the header of a login."""
    return {"Authorization": f"Bearer {session.credentials['access_token']}"}


def accepted(session: Session, response: Response) -> Json:
    """Return the ``data`` of a success, else raise what its code and status mean."""
    answer = response.json() if response.status == 200 else {}
    data = answer.get("data")
    if code_of(response) == "ok" and isinstance(data, dict):
        return data
    raise refusal(session, response)


def code_of(response: Response) -> str:
    """Return the ``error.code`` of an answer, "" where it has none."""
    return str(_error(response).get("code", ""))


def refusal(session: Session, response: Response) -> PublishError:
    """Sort an answer that is no success: by its code, then by its status."""
    code, now, status = code_of(response), session.now(), response.status
    message = str(_error(response).get("message", ""))
    detail = session.http.redact(": ".join(filter(None, [code, message])))
    wait = response.retry_after_seconds(now)
    if code in DAILY:
        return RateLimited(DAILY[code], until=next_midnight(now), detail=detail, status_code=status)
    if code == "rate_limit_exceeded" or (status == 429 and code not in REFUSALS):
        seconds = RATE_LIMIT_SECONDS if wait is None else max(1.0, wait)
        until = now + timedelta(seconds=seconds)
        return RateLimited("rate_limited", until=until, detail=detail, status_code=status)
    known = REFUSALS.get(code)
    if known is None and status == 401:
        known = REFUSALS["access_token_invalid"]
    if known is not None:
        return known(detail=detail, status_code=status)
    if status >= 500 or status == 408 or code == "internal_error":
        return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    return response.unusable("bad_answer" if status == 200 else "unexpected_answer", detail=detail)


def failed(session: Session, reason: str) -> PublishError:
    """Return what it means that TikTok has dropped a post for ``reason``."""
    if reason in DAILY:
        wait = (next_midnight(session.now()) - session.now()).total_seconds()
        return Temporary(DAILY[reason], restart=True, retry_after_seconds=wait, detail=reason)
    known = FAIL_REASONS.get(reason)
    if known is None:
        return ContentRejected("tiktok.failed", reason=session.http.redact(reason) or "none", detail=reason)
    return known(detail=reason)


def _error(response: Response) -> Json:
    error = response.json_or_empty().get("error")
    return error if isinstance(error, dict) else {}
