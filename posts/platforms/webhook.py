"""A webhook: each post is one signed event, sent to an address of one's own choice (Standard Webhooks).

The receiver tells a repeat by ``webhook-id``, which is the same on every attempt, so that repeating a commit is safe
and nothing needs to be looked up. By the specification every 2xx, whatever its body, says that the event arrived, and
every other status that it did not.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from posts.platforms._webhook_event import MAX_BODY_BYTES, facts
from posts.platforms._webhook_words import WORDS
from posts.publishing import standard_webhooks
from posts.publishing.capabilities import Capabilities, DocumentLimits, ImageLimits, TextLimit, VideoLimits
from posts.publishing.errors import ContentRejected, PublishError, RateLimited, ReconnectNeeded, Temporary
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.standard_webhooks import encoded, key_of
from posts.publishing.types import (
    Absent,
    Config,
    Connection,
    Content,
    Draft,
    Field,
    Finding,
    Identity,
    Json,
    MediaFile,
    Published,
    Remark,
)
from posts.text.entities import links

PUBLISHED = "post.published"
TEST = "socialq.test"
MAX_ANSWER_BYTES = 4096
LINK_CHARACTERS = 2000
URL_ROOM_BYTES = 400  # what a file's signed address takes in the body
RATE_LIMIT_SECONDS = 60  # assumed where a 429 names no time
# Faults of the answer's body, which does not matter once a 2xx has said that the event arrived.
BODY_FAULTS = frozenset({"answer_too_large", "encoded_answer"})

Refusal = Callable[..., PublishError]

# What a status means; one that is not here is unexplained below 400 and from 500 on, else ``webhook.refused``.
# Receivers answer 400 and 404 in the middle of a deployment too, so these are tried again before the post fails.
REFUSALS: Mapping[int, Refusal] = {
    401: partial(ReconnectNeeded, "webhook.not_authorized"),
    403: partial(ReconnectNeeded, "webhook.not_authorized"),
    410: partial(ReconnectNeeded, "webhook.gone"),
    413: partial(ContentRejected, "webhook.content_refused", field="post"),
    415: partial(ContentRejected, "webhook.content_refused", field="post"),
    422: partial(ContentRejected, "webhook.content_refused", field="post"),
}
CONFLICT = 409  # many receivers mean that they have the event already
UNEXPLAINED = frozenset({408})  # the request may have arrived all the same


class Webhook(Platform):
    """Hands posts to a program of one's own."""

    name = "webhook"
    label = "Webhook"
    capabilities = Capabilities(
        text=(TextLimit("utf8_bytes", 10_000),),
        max_images=10,
        images=ImageLimits(
            max_bytes=20_000_000, max_side_pixels=10_000, formats=("image/jpeg", "image/png", "image/webp")
        ),
        alt_text=(TextLimit("utf8_bytes", 2_000),),
        max_videos=10,
        videos=VideoLimits(max_bytes=2_000_000_000, formats=("video/mp4", "video/quicktime", "video/webm")),
        max_gifs=10,
        gifs=VideoLimits(max_bytes=50_000_000, formats=("image/gif", "image/webp", "image/png")),
        max_documents=10,
        documents=DocumentLimits(max_bytes=100_000_000),
        mixes=True,
        marks=(),
    )
    words = WORDS
    connect_fields = (
        Field(
            "url",
            "Address",
            secret=True,  # addresses of many receivers are all that is needed to post there
            help="Where events are sent by POST. When the account is connected or checked, a signed event of the type "
            f"{TEST} goes there: answer it with any 2xx and publish nothing.",
        ),
        Field(
            "secret",
            "Signing secret",
            secret=True,
            help="As in Standard Webhooks: whsec_ and base64 of 24 to 64 random bytes.",
        ),
        Field(
            "previous_secret",
            "Previous signing secret",
            secret=True,
            required=False,
            help="While the receiver changes its secret: events are then signed with both.",
        ),
        Field("bearer", "Bearer token", secret=True, required=False, help="Sent as Authorization: Bearer, if given."),
    )
    repeat_is_safe = True

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Say where the event would be larger than receivers have to take."""
        data = _data("0" * 32, draft.texts[0] if draft.texts else "", draft.language, draft.media)
        size = len(encoded(PUBLISHED, "0" * 24, data)) + URL_ROOM_BYTES * len(draft.media)
        return [Remark("webhook.too_large", {"limit": MAX_BODY_BYTES}, "text")] if size > MAX_BODY_BYTES else []

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Send a test event to the address; raises ReconnectNeeded if the receiver does not accept its signature."""
        given = {name: answers.get(name, "").strip() for name in ("url", "secret", "previous_secret", "bearer")}
        credentials = {name: value for name, value in given.items() if value}
        session.http.hide(*credentials.values())
        host = _host(given["url"])
        _require_key(given["secret"])
        if given["previous_secret"]:
            _require_key(given["previous_secret"])
        event = encoded(TEST, _moment(session.now()), {})
        _delivered(session, _send(session, credentials, f"msg_test_{uuid.uuid4().hex}", event))
        return Connection(
            Identity(hashlib.sha256(given["url"].encode()).hexdigest(), host),
            credentials=credentials,
            config={"host": host},
        )

    def check(self, session: Session) -> Connection:
        """Send a test event, as ``connect`` does."""
        return self.connect(session, session.credentials)

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Freeze the event but for the files' addresses, which go out of date."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        data = _data(content.key, content.text, content.language, content.media)
        snapshot = {"timestamp": _moment(session.now()), "data": data, "media": [each.key for each in content.media]}
        if len(_event(session, snapshot)) > MAX_BODY_BYTES:
            raise ContentRejected("webhook.too_large", field="text", limit=MAX_BODY_BYTES)
        return snapshot

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Send the event under its id, signed anew."""
        message_id = f"msg_{snapshot['data']['id']}"
        event = _event(session, snapshot)
        response = _send(session, session.credentials, message_id, event, irreversible=True)
        if response.status == CONFLICT and session.sent_before:
            return Published(message_id, "", {"status": CONFLICT})
        return _published(message_id, _delivered(session, response))

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Answer that the event may be sent again: the receiver drops what it has under this id already."""
        return Absent()


PLATFORM = Webhook()


def _host(url: str) -> str:
    """Return the host of a usable address; raises ReconnectNeeded."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        usable = parts.scheme in ("http", "https") and host and "@" not in parts.netloc
    except ValueError:
        host, usable = "", False
    if not usable or len(url) > LINK_CHARACTERS:
        raise ReconnectNeeded("webhook.address_malformed")
    return host


def _require_key(secret: str) -> None:
    try:
        key_of(secret)
        return
    except ValueError:
        failure = ReconnectNeeded("webhook.secret_malformed")
    raise failure  # outside of the handler, so that nothing that holds the secret hangs on it


def _secrets(credentials: Mapping[str, str]) -> list[str]:
    return [credentials[name] for name in ("secret", "previous_secret") if credentials.get(name)]


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _data(key: str, text: str, language: str, media: Sequence[MediaFile]) -> Json:
    found = links(text)
    return {
        "id": key,
        "text": text,
        "language": language,
        "link": found[0].url if found else "",
        "media": [facts(each) for each in media],
    }


def _event(session: Session, snapshot: Json) -> bytes:
    """Return the event's bytes, each file with the address under which it can be fetched now."""
    media = [
        known | ({"url": url} if (url := _address(session, key)) else {})
        for known, key in zip(snapshot["data"]["media"], snapshot["media"], strict=True)
    ]
    return encoded(PUBLISHED, snapshot["timestamp"], {**snapshot["data"], "media": media})


def _address(session: Session, key: str) -> str:
    """Return where a file can be fetched, "" where this site has no public address: its facts then go alone."""
    try:
        return session.media[key].url()
    except (LookupError, PublishError):
        return ""


def _send(
    session: Session, credentials: Mapping[str, str], message_id: str, event: bytes, *, irreversible: bool = False
) -> Response:
    headers = standard_webhooks.headers(_secrets(credentials), message_id, int(session.now().timestamp()), event)
    if bearer := credentials.get("bearer"):
        headers["Authorization"] = f"Bearer {bearer}"
    try:
        return session.http.request(
            "POST",
            credentials["url"],
            irreversible=irreversible,
            headers=headers,
            content=event,
            max_response_bytes=MAX_ANSWER_BYTES,
        )
    except PublishError as error:
        if error.code not in BODY_FAULTS or not 200 <= (error.status_code or 0) < 300:
            raise
        return Response(error.status_code or 0, {}, b"", "", irreversible)


def _delivered(session: Session, response: Response) -> Response:
    """Return a 2xx, else raise what the status means."""
    status, now = response.status, session.now()
    if 200 <= status < 300:
        return response
    wait = response.retry_after_seconds(now)
    detail = session.http.redact(response.text()[:LINK_CHARACTERS])
    if status == 429:
        until = now + timedelta(seconds=RATE_LIMIT_SECONDS if wait is None else max(1.0, wait))
        raise RateLimited("rate_limited", until=until, detail=detail, status_code=status)
    if status < 400:
        raise response.unusable("unexpected_answer", detail=detail)
    if status >= 500 or status in UNEXPLAINED:
        raise response.unusable("server_error", detail=detail, retry_after_seconds=wait)
    refusal = REFUSALS.get(status) or partial(Temporary, "webhook.refused", retry_after_seconds=wait)
    raise refusal(detail=detail, status_code=status, status=status)


def _published(message_id: str, response: Response) -> Published:
    """Take the id and the address that a receiver may tell; neither is needed."""
    answer = response.json_or_empty()
    told, url = answer.get("id"), answer.get("url")
    post_id = str(told) if isinstance(told, str | int) and str(told) else message_id
    web = isinstance(url, str) and url.startswith(("https://", "http://")) and len(url) <= LINK_CHARACTERS
    return Published(post_id, str(url) if web else "", {"message_id": message_id, "status": response.status})
