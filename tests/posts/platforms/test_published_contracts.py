"""What the platforms send, held against the networks' own machine-readable contracts.

They are not part of this repository. PLATFORM_CONTRACTS names a folder with ``bluesky/lexicons`` (from
bluesky-social/atproto) and ``telegram/api.json`` (from PaulSonOfLars/telegram-bot-api-spec); without it nothing is
checked here, and the run says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from posts.platforms import bluesky, telegram
from posts.publishing.errors import NotReady
from posts.publishing.platform import Platform, Session
from posts.publishing.types import App, Content, Json
from posts.text.counting import count
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture, video
from tests.posts.platforms.fake_bot_api import TOKEN, FakeBotApi
from tests.posts.platforms.fake_pds import PASSWORD, FakePds
from tests.posts.platforms.fake_server import Answer, FakeServer, Seen

PICTURES = tuple(picture(f"p{number}") for number in range(10))
POSTS = (
    content("Hello"),
    content("Hi 👋 #größe @bob.test https://a.example", PICTURES[0], language="pt-BR"),
    content("", *PICTURES[:4]),
)
FILM = replace(video(), cover=picture("cover"))
DOCUMENT = replace(video("d1", mime_type="application/pdf"), filename="d1.pdf", kind="document")
GATED = {"replies": "mentioned", "no_quotes": True, "warning": "nudity", "languages": ["de", "en"]}
OF_BLUESKY = {
    "gallery": content("Look", *PICTURES),
    "video": content("Look", FILM),
    "gated": replace(content("Hi", language="pt-BR"), options=GATED),
    "answer": replace(content("Two"), part=1, parts=2),
}
CHOSEN = {"silent": True, "protected": True, "spoiler": True, "no_preview": True}
OF_TELEGRAM = {
    "video": replace(content("Look", FILM), options=CHOSEN),
    "animation": replace(content("", replace(video(mime_type="image/gif"), kind="gif")), options=CHOSEN),
    "document": content("Read", DOCUMENT),
    "mixed album": replace(content("Look", PICTURES[0], FILM), options=CHOSEN),
    "documents": content("Read", DOCUMENT, replace(DOCUMENT, key="d2")),
    "buttons": replace(content("Hi"), options={**CHOSEN, "buttons": ["Read | https://a.example"]}),
    "answer": replace(content("Two"), part=1, parts=2),
}
ITEMS = {"photo": "InputMediaPhoto", "video": "InputMediaVideo", "document": "InputMediaDocument"}


@pytest.fixture(scope="session")
def contracts() -> Path:
    folder = os.environ.get("PLATFORM_CONTRACTS")
    if not folder:
        pytest.skip("PLATFORM_CONTRACTS is not set; requests were not held against the networks' contracts")
    return Path(folder)


def publish(platform: Platform, server: FakeServer, answers: dict[str, str], post: Content) -> None:
    files = {media.key: media for media in post.media}
    session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), files)
    session = replace(session, app=App(api_base=server.url))
    connection = platform.connect(session, answers)
    session = replace(session, credentials=connection.credentials, config=connection.config)
    if post.part:
        first = replace(post, part=0, key=f"{post.key[:-1]}0")
        session = replace(session, thread=(platform.commit(session, prepared(platform, session, first)),))
    platform.commit(session, prepared(platform, session, post))


def prepared(platform: Platform, session: Session, post: Content) -> Json:
    """Prepare until what the network processes is ready."""
    checkpoints = MemoryCheckpoints()
    for _ in range(5):
        with suppress(NotReady):
            return platform.prepare(session, post, checkpoints)
    raise AssertionError("it never became ready")


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
            accepted = any(fnmatch(value["mimeType"], pattern) for pattern in schema.get("accept", ("*",)))
            return bool(value["$type"] == "blob" and accepted and value["size"] <= schema.get("maxSize", 10**12))
    return True


@pytest.mark.parametrize(
    "post", [*POSTS, *OF_BLUESKY.values()], ids=["text", "facets and picture", "four pictures", *OF_BLUESKY]
)
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
        elif "input" in method:
            assert fnmatch(seen.headers["content-type"], method["input"]["encoding"])
        if "parameters" in method:
            asked = {name: int(value) if value.isdigit() else value for name, value in seen.query.items()}
            assert not list(lexicons.object_problems(asked, method["parameters"], nsid, nsid))
    for record in [accepted["record"] for accepted in server.accepted] + list(server.gates.values()):
        definition, nsid = lexicons.definition(record["$type"])
        assert not list(lexicons.problems(record, definition["record"], nsid, "Record"))


def test_what_the_fake_of_bluesky_answers_keeps_the_lexicons(contracts: Path) -> None:
    lexicons = Lexicons(contracts / "bluesky" / "lexicons")
    with Remembering() as server:
        answers = {"identifier": "alice.test", "password": PASSWORD, "service": server.url}
        for post in (*POSTS, *OF_BLUESKY.values()):
            server.records.clear()
            server.gates.clear()
            publish(bluesky.PLATFORM, server, answers, post)
    names = {name for name, _ in server.answered}
    assert {"com.atproto.repo.applyWrites", "app.bsky.video.getJobStatus", "app.bsky.video.getUploadLimits"} <= names
    for name, body in server.answered:
        method, nsid = lexicons.definition(name)
        assert not list(lexicons.problems(body, method["output"]["schema"], nsid, nsid))


class Remembering(FakePds):
    """Keeps what it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[tuple[str, Any]] = []

    def handle(self, seen: Seen) -> Answer:
        answer = super().handle(seen)
        if answer.status == 200:
            self.answered.append((seen.path.removeprefix("/xrpc/"), json.loads(json.dumps(answer.body))))
        return answer


@pytest.mark.parametrize("post", [*POSTS, *OF_TELEGRAM.values()], ids=["text", "photo", "album", *OF_TELEGRAM])
def test_what_telegram_is_sent_keeps_the_bot_api(contracts: Path, post: Content) -> None:
    api = json.loads((contracts / "telegram" / "api.json").read_text())
    with FakeBotApi() as server:
        answers = {"token": TOKEN, "chat": "@news_channel", "api_url": server.url}
        publish(telegram.PLATFORM, server, answers, post)
    for seen in server.seen:
        sent = fields_of(seen)
        method = api["methods"][seen.path.rsplit("/", 1)[1]]
        album = json.loads(sent.get("media", "[]"))
        attached = {
            item[name].removeprefix("attach://") for item in album for name in ("media", "cover") if name in item
        }
        assert_fields(set(sent) - attached, method.get("fields", []))
        for item in album:
            assert_fields(set(item), api["types"][ITEMS[item["type"]]]["fields"])
        for name, kind in (("link_preview_options", "LinkPreviewOptions"), ("reply_parameters", "ReplyParameters")):
            if name in sent:
                assert_fields(set(sent[name]), api["types"][kind]["fields"])
        for (button,) in sent.get("reply_markup", {}).get("inline_keyboard", []):
            assert_fields(set(button), api["types"]["InlineKeyboardButton"]["fields"])


def fields_of(seen: Seen) -> dict[str, Any]:
    if "multipart" not in seen.headers["content-type"]:
        return dict(seen.json())
    return {name: body if filename else body.decode() for name, (filename, body) in seen.parts().items()}


def assert_fields(sent: set[str], fields: list[dict[str, Any]]) -> None:
    assert sent <= {field["name"] for field in fields}
    assert {field["name"] for field in fields if field["required"]} <= sent
