"""Checks of what is done again after a crash."""

from __future__ import annotations

import copy
from typing import Any

from posts.publishing.errors import NotReady
from posts.publishing.testing.base import MOST_LOOKS, Steps
from posts.publishing.testing.files import marked_picture
from posts.publishing.testing.rules import rule
from posts.publishing.testing.stand_ins import Crash, CrashingCheckpoints, MemoryCheckpoints
from posts.publishing.types import MediaFile

MOST_WRITES = 30


class ResumeChecks(Steps):
    """No file goes up twice."""

    @rule("resume")
    def test_preparing_again_uploads_nothing_again(self, server: Any) -> None:
        self._needs_pictures()
        media, mark = marked_picture("p1", 1)
        session, kept = self.session(server, media), MemoryCheckpoints()
        self._ready(session, self._numbered(1, "", media), kept)
        uploads = self._uploads(server, mark)
        self._ready(session, self._numbered(1, "", media), kept)
        assert self._uploads(server, mark) == uploads, "the picture was uploaded again, though its checkpoint was there"

    @rule("resume")
    def test_after_a_crash_at_each_checkpoint_nothing_is_uploaded_twice(self, server: Any) -> None:
        self._needs_pictures()
        for after in range(1, MOST_WRITES):
            media, mark = marked_picture(f"p{after}", after)
            if not self._crashed(server, after, media):
                return
            assert self._uploads(server, mark) <= 1, f"uploaded again after a crash behind checkpoint {after}"

    def _crashed(self, server: Any, after: int, media: MediaFile) -> bool:
        """Prepare with a crash after write ``after``, then to the end; say whether there was such a write."""
        session, post = self.session(server, media), self._numbered(after, "", media)
        dying = CrashingCheckpoints(after)
        try:
            self._ready(session, post, dying)
        except Crash:
            kept = MemoryCheckpoints()
            kept.stored = copy.deepcopy(dying.stored)
            self._ready(session, post, kept)
            return True
        return False

    @rule("resume")
    def test_what_is_still_processed_is_looked_at_and_not_sent_again(self, server: Any) -> None:
        """Every call of ``prepare`` on the way is a new execution, with the checkpoints of the one before."""
        self._needs_pictures()
        media, mark = marked_picture("p1", 1)
        session, kept = self.session(server, media), MemoryCheckpoints()
        for _ in range(MOST_LOOKS):
            try:
                self.platform.prepare(session, self._numbered(1, "", media), kept)
            except NotReady:
                assert self._uploads(server, mark) <= 1
                continue
            break
        assert self._uploads(server, mark) <= 1, "the picture was uploaded again while the network worked on it"

    def _uploads(self, server: Any, mark: bytes) -> int:
        return sum(mark in seen.body for seen in server.seen)
