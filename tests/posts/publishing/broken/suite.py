"""The kit's checks for Postcard and for each broken one; run by ``test_broken``, which expects most to fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from posts.publishing.testing.contract import PlatformContract
from posts.publishing.types import MediaFile
from tests.posts.publishing.broken.fake_postcard import SECRET, FakePostcard
from tests.posts.publishing.broken.faults import FAULTS
from tests.posts.publishing.broken.postcard import PLATFORM


class TestPostcard(PlatformContract):
    platform = PLATFORM
    commit_path = "/cards"
    picture_path = "/uploads"
    login_path = "/login"
    secret_field = "secret"

    @pytest.fixture
    def server(self) -> Iterator[FakePostcard]:
        with FakePostcard() as server:
            yield server

    def answers(self, server: FakePostcard) -> dict[str, str]:
        return {"handle": "ada", "secret": SECRET}

    def check_text_request(self, server: FakePostcard, text: str) -> None:
        seen = server.seen[-1]
        assert (seen.method, seen.path) == ("POST", "/cards")
        assert seen.json() == {"text": text, "media": [], "below": ""}

    def check_picture_request(self, server: FakePostcard, media: MediaFile) -> None:
        piece = next(seen for seen in server.seen if seen.path == "/pieces")
        assert piece.body == media.read()
        assert server.seen[-1].json() == {"text": "Look", "media": list(server.uploads), "below": ""}

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return {"error": "slow_down"}

    def end_login(self, server: FakePostcard) -> None:
        server.access = "another"

    def end_renewal(self, server: FakePostcard) -> bool:
        server.renewal = "another"
        return True


for fault in FAULTS:
    name = f"Test{fault.__name__}"
    globals()[name] = type(name, (TestPostcard,), {"platform": fault(), "__module__": __name__})
