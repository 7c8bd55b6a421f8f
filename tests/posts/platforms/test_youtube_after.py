"""What follows an upload: processing, thumbnail, first comment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.platforms.youtube import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    OutcomeUnknown,
    PublishError,
    ReconnectNeeded,
)
from posts.publishing.platform import Session
from posts.publishing.types import CannotTell, Content, Found
from tests.posts.platforms.contract import KEY, KEYED_AT, MemoryCheckpoints, picture, video
from tests.posts.platforms.fake_youtube import CHANNEL, FakeYouTube, error_body
from tests.posts.platforms.test_youtube import TestYouTube as YouTubeSteps
from tests.posts.platforms.test_youtube import now

YOUTUBE = YouTubeSteps()


@pytest.fixture
def server() -> Iterator[FakeYouTube]:
    with FakeYouTube() as server:
        yield server


# Pieces


def test_a_video_settles_when_it_is_processed(server: FakeYouTube) -> None:
    session, snapshot, published = YOUTUBE.uploaded(server)
    server.states = [{"uploadStatus": "uploaded"}, {"uploadStatus": "processed"}]
    with YOUTUBE.refused(NotReady, "platform_processing") as caught:
        PLATFORM.settle(session, snapshot, published)
    assert caught.value.check_after_seconds == 15
    settled = PLATFORM.settle(session, snapshot, published)
    assert server.seen[-1].query == {"part": "status,processingDetails", "id": published.id}
    assert settled.settled
    assert settled.response["upload_status"] == "processed"
    assert (settled.id, settled.url) == (published.id, published.url)


def test_settling_needs_no_snapshot(server: FakeYouTube) -> None:
    session, _, published = YOUTUBE.uploaded(server)
    assert PLATFORM.settle(session, {}, published).settled


def test_what_takes_long_is_asked_for_rarely(server: FakeYouTube) -> None:
    session, snapshot, published = YOUTUBE.uploaded(server)
    later = replace(session, now=lambda: datetime.now(UTC) + timedelta(hours=2))
    server.states = [{"uploadStatus": "uploaded"}]
    with YOUTUBE.refused(NotReady) as caught:
        PLATFORM.settle(later, snapshot, published)
    assert caught.value.check_after_seconds == 300


@pytest.mark.parametrize(
    ("state", "code", "reason"),
    [
        *(
            ({"uploadStatus": "failed", "failureReason": reason}, "youtube.processing_failed", reason)
            for reason in ("codec", "conversion", "emptyFile", "invalidFile", "tooSmall", "uploadAborted")
        ),
        *(
            ({"uploadStatus": "rejected", "rejectionReason": reason}, "youtube.rejected", reason)
            for reason in ("claim", "copyright", "inappropriate", "legal", "length", "termsOfUse", "trademark")
        ),
        (
            {"uploadStatus": "rejected", "rejectionReason": "uploaderAccountSuspended"},
            "youtube.rejected",
            "uploaderAccountSuspended",
        ),
        ({"uploadStatus": "rejected", "rejectionReason": "duplicate"}, "youtube.duplicate", None),
        ({"uploadStatus": "deleted"}, "youtube.deleted", None),
        (
            {"uploadStatus": "uploaded", "processing": {"processingStatus": "failed"}},
            "youtube.processing_failed",
            "",
        ),
    ],
)
def test_a_video_that_youtube_drops_is_refused(
    server: FakeYouTube, state: dict[str, Any], code: str, reason: str | None
) -> None:
    session, snapshot, published = YOUTUBE.uploaded(server)
    server.states = [state]
    with YOUTUBE.refused(ContentRejected, code) as caught:
        PLATFORM.settle(session, snapshot, published)
    if reason is not None:
        assert caught.value.params["reason"] == (reason or "no reason given")


def test_a_video_that_is_not_shown_is_waited_for(server: FakeYouTube) -> None:
    session, snapshot, published = YOUTUBE.uploaded(server)
    server.states = [{"items": []}]
    with YOUTUBE.refused(NotReady, "youtube.not_visible"):
        PLATFORM.settle(session, snapshot, published)
    assert PLATFORM.settle(session, snapshot, published).settled


def test_a_project_without_audit_has_its_uploads_locked(server: FakeYouTube) -> None:
    server.audited = False
    session, snapshot, published = YOUTUBE.uploaded(server)
    assert published.response["privacy"] == "private"
    assert published.response["locked_to_private"] is True
    assert PLATFORM.settle(session, snapshot, published).response["locked_to_private"] is True


def test_a_project_without_audit_has_its_time_ignored(server: FakeYouTube) -> None:
    server.audited = False
    _, _, published = YOUTUBE.uploaded(server, publish_at="2030-01-01T09:00:00Z")
    assert published.response["locked_to_private"] is True


# Thumbnails


def test_the_picture_beside_the_video_becomes_its_thumbnail(server: FakeYouTube) -> None:
    beside = picture()
    session, snapshot, published = YOUTUBE.uploaded(server, video(), beside)
    settled = PLATFORM.settle(session, snapshot, published)
    assert server.thumbnails == {published.id: ("image/jpeg", beside.read())}
    assert settled.response["thumbnail"] == "set"


def test_a_videos_own_cover_becomes_its_thumbnail(server: FakeYouTube) -> None:
    cover = picture("cover")
    session, snapshot, published = YOUTUBE.uploaded(server, replace(video(), cover=cover))
    PLATFORM.settle(session, snapshot, published)
    assert server.thumbnails == {published.id: ("image/jpeg", cover.read())}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "invalidImage"),
        (400, "mediaBodyRequired"),
        (403, "forbidden"),
        (404, "videoNotFound"),
        (429, "uploadRateLimitExceeded"),
        (500, "internalError"),
    ],
)
def test_a_thumbnail_that_is_refused_costs_the_post_nothing(server: FakeYouTube, status: int, reason: str) -> None:
    session, snapshot, published = YOUTUBE.uploaded(server, video(), picture())
    server.fault("/thumbnails/set", status=status, body=error_body(status, reason, "no"))
    settled = PLATFORM.settle(session, snapshot, published)
    assert settled.settled
    assert settled.response["thumbnail"] == f"{reason}: no"


# First comments


def comment(text: str = "First!") -> Content:
    return Content(f"{KEY}-1", KEYED_AT, text, part=1, parts=2, kind="comment")


def below(server: FakeYouTube) -> tuple[Session, Any]:
    session, _, published = YOUTUBE.uploaded(server)
    session = replace(session, thread=(published,))
    return session, PLATFORM.prepare(session, comment(), MemoryCheckpoints())


def test_a_first_comment_is_written_below_the_video(server: FakeYouTube) -> None:
    session, snapshot = below(server)
    published = PLATFORM.commit(session, snapshot)
    assert server.seen[-1].query == {"part": "snippet"}
    assert server.seen[-1].json() == {
        "snippet": {
            "channelId": CHANNEL,
            "videoId": "vid_0000001",
            "topLevelComment": {"snippet": {"textOriginal": "First!"}},
        }
    }
    assert published.settled
    assert (published.id, published.url) == ("Ugx1", "https://www.youtube.com/watch?v=vid_0000001&lc=Ugx1")


def test_a_comment_whose_answer_was_lost_is_found_if_it_is_the_only_one(server: FakeYouTube) -> None:
    session, snapshot = below(server)
    marked_at = now()
    assert PLATFORM.find(session, snapshot, marked_at) == CannotTell("youtube.comment_not_seen", look_again=True)
    server.fault("/commentThreads", kind="cut", after=True)
    with YOUTUBE.refused(OutcomeUnknown):
        PLATFORM.commit(session, snapshot)
    finding = PLATFORM.find(session, snapshot, marked_at)
    assert isinstance(finding, Found)
    assert finding.published.id == "Ugx1"
    PLATFORM.commit(session, snapshot)
    assert PLATFORM.find(session, snapshot, marked_at) == CannotTell("youtube.comment_not_seen")


@pytest.mark.parametrize("change", ["author", "text", "age"])
def test_a_comment_of_others_is_not_taken_for_ours(server: FakeYouTube, change: str) -> None:
    session, snapshot = below(server)
    PLATFORM.commit(session, snapshot)
    top = server.comments[0]["snippet"]["topLevelComment"]["snippet"]
    top |= {
        "author": {"authorChannelId": {"value": "UCother"}},
        "text": {"textOriginal": "Other", "textDisplay": "Other"},
        "age": {"publishedAt": "2020-01-01T00:00:00Z"},
    }[change]
    assert isinstance(PLATFORM.find(session, snapshot, now()), CannotTell)


@pytest.mark.parametrize(
    ("status", "reason", "kind", "code"),
    [
        (403, "commentsDisabled", ContentRejected, "youtube.comments_disabled"),
        (403, "forbidden", ContentRejected, "youtube.comments_disabled"),
        (404, "videoNotFound", ContentRejected, "youtube.comments_disabled"),
        (400, "commentTextRequired", ContentRejected, "youtube.comment_refused"),
        (400, "commentTextTooLong", ContentRejected, "youtube.comment_refused"),
        (400, "invalidCommentThreadMetadata", ContentRejected, "youtube.comment_refused"),
        (403, "ineligibleAccount", ReconnectNeeded, "youtube.forbidden"),
        (403, "insufficientPermissions", ReconnectNeeded, "youtube.scope_missing"),
        (400, "processingFailure", OutcomeUnknown, "unexpected_answer"),
    ],
)
def test_documented_refusals_of_comments(
    server: FakeYouTube, status: int, reason: str, kind: type[PublishError], code: str
) -> None:
    session, snapshot = below(server)
    server.fault("/commentThreads", status=status, body=error_body(status, reason))
    with YOUTUBE.refused(kind, code):
        PLATFORM.commit(session, snapshot)


@pytest.mark.parametrize("body", [{}, {"id": 7}, "<html>"])
def test_a_comment_without_an_id_is_unknown(server: FakeYouTube, body: Any) -> None:
    session, snapshot = below(server)
    server.fault("/commentThreads", status=200, body=body)
    with YOUTUBE.refused(OutcomeUnknown, "bad_answer"):
        PLATFORM.commit(session, snapshot)
