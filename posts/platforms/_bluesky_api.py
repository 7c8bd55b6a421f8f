"""Calls to a Bluesky server (XRPC), and the one table of what its errors mean.

Errors have a name, which is what is judged: https://atproto.com/specs/xrpc#error-responses
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import quote, urlsplit

from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.http import Response
from posts.publishing.platform import Session
from posts.publishing.types import Body, Json

CREATE_SESSION = "com.atproto.server.createSession"
GET_SESSION = "com.atproto.server.getSession"
REFRESH_SESSION = "com.atproto.server.refreshSession"
RESOLVE_HANDLE = "com.atproto.identity.resolveHandle"
UPLOAD_BLOB = "com.atproto.repo.uploadBlob"
PUT_RECORD = "com.atproto.repo.putRecord"
GET_RECORD = "com.atproto.repo.getRecord"
APPLY_WRITES = "com.atproto.repo.applyWrites"
GET_SERVICE_AUTH = "com.atproto.server.getServiceAuth"
GET_UPLOAD_LIMITS = "app.bsky.video.getUploadLimits"
UPLOAD_VIDEO = "app.bsky.video.uploadVideo"
GET_JOB_STATUS = "app.bsky.video.getJobStatus"
OF_VIDEO_SERVICE = "app.bsky.video."

QUOTA_CHECK_SECONDS = 3600.0  # a day's quota comes back bit by bit
SERVICE_TOKEN_SECONDS = 1800
RATE_LIMIT_WINDOW = timedelta(minutes=5)  # the shortest documented window; assumed where a 429 names no time
RATE_LIMIT_LONGEST = timedelta(days=1)  # the longest documented window; no clock of another host may lock us out longer

Refusal = Callable[..., PublishError]

WRITTEN: Mapping[str, Refusal] = {
    "InvalidRequest": partial(ContentRejected, "bluesky.record_refused", field="post"),
    "InvalidMimeType": partial(ContentRejected, "bluesky.image_refused", field="media"),
    "InvalidSize": partial(ContentRejected, "bluesky.image_refused", field="media"),
    "PayloadTooLarge": partial(ContentRejected, "bluesky.record_refused", field="post"),
    "BlobNotFound": partial(Temporary, "bluesky.blob_gone", restart=True),
}
VIDEO_REFUSED: Mapping[str, Refusal] = dict.fromkeys(
    ("VideoTooLarge", "VideoTooLong", "BadAspectRatio", "UnsupportedContentType", "PayloadTooLarge"),
    partial(ContentRejected, "bluesky.video_refused", field="media"),
)
# What the error names of an answer mean, by method, then for all methods. Anything else is unexplained.
REFUSALS: Mapping[str, Mapping[str, Refusal]] = {
    CREATE_SESSION: {
        "AuthenticationRequired": partial(ReconnectNeeded, "bluesky.wrong_password"),
        "AuthFactorTokenRequired": partial(ReconnectNeeded, "bluesky.email_code_needed"),
        "InvalidRequest": partial(ReconnectNeeded, "bluesky.login_refused"),
    },
    REFRESH_SESSION: {
        "ExpiredToken": partial(ReconnectNeeded, "bluesky.session_over"),
        "InvalidToken": partial(ReconnectNeeded, "bluesky.session_over"),
        "AuthMissing": partial(ReconnectNeeded, "bluesky.session_over"),
        "AuthenticationRequired": partial(ReconnectNeeded, "bluesky.session_over"),
        "InvalidRequest": partial(ReconnectNeeded, "bluesky.account_gone"),  # as measured on PDS 0.5.35
    },
    UPLOAD_BLOB: {
        "InvalidRequest": partial(ContentRejected, "bluesky.image_refused", field="media"),
        "InvalidMimeType": partial(ContentRejected, "bluesky.image_refused", field="media"),
        "InvalidSize": partial(ContentRejected, "bluesky.image_refused", field="media"),
        "PayloadTooLarge": partial(ContentRejected, "bluesky.image_refused", field="media"),
    },
    PUT_RECORD: WRITTEN,
    APPLY_WRITES: WRITTEN,
    UPLOAD_VIDEO: {
        **VIDEO_REFUSED,
        "unconfirmed_email": partial(ContentRejected, "bluesky.email_unconfirmed", field="media"),
        "UploadForbidden": partial(ContentRejected, "bluesky.video_forbidden", field="media"),
        "DailyLimitExceeded": partial(NotReady, "bluesky.video_quota", check_after_seconds=QUOTA_CHECK_SECONDS),
    },
    GET_RECORD: {
        "InvalidRequest": partial(Temporary, "bluesky.account_hidden"),  # nothing of an inactive account is shown
    },
}
REFUSALS_OF_ALL: Mapping[str, Refusal] = {
    "ExpiredToken": partial(TokenExpired, "bluesky.token_expired"),
    "InvalidToken": partial(TokenExpired, "bluesky.token_expired"),
    "AuthMissing": partial(TokenExpired, "bluesky.token_expired"),
    "AccountTakedown": partial(ReconnectNeeded, "bluesky.taken_down"),
    "AccountDeactivated": partial(ReconnectNeeded, "bluesky.deactivated"),
    "AccountNotFound": partial(ReconnectNeeded, "bluesky.account_gone"),
}


def call(
    session: Session,
    method: str,
    nsid: str,
    *,
    host: str = "",
    token: str = "",
    irreversible: bool = False,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    json: Json | None = None,
    content: bytes | Body | None = None,
) -> Response:
    """Call one method at the account's PDS, or at ``host``."""
    sent = dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
    url = f"{host or session.config['pds']}/xrpc/{nsid}"
    return session.http.request(
        method, url, irreversible=irreversible, headers=sent, params=params, json=json, content=content
    )


def accepted(session: Session, nsid: str, response: Response) -> Json:
    """Return the answer of a call that went well, else raise what its status and error name mean."""
    if response.status != 200:
        raise refusal(session, nsid, response)
    return response.json()


def refusal(session: Session, nsid: str, response: Response, name: str = "") -> PublishError:
    """Return what a failed answer means; ``name`` is the error's where the answer has it in another place.

    The video service knows only tokens made for it, so what it says about one says nothing about the login.
    """
    name = name or error_name(response)
    detail = session.http.redact(": ".join(filter(None, [name, str(response.json_or_empty().get("message", ""))])))
    if response.status == 429:
        until = _limited_until(response, session.now())
        return RateLimited("rate_limited", until=until, detail=detail, status_code=429)
    if response.status >= 500 or response.status == 408:
        wait = response.retry_after_seconds(session.now())
        return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    known = REFUSALS.get(nsid, {})
    of_all = {} if nsid.startswith(OF_VIDEO_SERVICE) else REFUSALS_OF_ALL
    kind = known.get(name) or of_all.get(name)
    if kind is None and response.status == 401:
        kind = known.get("AuthenticationRequired") or of_all.get("AuthMissing")
    if kind is None and response.status == 413:
        kind = known.get("PayloadTooLarge")  # a proxy in front of the server names no error
    if kind is None:
        return response.unusable("unexpected_answer", detail=detail)
    return kind(detail=detail, status_code=response.status)


def error_name(response: Response) -> str:
    """Return the name of an answer's error, "" where it has none."""
    return str(response.json_or_empty().get("error", ""))


def _limited_until(response: Response, now: datetime) -> datetime:
    """Retry-After if given, else RateLimit-Reset (Unix seconds): some servers of 2026 send only the latter."""
    wait = response.retry_after_seconds(now)
    if wait is not None:
        until = now + timedelta(seconds=min(wait, RATE_LIMIT_LONGEST.total_seconds()))
    else:
        try:
            until = datetime.fromtimestamp(int(response.headers.get("ratelimit-reset", "")), UTC)
        except (ValueError, OverflowError, OSError):
            until = now
    return min(until, now + RATE_LIMIT_LONGEST) if until > now else now + RATE_LIMIT_WINDOW


def told_exhausted(session: Session, response: Response) -> None:
    """Pass on that by its headers a success was the last one for a while."""
    if response.headers.get("ratelimit-remaining") == "0":
        session.exhausted(_limited_until(response, session.now()), "account")


def service_token(session: Session, audience: str, nsid: str) -> str:
    """Have the PDS sign a token with which another service may be asked for one method; it lasts half an hour.

    ``exp`` must be a whole number, and at most an hour ahead: lexicon com.atproto.server.getServiceAuth
    """
    exp = int(session.now().timestamp()) + SERVICE_TOKEN_SECONDS
    params = {"aud": audience, "lxm": nsid, "exp": str(exp)}
    response = call(session, "GET", GET_SERVICE_AUTH, token=session.credentials["access_jwt"], params=params)
    token = accepted(session, GET_SERVICE_AUTH, response).get("token")
    if not isinstance(token, str) or not token:
        raise response.unusable("bad_answer")
    session.http.hide(token)
    return token


def web_did(address: str) -> str:
    """Return the DID of the service at ``address``: https://w3c-ccg.github.io/did-method-web/"""
    return f"did:web:{quote(urlsplit(address).netloc, safe='')}"
