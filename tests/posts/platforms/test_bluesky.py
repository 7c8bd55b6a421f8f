from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.platforms._bluesky_record import facets, record_key, tid
from posts.platforms.bluesky import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.platform import Session
from posts.publishing.types import Absent, CannotTell, Found, MediaFile
from tests.posts.platforms.contract import (
    KEY,
    KEYED_AT,
    MemoryCheckpoints,
    PlatformContract,
    an_http,
    content,
    picture,
)
from tests.posts.platforms.fake_pds import PASSWORD, FakePds, did_of

PUT = "com.atproto.repo.putRecord"
GET = "com.atproto.repo.getRecord"
DID = did_of("alice.test")


class TestBluesky(PlatformContract):
    platform = PLATFORM
    commit_path = PUT
    picture_path = "com.atproto.repo.uploadBlob"
    login_path = "com.atproto.server.createSession"
    server_config = "pds"
    secret_field = "password"

    @pytest.fixture
    def server(self) -> Iterator[FakePds]:
        with FakePds() as server:
            yield server

    def answers(self, server: FakePds) -> dict[str, str]:
        return {"identifier": "@alice.test ", "password": PASSWORD, "service": server.url + "/"}

    def check_text_request(self, server: FakePds, text: str) -> None:
        sent = server.seen[-1].json()
        assert server.seen[-1].headers["authorization"].startswith("Bearer ")
        assert sent["repo"] == DID
        assert sent["collection"] == "app.bsky.feed.post"
        assert sent["rkey"] == record_key(KEYED_AT, KEY)
        assert sent["swapRecord"] is None
        assert sent["record"]["text"] == text
        assert sent["record"]["createdAt"].endswith("Z")
        link = {"$type": "app.bsky.richtext.facet#link", "uri": "https://a.example"}
        assert sent["record"]["facets"] == [{"index": {"byteStart": 15, "byteEnd": 32}, "features": [link]}]

    def check_picture_request(self, server: FakePds, media: MediaFile) -> None:
        upload, put = server.seen[-2:]
        assert upload.body == media.read()
        assert upload.headers["content-type"] == "image/jpeg"
        (image,) = put.json()["record"]["embed"]["images"]
        assert image["alt"] == media.alt_text
        assert image["aspectRatio"] == {"width": 8, "height": 6}
        assert image["image"]["size"] == media.size_bytes

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}

    def end_login(self, server: FakePds) -> None:
        server.expire_access_tokens()

    def test_a_session_of_ones_own_is_taken_over_and_a_password_may_come_as_a_token(self, server: FakePds) -> None:
        begun = self.connect(server)
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.app(server))
        tokens = {"access_token": begun.credentials["access_jwt"], "refresh_token": begun.credentials["refresh_jwt"]}
        (taken,) = self.platform.connections(session, tokens, {"service": server.url})
        assert taken.identity == begun.identity
        assert taken.credentials["refresh_jwt"] != begun.credentials["refresh_jwt"]
        answers = {**self.answers(server), "service": "https://bsky.social"}  # which the site's settings have moved
        (logged_in,) = self.platform.connections(session, {"access_token": answers.pop("password")}, answers)
        assert (logged_in.identity, logged_in.config["service"]) == (begun.identity, server.url)

    # Logging in

    def test_the_app_password_is_not_kept(self, server: FakePds) -> None:
        connection = self.connect(server)
        assert set(connection.credentials) == {"access_jwt", "refresh_jwt"}
        assert connection.identity.id == DID
        assert connection.identity.name == "alice.test"
        assert connection.config == {"service": server.url, "pds": server.url, "did": DID}
        assert connection.expires_at is not None
        assert timedelta(minutes=118) < connection.expires_at - datetime.now(UTC) <= timedelta(minutes=120)

    def test_after_login_everything_goes_to_the_server_of_the_did_document(self, server: FakePds) -> None:
        with FakePds(pds_url=server.url) as entryway:
            media = picture()
            session = self.session(server, media)
            connection = self.connect(server, service=entryway.url)
            session = replace(session, credentials=connection.credentials, config=connection.config)
            self.commit(session, "Hi @bob.test", media)
            assert entryway.paths() == ["/xrpc/com.atproto.server.createSession"]
        assert len(server.accepted) == 1

    def test_publishing_never_logs_in(self, server: FakePds) -> None:
        session = self.session(server)
        self.commit(session)
        assert server.logins == 1

    def test_the_password_of_the_account_meets_the_email_code(self, server: FakePds) -> None:
        body = {"error": "AuthFactorTokenRequired", "message": "A sign in code has been sent"}
        server.fault(self.login_path, status=401, body=body)
        with self.refused(ReconnectNeeded, "bluesky.email_code_needed"):
            self.connect(server)

    @pytest.mark.parametrize(
        ("status", "connecting", "refreshing", "publishing"),
        [
            ("deactivated", "deactivated", "deactivated", "deactivated"),
            ("takendown", "wrong_password", "taken_down", "taken_down"),
            ("deleted", "wrong_password", "account_gone", "account_gone"),
        ],
    )
    def test_an_account_that_is_not_active_is_refused(
        self, server: FakePds, status: str, connecting: str, refreshing: str, publishing: str
    ) -> None:
        session = self.session(server)
        server.status = status
        with self.refused(ReconnectNeeded, f"bluesky.{connecting}"):
            self.connect(server)
        with self.refused(ReconnectNeeded, f"bluesky.{refreshing}"):
            PLATFORM.refresh(session)
        with self.refused(ReconnectNeeded, f"bluesky.{publishing}"):
            self.commit(session)
        with self.refused(ReconnectNeeded, f"bluesky.{publishing}"):
            self.commit(session, "Look", picture())
        assert not server.accepted

    def test_too_many_logins_wait_as_long_as_the_server_asks(self, server: FakePds) -> None:
        server.logins = 30
        with self.refused(RateLimited) as caught:
            self.connect(server)
        assert timedelta(minutes=4) < caught.value.until - datetime.now(UTC) <= timedelta(minutes=5)

    def test_a_server_that_names_only_the_reset_is_waited_for_until_then(self, server: FakePds) -> None:
        headers = {"RateLimit-Reset": str(int(time.time()) + 240)}
        server.fault(self.login_path, status=429, body=self.rate_limit_body(None), headers=headers)
        with self.refused(RateLimited) as caught:
            self.connect(server)
        assert timedelta(minutes=3) < caught.value.until - datetime.now(UTC) <= timedelta(minutes=4)

    def test_a_reset_far_in_the_future_locks_out_for_a_day_at_most(self, server: FakePds) -> None:
        headers = {"RateLimit-Reset": str(int(time.time()) + 10**9)}
        server.fault(self.login_path, status=429, body=self.rate_limit_body(None), headers=headers)
        with self.refused(RateLimited) as caught:
            self.connect(server)
        assert caught.value.until - datetime.now(UTC) <= timedelta(days=1)

    # Refreshing

    def test_refreshing_mends_an_expired_token(self, server: FakePds) -> None:
        session = self.session(server)
        server.expire_access_tokens()
        with self.refused(TokenExpired, "bluesky.token_expired"):
            self.commit(session, "Hi", picture())
        connection = PLATFORM.refresh(session)
        assert server.seen[-1].body == b""
        assert server.seen[-1].headers["authorization"] == f"Bearer {session.credentials['refresh_jwt']}"
        assert connection.config == session.config
        assert connection.credentials != session.credentials
        self.commit(replace(session, credentials=connection.credentials))
        assert len(server.accepted) == 1

    def test_a_deleted_app_password_shows_when_refreshing(self, server: FakePds) -> None:
        session = self.session(server)
        server.revoke_sessions()
        with self.refused(ReconnectNeeded, "bluesky.session_over"):
            PLATFORM.refresh(session)

    def test_a_refresh_without_a_new_refresh_token_keeps_the_old_one(self, server: FakePds) -> None:
        session = self.session(server)
        body = {"did": DID, "handle": "alice.test", "accessJwt": "a.b.c"}
        server.fault("refreshSession", status=200, body=body)
        connection = PLATFORM.refresh(session)
        assert connection.credentials == {"access_jwt": "a.b.c", "refresh_jwt": session.credentials["refresh_jwt"]}
        assert connection.expires_at is None

    # Records

    def test_a_repeat_with_the_same_snapshot_makes_no_second_post(self, server: FakePds) -> None:
        session = self.session(server)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        first = PLATFORM.commit(session, snapshot)
        assert PLATFORM.commit(session, snapshot) == first
        assert len(server.accepted) == 1

    def test_a_server_that_refuses_the_same_record_again_is_read_back(self, server: FakePds) -> None:
        session = self.session(server)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        first = PLATFORM.commit(session, snapshot)
        swap = {"error": "InvalidSwap", "message": f"Record was at {first.response['cid']}"}
        server.fault(PUT, status=400, body=swap)
        assert PLATFORM.commit(session, snapshot) == first
        assert GET in server.paths()[-1]

    def test_a_key_taken_by_another_record_is_not_overwritten(self, server: FakePds) -> None:
        session = self.session(server)
        self.commit(session, "One")
        with self.refused(OutcomeUnknown, "bluesky.other_record"):
            self.commit(session, "Two")
        assert [post["text"] for post in server.accepted] == ["One"]

    def test_a_taken_key_that_cannot_be_read_back_is_unknown(self, server: FakePds) -> None:
        session = self.session(server)
        self.commit(session, "One")
        server.fault(GET, status=502)
        with self.refused(OutcomeUnknown, "bluesky.key_taken"):
            self.commit(session, "Two")

    def test_finds_what_was_stored_before_the_connection_was_cut(self, server: FakePds) -> None:
        session = self.session(server)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == Absent()
        server.fault(PUT, kind="cut", after=True)
        with self.refused(OutcomeUnknown):
            PLATFORM.commit(session, snapshot)
        finding = PLATFORM.find(session, snapshot, datetime.now(UTC))
        assert isinstance(finding, Found)
        assert finding.published.id == f"at://{DID}/app.bsky.feed.post/{snapshot['rkey']}"
        assert finding.published.url == f"https://bsky.app/profile/{DID}/post/{snapshot['rkey']}"

    def test_looking_up_needs_no_login(self, server: FakePds) -> None:
        session = self.session(server)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        PLATFORM.commit(session, snapshot)
        server.revoke_sessions()
        assert isinstance(PLATFORM.find(session, snapshot, datetime.now(UTC)), Found)
        assert "authorization" not in server.seen[-1].headers

    def test_another_record_under_our_key_is_for_a_person(self, server: FakePds) -> None:
        session = self.session(server)
        snapshot = PLATFORM.prepare(session, content("One"), MemoryCheckpoints())
        PLATFORM.commit(session, snapshot)
        other = PLATFORM.prepare(session, content("Two"), MemoryCheckpoints())
        assert PLATFORM.find(session, other, datetime.now(UTC)) == CannotTell("bluesky.other_record")

    def test_a_fault_while_looking_up_is_temporary(self, server: FakePds) -> None:
        session = self.session(server)
        server.fault(GET, status=500)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        with self.refused(Temporary, "server_error"):
            PLATFORM.find(session, snapshot, datetime.now(UTC))

    @pytest.mark.parametrize("status", ["deactivated", "takendown", "deleted"])
    def test_the_silence_of_an_account_that_is_not_active_proves_nothing(self, server: FakePds, status: str) -> None:
        session = self.session(server)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        server.status = status
        with self.refused(Temporary, "bluesky.account_hidden"):
            PLATFORM.find(session, snapshot, datetime.now(UTC))

    def test_a_refused_record_is_shown_with_the_reason(self, server: FakePds) -> None:
        session = self.session(server)
        with self.refused(ContentRejected, "bluesky.record_refused") as caught:
            self.commit(session, "x" * 301)
        assert caught.value.detail.endswith("grapheme too big (maximum 300, got 301) at $.record.text")
        assert caught.value.status_code == 400

    def test_three_hundred_families_fit_by_graphemes_but_not_by_bytes(self, server: FakePds) -> None:
        session = self.session(server)
        self.commit(session, "👩‍👩‍👧‍👧" * 120)
        with self.refused(ContentRejected, "bluesky.record_refused"):
            self.commit(session, "👩‍👩‍👧‍👧" * 121)

    def test_an_unexplained_refusal_of_a_commit_is_unknown(self, server: FakePds) -> None:
        session = self.session(server)
        server.fault(PUT, status=400, body={"error": "Surprise", "message": "!"})
        with self.refused(OutcomeUnknown, "unexpected_answer"):
            self.commit(session)

    # Pictures

    def test_a_picture_is_uploaded_once_for_the_same_content(self, server: FakePds) -> None:
        media = picture()
        session, checkpoints = self.session(server, media), MemoryCheckpoints()
        for _ in range(2):
            PLATFORM.prepare(session, content("Hi", media), checkpoints)
        assert len([path for path in server.paths() if self.picture_path in path]) == 1

    def test_a_collected_blob_asks_for_a_fresh_start(self, server: FakePds) -> None:
        media = picture()
        session = self.session(server, media)
        snapshot = PLATFORM.prepare(session, content("Hi", media), MemoryCheckpoints())
        server.blobs.clear()
        with self.refused(Temporary, "bluesky.blob_gone") as caught:
            PLATFORM.commit(session, snapshot)
        assert caught.value.restart
        PLATFORM.commit(session, PLATFORM.prepare(session, content("Hi", media), MemoryCheckpoints()))
        assert len(server.accepted) == 1

    @pytest.mark.parametrize("body", [{"error": "PayloadTooLarge", "message": "request entity too large"}, "<html>"])
    def test_a_picture_over_the_servers_limit_is_refused(self, server: FakePds, body: Any) -> None:
        session = self.session(server)
        server.fault(self.picture_path, status=413, body=body)
        with self.refused(ContentRejected, "bluesky.image_refused") as caught:
            self.commit(session, "Hi", picture())
        assert caught.value.field == "media"

    def test_a_picture_over_the_upload_limit_is_refused(self, server: FakePds) -> None:
        session = self.session(server)
        media = replace(picture(), open=lambda: io.BytesIO(b"x" * 5_242_881))
        with self.refused(ContentRejected, "bluesky.image_refused"):
            self.commit(session, "Hi", media)

    def test_a_stalled_upload_is_temporary(self, server: FakePds) -> None:
        session = self.session(server)
        server.fault(self.picture_path, status=504, body={"error": "UpstreamTimeout", "message": ""})
        with self.refused(Temporary, "server_error"):
            self.commit(session, "Hi", picture())

    # Text

    def test_a_mention_that_nobody_can_resolve_stays_plain_text(self, server: FakePds) -> None:
        session = self.session(server)
        text = "Hi @bob.test and @nobody.test"
        snapshot = PLATFORM.prepare(session, content(text, language="en"), MemoryCheckpoints())
        (facet,) = snapshot["record"]["facets"]
        assert facet["features"] == [{"$type": "app.bsky.richtext.facet#mention", "did": did_of("bob.test")}]
        assert snapshot["record"]["langs"] == ["en"]

    def test_a_fault_while_resolving_does_not_hold_the_post_up(self, server: FakePds) -> None:
        session = self.session(server)
        server.fault("resolveHandle", status=502)
        self.commit(session, "Hi @bob.test")
        assert "facets" not in server.accepted[0]["record"]


@pytest.mark.parametrize(("clock_id", "expected"), [(0, "3ke6kg3wk2222"), (1023, "3ke6kg3wk22zz")])
def test_record_keys_are_tids(clock_id: int, expected: str) -> None:
    assert tid(1_700_000_000_000_000, clock_id) == expected


def test_a_record_key_is_the_same_for_ever_and_differs_between_deliveries() -> None:
    assert record_key(KEYED_AT, KEY) == record_key(KEYED_AT.astimezone(UTC), KEY)
    keys = {record_key(KEYED_AT, f"{number:032x}") for number in range(50)}
    assert len(keys) > 40
    assert {key[:11] for key in keys} == {record_key(KEYED_AT, KEY)[:11]}


@pytest.mark.parametrize(
    "text", ["Hi 👋 see https://a.example", "👩‍👩‍👧‍👧 #größe @bob.test", "漢字 example.com/ü #tag"]
)
def test_facets_cut_out_what_they_name(text: str) -> None:
    found = facets(text, {"bob.test": "did:plc:bob"})
    assert found
    for facet in found:
        cut = text.encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode()
        (feature,) = facet["features"]
        named = feature.get("uri") or feature.get("tag") or feature.get("did")
        assert cut.lstrip("#@") in named or cut == "@bob.test"


@pytest.mark.parametrize(
    "token", ["", "a", "a.b.c", "a.!!.c", "a." + base64.urlsafe_b64encode(json.dumps([1]).encode()).decode() + ".c"]
)
def test_a_token_that_cannot_be_read_has_no_known_end(token: str) -> None:
    from posts.platforms.bluesky import _expiry

    assert _expiry(token) is None
