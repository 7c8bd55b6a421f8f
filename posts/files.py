"""Sending stored files to a browser or a network so that a file can be nothing but what it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from django.core.files.base import File
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

CHUNK_BYTES = 1 << 16

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def inline_file(file: File[bytes], mime_type: str) -> FileResponse:
    """Return ``file`` to be shown, of exactly this type; even opened by itself it runs nothing and loads nothing."""
    response = FileResponse(file, content_type=mime_type, filename="picture")
    _harmless(response)
    return response


def ranged_file(
    request: HttpRequest, opener: Callable[[], BinaryIO], *, size_bytes: int, mime_type: str, in_parts: bool = True
) -> HttpResponseBase:
    """Return a file, or, with ``in_parts``, the part of it that ``request`` asks for (RFC 9110, 14); in pieces.

    Several parts at once, and a part of a file that may have changed (If-Range), are answered with the whole.
    """
    begin, end = 0, size_bytes
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    is_part = in_parts and asked is not None and asked[0] != "bytes=-" and "If-Range" not in request.headers
    if asked is not None and is_part:
        begin, end = _bounds(asked[1], asked[2], size_bytes)
        if begin >= end:
            refused = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size_bytes}"})
            _harmless(refused)
            return refused
    status, length = (206 if is_part else 200), end - begin
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse(status=status, content_type=mime_type)
    else:
        response = StreamingHttpResponse(_Pieces(opener(), begin, length), status=status, content_type=mime_type)
    response["Content-Length"] = str(length)
    response["Accept-Ranges"] = "bytes" if in_parts else "none"
    if is_part:
        response["Content-Range"] = f"bytes {begin}-{end - 1}/{size_bytes}"
    _harmless(response)
    return response


def _bounds(first: str, last: str, size_bytes: int) -> tuple[int, int]:
    """Return begin and end of ``first-last``; of the last so many bytes where there is no first."""
    if not first:
        return max(0, size_bytes - int(last)), size_bytes
    return int(first), min(size_bytes, int(last) + 1 if last else size_bytes)


class _Pieces:
    """A part of a stream, which is closed with the response even if nobody has read it."""

    def __init__(self, stream: BinaryIO, begin: int, length: int) -> None:
        self._stream, self._left = stream, length
        stream.seek(begin)

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (piece := self._stream.read(min(CHUNK_BYTES, self._left))):
            self._left -= len(piece)
            yield piece

    def close(self) -> None:
        self._stream.close()


def _harmless(response: HttpResponseBase) -> None:
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, max-age=3600"
