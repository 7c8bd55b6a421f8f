"""What X is sent, and what its fake answers, held against X's own description of its API.

It is not part of this repository. PLATFORM_CONTRACTS names a folder with ``x/openapi.json`` (from xdevplatform/docs);
without it nothing is checked here, and the run says so.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from posts.platforms._x_post import OPTIONS, POLL_CHOICE_CHARACTERS, POLL_CHOICES, POLL_MINUTES
from posts.platforms.x import PLATFORM
from posts.publishing.errors import NotReady
from posts.publishing.platform import Session
from posts.publishing.types import App, Content
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture, video
from tests.posts.platforms.fake_server import Answer, Seen
from tests.posts.platforms.fake_x import ACCESS, REFRESH, SCOPE, FakeX

CHOSEN = {"reply_settings": "following", "poll": ["Yes", "No"], "poll_minutes": 60, "made_with_ai": True}
POSTS = {
    "text": content("Hello & see https://example.com"),
    "options": replace(content("Well?"), options=CHOSEN),
    "pictures": content("", picture("a"), picture("b")),
    "animation": content("", replace(video("g1", 700, "image/gif"), kind="gif", alt_text="It turns")),
    "film": content("A film", video()),
}
TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}


class Described:
    """As much of OpenAPI as these calls need."""

    def __init__(self, path: Path) -> None:
        self.whole: dict[str, Any] = json.loads(path.read_text())

    def operation(self, seen: Seen) -> dict[str, Any]:
        for path, methods in self.whole["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", r"\\d+", path), seen.path) and seen.method.lower() in methods:
                return dict(methods[seen.method.lower()])
        raise AssertionError(f"{seen.method} {seen.path} is not described")

    def resolved(self, given: dict[str, Any]) -> dict[str, Any]:
        target: Any = given
        while "$ref" in target:
            path, target = target["$ref"].removeprefix("#/").split("/"), self.whole
            for name in path:
                target = target[name]
        return dict(target)

    def problems(self, value: Any, given: dict[str, Any], place: str, *, strict: bool) -> Iterator[str]:
        schema = self.resolved(given)
        if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
            yield f"{place}: {value!r} is no {schema['type']}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place}: {value!r} is none of {schema['enum']}"
        if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{place}: {value!r} is not as {schema['pattern']}"
        if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{place}: {value} is out of bounds"
        if isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                yield f"{place}: {len(value)} items"
            for number, item in enumerate(value):
                yield from self.problems(item, schema.get("items", {}), f"{place}/{number}", strict=strict)
        if isinstance(value, dict):
            known = schema.get("properties", {})
            yield from (f"{place}/{name} is missing" for name in schema.get("required", ()) if name not in value)
            yield from (f"{place}/{name} is unknown" for name in value if strict and name not in known)
            for name in set(value) & set(known):
                yield from self.problems(value[name], known[name], f"{place}/{name}", strict=strict)


class Recorded(FakeX):
    """Keeps what it answered; takes the fields by their newer name, as the description has it."""

    def __init__(self) -> None:
        super().__init__()
        self.fields_name = "post.fields"
        self.answered: list[tuple[Seen, Answer]] = []

    def handle(self, seen: Seen) -> Answer:
        answer = super().handle(seen)
        self.answered.append((seen, answer))
        return answer


@pytest.fixture(scope="module")
def described() -> Described:
    folder = os.environ.get("PLATFORM_CONTRACTS")
    if not folder:
        pytest.skip("PLATFORM_CONTRACTS is not set; requests were not held against X's description")
    return Described(Path(folder) / "x" / "openapi.json")


def publish_and_find(server: FakeX, post: Content) -> None:
    app = App("client-1", "client-secret-1", server.url, server.url)
    files = {media.key: media for media in post.media}
    session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), files, app)
    tokens = {"access_token": ACCESS, "refresh_token": REFRESH, "scope": SCOPE}
    (connection,) = PLATFORM.connections(session, tokens, {})
    session = replace(session, credentials=connection.credentials, config=connection.config)
    checkpoints = MemoryCheckpoints()
    while True:
        try:
            snapshot = PLATFORM.prepare(session, post, checkpoints)
            break
        except NotReady:
            continue
    first = PLATFORM.commit(session, snapshot)
    PLATFORM.commit(replace(session, thread=(first,)), {**snapshot, "body": {"text": "Below"}, "kind": "comment"})
    PLATFORM.find(session, snapshot, datetime.now(UTC))


def sent_by(seen: Seen) -> Any:
    if "multipart" not in seen.headers.get("content-type", ""):
        return seen.json()
    fields = {name: "bytes" if filename else body.decode() for name, (filename, body) in seen.parts().items()}
    return fields | ({"segment_index": int(fields["segment_index"])} if "segment_index" in fields else {})


@pytest.mark.parametrize("post", POSTS.values(), ids=POSTS)
def test_requests_and_answers_are_as_described(described: Described, post: Content) -> None:
    with Recorded() as server:
        publish_and_find(server, post)
    for seen, answer in server.answered:
        if answer.status == 400:
            assert set(seen.query) & {"tweet.fields"}
            continue
        operation = described.operation(seen)
        if "requestBody" in operation and seen.body:
            kind = seen.headers["content-type"].split(";")[0]
            schema = operation["requestBody"]["content"][kind]["schema"]
            sent = sent_by(seen)
            assert not list(described.problems(sent, schema, seen.path, strict=True))
        names = {described.resolved(each)["name"] for each in operation.get("parameters", ())}
        assert set(seen.query) <= names
        for each in map(described.resolved, operation.get("parameters", ())):
            allowed = described.resolved(each["schema"]).get("items", {}).get("enum")
            if each["name"] in seen.query and allowed:
                assert set(seen.query[each["name"]].split(",")) <= set(allowed)
        response = operation["responses"][str(answer.status)]["content"]["application/json"]["schema"]
        assert not list(described.problems(answer.body, response, seen.path, strict=False))


def test_what_can_be_chosen_is_what_x_takes(described: Described) -> None:
    schemas = described.whole["components"]["schemas"]
    wanted = schemas["CreatePostsRequest"]["properties"]
    choices = next(option.choices for option in OPTIONS if option.name == "reply_settings")
    assert {value for value, _label in choices} - {"everyone"} == set(wanted["reply_settings"]["enum"])
    poll = schemas["CreatePostsPoll"]["properties"]
    assert (poll["options"]["minItems"], poll["options"]["maxItems"]) == (POLL_CHOICES[0], POLL_CHOICES[-1])
    assert poll["options"]["items"]["maxLength"] == POLL_CHOICE_CHARACTERS
    minutes = poll["duration_minutes"]
    assert (minutes["minimum"], minutes["maximum"]) == (POLL_MINUTES[0], POLL_MINUTES[-1])


def test_the_rights_asked_for_are_those_that_the_calls_need(described: Described) -> None:
    needed: set[str] = set()
    calls = (("post", "/2/tweets"), ("post", "/2/media/upload/initialize"), ("get", "/2/users/me"))
    for method, path in (*calls, ("get", "/2/users/{id}/tweets"), ("post", "/2/media/metadata")):
        for each in described.whole["paths"][path][method]["security"]:
            needed |= set(each.get("OAuth2UserToken", ()))
    assert needed
    assert needed <= set(PLATFORM.oauth.scopes)
