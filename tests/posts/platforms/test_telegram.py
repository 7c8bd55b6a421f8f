from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from posts.platforms._telegram_bot import ACCESS_TEXTS, CONTENT_TEXTS, Texts
from posts.platforms.telegram import PLATFORM
from posts.publishing.errors import ContentRejected, OutcomeUnknown, RateLimited, ReconnectNeeded, Temporary
from posts.publishing.types import CannotTell, Draft, MediaFile
from tests.posts.platforms.contract import MemoryCheckpoints, PlatformContract, content, picture, video
from tests.posts.platforms.fake_bot_api import CHANNEL, FORUM, GROUP, PRIVATE_CHANNEL, TOKEN, TOPIC, FakeBotApi

BUTTONS = ["Read | it | https://a.example/x?y=1", "Join|tg://resolve?domain=news"]


def animation(key: str = "g1") -> MediaFile:
    return replace(video(key, mime_type="image/gif"), filename=f"{key}.gif", kind="gif")


def document(key: str = "d1") -> MediaFile:
    plain = video(key, mime_type="application/pdf")
    return replace(plain, filename=f"{key}.pdf", kind="document", width=0, height=0, duration_seconds=0)


class Watched(io.BytesIO):
    """A stream that remembers how much of it was asked for at once, and is counted while it is open."""

    largest = 0
    still_open = 0

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        Watched.still_open += 1

    def read(self, size: int | None = -1) -> bytes:
        chunk = super().read(size)
        Watched.largest = max(Watched.largest, len(chunk))
        return chunk

    def close(self) -> None:
        if not self.closed:
            Watched.still_open -= 1
        super().close()


class TestTelegram(PlatformContract):
    platform = PLATFORM
    commit_path = "/sendMessage"
    picture_path = "/sendPhoto"
    login_path = "/getMe"
    server_config = "api_url"
    secret_field = "token"

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

    # Videos, animations, documents

    def test_a_video_goes_with_what_players_show_first(self, server: FakeBotApi) -> None:
        film = replace(video(seconds=5.6), cover=picture("cover"))
        self.commit(self.session(server, film), "Look", film)
        assert server.seen[-1].path.endswith("/sendVideo")
        assert server.seen[-1].parts() == {
            "chat_id": ("", str(CHANNEL).encode()),
            "caption": ("", b"Look"),
            "width": ("", b"640"),
            "height": ("", b"360"),
            "duration": ("", b"6"),
            "supports_streaming": ("", b"true"),
            "video": ("v1.mp4", film.read()),
            "cover": ("cover.jpg", picture("cover").read()),
        }

    def test_an_animation_and_a_document_have_methods_of_their_own(self, server: FakeBotApi) -> None:
        for media, method in ((animation(), "sendAnimation"), (document(), "sendDocument")):
            self.commit(self.session(server, media), "", media)
            assert server.seen[-1].path.endswith(f"/{method}")
        first, second = server.accepted
        assert set(first["asked"]) == {"chat_id", "width", "height", "duration"}
        assert set(second["asked"]) == {"chat_id"}

    def test_pictures_and_videos_share_an_album(self, server: FakeBotApi) -> None:
        media = (picture("a"), replace(video("b"), cover=picture("cover")), picture("c"))
        self.commit(self.session(server, *media), "Three", *media)
        (sent,) = server.accepted
        film = {"type": "video", "media": "attach://f1", "width": 640, "height": 360, "duration": 5}
        assert sent["asked"]["media"] == [
            {"type": "photo", "media": "attach://f0", "caption": "Three"},
            film | {"supports_streaming": True, "cover": "attach://c1"},
            {"type": "photo", "media": "attach://f2"},
        ]
        assert set(server.seen[-1].parts()) == {"chat_id", "media", "f0", "f1", "c1", "f2"}

    def test_documents_make_an_album(self, server: FakeBotApi) -> None:
        media = (document("a"), document("b"))
        assert self.commit(self.session(server, *media), "Two", *media).response["message_ids"] == [101, 102]
        assert {item["type"] for item in server.accepted[0]["asked"]["media"]} == {"document"}

    def test_a_large_file_is_sent_in_pieces_and_closed(self, server: FakeBotApi) -> None:
        body = bytes(3_000_000)
        media = replace(video(size_bytes=len(body)), open=lambda: Watched(body))
        Watched.largest = 0
        self.commit(self.session(server, media), "", media)
        assert server.accepted[0]["sizes"] == [3_000_000]
        assert 0 < Watched.largest <= 1 << 20
        assert Watched.still_open == 0

    def test_files_are_closed_when_sending_fails_and_when_another_cannot_be_opened(self, server: FakeBotApi) -> None:
        def gone() -> io.BytesIO:
            raise FileNotFoundError("v2.mp4")

        media = (replace(video("v1"), open=lambda: Watched(b"x")), replace(video("v2"), open=gone))
        session = self.session(server, *media)
        with self.refused(Temporary, "media_unreadable"):
            self.commit(session, "", *media)
        server.fault("/sendVideo", kind="cut")
        with self.refused(OutcomeUnknown, "connection_lost"):
            self.commit(session, "", media[0])
        assert Watched.still_open == 0

    def test_a_server_of_ones_own_takes_larger_files(self, server: FakeBotApi) -> None:
        config = self.connect(server).config
        for able, most in (
            (PLATFORM.capabilities_for(config), 2_000_000_000),
            (PLATFORM.capabilities_for({**config, "api_url": "https://api.telegram.org"}), 50_000_000),
        ):
            assert able.videos
            assert able.gifs
            assert able.documents
            assert able.videos.max_bytes == able.gifs.max_bytes == able.documents.max_bytes == most
            assert able.images.max_bytes == 10_000_000

    @pytest.mark.parametrize(
        ("media", "buttons", "codes"),
        [
            ((picture("a"), animation("b")), [], ["telegram.animation_alone"]),
            ((picture("a"), document("b")), [], ["telegram.documents_apart"]),
            (tuple(picture(f"p{n}") for n in range(11)), [], ["telegram.too_many_files"]),
            ((picture("a"), picture("b")), BUTTONS, ["telegram.buttons_on_album"]),
            (
                (),
                ["Read https://a.example", "|https://a.example", "Read | a.example"],
                ["telegram.button_malformed"] * 3,
            ),
            ((picture("a"), video("b")), [], []),
            ((document("a"),), BUTTONS, []),
        ],
    )
    def test_what_does_not_go_together_is_said_before_and_never_sent(
        self, server: FakeBotApi, media: tuple[MediaFile, ...], buttons: list[str], codes: list[str]
    ) -> None:
        draft = Draft(("Hi",), media, {"buttons": buttons})
        found = PLATFORM.problems(draft, {})
        assert [remark.code for remark in found] == codes
        assert all(remark.code in PLATFORM.words for remark in found)
        session = self.session(server, *media)
        if codes:
            with self.refused(ContentRejected, codes[0]):
                PLATFORM.prepare(session, replace(content("Hi", *media), options=draft.options), MemoryCheckpoints())

    # Options, topics, threads

    def test_what_a_person_may_choose(self, server: FakeBotApi) -> None:
        chosen = {"silent": True, "protected": True, "spoiler": True, "no_preview": True, "buttons": BUTTONS}
        media = picture()
        session = self.session(server, media)
        for files in ((), (media,), (media, video())):
            options = chosen if len(files) < 2 else {**chosen, "buttons": []}
            post = replace(content("Hi", *files), options=options)
            session = replace(session, media={each.key: each for each in files})
            PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
        text, photo, album = (sent["asked"] for sent in server.accepted)
        rows = [
            [{"text": "Read | it", "url": "https://a.example/x?y=1"}],
            [{"text": "Join", "url": "tg://resolve?domain=news"}],
        ]
        common = {"disable_notification": True, "protect_content": True}
        shown = {"reply_markup": {"inline_keyboard": rows}}
        to = {"chat_id": CHANNEL}
        assert text == to | common | shown | {"text": "Hi", "link_preview_options": {"is_disabled": True}}
        assert photo == {"chat_id": str(CHANNEL)} | common | shown | {"caption": "Hi", "has_spoiler": True}
        assert all(item["has_spoiler"] for item in album.pop("media"))
        assert album == {"chat_id": str(CHANNEL)} | common

    def test_what_is_not_chosen_is_not_sent(self, server: FakeBotApi) -> None:
        post = replace(content("Hi"), options={"silent": False, "protected": False, "no_preview": False, "buttons": []})
        session = self.session(server)
        PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
        assert server.seen[-1].json() == {"chat_id": CHANNEL, "text": "Hi"}

    def test_a_refused_button_is_shown_at_the_buttons(self, server: FakeBotApi) -> None:
        session = self.session(server)
        post = replace(content("Hi"), options={"buttons": ["Here | http://localhost/"]})
        with self.refused(ContentRejected, "telegram.button_refused") as caught:
            PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
        assert caught.value.field == "buttons"

    def test_a_thread_answers_the_message_before(self, server: FakeBotApi) -> None:
        media = (picture("a"), picture("b"))
        session = self.session(server, *media)
        texts = ("One", "Two", "Three")
        posts = [
            replace(content(text, *(media if part == 0 else ())), part=part, parts=3, options={"silent": True})
            for part, text in enumerate(texts)
        ]
        snapshots = [PLATFORM.prepare(session, post, MemoryCheckpoints()) for post in posts]
        for snapshot in snapshots:
            session = replace(session, thread=(*session.thread, PLATFORM.commit(session, snapshot)))
        assert [sent["answers"] for sent in server.accepted] == [None, 101, 103]
        assert all(sent["asked"]["disable_notification"] for sent in server.accepted)

    def test_only_the_first_part_has_the_buttons(self, server: FakeBotApi) -> None:
        session = self.session(server)
        later = replace(content("Two"), part=1, parts=2, options={"buttons": BUTTONS})
        first = PLATFORM.commit(session, PLATFORM.prepare(session, replace(later, part=0), MemoryCheckpoints()))
        session = replace(session, thread=(first,))
        PLATFORM.commit(session, PLATFORM.prepare(session, later, MemoryCheckpoints()))
        assert ["reply_markup" in sent["asked"] for sent in server.accepted] == [True, False]

    def test_a_part_whose_predecessor_was_deleted_is_refused(self, server: FakeBotApi) -> None:
        session = self.session(server)
        first = self.commit(session, "One")
        server.message_ids.clear()
        second = PLATFORM.prepare(session, replace(content("Two"), part=1, parts=2), MemoryCheckpoints())
        with self.refused(ContentRejected, "telegram.reply_gone"):
            PLATFORM.commit(replace(session, thread=(first,)), second)

    def test_a_topic_is_an_account_of_its_own(self, server: FakeBotApi) -> None:
        connection = self.connect(server, chat=str(FORUM), topic=str(TOPIC))
        assert (connection.identity.id, connection.identity.name) == (f"{FORUM}/{TOPIC}", f"Forum, topic {TOPIC}")
        session = replace(self.session(server), config=connection.config)
        assert PLATFORM.check(session).identity == connection.identity
        self.commit(session)
        media = picture()
        self.commit(replace(session, media={media.key: media}), "Look", media)
        assert [sent["asked"]["message_thread_id"] for sent in server.accepted] == [TOPIC, TOPIC]
        server.topics.clear()
        with self.refused(ReconnectNeeded, "telegram.topic_gone"):
            self.commit(session)

    @pytest.mark.parametrize("topic", ["0", "-5", "five", "5/77"])
    def test_a_topic_is_a_number(self, server: FakeBotApi, topic: str) -> None:
        with self.refused(ReconnectNeeded, "telegram.topic_malformed"):
            self.connect(server, topic=topic)
        assert not server.seen

    def test_a_topic_moves_with_its_group(self, server: FakeBotApi) -> None:
        server.member = {"status": "creator"}
        session = replace(self.session(server), config=self.connect(server, chat=str(GROUP), topic="5").config)
        server.moved[GROUP] = PRIVATE_CHANNEL
        with self.refused(Temporary, "telegram.chat_moved") as caught:
            self.commit(session)
        assert caught.value.new_identity_id == f"{PRIVATE_CHANNEL}/5"

    def test_a_snapshot_of_an_earlier_release_still_goes_out(self, server: FakeBotApi) -> None:
        media = picture()
        PLATFORM.commit(self.session(server, media), {"text": "Look", "media": [media.key]})
        self.check_picture_request(server, media)

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
        def gone() -> bytes:
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
