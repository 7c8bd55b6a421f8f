"""The values that cross between the site and a platform. Frozen, without Django, almost without behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Literal

Json = dict[str, Any]
Config = Mapping[str, Any]

MediaKind = Literal["image", "gif", "video", "document"]
PartKind = Literal["post", "comment"]
OptionKind = Literal["text", "long_text", "choice", "bool", "integer", "list", "moment"]

READ_BYTES = 1 << 20


def _no_address() -> str:
    raise LookupError("this file has no public address")


@dataclass(frozen=True, slots=True)
class MediaFile:
    """One file, already made to fit the platform. ``key`` is stable across executions of a delivery.

    ``open`` gives a seekable stream that the caller closes; whoever sends a large file reads it in pieces. ``url``
    gives a signed, expiring address for networks that fetch files themselves. ``cover`` is a video's own picture.
    Sizes are in pixels as people see them (0 for documents), ``duration_seconds`` is a video's or an animation's.
    """

    key: str
    filename: str
    mime_type: str
    width: int
    height: int
    size_bytes: int
    alt_text: str
    open: Callable[[], BinaryIO] = field(repr=False, compare=False)
    kind: MediaKind = "image"
    duration_seconds: float = 0.0
    url: Callable[[], str] = field(default=_no_address, repr=False, compare=False)
    cover: MediaFile | None = None

    def read(self) -> bytes:
        """Return the whole file; for pictures, never for videos."""
        with self.open() as stream:
            return stream.read()

    def piece(self, offset: int, size_bytes: int) -> bytes:
        """Return at most ``size_bytes`` from ``offset``."""
        with self.open() as stream:
            stream.seek(offset)
            return stream.read(size_bytes)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body that is never whole in memory: ``size_bytes`` of ``open``'s stream from ``offset``."""

    open: Callable[[], BinaryIO] = field(repr=False)
    size_bytes: int
    offset: int = 0

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in pieces of at most a mebibyte; a file that has become shorter is an OSError."""
        left = self.size_bytes
        with self.open() as stream:
            stream.seek(self.offset)
            while left:
                chunk = stream.read(min(READ_BYTES, left))
                if not chunk:
                    raise OSError("the file is shorter than it was")
                left -= len(chunk)
                yield chunk


@dataclass(frozen=True, slots=True)
class Content:
    """What one account is to publish in one call: a post, a later part of a thread, or the comment below it.

    ``key`` is the delivery's own UUID (hex; later parts have ``-1``, ``-2``, … behind it) and ``keyed_at`` (aware UTC)
    the time it was made, a millisecond later for each part; both never change, so an idempotency key derived from them
    is the same on every execution. ``options`` are what the person chose of the platform's ``options``, by name;
    ``part`` is the place among ``parts``.
    """

    key: str
    keyed_at: datetime
    text: str
    language: str = ""
    media: tuple[MediaFile, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    part: int = 0
    parts: int = 1
    kind: PartKind = "post"


@dataclass(frozen=True, slots=True)
class Draft:
    """A post as a platform judges it before it is scheduled: its texts part by part, its files' facts, its options."""

    texts: tuple[str, ...]
    media: tuple[MediaFile, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    language: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a platform has to say about a draft: a ``code`` of ``posts.publishing.words`` with its parameters.

    As a problem it keeps the post from being scheduled, as a note it is only shown. ``field`` is ``text``, ``media``,
    ``alt_text``, ``post`` or the name of an option.
    """

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)
    field: str = "post"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the credentials belong to. ``id`` is the platform's permanent id, ``name`` what people read."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Connection:
    """The answer to connecting or refreshing: identity, credentials (secret), config (public), and how long it lasts.

    ``expires_at`` is when the access token ends, ``renewable_until`` when it can no longer be refreshed (aware UTC,
    ``None`` where it does not or the platform does not say). ``scopes`` are what was granted.
    """

    identity: Identity
    credentials: Json = field(repr=False)
    config: Json = field(default_factory=dict)
    expires_at: datetime | None = None
    renewable_until: datetime | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A post that is live: the platform's id, its public address ("" if none) and the answer, kept for people.

    ``settled`` is false where the platform has taken the post but still works on it and may yet refuse it: the kit
    then calls ``Platform.settle`` until it is. Nothing is sent again meanwhile.
    """

    id: str
    url: str
    response: Json = field(default_factory=dict)
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """``find`` saw the post live."""

    published: Published


@dataclass(frozen=True, slots=True)
class Absent:
    """``find`` looked where the post would be, and it is not there."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """``find`` has no way to know; ``code`` says why. ``look_again`` if a later look may tell."""

    code: str
    look_again: bool = False


Finding = Found | Absent | CannotTell


@dataclass(frozen=True, slots=True)
class App:
    """What the site's settings say about a platform: its app's id and secret there, and other addresses to call.

    ``settings`` are the platform's own (``Platform.app_settings``), by name. ``site_url`` is this site's address.
    """

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    api_base: str = ""
    auth_base: str = ""
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    site_url: str = ""

    def api(self, default: str) -> str:
        """Return where to call the API that is usually at ``default``, without end slash."""
        return (self.api_base or default).rstrip("/")

    def auth(self, default: str) -> str:
        """Return where people log in and codes are exchanged, usually ``default``, without end slash."""
        return (self.auth_base or default).rstrip("/")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing asked when an account is connected. ``secret`` fields come from a prompt or standard input only."""

    name: str
    label: str
    secret: bool = False
    required: bool = True
    default: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that a person may choose for a post on this platform: visibility, a title, a poll.

    ``choices`` are (value, label); a ``choice`` without ``default`` must be made by the person where ``required``.
    ``counts`` says that its text uses up the limit of the post's. ``maximum`` bounds characters of a text, items of a
    list, or an integer; ``unit`` is how characters are counted.
    A ``list`` is entered one item a line; a ``moment`` is ISO 8601 with an offset.
    """

    name: str
    label: str
    kind: OptionKind = "text"
    choices: Sequence[tuple[str, str]] = ()
    default: Any = ""
    required: bool = False
    maximum: int | None = None
    unit: str = "code_points"
    counts: bool = False
    help: str = ""
