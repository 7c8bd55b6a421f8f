from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from posts.platforms import _mastodon_calls as calls
from posts.platforms.mastodon import PLATFORM
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
from posts.publishing.platform import Session
from posts.publishing.types import MediaFile, Published
from tests.posts.platforms.contract import MemoryCheckpoints, PlatformContract, an_http, content, picture
from tests.posts.platforms.fake_mastodon import (
    ACCOUNT_ID,
    ALL_SCOPES,
    MEDIA_TAKEN,
    NOT_PROCESSED,
    TOKEN,
    FakeMastodon,
    Registered,
)
from tests.posts.platforms.test_fakes import fake_process

STATUSES = "/api/v1/statuses"
LIST = f"/api/v1/accounts/{ACCOUNT_ID}/statuses"


class TestMastodon(PlatformContract):
    platform = PLATFORM
    commit_path = STATUSES
    picture_path = "/api/v2/media"
    login_path = "/verify_credentials"
    server_config = "instance"

    @pytest.fixture
    def server(self) -> Iterator[FakeMastodon]:
        with FakeMastodon() as server:
            yield server

    def answers(self, server: FakeMastodon) -> dict[str, str]:
        return {"instance": server.url}

    def tokens(self, server: FakeMastodon) -> dict[str, Any]:
        return {"access_token": TOKEN}

    def renewable(self, server: FakeMastodon, session: Session) -> Session:
        """As at a server whose tokens end; those of Mastodon itself do not."""
        server.tokens_end_after = 3600
        server.apps["app-of-tests"] = Registered("", ALL_SCOPES.split(), "secret-of-tests", "SocialQ")
        server.grants[TOKEN].refresh_token = "renewal-of-tests"
        login = {"client_id": "app-of-tests", "client_secret": "secret-of-tests", "refresh_token": "renewal-of-tests"}
        return replace(session, credentials={**session.credentials, **login})

    def check_text_request(self, server: FakeMastodon, text: str) -> None:
        seen = server.seen[-1]
        assert (seen.method, seen.path) == ("POST", STATUSES)
        assert seen.headers["authorization"] == f"Bearer {TOKEN}"
        assert seen.headers["accept-language"] == "en"
        assert seen.headers["idempotency-key"].startswith(content().key)
        assert seen.json() == {"status": text}

    def check_picture_request(self, server: FakeMastodon, media: MediaFile) -> None:
        upload, post = server.seen[-2:]
        assert (upload.method, upload.path) == ("POST", "/api/v2/media")
        assert upload.headers["authorization"] == f"Bearer {TOKEN}"
        assert upload.size_bytes == int(upload.headers["content-length"])
        assert upload.parts() == {
            "file": (media.filename, media.read()),
            "description": ("", media.alt_text.encode()),
        }
        assert post.json() == {"status": "Look", "media_ids": list(server.uploads)}

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return {"error": "Too many requests"}

    def end_login(self, server: FakeMastodon) -> None:
        server.expire_access_tokens()

    def refuse(self, server: FakeMastodon, status: int, error: Any, path: str = STATUSES, **how: Any) -> None:
        server.fault(path, status=status, body={"error": error} if error else "", **how)

    # The token and the server

    def test_identity_names_the_server_since_ids_are_its_own(self, server: FakeMastodon) -> None:
        connection = self.connect(server)
        host = server.url.removeprefix("http://")
        assert (connection.identity.id, connection.identity.name) == (f"{ACCOUNT_ID}@{host}", f"@alice@{host}")
        assert connection.credentials == {"access_token": TOKEN}
        assert connection.expires_at is None
        config = connection.config
        assert (config["instance"], config["account_id"], config["version"]) == (server.url, ACCOUNT_ID, "4.7.2")
        assert server.paths() == ["/api/v1/accounts/verify_credentials", "/api/v2/instance"]
        assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {TOKEN}"}

    def test_a_token_with_the_broad_scopes_is_enough(self, server: FakeMastodon) -> None:
        assert self.connect_with(server, scope="read write follow").scopes == ("read", "write", "follow")

    def test_a_token_that_may_not_write_is_refused_before_anything_is_asked(self, server: FakeMastodon) -> None:
        with self.refused(ReconnectNeeded, "oauth.scope_missing") as caught:
            self.connect_with(server, scope="read write:media")
        assert caught.value.params["scopes"] == "write:statuses"
        assert not server.seen

    def connect_with(self, server: FakeMastodon, **more: Any) -> Any:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC))
        return PLATFORM.connections(session, {"access_token": TOKEN, **more}, self.answers(server))[0]

    def test_checking_reads_the_limits_again_and_posts_nothing(self, server: FakeMastodon) -> None:
        session = self.session(server)
        statuses = {"max_characters": 11_000, "max_media_attachments": 8, "characters_reserved_per_url": 20}
        server.instance = {**server.instance, "configuration": {"statuses": statuses}}
        connection = PLATFORM.check(session)
        limits = connection.config["limits"]
        assert (limits["characters"], limits["files"], limits["alt_text"]) == (11_000, 8, 1500)
        assert connection.identity.id == self.connect(server).identity.id
        assert not server.accepted

    def test_checking_keeps_what_is_known_while_the_server_says_nothing_of_itself(self, server: FakeMastodon) -> None:
        session = self.session(server)
        for path in ("/api/v2/instance", "/api/v1/instance"):
            server.fault(path, status=401, body={"error": "This method requires an authenticated user"})
        assert "limits" not in PLATFORM.check(session).config

    def test_a_check_with_an_ended_token_says_so(self, server: FakeMastodon) -> None:
        session = self.session(server)
        server.expire_access_tokens()
        with self.refused(TokenExpired, "mastodon.token_refused"):
            PLATFORM.check(session)

    # Errors of publishing, row by row

    @pytest.mark.parametrize(
        ("status", "error", "kind", "code", "field"),
        [
            (401, "The access token is invalid", TokenExpired, "mastodon.token_refused", ""),
            (401, "The access token was revoked", TokenExpired, "mastodon.token_refused", ""),
            (401, "The access token expired", TokenExpired, "mastodon.token_refused", ""),
            (403, "This action is outside the authorized scopes", ReconnectNeeded, "mastodon.scope_missing", ""),
            (403, "Forbidden: token has insufficient scope", ReconnectNeeded, "mastodon.scope_missing", ""),
            (403, "Insufficient permissions: write:statuses.", ReconnectNeeded, "mastodon.scope_missing", ""),
            (403, "Your login is currently disabled", ReconnectNeeded, "mastodon.login_disabled", ""),
            (403, "Your login is currently pending approval", ReconnectNeeded, "mastodon.login_disabled", ""),
            (403, "Your login is missing a confirmed e-mail address", ReconnectNeeded, "mastodon.login_disabled", ""),
            (403, "This action is not allowed", ContentRejected, "mastodon.not_allowed", "post"),
            (
                422,
                "Validation failed: Text character limit of 500 exceeded",
                ContentRejected,
                "mastodon.text_refused",
                "text",
            ),
            (422, "Validation failed: Text can't be blank", ContentRejected, "mastodon.text_refused", "text"),
            (
                400,
                "Bad Request: status too long, 5001 characters provided but limit is 5000",
                ContentRejected,
                "mastodon.text_refused",
                "text",
            ),
            (
                422,
                "Validation failed: Cannot attach more than 4 files",
                ContentRejected,
                "mastodon.attachments_refused",
                "media",
            ),
            (
                422,
                "Cannot attach a video to a post that already contains images",
                ContentRejected,
                "mastodon.attachments_refused",
                "media",
            ),
            (
                422,
                "Validation failed: Poll options must have more than one item",
                ContentRejected,
                "mastodon.poll_refused",
                "poll",
            ),
            (422, "Validierung fehlgeschlagen: Zu lang", ContentRejected, "mastodon.refused", "post"),
            (422, {"message": "no", "code": 7}, ContentRejected, "mastodon.refused", "post"),
            (
                400,
                "param is missing or the value is empty or invalid: status",
                ContentRejected,
                "mastodon.refused",
                "post",
            ),
            (422, NOT_PROCESSED, NotReady, "media_processing", ""),
            (422, MEDIA_TAKEN.format("1, 2"), Temporary, "mastodon.media_taken", ""),
            (400, "Bad Request: media not found: 01ABC", Temporary, "mastodon.media_taken", ""),
            (400, "media already attached to status: 01ABC", Temporary, "mastodon.media_taken", ""),
            (404, "Record not found", OutcomeUnknown, "unexpected_answer", ""),
            (422, "", OutcomeUnknown, "unexpected_answer", ""),
            (500, "", OutcomeUnknown, "server_error", ""),
            (503, "There was a temporary problem serving your request", OutcomeUnknown, "server_error", ""),
        ],
    )
    def test_refusals_of_a_status(
        self, server: FakeMastodon, status: int, error: Any, kind: type[PublishError], code: str, field: str
    ) -> None:
        session = self.session(server)
        self.refuse(server, status, error)
        with self.refused(kind, code) as caught:
            self.commit(session)
        assert getattr(caught.value, "field", "") == field
        assert not server.accepted

    @pytest.mark.parametrize(
        ("status", "error", "kind", "code"),
        [
            (
                422,
                "Validation failed: File content type is invalid, File is invalid",
                ContentRejected,
                "mastodon.media_refused",
            ),
            (422, "File type of uploaded media could not be verified", ContentRejected, "mastodon.media_refused"),
            (413, "", ContentRejected, "mastodon.media_too_large"),
            (429, "Too many requests", RateLimited, "rate_limited"),
            (503, "", Temporary, "server_error"),
            (401, "The access token is invalid", TokenExpired, "mastodon.token_refused"),
            (403, "This action is outside the authorized scopes", ReconnectNeeded, "mastodon.scope_missing"),
            (403, "Something else", ReconnectNeeded, "mastodon.forbidden"),
            (404, "Record not found", Temporary, "unexpected_answer"),
        ],
    )
    def test_refusals_of_an_upload(
        self, server: FakeMastodon, status: int, error: str, kind: type[PublishError], code: str
    ) -> None:
        media = picture()
        session = self.session(server, media)
        self.refuse(server, status, error, self.picture_path)
        with self.refused(kind, code):
            self.commit(session, "Hi", media)
        assert not server.accepted

    def test_a_file_that_cannot_be_processed_is_tried_twice(self, server: FakeMastodon) -> None:
        media, checkpoints = picture(), MemoryCheckpoints()
        session = self.session(server, media)
        self.refuse(server, 500, "Error processing thumbnail for uploaded media", self.picture_path, times=2)
        with self.refused(Temporary, "mastodon.media_faulty"):
            PLATFORM.prepare(session, content("Hi", media), checkpoints)
        with self.refused(ContentRejected, "mastodon.media_refused"):
            PLATFORM.prepare(session, content("Hi", media), checkpoints)
        assert PLATFORM.prepare(session, content("Hi", media), checkpoints)["body"]["media_ids"] == [*server.uploads]

    def test_a_picture_that_cannot_be_opened_is_noticed_before_sending(self, server: FakeMastodon) -> None:
        def gone() -> io.BytesIO:
            raise FileNotFoundError("p1.jpg")

        media = replace(picture(), open=gone)
        session = self.session(server, media)
        before = len(server.seen)
        with self.refused(Temporary, "media_unreadable"):
            self.commit(session, "Hi", media)
        assert len(server.seen) == before

    # Rate limits

    def test_a_rate_limit_names_its_end_as_a_timestamp(self, server: FakeMastodon) -> None:
        session = self.session(server)
        ends_at = datetime.now(UTC) + timedelta(hours=2)
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": ends_at.isoformat().replace("+00:00", "Z")}
        self.refuse(server, 429, "Too many requests", headers=headers)
        with self.refused(RateLimited) as caught:
            self.commit(session)
        assert caught.value.until == ends_at

    @pytest.mark.parametrize("remaining", ["0", "1"])
    def test_a_success_that_uses_the_limit_up_is_told(self, server: FakeMastodon, remaining: str) -> None:
        told: list[Any] = []
        session = replace(self.session(server), exhausted=lambda *how: told.append(how))
        ends_at = datetime.now(UTC) + timedelta(minutes=20)
        server.remaining = {"X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": ends_at.isoformat()}
        self.commit(session)
        assert told == ([(ends_at, "account")] if remaining == "0" else [])

    # What a person chose

    def test_options_become_fields_of_the_status(self, server: FakeMastodon) -> None:
        media = picture()
        session = self.session(server, media)
        options = {"visibility": "unlisted", "content_warning": "Food", "sensitive": True}
        post = replace(content("Hello", media, language="pt-BR"), options=options)
        PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
        assert server.seen[-1].json() == {
            "status": "Hello",
            "media_ids": [*server.uploads],
            "language": "pt-BR",
            "visibility": "unlisted",
            "spoiler_text": "Food",
            "sensitive": True,
        }

    def test_a_poll_goes_with_the_first_part_alone(self, server: FakeMastodon) -> None:
        session = self.session(server)
        options = {"poll": ["Yes", "No"], "poll_seconds": "3600", "poll_multiple": True}
        first = replace(content("Do you?"), options=options, parts=2)
        PLATFORM.commit(session, PLATFORM.prepare(session, first, MemoryCheckpoints()))
        poll = {"options": ["Yes", "No"], "expires_in": 3600, "multiple": True, "hide_totals": False}
        assert server.seen[-1].json() == {"status": "Do you?", "poll": poll}
        assert "poll" not in PLATFORM.prepare(session, replace(first, part=1), MemoryCheckpoints())["body"]

    def test_the_address_falls_back_to_the_uri(self, server: FakeMastodon) -> None:
        session = self.session(server)
        server.fault(STATUSES, status=200, body={"id": "01HXYZ", "url": None, "uri": "https://fake.example/s/01HXYZ"})
        assert self.commit(session) == Published(
            "01HXYZ",
            "https://fake.example/s/01HXYZ",
            {"created_at": None, "visibility": None, "uri": "https://fake.example/s/01HXYZ"},
        )

    # Threads and comments

    def test_a_part_answers_the_one_before_and_a_comment_the_first(self, server: FakeMastodon) -> None:
        session = self.session(server)
        parts = [
            replace(content("One"), parts=3),
            replace(content("Two"), key="k-1", part=1, parts=3),
            replace(content("More there"), key="k-2", part=2, parts=3, kind="comment"),
        ]
        live: list[Published] = []
        for part in parts:
            snapshot = PLATFORM.prepare(session, part, MemoryCheckpoints())
            live.append(PLATFORM.commit(replace(session, thread=tuple(live)), snapshot))
        replies = [post["asked"].get("in_reply_to_id") for post in server.accepted]
        assert replies == [None, live[0].id, live[0].id]
        two, three = replace(parts[1], part=2), replace(session, thread=tuple(live[:2]))
        PLATFORM.commit(three, PLATFORM.prepare(session, replace(two, key="k-3"), MemoryCheckpoints()))
        assert server.accepted[-1]["asked"]["in_reply_to_id"] == live[1].id

    def test_a_part_whose_post_before_was_deleted_is_refused(self, server: FakeMastodon) -> None:
        session = self.session(server)
        live = self.commit(session)
        server.gone_replies.add(live.id)
        with self.refused(ContentRejected, "mastodon.reply_gone"):
            self.commit(replace(session, thread=(live,)), "Two")


def test_the_fake_runs_as_a_process_and_keeps_a_log(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    with fake_process("fake_mastodon", log) as url:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC))
        (connection,) = PLATFORM.connections(session, {"access_token": TOKEN}, {"instance": url})
        session = replace(session, credentials=connection.credentials, config=connection.config)
        snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
        session.http.request("POST", f"{url}/_fault", json={"path": STATUSES, "kind": "cut", "after": True})
        with pytest.raises(OutcomeUnknown):
            PLATFORM.commit(session, snapshot)
        (kept,) = map(json.loads, log.read_text().splitlines())
        assert (kept["account"], kept["text"]) == (connection.identity.id, "Hello")
        session.http.request("POST", f"{url}/_control", json={"call": "expire_access_tokens"})
        with pytest.raises(TokenExpired):
            PLATFORM.commit(session, snapshot)


@pytest.mark.parametrize("case", calls.FORBIDDEN_CASES + calls.STATUS_CASES)
def test_the_beginnings_are_in_lower_case(case: calls.Case) -> None:
    assert case.beginning == case.beginning.lower()
