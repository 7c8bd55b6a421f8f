"""Checks of ``find``: after every lost answer it agrees with what the server has accepted, or does not claim to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.publishing.errors import PublishError
from posts.publishing.platform import Session
from posts.publishing.testing.ambiguity import HOW_IT_IS_LOST
from posts.publishing.testing.base import Steps
from posts.publishing.testing.rules import rule
from posts.publishing.types import Absent, CannotTell, Content, Finding, Found, Json, Published
from posts.publishing.words import WORDS

FAULTS: dict[str, dict[str, Any]] = {
    "a fault": {"status": 500, "body": "<html>oops</html>"},
    "an overload": {"status": 503, "body": ""},
    "a rate limit": {"status": 429, "body": "{}"},
    "a login that ended": {"status": 401, "body": "{}"},
    "a missing right": {"status": 403, "body": "{}"},
    "a page": {"status": 200, "body": "<html>welcome</html>"},
    "nothing": {"status": 200, "body": ""},
    "null": {"status": 200, "body": "null"},
    "a number": {"status": 200, "body": "5"},
    "a cut": {"kind": "cut"},
}


class LookupChecks(Steps):
    """A post that is live is never Absent, one that is not live never Found, and a fault is neither."""

    @rule("find")
    @pytest.mark.parametrize("lost", HOW_IT_IS_LOST)
    def test_after_a_lost_answer_the_look_up_is_right_or_says_that_it_cannot_tell(self, server: Any, lost: str) -> None:
        session = self.session(server)
        finding = self._look_for_lost(server, session, self._numbered(1), HOW_IT_IS_LOST[lost])
        self._agrees(finding, is_live=bool(server.accepted))

    @rule("find")
    def test_the_newest_post_is_not_taken_for_one_that_never_arrived(self, server: Any) -> None:
        session = self.session(server)
        self._publish(session, self._numbered(1, "Somebody else wrote this"))
        finding = self._look_for_lost(server, session, self._numbered(2), {"kind": "cut"})
        self._agrees(finding, is_live=False)

    @rule("find")
    def test_a_newer_post_does_not_hide_or_replace_the_one_that_arrived(self, server: Any) -> None:
        session = self.session(server)
        snapshot, marked_at = self._lose(server, session, self._numbered(1), {"kind": "cut", "after": True})
        newer = self._publish(session, self._numbered(2, "Somebody else wrote this"))
        finding = self._find(session, snapshot, marked_at)
        self._agrees(finding, is_live=True)
        if isinstance(finding, Found):
            assert finding.published.id != newer.id, "find took the newest post for ours"

    @rule("find")
    def test_a_post_from_before_the_mark_with_the_same_text_is_another_one(self, server: Any) -> None:
        session = self.session(server)
        self._publish(session, self._numbered(1, "Good morning"))
        later = datetime.now(UTC) + timedelta(hours=2)
        session = replace(session, now=lambda: later)
        snapshot = self._ready(session, self._numbered(2, "Good morning"))
        server.fault(self.commit_path, kind="cut")
        with pytest.raises(PublishError):
            self.platform.commit(session, snapshot)
        self._agrees(self._find(session, snapshot, later), is_live=False)

    @rule("find")
    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_fault_while_looking_proves_nothing(self, server: Any, fault: str) -> None:
        session = self.session(server)
        snapshot, marked_at = self._lose(server, session, self._numbered(1), {"kind": "cut", "after": True})
        before = len(server.seen)
        server.fault("", **FAULTS[fault], times=99)
        try:
            finding = self._find(session, snapshot, marked_at)
        except PublishError:
            return
        if len(server.seen) > before:  # who asks nobody has no fault to judge
            assert isinstance(finding, CannotTell), f"a server that answered {fault} was understood as {finding}"

    @rule("find")
    def test_looking_publishes_nothing(self, server: Any) -> None:
        session = self.session(server)
        self._look_for_lost(server, session, self._numbered(1), {"kind": "cut"})
        assert not server.accepted

    # Steps

    def _lose(self, server: Any, session: Session, post: Content, fault: dict[str, Any]) -> tuple[Json, datetime]:
        snapshot, marked_at = self._ready(session, post), datetime.now(UTC)
        server.fault(self.commit_path, **fault)
        with suppress(PublishError):
            self.platform.commit(session, snapshot)
        server.faults.clear()
        return snapshot, marked_at

    def _look_for_lost(self, server: Any, session: Session, post: Content, fault: dict[str, Any]) -> Finding:
        snapshot, marked_at = self._lose(server, session, post, fault)
        return self._find(session, snapshot, marked_at)

    def _find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        finding = self.platform.find(session, snapshot, marked_at)
        if isinstance(finding, CannotTell):
            assert finding.code in WORDS, f"{finding.code} has no words"
        return finding

    def _agrees(self, finding: Finding, *, is_live: bool) -> None:
        if is_live and not self.absent_means_repeatable:
            assert not isinstance(finding, Absent), "the post is live, and find says that it is not there"
        else:
            assert not isinstance(finding, Found), f"the post is not live, and find has found {finding}"
        if isinstance(finding, Found):
            assert isinstance(finding.published, Published)
            assert finding.published.id
