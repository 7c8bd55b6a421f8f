from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from posts.platforms._linkedin_api import TEXTS, Message
from posts.platforms.linkedin import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from tests.posts.platforms.contract import MemoryCheckpoints, content
from tests.posts.platforms.fake_linkedin import (
    FakeLinkedIn,
)
from tests.posts.platforms.linkedin_case import LinkedInCase


class TestLinkedInAnswers(LinkedInCase):
    @pytest.mark.parametrize("name", ["x-restli-id", "X-RestLi-Id", "X-LINKEDIN-ID"])
    def test_the_id_stands_in_a_header(self, server: FakeLinkedIn, name: str) -> None:
        server.id_header = name
        session = self.page(server)
        if "RESTLI" not in name.upper():
            with self.refused(OutcomeUnknown, "linkedin.id_missing"):
                self.publish(session)
            return
        published = self.publish(session)
        assert published.id == "urn:li:share:7000000000000000001"
        assert published.url == "https://www.linkedin.com/feed/update/urn:li:share:7000000000000000001/"

    def test_an_id_that_is_none_is_not_believed(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        server.fault("/rest/posts", status=201, headers={"x-restli-id": "urn:li:person:x"}, after=True)
        with self.refused(OutcomeUnknown, "linkedin.id_missing"):
            self.publish(session)

    @pytest.mark.parametrize("kind", ["cut", "answer"])
    def test_a_lost_answer_is_mended_by_the_refused_repeat(self, server: FakeLinkedIn, kind: str) -> None:
        session = self.member(server)
        snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
        server.fault("/rest/posts", kind=kind, status=500, after=True)
        with self.refused(OutcomeUnknown):
            PLATFORM.commit(session, snapshot)
        published = PLATFORM.commit(replace(session, sent_before=True), snapshot)
        assert published.id == server.accepted[0]["key"]
        assert len(server.accepted) == 1

    def test_a_duplicate_of_something_else_is_refused(self, server: FakeLinkedIn) -> None:
        session = self.member(server)
        live = self.publish(session)
        with self.refused(ContentRejected, "linkedin.duplicate") as caught:
            self.publish(session)
        assert (caught.value.field, caught.value.params["urn"]) == ("text", live.id)
        server.names_duplicates = False
        with self.refused(ContentRejected, "linkedin.duplicate"):
            self.publish(replace(session, sent_before=True))

    @pytest.mark.parametrize("status", [400, 409, 422])
    def test_shorter_forms_of_the_duplicate_answer(self, server: FakeLinkedIn, status: int) -> None:
        session = replace(self.member(server), sent_before=True)
        self.refuse(server, status, message="Content is a duplicate of urn:li:ugcPost:42")
        assert self.publish(session).id == "urn:li:ugcPost:42"

    def test_a_version_that_has_ended_stops_the_platform_and_tells(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        old = replace(session, app=replace(session.app, settings={"api_version": "202401"}))
        with self.refused(RateLimited, "linkedin.version_over") as caught:
            self.publish(old)
        assert server.seen[-1].headers["linkedin-version"] == "202401"
        assert (caught.value.scope, caught.value.tell) == ("app", True)
        self.refuse(server, 400, message="Requested version 20240101 is not active")
        with self.refused(RateLimited, "linkedin.version_over"):
            self.publish(session)

    @pytest.mark.parametrize(
        ("message", "scope"),
        [
            ("Resource level throttle APPLICATION DAY limit for calls to this resource is reached.", "app"),
            ("Resource level throttle MEMBER DAY limit for calls to this resource is reached.", "account"),
            ("Resource level throttle DAY limit for calls to this resource is reached.", "account"),
        ],
    )
    def test_a_days_limit_lasts_until_midnight_utc(self, server: FakeLinkedIn, message: str, scope: str) -> None:
        session = self.page(server)
        evening = datetime(2026, 11, 22, 20, 15, tzinfo=UTC)
        self.refuse(server, 429, message=message, serviceErrorCode=101)
        with self.refused(RateLimited, "rate_limited") as caught:
            self.publish(replace(session, now=lambda: evening))
        assert caught.value.until == datetime(2026, 11, 23, tzinfo=UTC)
        assert caught.value.scope == scope

    @pytest.mark.parametrize(
        ("status", "code", "message", "kind", "meaning", "field"),
        [
            (400, "INVALID_URN_TYPE", "", ContentRejected, "linkedin.post_refused", "post"),
            (400, "INVALID_URN_ID", "", ContentRejected, "linkedin.post_refused", "post"),
            (400, "MISSING_FIELD", "", ContentRejected, "linkedin.post_refused", "post"),
            (400, "INVALID_VALUE_FOR_FIELD", "", ContentRejected, "linkedin.post_refused", "post"),
            (400, "INVALID_VALUE_BLANK_FIELD", "", ContentRejected, "linkedin.post_refused", "post"),
            (422, "UNPROCESSABLE_ENTITY", "", ContentRejected, "linkedin.post_refused", "post"),
            (400, "FIELD_LENGTH_TOO_LONG", "", ContentRejected, "linkedin.text_too_long", "text"),
            (400, "INVALID_IMAGE_ID", "", ContentRejected, "linkedin.media_refused", "media"),
            (400, "INVALID_VIDEO_ID", "", ContentRejected, "linkedin.media_refused", "media"),
            (400, "MEDIA_ASSET_PROCESSING_FAILED", "", ContentRejected, "linkedin.media_refused", "media"),
            (400, "MEDIA_ASSET_WAITING_UPLOAD", "", NotReady, "media_processing", ""),
            (400, "EXPIRED_UPLOAD_URL", "", Temporary, "linkedin.upload_over", ""),
            (400, "UPDATING_ASSET_FAILED", "", Temporary, "linkedin.upload_over", ""),
            (409, "CONFLICT", "", Temporary, "linkedin.conflict", ""),
            (409, "", "", Temporary, "linkedin.conflict", ""),
            (403, "ACCESS_DENIED", "Not enough permissions", ReconnectNeeded, "linkedin.no_permission", ""),
            (403, "", "Something new", ReconnectNeeded, "linkedin.no_permission", ""),
            (403, "", "Accessing this video resource is forbidden", Temporary, "linkedin.media_hidden", ""),
            (403, "", "Unpermitted fields present in REQUEST_BODY: x", ReconnectNeeded, "linkedin.not_the_author", ""),
            (401, "INVALID_ACCESS_TOKEN", "", TokenExpired, "linkedin.token_expired", ""),
            (401, "EXPIRED_ACCESS_TOKEN", "", TokenExpired, "linkedin.token_expired", ""),
            (401, "REVOKED_ACCESS_TOKEN", "", TokenExpired, "linkedin.token_expired", ""),
            (400, "", "Unable to obtain activity", OutcomeUnknown, "unexpected_answer", ""),
            (400, "SOMETHING_NEW", "", OutcomeUnknown, "unexpected_answer", ""),
            (404, "NOT_FOUND", "", OutcomeUnknown, "unexpected_answer", ""),
        ],
    )
    def test_documented_refusals(
        self,
        server: FakeLinkedIn,
        status: int,
        code: str,
        message: str,
        kind: type[PublishError],
        meaning: str,
        field: str,
    ) -> None:
        session = self.page(server)
        self.refuse(server, status, code, message)
        with self.refused(kind, meaning) as caught:
            self.publish(session)
        assert getattr(caught.value, "field", "") == field
        assert caught.value.status_code == status
        assert not server.accepted

    def test_the_code_of_the_input_is_the_more_exact_one(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        details = {"inputErrors": [{"code": "FIELD_LENGTH_TOO_LONG", "description": "too long"}]}
        self.refuse(server, 422, "UNPROCESSABLE_ENTITY", errorDetails=details)
        with self.refused(ContentRejected, "linkedin.text_too_long"):
            self.publish(session)

    def test_a_forbidden_page_of_a_proxy_says_nothing(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        server.fault("/rest/posts", status=403, body="<html>blocked</html>")
        with self.refused(OutcomeUnknown, "unexpected_answer"):
            self.publish(session)


@pytest.mark.parametrize("texts", TEXTS)
def test_the_texts_are_in_lower_case(texts: Message) -> None:
    assert texts.contains == texts.contains.lower()
