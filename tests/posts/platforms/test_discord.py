from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from posts.platforms.discord import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    ReconnectNeeded,
    Temporary,
)
from posts.publishing.platform import Session
from posts.publishing.types import App, CannotTell, Draft, MediaFile
from tests.posts.platforms.contract import MemoryCheckpoints, PlatformContract, an_http, content, picture, video
from tests.posts.platforms.fake_discord import (
    CHANNEL,
    FORUM,
    FORUM_CHANNEL,
    GUILD,
    TOKEN,
    URL,
    WEBHOOK,
    FakeDiscord,
)
from tests.posts.platforms.test_fakes import fake_process

PATH = f"/api/v10/webhooks/{WEBHOOK}/{TOKEN}"
THREAD = "119000000000000009"


class TestDiscord(PlatformContract):
    platform = PLATFORM
    commit_path = "/webhooks/"
    picture_path = "/webhooks/"
    login_path = "/webhooks/"
    secret_field = "webhook_url"
    secret_in_address = "a webhook's token is a part of its address"
    parts_follow_unsaid = "a webhook cannot answer a message; the parts stand one below the other in the channel"

    @pytest.fixture
    def server(self) -> Iterator[FakeDiscord]:
        with FakeDiscord() as server:
            yield server

    def answers(self, server: FakeDiscord) -> dict[str, str]:
        return {"webhook_url": URL}

    def check_text_request(self, server: FakeDiscord, text: str) -> None:
        seen = server.seen[-1]
        assert (seen.method, seen.path, seen.query) == ("POST", PATH, {"wait": "true"})
        assert seen.headers["content-type"] == "application/json"
        assert seen.headers["user-agent"] == "DiscordBot (https://socialq.example, 1.0)"
        assert seen.json() == {"allowed_mentions": {"parse": []}, "content": text}

    def check_picture_request(self, server: FakeDiscord, media: MediaFile) -> None:
        seen = server.seen[-1]
        assert seen.query == {"wait": "true"}
        parts = seen.parts()
        assert json.loads(parts.pop("payload_json")[1]) == {
            "allowed_mentions": {"parse": []},
            "content": "Look",
            "attachments": [{"id": "0", "filename": "p1.jpg", "description": "A red field"}],
        }
        assert parts == {"files[0]": ("p1.jpg", media.read())}
        assert b'name="payload_json"\r\nContent-Type: application/json' in seen.body
        assert b"Content-Type: image/jpeg" in seen.body

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        body = {"message": "You are being rate limited.", "global": False}
        return body | ({"retry_after": wait_seconds - 0.43} if wait_seconds else {})

    def end_login(self, server: FakeDiscord) -> None:
        server.channels.clear()

    def publish(self, server: FakeDiscord, *media: MediaFile, webhook: str = WEBHOOK, **options: Any) -> Any:
        session = self.session(server, *media)
        session = replace(session, config={**session.config, "webhook_id": webhook})
        post = replace(content("Hello", *media), options=options)
        return PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))

    # Connecting

    def test_identity_is_the_webhook(self, server: FakeDiscord) -> None:
        connection = self.connect(server)
        assert (server.seen[-1].method, server.seen[-1].path) == ("GET", PATH)
        assert (connection.identity.id, connection.identity.name) == (WEBHOOK, "Captain Hook")
        assert connection.credentials == {"token": TOKEN}
        assert connection.config == {
            "webhook_id": WEBHOOK,
            "guild_id": GUILD,
            "channel_id": CHANNEL,
            "name": "Captain Hook",
        }

    @pytest.mark.parametrize(
        "entered",
        [
            f" {URL}/ ",
            f"https://discordapp.com/api/webhooks/{WEBHOOK}/{TOKEN}",
            f"https://canary.discord.com/api/v10/webhooks/{WEBHOOK}/{TOKEN}",
            f"https://ptb.discord.com/api/v9/webhooks/{WEBHOOK}/{TOKEN}/slack",
            f"https://discord.com/webhooks/{WEBHOOK}/{TOKEN}/github?wait=true",
            f"discord.com/api/webhooks/{WEBHOOK}/{TOKEN}?thread_id=1",
        ],
    )
    def test_an_address_may_be_written_in_several_ways(self, server: FakeDiscord, entered: str) -> None:
        assert self.connect(server, webhook_url=entered).credentials == {"token": TOKEN}
        assert server.paths() == [PATH]

    @pytest.mark.parametrize(
        "entered",
        [
            "",
            "Captain Hook",
            f"https://discord.com.evil.example/api/webhooks/{WEBHOOK}/{TOKEN}",
            f"https://evil.example/discord.com/api/webhooks/{WEBHOOK}/{TOKEN}",
            f"http://discord.com/api/webhooks/{WEBHOOK}/{TOKEN}",
            f"https://discord.com/api/webhooks/1/{TOKEN}",
            f"https://discord.com/api/webhooks/{WEBHOOK}/",
            f"https://discord.com/api/webhooks/{WEBHOOK}/{TOKEN}/../x",
        ],
    )
    def test_what_is_no_webhooks_address_is_not_called(self, server: FakeDiscord, entered: str) -> None:
        with self.refused(ReconnectNeeded, "discord.address_unusable"):
            self.connect(server, webhook_url=entered)
        assert not server.seen

    def test_an_unknown_webhook_and_a_wrong_token_are_told_apart(self, server: FakeDiscord) -> None:
        with self.refused(ReconnectNeeded, "discord.wrong_token"):
            self.connect(server, webhook_url=f"{URL}x")
        server.channels.clear()
        with self.refused(ReconnectNeeded, "discord.webhook_gone"):
            self.connect(server)

    def test_a_webhook_that_is_gone_is_called_once(self, server: FakeDiscord) -> None:
        session = self.session(server)
        server.channels.clear()
        with self.refused(ReconnectNeeded, "discord.webhook_gone"):
            self.commit(session)
        assert server.calls_after_gone == 1

    def test_checking_reads_the_webhook_and_posts_nothing(self, server: FakeDiscord) -> None:
        checked = PLATFORM.check(self.session(server))
        assert (checked.identity.id, checked.config["channel_id"]) == (WEBHOOK, CHANNEL)
        assert not server.accepted

    # Messages

    def test_the_address_of_a_message(self, server: FakeDiscord) -> None:
        published = self.publish(server)
        assert published.id == "120000000000000001"
        assert published.url == f"https://discord.com/channels/{GUILD}/{CHANNEL}/120000000000000001"

    def test_files_of_all_kinds_go_in_one_message(self, server: FakeDiscord) -> None:
        media = (picture("a", alt_text=""), video("v", 2000), picture("b"))
        self.publish(server, *media)
        parts = server.seen[-1].parts()
        assert json.loads(parts.pop("payload_json")[1])["attachments"] == [
            {"id": "0", "filename": "a.jpg"},
            {"id": "1", "filename": "v.mp4", "description": "A short film"},
            {"id": "2", "filename": "b.jpg", "description": "A red field"},
        ]
        assert parts == {f"files[{n}]": (each.filename, each.read()) for n, each in enumerate(media)}

    def test_a_large_file_is_not_read_as_a_whole(self, server: FakeDiscord) -> None:
        read: list[int] = []

        class Counted(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                read.append(5_000_000 if size is None or size < 0 else size)
                return super().read(size)

        media = video("v", 5_000_000)
        self.publish(server, replace(media, open=lambda: Counted(media.read())))
        assert server.accepted[0]["sizes"] == [5_000_000]
        assert max(read) < 1_000_001

    def test_files_that_are_too_large_together_are_refused_before_sending(self, server: FakeDiscord) -> None:
        media = tuple(replace(video(f"v{n}", 10), size_bytes=9_000_000) for n in range(3))
        session = self.session(server, *media)
        before = len(server.seen)
        with self.refused(ContentRejected, "discord.files_too_large"):
            self.commit(session, "Films", *media)
        assert len(server.seen) == before

    def test_a_file_that_cannot_be_read_is_noticed_before_sending(self, server: FakeDiscord) -> None:
        def gone() -> Any:
            raise FileNotFoundError("p1.jpg")

        media = replace(picture(), open=gone)
        session = self.session(server, media)
        before = len(server.seen)
        with self.refused(Temporary, "media_unreadable"):
            self.commit(session, "Hi", media)
        assert len(server.seen) == before

    def test_everything_that_can_be_chosen(self, server: FakeDiscord) -> None:
        self.publish(
            server,
            username="News",
            avatar_url="https://a.example/a.png",
            thread_id=THREAD,
            mentions="roles",
            silent=True,
            suppress_embeds=True,
            embed_title="Title",
            embed_description="More",
            embed_url="https://a.example",
            embed_color="#5865F2",
        )
        assert server.seen[-1].query == {"wait": "true", "thread_id": THREAD}
        assert server.seen[-1].json() == {
            "content": "Hello",
            "allowed_mentions": {"parse": ["users", "roles"]},
            "username": "News",
            "avatar_url": "https://a.example/a.png",
            "flags": 4100,
            "embeds": [{"title": "Title", "description": "More", "url": "https://a.example", "color": 0x5865F2}],
        }
        assert server.accepted[0]["channel"] == THREAD

    def test_nobody_is_notified_unless_a_person_wants_it(self, server: FakeDiscord) -> None:
        session = self.session(server)
        self.commit(session, "Hi @everyone")
        assert not server.pings
        post = replace(content("Hi @everyone"), options={"mentions": "everyone"})
        PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
        assert server.pings == [server.accepted[1]["key"]]

    def test_nobody_can_look_a_message_up(self, server: FakeDiscord) -> None:
        session = self.session(server)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        before = len(server.seen)
        assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == CannotTell("no_read_back")
        assert len(server.seen) == before
        assert PLATFORM.settle_seconds is None
        assert not PLATFORM.repeat_is_safe

    # Threads

    def test_the_parts_of_a_thread_follow_one_another(self, server: FakeDiscord) -> None:
        session = self.session(server)
        first = self.commit(session, "One")
        second = replace(content("Two"), part=1, parts=2, options={"embed_title": "Title", "username": "News"})
        snapshot = PLATFORM.prepare(session, second, MemoryCheckpoints())
        PLATFORM.commit(replace(session, thread=(first,)), snapshot)
        assert server.seen[-1].query == {"wait": "true"}
        assert server.seen[-1].json() == {"allowed_mentions": {"parse": []}, "content": "Two", "username": "News"}

    def test_in_a_forum_the_first_part_makes_a_thread_and_the_others_follow_it(self, server: FakeDiscord) -> None:
        session = self.session(server)
        session = replace(session, config={**session.config, "webhook_id": FORUM, "channel_id": FORUM_CHANNEL})
        options = {"thread_name": "Ideas", "applied_tags": ["118900000000000001"]}
        parts = [replace(content(text), part=n, parts=2, options=options) for n, text in enumerate(("One", "Two"))]
        snapshots = [PLATFORM.prepare(session, part, MemoryCheckpoints()) for part in parts]
        server.forum_needs_tag = True
        first = PLATFORM.commit(session, snapshots[0])
        assert server.seen[-1].json()["thread_name"] == "Ideas"
        thread = first.response["thread_id"]
        second = PLATFORM.commit(replace(session, thread=(first,)), snapshots[1])
        assert server.seen[-1].query == {"wait": "true", "thread_id": thread}
        assert "thread_name" not in server.seen[-1].json()
        assert second.url == f"https://discord.com/channels/{GUILD}/{thread}/{second.id}"

    @pytest.mark.parametrize(
        ("webhook", "options", "code", "field"),
        [
            (FORUM, {}, "discord.thread_needed", "thread_name"),
            (FORUM, {"thread_name": "Ideas", "thread_id": THREAD}, "discord.thread_twice", "thread_name"),
            (WEBHOOK, {"thread_name": "Ideas"}, "discord.no_forum", "thread_name"),
            (FORUM, {"thread_name": "Ideas"}, "discord.tags_needed", "applied_tags"),
            (WEBHOOK, {"thread_id": "119000000000000001"}, "discord.thread_closed", "thread_id"),
        ],
    )
    def test_threads_that_cannot_be(
        self, server: FakeDiscord, webhook: str, options: dict[str, str], code: str, field: str
    ) -> None:
        server.forum_needs_tag = True
        with self.refused(ContentRejected, code) as caught:
            self.publish(server, webhook=webhook, **options)
        assert caught.value.field == field

    def test_a_cut_upload_of_a_file_is_unknown_and_sent_once(self, server: FakeDiscord) -> None:
        media = video("v", 3_000_000)
        session = self.session(server, media)
        server.fault("/webhooks/", kind="cut", after=True)
        with self.refused(OutcomeUnknown, "connection_lost"):
            self.commit(session, "Film", media)
        assert len(server.accepted) == 1


def test_a_draft_says_what_discord_would_refuse() -> None:
    def said(*media: MediaFile, **options: Any) -> list[tuple[str, str]]:
        remarks = PLATFORM.problems(Draft(("Hi",), media, options), {})
        return [(remark.code, remark.field) for remark in remarks]

    assert said() == []
    assert said(picture(), username="News", thread_id=THREAD, embed_title="A", embed_color="5865f2") == []
    for name in ("everyone", "Here", "My Discord", "clyde2"):
        assert said(username=name) == [("discord.username_refused", "username")]
    assert said(thread_id=THREAD, thread_name="A") == [("discord.thread_twice", "thread_name")]
    assert said(thread_id="general") == [("discord.id_unusable", "thread_id")]
    assert said(applied_tags=["news"]) == [("discord.id_unusable", "applied_tags")]
    assert said(avatar_url="a.png") == [("discord.not_an_address", "avatar_url")]
    assert said(embed_title="A", embed_color="red") == [("discord.color_unusable", "embed_color")]
    assert said(embed_url="https://a.example") == [("discord.embed_empty", "embed_title")]
    films = tuple(replace(video(f"v{n}", 10), size_bytes=9_000_000) for n in range(3))
    assert said(*films) == [("discord.files_too_large", "media")]
    assert said(*(picture(f"p{n}") for n in range(11))) == [("discord.too_many_files", "media")]


def test_the_fake_as_a_process_keeps_a_log_and_takes_orders(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    with fake_process("fake_discord", log) as url:
        http = an_http()
        session = Session(http, {}, {}, lambda: datetime.now(UTC), app=App(api_base=url))
        connection = PLATFORM.connect(session, {"webhook_url": URL})
        session = replace(session, credentials=connection.credentials, config=connection.config)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        http.request("POST", f"{url}/_fault", json={"path": "/webhooks/", "kind": "cut", "after": True})
        with pytest.raises(OutcomeUnknown):
            PLATFORM.commit(session, snapshot)
        http.request("POST", f"{url}/_control", json={"call": "delete_webhook"})
        with pytest.raises(ReconnectNeeded):
            PLATFORM.commit(session, snapshot)
        kept = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(post["account"], post["text"]) for post in kept] == [(WEBHOOK, "Hello")]
