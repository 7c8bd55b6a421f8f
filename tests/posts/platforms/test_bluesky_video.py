"""Videos on Bluesky: the way through the video service, which is a host of its own."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from posts.platforms._bluesky_api import web_did
from posts.platforms.bluesky import PLATFORM
from posts.publishing.errors import ContentRejected, NotReady, PublishError, RateLimited, Temporary, TokenExpired
from posts.publishing.platform import Session
from posts.publishing.types import App, Json, MediaFile
from posts.publishing.words import WORDS
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture, video
from tests.posts.platforms.fake_pds import PASSWORD, FakePds, cid_of, did_of

DID = did_of("alice.test")
UPLOAD = "/xrpc/app.bsky.video.uploadVideo"
LIMITS = "/xrpc/app.bsky.video.getUploadLimits"
STATUS = "/xrpc/app.bsky.video.getJobStatus"


@pytest.fixture
def pds() -> Iterator[FakePds]:
    with FakePds() as server:
        yield server


@pytest.fixture
def service(pds: FakePds) -> Iterator[FakePds]:
    with FakePds() as server:
        server.stores_at = pds
        yield server


def open_session(pds: FakePds, service: FakePds) -> Session:
    session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=App(api_base=service.url))
    answers = {"identifier": "alice.test", "password": PASSWORD, "service": pds.url}
    connection = PLATFORM.connect(session, answers)
    return replace(session, credentials=connection.credentials, config=connection.config)


def prepared(session: Session, checkpoints: MemoryCheckpoints, *media: MediaFile, times: int = 9) -> Json:
    """Prepare again and again while the video is being processed, as the kit does."""
    for left in reversed(range(times)):
        try:
            return PLATFORM.prepare(session, content("Look", *media), checkpoints)
        except NotReady as wait:
            if wait.code != "media_processing" or not left:
                raise
    raise AssertionError


def counted(server: FakePds, path: str) -> int:
    return server.paths().count(path)


def refusal_of(session: Session, checkpoints: MemoryCheckpoints, *media: MediaFile) -> PublishError:
    """Prepare until the network refuses; whatever it says has words and no token in it."""
    with pytest.raises(PublishError) as caught:
        prepared(session, checkpoints, *media)
    assert caught.value.code in WORDS
    assert session.credentials["access_jwt"] not in repr(vars(caught.value))
    return caught.value


def test_a_video_goes_through_the_service_to_the_accounts_own_server(pds: FakePds, service: FakePds) -> None:
    session, film, checkpoints = open_session(pds, service), video(), MemoryCheckpoints()
    with pytest.raises(NotReady) as caught:
        PLATFORM.prepare(session, content("Look", film), checkpoints)
    assert caught.value.code == "media_processing"
    upload = service.seen[-1]
    assert upload.path == UPLOAD
    assert upload.query == {"did": DID, "name": "v1.mp4"}
    assert upload.headers["content-type"] == "video/mp4"
    assert upload.headers["content-length"] == "4096"
    assert "transfer-encoding" not in upload.headers
    assert upload.body == film.read()
    asked = [seen.query for seen in pds.seen if "getServiceAuth" in seen.path]
    assert [(each["aud"], each["lxm"]) for each in asked] == [
        (web_did(service.url), "app.bsky.video.getUploadLimits"),
        (web_did(pds.url), "com.atproto.repo.uploadBlob"),
    ]
    assert all(0 < int(each["exp"]) - time.time() <= 1800 for each in asked)
    assert not pds.accepted

    published = PLATFORM.commit(session, prepared(session, checkpoints, film))
    assert published.id.startswith(f"at://{DID}/app.bsky.feed.post/")
    blob = {"$type": "blob", "ref": {"$link": cid_of(film.read())}, "mimeType": "video/mp4", "size": 4096}
    assert pds.accepted[0]["record"]["embed"] == {
        "$type": "app.bsky.embed.video",
        "video": blob,
        "alt": "A short film",
        "aspectRatio": {"width": 640, "height": 360},
    }
    assert counted(service, UPLOAD) == 1
    assert counted(service, STATUS) == 3
    assert all("authorization" not in seen.headers for seen in service.seen if seen.path == STATUS)


def test_the_login_never_goes_to_the_video_service(pds: FakePds, service: FakePds) -> None:
    session = open_session(pds, service)
    prepared(session, MemoryCheckpoints(), video())
    sent = {seen.headers.get("authorization", "") for seen in service.seen}
    assert f"Bearer {session.credentials['access_jwt']}" not in sent


def test_once_it_is_ready_nothing_is_asked_again(pds: FakePds, service: FakePds) -> None:
    session, film, checkpoints = open_session(pds, service), video(), MemoryCheckpoints()
    first = prepared(session, checkpoints, film)
    before = len(service.seen), len(pds.seen)
    assert prepared(session, checkpoints, film, times=1)["record"]["embed"] == first["record"]["embed"]
    assert (len(service.seen), len(pds.seen)) == before


@pytest.mark.parametrize("lost", [UPLOAD, STATUS])
def test_a_lost_answer_costs_no_more_than_that_call(pds: FakePds, service: FakePds, lost: str) -> None:
    session, film, checkpoints = open_session(pds, service), video(), MemoryCheckpoints()
    service.fault(lost, kind="cut", after=True)
    with pytest.raises((Temporary, NotReady)):
        PLATFORM.prepare(session, content("Look", film), checkpoints)
    with pytest.raises((Temporary, NotReady)):
        PLATFORM.prepare(session, content("Look", film), checkpoints)
    PLATFORM.commit(session, prepared(session, checkpoints, film))
    assert counted(service, UPLOAD) == (2 if lost == UPLOAD else 1)
    assert len(pds.accepted) == 1


def test_an_answer_may_be_bare(pds: FakePds, service: FakePds) -> None:
    service.bare_answers = True
    session = open_session(pds, service)
    assert prepared(session, MemoryCheckpoints(), video())["record"]["embed"]["video"]["size"] == 4096


def test_the_same_file_again_is_found_and_not_processed_anew(pds: FakePds, service: FakePds) -> None:
    session, film = open_session(pds, service), video()
    prepared(session, MemoryCheckpoints(), film)
    again = prepared(session, MemoryCheckpoints(), film)
    assert again["record"]["embed"]["video"]["size"] == 4096
    assert len(service.jobs) == 1


def test_a_blob_beside_an_error_is_believed(pds: FakePds, service: FakePds) -> None:
    session, film = open_session(pds, service), video()
    pds.blobs["bafyknown"] = "video/mp4"
    blob = {"$type": "blob", "ref": {"$link": "bafyknown"}, "mimeType": "video/mp4", "size": 4096}
    body = {"jobStatus": {"jobId": "", "did": DID, "state": "", "error": "already_exists", "blob": blob}}
    service.fault(UPLOAD, status=409, body=body)
    assert prepared(session, MemoryCheckpoints(), film, times=1)["record"]["embed"]["video"] == blob


def test_where_jobs_are_private_a_token_is_made(pds: FakePds, service: FakePds) -> None:
    service.jobs_are_private = True
    session = open_session(pds, service)
    prepared(session, MemoryCheckpoints(), video())
    (asked,) = {(seen.query["aud"], seen.query["lxm"]) for seen in pds.seen if "getJob" in seen.query.get("lxm", "")}
    assert asked == (web_did(service.url), "app.bsky.video.getJobStatus")


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        ("validation_failure", ContentRejected, "bluesky.video_refused"),
        ("pds_upload_unsupported_blob_size", ContentRejected, "bluesky.video_over_server_limit"),
        ("encoding_failure", Temporary, "bluesky.video_failed"),
        ("pds_upload_failure", Temporary, "bluesky.video_failed"),
        ("generic_failure", Temporary, "bluesky.video_failed"),
        ("something_new", Temporary, "bluesky.video_failed"),
    ],
)
def test_a_job_that_failed_is_uploaded_anew_by_the_next_execution(
    pds: FakePds, service: FakePds, failure: str, kind: type[PublishError], code: str
) -> None:
    session, film, checkpoints = open_session(pds, service), video(), MemoryCheckpoints()
    service.steps, service.failure_code = ["JOB_STATE_ENCODING", "JOB_STATE_FAILED"], failure
    error = refusal_of(session, checkpoints, film)
    assert (type(error), error.code) == (kind, code)
    assert "no luck" in error.detail
    service.steps = ["JOB_STATE_COMPLETED"]
    prepared(session, checkpoints, film)
    assert counted(service, UPLOAD) == 2


def test_a_job_that_the_service_does_not_know_is_uploaded_anew(pds: FakePds, service: FakePds) -> None:
    session, film, checkpoints = open_session(pds, service), video(), MemoryCheckpoints()
    with pytest.raises(NotReady):
        PLATFORM.prepare(session, content("Look", film), checkpoints)
    service.jobs.clear()
    assert refusal_of(session, checkpoints, film).code == "unexpected_answer"
    prepared(session, checkpoints, film)
    assert counted(service, UPLOAD) == 2


@pytest.mark.parametrize("path", [UPLOAD, STATUS])
def test_a_busy_service_keeps_what_is_there(pds: FakePds, service: FakePds, path: str) -> None:
    session, film, checkpoints = open_session(pds, service), video(), MemoryCheckpoints()
    service.fault(path, status=503, body="<html>busy</html>", headers={"Retry-After": "9"})
    error = refusal_of(session, checkpoints, film)
    assert isinstance(error, Temporary)
    assert (error.code, error.retry_after_seconds) == ("server_error", 9)
    prepared(session, checkpoints, film)
    assert counted(service, UPLOAD) == (2 if path == UPLOAD else 1)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (
            200,
            {"jobStatus": {"jobId": "", "did": "", "state": "", "error": "unconfirmed_email"}},
            0,
            "email_unconfirmed",
        ),
        (401, {"error": "unconfirmed_email", "message": "verify"}, 0, "email_unconfirmed"),
        (403, {"error": "UploadForbidden"}, 0, "video_forbidden"),
        (400, {"error": "VideoTooLarge"}, 0, "video_refused"),
        (400, {"error": "VideoTooLong"}, 0, "video_refused"),
        (400, {"error": "BadAspectRatio"}, 0, "video_refused"),
        (400, {"error": "UnsupportedContentType"}, 0, "video_refused"),
        (413, "<html>413</html>", 0, "video_refused"),
        (400, {"error": "DailyLimitExceeded"}, NotReady, "video_quota"),
    ],
)
def test_refusals_of_an_upload(pds: FakePds, service: FakePds, status: int, body: Any, kind: Any, code: str) -> None:
    session = open_session(pds, service)
    service.fault(UPLOAD, status=status, body=body)
    error = refusal_of(session, MemoryCheckpoints(), video())
    assert (type(error), error.code) == (kind or ContentRejected, f"bluesky.{code}")
    if isinstance(error, ContentRejected):
        assert error.field == "media"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": "BadJwt"}),
        (400, {"error": "ExpiredToken"}),
        (200, {"jobStatus": {"jobId": ""}}),
        (200, "<html>"),
    ],
)
def test_what_the_service_says_of_its_token_says_nothing_of_the_login(
    pds: FakePds, service: FakePds, status: int, body: Any
) -> None:
    session = open_session(pds, service)
    service.fault(UPLOAD, status=status, body=body)
    assert isinstance(refusal_of(session, MemoryCheckpoints(), video()), Temporary)


def test_a_login_that_ran_out_shows_where_the_token_is_signed(pds: FakePds, service: FakePds) -> None:
    session = open_session(pds, service)
    pds.expire_access_tokens()
    assert isinstance(refusal_of(session, MemoryCheckpoints(), video()), TokenExpired)
    assert not service.seen


def test_too_many_requests_wait(pds: FakePds, service: FakePds) -> None:
    session = open_session(pds, service)
    service.fault(UPLOAD, status=429, body={"error": "RateLimitExceeded"}, headers={"Retry-After": "60"})
    assert isinstance(refusal_of(session, MemoryCheckpoints(), video()), RateLimited)


@pytest.mark.parametrize(
    ("limits", "kind", "code"),
    [
        ({"canUpload": False, "remainingDailyVideos": 0, "message": "come back"}, NotReady, "bluesky.video_quota"),
        ({"canUpload": True, "remainingDailyBytes": 4095}, NotReady, "bluesky.video_quota"),
        ({"canUpload": False, "error": "unconfirmed_email"}, ContentRejected, "bluesky.email_unconfirmed"),
        ({"canUpload": False, "message": "not today"}, ContentRejected, "bluesky.video_forbidden"),
    ],
)
def test_the_quota_is_asked_before_anything_is_sent(
    pds: FakePds, service: FakePds, limits: Json, kind: type[PublishError], code: str
) -> None:
    session = open_session(pds, service)
    service.limits = limits
    error = refusal_of(session, MemoryCheckpoints(), video())
    assert (type(error), error.code) == (kind, code)
    assert limits.get("message", "") in error.detail
    assert counted(service, UPLOAD) == 0
    if isinstance(error, NotReady):
        assert error.check_after_seconds == 3600


@pytest.mark.parametrize(
    "answer", [(500, "<html>"), (401, {"error": "BadJwt"}), (200, "[]"), (200, {"canUpload": True})]
)
def test_a_quota_that_nobody_tells_holds_nothing_up(pds: FakePds, service: FakePds, answer: tuple[int, Any]) -> None:
    session = open_session(pds, service)
    service.fault(LIMITS, status=answer[0], body=answer[1])
    assert prepared(session, MemoryCheckpoints(), video())


def test_a_large_video_is_never_whole_in_memory(pds: FakePds, service: FakePds) -> None:
    class Watched(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            chunk = super().read(size)
            Watched.largest = max(Watched.largest, len(chunk))
            return chunk

    film = video(size_bytes=5_000_000)
    body = film.read()
    session, checkpoints = open_session(pds, service), MemoryCheckpoints()
    prepared(session, checkpoints, replace(film, open=lambda: Watched(body)))
    assert Watched.largest <= 1 << 20
    assert next(seen for seen in service.seen if seen.path == UPLOAD).size_bytes == 5_000_000
    assert checkpoints.told[2] == "processed"


def test_an_animated_picture_becomes_a_video_that_plays_by_itself(pds: FakePds, service: FakePds) -> None:
    moving = replace(video(mime_type="image/gif"), filename="wave.gif", kind="gif")
    session = open_session(pds, service)
    embed = prepared(session, MemoryCheckpoints(), moving)["record"]["embed"]
    assert (embed["$type"], embed["presentation"]) == ("app.bsky.embed.video", "gif")
    upload = next(seen for seen in service.seen if seen.path == UPLOAD)
    assert (upload.headers["content-type"], upload.query["name"]) == ("image/gif", "v1.gif")


def test_a_video_goes_alone(pds: FakePds, service: FakePds) -> None:
    session = open_session(pds, service)
    assert refusal_of(session, MemoryCheckpoints(), picture(), video()).code == "bluesky.video_alone"
    assert not service.seen


def test_a_collected_video_is_uploaded_anew(pds: FakePds, service: FakePds) -> None:
    session, film = open_session(pds, service), video()
    snapshot = prepared(session, MemoryCheckpoints(), film)
    pds.blobs.clear()
    with pytest.raises(Temporary) as caught:
        PLATFORM.commit(session, snapshot)
    assert (caught.value.code, caught.value.restart) == ("bluesky.blob_gone", True)


@pytest.mark.parametrize(
    ("address", "did"),
    [("https://video.bsky.app", "did:web:video.bsky.app"), ("http://127.0.0.1:25", "did:web:127.0.0.1%3A25")],
)
def test_a_service_is_named_by_its_address(address: str, did: str) -> None:
    assert web_did(address) == did
