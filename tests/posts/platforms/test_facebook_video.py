"""Videos and reels of Facebook: uploads in pieces, cuts, and what becomes of what was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from posts.platforms.facebook import PLATFORM
from posts.publishing.errors import ContentRejected, NotReady, OutcomeUnknown, PublishError, ReconnectNeeded, Temporary
from posts.publishing.platform import Session
from posts.publishing.types import App, CannotTell, Content, Draft, Found, MediaFile, Published
from posts.publishing.words import WORDS
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture, video
from tests.posts.platforms.fake_facebook import PAGE, PAGE_TOKEN, VERSION, FakeFacebook, graph_error

FILM = video(size_bytes=2500)


@pytest.fixture
def server() -> Iterator[FakeFacebook]:
    with FakeFacebook() as server:
        yield server


@pytest.fixture
def session(server: FakeFacebook) -> Session:
    http = an_http()
    http.hide(PAGE_TOKEN)
    app = App("client-1", "client-secret-1", server.url, server.url)
    now = lambda: datetime.now(UTC)  # noqa: E731 - short
    return Session(http, {"access_token": PAGE_TOKEN}, {"page_id": PAGE}, now, {FILM.key: FILM}, app)


def a_video(placement: str = "post", media: MediaFile = FILM, **options: Any) -> Content:
    return replace(content("See 👋", media), options={"placement": placement, **options})


def body_of(server: FakeFacebook) -> bytes:
    (kept,) = server.videos.values()
    return bytes(kept["body"])


def calls(server: FakeFacebook, path: str) -> int:
    return len([seen for seen in server.seen if path in seen.path])


def refused(kind: type[PublishError], call: Any) -> Any:
    with pytest.raises(PublishError) as caught:
        call()
    assert type(caught.value) is kind, repr(caught.value)
    assert caught.value.code in WORDS
    return caught.value


# Ordinary videos


def test_a_video_goes_in_the_pieces_that_the_server_wants(server: FakeFacebook, session: Session) -> None:
    kept = MemoryCheckpoints()
    snapshot = PLATFORM.prepare(session, a_video(title="Holidays"), kept)
    assert body_of(server) == FILM.read()
    start, first, second, third = server.seen
    assert start.form() == {"upload_phase": "start", "file_size": "2500"}
    assert {seen.path for seen in server.seen} == {f"/{VERSION}/{PAGE}/videos"}
    assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {PAGE_TOKEN}"}
    assert first.parts() == {
        "upload_phase": ("", b"transfer"),
        "upload_session_id": ("", b"102"),
        "start_offset": ("", b"0"),
        "video_file_chunk": ("v1.mp4", FILM.read()[:1000]),
    }
    assert second.parts()["start_offset"] == ("", b"1000")
    assert third.parts()["video_file_chunk"][1] == FILM.read()[2000:]
    assert kept.told == (2500, 2500, "uploaded")
    assert not server.accepted
    assert PLATFORM.prepare(session, a_video(title="Holidays"), kept) == snapshot
    assert len(server.seen) == 4

    published = PLATFORM.commit(session, snapshot)
    assert server.seen[-1].form() == {
        "upload_phase": "finish",
        "upload_session_id": "102",
        "description": "See 👋",
        "title": "Holidays",
    }
    assert published == Published("101", f"https://www.facebook.com/{PAGE}/videos/101", {"id": "101"}, settled=False)


@pytest.mark.parametrize("after", [False, True], ids=["not stored", "stored"])
def test_a_video_goes_on_where_its_upload_broke_off(server: FakeFacebook, session: Session, after: bool) -> None:
    kept = MemoryCheckpoints()
    server.cut_piece = after
    refused(Temporary, lambda: PLATFORM.prepare(session, a_video(), kept))
    PLATFORM.prepare(session, a_video(), kept)
    assert body_of(server) == FILM.read()
    assert len(server.videos) == 1


def test_a_server_that_wants_the_same_piece_for_ever_is_not_followed(server: FakeFacebook, session: Session) -> None:
    kept = MemoryCheckpoints()
    server.fault("/videos", status=400, body=graph_error(1, "broken"))
    refused(Temporary, lambda: PLATFORM.prepare(session, a_video(), kept))
    PLATFORM.prepare(session, a_video(), kept)
    kept.put("video", {**(kept.get("video") or {}), "start": 0, "end": 1000})
    window = {"start_offset": "0", "end_offset": "1000"}
    server.fault("/videos", status=200, body=window)
    assert refused(Temporary, lambda: PLATFORM.prepare(session, a_video(), kept)).code == "bad_answer"
    server.fault("/videos", status=400, body=graph_error(6001, "offset", 1363037, error_data='{"start_offset":"0"}'))
    assert refused(Temporary, lambda: PLATFORM.prepare(session, a_video(), kept)).code == "bad_answer"


def test_an_upload_whose_session_is_over_begins_anew(server: FakeFacebook, session: Session) -> None:
    kept = MemoryCheckpoints()
    PLATFORM.prepare(session, a_video(), kept)
    kept.put("video", {**(kept.get("video") or {}), "start": 0, "end": 1000})
    server.videos.clear()
    error = refused(Temporary, lambda: PLATFORM.prepare(session, a_video(), kept))
    assert (error.code, error.restart) == ("facebook.upload_failed", True)


def test_a_start_without_an_id_is_no_answer(server: FakeFacebook, session: Session) -> None:
    for body in ({}, {"video_id": "1", "start_offset": "0", "end_offset": "9"}, {"video_id": True}):
        server.fault("/videos", status=200, body=body)
        assert (
            refused(Temporary, lambda: PLATFORM.prepare(session, a_video(), MemoryCheckpoints())).code == "bad_answer"
        )


# Reels


def test_a_reel_is_sent_as_it_is_and_finished(server: FakeFacebook, session: Session) -> None:
    kept = MemoryCheckpoints()
    snapshot = PLATFORM.prepare(session, a_video("reel", title="Short"), kept)
    start, sent = server.seen
    assert (start.path, start.form()) == (f"/{VERSION}/{PAGE}/video_reels", {"upload_phase": "start"})
    assert sent.path == f"/video-upload/{VERSION}/101"
    assert sent.body == FILM.read()
    asked = {name: sent.headers[name] for name in ("authorization", "offset", "file_size", "content-type")}
    assert asked == {
        "authorization": f"OAuth {PAGE_TOKEN}",
        "offset": "0",
        "file_size": "2500",
        "content-type": "application/octet-stream",
    }
    assert PLATFORM.prepare(session, a_video("reel", title="Short"), kept) == snapshot
    assert len(server.seen) == 2

    published = PLATFORM.commit(session, snapshot)
    assert server.seen[-1].form() == {
        "upload_phase": "finish",
        "video_id": "101",
        "video_state": "PUBLISHED",
        "description": "See 👋",
        "title": "Short",
    }
    assert published == Published("101", "https://www.facebook.com/reel/101", {"id": "101"}, settled=False)


@pytest.mark.parametrize("other_spelling", [False, True])
def test_a_reel_that_was_cut_goes_on_at_its_offset(
    server: FakeFacebook, session: Session, other_spelling: bool
) -> None:
    server.other_spelling, server.takes_bytes = other_spelling, 900
    PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints())
    assert body_of(server) == FILM.read()
    uploads = [seen for seen in server.seen if "video-upload" in seen.path]
    assert [seen.headers["offset"] for seen in uploads] == ["0", "900"]
    assert uploads[1].body == FILM.read()[900:]


def test_a_reel_whose_line_brings_nothing_on_is_left_for_later(server: FakeFacebook, session: Session) -> None:
    kept = MemoryCheckpoints()
    server.fault("/video-upload", kind="cut")
    refused(Temporary, lambda: PLATFORM.prepare(session, a_video("reel"), kept))
    PLATFORM.prepare(session, a_video("reel"), kept)
    assert body_of(server) == FILM.read()
    assert len(server.videos) == 1


def test_a_reel_that_arrived_without_an_answer_is_not_sent_again(server: FakeFacebook, session: Session) -> None:
    server.fault("/video-upload", kind="cut", after=True)
    PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints())
    assert calls(server, "/video-upload") == 1


@pytest.mark.parametrize("kind", ["ProcessingFailedError", "ParameterValidationError"])
def test_an_upload_that_facebook_gave_up_begins_anew(server: FakeFacebook, session: Session, kind: str) -> None:
    trouble = {"debug_info": {"retriable": False, "type": kind, "message": f"no {PAGE_TOKEN}"}}
    server.fault("/video-upload", status=400, body=trouble)
    error = refused(Temporary, lambda: PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints()))
    assert (error.code, error.restart) == ("facebook.upload_failed", True)
    assert PAGE_TOKEN not in error.detail


def test_a_reel_that_is_gone_there_begins_anew(server: FakeFacebook, session: Session) -> None:
    kept = MemoryCheckpoints()
    server.fault("/video-upload", kind="cut")
    refused(Temporary, lambda: PLATFORM.prepare(session, a_video("reel"), kept))
    server.videos.clear()
    assert refused(Temporary, lambda: PLATFORM.prepare(session, a_video("reel"), kept)).restart


@pytest.mark.parametrize("body", [{"success": False}, {}, "<html>"])
def test_an_upload_that_says_no_success_is_asked_after(server: FakeFacebook, session: Session, body: Any) -> None:
    server.fault("/video-upload", status=200, body=body)
    assert refused(Temporary, lambda: PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints())).code == (
        "bad_answer"
    )


def test_a_login_that_ended_during_an_upload_needs_the_owner(server: FakeFacebook, session: Session) -> None:
    server.fault("/video-upload", status=401, body=graph_error(190, "over", 463))
    refused(ReconnectNeeded, lambda: PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints()))


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/upload",
        "http://rupload.facebook.com/x",
        "https://facebook.com.evil.example/x",
        "https://evilfacebook.com/x",
        "https://rupload.facebook.com@evil.example/x",
        "not an address",
    ],
)
@pytest.mark.parametrize("moved", [True, False])
def test_bytes_and_token_go_to_facebook_alone(
    server: FakeFacebook, session: Session, address: str, moved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fault("/video_reels", status=200, body={"video_id": "1", "upload_url": address})
    if not moved:  # as on a site that calls the real one, but for the first call
        monkeypatch.setattr("posts.platforms._graph.Graph.url", lambda *_args, **_how: f"{server.url}/video_reels")
        session = replace(session, app=App("client-1", "client-secret-1"))
    assert refused(Temporary, lambda: PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints())).code == (
        "bad_answer"
    )
    assert len(server.seen) == 1


# What becomes of it


@pytest.mark.parametrize("placement", ["post", "reel"])
@pytest.mark.parametrize("other_spelling", [False, True])
def test_a_video_is_settled_when_it_is_live(
    server: FakeFacebook, session: Session, placement: str, other_spelling: bool
) -> None:
    server.polls, server.other_spelling = 2, other_spelling
    snapshot = PLATFORM.prepare(session, a_video(placement), MemoryCheckpoints())
    published = PLATFORM.commit(session, snapshot)
    for _ in range(2):
        assert refused(NotReady, lambda: PLATFORM.settle(session, snapshot, published)).code == "platform_processing"
    settled = PLATFORM.settle(session, snapshot, published)
    path = "reel/101/" if placement == "reel" else f"{PAGE}/videos/101/"
    assert settled == Published("101", f"https://www.facebook.com/{path}", {"id": "101", "post_id": "555"})
    assert len(server.accepted) == 1


@pytest.mark.parametrize("phase", ["uploading_phase", "processing_phase", "publishing_phase"])
@pytest.mark.parametrize("other_spelling", [False, True])
def test_an_error_in_a_phase_is_final(server: FakeFacebook, session: Session, phase: str, other_spelling: bool) -> None:
    server.failing_phase, server.other_spelling = phase, other_spelling
    snapshot = PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints())
    published = PLATFORM.commit(session, snapshot)
    error = refused(ContentRejected, lambda: PLATFORM.settle(session, snapshot, published))
    assert (error.code, error.field, error.detail) == ("facebook.video_refused", "media", "Video is too small")


@pytest.mark.parametrize("status", ["error", "upload_failed", "expired"])
def test_a_video_that_ended_otherwise_is_refused(server: FakeFacebook, session: Session, status: str) -> None:
    server.ends_as = status
    snapshot = PLATFORM.prepare(session, a_video(), MemoryCheckpoints())
    published = PLATFORM.commit(session, snapshot)
    refused(ContentRejected, lambda: PLATFORM.settle(session, snapshot, published))


@pytest.mark.parametrize(
    ("answer", "live"),
    [
        ({"status": {"video_status": "ready"}, "published": True}, True),
        ({"status": {"video_status": "ready"}}, True),
        ({"status": {"video_status": "ready"}, "published": False}, False),
        ({"status": {"video_status": "ready", "publishing_phase": {"status": "not_started"}}}, False),
        ({"status": {"video_status": "processing", "publishing_phase": {"status": "complete"}}}, True),
        (
            {"status": {"publishing_phase": {"status": "complete", "publish_status": "draft"}}},
            False,
        ),
        ({"status": "ready"}, False),
        ({}, False),
    ],
)
def test_what_counts_as_live(server: FakeFacebook, session: Session, answer: Any, live: bool) -> None:
    snapshot = {"kind": "video", "text": "", "title": "", "video": {"id": "101", "session": "102"}}
    server.fault("/101", status=200, body={"id": "101", **answer})
    published = Published("101", "https://www.facebook.com/x", {}, settled=False)
    if live:
        assert PLATFORM.settle(session, snapshot, published).settled
    else:
        refused(NotReady, lambda: PLATFORM.settle(session, snapshot, published))


def test_a_video_that_is_not_readable_yet_is_looked_at_later(server: FakeFacebook, session: Session) -> None:
    snapshot = PLATFORM.prepare(session, a_video(), MemoryCheckpoints())
    published = PLATFORM.commit(session, snapshot)
    server.fault("/101", status=400, body=graph_error(100, "Unsupported get request", 33))
    refused(NotReady, lambda: PLATFORM.settle(session, snapshot, published))
    server.fault("/101", status=503)
    assert refused(Temporary, lambda: PLATFORM.settle(session, snapshot, published)).code == "server_error"


@pytest.mark.parametrize("placement", ["post", "reel"])
@pytest.mark.parametrize("stored", [False, True])
def test_a_lost_answer_to_the_finish_is_looked_up_by_id(
    server: FakeFacebook, session: Session, placement: str, stored: bool
) -> None:
    snapshot = PLATFORM.prepare(session, a_video(placement), MemoryCheckpoints())
    server.fault("/video", kind="cut", after=stored)
    refused(OutcomeUnknown, lambda: PLATFORM.commit(session, snapshot))
    server.polls = 1
    undecided = CannotTell("facebook.video_undecided", look_again=True)
    assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == undecided
    finding = PLATFORM.find(session, snapshot, datetime.now(UTC))
    if stored:
        assert isinstance(finding, Found)
        assert finding.published.settled
        assert finding.published.id == "101"
    else:
        assert finding == undecided


def test_a_lost_answer_to_a_video_that_fails_is_settled_as_refused(server: FakeFacebook, session: Session) -> None:
    snapshot = PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints())
    server.fault("/video_reels", kind="cut", after=True)
    refused(OutcomeUnknown, lambda: PLATFORM.commit(session, snapshot))
    server.failing_phase = "processing_phase"
    finding = PLATFORM.find(session, snapshot, datetime.now(UTC))
    assert isinstance(finding, Found)
    assert not finding.published.settled
    refused(ContentRejected, lambda: PLATFORM.settle(session, snapshot, finding.published))


@pytest.mark.parametrize("body", [{"success": False}, {}, "", "<html>", [], {"id": "101"}])
def test_a_finish_that_says_no_success_is_unknown(server: FakeFacebook, session: Session, body: Any) -> None:
    snapshot = PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints())
    server.fault("/video_reels", status=200, body=body)
    refused(OutcomeUnknown, lambda: PLATFORM.commit(session, snapshot))


def test_a_finish_before_the_bytes_is_refused(server: FakeFacebook, session: Session) -> None:
    snapshot = PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints())
    server.videos["101"]["body"] = b""
    assert refused(ContentRejected, lambda: PLATFORM.commit(session, snapshot)).code == "facebook.video_refused"
    assert not server.accepted


def test_a_comment_goes_below_a_video(server: FakeFacebook, session: Session) -> None:
    snapshot = PLATFORM.prepare(session, a_video("reel"), MemoryCheckpoints())
    below = replace(session, thread=(PLATFORM.commit(session, snapshot),))
    comment = PLATFORM.prepare(below, replace(content("More"), kind="comment"), MemoryCheckpoints())
    PLATFORM.commit(below, comment)
    assert server.seen[-1].path == f"/{VERSION}/101/comments"


# Drafts


@pytest.mark.parametrize(
    ("media", "options", "codes"),
    [
        ((), {}, []),
        ((), {"link": "https://a.example"}, []),
        ((), {"link": "a.example"}, ["facebook.link_invalid"]),
        ((picture(),), {"link": "https://a.example"}, ["facebook.link_with_media"]),
        ((picture(),), {"placement": "reel"}, ["facebook.reel_needs_video"]),
        ((FILM,), {"placement": "post"}, []),
        ((replace(FILM, width=1080, height=1920),), {"placement": "reel"}, []),
        ((FILM,), {"placement": "reel"}, ["facebook.reel_small"]),
        (
            (replace(FILM, width=1080, height=1920, duration_seconds=91),),
            {"placement": "reel"},
            ["facebook.reel_length"],
        ),
        (
            (replace(FILM, width=1080, height=1920, duration_seconds=2.5),),
            {"placement": "reel"},
            ["facebook.reel_length"],
        ),
    ],
)
def test_what_keeps_a_draft_from_facebook(media: tuple[MediaFile, ...], options: Any, codes: list[str]) -> None:
    problems = PLATFORM.problems(Draft(("Hi",), media, options), {})
    assert [problem.code for problem in problems] == codes
    assert set(codes) <= set(WORDS)


def test_a_reel_of_another_shape_is_noted() -> None:
    wide = replace(FILM, width=1920, height=1080)
    notes = PLATFORM.notes(Draft(("Hi",), (wide,), {"placement": "reel"}), {})
    assert [note.code for note in notes] == ["facebook.reel_shape"]
    assert not PLATFORM.notes(Draft(("Hi",), (wide,), {"placement": "post"}), {})
    assert not PLATFORM.notes(Draft(("Hi",), (replace(FILM, width=1080, height=1920),), {"placement": "reel"}), {})
