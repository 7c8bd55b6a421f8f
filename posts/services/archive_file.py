"""The file of an archive: a zip of records, one JSON object a line, and of files by their SHA-256.

Owns the format, and reading it as something from outside: bounded, every value checked (``archive_shapes``) before
anybody uses it.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from django.utils.translation import gettext

from posts.services.archive_shapes import SHAPES, shaped
from posts.services.errors import Refused

FORMAT = 1
HEADER = "archive.json"
KINDS = ("accounts", "media", "recurrences", "posts")
MOST_LINE_BYTES = 4_000_000
MOST_BYTES = 1_000_000_000


class ArchiveRefused(Refused):
    """The file is no archive that can be imported; ``str()`` says what is wrong where."""


class Archive:
    """An archive that was opened."""

    def __init__(self, zipped: zipfile.ZipFile) -> None:
        self._zip = zipped
        self._streams: list[IO[bytes]] = []
        names = zipped.namelist()
        if len(names) != len(set(names)):
            raise ArchiveRefused(gettext("The archive has a file twice"))
        if not {HEADER, *map(records_name, KINDS)} <= set(names):
            raise ArchiveRefused(gettext("The file is no archive of SocialQ"))
        if zipped.getinfo(HEADER).file_size > MOST_LINE_BYTES:
            raise ArchiveRefused(gettext("%(name)s in the archive is too large") % {"name": HEADER})
        try:
            header = _parsed(zipped.read(HEADER))
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ArchiveRefused(gettext("The archive is of a format that this version does not read"))

    def records(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the records of ``kind``, each value checked and in its own type. Raises ArchiveRefused."""
        for number, line in enumerate(self._lines(records_name(kind)), start=1):
            try:
                yield shaped(SHAPES[kind], _parsed(line))
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                words = {"name": records_name(kind), "number": number, "error": error}
                raise ArchiveRefused(gettext("%(name)s, line %(number)s: %(error)s") % words) from None

    def has_file(self, sha256: str) -> bool:
        """Say whether the file with this checksum is in the archive."""
        return file_name(sha256) in self._zip.NameToInfo

    @contextmanager
    def file(self, sha256: str, *, most_bytes: int) -> Iterator[IO[bytes]]:
        """Give a file as a stream. Raises ArchiveRefused for one that is packed, or larger than can be uploaded."""
        found = self._zip.getinfo(file_name(sha256))
        if found.compress_type != zipfile.ZIP_STORED or found.file_size != found.compress_size:
            raise ArchiveRefused(gettext("The file %(name)s in the archive is packed") % {"name": found.filename})
        if found.file_size > most_bytes:
            raise ArchiveRefused(
                gettext("The file %(name)s in the archive is larger than can be uploaded") % {"name": found.filename}
            )
        with _translated(), self._zip.open(found) as stream:
            yield stream

    def close(self) -> None:
        """Close what is still being read: whoever met an error has not read to the end."""
        for stream in self._streams:
            stream.close()

    def _lines(self, name: str) -> Iterator[bytes]:
        if self._zip.getinfo(name).file_size > MOST_BYTES:
            raise ArchiveRefused(gettext("%(name)s in the archive is too large") % {"name": name})
        with _translated(), self._zip.open(name) as stream:
            self._streams.append(stream)
            while line := stream.readline(MOST_LINE_BYTES + 1):
                if len(line) > MOST_LINE_BYTES:
                    raise ArchiveRefused(
                        gettext("%(name)s in the archive has a line that is too long") % {"name": name}
                    )
                yield line


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Give the archive at ``path``. Raises ArchiveRefused."""
    with _translated(), zipfile.ZipFile(path) as zipped, closing(Archive(zipped)) as archive:
        yield archive


def records_name(kind: str) -> str:
    """Return the name of the records of ``kind`` in an archive."""
    return f"{kind}.jsonl"


def file_name(sha256: str) -> str:
    """Return the name of a file in an archive."""
    return f"files/{sha256}"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        if isinstance(error, RecursionError):
            raise
        raise ArchiveRefused(gettext("The archive is damaged or no archive: %(error)s") % {"error": error}) from None


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line, parse_constant=_no_number)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(gettext("this is no JSON")) from None


def _no_number(word: str) -> None:
    raise ValueError(gettext("%(word)s is no number") % {"word": word})
