"""What the fakes of Instagram and Threads share: tokens, containers that are polled and published once, recent posts.

Files are fetched for real from the addresses that a container names; ``FakeFiles`` serves them.
"""

from __future__ import annotations

import io
import urllib.request
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

from PIL import Image, UnidentifiedImageError

from posts.publishing.types import MediaFile
from tests.posts.platforms.fake_server import Answer, FakeServer, Seen

FETCH_SECONDS = 2


class Refused(Exception):
    def __init__(self, code: int, subcode: int = 0, message: str = "refused", status: int = 400, **rest: Any) -> None:
        error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbC", **rest}
        self.answer = Answer(status, {"error": error | ({"error_subcode": subcode} if subcode else {})})


class FakeFiles(FakeServer):
    """This site, as far as a network sees it: files at signed addresses."""

    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.files: dict[str, tuple[str, bytes]] = {}

    def handle(self, seen: Seen) -> Answer:
        kind, body = self.files.get(seen.path, ("", b""))
        return Answer(200, body, {"Content-Type": kind}) if kind and seen.query.get("sig") else Answer(404, "gone")

    def offer(self, media: MediaFile) -> MediaFile:
        """Serve a file; return it with its address."""
        path = f"/media/{media.filename}"
        with media.open() as stream:
            self.files[path] = (media.mime_type, stream.read())
        cover = self.offer(media.cover) if media.cover else None
        return replace(media, url=lambda: f"{self.url}{path}?sig=1", cover=cover)


@dataclass
class Container:
    id: str
    fields: dict[str, str]
    polls: int
    unreadable: int
    failed: str = ""
    state: str = "FINISHED"
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def status(self) -> str:
        if self.state == "FINISHED" and datetime.now(UTC) - self.made_at > timedelta(hours=24):
            return "EXPIRED"
        if self.failed and self.state == "FINISHED":
            return "ERROR"
        return "IN_PROGRESS" if self.polls > 0 else self.state


class FakeContainers(FakeServer):
    """Base of both fakes. ``polls`` and ``unreadable_reads`` are those of each new container; ``failures`` are the
    reasons with which the next ones fail; a new post is in the lists after ``hidden_reads`` of them."""

    username = "ada"
    polls = 0
    unreadable_reads = 0
    hidden_reads = 0

    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.tokens: dict[str, dict[str, Any]] = {}
        self.containers: dict[str, Container] = {}
        self.posts: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self.quota = {"used": 0, "total": 50}
        self.headers: dict[str, str] = {}
        self.live_but: list[Refused] = []  # what publishing answers although the post is live
        self._last_id = 17_900_000_000_000_000
        self._hidden: dict[str, int] = {}

    def give_token(self, token: str, **facts: Any) -> str:
        self.tokens[token] = {"since": datetime.now(UTC) - timedelta(days=3), "over": False, **facts}
        return token

    def end_tokens(self) -> None:
        for facts in self.tokens.values():
            facts["over"] = True

    def handle(self, seen: Seen) -> Answer:
        try:
            answer = self.route(seen)
        except Refused as refused:
            return refused.answer
        return Answer(200, answer, self.headers)

    def route(self, seen: Seen) -> dict[str, Any]:
        raise NotImplementedError

    def owner(self, token: str) -> dict[str, Any]:
        facts = self.tokens.get(token)
        if facts is None:
            raise Refused(190, 0, "Invalid OAuth access token - Cannot parse access token")
        if facts["over"]:
            raise Refused(190, 463, "Error validating access token: Session has expired")
        return facts

    def bearer(self, seen: Seen) -> dict[str, Any]:
        assert "access_token" not in seen.query, "a token in the address"
        assert b"access_token" not in seen.body
        scheme, _, token = seen.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Refused(104, 0, "An access token is required")
        return self.owner(token)

    def new_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)

    def make(self, fields: dict[str, str]) -> dict[str, Any]:
        for name in ("image_url", "video_url", "cover_url"):
            if name in fields:
                self.check_file(name, fields)
        made = Container(self.new_id(), fields, self.polls, self.unreadable_reads)
        made.failed = self.failures.pop(0) if self.failures else ""
        self.containers[made.id] = made
        return {"id": made.id}

    def check_file(self, name: str, fields: dict[str, str]) -> None:
        """Refuse a file that cannot be fetched or used."""
        raise NotImplementedError

    def fetch(self, address: str) -> tuple[str, bytes] | None:
        try:
            with urllib.request.urlopen(address, timeout=FETCH_SECONDS) as answer:
                return answer.headers.get_content_type(), answer.read()
        except (URLError, OSError):
            return None

    def container(self, number: str) -> Container:
        found = self.containers[number]
        if found.unreadable > 0:
            found.unreadable -= 1
            raise Refused(100, 33, "Unsupported get request. Object does not exist")
        found.polls -= 1
        return found

    def publish(self, made: Container, *, said: str, account: str, **facts: Any) -> dict[str, Any]:
        made.state = "PUBLISHED"
        number = self.new_id()
        post = {
            "id": number,
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "permalink": f"https://network.example/{self.username}/{number}",
            **facts,
        }
        self.posts.insert(0, post)
        self._hidden[number] = self.hidden_reads
        self.quota["used"] += 1
        self.accept(account=account, text=said, key=number, fields=made.fields)
        if self.live_but:
            raise self.live_but.pop(0)
        return {"id": number}

    def listed(self, posts: list[dict[str, Any]], fields: str) -> dict[str, Any]:
        shown = []
        for post in posts:
            if self._hidden.get(post["id"], 0) > 0:
                self._hidden[post["id"]] -= 1
            else:
                shown.append({name: post[name] for name in ("id", *fields.split(",")) if name in post})
        return {"data": shown}


def shape_of(body: bytes) -> tuple[str, float]:
    """Return a picture's format and width over height; ("", 0) if it is none."""
    try:
        with Image.open(io.BytesIO(body)) as image:
            return str(image.format), image.width / image.height
    except UnidentifiedImageError:
        return "", 0
