from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from posts.platforms.linkedin import PLATFORM
from posts.publishing.errors import ContentRejected, OutcomeUnknown, TokenExpired
from posts.publishing.platform import Session
from posts.publishing.types import Absent, App, CannotTell, Draft, Found, MediaFile
from tests.posts.platforms.contract import MemoryCheckpoints, PlatformContract, an_http, content, picture, video
from tests.posts.platforms.fake_linkedin import (
    MEMBER,
    PAGE,
    PAGE_SCOPES,
    PARTNER_TOKEN,
    REFRESH_TOKEN,
    SECOND_PAGE,
    TOKEN,
    FakeLinkedIn,
)
from tests.posts.platforms.linkedin_case import LinkedInCase
from tests.posts.platforms.test_fakes import fake_process


class TestLinkedIn(LinkedInCase, PlatformContract):
    """The contract, with a page's login."""

    platform = PLATFORM
    commit_path = "/rest/posts"
    picture_path = "/rest/images"
    login_path = "/rest/organizationAcls"

    def tokens(self, server: FakeLinkedIn) -> dict[str, Any]:
        return {"access_token": PARTNER_TOKEN, "refresh_token": REFRESH_TOKEN, "scope": PAGE_SCOPES}

    def check_text_request(self, server: FakeLinkedIn, text: str) -> None:
        seen = server.seen[-1]
        assert (seen.method, seen.path) == ("POST", "/rest/posts")
        assert seen.headers["authorization"] == f"Bearer {PARTNER_TOKEN}"
        assert seen.headers["linkedin-version"] == "202609"
        assert seen.headers["x-restli-protocol-version"] == "2.0.0"
        assert seen.headers["content-type"] == "application/json"
        assert seen.json() == {
            "author": PAGE,
            "commentary": text,
            "visibility": "PUBLIC",
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": False,
        }

    def check_picture_request(self, server: FakeLinkedIn, media: MediaFile) -> None:
        begin, put, look, post = server.seen[-4:]
        assert (begin.method, begin.path, begin.query) == ("POST", "/rest/images", {"action": "initializeUpload"})
        assert begin.json() == {"initializeUploadRequest": {"owner": PAGE}}
        assert (put.method, put.body, put.headers["content-type"]) == ("PUT", media.read(), "image/jpeg")
        assert put.headers["authorization"] == f"Bearer {PARTNER_TOKEN}"
        assert (look.method, look.path) == ("GET", "/rest/images/urn%3Ali%3Aimage%3AC1")
        assert post.json()["content"] == {"media": {"id": "urn:li:image:C1", "altText": "A red field"}}

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return {"status": 429, "code": "TOO_MANY_REQUESTS", "serviceErrorCode": 101, "message": "Slow down"}

    def end_login(self, server: FakeLinkedIn) -> None:
        server.expire_access_tokens()

    # Posting

    def test_a_member_chooses_who_sees_the_post(self, server: FakeLinkedIn) -> None:
        session = self.member(server)
        post = replace(content("Hi"), options={"visibility": "CONNECTIONS"})
        PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
        assert (server.accepted[0]["account"], server.accepted[0]["visibility"]) == (MEMBER, "CONNECTIONS")

    def test_what_a_member_posted_cannot_be_looked_up(self, server: FakeLinkedIn) -> None:
        session = self.member(server)
        before = len(server.seen)
        assert PLATFORM.find(session, {"kind": "post", "body": {}}, datetime.now(UTC)) == CannotTell("no_read_back")
        assert len(server.seen) == before

    # Reading back

    def test_a_page_finds_its_post_once_the_list_shows_it(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        snapshot = PLATFORM.prepare(session, content("Ü (one) #tag_x"), MemoryCheckpoints())
        marked_at = datetime.now(UTC)
        published = PLATFORM.commit(session, snapshot)
        server.hidden_posts = 1
        assert PLATFORM.find(session, snapshot, marked_at) == Absent()
        server.hidden_posts = 0
        assert PLATFORM.find(session, snapshot, marked_at) == Found(published)
        seen = server.seen[-1]
        assert seen.query == {"author": PAGE, "q": "author", "count": "50", "sortBy": "LAST_MODIFIED"}
        assert PLATFORM.settle_seconds

    def test_what_is_listed_unescaped_is_found_too(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        snapshot = PLATFORM.prepare(session, content("a_b #tag"), MemoryCheckpoints())
        PLATFORM.commit(session, snapshot)
        server.posts[0]["commentary"] = "a_b #tag"
        assert isinstance(PLATFORM.find(session, snapshot, datetime.now(UTC)), Found)

    @pytest.mark.parametrize(
        "change",
        [
            {"createdAt": 0},
            {"createdAt": None},
            {"createdAt": "today"},
            {"commentary": "Other"},
            {"author": SECOND_PAGE},
            {"lifecycleState": "DRAFT"},
        ],
    )
    def test_another_post_is_not_taken_for_it(self, server: FakeLinkedIn, change: dict[str, Any]) -> None:
        session = self.page(server)
        snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
        PLATFORM.commit(session, snapshot)
        server.posts[0] |= change
        assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == Absent()

    def test_two_matches_are_none(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
        PLATFORM.commit(session, snapshot)
        server.posts.append(server.posts[0] | {"id": "urn:li:share:5"})
        finding = PLATFORM.find(session, snapshot, datetime.now(UTC))
        assert finding == CannotTell("linkedin.cannot_tell_apart")

    def test_a_full_list_of_new_posts_proves_nothing(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
        marked_at = datetime.now(UTC)
        for number in range(50):
            PLATFORM.commit(session, PLATFORM.prepare(session, content(f"{number}"), MemoryCheckpoints()))
        assert PLATFORM.find(session, snapshot, marked_at) == CannotTell("linkedin.cannot_tell_apart")

    def test_a_post_with_files_is_known_by_them_whatever_its_text(self, server: FakeLinkedIn) -> None:
        media = (picture("a"), picture("b"))
        session = self.page(server, *media)
        mine = PLATFORM.prepare(session, content("", *media), MemoryCheckpoints())
        other = PLATFORM.prepare(session, content("", *media), MemoryCheckpoints())
        marked_at = datetime.now(UTC)
        published = PLATFORM.commit(session, mine)
        PLATFORM.commit(session, other)
        assert PLATFORM.find(session, mine, marked_at) == Found(published)

    # Cards, polls and comments

    def test_a_link_card_takes_the_picture_of_the_post(self, server: FakeLinkedIn) -> None:
        media = picture()
        session = self.page(server, media)
        options = {"link_url": "https://a.example/x_y", "link_title": "A page", "link_description": "What it says"}
        post = replace(content("Read", media), options=options)
        PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
        assert server.seen[-1].json()["content"] == {
            "article": {
                "source": "https://a.example/x_y",
                "title": "A page",
                "description": "What it says",
                "thumbnail": "urn:li:image:C1",
            }
        }

    def test_a_poll(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        options = {"poll_question": "Tea?", "poll_options": ["Yes", "No"], "poll_duration": "ONE_DAY"}
        post = replace(content("Vote"), options=options)
        PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
        assert server.accepted[0]["content"] == {
            "poll": {
                "question": "Tea?",
                "options": [{"text": "Yes"}, {"text": "No"}],
                "settings": {"duration": "ONE_DAY"},
            }
        }

    @pytest.mark.parametrize("page", [True, False], ids=["page", "member"])
    def test_a_first_comment_is_plain_text_below_the_post(self, server: FakeLinkedIn, page: bool) -> None:
        session = self.page(server) if page else self.member(server)
        post = self.publish(session)
        session = replace(session, thread=(post,))
        text = "(see) #tag by @[Devtestco](urn:li:organization:2414183)"
        comment = replace(content(text), kind="comment", part=1, parts=2)
        snapshot = PLATFORM.prepare(session, comment, MemoryCheckpoints())
        assert snapshot == {"kind": "comment", "text": "(see) #tag by Devtestco"}
        marked_at = datetime.now(UTC)
        published = PLATFORM.commit(session, snapshot)
        seen = server.seen[-1]
        author = PAGE if page else MEMBER
        assert seen.path == f"/rest/socialActions/{post.id.replace(':', '%3A')}/comments"
        assert seen.json() == {"actor": author, "object": post.id, "message": {"text": "(see) #tag by Devtestco"}}
        assert published.id == "6600000000000000000"
        assert published.url.startswith(f"https://www.linkedin.com/feed/update/{post.id}/?commentUrn=urn%3Ali%3Acomm")
        finding = PLATFORM.find(session, snapshot, marked_at)
        assert finding == (Found(published) if page else CannotTell("no_read_back"))
        if page:
            assert PLATFORM.find(session, snapshot, marked_at + timedelta(minutes=1)) == Absent()

    def test_a_lost_comment_is_unknown_and_one_below_a_deleted_post_is_refused(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        session = replace(session, thread=(self.publish(session),))
        snapshot = {"kind": "comment", "text": "First"}
        server.fault("/rest/socialActions", kind="cut", after=True)
        with self.refused(OutcomeUnknown):
            PLATFORM.commit(session, snapshot)
        server.posts.clear()
        with self.refused(ContentRejected, "linkedin.post_gone"):
            PLATFORM.commit(session, snapshot)


def test_a_draft_says_what_does_not_go_together() -> None:
    def said(*media: MediaFile, **options: Any) -> list[tuple[str, str]]:
        remarks = PLATFORM.problems(Draft(("Hi",), media, options), {})
        return [(remark.code, remark.field) for remark in remarks]

    card = {"link_url": "https://a.example", "link_title": "A"}
    assert said() == []
    assert said(picture(), **card) == []
    assert said(link_url="a.example", link_title="A") == [("linkedin.link_unusable", "link_url")]
    assert said(link_url="https://a.example") == [("linkedin.link_without_title", "link_title")]
    assert said(picture("a"), picture("b"), **card) == [("linkedin.link_with_files", "link_url")]
    assert said(video(), **card) == [("linkedin.link_with_files", "link_url")]
    poll = {"poll_question": "Tea?", "poll_options": ["Yes", "No"]}
    assert said(**poll) == []
    for wrong in ({"poll_options": ["Yes"]}, {"poll_options": ["a" * 31, "b"]}, {"poll_question": ""}):
        assert said(**(poll | wrong)) == [("linkedin.poll_incomplete", "poll_options")]
    assert said(picture(), **poll) == [("linkedin.poll_with_more", "poll_question")]


def test_a_bare_link_is_noted() -> None:
    draft = Draft(("See https://a.example",))
    assert [remark.code for remark in PLATFORM.notes(draft, {})] == ["linkedin.link_without_card"]
    assert not PLATFORM.notes(replace(draft, media=(picture(),)), {})
    assert not PLATFORM.notes(Draft(("Hello",)), {})


def test_the_fake_as_a_process_keeps_a_log_and_takes_orders(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    with fake_process("fake_linkedin", log) as url:
        http = an_http()
        session = Session(http, {}, {}, lambda: datetime.now(UTC), app=App(api_base=url))
        connection = PLATFORM.connections(session, {"access_token": TOKEN}, {})[0]
        session = replace(session, credentials=connection.credentials, config=connection.config)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        http.request("POST", f"{url}/_fault", json={"path": "/rest/posts", "kind": "cut", "after": True})
        with pytest.raises(OutcomeUnknown):
            PLATFORM.commit(session, snapshot)
        assert PLATFORM.commit(replace(session, sent_before=True), snapshot).id
        http.request("POST", f"{url}/_control", json={"call": "expire_access_tokens"})
        with pytest.raises(TokenExpired):
            PLATFORM.commit(session, snapshot)
        kept = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(post["account"], post["text"]) for post in kept] == [(MEMBER, "Hello")]
