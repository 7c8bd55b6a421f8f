"""What YouTube is sent, and what its fake answers, held against Google's discovery document.

It is not part of this repository. PLATFORM_CONTRACTS names a folder with ``youtube/youtube.v3.json``; without it
nothing is checked here, and the run says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from posts.platforms import youtube
from posts.publishing.platform import Session
from posts.publishing.types import App
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture, video
from tests.posts.platforms.fake_server import Seen
from tests.posts.platforms.fake_youtube import TOKENS, FakeYouTube


class Discovery:
    """As much of Google's discovery format as the calls in use need: https://developers.google.com/discovery"""

    def __init__(self, path: Path) -> None:
        self.document: dict[str, Any] = json.loads(path.read_text())

    def method(self, seen: Seen) -> dict[str, Any]:
        """Return the method of a call; an upload has an address of its own."""
        for resource in self.document["resources"].values():
            for method in resource.get("methods", {}).values():
                protocols = method.get("mediaUpload", {}).get("protocols", {}).values()
                paths = [f"/{method['path']}", *(protocol["path"] for protocol in protocols)]
                if method["httpMethod"] == seen.method and seen.path in paths:
                    return dict(method)
        raise LookupError(f"{seen.method} {seen.path}")

    def problems(self, value: Any, name: str, place: str) -> Iterator[str]:
        known = self.document["schemas"][name]["properties"]
        yield from (f"{place}/{each} is unknown" for each in value if each not in known)
        for each, item in value.items():
            schema = known.get(each, {})
            kind = {"string": str, "boolean": bool, "array": list, "integer": int}.get(schema.get("type", ""), object)
            if not isinstance(item, kind) or item not in schema.get("enum", [item]):
                yield f"{place}/{each}: {item!r} is not as {schema}"
            if "$ref" in schema and isinstance(item, dict):
                yield from self.problems(item, schema["$ref"], f"{place}/{each}")


@pytest.fixture(scope="session")
def discovery() -> Discovery:
    folder = os.environ.get("PLATFORM_CONTRACTS")
    if not folder:
        pytest.skip("PLATFORM_CONTRACTS is not set; requests to YouTube were not held against Google's document")
    return Discovery(Path(folder) / "youtube" / "youtube.v3.json")


def test_what_youtube_is_sent_and_answers_keeps_the_discovery_document(discovery: Discovery) -> None:
    options = {"made_for_kids": "no", "tags": ["a", "b"], "publish_at": "2030-01-01T00:00Z", "silent": True}
    film, beside = video(), picture()
    with FakeYouTube() as server:
        app = App("client-1", "client-secret-1", server.url, server.url)
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), {"v1": film, "p1": beside}, app)
        (connection,) = youtube.PLATFORM.connections(session, TOKENS, {})
        session = replace(session, credentials=connection.credentials, config=connection.config)
        post = replace(content("Hello", film, beside, language="de"), options={**options, "synthetic": True})
        snapshot = youtube.PLATFORM.prepare(session, post, MemoryCheckpoints())
        published = youtube.PLATFORM.settle(session, snapshot, youtube.PLATFORM.commit(session, snapshot))
        server.forget_sessions()
        youtube.PLATFORM.find(session, snapshot, datetime.now(UTC))
        session = replace(session, thread=(published,))
        comment = youtube.PLATFORM.prepare(session, replace(content("First"), kind="comment"), MemoryCheckpoints())
        youtube.PLATFORM.commit(session, comment)
        youtube.PLATFORM.find(session, comment, datetime.now(UTC))
    calls = [seen for seen in server.seen if seen.method != "PUT"]
    assert len(calls) == 7
    for seen in calls:
        method = discovery.method(seen)
        shared = {"uploadType", *discovery.document["parameters"]}
        assert set(seen.query) <= set(method["parameters"]) | shared
        assert set(method.get("parameterOrder", ())) <= set(seen.query)
        if "json" in seen.headers.get("content-type", ""):
            assert not list(discovery.problems(seen.json(), method["request"]["$ref"], seen.path))
    assert not list(discovery.problems(next(iter(server.videos.values())), "Video", "answer"))
    assert not list(discovery.problems(server.comments[0], "CommentThread", "answer"))
