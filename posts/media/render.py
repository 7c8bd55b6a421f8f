"""Renders a picture by a plan, in a process of its own with a memory limit.

Owns how long that process may take and what its answers mean. Decodes nothing here, so that a hostile picture can take
down neither a web process nor a worker.

    RenderError
    ├── DamagedPicture   it cannot be decoded: cut off, or built to do harm
    ├── TooDemanding     decoding needs more memory or time than we give
    └── DoesNotFit       too many bytes, even in the smallest size and quality
"""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import asdict
from io import BytesIO

from posts.media.decoder import MEMORY_LIMIT_BYTES, Exit
from posts.media.inspect import FileRefused, inspect_picture
from posts.media.plan import RenderSpec
from posts.media.sandbox import CRASHES, OUT_OF_MEANS, run_apart

TIMEOUT_SECONDS = 60


class RenderError(Exception):
    """A picture that could not be rendered; ``str()`` says why and what to do. Trying again does not help."""


class DamagedPicture(RenderError):
    """The picture cannot be decoded. ``detail`` is the decoder's word, for the log."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(
            "The picture cannot be decoded: the file is cut off or damaged. Export it again and replace it."
        )


class TooDemanding(RenderError):
    """Decoding went over the limit of memory or time."""

    def __init__(self) -> None:
        super().__init__(
            f"Decoding the picture needs more than {MEMORY_LIMIT_BYTES >> 20} MiB of memory or {TIMEOUT_SECONDS} "
            "seconds. Make it smaller and replace it."
        )


class DoesNotFit(RenderError):
    """No size of the plan has at most ``max_bytes``."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        super().__init__(
            f"The picture cannot be made to fit {max_bytes:,} bytes, not even at its smallest size. "
            "Use a simpler picture."
        )


def render(source: bytes, spec: RenderSpec) -> bytes:
    """Return ``source`` rendered by ``spec``: turned, in sRGB, without metadata, of at most ``spec.max_bytes``.

    The rendering may be of one of the ``spec.smaller`` sizes; ``inspect_picture`` tells which. Raises ``RenderError``,
    and ``RuntimeError`` or ``OSError`` if the process could not do its work (a signal from outside, no memory for it):
    that is not the picture's fault. Takes a moment and a process: never call it in a web request or a transaction.
    """
    try:
        done = run_apart(
            "posts.media.decoder", json.dumps(asdict(spec)), timeout_seconds=TIMEOUT_SECONDS, source=source
        )
    except subprocess.TimeoutExpired:
        raise TooDemanding from None
    if done.returncode == Exit.DONE:
        return _checked(done.stdout, spec)
    raise _error(done.returncode, done.stderr.decode(errors="replace"), spec)


def _checked(rendering: bytes, spec: RenderSpec) -> bytes:
    """Return ``rendering`` if it is what was ordered; a decoder that a hostile file took over could say anything."""
    try:
        picture = inspect_picture(BytesIO(rendering), "rendering", max_bytes=spec.max_bytes)
    except FileRefused as error:
        raise DamagedPicture(str(error)) from error
    if picture.mime_type != spec.format or (picture.width, picture.height) not in spec.sizes:
        raise DamagedPicture("the decoder answered with another picture than was ordered")
    return rendering


def _error(returncode: int, said: str, spec: RenderSpec) -> Exception:
    if returncode == Exit.DOES_NOT_FIT:
        return DoesNotFit(spec.max_bytes)
    if returncode == Exit.TOO_DEMANDING or -returncode in OUT_OF_MEANS:
        return TooDemanding()
    if returncode == Exit.DAMAGED:
        return DamagedPicture(said)
    if -returncode in CRASHES:
        return DamagedPicture(f"the decoder crashed with {signal.Signals(-returncode).name}")
    return RuntimeError(f"the decoder process failed with code {returncode}: {said[-500:]}")
