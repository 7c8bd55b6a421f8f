"""What Discord is sent, and what its fake answers, held against Discord's own description of its API.

It is not part of this repository. PLATFORM_CONTRACTS names a folder with ``discord/openapi.json`` (from
discord/discord-api-spec); without it nothing is checked here, and the run says so.
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

from posts.platforms.discord import PLATFORM
from posts.publishing.platform import Session
from posts.publishing.types import App, Content
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture
from tests.posts.platforms.fake_discord import URL, FakeDiscord

CHOSEN = {
    "username": "News",
    "avatar_url": "https://a.example/a.png",
    "mentions": "everyone",
    "silent": True,
    "embed_title": "Title",
    "embed_description": "More",
    "embed_url": "https://a.example",
    "embed_color": "#5865F2",
}
POSTS = (content("Hello"), replace(content("Hi 👋"), options=CHOSEN), content("", picture("a"), picture("b")))
AS_DISCORD_ASKS = {"User-Agent": "DiscordBot (test, 1.0)"}
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    folder = os.environ.get("PLATFORM_CONTRACTS")
    if not folder:
        pytest.skip("PLATFORM_CONTRACTS is not set; requests were not held against Discord's contract")
    found: dict[str, Any] = json.loads((Path(folder) / "discord" / "openapi.json").read_text())
    return found


class Schemas:
    """As much of OpenAPI 3.1 as these calls need. Unknown properties are named: a misspelt one would be ignored."""

    def __init__(self, api: dict[str, Any]) -> None:
        self.schemas = api["components"]["schemas"]

    def problems(self, value: Any, schema: dict[str, Any], place: str, *, strict: bool) -> Iterator[str]:
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        choices = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
        if choices and not any(not list(self.problems(value, each, place, strict=strict)) for each in choices):
            yield f"{place}: {value!r} is as none of its choices"
        if not fits(value, schema):
            yield f"{place}: {value!r} is not as {schema}"
        if isinstance(value, list):
            if len(value) > schema.get("maxItems", len(value)):
                yield f"{place}: too many"
            for number, item in enumerate(value):
                yield from self.problems(item, schema.get("items", {}), f"{place}/{number}", strict=strict)
        if isinstance(value, dict) and "properties" in schema:
            yield from self.object_problems(value, schema, place, strict=strict)

    def object_problems(self, value: Any, schema: dict[str, Any], place: str, *, strict: bool) -> Iterator[str]:
        known = schema["properties"]
        yield from (f"{place}/{name} is missing" for name in schema.get("required", ()) if name not in value)
        yield from (f"{place}/{name} is unknown" for name in value if strict and name not in known)
        for name, item in value.items():
            if name in known:
                yield from self.problems(item, known[name], f"{place}/{name}", strict=strict)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Return whether a value is of the type and within the bounds that a schema names."""
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else types
    if names and not any(isinstance(value, TYPES[name]) for name in names):
        return False
    if isinstance(value, str) and not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return False
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return False
    return bool(value == schema.get("const", value))


@pytest.mark.parametrize("post", POSTS, ids=["text", "options", "files"])
def test_what_is_sent_and_answered_keeps_the_contract(api: dict[str, Any], post: Content) -> None:
    schemas = Schemas(api)
    with FakeDiscord() as server:
        app = App(api_base=server.url)
        files = {media.key: media for media in post.media}
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), files, app)
        connection = PLATFORM.connect(session, {"webhook_url": URL})
        session = replace(session, credentials=connection.credentials, config=connection.config)
        published = PLATFORM.commit(session, PLATFORM.prepare(session, post, MemoryCheckpoints()))
        answer = server.messages[published.id]
        described = session.http.request(
            "GET", server.url + server.seen[0].path, headers={"User-Agent": "DiscordBot ("}
        )
    seen = server.seen[1]
    method = api["paths"]["/webhooks/{webhook_id}/{webhook_token}"]["post"]
    assert set(seen.query) <= {parameter["name"] for parameter in method["parameters"]}
    body = json.loads(seen.parts()["payload_json"][1]) if post.media else seen.json()
    assert not list(schemas.problems(body, {"$ref": "IncomingWebhookRequestPartial"}, "Message", strict=True))
    assert not list(schemas.problems(described.json(), {"$ref": "GuildIncomingWebhookResponse"}, "Hook", strict=True))
    missing = [each for each in schemas.schemas["MessageResponse"]["required"] if each not in answer]
    assert not missing
    file = {"$ref": "MessageAttachmentResponse"}
    shapes = [schemas.problems(each, file, "File", strict=True) for each in answer["attachments"]]
    assert not [problem for each in shapes for problem in each if "description" not in problem]
