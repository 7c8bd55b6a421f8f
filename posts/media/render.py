"""Renders a picture by a plan, in a process of its own with a memory limit.

Owns that process: what it is given, how long it may take, what its answers mean. Decodes nothing here, so that a
hostile picture can take down neither a web process nor a worker. The process is a fresh Python, not a fork: safe
beside threads and open database connections, and in daemonic workers, which may not have children by multiprocessing.

    RenderError
    ├── DamagedPicture   it cannot be decoded: cut off, or built to do harm
    ├── TooDemanding     decoding needs more memory or time than we give
    └── DoesNotFit       too many bytes, even in the smallest size and quality
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from io import BytesIO

from posts.media.decoder import MEMORY_LIMIT_BYTES, Exit
from posts.media.inspect import PictureRefused, inspect_picture
from posts.media.plan import RenderSpec

TIMEOUT_SECONDS = 60

_OUT_OF_MEANS = {signal.SIGKILL, signal.SIGXCPU}  # the kernel's answer to too much memory, too much time
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}


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
    command = [sys.executable, "-P", "-W", "ignore", "-m", "posts.media.decoder", json.dumps(asdict(spec))]
    # Nothing of our environment goes along: it holds secrets and the process reads files from strangers.
    environment = {"PYTHONPATH": os.pathsep.join(entry or os.curdir for entry in sys.path)}
    try:
        done = subprocess.run(  # noqa: S603 - our own Python and module; the spec is ours, the source goes by stdin
            command, input=source, capture_output=True, env=environment, timeout=TIMEOUT_SECONDS, check=False
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
    except PictureRefused as error:
        raise DamagedPicture(str(error)) from error
    if picture.mime_type != spec.format or (picture.width, picture.height) not in spec.sizes:
        raise DamagedPicture("the decoder answered with another picture than was ordered")
    return rendering


def _error(returncode: int, said: str, spec: RenderSpec) -> Exception:
    if returncode == Exit.DOES_NOT_FIT:
        return DoesNotFit(spec.max_bytes)
    if returncode == Exit.TOO_DEMANDING or -returncode in _OUT_OF_MEANS:
        return TooDemanding()
    if returncode == Exit.DAMAGED:
        return DamagedPicture(said)
    if -returncode in _CRASHES:
        return DamagedPicture(f"the decoder crashed with {signal.Signals(-returncode).name}")
    return RuntimeError(f"the decoder process failed with code {returncode}: {said[-500:]}")
