from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, BinaryIO

import pytest

from posts.platforms._telegram_bot import ACCESS_TEXTS, CONTENT_TEXTS, Texts
from posts.platforms.telegram import PLATFORM
from posts.publishing.errors import ContentRejected, OutcomeUnknown, RateLimited, ReconnectNeeded, Temporary
from posts.publishing.platform import Session
from posts.publishing.types import CannotTell, MediaFile
from tests.posts.platforms.contract import MemoryCheckpoints, PlatformContract, an_http, content, picture
from tests.posts.platforms.fake_bot_api import CHANNEL, GROUP, PRIVATE_CHANNEL, TOKEN, FakeBotApi


class TestTelegram(PlatformContract):
    platform = PLATFORM
    commit_path = "/sendMessage"
    picture_path = "/sendPhoto"
    login_path = "/getMe"
    server_config = "api_url"
    secret_field = "token"
    secret_in_address = "the Bot API takes the token in the path alone"

    @pytest.fixture
    def server(self) -> Iterator[FakeBotApi]:
        with FakeBotApi() as server:
            yield server

    def answers(self, server: FakeBotApi) -> dict[str, str]:
        return {"token": TOKEN, "chat": "@news_channel", "api_url": server.url}

    def check_text_request(self, server: FakeBotApi, text: str) -> None:
        assert server.seen[-1].path == f"/bot{TOKEN}/sendMessage"
        assert server.seen[-1].json() == {"chat_id": CHANNEL, "text": text}

    def check_picture_request(self, server: FakeBotApi, media: MediaFile) -> None:
        assert server.seen[-1].parts() == {
            "chat_id": ("", str(CHANNEL).encode()),
            "caption": ("", b"Look"),
            "photo": (media.filename, media.read()),
        }

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        body = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {wait_seconds}"}
        return body | ({"parameters": {"retry_after": wait_seconds}} if wait_seconds else {})

    def end_login(self, server: FakeBotApi) -> None:
        body = {"ok": False, "error_code": 401, "description": "Unauthorized"}
        server.fault("/send", status=401, body=body)

    def refuse(self, server: FakeBotApi, status: int, description: str, **rest: Any) -> None:
        server.fault(
            "/send", status=status, body={"ok": False, "error_code": status, "description": description, **rest}
        )

    # Connecting

    def test_the_token_may_be_brought_and_the_usual_server_moved(self, server: FakeBotApi) -> None:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.app(server))
        answers = {"chat": "@news_channel", "api_url": "https://api.telegram.org", "topic": ""}
        (connection,) = self.platform.connections(session, {"access_token": TOKEN}, answers)
        assert connection.identity.id == str(CHANNEL)
        assert connection.config["api_url"] == server.url

    def test_identity_is_the_chat(self, server: FakeBotApi) -> None:
        connection = self.connect(server)
        assert (connection.identity.id, connection.identity.name) == (str(CHANNEL), "News")
        assert connection.credentials == {"token": TOKEN}
        assert connection.config == {
            "api_url": server.url,
            "chat_id": CHANNEL,
            "username": "news_channel",
            "chat_type": "channel",
            "bot": "poster_bot",
        }
        assert connection.expires_at is None

    @pytest.mark.parametrize("chat", ["news_channel", " @news_channel", "https://t.me/news_channel", str(CHANNEL)])
    def test_a_chat_may_be_written_in_several_ways(self, server: FakeBotApi, chat: str) -> None:
        assert self.connect(server, chat=chat).identity.id == str(CHANNEL)

    @pytest.mark.parametrize(
        ("member", "code"),
        [
            ({"status": "administrator", "can_post_messages": False}, "telegram.no_right_to_post"),
            ({"status": "administrator"}, "telegram.no_right_to_post"),
            ({"status": "left"}, "telegram.not_a_member"),
            ({"status": "kicked"}, "telegram.not_a_member"),
        ],
    )
    def test_a_bot_that_may_not_post_is_refused(self, server: FakeBotApi, member: dict[str, Any], code: str) -> None:
        server.member = member
        with self.refused(ReconnectNeeded, code, secrets=(TOKEN,)):
            self.connect(server)

    @pytest.mark.parametrize(
        "member", [{"status": "member"}, {"status": "creator"}, {"status": "restricted", "can_send_messages": True}]
    )
    def test_members_may_post_in_groups(self, server: FakeBotApi, member: dict[str, Any]) -> None:
        server.member = member
        assert self.connect(server, chat=str(GROUP)).config["chat_type"] == "group"

    def test_a_restricted_member_may_not(self, server: FakeBotApi) -> None:
        server.member = {"status": "restricted", "can_send_messages": False}
        with self.refused(ReconnectNeeded, "telegram.not_a_member"):
            self.connect(server, chat=str(GROUP))

    def test_an_unknown_chat_is_named_as_such(self, server: FakeBotApi) -> None:
        with self.refused(ReconnectNeeded, "telegram.chat_not_found"):
            self.connect(server, chat="@nowhere")

    @pytest.mark.parametrize("token", ["", "abc", "1:a/../getMe", "1:a b", "1:ü"])
    def test_a_malformed_token_is_not_sent(self, server: FakeBotApi, token: str) -> None:
        with self.refused(ReconnectNeeded, "telegram.wrong_token"):
            self.connect(server, token=token)
        assert not server.seen

    def test_a_token_that_the_server_takes_for_no_path_is_wrong_too(self, server: FakeBotApi) -> None:
        server.fault("/getMe", status=404, body={"ok": False, "error_code": 404, "description": "Not Found"})
        with self.refused(ReconnectNeeded, "telegram.wrong_token"):
            self.connect(server)

    # Addresses

    @pytest.mark.parametrize(
        ("chat", "url"),
        [
            (CHANNEL, "https://t.me/news_channel/101"),
            (PRIVATE_CHANNEL, "https://t.me/c/9876543210/101"),
            (GROUP, ""),
        ],
    )
    def test_public_addresses(self, server: FakeBotApi, chat: int, url: str) -> None:
        server.member = {"status": "creator"}
        connection = self.connect(server, chat=str(chat))
        session = replace(self.session(server), config=connection.config)
        assert self.commit(session).url == url

    # Albums

    def test_an_album_names_its_parts_and_carries_the_caption_once(self, server: FakeBotApi) -> None:
        media = (picture("a"), picture("b", 9, 9), picture("c"))
        published = self.commit(self.session(server, *media), "Three", *media)
        parts = server.seen[-1].parts()
        assert json.loads(parts.pop("media")[1]) == [
            {"type": "photo", "media": "attach://f0", "caption": "Three"},
            {"type": "photo", "media": "attach://f1"},
            {"type": "photo", "media": "attach://f2"},
        ]
        assert parts.pop("chat_id") == ("", str(CHANNEL).encode())
        assert parts == {f"f{n}": (each.filename, each.read()) for n, each in enumerate(media)}
        assert published.id == "101"
        assert published.response["message_ids"] == [101, 102, 103]

    def test_an_album_that_broke_in_the_middle_is_unknown(self, server: FakeBotApi) -> None:
        media = (picture("a"), picture("b"), picture("c"))
        server.album_breaks_with = "Too Many Requests: retry after 8"
        with self.refused(OutcomeUnknown, "telegram.album_unknown"):
            self.commit(self.session(server, *media), "Three", *media)
        assert server.accepted[0]["messages"] == [101, 103]

    @pytest.mark.parametrize(
        ("status", "description"),
        [
            (429, "Too Many Requests: retry after 8"),
            (403, "Forbidden: bot was kicked from the channel chat"),
            (400, "Bad Request: not enough rights to send photos to the chat"),
            (400, "Bad Request: PHOTO_INVALID_DIMENSIONS"),
            (400, "Bad Request: something new"),
        ],
    )
    def test_other_refusals_of_an_album_are_unknown(self, server: FakeBotApi, status: int, description: str) -> None:
        media = (picture("a"), picture("b"))
        session = self.session(server, *media)
        self.refuse(server, status, description)
        with self.refused(OutcomeUnknown, "telegram.album_unknown"):
            self.commit(session, "Two", *media)

    @pytest.mark.parametrize(
        ("description", "kind"),
        [
            ("Bad Request: message caption is too long", ContentRejected),
            ("Bad Request: can't parse entities: unsupported start tag", ContentRejected),
            ("Bad Request: can't use the media of the specified type in the album", ContentRejected),
            ("Bad Request: too many messages to send as an album", ContentRejected),
            ("Bad Request: chat not found", ReconnectNeeded),
        ],
    )
    def test_refusals_of_the_input_of_an_album_are_clean(
        self, server: FakeBotApi, description: str, kind: type[ContentRejected | ReconnectNeeded]
    ) -> None:
        media = (picture("a"), picture("b"))
        session = self.session(server, *media)
        self.refuse(server, 400, description)
        with self.refused(kind):
            self.commit(session, "Two", *media)

    # Single messages

    def test_a_picture_without_text_has_no_caption(self, server: FakeBotApi) -> None:
        media = picture()
        self.commit(self.session(server, media), "", media)
        assert set(server.seen[-1].parts()) == {"chat_id", "photo"}

    def test_a_long_wait_is_kept(self, server: FakeBotApi) -> None:
        session = self.session(server)
        self.refuse(server, 429, "Too Many Requests: retry after 3600", parameters={"retry_after": 3600})
        with self.refused(RateLimited) as caught:
            self.commit(session)
        assert 3590 < (caught.value.until - datetime.now(UTC)).total_seconds() <= 3600

    def test_an_upgraded_group_carries_its_new_number(self, server: FakeBotApi) -> None:
        server.member = {"status": "creator"}
        session = replace(self.session(server), config=self.connect(server, chat=str(GROUP)).config)
        server.moved[GROUP] = PRIVATE_CHANNEL
        with self.refused(Temporary, "telegram.chat_moved") as caught:
            self.commit(session)
        assert caught.value.new_identity_id == str(PRIVATE_CHANNEL)
        self.commit(replace(session, config={**session.config, **caught.value.new_config}))
        assert server.accepted[0]["account"] == str(PRIVATE_CHANNEL)

    def test_a_proxy_that_finds_the_upload_too_large_refuses_it(self, server: FakeBotApi) -> None:
        media = picture()
        session = self.session(server, media)
        server.fault("/sendPhoto", status=413, body="<html>413 Request Entity Too Large</html>")
        with self.refused(ContentRejected, "telegram.image_refused"):
            self.commit(session, "Hi", media)

    def test_a_strip_of_a_picture_is_refused(self, server: FakeBotApi) -> None:
        media = picture(width=2100, height=100)
        with self.refused(ContentRejected, "telegram.image_refused"):
            self.commit(self.session(server, media), "Hi", media)

    def test_a_picture_that_cannot_be_read_is_noticed_before_sending(self, server: FakeBotApi) -> None:
        def gone() -> BinaryIO:
            raise FileNotFoundError("p1.jpg")

        media = replace(picture(), open=gone)
        session = self.session(server, media)
        before = len(server.seen)
        with self.refused(Temporary, "media_unreadable"):
            self.commit(session, "Hi", media)
        assert len(server.seen) == before

    def test_an_unknown_403_needs_the_owner_and_an_unknown_400_a_look(self, server: FakeBotApi) -> None:
        session = self.session(server)
        self.refuse(server, 403, "Forbidden: the stars are wrong")
        with self.refused(ReconnectNeeded, "telegram.forbidden"):
            self.commit(session)
        self.refuse(server, 400, "Bad Request: the stars are wrong")
        with self.refused(OutcomeUnknown, "unexpected_answer"):
            self.commit(session)

    def test_nobody_can_look_a_message_up(self, server: FakeBotApi) -> None:
        session = self.session(server)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        before = len(server.seen)
        assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == CannotTell("no_read_back")
        assert len(server.seen) == before
        assert PLATFORM.settle_seconds is None
        assert not PLATFORM.repeat_is_safe

    @pytest.mark.parametrize(
        ("status", "description", "code"),
        [
            (403, "Forbidden: bot was kicked from the channel chat", "telegram.kicked"),
            (403, "Forbidden: bot was kicked from the supergroup chat", "telegram.kicked"),
            (403, "Forbidden: bot is not a member of the channel chat", "telegram.not_a_member"),
            (403, "Forbidden: bot was blocked by the user", "telegram.blocked"),
            (403, "Forbidden: bot can't initiate conversation with a user", "telegram.blocked"),
            (403, "Forbidden: the group chat was deleted", "telegram.chat_gone"),
            (403, "Forbidden: user is deactivated", "telegram.chat_gone"),
            (400, "Bad Request: chat not found", "telegram.chat_not_found"),
            (400, "Bad Request: not enough rights to send text messages to the chat", "telegram.no_right_to_post"),
            (400, "Bad Request: need administrator rights in the channel chat", "telegram.no_right_to_post"),
            (400, "Bad Request: have no rights to send a message", "telegram.no_right_to_post"),
            (400, "Bad Request: CHAT_WRITE_FORBIDDEN", "telegram.no_right_to_post"),
            (401, "Unauthorized: invalid token specified", "telegram.wrong_token"),
            (400, "Bad Request: can't parse entities: unsupported start tag", "telegram.text_refused"),
            (400, "Bad Request: message is too long", "telegram.text_refused"),
            (400, "Bad Request: text is too long", "telegram.text_refused"),
            (400, "Bad Request: message caption is too long", "telegram.text_refused"),
            (400, "Bad Request: message text is empty", "telegram.text_refused"),
            (400, "Bad Request: wrong file identifier/HTTP URL specified", "telegram.image_refused"),
            (400, "Bad Request: message to be replied not found", "telegram.reply_gone"),
            (400, "Bad Request: replied message not found", "telegram.reply_gone"),
            (400, "Bad Request: message thread not found", "telegram.topic_gone"),
            (400, "Bad Request: TOPIC_CLOSED", "telegram.topic_gone"),
            (400, "Bad Request: TOPIC_DELETED", "telegram.topic_gone"),
            (400, "Bad Request: BUTTON_URL_INVALID", "telegram.button_refused"),
            (400, "Bad Request: inline keyboard button URL 'x' is invalid: Wrong HTTP URL", "telegram.button_refused"),
            (400, "Bad Request: file must be non-empty", "telegram.image_refused"),
            (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", "telegram.image_refused"),
            (400, "Bad Request: Photo has unsupported extension", "telegram.image_refused"),
            (400, "Bad Request: can't use the media of the specified type in the album", "telegram.album_refused"),
            (400, "Bad Request: too many messages to send as an album", "telegram.album_refused"),
        ],
    )
    def test_documented_refusals(self, server: FakeBotApi, status: int, description: str, code: str) -> None:
        session = self.session(server)
        self.refuse(server, status, description)
        content_codes = {texts.code for texts in CONTENT_TEXTS}
        with self.refused(ContentRejected if code in content_codes else ReconnectNeeded, code) as caught:
            self.commit(session)
        assert caught.value.detail == description
        assert not server.accepted


@pytest.mark.parametrize("texts", ACCESS_TEXTS + CONTENT_TEXTS)
def test_the_beginnings_are_in_lower_case(texts: Texts) -> None:
    assert texts.beginnings == tuple(beginning.lower() for beginning in texts.beginnings)
