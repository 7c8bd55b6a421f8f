"""Requests to servers with Mastodon's API, and the fake's answers, held against the published OpenAPI description.

It is not part of this repository. PLATFORM_CONTRACTS names a folder with ``mastodon/openapi.json`` (from
abraham/mastodon-openapi); without it nothing is checked here, and the run says so.
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

from posts.platforms.mastodon import PLATFORM
from posts.publishing.errors import NotReady
from posts.publishing.platform import Session
from posts.publishing.types import Content
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture, video
from tests.posts.platforms.fake_mastodon import FakeMastodon
from tests.posts.platforms.fake_server import Answer, Seen
from tests.posts.platforms.test_mastodon_login import CALLBACK, agree, begin

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
FORM_TYPES = {"redirect_uris": str}  # a text in forms: servers before 4.3 know no array
CHOSEN = {"visibility": "unlisted", "content_warning": "Food", "sensitive": True}
POSTS = {
    "text": content("Hello", language="de"),
    "pictures": replace(content("", picture("a"), picture("b")), options=CHOSEN),
    "video": content("A film", video()),
    "poll": replace(content("Do you?"), options={"poll": ["Yes", "No"], "poll_seconds": "3600"}),
}


class Described:
    """As much of OpenAPI 3.1 as this description uses."""

    def __init__(self, path: Path) -> None:
        self.whole: dict[str, Any] = json.loads(path.read_text())

    def operation(self, seen: Seen) -> dict[str, Any]:
        for path, methods in self.whole["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", r"[^/]+", path), seen.path) and seen.method.lower() in methods:
                return dict(methods[seen.method.lower()])
        raise AssertionError(f"{seen.method} {seen.path} is not described")

    def schema(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return a schema with what it refers to and consists of put together."""
        merged: dict[str, Any] = {}
        target: dict[str, Any] = self.whole
        if "$ref" in given:
            for name in given["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            merged = self.schema(target)
        for part in given.get("allOf", ()):
            one = self.schema(part)
            merged["required"] = [*merged.get("required", ()), *one.get("required", ())]
            merged["properties"] = merged.get("properties", {}) | one.get("properties", {})
        return merged | {name: value for name, value in given.items() if name not in ("$ref", "allOf")}

    def problems(self, value: Any, given: dict[str, Any], place: str, *, strict: bool = False) -> Iterator[str]:
        schema = self.schema(given)
        choices = schema.get("oneOf") or schema.get("anyOf")
        if choices:
            found = [list(self.problems(value, each, place, strict=strict)) for each in choices]
            yield from [] if [] in found else min(found, key=len)
            return
        said = schema.get("type", [])
        types = [said] if isinstance(said, str) else said
        if types and not isinstance(value, tuple(python for name in types for python in TYPES[name])):
            yield f"{place}: {value!r} is not {types}"
            return
        if value is not None and "enum" in schema and value not in schema["enum"]:
            yield f"{place}: {value!r} is none of {schema['enum']}"
        if isinstance(value, list) and "items" in schema:
            for number, item in enumerate(value):
                yield from self.problems(item, schema["items"], f"{place}/{number}", strict=strict)
        if isinstance(value, dict):
            known = schema.get("properties", {})
            yield from (f"{place}/{name} is missing" for name in schema.get("required", ()) if name not in value)
            yield from (f"{place}/{name} is unknown" for name in value if strict and name not in known)
            for name in set(value) & set(known):
                yield from self.problems(value[name], known[name], f"{place}/{name}", strict=strict)


class Recorded(FakeMastodon):
    """Keeps what it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[tuple[Seen, Answer]] = []

    def handle(self, seen: Seen) -> Answer:
        answer = super().handle(seen)
        self.answered.append((seen, answer))
        return answer


@pytest.fixture(scope="module")
def described() -> Described:
    folder = os.environ.get("PLATFORM_CONTRACTS")
    if not folder:
        pytest.skip("PLATFORM_CONTRACTS is not set; requests were not held against the networks' contracts")
    return Described(Path(folder) / "mastodon" / "openapi.json")


def log_in_and_publish(server: FakeMastodon, post: Content) -> None:
    begun, answers = begin(server), {"instance": server.url}
    session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), {media.key: media for media in post.media})
    tokens = PLATFORM.exchange(session, agree(begun), answers, CALLBACK, begun.registration)
    (connection,) = PLATFORM.connections(session, tokens, answers)
    session = replace(session, credentials=connection.credentials, config=connection.config)
    checkpoints = MemoryCheckpoints()
    for _ in range(2):
        try:
            snapshot = PLATFORM.prepare(session, post, checkpoints)
            break
        except NotReady:
            continue
    published = PLATFORM.commit(session, snapshot)
    PLATFORM.commit(replace(session, thread=(published,)), {**snapshot, "key": "k-1", "body": {"status": "Two"}})
    PLATFORM.find(session, snapshot, datetime.now(UTC))


def sent(seen: Seen) -> dict[str, Any]:
    kind = seen.headers.get("content-type", "")
    if "json" in kind:
        return dict(seen.json())
    if "multipart" in kind:
        return {name: filename or body.decode() for name, (filename, body) in seen.parts().items()}
    return dict(seen.form())


@pytest.mark.parametrize("name", POSTS)
def test_what_is_sent_and_answered_is_as_described(described: Described, name: str) -> None:
    with Recorded() as server:
        log_in_and_publish(server, POSTS[name])
    assert len(server.answered) > 8
    for seen, answer in server.answered:
        operation, place = described.operation(seen), f"{seen.method} {seen.path}"
        parameters = {each["name"] for each in operation.get("parameters", ()) if each.get("in") == "query"}
        assert set(seen.query) <= parameters, place
        if seen.method == "POST":
            assert not list(body_problems(described, operation, seen, place))
        if answer.status in (302, 404):
            continue
        assert str(answer.status) in operation["responses"], place
        told = operation["responses"][str(answer.status)].get("content", {}).get("application/json", {}).get("schema")
        if told:
            # The fake leaves out what nobody reads.
            wrong = [each for each in described.problems(answer.body, told, place) if not each.endswith("is missing")]
            assert not wrong


def body_problems(described: Described, operation: dict[str, Any], seen: Seen, place: str) -> Iterator[str]:
    form = sent(seen)
    ((_, body),) = operation["requestBody"]["content"].items()
    if "json" in seen.headers["content-type"]:
        yield from described.problems(form, body["schema"], place, strict=True)
        return
    schema = described.schema(body["schema"])
    # A client's own login needs no code; nobody is sent back anywhere.
    needless = {"code", "redirect_uri"} if form.get("grant_type") == "client_credentials" else set()
    yield from (f"{place}/{name} is missing" for name in set(schema.get("required", ())) - needless - set(form))
    yield from (f"{place}/{name} is unknown" for name in set(form) - set(schema["properties"]))
    assert all(isinstance(form[name], kind) for name, kind in FORM_TYPES.items() if name in form)
