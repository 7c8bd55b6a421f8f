"""The values that cross between the site and a platform. Frozen, without Django, without behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MediaFile:
    """One picture, already rendered to fit the platform. ``key`` is stable across executions of a delivery."""

    key: str
    filename: str
    mime_type: str
    width: int
    height: int
    size_bytes: int
    alt_text: str
    read: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Content:
    """What one account is to publish.

    ``key`` is the delivery's own UUID (hex) and ``keyed_at`` (aware UTC) the time it was made; both never change, so
    an idempotency key derived from them is the same on every execution.
    """

    key: str
    keyed_at: datetime
    text: str
    language: str = ""
    media: tuple[MediaFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the credentials belong to. ``id`` is the platform's permanent id, ``name`` what people read."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Connection:
    """The answer to connecting or refreshing: identity, credentials (secret), config (public), and when to refresh.

    ``expires_at`` is when the access token ends (aware UTC), ``None`` if it does not.
    """

    identity: Identity
    credentials: Json = field(repr=False)
    config: Json = field(default_factory=dict)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A post that is live: the platform's id, its public address ("" if none) and the answer, kept for people."""

    id: str
    url: str
    response: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """``find`` saw the post live."""

    published: Published


@dataclass(frozen=True, slots=True)
class Absent:
    """``find`` looked where the post would be, and it is not there."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """``find`` has no way to know; ``code`` says why."""

    code: str


Finding = Found | Absent | CannotTell


@dataclass(frozen=True, slots=True)
class Field:
    """One thing asked when an account is connected. ``secret`` fields come from a prompt or standard input only."""

    name: str
    label: str
    secret: bool = False
    required: bool = True
    default: str = ""
    help: str = ""


Config = Mapping[str, Any]
