"""Files between the site and its storage, which may be a folder or an object store.

Owns writing under random names, and reading so that a caller may seek. Only what every storage of Django has is used;
an object store's file is copied to this machine once for as long as it is read.
"""

from __future__ import annotations

import io
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.translation import gettext

from posts.disk import has_no_room
from posts.models import Media, MediaVariant
from posts.services.errors import NoRoom

# What a folder must have room for to be called fit; a block of most file systems.
PROBE_BYTES = 4096


def write_file(row: Media | MediaVariant, content: File[bytes]) -> None:
    """Store ``content`` under a new random name as the file of ``row``; what was written of it goes if that fails.

    Raises NoRoom where the disk is full.
    """
    storage = row.file.storage
    name = row.file.field.generate_filename(row, "")
    try:
        stored = storage.save(name, content)
    except BaseException as error:
        with suppress(OSError):
            storage.delete(name)
        if has_no_room(error):
            raise NoRoom(str(row if isinstance(row, Media) else row.media)) from None
        raise
    row.file = stored


def opener_of(row: Media | MediaVariant) -> Callable[[], BinaryIO]:
    """Return what opens the file of ``row`` anew each time, as a stream that can be sought in.

    A storage elsewhere is asked once, when it is first opened; the copy goes with the function.
    """
    storage, name = row.file.storage, row.file.name or ""
    if is_on_this_machine(row):
        return lambda: cast("BinaryIO", storage.open(name, "rb").file)
    return _LocalCopy(storage, name).open


def is_on_this_machine(row: Media | MediaVariant) -> bool:
    """Say whether the file of ``row`` lies in a folder, so that reading a part of it costs no more than that."""
    try:
        row.file.storage.path(row.file.name or "")
    except NotImplementedError:
        return False
    return True


@contextmanager
def as_local_file(file: File[bytes]) -> Iterator[IO[bytes]]:
    """Give an upload as a file of this machine with a position of its own, for a process that seeks in it."""
    path = getattr(file, "temporary_file_path", None)
    if path is not None:
        with Path(path()).open("rb") as opened:
            yield opened
        return
    with tempfile.TemporaryFile() as copy:
        for chunk in file.chunks():
            copy.write(chunk)
        copy.flush()
        yield copy


def folder_problems() -> Iterator[str]:
    """Yield in words why no file could be stored now, if they lie in a folder of this machine."""
    storage = Media._meta.get_field("file").storage
    if not isinstance(storage, FileSystemStorage):
        return
    try:
        if not Path(storage.location).is_dir():
            return  # made with the first upload
        with tempfile.TemporaryFile(dir=storage.location) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        why = (
            gettext("its disk is full; make room")
            if has_no_room(error)
            else gettext("%(strerror)s; see that it can be") % {"strerror": error.strerror}
        )
        yield gettext("The media folder, %(location)s, cannot be written: %(why)s") % {
            "location": storage.location,
            "why": why,
        }


class _LocalCopy:
    """A file of a storage elsewhere, fetched when it is first read. It has no name, so it goes with the process."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage, self._name = storage, name
        self._copy: IO[bytes] | None = None

    def open(self) -> BinaryIO:
        """Return a stream with a position of its own."""
        if self._copy is None:
            copy = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this
            with self._storage.open(self._name, "rb") as source:
                for chunk in source.chunks():
                    copy.write(chunk)
            copy.flush()
            weakref.finalize(self, copy.close)
            self._copy = copy
        return io.BufferedReader(_Reader(self, self._copy))


class _Reader(io.RawIOBase):
    """Reads a file that others read too, without moving their position."""

    def __init__(self, owner: _LocalCopy, file: IO[bytes]) -> None:
        self._owner = owner  # who would close the file if nobody held it
        self._file = file
        self._size_bytes = os.fstat(file.fileno()).st_size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size_bytes}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._file.fileno(), len(buffer), self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
