"""How a video goes to TikTok in chunks, what may break, and what is known after silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from posts.platforms import _tiktok_upload as upload
from posts.platforms.tiktok import PLATFORM
from posts.publishing.errors import NotReady, OutcomeUnknown, PublishError, RateLimited, Temporary, TokenExpired
from posts.publishing.platform import Session
from posts.publishing.types import Absent, CannotTell, Content, Found, MediaFile
from tests.posts.platforms.contract import KEY, KEYED_AT, MemoryCheckpoints, an_http, picture, video
from tests.posts.platforms.fake_tiktok import TOKENS, FakeTikTok, as_a_process, error_body
from tests.posts.platforms.test_tiktok import CHUNK, CREATOR, PHOTOS_INIT, STATUS, VIDEO_INIT, now
from tests.posts.platforms.test_tiktok import TestTikTok as TikTokSteps

MB = 1_000_000
FILM_BYTES = 35 * MB + 123  # three chunks, the last one with what is left over
TIKTOK = TikTokSteps()


@pytest.fixture
def server() -> Iterator[FakeTikTok]:
    with FakeTikTok() as server:
        yield server


@pytest.fixture(scope="module")
def film() -> MediaFile:
    return video("film", FILM_BYTES)


def begun(server: FakeTikTok, *media: MediaFile) -> tuple[Session, MemoryCheckpoints]:
    return TIKTOK.session(server, *media), MemoryCheckpoints()


def prepared(server: FakeTikTok, *media: MediaFile, text: str = "Hello", **options: Any) -> tuple[Session, Any]:
    session = TIKTOK.session(server, *media)
    return session, PLATFORM.prepare(session, TIKTOK.content(text, *media, **options), MemoryCheckpoints())


def ranges(server: FakeTikTok) -> list[str]:
    return [seen.headers["content-range"] for seen in server.seen if seen.path == CHUNK]


# Chunks


@pytest.mark.parametrize(
    ("total", "size", "count"),
    [
        (1, 1, 1),
        (4 * MB, 4 * MB, 1),
        (5 * MB, 5 * MB, 1),
        (19_999_999, 19_999_999, 1),
        (20 * MB, 10 * MB, 2),
        (50_000_123, 10 * MB, 5),  # the example of the guide
        (4_000 * MB, 10 * MB, 400),
    ],
)
def test_how_a_video_is_cut(total: int, size: int, count: int) -> None:
    chunks = upload.chunks_of(total)
    assert chunks == (size, count)
    last = total - chunks.last_at
    assert count == total // size or count == 1
    assert size <= last <= 128 * MB


def test_all_but_the_last_chunk_are_sent_ahead(server: FakeTikTok, film: MediaFile) -> None:
    session, checkpoints = begun(server, film)
    snapshot = PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints)
    assert server.paths()[-4:] == [CREATOR, VIDEO_INIT, CHUNK, CHUNK]
    assert server.seen[-3].json()["source_info"] == {
        "source": "FILE_UPLOAD",
        "video_size": FILM_BYTES,
        "chunk_size": 10 * MB,
        "total_chunk_count": 3,
    }
    assert ranges(server) == [f"bytes 0-9999999/{FILM_BYTES}", f"bytes 10000000-19999999/{FILM_BYTES}"]
    assert checkpoints.told == (20 * MB, FILM_BYTES, "uploaded")
    assert not server.accepted
    published = PLATFORM.commit(session, snapshot)
    assert ranges(server)[-1] == f"bytes 20000000-35000122/{FILM_BYTES}"
    assert not published.settled
    assert server.uploads[published.id].data == film.read()
    assert len(server.accepted) == 1


def test_the_address_of_the_upload_is_sealed_everywhere(server: FakeTikTok) -> None:
    session, checkpoints = begun(server)
    turned = replace(session, seal=lambda text: text[::-1], unseal=lambda text: text[::-1])
    snapshot = PLATFORM.prepare(turned, TIKTOK.content(), checkpoints)
    assert "secret-upload-token" not in repr(checkpoints.stored) + repr(snapshot)
    PLATFORM.commit(turned, snapshot)
    assert len(server.accepted) == 1


@pytest.mark.parametrize("after", [False, True], ids=["not stored", "stored"])
def test_an_upload_goes_on_where_tiktok_says_it_is(server: FakeTikTok, film: MediaFile, after: bool) -> None:
    session, checkpoints = begun(server, film)
    server.fault(CHUNK, kind="cut", after=after)
    with TIKTOK.refused(Temporary, "connection_lost"):
        PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints)
    before = len(server.seen)
    snapshot = PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints)
    assert server.paths()[before:] == [STATUS, *[CHUNK] * (1 if after else 2)]
    PLATFORM.commit(session, snapshot)
    assert server.uploads["v_pub_file~v2-1.1"].data == film.read()
    assert len(server.uploads) == 1


def test_a_crash_before_the_announcement_was_kept_announces_again_and_posts_once(server: FakeTikTok) -> None:
    session, checkpoints = begun(server)
    server.fault(VIDEO_INIT, kind="cut", after=True)
    with TIKTOK.refused(Temporary, "connection_lost"):
        PLATFORM.prepare(session, TIKTOK.content(), checkpoints)
    PLATFORM.commit(session, PLATFORM.prepare(session, TIKTOK.content(), checkpoints))
    assert len(server.uploads) == 2
    assert len(server.accepted) == 1


def test_a_fault_after_progress_uses_up_no_attempt(server: FakeTikTok, film: MediaFile) -> None:
    session, checkpoints = begun(server, film)
    server.fault(CHUNK, status=206, body="", after=True)
    server.fault(CHUNK, status=502, body="<html>bad gateway</html>")
    with TIKTOK.refused(NotReady, "upload_continues"):
        PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints)
    assert checkpoints.stored["upload"]["offset"] == 10 * MB
    PLATFORM.commit(session, PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints))
    assert server.uploads["v_pub_file~v2-1.1"].data == film.read()


def test_without_a_word_on_how_much_has_arrived_the_checkpoint_counts(server: FakeTikTok, film: MediaFile) -> None:
    session, checkpoints = begun(server, film)
    PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints)
    server.states = [{"status": "PROCESSING_UPLOAD"}]
    snapshot = PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints)
    assert snapshot["offset"] == 20 * MB


def test_an_upload_whose_hour_is_over_is_begun_anew(server: FakeTikTok) -> None:
    session, checkpoints = begun(server)
    PLATFORM.prepare(session, TIKTOK.content(), checkpoints)
    later = replace(session, now=lambda: now() + timedelta(minutes=59))
    snapshot = PLATFORM.prepare(later, TIKTOK.content(), checkpoints)
    assert snapshot["publish_id"] == "v_pub_file~v2-1.2"
    assert server.paths()[-2:] == [CREATOR, VIDEO_INIT]


def test_an_upload_that_tiktok_does_not_know_is_begun_anew(server: FakeTikTok) -> None:
    session, checkpoints = begun(server)
    PLATFORM.prepare(session, TIKTOK.content(), checkpoints)
    server.refuses[STATUS] = "invalid_publish_id"
    assert PLATFORM.prepare(session, TIKTOK.content(), checkpoints)["publish_id"] == "v_pub_file~v2-1.2"


@pytest.mark.parametrize(
    ("status", "kind", "code", "restart"),
    [
        (206, Temporary, "tiktok.upload_incomplete", False),
        (400, Temporary, "tiktok.upload_refused", False),
        (403, Temporary, "tiktok.upload_gone", True),
        (404, Temporary, "tiktok.upload_gone", True),
        (416, Temporary, "tiktok.upload_refused", False),
        (200, OutcomeUnknown, "bad_answer", False),
        (500, OutcomeUnknown, "server_error", False),
        (502, OutcomeUnknown, "server_error", False),
        (418, OutcomeUnknown, "unexpected_answer", False),
    ],
)
def test_answers_to_the_last_chunk(
    server: FakeTikTok, status: int, kind: type[PublishError], code: str, restart: bool
) -> None:
    session, snapshot = prepared(server)
    server.fault(CHUNK, status=status, body="")
    with TIKTOK.refused(kind, code) as caught:
        PLATFORM.commit(session, snapshot)
    assert getattr(caught.value, "restart", False) is restart


def test_a_chunk_in_the_wrong_place_is_put_right_by_asking(server: FakeTikTok, film: MediaFile) -> None:
    session, checkpoints = begun(server, film)
    PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints)
    snapshot = PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints)
    server.uploads[snapshot["publish_id"]].arrived = 10 * MB
    with TIKTOK.refused(Temporary, "tiktok.upload_refused"):
        PLATFORM.commit(session, snapshot)
    server.uploads[snapshot["publish_id"]].data = film.piece(0, 10 * MB)
    PLATFORM.commit(session, PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints))
    assert server.uploads[snapshot["publish_id"]].data == film.read()


def test_an_upload_that_has_expired_at_tiktok_starts_over(server: FakeTikTok, film: MediaFile) -> None:
    session, checkpoints = begun(server, film)
    server.fault(CHUNK, status=403, body="")
    with TIKTOK.refused(Temporary, "tiktok.upload_gone") as caught:
        PLATFORM.prepare(session, TIKTOK.content("Long", film), checkpoints)
    assert caught.value.restart


def test_an_announcement_without_an_address_is_no_answer(server: FakeTikTok) -> None:
    session, checkpoints = begun(server)
    ok = {"code": "ok", "message": "", "log_id": "1"}
    for data in ({}, {"publish_id": "p"}, {"publish_id": "p", "upload_url": "nowhere"}):
        server.fault(VIDEO_INIT, status=200, body={"data": data, "error": ok})
        with TIKTOK.refused(Temporary, "bad_answer"):
            PLATFORM.prepare(session, TIKTOK.content(), checkpoints)
    assert "upload" not in checkpoints.stored


def test_a_film_that_is_gone_from_the_disk_is_temporary(server: FakeTikTok) -> None:
    session, snapshot = prepared(server)
    with TIKTOK.refused(Temporary, "media_unreadable"):
        PLATFORM.commit(replace(session, media={}), snapshot)


# Silence


def test_a_lost_answer_is_found_by_the_publish_id(server: FakeTikTok) -> None:
    session, snapshot = prepared(server)
    server.fault(CHUNK, kind="cut", after=True)
    with TIKTOK.refused(OutcomeUnknown, "connection_lost"):
        PLATFORM.commit(session, snapshot)
    finding = PLATFORM.find(replace(session, media={}), snapshot, now())
    assert isinstance(finding, Found)
    assert not finding.published.settled
    assert PLATFORM.settle(session, snapshot, finding.published).url.startswith("https://www.tiktok.com/@ada.films/")


def test_a_lost_chunk_is_absent_and_safe_to_send_again(server: FakeTikTok, film: MediaFile) -> None:
    session, snapshot = prepared(server, film)
    server.fault(CHUNK, kind="cut")
    with TIKTOK.refused(OutcomeUnknown, "connection_lost"):
        PLATFORM.commit(session, snapshot)
    assert PLATFORM.find(session, snapshot, now()) == Absent()
    assert PLATFORM.repeat_is_safe
    again = replace(session, sent_before=True)
    first = PLATFORM.commit(again, snapshot)
    assert PLATFORM.commit(again, snapshot).id == first.id
    assert len(server.accepted) == 1


def test_a_repeat_of_what_tiktok_does_not_know_starts_over(server: FakeTikTok) -> None:
    session, snapshot = prepared(server)
    server.uploads.clear()
    with TIKTOK.refused(Temporary, "tiktok.upload_gone") as caught:
        PLATFORM.commit(replace(session, sent_before=True), snapshot)
    assert caught.value.restart


def test_a_repeat_that_would_leave_a_gap_is_prepared_anew(server: FakeTikTok, film: MediaFile) -> None:
    session, snapshot = prepared(server, film)
    server.uploads[snapshot["publish_id"]].arrived = 0
    before = len(ranges(server))
    with TIKTOK.refused(Temporary, "tiktok.upload_incomplete"):
        PLATFORM.commit(replace(session, sent_before=True), snapshot)
    assert len(ranges(server)) == before


@pytest.mark.parametrize(
    ("status", "finding"),
    [
        ({"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0}, Absent()),
        ({"status": "PROCESSING_UPLOAD", "uploaded_bytes": 4095}, Absent()),
        ({"status": "PROCESSING_UPLOAD"}, CannotTell("tiktok.status_unclear", look_again=True)),
        ({"status": "PROCESSING_UPLOAD", "uploaded_bytes": 4096}, Found),
        ({"status": "PUBLISH_COMPLETE"}, Found),
        ({"status": "FAILED", "fail_reason": "spam_risk"}, Found),  # settling says so
    ],
)
def test_what_a_status_says_about_a_lost_answer(server: FakeTikTok, status: dict[str, Any], finding: Any) -> None:
    session, snapshot = prepared(server)
    server.states = [status]
    found = PLATFORM.find(session, snapshot, now())
    assert isinstance(found, Found) if finding is Found else found == finding


@pytest.mark.parametrize("code", ["invalid_publish_id", "token_not_authorized_for_specified_publish_id"])
def test_a_publish_id_that_tiktok_does_not_know_tells_nothing(server: FakeTikTok, code: str) -> None:
    session, snapshot = prepared(server)
    server.refuses[STATUS] = code
    assert PLATFORM.find(session, snapshot, now()) == CannotTell("tiktok.publish_unknown")


@pytest.mark.parametrize(
    ("code", "kind"), [("access_token_invalid", TokenExpired), ("rate_limit_exceeded", RateLimited)]
)
def test_a_look_up_that_is_refused_says_so(server: FakeTikTok, code: str, kind: type[PublishError]) -> None:
    session, snapshot = prepared(server)
    server.refuses[STATUS] = code
    with TIKTOK.refused(kind):
        PLATFORM.find(session, snapshot, now())


# Silence after photos


def lost_photos(server: FakeTikTok, text: str = "Look at this", **options: Any) -> tuple[Session, Any, datetime]:
    session, snapshot = prepared(server, picture(), text=text, **options)
    marked_at = now()
    server.fault(PHOTOS_INIT, kind="cut", after=True)
    with TIKTOK.refused(OutcomeUnknown, "connection_lost"):
        PLATFORM.commit(session, snapshot)
    return session, snapshot, marked_at


@pytest.mark.parametrize("text", ["Look at this", "Many words. " * 40], ids=["whole", "cut to 150 characters"])
def test_photos_are_found_in_the_list_by_how_their_text_begins(server: FakeTikTok, text: str) -> None:
    session, snapshot, marked_at = lost_photos(server, text)
    finding = PLATFORM.find(session, snapshot, marked_at)
    assert server.seen[-1].query == {"fields": "id,title,video_description,create_time,share_url"}
    assert server.seen[-1].json() == {"max_count": 20}
    assert isinstance(finding, Found)
    assert finding.published.settled
    assert finding.published.id == server.posts[0]["id"]
    assert finding.published.url == server.posts[0]["share_url"]


@pytest.mark.parametrize("case", ["not listed yet", "two of them", "older", "other text", "short beginning"])
def test_photos_are_not_found_unless_there_is_exactly_one(server: FakeTikTok, case: str) -> None:
    session, snapshot, marked_at = lost_photos(server)
    match case:
        case "not listed yet":
            server.posts.clear()
        case "two of them":
            server.posts.append({**server.posts[0], "id": "1"})
        case "older":
            server.posts[0]["create_time"] -= 3600
        case "other text":
            server.posts[0]["title"] = "Something else"
        case "short beginning":
            server.posts[0]["title"] = "Look"
    expected = CannotTell("tiktok.not_listed", look_again=case != "two of them")
    assert PLATFORM.find(session, snapshot, marked_at) == expected


def test_a_foreign_address_in_the_list_is_not_shown(server: FakeTikTok) -> None:
    session, snapshot, marked_at = lost_photos(server)
    server.posts[0]["share_url"] = "https://tiktok.com.evil.test/1"
    finding = PLATFORM.find(session, snapshot, marked_at)
    assert isinstance(finding, Found)
    assert finding.published.url == f"https://www.tiktok.com/@ada.films/photo/{server.posts[0]['id']}"


def test_private_photos_and_logins_without_the_right_cannot_tell(server: FakeTikTok) -> None:
    session, snapshot, marked_at = lost_photos(server, privacy="SELF_ONLY")
    before = len(server.seen)
    assert PLATFORM.find(session, snapshot, marked_at) == CannotTell("tiktok.not_listed")
    without = replace(session, config={**session.config, "can_list": False})
    assert PLATFORM.find(without, snapshot, marked_at) == CannotTell("tiktok.cannot_list")
    assert len(server.seen) == before


@pytest.mark.parametrize("body", [error_body("ok"), {"data": {"publish_id": 7}, "error": {"code": "ok"}}, "<html>"])
def test_photos_without_a_publish_id_are_unknown(server: FakeTikTok, body: Any) -> None:
    session, snapshot = prepared(server, picture())
    server.fault(PHOTOS_INIT, status=200, body=body)
    with TIKTOK.refused(OutcomeUnknown, "bad_answer"):
        PLATFORM.commit(session, snapshot)


def test_the_fake_as_a_process_lets_a_films_bytes_go(film: MediaFile) -> None:
    with as_a_process(0, None) as server:
        app = TIKTOK.app(server)
        session = Session(an_http(), {}, {}, now, {"film": film}, app)
        (connection,) = PLATFORM.connections(session, TOKENS, {})
        session = replace(session, credentials=connection.credentials, config=connection.config)
        content = Content(KEY, KEYED_AT, "Film", media=(film,), options=TIKTOK.usual_options())
        PLATFORM.commit(session, PLATFORM.prepare(session, content, MemoryCheckpoints()))
        assert server.accepted[0]["size"] == FILM_BYTES
        assert max(len(seen.body) for seen in server.seen) == server.keeps_bytes
