"""What a backup says about itself. Owns the format of ``manifest.json``; reads it as something from outside.

It never holds a key, only what other apps give as their facts (``parts``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

FORMAT = 1
MOST_BYTES = 256 * 1024 * 1024
SHA256_DIGITS = 64


class BackupError(Exception):
    """A backup cannot be made, read or restored; ``str()`` is one line for people."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file inside a backup, by its name there, with its size and SHA-256 (hex)."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. ``counts`` are rows by table, ``migrations`` the applied ones as (app, name).

    ``plain_bytes`` is the size of the database once unpacked. ``elsewhere`` is how many files lie in a storage that is
    no folder and are not in here, ``absent`` how many the database names that nobody has any more.
    """

    version: str
    created_at: datetime
    vendor: str
    server: str
    database: Entry
    plain_bytes: int
    migrations: tuple[tuple[str, str], ...]
    counts: Mapping[str, int]
    files: tuple[Entry, ...]
    elsewhere: int = 0
    absent: int = 0
    with_media: bool = True
    parts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return it as it stands in the archive."""
        said = {"format": FORMAT, **asdict(self), "created_at": self.created_at.isoformat()}
        return json.dumps(said, indent=1).encode()


def from_json(text: bytes) -> Manifest:
    """Return the manifest that ``text`` is. Raises BackupError, also for one of a later format."""
    try:
        said = json.loads(text)
        found = said.get("format") if isinstance(said, dict) else None
        if found != FORMAT:
            raise BackupError(f"The backup has the format {str(found)[:20]}; this version reads {FORMAT}")
        return _manifest(said)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BackupError(f"The backup's manifest is damaged ({type(error).__name__})") from None


def _manifest(said: dict[str, Any]) -> Manifest:
    created_at = datetime.fromisoformat(_of(str, said["created_at"]))
    if created_at.tzinfo is None:
        raise ValueError("no time zone")
    return Manifest(
        version=_of(str, said["version"]),
        created_at=created_at,
        vendor=_of(str, said["vendor"]),
        server=_of(str, said["server"]),
        database=_entry(said["database"]),
        plain_bytes=_number(said["plain_bytes"]),
        migrations=tuple((_of(str, app), _of(str, name)) for app, name in _of(list, said["migrations"])),
        counts={name: _number(count) for name, count in _of(dict, said["counts"]).items()},
        files=tuple(_entry(each) for each in _of(list, said["files"])),
        elsewhere=_number(said["elsewhere"]),
        absent=_number(said["absent"]),
        with_media=_of(bool, said["with_media"]),
        parts=_of(dict, said["parts"]),
    )


def _entry(said: Any) -> Entry:
    entry = Entry(_of(str, said["name"]), _number(said["size_bytes"]), _of(str, said["sha256"]))
    if len(entry.sha256) != SHA256_DIGITS:
        raise ValueError("no SHA-256")
    return entry


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"not a {kind.__name__}")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no number")
    return value
