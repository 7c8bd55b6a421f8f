"""Checks of lost and unreadable answers to ``commit``, of limits, and of repeating."""

from __future__ import annotations

import gzip
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.publishing.errors import OutcomeUnknown, PublishError, RateLimited, Unreachable
from posts.publishing.testing.base import Steps
from posts.publishing.testing.rules import rule
from posts.publishing.testing.stand_ins import an_http, closed_port
from posts.publishing.types import Published

HOW_IT_IS_LOST: dict[str, dict[str, Any]] = {
    "cut before it is stored": {"kind": "cut"},
    "cut after it is stored": {"kind": "cut", "after": True},
    "fault before it is stored": {"status": 503, "body": "<html>busy</html>"},
    "fault after it is stored": {"status": 500, "body": "<html>oops</html>", "after": True},
    "page after it is stored": {"status": 200, "body": "<html>welcome</html>", "after": True},
}


class AmbiguityChecks(Steps):
    """What a platform makes of an answer that does not say whether the post is live."""

    @rule("unknown")
    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_server_fault_after_the_post_was_taken_is_unknown(self, server: Any, status: int) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=status, body="<html>oops</html>", after=True)
        with self.refused(OutcomeUnknown, "server_error"):
            self.commit(session)
        assert len(server.accepted) == 1

    @rule("unknown")
    @pytest.mark.parametrize("body", ["<html>welcome</html>", "", "[]", "{", "null", '{"error": "x"}'])
    def test_an_unreadable_success_is_unknown(self, server: Any, body: str) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=200, body=body, after=True)
        with self.refused(OutcomeUnknown, "bad_answer"):
            self.commit(session)

    @rule("unknown")
    @pytest.mark.parametrize("after", [False, True], ids=["not stored", "stored"])
    def test_a_connection_cut_after_the_request_was_read_is_unknown(self, server: Any, after: bool) -> None:
        session = self.session(server)
        server.fault(self.commit_path, kind="cut", after=after)
        with self.refused(OutcomeUnknown, "connection_lost"):
            self.commit(session)
        assert len(server.accepted) == after

    @rule("unknown")
    @pytest.mark.parametrize("kind", ["hang", "drip"])
    def test_a_commit_that_is_not_answered_in_time_is_unknown_and_sent_once(self, server: Any, kind: str) -> None:
        session = self.session(server)
        snapshot, before = self._ready(session, self.content()), len(server.seen)
        server.fault(self.commit_path, kind=kind, status=200, after=True)
        with self.refused(OutcomeUnknown, "no_answer_in_time"):
            self.platform.commit(replace(session, http=an_http(timeout_seconds=0.3)), snapshot)
        assert len(self._sends(server.seen[before:])) == 1

    @rule("unknown")
    def test_a_packed_answer_is_not_unpacked(self, server: Any) -> None:
        session = self.session(server)
        bomb = gzip.compress(b"0" * 1_000_000)
        server.fault(self.commit_path, status=200, body=bomb, headers={"Content-Encoding": "gzip"}, after=True)
        with self.refused(OutcomeUnknown, "encoded_answer"):
            self.commit(session)

    @rule("unknown")
    def test_an_endless_answer_is_not_read_to_its_end(self, server: Any) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=200, body=b" " * 3_000_000, after=True)
        with self.refused(OutcomeUnknown, "answer_too_large"):
            self.commit(session)

    @rule("once")
    @pytest.mark.parametrize("lost", HOW_IT_IS_LOST)
    def test_a_lost_commit_was_sent_once(self, server: Any, lost: str) -> None:
        session = self.session(server)
        snapshot = self._ready(session, self._numbered(1))
        before = len(server.seen)
        server.fault(self.commit_path, **HOW_IT_IS_LOST[lost])
        with suppress(PublishError):
            self.platform.commit(session, snapshot)
        assert len(self._sends(server.seen[before:])) == 1, "commit sent its call again by itself"

    # Documented refusals

    @rule("errors")
    def test_a_server_that_does_not_listen_is_unreachable(self, server: Any) -> None:
        session = self.session(server)
        snapshot = self._ready(session, self.content())
        with closed_port() as address, self.refused(Unreachable, "connect_failed"):
            self.platform.commit(self.elsewhere(session, address), snapshot)

    @rule("limits")
    def test_a_rate_limit_with_a_time_waits_until_then(self, server: Any) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=429, body=self.rate_limit_body(17), headers={"Retry-After": "17"})
        with self.refused(RateLimited, "rate_limited") as caught:
            self.commit(session)
        assert abs(caught.value.until - datetime.now(UTC) - timedelta(seconds=17)) < timedelta(seconds=3)
        assert caught.value.scope == "account"

    @rule("limits")
    def test_a_rate_limit_without_a_time_waits_a_while(self, server: Any) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=429, body=self.rate_limit_body(None))
        with self.refused(RateLimited, "rate_limited") as caught:
            self.commit(session)
        assert timedelta(seconds=20) < caught.value.until - datetime.now(UTC) < timedelta(minutes=15)

    # Repeating

    @rule("repeat")
    def test_a_post_that_was_not_stored_can_be_sent_again(self, server: Any) -> None:
        session = self.session(server)
        snapshot = self._ready(session, self._numbered(1))
        server.fault(self.commit_path, kind="cut")
        with pytest.raises(PublishError):
            self.platform.commit(session, snapshot)
        self._again(server, session, snapshot)
        assert len(server.accepted) == 1

    @rule("repeat")
    def test_a_repeat_of_a_stored_post_makes_no_second_one(self, server: Any) -> None:
        session = self._safely(server)
        snapshot = self._ready(session, self._numbered(1))
        server.fault(self.commit_path, kind="cut", after=True)
        with pytest.raises(PublishError):
            self.platform.commit(session, snapshot)
        self._again(server, session, snapshot)
        assert len(server.accepted) == 1, "the repeat made a second post, though the platform calls it safe"

    @rule("repeat")
    def test_a_post_that_is_prepared_anew_makes_no_second_one(self, server: Any) -> None:
        """The idempotency key comes from the content's, so a lost snapshot does no harm."""
        session = self._safely(server)
        if self.repeats_end_with_snapshot:
            pytest.skip(self.repeats_end_with_snapshot)
        for _ in range(2):
            self._again(server, session, self._ready(session, self._numbered(1)))
        assert len(server.accepted) == 1, "the idempotency key was another one"

    def _safely(self, server: Any) -> Any:
        session = self.session(server)
        if not self.platform.repeats_safely(session.config):
            pytest.skip("the platform does not call repeats safe")
        return session

    def _again(self, server: Any, session: Any, snapshot: Any) -> Published | None:
        try:
            return self.platform.commit(replace(session, sent_before=True), snapshot)
        except PublishError:
            return None
