"""What the platforms send, held against the networks' own machine-readable contracts.

They are not part of this repository. PLATFORM_CONTRACTS names a folder with ``bluesky/lexicons`` (from
bluesky-social/atproto) and ``telegram/api.json`` (from PaulSonOfLars/telegram-bot-api-spec); without it nothing is
checked here, and the run says so.
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

from posts.platforms import bluesky, telegram
from posts.publishing.platform import Platform, Session
from posts.publishing.types import Content
from posts.text.counting import count
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture
from tests.posts.platforms.fake_bot_api import TOKEN, FakeBotApi
from tests.posts.platforms.fake_pds import PASSWORD, FakePds
from tests.posts.platforms.fake_server import FakeServer, Seen

PICTURES = tuple(picture(f"p{number}") for number in range(4))
POSTS = (
    content("Hello"),
    content("Hi 👋 #größe @bob.test https://a.example", PICTURES[0], language="pt-BR"),
    content("", *PICTURES),
)


@pytest.fixture(scope="session")
def contracts() -> Path:
    folder = os.environ.get("PLATFORM_CONTRACTS")
    if not folder:
        pytest.skip("PLATFORM_CONTRACTS is not set; requests were not held against the networks' contracts")
    return Path(folder)


def publish(platform: Platform, server: FakeServer, answers: dict[str, str], post: Content) -> None:
    files = {media.key: media for media in post.media}
    session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), files)
    connection = platform.connect(session, answers)
    session = replace(session, credentials=connection.credentials, config=connection.config)
    platform.commit(session, platform.prepare(session, post, MemoryCheckpoints()))


class Lexicons:
    """As much of the lexicon language as the calls in use need: https://atproto.com/specs/lexicon"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def definition(self, reference: str) -> tuple[dict[str, Any], str]:
        nsid, _, name = reference.partition("#")
        path = self.folder / (nsid.replace(".", "/") + ".json")
        definition: dict[str, Any] = json.loads(path.read_text())["defs"][name or "main"]
        return definition, nsid

    def problems(self, value: Any, schema: dict[str, Any], nsid: str, place: str) -> Iterator[str]:
        match schema["type"]:
            case "ref":
                definition, owner = self.definition(absolute(schema["ref"], nsid))
                yield from self.problems(value, definition, owner, place)
            case "union":
                if value.get("$type") not in [absolute(each, nsid) for each in schema["refs"]]:
                    yield f"{place}: {value.get('$type')} is none of {schema['refs']}"
                    return
                definition, owner = self.definition(value["$type"])
                yield from self.problems(value, definition, owner, place)
            case "object":
                yield from self.object_problems(value, schema, nsid, place)
            case "array":
                if len(value) > schema.get("maxLength", len(value)):
                    yield f"{place}: too many"
                for number, item in enumerate(value):
                    yield from self.problems(item, schema["items"], nsid, f"{place}/{number}")
            case _:
                if not fits(value, schema):
                    yield f"{place}: {value!r} is not as {schema}"

    def object_problems(self, value: Any, schema: dict[str, Any], nsid: str, place: str) -> Iterator[str]:
        known = schema["properties"]
        yield from (f"{place}/{name} is missing" for name in schema.get("required", ()) if name not in value)
        yield from (f"{place}/{name} is unknown" for name in value if name not in known and name != "$type")
        for name, item in value.items():
            if name in known and not (item is None and name in schema.get("nullable", ())):
                yield from self.problems(item, known[name], nsid, f"{place}/{name}")


def absolute(reference: str, nsid: str) -> str:
    return f"{nsid}{reference}" if reference.startswith("#") else reference


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Return whether a plain value is as the lexicon has it."""
    match schema["type"]:
        case "string":
            most_bytes, most_graphemes = schema.get("maxLength", 10**9), schema.get("maxGraphemes", 10**9)
            return bool(len(value.encode()) <= most_bytes and count(value, "graphemes") <= most_graphemes)
        case "integer":
            return isinstance(value, int) and bool(value >= schema.get("minimum", value))
        case "blob":
            return bool(value["$type"] == "blob" and value["size"] <= schema["maxSize"])
    return True


@pytest.mark.parametrize("post", POSTS, ids=["text", "facets and picture", "four pictures"])
def test_what_bluesky_is_sent_keeps_the_lexicons(contracts: Path, post: Content) -> None:
    lexicons = Lexicons(contracts / "bluesky" / "lexicons")
    with FakePds() as server:
        answers = {"identifier": "alice.test", "password": PASSWORD, "service": server.url}
        publish(bluesky.PLATFORM, server, answers, post)
    for seen in server.seen:
        method, nsid = lexicons.definition(seen.path.removeprefix("/xrpc/"))
        assert seen.method == ("POST" if method["type"] == "procedure" else "GET")
        if "schema" in method.get("input", {}):
            assert not list(lexicons.problems(seen.json(), method["input"]["schema"], nsid, nsid))
        if "parameters" in method:
            assert not list(lexicons.object_problems(seen.query, method["parameters"], nsid, nsid))
    record, nsid = lexicons.definition("app.bsky.feed.post")
    assert not list(lexicons.problems(server.accepted[0]["record"], record["record"], nsid, "Record"))


@pytest.mark.parametrize("post", POSTS, ids=["text", "photo", "album"])
def test_what_telegram_is_sent_keeps_the_bot_api(contracts: Path, post: Content) -> None:
    api = json.loads((contracts / "telegram" / "api.json").read_text())
    with FakeBotApi() as server:
        answers = {"token": TOKEN, "chat": "@news_channel", "api_url": server.url}
        publish(telegram.PLATFORM, server, answers, post)
    for seen in server.seen:
        sent = fields_of(seen)
        method = api["methods"][seen.path.rsplit("/", 1)[1]]
        attached = {item["media"].removeprefix("attach://") for item in json.loads(sent.get("media", "[]"))}
        assert_fields(set(sent) - attached, method.get("fields", []))
        for item in json.loads(sent.get("media", "[]")):
            assert_fields(set(item), api["types"]["InputMediaPhoto"]["fields"])


def fields_of(seen: Seen) -> dict[str, Any]:
    if "multipart" not in seen.headers["content-type"]:
        return dict(seen.json())
    return {name: body if filename else body.decode() for name, (filename, body) in seen.parts().items()}


def assert_fields(sent: set[str], fields: list[dict[str, Any]]) -> None:
    assert sent <= {field["name"] for field in fields}
    assert {field["name"] for field in fields if field["required"]} <= sent
