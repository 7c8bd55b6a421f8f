"""What LinkedIn's tests share: the fake, a page's login and a member's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.platforms.linkedin import PLATFORM
from posts.publishing.errors import Temporary
from posts.publishing.platform import Session
from posts.publishing.types import App, Connection, MediaFile, Published
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, refused
from tests.posts.platforms.fake_linkedin import (
    MEMBER_SCOPES,
    PAGE_SCOPES,
    PARTNER_TOKEN,
    REFRESH_TOKEN,
    TOKEN,
    FakeLinkedIn,
)


class LinkedInCase:
    @pytest.fixture
    def server(self) -> Iterator[FakeLinkedIn]:
        with FakeLinkedIn() as server:
            yield server

    refused = staticmethod(refused)

    def site(self, server: FakeLinkedIn) -> App:
        """What the site's settings say: every address is the fake's."""
        return App("client-1", "client-secret-1", server.url, server.url, {}, "https://socialq.example")

    def page(self, server: FakeLinkedIn, *media: MediaFile) -> Session:
        """The session of an organisation, which may read states and lists."""
        tokens = {"access_token": PARTNER_TOKEN, "refresh_token": REFRESH_TOKEN, "scope": PAGE_SCOPES}
        return self.opened(server, self.connected(server, **tokens)[0], *media)

    def member(self, server: FakeLinkedIn, *media: MediaFile) -> Session:
        """The session of a member, whose posts cannot be read."""
        return self.opened(server, self.connected(server, access_token=TOKEN, scope=MEMBER_SCOPES)[0], *media)

    def connected(self, server: FakeLinkedIn, **tokens: Any) -> list[Connection]:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.site(server))
        return list(PLATFORM.connections(session, tokens, {}))

    def opened(self, server: FakeLinkedIn, connection: Connection, *media: MediaFile) -> Session:
        http = an_http()
        http.hide(*connection.credentials.values())
        files = {each.key: each for each in media}
        now = lambda: datetime.now(UTC)  # noqa: E731 - short
        return Session(http, connection.credentials, connection.config, now, files, self.site(server))

    def later(self, session: Session, seconds: float) -> Session:
        return replace(session, now=lambda: datetime.now(UTC) + timedelta(seconds=seconds))

    def publish(self, session: Session, text: str = "Hello", *media: MediaFile, **options: Any) -> Published:
        post = replace(content(text, *media), options=options)
        return PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))

    def refuse(self, server: FakeLinkedIn, status: int, code: str = "", message: str = "", **rest: Any) -> None:
        body = {"status": status, "code": code, "message": message} | rest
        server.fault("/rest/posts", status=status, body=body)


class StopsBefore(MemoryCheckpoints):
    """Checkpoints of a process that dies before one of them is written."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def once(self, name: str, make: Any) -> Any:
        made = self.stored.get(name) or make()
        if name == self.name:
            raise Temporary("temporary")
        return made
