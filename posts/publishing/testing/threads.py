"""Checks of threads and of the first comment, for platforms that declare them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from posts.publishing.errors import NotReady
from posts.publishing.platform import Session
from posts.publishing.testing.base import MOST_LOOKS, Steps, said
from posts.publishing.testing.rules import rule
from posts.publishing.testing.stand_ins import MemoryCheckpoints
from posts.publishing.types import Content, Json, PartKind, Published

PARTS = 3


class ThreadChecks(Steps):
    """Each part answers the one before it."""

    @rule("threads")
    def test_the_parts_of_a_thread_go_out_in_order_each_below_the_one_before(self, server: Any) -> None:
        session = self.session(server)
        if not self.platform.capabilities_for(session.config).threads:
            pytest.skip("the platform has no threads")
        live = self._all(server, session, [self._part(number, PARTS, "post") for number in range(PARTS)])
        assert [entry["text"] for entry in server.accepted] == [f"Part {number}" for number in range(PARTS)]
        assert len({published.id for published in live}) == PARTS

    @rule("threads")
    def test_a_first_comment_is_below_the_post(self, server: Any) -> None:
        session = self.session(server)
        if not self.platform.capabilities_for(session.config).comment:
            pytest.skip("the platform has no first comments")
        self._all(server, session, [self._part(0, 2, "post"), self._part(1, 2, "comment")])
        assert [entry["text"] for entry in server.accepted] == ["Part 0", "Part 1"]

    def _part(self, number: int, parts: int, kind: PartKind) -> Content:
        made = self._numbered(1, f"Part {number}")
        key = f"{made.key}-{number}" if number else made.key
        return replace(made, key=key, part=number, parts=parts, kind=kind, media=() if number else made.media)

    def _all(self, server: Any, session: Session, parts: list[Content]) -> list[Published]:
        """Publish part by part as the kit does: all are prepared first, then each goes out below those before."""
        kept = [MemoryCheckpoints() for _ in parts]
        snapshots = [self._ready(session, part, kept[number]) for number, part in enumerate(parts)]
        live: list[Published] = []
        for number, snapshot in enumerate(snapshots):
            step, before = replace(session, thread=tuple(live)), len(server.seen)
            ready = self._followed(step, snapshot, kept[number]) if live else snapshot
            live.append(self._settled(step, ready, self.platform.commit(step, ready)))
            if number and not self.parts_follow_unsaid:
                parent = live[number - 1].id
                assert parent in said(server.seen[before:]), f"part {number + 1} was not sent below part {number}"
        return live

    def _followed(self, session: Session, snapshot: Json, kept: MemoryCheckpoints) -> Json:
        for _ in range(MOST_LOOKS):
            try:
                return self.platform.follow(session, snapshot, kept)
            except NotReady:
                continue
        pytest.fail(f"follow raised NotReady {MOST_LOOKS} times in a row")
