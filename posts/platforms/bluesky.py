"""Bluesky, and any other server of the AT Protocol: app passwords, pictures, one record a post.

The record's key is ours, and ``putRecord`` with ``swapRecord: null`` takes the same record again without a second post
and refuses another one under its key, so that repeating a commit is safe. The app password is used once, to log in, and
not kept. Lexicons: https://github.com/bluesky-social/atproto/tree/main/lexicons
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from posts.platforms._bluesky_record import COLLECTION, mentioned_handles, post_record, record_key
from posts.platforms._bluesky_words import WORDS
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.http import Response, base_url
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    Absent,
    CannotTell,
    Connection,
    Content,
    Field,
    Finding,
    Found,
    Identity,
    Json,
    MediaFile,
    Published,
)

DEFAULT_SERVICE = "https://bsky.social"

CREATE_SESSION = "com.atproto.server.createSession"
GET_SESSION = "com.atproto.server.getSession"
REFRESH_SESSION = "com.atproto.server.refreshSession"
RESOLVE_HANDLE = "com.atproto.identity.resolveHandle"
UPLOAD_BLOB = "com.atproto.repo.uploadBlob"
PUT_RECORD = "com.atproto.repo.putRecord"
GET_RECORD = "com.atproto.repo.getRecord"

DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]{1,2000}")  # https://atproto.com/specs/did
RATE_LIMIT_WINDOW = timedelta(minutes=5)  # the shortest documented window; assumed where a 429 names no time
RATE_LIMIT_LONGEST = timedelta(days=1)  # the longest documented window; no clock of another host may lock us out longer

Refusal = Callable[..., PublishError]

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
    PUT_RECORD: {
        "InvalidRequest": partial(ContentRejected, "bluesky.record_refused", field="post"),
        "InvalidMimeType": partial(ContentRejected, "bluesky.image_refused", field="media"),
        "InvalidSize": partial(ContentRejected, "bluesky.image_refused", field="media"),
        "PayloadTooLarge": partial(ContentRejected, "bluesky.record_refused", field="post"),
        "BlobNotFound": partial(Temporary, "bluesky.blob_gone", restart=True),
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


class Bluesky(Platform):
    """Publishes to an account on Bluesky or on a PDS of one's own."""

    name = "bluesky"
    label = "Bluesky"
    capabilities = Capabilities(
        text=(TextLimit("graphemes", 300), TextLimit("utf8_bytes", 3000)),
        max_images=4,
        images=ImageLimits(max_bytes=1_000_000, max_side_pixels=4000),
        alt_text=(TextLimit("graphemes", 2000),),
    )
    connect_fields = (
        Field("identifier", "Handle", help="For example name.bsky.social; a DID or an e-mail address works too."),
        Field(
            "password",
            "App password",
            secret=True,
            help="Bluesky: Settings, Privacy and security, App passwords. Not the password of the account.",
        ),
        Field("service", "Server", required=False, default=DEFAULT_SERVICE, help="Your own PDS, if you have one."),
    )
    words = WORDS
    repeat_is_safe = True
    refreshes = True

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Log in with an app password; raises ReconnectNeeded if the server refuses or the account is not active."""
        service = base_url(answers.get("service", "")) or DEFAULT_SERVICE
        session.http.hide(answers["password"])
        body = {"identifier": answers["identifier"].strip().removeprefix("@"), "password": answers["password"]}
        response = session.http.request("POST", f"{service}/xrpc/{CREATE_SESSION}", json=body)
        return self._connection(session, _accepted(session, CREATE_SESSION, response), response, service, service)

    def refresh(self, session: Session) -> Connection:
        """Trade the refresh token for a new pair. Repeatable: the server answers a lost pair again for two hours."""
        response = _call(session, "POST", REFRESH_SESSION, token=session.credentials["refresh_jwt"])
        answer = _accepted(session, REFRESH_SESSION, response)
        return self._connection(session, answer, response, session.config["service"], session.config["pds"])

    def check(self, session: Session) -> Connection:
        """Ask the server whose session this is."""
        token = session.credentials["access_jwt"]
        answer = _accepted(session, GET_SESSION, _call(session, "GET", GET_SESSION, token=token))
        did, handle = str(answer.get("did", "")), str(answer.get("handle", ""))
        return Connection(Identity(did, handle or did), {}, expires_at=_expiry(token))

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Upload the pictures, resolve the mentions and freeze the record under its key."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        blobs = [
            checkpoints.once(f"blob:{media.key}", partial(self._upload, session, media)) for media in content.media
        ]
        dids = self._resolve(session, mentioned_handles(content.text))
        return {
            "rkey": record_key(content.keyed_at, content.key),
            "record": post_record(content, blobs, dids, session.now()),
        }

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Put the record. Where its key is taken already, the record there decides what that means."""
        body = {
            "repo": session.config["did"],
            "collection": COLLECTION,
            "rkey": snapshot["rkey"],
            "record": snapshot["record"],
            "swapRecord": None,  # "must not exist yet": never overwrites
        }
        token = session.credentials["access_jwt"]
        response = _call(session, "POST", PUT_RECORD, token=token, irreversible=True, json=body)
        if response.status == 400 and _error_name(response) == "InvalidSwap":
            return self._already_there(session, snapshot)
        answer = _accepted(session, PUT_RECORD, response)
        if answer.get("uri") != _uri(session, snapshot):
            raise response.unusable("bad_answer")
        return _published(session, snapshot, answer)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Read the record under our key. Needs no token, so it works while the account waits to be reconnected."""
        params = {"repo": session.config["did"], "collection": COLLECTION, "rkey": snapshot["rkey"]}
        response = _call(session, "GET", GET_RECORD, params=params)
        if response.status == 400 and _error_name(response) == "RecordNotFound":
            return Absent()
        answer = _accepted(session, GET_RECORD, response)
        if answer.get("value") != snapshot["record"]:
            return CannotTell("bluesky.other_record")
        return Found(_published(session, snapshot, answer))

    def _already_there(self, session: Session, snapshot: Json) -> Published:
        try:
            finding = self.find(session, snapshot, session.now())
        except PublishError:
            finding = CannotTell("bluesky.key_taken")
        if isinstance(finding, Found):
            return finding.published
        raise OutcomeUnknown(finding.code if isinstance(finding, CannotTell) else "bluesky.key_taken")

    def _upload(self, session: Session, media: MediaFile) -> Json:
        token = session.credentials["access_jwt"]
        headers = {"Content-Type": media.mime_type}
        response = _call(session, "POST", UPLOAD_BLOB, token=token, headers=headers, content=media.read())
        blob = _accepted(session, UPLOAD_BLOB, response).get("blob")
        if not isinstance(blob, dict) or blob.get("mimeType") != media.mime_type:
            raise response.unusable("bad_answer")
        return blob

    def _resolve(self, session: Session, handles: list[str]) -> dict[str, str]:
        """Return the DIDs of ``handles``. One that nobody can resolve stays plain text and holds nothing up."""
        dids = {}
        for handle in handles:
            response = _call(session, "GET", RESOLVE_HANDLE, params={"handle": handle})
            if response.status == 429:
                raise _refusal(session, RESOLVE_HANDLE, response)
            did = response.json_or_empty().get("did") if response.status == 200 else None
            if isinstance(did, str) and DID.fullmatch(did):
                dids[handle] = did
        return dids

    def _connection(self, session: Session, answer: Json, response: Response, service: str, pds: str) -> Connection:
        if answer.get("active") is False:
            raise ReconnectNeeded("bluesky.deactivated", detail=session.http.redact(str(answer.get("status", ""))))
        did, handle = str(answer.get("did", "")), str(answer.get("handle", ""))
        access, renewal = answer.get("accessJwt"), answer.get("refreshJwt") or session.credentials.get("refresh_jwt")
        if not DID.fullmatch(did) or not (isinstance(access, str) and isinstance(renewal, str) and access and renewal):
            raise response.unusable("bad_answer")
        session.http.hide(access, renewal)
        return Connection(
            identity=Identity(did, handle or did),
            credentials={"access_jwt": access, "refresh_jwt": renewal},
            config={"service": service, "pds": _pds(answer.get("didDoc")) or pds, "did": did},
            expires_at=_expiry(access),
        )


PLATFORM = Bluesky()


def _call(
    session: Session,
    method: str,
    nsid: str,
    *,
    token: str = "",
    irreversible: bool = False,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    json: Json | None = None,
    content: bytes | None = None,
) -> Response:
    """Call one method at the account's PDS."""
    sent = dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
    url = f"{session.config['pds']}/xrpc/{nsid}"
    return session.http.request(
        method, url, irreversible=irreversible, headers=sent, params=params, json=json, content=content
    )


def _accepted(session: Session, nsid: str, response: Response) -> Json:
    """Return the answer of a call that went well, else raise what its status and error name mean."""
    if response.status != 200:
        raise _refusal(session, nsid, response)
    return response.json()


def _refusal(session: Session, nsid: str, response: Response) -> PublishError:
    name = _error_name(response)
    detail = session.http.redact(": ".join(filter(None, [name, str(response.json_or_empty().get("message", ""))])))
    if response.status == 429:
        until = _limited_until(response, session.now())
        return RateLimited("rate_limited", until=until, detail=detail, status_code=429)
    if response.status >= 500 or response.status == 408:
        wait = response.retry_after_seconds(session.now())
        return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    refusal = REFUSALS.get(nsid, {}).get(name) or REFUSALS_OF_ALL.get(name)
    if refusal is None and response.status == 401:
        refusal = REFUSALS.get(nsid, {}).get("AuthenticationRequired") or REFUSALS_OF_ALL["AuthMissing"]
    if refusal is None and response.status == 413:
        refusal = REFUSALS.get(nsid, {}).get("PayloadTooLarge")  # a proxy in front of the PDS names no error
    if refusal is None:
        return response.unusable("unexpected_answer", detail=detail)
    return refusal(detail=detail, status_code=response.status)


def _error_name(response: Response) -> str:
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


def _pds(did_document: object) -> str:
    """Return the address of the ``#atproto_pds`` service of a DID document, "" if it names none."""
    services = did_document.get("service") if isinstance(did_document, dict) else None
    for service in services if isinstance(services, list) else ():
        if isinstance(service, dict) and str(service.get("id", "")).endswith("#atproto_pds"):
            return base_url(str(service.get("serviceEndpoint", "")))
    return ""


def _expiry(token: str) -> datetime | None:
    """Return the ``exp`` of a JWT, ``None`` if it cannot be read; only the server can check the signature."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError, binascii.Error):
        return None


def _uri(session: Session, snapshot: Json) -> str:
    return f"at://{session.config['did']}/{COLLECTION}/{snapshot['rkey']}"


def _published(session: Session, snapshot: Json, answer: Json) -> Published:
    uri = _uri(session, snapshot)
    url = f"https://bsky.app/profile/{session.config['did']}/post/{snapshot['rkey']}"  # by DID: handles change
    return Published(id=uri, url=url, response={"uri": uri, "cid": answer.get("cid", "")})
