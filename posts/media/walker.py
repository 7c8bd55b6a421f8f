"""Going through a file part by part: never past its end, never for ever, and never more in memory than one part."""

from __future__ import annotations

import struct
from typing import BinaryIO

PARTS_MAX = 1_000_000  # a GIF of 100 MB has about 800,000; a file of many more is built to keep us busy
PART_MAX_BYTES = 1 << 20  # of what is looked at; pictures themselves are skipped
TAIL_CHUNK_BYTES = 65_536


class BadHeaderError(ValueError):
    """The file is cut off or its header makes no sense; ``str()`` is a clause for people ("it ends early")."""


class Walker:
    """A position in a file, and how many parts were passed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size_bytes = file.seek(0, 2)
        self.position = 0
        self._parts = 0

    def at_end(self) -> bool:
        """Say whether nothing is left."""
        return self.position >= self.size_bytes

    def take(self, length: int) -> bytes:
        """Return the next bytes."""
        if length > PART_MAX_BYTES:
            raise BadHeaderError("its header is damaged")
        self._advance(length)
        self._file.seek(self.position - length)
        return self._file.read(length)

    def skip(self, length: int) -> None:
        """Pass over bytes without reading them."""
        self._advance(length)

    def unpack(self, layout: str) -> tuple[int, ...]:
        """Return the next bytes by a layout of ``struct``."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def has_ahead(self, needle: bytes) -> bool:
        """Whether ``needle`` (two bytes) stands after the position; looks from the end, where it should be."""
        end = self.size_bytes
        while end > self.position:
            begin = max(self.position, end - TAIL_CHUNK_BYTES)
            self._file.seek(begin)
            if needle in self._file.read(end - begin + 1):
                return True
            end = begin
        return False

    def _advance(self, length: int) -> None:
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise BadHeaderError("it has too many parts")
        self.position += length
        if self.position > self.size_bytes:
            raise BadHeaderError("it ends early")
