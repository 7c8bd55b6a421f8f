"""What Instagram is sent, held against Meta's own description of the Graph API's edges and fields.

It is no part of this repository. PLATFORM_CONTRACTS names a folder with ``meta/IGUser.json`` and others, from
facebook/facebook-business-sdk-codegen; without it nothing is checked here, and the run says so.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from posts.platforms import instagram
from posts.publishing.platform import Session
from posts.publishing.types import App, Published
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture, video
from tests.posts.platforms.fake_containers import FakeFiles
from tests.posts.platforms.fake_instagram import IG_ID, TOKEN, FakeInstagram
from tests.posts.platforms.fake_server import Seen

OF_EVERY_EDGE = {"fields", "limit", "after"}  # https://developers.facebook.com/docs/graph-api/results


@pytest.fixture(scope="module")
def meta() -> dict[str, Any]:
    folder = os.environ.get("PLATFORM_CONTRACTS")
    if not folder:
        pytest.skip("PLATFORM_CONTRACTS is not set; requests were not held against the networks' contracts")
    return {name: json.loads((Path(folder) / "meta" / f"{name}.json").read_text()) for name in ("IGUser", "IGMedia")}


def test_what_instagram_is_sent_keeps_metas_description(meta: dict[str, Any]) -> None:
    with FakeFiles() as files, FakeInstagram() as server:
        app = App(api_base=server.url)
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=app)
        (connection,) = instagram.PLATFORM.connections(session, {"access_token": TOKEN}, {})
        session = replace(session, credentials=connection.credentials, config=connection.config)
        film = files.offer(replace(video(), cover=picture("cover")))
        pictures = [files.offer(picture(f"p{number}")) for number in range(2)]
        reel = {"collaborators": ["bob"], "share_to_feed": False}
        for options, media in (
            ({}, pictures[:1]),
            ({}, [*pictures, film]),
            (reel, [film]),
            ({"placement": "story"}, [film]),
        ):
            post = replace(content("Hi", *media), options=options)
            snapshot = instagram.PLATFORM.prepare(session, post, MemoryCheckpoints())
            published = instagram.PLATFORM.commit(session, snapshot)
            instagram.PLATFORM.find(session, snapshot, datetime.now(UTC))
        comment = {"kind": "comment", "text": "First"}
        below = replace(session, thread=(Published(published.id, ""),))
        instagram.PLATFORM.commit(below, comment)
        instagram.PLATFORM.find(below, comment, datetime.now(UTC))
    checked = [edge for edge in (checked_edge(meta, seen) for seen in server.seen) if edge]
    assert {"media", "media_publish", "stories", "content_publishing_limit", "comments"} <= set(checked)


def checked_edge(meta: dict[str, Any], seen: Seen) -> str:
    """Hold one request against its edge; return the edge's name, "" for a node's own fields."""
    node, _, edge = seen.path.removeprefix("/v25.0/").partition("/")
    if not edge:
        return ""
    apis = meta["IGUser" if node == IG_ID else "IGMedia"]["apis"]
    (api,) = [each for each in apis if (each["method"], each.get("endpoint")) == (seen.method, edge)]
    sent = set(seen.form()) if seen.method == "POST" else set(seen.query)
    known = {param["name"] for param in api["params"]} | (OF_EVERY_EDGE if seen.method == "GET" else set())
    assert sent <= known, (edge, sent - known)
    assert {param["name"] for param in api["params"] if param["required"]} <= sent
    if edge in ("media", "stories") and seen.method == "GET":
        assert set(seen.query["fields"].split(",")) <= {field["name"] for field in meta["IGMedia"]["fields"]}
    return edge
