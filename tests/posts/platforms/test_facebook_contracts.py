"""What Facebook is sent, held against the Graph API's own list of edges and parameters.

It is not part of this repository: PLATFORM_CONTRACTS names a folder with ``meta/Page.json`` and its like (from
facebook/facebook-business-sdk-codegen). Without it nothing is checked here, and the run says so.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from posts.platforms._facebook_posts import POST_FIELDS
from posts.platforms._facebook_video import STATUS_FIELDS
from posts.platforms.facebook import PLATFORM
from posts.publishing.platform import Session
from posts.publishing.types import App, Content
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture, video
from tests.posts.platforms.fake_facebook import PAGE, PAGE_TOKEN, VERSION, FakeFacebook
from tests.posts.platforms.fake_server import Seen

FILM = video(size_bytes=1500)
POSTS = {
    "text": content("Hello"),
    "link": replace(content("Read"), options={"link": "https://a.example"}),
    "photos": content("Two", picture("a"), picture("b")),
    "video": replace(content("See", FILM), options={"title": "Film"}),
    "reel": replace(content("See", FILM), options={"placement": "reel", "title": "Film"}),
    "comment": replace(content("More"), kind="comment"),
}
UNLISTED = {"source", "fields"}  # a file's bytes, and what every call takes


@pytest.fixture(scope="session")
def contract() -> Path:
    folder = os.environ.get("PLATFORM_CONTRACTS")
    if not folder:
        pytest.skip("PLATFORM_CONTRACTS is not set; requests were not held against the networks' contracts")
    return Path(folder) / "meta"


def edges(folder: Path, node: str) -> dict[tuple[str, str], set[str]]:
    """Return the parameters of a node's edges; what cannot be left out has a "!" behind it."""
    found: dict[tuple[str, str], set[str]] = {}
    for api in json.loads((folder / f"{node}.json").read_text())["apis"]:
        names = {param["name"] + "!" * bool(param.get("required")) for param in api["params"]}
        found[api["method"], api.get("endpoint", "")] = names
    return found


def sent_names(seen: Seen) -> set[str]:
    body: Any = seen.parts() if "multipart" in seen.headers["content-type"] else seen.form()
    return {*body, *seen.query}


@pytest.mark.parametrize("post", POSTS.values(), ids=POSTS)
def test_what_facebook_is_sent_keeps_the_list_of_its_parameters(contract: Path, post: Content) -> None:
    known = {"Page": edges(contract, "Page"), "Post": edges(contract, "PagePost")}
    with FakeFacebook() as server:
        app = App("client-1", "client-secret-1", server.url, server.url)
        files = {media.key: media for media in post.media}
        session = Session(
            an_http(), {"access_token": PAGE_TOKEN}, {"page_id": PAGE}, lambda: datetime.now(UTC), files, app
        )
        if post.kind == "comment":
            above = PLATFORM.commit(session, PLATFORM.prepare(session, content("Above"), MemoryCheckpoints()))
            session = replace(session, thread=(above,))
        PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
    for seen in server.seen:
        if "/video-upload/" in seen.path:
            continue
        node, edge = seen.path.removeprefix(f"/{VERSION}/").split("/")
        names = known["Page" if node == PAGE else "Post"][seen.method, edge]
        assert sent_names(seen) <= {name.rstrip("!") for name in names} | UNLISTED
        assert {name[:-1] for name in names if name.endswith("!")} <= sent_names(seen)


def test_the_fields_that_are_asked_for_exist(contract: Path) -> None:
    def fields(node: str) -> set[str]:
        return {field["name"] for field in json.loads((contract / f"{node}.json").read_text())["fields"]}

    assert set(STATUS_FIELDS.split(",")) <= fields("AdVideo")
    assert set(POST_FIELDS.partition(",attachments")[0].split(",")) <= fields("PagePost")
