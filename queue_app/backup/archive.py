"""The one file that a backup is: a tar of plain files, whose manifest comes last, so that a truncated one has none.

Owns writing it so that it is there whole or not at all, and reading it as something from outside: nothing is believed
before it was verified, and nothing of it is unpacked by its own name. Knows no database.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from queue_app.backup.manifest import MOST_BYTES, BackupError, Entry, Manifest, from_json

MANIFEST = "manifest.json"
DATABASE = "database"
FILES = "files/"
CHUNK_BYTES = 1 << 20

Progress = Callable[[str], None]


class Writer:
    """An archive that is being written."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, name: str, stream: IO[bytes]) -> Entry:
        """Add what is left of ``stream``, a file that can be sought in, under ``name``."""
        begin = stream.tell()
        size_bytes = stream.seek(0, os.SEEK_END) - begin
        stream.seek(begin)
        counted = _Hashing(stream)
        self._add(name, size_bytes, cast("IO[bytes]", counted))
        return Entry(name, size_bytes, counted.digest.hexdigest())

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest, after which nothing follows."""
        text = manifest.to_json()
        self._add(MANIFEST, len(text), io.BytesIO(text))

    def _add(self, name: str, size_bytes: int, stream: IO[bytes]) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size_bytes, 0o600
        self._tar.addfile(member, stream)


class Reader:
    """An archive whose manifest was read and fits its members; ``verify`` reads the rest."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._members = _members(tar)
        if MANIFEST not in self._members:
            raise BackupError("The backup has no manifest: it is cut off, or no backup at all")
        if self._members[MANIFEST].size > MOST_BYTES:
            raise BackupError("The backup's manifest is too large to be one")
        self.manifest = from_json(self.open(MANIFEST).read())
        named = {entry.name: entry for entry in (self.manifest.database, *self.manifest.files)}
        if self.manifest.database.name != DATABASE or len(named) != len(self.manifest.files) + 1:
            raise BackupError("The backup's manifest names a file twice")
        if set(named) != set(self._members) - {MANIFEST}:
            raise BackupError("The backup does not hold the files that its manifest names")
        for entry in named.values():
            if entry.size_bytes != self._members[entry.name].size:
                raise BackupError(f"{entry.name} in the backup does not have the size that its manifest names")

    def verify(self, progress: Progress) -> None:
        """Read all of it and compare the checksums. Raises BackupError."""
        entries = (self.manifest.database, *self.manifest.files)
        for number, entry in enumerate(entries, start=1):
            self.read(entry, len)
            progress(f"{number} of {len(entries)} files verified")

    def read(self, entry: Entry, take: Callable[[bytes], object]) -> None:
        """Give one of its files to ``take``, by and by. Raises BackupError where the checksum of it is another."""
        hashing = _Hashing(self.open(entry.name))
        while piece := hashing.read(CHUNK_BYTES):
            take(piece)
        if hashing.digest.hexdigest() != entry.sha256:
            raise BackupError(f"{entry.name} in the backup is damaged: its checksum is another")

    def open(self, name: str) -> IO[bytes]:
        """Return one of its files as a stream."""
        stream = self._tar.extractfile(self._members[name])
        assert stream is not None  # noqa: S101 -- only plain files are members
        return stream


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Give a new archive that is at ``path``, for its owner alone, when this ends well; else there is nothing.

    Raises BackupError where there is a file already, and where it cannot be written.
    """
    if path.exists():
        raise BackupError(f"{path} is there already; give another name")
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield Writer(tar)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Give an archive that fits its manifest. Raises BackupError for every other file."""
    if not path.is_file():
        raise BackupError(f"There is no file {path}")
    try:
        with tarfile.open(path, "r:") as tar:
            yield Reader(tar)
    except (tarfile.TarError, EOFError) as error:
        raise BackupError(f"{path} is damaged, cut off or no backup: {error}") from None
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """See that the names in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _members(tar: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """Return the members by name. Links, devices and names that lead elsewhere are refused, whatever they are."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise BackupError(f"{member.name[:80]!r} in the backup is no plain file")
        if member.name not in (MANIFEST, DATABASE) and not _is_file_name(member.name):
            raise BackupError(f"{member.name[:80]!r} in the backup is no name of a backup's file")
        if member.name in members:
            raise BackupError(f"{member.name[:80]!r} is in the backup twice")
        members[member.name] = member
    return members


def _is_file_name(name: str) -> bool:
    below = name.removeprefix(FILES)
    usual = below != name and below.isprintable() and "\\" not in below
    return usual and all(part not in ("", ".", "..") for part in below.split("/"))


class _Hashing:
    """Reads a stream and keeps the SHA-256 of what went by."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        piece = self._stream.read(size)
        self.digest.update(piece)
        return piece
