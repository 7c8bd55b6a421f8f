"""Files at servers with Mastodon's API: sent once, waited for, sent again where they are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from posts.platforms.mastodon import PLATFORM
from posts.publishing.errors import ContentRejected, NotReady, Temporary
from tests.posts.platforms import test_mastodon
from tests.posts.platforms.contract import MemoryCheckpoints, content, picture, video
from tests.posts.platforms.fake_mastodon import FakeMastodon

STEPS = test_mastodon.TestMastodon()


@pytest.fixture
def server() -> Iterator[FakeMastodon]:
    with FakeMastodon() as server:
        yield server


def test_a_video_is_waited_for_without_being_sent_again(server: FakeMastodon) -> None:
    media, checkpoints = video(size_bytes=3_000_000), MemoryCheckpoints()
    server.processing_looks = 2
    session = STEPS.session(server, media)
    for _ in range(2):
        with STEPS.refused(NotReady, "media_processing"):
            PLATFORM.prepare(session, content("A film", media), checkpoints)
    snapshot = PLATFORM.prepare(session, content("A film", media), checkpoints)
    assert PLATFORM.prepare(session, content("A film", media), checkpoints)["body"] == snapshot["body"]
    (media_id,) = server.uploads
    assert server.paths()[2:] == ["/api/v2/media", *[f"/api/v1/media/{media_id}"] * 3]
    assert server.seen[2].parts()["file"] == (media.filename, media.read())
    assert checkpoints.told == (media.size_bytes, media.size_bytes, "uploaded")
    PLATFORM.commit(session, snapshot)
    assert server.accepted[0]["asked"] == {"status": "A film", "media_ids": [media_id]}


def test_a_video_brings_its_own_picture(server: FakeMastodon) -> None:
    media = replace(video(), cover=picture("cover"))
    server.processing_looks = 0
    STEPS.commit(STEPS.session(server, media), "A film", media)
    upload = next(seen for seen in server.seen if seen.path == "/api/v2/media")
    assert upload.parts()["thumbnail"] == ("cover.jpg", picture("cover").read())


def test_an_animation_is_sent_as_it_is(server: FakeMastodon) -> None:
    media = replace(picture("a"), mime_type="image/gif", kind="gif", filename="a.gif")
    server.processing_looks = 0
    STEPS.commit(STEPS.session(server, media), "", media)
    assert [upload.kind for upload in server.uploads.values()] == ["gifv"]


def test_a_file_without_alt_text_has_no_description(server: FakeMastodon) -> None:
    media = picture(alt_text="")
    STEPS.commit(STEPS.session(server, media), "Hi", media)
    assert set(server.seen[-2].parts()) == {"file"}


def test_pictures_keep_their_order_and_each_is_sent_once_over_crashes(server: FakeMastodon) -> None:
    media = tuple(picture(f"p{n}") for n in range(3))
    session, checkpoints = STEPS.session(server, *media), MemoryCheckpoints()
    server.fault("/api/v2/media", kind="cut")
    with STEPS.refused(Temporary, "connection_lost"):
        PLATFORM.prepare(session, content("Three", *media), checkpoints)
    first = PLATFORM.prepare(session, content("Three", *media), checkpoints)
    del checkpoints.stored["media:p2"]
    again = PLATFORM.prepare(session, content("Three", *media), checkpoints)
    ids = [*server.uploads]
    assert first["body"]["media_ids"] == ids[:3]
    assert again["body"]["media_ids"] == [*ids[:2], ids[3]]
    assert again["key"] == first["key"]
    assert server.paths().count("/api/v2/media") == 5


def test_a_file_refused_while_it_is_processed_is_uploaded_anew_on_a_retry(server: FakeMastodon) -> None:
    media, checkpoints = video(), MemoryCheckpoints()
    session = STEPS.session(server, media)
    STEPS.refuse(server, 422, "Error processing thumbnail for uploaded media", "/api/v1/media/")
    with STEPS.refused(ContentRejected, "mastodon.media_refused"):
        PLATFORM.prepare(session, content("", media), checkpoints)
    assert not checkpoints.stored


def test_a_file_that_is_gone_while_it_is_processed_is_uploaded_again(server: FakeMastodon) -> None:
    media, checkpoints = video(), MemoryCheckpoints()
    session = STEPS.session(server, media)
    STEPS.refuse(server, 404, "Record not found", "/api/v1/media/")
    with STEPS.refused(Temporary, "mastodon.media_gone"):
        PLATFORM.prepare(session, content("", media), checkpoints)
    with STEPS.refused(NotReady):
        PLATFORM.prepare(session, content("", media), checkpoints)
    assert server.paths().count("/api/v2/media") == 2


def test_files_that_expired_are_uploaded_again(server: FakeMastodon) -> None:
    media = picture()
    session = STEPS.session(server, media)
    snapshot = PLATFORM.prepare(session, content("Hi", media), MemoryCheckpoints())
    server.uploads.clear()
    with STEPS.refused(Temporary, "mastodon.media_taken") as caught:
        PLATFORM.commit(session, snapshot)
    assert caught.value.restart
