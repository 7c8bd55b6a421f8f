from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from posts.platforms._linkedin_api import is_own
from posts.platforms.linkedin import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    Temporary,
)
from posts.publishing.types import MediaFile
from tests.posts.platforms.contract import MemoryCheckpoints, content, picture, video
from tests.posts.platforms.fake_linkedin import (
    PAGE,
    FakeLinkedIn,
)
from tests.posts.platforms.linkedin_case import LinkedInCase, StopsBefore


def document(key: str = "d1", size_bytes: int = 900) -> MediaFile:
    body = b"%PDF" + b"x" * (size_bytes - 4)
    return MediaFile(
        key, "plan.pdf", "application/pdf", 0, 0, size_bytes, "", lambda: io.BytesIO(body), kind="document"
    )


class TestLinkedInMedia(LinkedInCase):
    def test_a_picture_is_posted_only_once_linkedin_has_it(self, server: FakeLinkedIn) -> None:
        media = (picture("a"), picture("b"))
        session, checkpoints = self.page(server, *media), MemoryCheckpoints()
        server.state = "PROCESSING"
        for _ in range(2):
            with self.refused(NotReady, "media_processing"):
                PLATFORM.prepare(session, content("Two", *media), checkpoints)
        assert [seen.method for seen in server.seen if seen.path.startswith("/dms-uploads/")] == ["PUT", "PUT"]
        server.assets["urn:li:image:C1"]["state"] = "AVAILABLE"
        with self.refused(NotReady):
            PLATFORM.prepare(session, content("Two", *media), checkpoints)
        server.assets["urn:li:image:C2"]["state"] = "AVAILABLE"
        before = len(server.seen)
        snapshot = PLATFORM.prepare(session, content("Two", *media), checkpoints)
        assert server.paths()[before:] == ["/rest/images/urn%3Ali%3Aimage%3AC2"]
        images = snapshot["body"]["content"]["multiImage"]["images"]
        assert images == [
            {"id": "urn:li:image:C1", "altText": "A red field"},
            {"id": "urn:li:image:C2", "altText": "A red field"},
        ]
        PLATFORM.commit(session, snapshot)

    def test_a_file_that_failed_is_uploaded_anew_on_the_next_try(self, server: FakeLinkedIn) -> None:
        media = video()
        session, checkpoints = self.page(server, media), MemoryCheckpoints()
        server.state = "PROCESSING_FAILED"
        with self.refused(ContentRejected, "linkedin.media_failed") as caught:
            PLATFORM.prepare(session, content("Film", media), checkpoints)
        assert (caught.value.field, caught.value.detail) == ("media", "codec")
        assert not checkpoints.stored
        server.state = "AVAILABLE"
        assert PLATFORM.prepare(session, content("Film", media), checkpoints)

    def test_a_member_may_not_look_at_a_picture_so_a_while_is_waited(self, server: FakeLinkedIn) -> None:
        media = picture()
        session, checkpoints = self.member(server, media), MemoryCheckpoints()
        with self.refused(NotReady) as caught:
            PLATFORM.prepare(session, content("Look", media), checkpoints)
        before = len(server.seen)
        later = self.later(session, caught.value.check_after_seconds)
        PLATFORM.commit(later, PLATFORM.prepare(later, content("Look", media), checkpoints))
        assert server.paths()[before:] == ["/rest/posts"]

    def test_a_video_whose_state_is_hidden_is_waited_for_too(self, server: FakeLinkedIn) -> None:
        media = video()
        session, checkpoints = self.member(server, media), MemoryCheckpoints()
        for seconds in (0, 30):
            server.fault("/rest/videos/", status=403, body={"status": 403, "code": "ACCESS_DENIED"})
            with self.refused(NotReady):
                PLATFORM.prepare(self.later(session, seconds), content("Film", media), checkpoints)
        server.fault("/rest/videos/", status=403, body={"status": 403, "code": "ACCESS_DENIED"})
        assert PLATFORM.prepare(self.later(session, 61), content("Film", media), checkpoints)

    def test_a_file_that_is_not_there_yet_after_all_is_waited_for(self, server: FakeLinkedIn) -> None:
        media = picture()
        session, checkpoints = self.member(server, media), MemoryCheckpoints()
        server.state = "PROCESSING"
        with self.refused(NotReady):
            PLATFORM.prepare(session, content("Look", media), checkpoints)
        later = self.later(session, 11)
        snapshot = PLATFORM.prepare(later, content("Look", media), checkpoints)
        with self.refused(NotReady, "media_processing"):
            PLATFORM.commit(later, snapshot)
        assert not server.accepted

    def test_a_video_goes_in_the_parts_that_linkedin_asks_for(self, server: FakeLinkedIn) -> None:
        media = video(size_bytes=2500)
        server.part_bytes = 1000
        session = self.page(server, media)
        checkpoints = MemoryCheckpoints()
        post = replace(content("Film", media), options={"title": "The film"})
        snapshot = PLATFORM.prepare(session, post, checkpoints)
        begin, *puts, finish, look = server.seen[-6:]
        asked = {"owner": PAGE, "fileSizeBytes": 2500, "uploadCaptions": False, "uploadThumbnail": False}
        assert begin.json() == {"initializeUploadRequest": asked}
        assert [put.body for put in puts] == [media.piece(0, 1000), media.piece(1000, 1000), media.piece(2000, 500)]
        assert {put.headers["content-type"] for put in puts} == {"application/octet-stream"}
        assert not [put for put in puts if "authorization" in put.headers]
        assert finish.query == {"action": "finalizeUpload"}
        assert finish.json() == {
            "finalizeUploadRequest": {
                "video": "urn:li:video:C1",
                "uploadToken": "token urn:li:video:C1",
                "uploadedPartIds": ["etag-C1-0", "etag-C1-1", "etag-C1-2"],
            }
        }
        assert look.path == "/rest/videos/urn%3Ali%3Avideo%3AC1"
        assert snapshot["body"]["content"] == {"media": {"id": "urn:li:video:C1", "title": "The film"}}
        assert checkpoints.told == (2500, 2500, "uploaded")
        PLATFORM.commit(session, snapshot)
        assert server.assets["urn:li:video:C1"]["body"] == media.read()

    @pytest.mark.parametrize("lost", ["/rest/videos", "/1-", "/2-", "/3-", "finish"])
    def test_a_video_goes_on_where_it_broke_off(self, server: FakeLinkedIn, lost: str) -> None:
        media = video(size_bytes=2500)
        server.part_bytes = 1000
        session = self.page(server, media)
        checkpoints = StopsBefore("video:v1") if lost == "finish" else MemoryCheckpoints()
        if lost != "finish":
            server.fault(lost, kind="cut", after=True)
        with self.refused(Temporary):
            PLATFORM.prepare(session, content("Film", media), checkpoints)
        kept = MemoryCheckpoints()
        kept.stored = checkpoints.stored
        PLATFORM.prepare(session, content("Film", media), kept)
        parts = [path for path in server.paths() if "dms-uploads" in path]
        assert len(server.assets) == (2 if lost == "/rest/videos" else 1)
        assert len(parts) == (4 if lost.endswith("-") else 3)

    def test_the_addresses_of_a_video_are_sealed_in_the_checkpoints(self, server: FakeLinkedIn) -> None:
        media = video()
        session = replace(self.page(server, media), seal=lambda text: f"<{len(text)}>")
        checkpoints = MemoryCheckpoints()
        with pytest.raises(ValueError):  # noqa: PT011 - "<…>" is not what was sealed
            PLATFORM.prepare(session, content("Film", media), checkpoints)
        assert "s3cret" not in json.dumps(checkpoints.stored)

    def test_addresses_that_are_over_are_asked_for_anew(self, server: FakeLinkedIn) -> None:
        media = video()
        session, checkpoints = self.page(server, media), MemoryCheckpoints()
        server.fault("/dms-uploads", kind="cut")
        with self.refused(Temporary):
            PLATFORM.prepare(session, content("Film", media), checkpoints)
        PLATFORM.prepare(self.later(session, 3600), content("Film", media), checkpoints)
        assert list(server.assets) == ["urn:li:video:C1", "urn:li:video:C2"]

    def test_an_address_that_ended_early_starts_the_upload_anew(self, server: FakeLinkedIn) -> None:
        media = video()
        session = self.page(server, media)
        server.fault("/dms-uploads", status=400, body={"status": 400, "code": "EXPIRED_UPLOAD_URL"})
        with self.refused(Temporary, "linkedin.upload_over") as caught:
            PLATFORM.prepare(session, content("Film", media), MemoryCheckpoints())
        assert caught.value.restart

    @pytest.mark.parametrize(
        "change",
        [
            lambda parts: parts[1:],
            lambda parts: parts[::-1],
            lambda parts: [*parts[:-1], parts[-1] | {"lastByte": parts[-1]["lastByte"] - 1}],
            lambda parts: [parts[0] | {"uploadUrl": "https://elsewhere.example/x"}, *parts[1:]],
            lambda parts: [parts[0] | {"uploadUrl": None}, *parts[1:]],
            lambda parts: [parts[0] | {"lastByte": "x"}, *parts[1:]],
            lambda _parts: {},
        ],
    )
    def test_instructions_that_are_not_the_file_are_not_followed(self, server: FakeLinkedIn, change: Any) -> None:
        media = video(size_bytes=2500)
        session = self.page(server, media)
        parts = [
            {"uploadUrl": f"{server.url}/dms-uploads/{n}", "firstByte": n * 1250, "lastByte": n * 1250 + 1249}
            for n in range(2)
        ]
        value = {"video": "urn:li:video:C1", "uploadToken": "", "uploadInstructions": change(parts)}
        server.fault("/rest/videos", status=200, body={"value": value})
        with self.refused(Temporary, "bad_answer"):
            PLATFORM.prepare(session, content("Film", media), MemoryCheckpoints())
        assert not [path for path in server.paths() if "dms" in path]

    def test_a_token_goes_to_no_address_elsewhere(self, server: FakeLinkedIn) -> None:
        media = picture()
        session = self.page(server, media)
        value = {"image": "urn:li:image:C1", "uploadUrl": "https://linkedin.com.evil.example/up"}
        server.fault("/rest/images", status=200, body={"value": value})
        with self.refused(Temporary, "bad_answer"):
            PLATFORM.prepare(session, content("Look", media), MemoryCheckpoints())
        for url, own in (
            ("https://www.linkedin.com/dms-uploads/x", True),
            ("https://media.licdn.com/x", True),
            (f"{server.url}/x", True),
            ("http://www.linkedin.com/x", False),
            ("https://notlinkedin.com/x", False),
            ("https://linkedin.com@evil.example/x", False),
        ):
            assert is_own(session, url) is own, url

    def test_a_document_has_a_title_and_no_alt_text(self, server: FakeLinkedIn) -> None:
        media = document()
        session = self.page(server, media)
        snapshot = PLATFORM.prepare(session, content("Read", media), MemoryCheckpoints())
        assert snapshot["body"]["content"] == {"media": {"id": "urn:li:document:C1", "title": "plan.pdf"}}
        assert server.assets["urn:li:document:C1"]["body"] == media.read()
        PLATFORM.commit(session, snapshot)

    def test_a_picture_without_alt_text_leaves_it_out(self, server: FakeLinkedIn) -> None:
        media = picture(alt_text=" ")
        session = self.page(server, media)
        self.publish(session, "", media)
        body = server.seen[-1].json()
        assert body["content"] == {"media": {"id": "urn:li:image:C1"}}
        assert "commentary" not in body
