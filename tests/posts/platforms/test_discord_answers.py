"""What Discord's refusals and limits mean, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.platforms._discord_answers import CODES, SLOW_CODES
from posts.platforms.discord import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
)
from posts.publishing.platform import Session
from posts.publishing.types import App
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, refused
from tests.posts.platforms.fake_discord import CHANNEL, URL, FakeDiscord, form_error

DOCUMENTED: list[tuple[int, type[PublishError], str]] = [
    (10003, ReconnectNeeded, "discord.channel_gone"),
    (10015, ReconnectNeeded, "discord.webhook_gone"),
    (50027, ReconnectNeeded, "discord.wrong_token"),
    (50013, ReconnectNeeded, "discord.no_access"),
    (50001, ReconnectNeeded, "discord.no_access"),
    (220004, ReconnectNeeded, "discord.wrong_channel"),
    (50008, ReconnectNeeded, "discord.wrong_channel"),
    (50083, ContentRejected, "discord.thread_closed"),
    (160005, ContentRejected, "discord.thread_closed"),
    (220001, ContentRejected, "discord.thread_needed"),
    (220002, ContentRejected, "discord.thread_twice"),
    (220003, ContentRejected, "discord.no_forum"),
    (40067, ContentRejected, "discord.tags_needed"),
    (50006, ContentRejected, "post_empty"),
    (50045, ContentRejected, "discord.file_too_large"),
    (40005, ContentRejected, "discord.file_too_large"),
    (50046, ContentRejected, "discord.file_refused"),
    (50110, ContentRejected, "discord.file_refused"),
    (200000, ContentRejected, "discord.automod"),
    (200001, ContentRejected, "discord.title_blocked"),
    (240000, ContentRejected, "discord.harmful_link"),
    (50109, ContentRejected, "discord.message_refused"),
    (130000, Temporary, "discord.busy"),
    (40333, Temporary, "discord.kept_out"),
]


class TestDiscordAnswers:
    refused = staticmethod(refused)

    @pytest.fixture
    def server(self) -> Iterator[FakeDiscord]:
        with FakeDiscord() as server:
            yield server

    def session(self, server: FakeDiscord) -> Session:
        app = App(api_base=server.url, site_url="https://socialq.example")
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=app)
        connection = PLATFORM.connect(session, {"webhook_url": URL})
        return replace(session, credentials=connection.credentials, config=connection.config)

    def commit(self, session: Session, text: str = "Hello") -> None:
        PLATFORM.commit(session, PLATFORM.prepare(session, content(text), MemoryCheckpoints()))

    def refuse(self, server: FakeDiscord, status: int, code: int) -> None:
        server.fault("/webhooks/", status=status, body={"message": "No.", "code": code})

    # Limits

    def test_headers_that_say_nothing_is_left_are_heeded(self, server: FakeDiscord) -> None:
        told: list[tuple[datetime, str]] = []
        session = replace(self.session(server), exhausted=lambda until, scope: told.append((until, scope)))
        for number in range(4):
            self.commit(session, f"{number}")
        assert not told
        self.commit(session, "the last one")
        (until, scope) = told[0]
        assert timedelta(seconds=0.5) < until - datetime.now(UTC) <= timedelta(seconds=1.5)
        assert scope == "account"

    @pytest.mark.parametrize(
        ("body", "headers", "seconds", "scope"),
        [
            ({"retry_after": 64.57, "global": False}, {"Retry-After": "65"}, 65, "account"),
            ({"retry_after": 64.57, "global": False}, {}, 64.57, "account"),
            ({"retry_after": 70, "global": False}, {"Retry-After": "65", "X-RateLimit-Remaining": "4"}, 70, "account"),
            ({"retry_after": 3, "global": False}, {"X-RateLimit-Scope": "shared"}, 3, "account"),
            ({"retry_after": 3, "global": True}, {"X-RateLimit-Scope": "global"}, 3, "app"),
            ({"retry_after": 3, "global": False}, {"X-RateLimit-Scope": "global"}, 3, "app"),
            ({"retry_after": "soon"}, {}, 60, "account"),
            ({"retry_after": 1e12}, {}, 86_400, "account"),
            ("<html>1015</html>", {"Retry-After": "900"}, 900, "app"),
            ("<html>1015</html>", {}, 600, "app"),
        ],
    )
    def test_how_long_a_429_holds(
        self, server: FakeDiscord, body: Any, headers: dict[str, str], seconds: float, scope: str
    ) -> None:
        session = self.session(server)
        server.fault("/webhooks/", status=429, body=body, headers=headers)
        with self.refused(RateLimited, "rate_limited") as caught:
            self.commit(session)
        wait = (caught.value.until - datetime.now(UTC)).total_seconds()
        assert seconds - 3 < wait <= seconds
        assert caught.value.scope == scope

    @pytest.mark.parametrize("code", SLOW_CODES)
    def test_slow_channels_and_services_are_limits_too(self, server: FakeDiscord, code: int) -> None:
        session = self.session(server)
        self.refuse(server, 403, code)
        with self.refused(RateLimited, "rate_limited"):
            self.commit(session)

    # Refusals

    @pytest.mark.parametrize(
        ("code", "kind", "meaning"),
        DOCUMENTED,
    )
    def test_documented_codes(self, server: FakeDiscord, code: int, kind: type[PublishError], meaning: str) -> None:
        session = self.session(server)
        self.refuse(server, 400, code)
        with self.refused(kind, meaning) as caught:
            self.commit(session)
        assert caught.value.detail == f"{code}: No."
        assert not server.accepted

    @pytest.mark.parametrize(
        ("path", "field", "meaning"),
        [
            (("content",), "text", "discord.message_refused"),
            (("embeds", "0", "title"), "embed_title", "discord.message_refused"),
            (("embeds", "0", "description"), "embed_description", "discord.message_refused"),
            (("embeds",), "post", "discord.message_refused"),
            (("attachments", "1", "description"), "alt_text", "discord.message_refused"),
            (("avatar_url",), "avatar_url", "discord.message_refused"),
            (("username",), "username", "discord.username_refused"),
            (("something_new",), "post", "discord.message_refused"),
        ],
    )
    def test_errors_of_the_form_name_the_field(
        self, server: FakeDiscord, path: tuple[str, ...], field: str, meaning: str
    ) -> None:
        session = self.session(server)
        answer = form_error(*path, message="Must be 2000 or fewer in length.").answer
        server.fault("/webhooks/", status=answer.status, body=answer.body)
        with self.refused(ContentRejected, meaning) as caught:
            self.commit(session)
        assert caught.value.field == field
        assert caught.value.detail.endswith(f"{'.'.join(path)}: BASE_TYPE_MAX_LENGTH: Must be 2000 or fewer in length.")

    @pytest.mark.parametrize(
        ("status", "body", "kind", "code"),
        [
            (404, {"message": "404: Not Found", "code": 0}, ReconnectNeeded, "discord.webhook_gone"),
            (401, {"message": "401: Unauthorized", "code": 0}, ReconnectNeeded, "discord.wrong_token"),
            (403, {"message": "Forbidden", "code": 0}, ReconnectNeeded, "discord.no_access"),
            (413, "<html>too large</html>", ContentRejected, "discord.file_too_large"),
            (403, "<html>error code: 40333</html>", OutcomeUnknown, "unexpected_answer"),
            (404, "<html>not here</html>", OutcomeUnknown, "unexpected_answer"),
            (400, {"message": "New", "code": 99999}, OutcomeUnknown, "unexpected_answer"),
            (400, {"message": "New", "code": 50035, "errors": []}, ContentRejected, "discord.message_refused"),
            (503, {"message": "Overloaded", "code": 130000}, OutcomeUnknown, "server_error"),
            (204, "", OutcomeUnknown, "bad_answer"),
            (200, {"id": 12, "channel_id": CHANNEL}, OutcomeUnknown, "bad_answer"),
        ],
    )
    def test_answers_without_a_known_code(
        self, server: FakeDiscord, status: int, body: Any, kind: type[PublishError], code: str
    ) -> None:
        session = self.session(server)
        server.fault("/webhooks/", status=status, body=body)
        with self.refused(kind, code):
            self.commit(session)


def test_every_code_is_in_the_table() -> None:
    assert {code for code, _kind, _meaning in DOCUMENTED} == set(CODES)
