from __future__ import annotations

import gzip
import json
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from posts.platforms._webhook_event import MAX_BODY_BYTES
from posts.platforms.webhook import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    Unreachable,
)
from posts.publishing.platform import Session
from posts.publishing.standard_webhooks import encoded, key_of, signature
from posts.publishing.types import Absent, Connection, Draft, MediaFile
from tests.posts.platforms.contract import (
    KEY,
    MemoryCheckpoints,
    PlatformContract,
    an_http,
    content,
    picture,
    video,
)
from tests.posts.platforms.fake_webhook import OTHER_SECRET, SECRET, FakeWebhook, expected_signature
from tests.posts.platforms.test_fakes import fake_process

MESSAGE_ID = f"msg_{KEY}"


def addressed(media: MediaFile) -> MediaFile:
    return replace(media, url=lambda: f"https://socialq.example/files/{media.key}?until=1")


class TestWebhook(PlatformContract):
    platform = PLATFORM
    commit_path = "/hook"
    picture_path = "/hook"
    login_path = "/hook"
    secret_field = "secret"
    absent_means_repeatable = "a receiver cannot be asked; it drops an event whose id it has had"
    every_refusal_counts = "Standard Webhooks: whatever is no 2xx was not taken"

    @pytest.fixture
    def server(self) -> Iterator[FakeWebhook]:
        with FakeWebhook() as server:
            yield server

    def account_of(self, connection: Connection) -> str:
        return "hook"  # the fake has one

    def answers(self, server: FakeWebhook) -> dict[str, str]:
        return {"url": f" {server.hook} ", "secret": SECRET}

    def session(self, server: FakeWebhook, *media: MediaFile, timeout_seconds: float = 5) -> Session:
        session = super().session(server, *media, timeout_seconds=timeout_seconds)
        server.seen.clear()  # of the test event, which goes the same way as the posts
        return session

    def elsewhere(self, session: Session, address: str) -> Session:
        return replace(session, credentials={**session.credentials, "url": f"{address}/hook"})

    def check_text_request(self, server: FakeWebhook, text: str) -> None:
        (seen,) = server.seen
        assert (seen.method, seen.path) == ("POST", "/hook")
        assert seen.headers["content-type"] == "application/json"
        assert seen.headers["user-agent"] == "SocialQ"
        assert seen.headers["webhook-id"] == MESSAGE_ID
        assert abs(int(seen.headers["webhook-timestamp"]) - time.time()) < 10
        timestamp = seen.headers["webhook-timestamp"]
        assert seen.headers["webhook-signature"] == expected_signature(SECRET, MESSAGE_ID, timestamp, seen.body)
        assert "authorization" not in seen.headers
        event = seen.json()
        assert datetime.fromisoformat(event.pop("timestamp")).tzinfo is not None
        data = {"id": KEY, "text": text, "language": "", "link": "https://a.example", "media": []}
        assert event == {"type": "post.published", "data": data}

    def check_picture_request(self, server: FakeWebhook, media: MediaFile) -> None:
        (sent,) = server.seen[-1].json()["data"]["media"]
        assert sent == {
            "kind": "image",
            "mime": "image/jpeg",
            "size": media.size_bytes,
            "alt": media.alt_text,
            "width": 8,
            "height": 6,
        }

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return "slow down"

    def end_login(self, server: FakeWebhook) -> None:
        server.change_secret()

    # What the contract has otherwise: any 2xx says that the event arrived, whatever is in it

    @pytest.mark.parametrize("body", ["<html>welcome</html>", "", "[]", "{", "null", '{"id": [], "url": 5}'])
    def test_an_unreadable_success_is_unknown(self, server: FakeWebhook, body: str) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=200, body=body, after=True)
        published = self.commit(session)
        assert (published.id, published.url) == (MESSAGE_ID, "")

    def test_a_packed_answer_is_not_unpacked(self, server: FakeWebhook) -> None:
        session = self.session(server)
        bomb = gzip.compress(b"0" * 1_000_000)
        server.fault(self.commit_path, status=200, body=bomb, headers={"Content-Encoding": "gzip"}, after=True)
        assert self.commit(session).id == MESSAGE_ID

    def test_an_endless_answer_is_not_read_to_its_end(self, server: FakeWebhook) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=200, body=b" " * 3_000_000, after=True)
        assert self.commit(session).id == MESSAGE_ID

    def test_an_endless_refusal_is_not_read_to_its_end_either(self, server: FakeWebhook) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=500, body=b" " * 3_000_000)
        with self.refused(OutcomeUnknown, "answer_too_large"):
            self.commit(session)

    def test_a_page_instead_of_an_answer_while_connecting_is_temporary(self, server: FakeWebhook) -> None:
        server.fault(self.login_path, status=200, body="<html>welcome</html>")
        assert self.connect(server).identity.name == "127.0.0.1"

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
    def test_a_server_that_quotes_what_was_entered_gives_nothing_away(self, server: FakeWebhook, status: int) -> None:
        quoting = f"no {SECRET} at {server.hook}"
        server.fault(self.login_path, status=status, body={"id": quoting, "error": quoting})
        try:
            shown = repr(self.connect(server))
        except PublishError as error:
            shown = "".join(traceback.format_exception(error)) + repr(vars(error))
        assert SECRET not in shown
        assert server.hook not in shown

    # Connecting

    def test_connecting_sends_a_signed_test_and_publishes_nothing(self, server: FakeWebhook) -> None:
        connection = self.connect(server)
        (seen,) = server.seen
        assert seen.json()["type"] == "socialq.test"
        assert server.tests == 1
        assert not server.accepted
        assert connection.credentials == {"url": server.hook, "secret": SECRET}
        assert connection.config == {"host": "127.0.0.1"}
        assert any("socialq.test" in field.help for field in PLATFORM.connect_fields)

    def test_checking_sends_a_test_with_an_id_of_its_own(self, server: FakeWebhook) -> None:
        session = self.session(server)
        assert PLATFORM.check(session).identity == PLATFORM.check(session).identity
        ids = [seen.headers["webhook-id"] for seen in server.seen]
        assert len(set(ids)) == 2
        assert not server.accepted

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "reader.example/hook",
            "ftp://reader.example/",
            "https:///x",
            "https://me:pw@reader.example/",
            "http://[x/",
        ],
    )
    def test_an_address_of_another_form_is_refused_unsent(self, server: FakeWebhook, url: str) -> None:
        with self.refused(ReconnectNeeded, "webhook.address_malformed"):
            self.connect(server, url=url)
        assert not server.seen

    @pytest.mark.parametrize(
        "secret",
        ["", "whsec_", "whsec_AAECAw==", "whsec_!!!!", "whsec_" + "QUJD" * 30, "whsk_AAECAwQFBgcICQoLDA0ODxAR"],
    )
    @pytest.mark.parametrize("name", ["secret", "previous_secret"])
    def test_a_secret_of_another_form_is_refused_unsent(self, server: FakeWebhook, name: str, secret: str) -> None:
        if name == "previous_secret" and not secret:
            pytest.skip("it may be left out")
        with self.refused(ReconnectNeeded, "webhook.secret_malformed"):
            self.connect(server, **{name: secret})
        assert not server.seen

    def test_a_redirect_while_connecting_is_not_followed(self, server: FakeWebhook) -> None:
        server.fault("/hook", status=302, headers={"Location": f"{server.url}/elsewhere"})
        with self.refused(Temporary, "unexpected_answer"):
            self.connect(server)
        assert server.paths() == ["/hook"]

    # Signing

    @pytest.mark.parametrize("current", [SECRET, OTHER_SECRET])
    def test_while_a_secret_changes_the_receiver_may_have_either(self, server: FakeWebhook, current: str) -> None:
        server.secret = current
        connection = self.connect(server, secret=OTHER_SECRET, previous_secret=SECRET)
        session = replace(self.session_of(connection), credentials=connection.credentials)
        self.commit(session)
        new, old = server.seen[-1].headers["webhook-signature"].split(" ")
        at, body = server.seen[-1].headers["webhook-timestamp"], server.seen[-1].body
        assert new == expected_signature(OTHER_SECRET, MESSAGE_ID, at, body)
        assert old == expected_signature(SECRET, MESSAGE_ID, at, body)
        assert len(server.accepted) == 1

    def session_of(self, connection: Connection) -> Session:
        return Session(an_http(), connection.credentials, connection.config, lambda: datetime.now(UTC))

    def test_a_bearer_token_goes_along(self, server: FakeWebhook) -> None:
        server.bearer = "letmein-123"
        with self.refused(ReconnectNeeded, "webhook.not_authorized"):
            self.connect(server, bearer="wrong-123")
        self.commit(self.session_of(self.connect(server, bearer="letmein-123")))
        assert len(server.accepted) == 1

    @pytest.mark.parametrize("text", ["👩‍👩‍👧‍👧" * 400, 'ä"\\\n\u2028' * 1000, "surrogate \ud83d here"])
    def test_what_is_signed_is_what_is_sent(self, server: FakeWebhook, text: str) -> None:
        self.commit(self.session(server), text)
        assert server.accepted[0]["text"] == text

    # Once

    def test_a_repeat_has_the_same_id_and_body_and_counts_once(self, server: FakeWebhook) -> None:
        session = self.session(server)
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        server.fault("/hook", kind="cut", after=True)
        with self.refused(OutcomeUnknown, "connection_lost"):
            PLATFORM.commit(session, snapshot)
        assert PLATFORM.repeat_is_safe
        assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == Absent()
        later = replace(session, now=lambda: datetime.now(UTC) + timedelta(seconds=100), sent_before=True)
        PLATFORM.commit(later, snapshot)
        first, second = server.seen
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
        assert first.body == second.body
        assert len(server.accepted) == 1

    def test_a_receiver_that_says_it_has_the_event_is_believed_once_it_was_sent(self, server: FakeWebhook) -> None:
        session = self.session(server)
        server.fault("/hook", status=409, times=2)
        with self.refused(Temporary, "webhook.refused"):
            self.commit(session)
        assert self.commit(replace(session, sent_before=True)).id == MESSAGE_ID

    # Answers

    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_every_2xx_is_a_success(self, server: FakeWebhook, status: int) -> None:
        server.status, server.answers_with = status, ""
        assert self.commit(self.session(server)).id == MESSAGE_ID

    def test_a_receiver_may_tell_an_id_and_an_address(self, server: FakeWebhook) -> None:
        published = self.commit(self.session(server))
        assert (published.id, published.url) == ("note-1", "https://reader.example/notes/1")
        server.answers_with = {"id": 17, "url": "javascript:alert(1)"}
        published = self.commit(self.session(server))
        assert (published.id, published.url) == ("17", "")

    @pytest.mark.parametrize(
        ("status", "kind", "code"),
        [
            (301, OutcomeUnknown, "unexpected_answer"),
            (302, OutcomeUnknown, "unexpected_answer"),
            (307, OutcomeUnknown, "unexpected_answer"),
            (400, Temporary, "webhook.refused"),
            (401, ReconnectNeeded, "webhook.not_authorized"),
            (403, ReconnectNeeded, "webhook.not_authorized"),
            (404, Temporary, "webhook.refused"),
            (408, OutcomeUnknown, "server_error"),
            (409, Temporary, "webhook.refused"),
            (410, ReconnectNeeded, "webhook.gone"),
            (413, ContentRejected, "webhook.content_refused"),
            (415, ContentRejected, "webhook.content_refused"),
            (418, Temporary, "webhook.refused"),
            (422, ContentRejected, "webhook.content_refused"),
            (425, Temporary, "webhook.refused"),
            (429, RateLimited, "rate_limited"),
            (500, OutcomeUnknown, "server_error"),
            (502, OutcomeUnknown, "server_error"),
            (504, OutcomeUnknown, "server_error"),
        ],
    )
    def test_statuses(self, server: FakeWebhook, status: int, kind: type[PublishError], code: str) -> None:
        session = self.session(server)
        server.fault("/hook", status=status, body="<html>no</html>", headers={"Location": f"{server.url}/x"})
        with self.refused(kind, code) as caught:
            self.commit(session)
        assert caught.value.status_code == status
        assert server.paths() == ["/hook"]

    @pytest.mark.parametrize("status", [404, 425, 429])
    @pytest.mark.parametrize(
        ("asked", "seconds"),
        [
            ("17", 17),
            ("in an hour", 3600),
            ("315360000", 86_400),
            ("soon", None),
        ],
    )
    def test_retry_after_is_honoured(self, server: FakeWebhook, status: int, asked: str, seconds: int | None) -> None:
        session = self.session(server)
        if asked == "in an hour":
            asked = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        server.fault("/hook", status=status, headers={"Retry-After": asked})
        with pytest.raises(PublishError) as caught:
            self.commit(session)
        error = caught.value
        if isinstance(error, RateLimited):
            waits = (error.until - datetime.now(UTC)).total_seconds()
            assert abs(waits - (seconds or 60)) < 60
        else:
            assert isinstance(error, Temporary)
            waits_for = error.retry_after_seconds
            assert waits_for == seconds or (waits_for is not None and seconds and abs(waits_for - seconds) < 60)

    def test_an_address_of_this_machine_is_refused_unless_the_site_allows_it(self, server: FakeWebhook) -> None:
        session = self.session(server)
        from posts.publishing.http import Http

        closed = Http(allow_private=False, timeout_seconds=5, refuse_when=lambda: False)
        for url in (server.hook, server.hook.replace("127.0.0.1", "0x7f.1"), server.hook.replace("127.0.0.1", "[::1]")):
            there = replace(session, http=closed, credentials={**session.credentials, "url": url})
            with self.refused(Unreachable, "address_refused"):
                self.commit(there)
        assert not server.seen

    # Files and size

    def test_files_go_as_the_addresses_of_the_moment(self, server: FakeWebhook) -> None:
        moments = iter(range(9))
        moving = replace(video(), url=lambda: f"https://socialq.example/f?until={next(moments)}")
        files = (addressed(picture()), moving)
        session = self.session(server, *files)
        snapshot = PLATFORM.prepare(session, content("Look", *files), MemoryCheckpoints())
        assert "https://" not in json.dumps(snapshot)
        for _ in range(2):
            PLATFORM.commit(session, snapshot)
        first, second = (seen.json()["data"]["media"] for seen in server.seen)
        assert first[0]["url"] == second[0]["url"] == "https://socialq.example/files/p1?until=1"
        assert first[1]["url"] != second[1]["url"]
        assert first[1] == first[1] | {"kind": "video", "mime": "video/mp4", "duration": 5, "size": 4096}

    def test_an_event_is_never_larger_than_receivers_have_to_take(self, server: FakeWebhook) -> None:
        text = '"' * 10_000
        draft = Draft((text,), (replace(picture(), alt_text="x"),))
        (problem,) = PLATFORM.problems(draft, {})
        assert (problem.code, problem.field) == ("webhook.too_large", "text")
        assert not PLATFORM.problems(Draft(("x" * 10_000,), draft.media), {})
        session = self.session(server)
        with self.refused(ContentRejected, "webhook.too_large"):
            self.commit(session, text)
        assert not server.seen
        self.commit(session, "x" * 10_000)
        assert len(server.seen[-1].body) < MAX_BODY_BYTES


def test_the_signature_is_that_of_the_check_value() -> None:
    body = b'{"type":"post.published","data":{"n":1}}'
    expected = "v1,d8EMhGoSa1IZKPPx9WhVfWrWp8rU2mhcMtcFpW1SmRE="
    assert signature([SECRET], "msg_test_1", 1_700_000_000, body) == expected
    assert expected_signature(SECRET, "msg_test_1", "1700000000", body) == expected
    assert key_of(SECRET) == bytes(range(32))


def test_a_lone_surrogate_is_still_json() -> None:
    assert json.loads(encoded("a", "b", {"text": "\ud83d"}))["data"]["text"] == "\ud83d"


def test_the_fake_as_a_process_keeps_a_log_and_takes_orders(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    with fake_process("fake_webhook", log) as url:
        http = an_http()
        connection = PLATFORM.connect(
            Session(http, {}, {}, lambda: datetime.now(UTC)), {"url": f"{url}/hook", "secret": SECRET}
        )
        session = Session(http, connection.credentials, connection.config, lambda: datetime.now(UTC))
        snapshot = PLATFORM.prepare(session, content("Hello"), MemoryCheckpoints())
        http.request("POST", f"{url}/_fault", json={"path": "/hook", "kind": "cut", "after": True})
        with pytest.raises(OutcomeUnknown):
            PLATFORM.commit(session, snapshot)
        PLATFORM.commit(session, snapshot)
        assert [json.loads(line)["text"] for line in log.read_text().splitlines()] == ["Hello"]
        http.request("POST", f"{url}/_control", json={"call": "change_secret"})
        with pytest.raises(ReconnectNeeded):
            PLATFORM.commit(session, snapshot)
