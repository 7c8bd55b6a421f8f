"""What stands in for the site in a platform's tests: checkpoints in memory, content, the HTTP wrapper, a dead address.

Also ``refused``, which expects one of the kit's errors. Knows no platform.
"""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from posts.publishing.errors import PublishError
from posts.publishing.http import Http
from posts.publishing.platform import Checkpoints
from posts.publishing.types import Content, Json, MediaFile
from posts.publishing.words import WORDS

KEY = "0f8fad5bd9cb469fa16570867728950e"
KEYED_AT = datetime(2026, 11, 22, 7, 0, 0, 123456, tzinfo=UTC)


class MemoryCheckpoints(Checkpoints):
    """Keeps results for as long as it lives; ``stored`` is what a site would have in its database."""

    def __init__(self) -> None:
        self.stored: dict[str, Json] = {}

    def once(self, name: str, make: Callable[[], Json]) -> Json:
        """As the kit does."""
        if name not in self.stored:
            self.stored[name] = make()
        return self.stored[name]

    def get(self, name: str) -> Json | None:
        """As the kit does."""
        return self.stored.get(name)

    def put(self, name: str, value: Json) -> None:
        """As the kit does."""
        self.stored[name] = value

    def forget(self, *names: str) -> None:
        """As the kit does."""
        for name in names:
            self.stored.pop(name, None)

    def progress(self, done: int, total: int, what: str) -> None:
        """Keep what was told last."""
        self.told = (done, total, what)


class Crash(BaseException):
    """The process ended; no platform can catch that."""


class CrashingCheckpoints(MemoryCheckpoints):
    """Ends the process right after write number ``after`` (from 1) is durable."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def once(self, name: str, make: Callable[[], Json]) -> Json:
        """Store, then crash if it was the time."""
        known = name in self.stored
        value = super().once(name, make)
        if not known:
            self._count()
        return value

    def put(self, name: str, value: Json) -> None:
        """Store, then crash if it was the time."""
        super().put(name, value)
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            raise Crash


def content(text: str = "Hello", *media: MediaFile, language: str = "") -> Content:
    """Return a post of one part under a fixed key."""
    return Content(KEY, KEYED_AT, text, language, media)


def an_http(timeout_seconds: float = 5) -> Http:
    """Return the kit's HTTP wrapper, which may call this machine."""
    return Http(allow_private=True, timeout_seconds=timeout_seconds, refuse_when=lambda: False)


def masked(secret: str) -> str:
    """Stand in for the site's seal: unreadable, and not the secret itself."""
    return "sealed:" + secret.encode().hex()


def unmasked(sealed: str) -> str:
    """Open what ``masked`` made."""
    return bytes.fromhex(sealed.removeprefix("sealed:")).decode()


@contextmanager
def closed_port() -> Iterator[str]:
    """An address of this machine where nobody listens, kept free of others meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def shown(error: PublishError) -> str:
    """Return everything of an error that a log or a page could show."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@contextmanager
def refused(kind: type[PublishError], code: str = "", secrets: tuple[str, ...] = ()) -> Iterator[Any]:
    """Expect one error; whatever it is, it has words and no secret is in it."""
    with pytest.raises(PublishError) as caught:
        yield caught
    error = caught.value
    assert type(error) is kind, repr(error)
    assert error.code in WORDS, f"{error.code} has no words"
    assert not code or error.code == code, f"{error.code}, where {code} was expected"
    for secret in secrets:
        assert secret not in shown(error), "the error shows a secret"
