"""Checks of a post that goes well: what is sent, what comes back, what the snapshot is."""

from __future__ import annotations

import copy
import json
import threading
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from posts.publishing.errors import NotReady, PublishError
from posts.publishing.testing.base import MOST_LOOKS, Steps
from posts.publishing.testing.files import ReadCount, picture, video
from posts.publishing.testing.rules import rule
from posts.publishing.testing.stand_ins import MemoryCheckpoints
from posts.publishing.types import Draft, MediaFile
from posts.text.counting import violations

FILM_BYTES = 12 << 20
EMOJI = "👋"


class PublishingChecks(Steps):
    """A text, a picture, a film; the snapshot; what is at the limit."""

    @rule("publishing")
    def test_publishes_a_text(self, server: Any) -> None:
        published = self.commit(self.session(server), "Hello 👋 see https://a.example")
        self.check_text_request(server, "Hello 👋 see https://a.example")
        assert [post["text"] for post in server.accepted] == ["Hello 👋 see https://a.example"]
        assert published.id
        assert published.url.startswith("https://")

    @rule("publishing")
    def test_publishes_a_picture(self, server: Any) -> None:
        self._needs_pictures()
        media = picture()
        self.commit(self.session(server, media), "Look", media)
        self.check_picture_request(server, media)
        assert len(server.accepted) == 1

    @rule("publishing")
    def test_a_post_without_text_and_picture_is_refused_before_anything_is_sent(self, server: Any) -> None:
        if self.usual_media():
            pytest.skip("a post there always has media")
        session = self.session(server)
        before = len(server.seen)
        with pytest.raises(PublishError, match="post_empty"):
            self.commit(session, " \n")
        assert len(server.seen) == before

    @rule("prepare")
    def test_preparing_makes_nothing_public(self, server: Any) -> None:
        for number, media in enumerate(self._posts(), 1):
            self._ready(self.session(server, *media), self._numbered(number, "", *media))
            assert not server.accepted, "prepare has published"

    @rule("snapshot")
    def test_the_snapshot_is_plain_json(self, server: Any) -> None:
        media = (picture(),) if self.platform.capabilities.max_images else ()
        session = self.session(server, *media)
        snapshot = self._ready(session, self.content("Hi", *media))
        try:
            again = json.loads(json.dumps(snapshot))
        except TypeError as error:
            pytest.fail(f"the snapshot is no JSON: {error}")
        assert again == snapshot

    @rule("snapshot")
    def test_a_snapshot_is_committed_by_another_process(self, server: Any) -> None:
        """With a platform, a session and files that have seen nothing of ``prepare``."""
        for number, media in enumerate(self._posts(), 1):
            session, other = self.session(server, *media), copy.deepcopy(self.platform)
            post = self._numbered(7000 + number, "", *media)
            stored = json.dumps(self._ready(session, post), default=repr)
            fresh = replace(session, http=self._http(session.credentials), media=dict(session.media))
            published = other.commit(fresh, json.loads(stored))
            assert published.id
            assert len(server.accepted) == number
            assert server.accepted[-1]["text"] == post.text

    @rule("waiting")
    def test_it_neither_sleeps_nor_asks_in_a_loop(self, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        own = threading.get_ident()
        sleep = time.sleep

        def watched(seconds: float) -> None:
            if threading.get_ident() == own:
                pytest.fail("the platform sleeps; a worker that waits does nothing else: raise NotReady")
            sleep(seconds)

        monkeypatch.setattr(time, "sleep", watched)
        for number, media in enumerate(self._posts(), 1):
            session, kept = self.session(server, *media), MemoryCheckpoints()
            for _ in range(MOST_LOOKS):
                before = len(server.seen)
                try:
                    snapshot = self.platform.prepare(session, self._numbered(number, "", *media), kept)
                except NotReady:
                    snapshot = None
                asked = Counter((each.path, repr(each.query)) for each in server.seen[before:] if each.method == "GET")
                assert max(asked.values(), default=0) < 3, f"one call of prepare asked again and again: {asked}"
                if snapshot is not None:
                    break
            self.platform.commit(session, snapshot or {})

    @rule("pieces")
    def test_a_large_file_is_read_in_pieces(self, server: Any) -> None:
        videos = self.platform.capabilities.videos
        if not self.platform.capabilities.max_videos or videos is None:
            pytest.skip("the platform takes no videos")
        if self.platform.capabilities.fetches_media:
            pytest.skip("the network downloads files itself")
        size = min(FILM_BYTES, videos.max_bytes)
        count = ReadCount(video(size_bytes=size, mime_type=videos.formats[0]))
        session = self.session(server, count.media)
        self._publish(session, self._numbered(1, "", count.media))
        assert count.largest <= size // 2, f"{count.largest} of {size} bytes were read at once"

    @rule("limits")
    @pytest.mark.parametrize("letter", ["a", EMOJI], ids=["letters", "emoji"])
    def test_a_text_at_the_limit_goes_through_and_one_over_it_is_seen(self, server: Any, letter: str) -> None:
        session = self.session(server)
        capabilities = self.platform.capabilities_for(session.config)
        limits = capabilities.text_limits(with_media=bool(self.usual_media()))
        if not limits:
            pytest.skip("the platform's texts have no limit")

        def is_refused(length: int) -> bool:
            draft = Draft((letter * length,), self.usual_media(), self.usual_options())
            remarks = self.platform.problems(draft, session.config)
            return bool(violations(letter * length, limits)) or any(each.field == "text" for each in remarks)

        over = bisect_left(range(max(limit.maximum for limit in limits) + 2), True, lo=1, key=is_refused)
        assert is_refused(over), "one more letter keeps all limits"
        self._publish(session, self._numbered(1, letter * (over - 1)))
        assert len(server.accepted) == 1

    def _posts(self) -> list[tuple[MediaFile, ...]]:
        """Return the files of posts to try: the usual ones, a picture, a film."""
        capabilities = self.platform.capabilities
        posts: list[tuple[MediaFile, ...]] = [()]
        if capabilities.max_images:
            posts.append((picture(),))
        if capabilities.max_videos and capabilities.videos:
            posts.append((video(mime_type=capabilities.videos.formats[0]),))
        return posts
