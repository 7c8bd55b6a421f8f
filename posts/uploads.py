"""Reading an upload's body under a limit: refused by its announced length, else once too many bytes have come.

Nothing of a refused body stays: what was written to a temporary file is deleted at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError

from posts.disk import has_no_room
from posts.media.containers import START_BYTES, VIDEOS, container_type

FORM_ALLOWANCE_BYTES = 100_000  # the form's other fields and the boundaries around the file


class BodyTooLargeError(Exception):
    """The body has, or announces, more than ``max_bytes``: what its files may have."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        super().__init__()


class BodyWithoutRoomError(Exception):
    """The folder for temporary files is full."""


class BodyUnreadableError(Exception):
    """The body broke off, has fewer bytes than it announced, or is no form with a file."""


class _CountingHandler(FileUploadHandler):
    """Counts what really comes, whatever was announced; what is no video has a limit of its own."""

    def __init__(self, request: HttpRequest, max_bytes: int, video_max_bytes: int) -> None:
        super().__init__(request)
        self._limits = {False: max_bytes, True: max(max_bytes, video_max_bytes)}
        self._left = dict(self._limits)
        self._is_video = False
        self.exceeded = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if not start:
            self._is_video = container_type(raw_data[:START_BYTES]) in VIDEOS
        # A video counts as one; anything else counts towards both limits.
        for is_video in (True,) if self._is_video else (True, False):
            self._left[is_video] -= len(raw_data)
            if self._left[is_video] < 0:
                self.exceeded = self._limits[is_video]
                raise StopUpload(connection_reset=True)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers after this one."""


def read_body(request: HttpRequest, *, max_bytes: int, video_max_bytes: int) -> None:
    """Parse the body of ``request``, so that ``request.FILES`` and ``request.POST`` are there.

    Its videos may have ``video_max_bytes`` together, its other files ``max_bytes``; large ones go to the disk as they
    come.

    Must come before anything else reads them. Raises BodyTooLargeError, BodyUnreadableError and
    BodyWithoutRoomError.
    """
    most, announced = max(max_bytes, video_max_bytes), _announced_bytes(request)
    if announced > most + FORM_ALLOWANCE_BYTES:
        raise BodyTooLargeError(most)
    arrived = _counted(request)
    counter = _CountingHandler(request, max_bytes, video_max_bytes)
    request.upload_handlers.insert(0, counter)
    try:
        request.FILES  # noqa: B018 - reading it is what parses the body
    except (MultiPartParserError, UnreadablePostError) as error:
        raise BodyUnreadableError from error
    except OSError as error:
        for handler in request.upload_handlers:
            with suppress(OSError):  # what is still to be written has no room either
                handler.upload_interrupted()
        if has_no_room(error):
            raise BodyWithoutRoomError from error
        raise
    if counter.exceeded:
        raise BodyTooLargeError(counter.exceeded)
    if arrived() < announced:
        raise BodyUnreadableError


def _counted(request: HttpRequest) -> Callable[[], int]:
    """Return what says how many bytes of a form with files have come: where a connection breaks off, servers say that
    the body is at its end."""
    if request.content_type != "multipart/form-data":
        return lambda: _announced_bytes(request)
    taken = 0
    read = request.read

    def counting(*size: int) -> bytes:
        nonlocal taken
        found = read(*size)
        taken += len(found)
        return found

    request.read = counting  # type: ignore[method-assign, assignment]  # the parser reads by it
    return lambda: taken


def _announced_bytes(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
