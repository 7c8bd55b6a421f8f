"""How a video is uploaded: its pieces, what may break, and what is known after silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from posts.platforms import _youtube_upload as upload
from posts.platforms.youtube import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    OutcomeUnknown,
    Temporary,
    TokenExpired,
)
from posts.publishing.platform import Session
from posts.publishing.types import Absent, App, CannotTell, Content, Found, MediaFile
from tests.posts.platforms.contract import KEY, KEYED_AT, MemoryCheckpoints, an_http, video
from tests.posts.platforms.fake_server import Answer
from tests.posts.platforms.fake_youtube import TOKENS, UPLOADS, FakeYouTube, as_a_process, error_body
from tests.posts.platforms.test_youtube import SESSION, START, now
from tests.posts.platforms.test_youtube import TestYouTube as YouTubeSteps

PIECE = upload.PIECE_BYTES
YOUTUBE = YouTubeSteps()


@pytest.fixture
def server() -> Iterator[FakeYouTube]:
    with FakeYouTube() as server:
        yield server


# Pieces


def a_film(pieces: float) -> MediaFile:
    return video("film", int(PIECE * pieces))


def test_all_but_the_last_piece_are_sent_ahead(server: FakeYouTube) -> None:
    film = a_film(2.5)
    session = YOUTUBE.session(server, film)
    checkpoints = MemoryCheckpoints()
    snapshot = PLATFORM.prepare(session, YOUTUBE.content("Long", film), checkpoints)
    ranges = [seen.headers["content-range"] for seen in server.seen if seen.method == "PUT"]
    total = film.size_bytes
    assert ranges == [f"bytes 0-{PIECE - 1}/{total}", f"bytes {PIECE}-{2 * PIECE - 1}/{total}"]
    assert checkpoints.told == (2 * PIECE, total, "uploaded")
    assert not server.accepted
    PLATFORM.commit(session, snapshot)
    assert server.seen[-1].headers["content-range"] == f"bytes {2 * PIECE}-{total - 1}/{total}"
    assert server.accepted[0]["size"] == total
    assert server.sessions["upload-1-secret"].data == film.read()


def test_the_address_of_the_upload_is_sealed_everywhere(server: FakeYouTube) -> None:
    film = a_film(1.5)
    turned = replace(YOUTUBE.session(server, film), seal=lambda text: text[::-1], unseal=lambda text: text[::-1])
    checkpoints = MemoryCheckpoints()
    snapshot = PLATFORM.prepare(turned, YOUTUBE.content("Long", film), checkpoints)
    assert "upload-1-secret" not in repr(checkpoints.stored) + repr(snapshot)
    assert "upload-1-secret"[::-1] in repr(snapshot)
    PLATFORM.commit(turned, snapshot)
    assert len(server.accepted) == 1


def test_the_address_is_kept_before_the_first_byte(server: FakeYouTube) -> None:
    film = a_film(1.5)
    session, checkpoints = YOUTUBE.session(server, film), MemoryCheckpoints()
    server.fault(SESSION, kind="cut")
    with YOUTUBE.refused(Temporary, "connection_lost"):
        PLATFORM.prepare(session, YOUTUBE.content("Long", film), checkpoints)
    assert "address" in checkpoints.stored["upload"]


def test_an_upload_goes_on_where_the_server_says_it_is(server: FakeYouTube) -> None:
    film = a_film(3.5)
    session, checkpoints = YOUTUBE.session(server, film), MemoryCheckpoints()
    server.fault(SESSION, times=1, status=503, body="busy", after=True)  # stored, but nobody heard
    with YOUTUBE.refused(Temporary, "server_error"):
        PLATFORM.prepare(session, YOUTUBE.content("Long", film), checkpoints)
    before = len(server.seen)
    snapshot = PLATFORM.prepare(session, YOUTUBE.content("Long", film), checkpoints)
    again = server.seen[before:]
    total = film.size_bytes
    assert [seen.headers["content-range"] for seen in again] == [
        f"bytes */{total}",
        f"bytes {PIECE}-{2 * PIECE - 1}/{total}",
        f"bytes {2 * PIECE}-{3 * PIECE - 1}/{total}",
    ]
    assert again[0].headers["content-length"] == "0"
    PLATFORM.commit(session, snapshot)
    assert server.sessions["upload-1-secret"].data == film.read()


def test_a_fault_after_progress_uses_up_no_attempt(server: FakeYouTube) -> None:
    film = a_film(3.5)
    session, checkpoints = YOUTUBE.session(server, film), MemoryCheckpoints()
    server.fault(SESSION, status=308, headers={"Range": f"bytes=0-{PIECE - 1}"}, after=True)
    server.fault(SESSION, status=503, body="busy", headers={"Retry-After": "40"})
    with YOUTUBE.refused(NotReady, "upload_continues") as caught:
        PLATFORM.prepare(session, YOUTUBE.content("Long", film), checkpoints)
    assert caught.value.check_after_seconds == 40
    assert checkpoints.stored["upload"]["offset"] == PIECE
    PLATFORM.commit(session, PLATFORM.prepare(session, YOUTUBE.content("Long", film), checkpoints))
    assert server.sessions["upload-1-secret"].data == film.read()


@pytest.mark.parametrize("kept", [262_144, 100])
def test_a_server_that_stores_less_than_it_was_sent_gets_the_rest(server: FakeYouTube, kept: int) -> None:
    film = a_film(2.5)
    session = YOUTUBE.session(server, film)
    server.stores_only = kept
    snapshot = PLATFORM.prepare(session, YOUTUBE.content("Long", film), MemoryCheckpoints())
    PLATFORM.commit(session, snapshot)
    assert server.sessions["upload-1-secret"].data == film.read()


def test_a_server_that_stores_nothing_is_not_asked_for_ever(server: FakeYouTube) -> None:
    film = a_film(2.5)
    session = YOUTUBE.session(server, film)
    server.stores_only = 0
    with YOUTUBE.refused(Temporary, "youtube.upload_incomplete"):
        PLATFORM.prepare(session, YOUTUBE.content("Long", film), MemoryCheckpoints())
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [404, 410])
def test_a_session_that_is_gone_is_begun_anew(server: FakeYouTube, status: int) -> None:
    session, checkpoints = YOUTUBE.session(server), MemoryCheckpoints()
    PLATFORM.prepare(session, YOUTUBE.content(), checkpoints)
    server.forget_sessions()
    server.gone_status = status
    snapshot = PLATFORM.prepare(session, YOUTUBE.content(), checkpoints)
    PLATFORM.commit(session, snapshot)
    assert len(server.accepted) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_session_that_went_before_the_last_piece_starts_over(server: FakeYouTube, status: int) -> None:
    session, snapshot = YOUTUBE.prepared(server)
    server.forget_sessions()
    server.gone_status = status
    with YOUTUBE.refused(Temporary, "youtube.session_gone") as caught:
        PLATFORM.commit(session, snapshot)
    assert caught.value.restart


def test_a_login_that_ends_in_the_middle_goes_on_in_the_same_session(server: FakeYouTube) -> None:
    film = a_film(2.5)
    session, checkpoints = YOUTUBE.session(server, film), MemoryCheckpoints()
    server.fault(SESSION, status=401, body=error_body(401, "authError", "Invalid Credentials"))
    with YOUTUBE.refused(TokenExpired, "token_expired"):
        PLATFORM.prepare(session, YOUTUBE.content("Long", film), checkpoints)
    server.expire_access_tokens()
    fresh = replace(session, credentials=session.credentials | PLATFORM.refresh(session).credentials)
    PLATFORM.commit(fresh, PLATFORM.prepare(fresh, YOUTUBE.content("Long", film), checkpoints))
    assert len(server.sessions) == 1
    assert len(server.accepted) == 1


def test_a_whole_upload_that_nobody_heard_of_is_adopted(server: FakeYouTube) -> None:
    session, checkpoints = YOUTUBE.session(server), MemoryCheckpoints()
    snapshot = PLATFORM.prepare(session, YOUTUBE.content(), checkpoints)
    first = PLATFORM.commit(session, snapshot)
    again = PLATFORM.commit(session, PLATFORM.prepare(session, YOUTUBE.content(), checkpoints))
    assert again.id == first.id
    assert len(server.accepted) == 1


def test_a_repeated_commit_adopts_the_video_or_sends_what_is_missing(server: FakeYouTube) -> None:
    session, snapshot = YOUTUBE.prepared(server)
    server.stores_only = 1000
    with YOUTUBE.refused(Temporary, "youtube.upload_incomplete"):
        PLATFORM.commit(session, snapshot)
    again = replace(session, sent_before=True)
    first = PLATFORM.commit(again, snapshot)
    assert server.seen[-1].headers["content-range"] == "bytes 1000-4095/4096"
    assert PLATFORM.commit(again, snapshot).id == first.id
    assert server.seen[-1].headers["content-range"] == "bytes */4096"
    assert len(server.accepted) == 1


def test_an_upload_address_elsewhere_is_not_used(server: FakeYouTube) -> None:
    session = YOUTUBE.session(server)
    server.fault(START, status=200, headers={"Location": "https://evil.test/upload?upload_id=1"})
    # Where the API is moved, so is the address: the login stays at the fake.
    PLATFORM.prepare(session, YOUTUBE.content(), MemoryCheckpoints())
    server.fault(START, status=200, headers={})
    with YOUTUBE.refused(Temporary, "bad_answer"):
        PLATFORM.prepare(session, YOUTUBE.content(), MemoryCheckpoints())


def test_a_film_that_is_gone_from_the_disk_is_temporary(server: FakeYouTube) -> None:
    session, snapshot = YOUTUBE.prepared(server)
    with YOUTUBE.refused(Temporary, "media_unreadable"):
        PLATFORM.commit(replace(session, media={}), snapshot)


@pytest.mark.parametrize("status", [200, 201])
def test_both_successes_are_the_video(server: FakeYouTube, status: int) -> None:
    server.created_status = status
    _, _, published = YOUTUBE.uploaded(server)
    assert published.url == "https://www.youtube.com/watch?v=vid_0000001"
    assert not published.settled


# Silence


def test_a_lost_answer_is_found_by_the_session(server: FakeYouTube) -> None:
    session, snapshot = YOUTUBE.prepared(server)
    server.fault(SESSION, kind="cut", after=True)
    with YOUTUBE.refused(OutcomeUnknown, "connection_lost"):
        PLATFORM.commit(session, snapshot)
    finding = PLATFORM.find(replace(session, media={}), snapshot, now())
    assert isinstance(finding, Found)
    assert finding.published.id == "vid_0000001"
    assert not finding.published.settled


def test_what_did_not_arrive_is_absent_and_safe_to_send_again(server: FakeYouTube) -> None:
    session, snapshot = YOUTUBE.prepared(server)
    server.fault(SESSION, kind="cut")
    with YOUTUBE.refused(OutcomeUnknown, "connection_lost"):
        PLATFORM.commit(session, snapshot)
    assert PLATFORM.find(session, snapshot, now()) == Absent()
    assert PLATFORM.repeat_is_safe
    PLATFORM.commit(replace(session, sent_before=True), snapshot)
    assert len(server.accepted) == 1


def test_a_final_refusal_that_the_session_repeats_is_absence(server: FakeYouTube) -> None:
    session, snapshot = YOUTUBE.prepared(server)
    server.refuses_last_piece = Answer(400, error_body(400, "invalidVideoMetadata"))
    with YOUTUBE.refused(ContentRejected, "youtube.details_refused"):
        PLATFORM.commit(session, snapshot)
    assert PLATFORM.find(session, snapshot, now()) == Absent()


@pytest.mark.parametrize("status", [404, 410])
def test_where_the_session_is_gone_the_channels_uploads_tell(server: FakeYouTube, status: int) -> None:
    session, snapshot, published = YOUTUBE.uploaded(server)
    server.forget_sessions()
    server.gone_status = status
    finding = PLATFORM.find(session, snapshot, now())
    assert isinstance(finding, Found)
    assert finding.published.id == published.id
    assert server.seen[-1].query == {
        "part": "snippet,contentDetails",
        "playlistId": UPLOADS,
        "maxResults": "50",
    }


@pytest.mark.parametrize("case", ["not shown yet", "two of them", "older"])
def test_the_uploads_do_not_tell_unless_there_is_exactly_one(server: FakeYouTube, case: str) -> None:
    session, snapshot, _ = YOUTUBE.uploaded(server)
    if case == "two of them":
        YOUTUBE.uploaded(server)
    server.uploads_hide = case == "not shown yet"
    server.forget_sessions()
    marked_at = now() + timedelta(hours=1) if case == "older" else now()
    assert PLATFORM.find(session, snapshot, marked_at) == CannotTell(
        "youtube.not_in_uploads", look_again=case != "two of them"
    )


def test_a_look_up_with_a_dead_login_says_so(server: FakeYouTube) -> None:
    session, snapshot = YOUTUBE.prepared(server)
    server.expire_access_tokens()
    with YOUTUBE.refused(TokenExpired):
        PLATFORM.find(session, snapshot, now())


# Processing


def test_pieces_are_multiples_of_256_kib() -> None:
    assert upload.PIECE_BYTES % 262_144 == 0


def test_the_fake_as_a_process_lets_a_films_bytes_go() -> None:
    film = video("film", PIECE + 4096)
    with as_a_process(0, None) as server:
        app = App("client-1", "client-secret-1", server.url, server.url)
        session = Session(an_http(), {}, {}, now, {"film": film}, app)
        (connection,) = PLATFORM.connections(session, TOKENS, {})
        session = replace(session, credentials=connection.credentials, config=connection.config)
        content = Content(KEY, KEYED_AT, "Film", media=(film,), options={"made_for_kids": "no"})
        PLATFORM.commit(session, PLATFORM.prepare(session, content, MemoryCheckpoints()))
        assert server.accepted[0]["size"] == film.size_bytes
        assert max(len(seen.body) for seen in server.seen) == server.keeps_bytes
