"""What a Telegram message can be beside a text with pictures: videos, albums, buttons, topics, threads."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from posts.platforms.telegram import PLATFORM
from posts.publishing.errors import ContentRejected, OutcomeUnknown, PublishError, ReconnectNeeded, Temporary
from posts.publishing.platform import Session
from posts.publishing.types import Connection, Draft, MediaFile, Published
from posts.publishing.words import WORDS
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture, video
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


@pytest.fixture
def server() -> Iterator[FakeBotApi]:
    with FakeBotApi() as server:
        yield server


def connect(server: FakeBotApi, **answers: str) -> Connection:
    known = {"token": TOKEN, "chat": "@news_channel", "api_url": server.url}
    return PLATFORM.connect(Session(an_http(), {}, {}, lambda: datetime.now(UTC)), known | answers)


def open_session(server: FakeBotApi, *media: MediaFile) -> Session:
    connection, files = connect(server), {each.key: each for each in media}
    return Session(an_http(), connection.credentials, connection.config, lambda: datetime.now(UTC), files)


def commit(session: Session, text: str = "Hello", *media: MediaFile) -> Published:
    return PLATFORM.commit(session, PLATFORM.prepare(session, content(text, *media), MemoryCheckpoints()))


@contextmanager
def refused(kind: type[PublishError], code: str) -> Iterator[Any]:
    with pytest.raises(PublishError) as caught:
        yield caught
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert code in WORDS
    assert TOKEN not in repr(vars(caught.value))


# Videos, animations, documents


def test_a_video_goes_with_what_players_show_first(server: FakeBotApi) -> None:
    film = replace(video(seconds=5.6), cover=picture("cover"))
    commit(open_session(server, film), "Look", film)
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


def test_an_animation_and_a_document_have_methods_of_their_own(server: FakeBotApi) -> None:
    for media, method in ((animation(), "sendAnimation"), (document(), "sendDocument")):
        commit(open_session(server, media), "", media)
        assert server.seen[-1].path.endswith(f"/{method}")
    first, second = server.accepted
    assert set(first["asked"]) == {"chat_id", "width", "height", "duration"}
    assert set(second["asked"]) == {"chat_id"}


def test_pictures_and_videos_share_an_album(server: FakeBotApi) -> None:
    media = (picture("a"), replace(video("b"), cover=picture("cover")), picture("c"))
    commit(open_session(server, *media), "Three", *media)
    (sent,) = server.accepted
    film = {"type": "video", "media": "attach://f1", "width": 640, "height": 360, "duration": 5}
    assert sent["asked"]["media"] == [
        {"type": "photo", "media": "attach://f0", "caption": "Three"},
        film | {"supports_streaming": True, "cover": "attach://c1"},
        {"type": "photo", "media": "attach://f2"},
    ]
    assert set(server.seen[-1].parts()) == {"chat_id", "media", "f0", "f1", "c1", "f2"}


def test_documents_make_an_album(server: FakeBotApi) -> None:
    media = (document("a"), document("b"))
    assert commit(open_session(server, *media), "Two", *media).response["message_ids"] == [101, 102]
    assert {item["type"] for item in server.accepted[0]["asked"]["media"]} == {"document"}


def test_a_large_file_is_sent_in_pieces_and_closed(server: FakeBotApi) -> None:
    body = bytes(3_000_000)
    media = replace(video(size_bytes=len(body)), open=lambda: Watched(body))
    Watched.largest = 0
    commit(open_session(server, media), "", media)
    assert server.accepted[0]["sizes"] == [3_000_000]
    assert 0 < Watched.largest <= 1 << 20
    assert Watched.still_open == 0


def test_files_are_closed_when_sending_fails_and_when_another_cannot_be_opened(server: FakeBotApi) -> None:
    def gone() -> io.BytesIO:
        raise FileNotFoundError("v2.mp4")

    media = (replace(video("v1"), open=lambda: Watched(b"x")), replace(video("v2"), open=gone))
    session = open_session(server, *media)
    with refused(Temporary, "media_unreadable"):
        commit(session, "", *media)
    server.fault("/sendVideo", kind="cut")
    with refused(OutcomeUnknown, "connection_lost"):
        commit(session, "", media[0])
    assert Watched.still_open == 0


def test_a_server_of_ones_own_takes_larger_files(server: FakeBotApi) -> None:
    config = connect(server).config
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
    server: FakeBotApi, media: tuple[MediaFile, ...], buttons: list[str], codes: list[str]
) -> None:
    draft = Draft(("Hi",), media, {"buttons": buttons})
    found = PLATFORM.problems(draft, {})
    assert [remark.code for remark in found] == codes
    assert all(remark.code in PLATFORM.words for remark in found)
    session = open_session(server, *media)
    if codes:
        with refused(ContentRejected, codes[0]):
            PLATFORM.prepare(session, replace(content("Hi", *media), options=draft.options), MemoryCheckpoints())


# Options, topics, threads


def test_what_a_person_may_choose(server: FakeBotApi) -> None:
    chosen = {"silent": True, "protected": True, "spoiler": True, "no_preview": True, "buttons": BUTTONS}
    media = picture()
    session = open_session(server, media)
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


def test_what_is_not_chosen_is_not_sent(server: FakeBotApi) -> None:
    post = replace(content("Hi"), options={"silent": False, "protected": False, "no_preview": False, "buttons": []})
    session = open_session(server)
    PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
    assert server.seen[-1].json() == {"chat_id": CHANNEL, "text": "Hi"}


def test_a_refused_button_is_shown_at_the_buttons(server: FakeBotApi) -> None:
    session = open_session(server)
    post = replace(content("Hi"), options={"buttons": ["Here | http://localhost/"]})
    with refused(ContentRejected, "telegram.button_refused") as caught:
        PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
    assert caught.value.field == "buttons"


def test_a_thread_answers_the_message_before(server: FakeBotApi) -> None:
    media = (picture("a"), picture("b"))
    session = open_session(server, *media)
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


def test_only_the_first_part_has_the_buttons(server: FakeBotApi) -> None:
    session = open_session(server)
    later = replace(content("Two"), part=1, parts=2, options={"buttons": BUTTONS})
    first = PLATFORM.commit(session, PLATFORM.prepare(session, replace(later, part=0), MemoryCheckpoints()))
    session = replace(session, thread=(first,))
    PLATFORM.commit(session, PLATFORM.prepare(session, later, MemoryCheckpoints()))
    assert ["reply_markup" in sent["asked"] for sent in server.accepted] == [True, False]


def test_a_part_whose_predecessor_was_deleted_is_refused(server: FakeBotApi) -> None:
    session = open_session(server)
    first = commit(session, "One")
    server.message_ids.clear()
    second = PLATFORM.prepare(session, replace(content("Two"), part=1, parts=2), MemoryCheckpoints())
    with refused(ContentRejected, "telegram.reply_gone"):
        PLATFORM.commit(replace(session, thread=(first,)), second)


def test_a_topic_is_an_account_of_its_own(server: FakeBotApi) -> None:
    connection = connect(server, chat=str(FORUM), topic=str(TOPIC))
    assert (connection.identity.id, connection.identity.name) == (f"{FORUM}/{TOPIC}", f"Forum, topic {TOPIC}")
    session = replace(open_session(server), config=connection.config)
    assert PLATFORM.check(session).identity == connection.identity
    commit(session)
    media = picture()
    commit(replace(session, media={media.key: media}), "Look", media)
    assert [sent["asked"]["message_thread_id"] for sent in server.accepted] == [TOPIC, TOPIC]
    server.topics.clear()
    with refused(ReconnectNeeded, "telegram.topic_gone"):
        commit(session)


@pytest.mark.parametrize("topic", ["0", "-5", "five", "5/77"])
def test_a_topic_is_a_number(server: FakeBotApi, topic: str) -> None:
    with refused(ReconnectNeeded, "telegram.topic_malformed"):
        connect(server, topic=topic)
    assert not server.seen


def test_a_topic_moves_with_its_group(server: FakeBotApi) -> None:
    server.member = {"status": "creator"}
    session = replace(open_session(server), config=connect(server, chat=str(GROUP), topic="5").config)
    server.moved[GROUP] = PRIVATE_CHANNEL
    with refused(Temporary, "telegram.chat_moved") as caught:
        commit(session)
    assert caught.value.new_identity_id == f"{PRIVATE_CHANNEL}/5"


def test_a_snapshot_of_an_earlier_release_still_goes_out(server: FakeBotApi) -> None:
    media = picture()
    PLATFORM.commit(open_session(server, media), {"text": "Look", "media": [media.key]})
    assert set(server.seen[-1].parts()) == {"chat_id", "caption", "photo"}
