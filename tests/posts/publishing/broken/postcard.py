"""Postcard: a small network that does not exist, and a platform for it that keeps every rule of the kit.

It has what rules are about: a form and refreshed tokens, uploads that are processed for a while, films in pieces,
threads, a first comment, an idempotency key, a look-up. ``faults`` breaks it in one place at a time, so each thing that
can be broken is a method of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import ContentRejected, NotReady, PublishError, RateLimited, ReconnectNeeded, TokenExpired
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    Absent,
    Body,
    Connection,
    Content,
    Field,
    Finding,
    Found,
    Identity,
    Json,
    MediaFile,
    Option,
    Published,
)
from posts.publishing.words import CHANGE_AND_RETRY, RECONNECT, Words

API = "https://api.postcard.example"
PIECE_BYTES = 1 << 20
TEXT = (TextLimit("utf16", 300),)
WINDOW_SECONDS = 60.0


class Postcard(Platform):
    """Publishes to one Postcard account."""

    name = "postcard"
    label = "Postcard"
    capabilities = Capabilities(
        text=TEXT,
        max_images=4,
        images=ImageLimits(max_bytes=1_000_000, max_side_pixels=4000),
        max_videos=1,
        videos=VideoLimits(max_bytes=100_000_000),
        threads=True,
        comment=TEXT,
    )
    connect_fields = (Field("handle", "Name"), Field("secret", "Secret", secret=True))
    options = (
        Option("audience", "Who sees it", "choice", (("all", "Everybody"), ("friends", "Friends")), default="all"),
    )
    windows = (Window(100, 86_400),)
    words = {
        "postcard.refused": Words("Postcard refuses this text.", CHANGE_AND_RETRY),
        "postcard.wrong_secret": Words("Postcard does not accept this secret.", RECONNECT),
    }
    repeat_is_safe = True
    refreshes = True

    # Connecting

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Trade the secret for tokens."""
        session.http.hide(answers["secret"])
        body = {"handle": answers["handle"], "secret": answers["secret"]}
        return self.connection(session, self.call(session, "POST", "/login", json=body), answers["handle"])

    def refresh(self, session: Session) -> Connection:
        """Trade the refresh token for new tokens."""
        body = {"refresh_token": session.credentials["refresh_token"]}
        return self.connection(session, self.call(session, "POST", "/renew", json=body), "")

    def check(self, session: Session) -> Connection:
        """Ask whose token it is."""
        answer = self.call(session, "GET", "/me", token=True).json()
        return Connection(Identity(str(answer.get("id") or ""), str(answer.get("name") or "")), {})

    def connection(self, session: Session, response: Response, entered: str) -> Connection:
        """Read the tokens and whose they are."""
        answer = response.json()
        known = ("id", "name", "access_token")
        if not all(isinstance(answer.get(name), str) and answer[name] for name in known):
            raise response.unusable("bad_answer")
        tokens = {"access_token": answer["access_token"]} | self.renewal(answer)
        session.http.hide(*tokens.values())
        return Connection(self.identity(answer, entered), tokens)

    def renewal(self, answer: Json) -> Json:
        """Return the new refresh token, if there is one."""
        token = answer.get("refresh_token")
        return {"refresh_token": token} if isinstance(token, str) and token else {}

    def identity(self, answer: Json, entered: str) -> Identity:
        """Say who it is."""
        return Identity(answer["id"], answer["name"])

    # Publishing

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Upload the files, wait until they are processed, freeze the post under its key."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        ids = [self.uploaded(session, media, checkpoints) for media in content.media]
        self.require_processed(session, ids)
        return {"key": self.key(content), "text": content.text, "media": ids}

    def key(self, content: Content) -> str:
        """Return the idempotency key."""
        return content.key

    def uploaded(self, session: Session, media: MediaFile, checkpoints: Checkpoints) -> str:
        """Return the network's id of a file, which goes up once."""
        kept = checkpoints.once(f"upload:{media.key}", partial(self.begin, session, media))
        target, done = session.unseal(kept["target"]), checkpoints.get(f"sent:{media.key}") or {"bytes": 0}
        while done["bytes"] < media.size_bytes:
            size = min(PIECE_BYTES, media.size_bytes - done["bytes"])
            self.send(session, target, self.piece(media, done["bytes"], size), done["bytes"])
            done = {"bytes": done["bytes"] + size}
            checkpoints.put(f"sent:{media.key}", done)
            checkpoints.progress(done["bytes"], media.size_bytes, "uploaded")
        return str(kept["id"])

    def begin(self, session: Session, media: MediaFile) -> Json:
        """Ask for a place to upload to; whoever knows it may write there."""
        body = {"bytes": media.size_bytes, "type": media.mime_type, "alt": media.alt_text}
        response = self.call(session, "POST", "/uploads", token=True, json=body)
        answer = response.json()
        if not (isinstance(answer.get("id"), str) and isinstance(answer.get("ticket"), str)):
            raise response.unusable("bad_answer")
        session.http.hide(answer["ticket"])
        return {"id": answer["id"], "target": session.seal(answer["ticket"])}

    def piece(self, media: MediaFile, offset: int, size: int) -> Body | bytes:
        """Return a part of a file, to be read while it is sent."""
        return Body(media.open, size, offset)

    def send(self, session: Session, ticket: str, piece: Body | bytes, offset: int) -> None:
        """Send one piece."""
        headers = {"X-Ticket": ticket, "X-Offset": str(offset), "Content-Type": "application/octet-stream"}
        self.call(session, "PUT", "/pieces", token=True, headers=headers, content=piece)

    def require_processed(self, session: Session, ids: list[str]) -> None:
        """Raise NotReady while the network works on a file."""
        for each in ids:
            if self.call(session, "GET", f"/uploads/{each}", token=True).json().get("state") != "ready":
                raise NotReady

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Post it below the part before."""
        body = {"text": snapshot["text"], "media": snapshot["media"], "below": self.parent(session)}
        return self.published(self.post(session, snapshot, body))

    def post(self, session: Session, snapshot: Json, body: Json) -> Response:
        """Make the one call."""
        headers = {"Idempotency-Key": snapshot["key"]}
        return self.call(session, "POST", "/cards", token=True, irreversible=True, headers=headers, json=body)

    def parent(self, session: Session) -> str:
        """Return what the part answers."""
        return session.thread[-1].id if session.thread else ""

    def published(self, response: Response) -> Published:
        """Read the answer to a post."""
        answer = response.json()
        number, url = answer.get("id"), answer.get("url")
        if not (isinstance(number, str) and number and isinstance(url, str)):
            raise response.unusable("bad_answer")
        return Published(number, url, {"id": number})

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Look for our key."""
        response = self.call(session, "GET", "/cards", token=True, params={"key": snapshot["key"]})
        cards = response.json().get("cards")
        if not isinstance(cards, list):
            raise response.unusable("bad_answer")
        for card in cards:
            if not isinstance(card, dict) or not (isinstance(card.get("id"), str) and isinstance(card.get("url"), str)):
                raise response.unusable("bad_answer")
            return Found(Published(card["id"], card["url"]))
        return Absent()

    # Calls

    def call(
        self,
        session: Session,
        method: str,
        path: str,
        *,
        token: bool = False,
        irreversible: bool = False,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Json | None = None,
        content: Body | bytes | None = None,
    ) -> Response:
        """Call the API; return an answer of 200, raise what any other means."""
        sent = dict(headers or {}) | (self.login(session) if token else {})
        response = session.http.request(
            method,
            session.app.api(API) + path,
            irreversible=irreversible,
            headers=sent,
            params=params,
            json=json,
            content=content,
        )
        if response.status != 200:
            raise self.refusal(session, response)
        return response

    def login(self, session: Session) -> dict[str, str]:
        """Return the header with the token."""
        return {"Authorization": f"Bearer {session.credentials['access_token']}"}

    def refusal(self, session: Session, response: Response) -> PublishError:
        """Say what a status means, where the network documents it."""
        detail, wait = self.detail(session, response), response.retry_after_seconds(session.now())
        named = response.json_or_empty().get("error")
        match response.status, named:
            case 401, "token_over":
                return TokenExpired(detail=detail, status_code=401)
            case 401, _:
                return ReconnectNeeded("postcard.wrong_secret", detail=detail, status_code=401)
            case 429, _:
                return RateLimited(until=self.until(session, wait), detail=detail, status_code=429)
            case 422, "text_refused":
                return ContentRejected("postcard.refused", field="text", detail=detail, status_code=422)
            case status, _ if status >= 500:
                return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
        return response.unusable("unexpected_answer", detail=detail)

    def until(self, session: Session, wait: float | None) -> datetime:
        """Return the end of a limit."""
        return session.now() + timedelta(seconds=WINDOW_SECONDS if wait is None else wait)

    def detail(self, session: Session, response: Response) -> str:
        """Return the network's own words, without secrets."""
        return session.http.redact(str(response.json_or_empty().get("message", "")))


PLATFORM = Postcard()
