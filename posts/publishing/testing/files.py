"""Files to publish in tests: small pictures, films whose bytes tell their pieces apart, and one that counts reading."""

from __future__ import annotations

import io
import random
import threading
from dataclasses import replace
from typing import BinaryIO

from PIL import Image

from posts.publishing.types import MediaFile


def picture(key: str = "p1", width: int = 8, height: int = 6, alt_text: str = "A red field") -> MediaFile:
    """Return a JPEG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "JPEG")
    body = buffer.getvalue()
    return MediaFile(key, f"{key}.jpg", "image/jpeg", width, height, len(body), alt_text, lambda: io.BytesIO(body))


def video(key: str = "v1", size_bytes: int = 4096, mime_type: str = "video/mp4", seconds: float = 5) -> MediaFile:
    """A file that is a video to whoever asks for its facts; its bytes tell its pieces apart."""
    body = (bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes]
    return MediaFile(
        key, f"{key}.mp4", mime_type, 640, 360, size_bytes, "A short film", lambda: io.BytesIO(body), "video", seconds
    )


def marked_picture(key: str, number: int) -> tuple[MediaFile, bytes]:
    """Return a picture like no other, and a run of bytes by which it is known on the wire."""
    noise = random.Random(number).randbytes(24 * 18 * 3)  # noqa: S311 - any noise does
    buffer = io.BytesIO()
    Image.frombytes("RGB", (24, 18), noise).save(buffer, "JPEG")
    body = buffer.getvalue()
    media = MediaFile(key, f"{key}.jpg", "image/jpeg", 24, 18, len(body), "Noise", lambda: io.BytesIO(body))
    return media, body[-64:]


class ReadCount:
    """How a file was read by the thread that made this: ``largest`` is the most bytes that one read gave."""

    def __init__(self, media: MediaFile) -> None:
        self.largest = 0
        self._thread = threading.get_ident()
        body = media.read()
        self.media = replace(media, open=lambda: self._open(body))

    def _open(self, body: bytes) -> BinaryIO:
        return _CountedStream(body, self)

    def note(self, size_bytes: int) -> None:
        """Count one read; a fake that fetches the file does it in a thread of its own."""
        if threading.get_ident() == self._thread:
            self.largest = max(self.largest, size_bytes)


class _CountedStream(io.BytesIO):
    def __init__(self, body: bytes, count: ReadCount) -> None:
        super().__init__(body)
        self._count = count

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self._count.note(len(piece))
        return piece
