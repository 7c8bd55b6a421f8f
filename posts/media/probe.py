"""What is in a video, found out in a process of its own with limits of memory and time, which can open nothing.

Owns how long that may take and what its answers mean. Needs the extra ``video``; without it videos are taken unseen.

    ProbeError
    ├── DamagedVideo       it cannot be read: cut off, or built to do harm
    └── VideoTooDemanding  looking into it needs more memory or time than we give
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from typing import IO, Any

from posts.media.decoder import Exit
from posts.media.inspect import FileRefused, inspect_picture
from posts.media.sandbox import CRASHES, OUT_OF_MEANS, run_apart

TIMEOUT_SECONDS = 30
# The names that FFmpeg gives the formats that we take.
FORMATS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
}

_POSTER_MAX_BYTES = 2_000_000
_CODEC_MAX_CHARACTERS = 40


class ProbeError(Exception):
    """A video that could not be looked into; ``str()`` is a clause for people. ``detail`` is for the log."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.detail = detail
        super().__init__(reason)


class DamagedVideo(ProbeError):
    """The file cannot be read as what it says it is."""


class VideoTooDemanding(ProbeError):
    """Looking into the video went over the limit of memory or time."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What is in a video: pixels as people see them, names of codecs as FFmpeg gives them, "" and ``None`` where it
    does not say. ``poster`` is its first picture as a small JPEG, b"" if there is none."""

    width: int
    height: int
    duration_seconds: float | None
    codec: str
    audio_codec: str
    frames_per_second: float | None
    poster: bytes = b""


def can_probe() -> bool:
    """Say whether videos can be looked into here, which an extra is for."""
    return find_spec("av") is not None


def probe(file: IO[bytes], mime_type: str) -> VideoFacts:
    """Return what is in the video in ``file``, a real file of this machine. Raises ``ProbeError``.

    ``RuntimeError`` or ``OSError`` if the process could not do its work. Takes half a second and a process: never call
    it in a transaction.
    """
    file.seek(0)
    try:
        done = run_apart("posts.media.prober", FORMATS[mime_type], timeout_seconds=TIMEOUT_SECONDS, source=file)
    except subprocess.TimeoutExpired:
        raise VideoTooDemanding("looking into it takes too long") from None
    said = done.stderr.decode(errors="replace")[-500:]
    if done.returncode == Exit.DONE:
        return _checked(done.stdout)
    if done.returncode == Exit.TOO_DEMANDING or -done.returncode in OUT_OF_MEANS:
        raise VideoTooDemanding("looking into it needs too much memory or time", said)
    if done.returncode == Exit.DAMAGED or -done.returncode in CRASHES:
        raise DamagedVideo("it cannot be read as a video: it is cut off or damaged", said)
    raise RuntimeError(f"the process that looks into videos failed with code {done.returncode}: {said}")


def _checked(answer: bytes) -> VideoFacts:
    """Return the answer if it makes sense; a process that a hostile file took over could say anything."""
    line, _, poster = answer.partition(b"\n")
    try:
        facts: dict[str, Any] = json.loads(line)
        return VideoFacts(
            width=_pixels(facts["width"]),
            height=_pixels(facts["height"]),
            duration_seconds=_number(facts["duration_seconds"]),
            codec=str(facts["codec"])[:_CODEC_MAX_CHARACTERS],
            audio_codec=str(facts["audio_codec"])[:_CODEC_MAX_CHARACTERS],
            frames_per_second=_number(facts["frames_per_second"]),
            poster=_poster(poster),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedVideo("it cannot be read as a video: it is cut off or damaged", ascii(str(error))) from error


def _pixels(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value < 100_000:
        raise ValueError("a size that makes no sense")
    return value


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _poster(data: bytes) -> bytes:
    try:
        inspect_picture(BytesIO(data), "poster", max_bytes=_POSTER_MAX_BYTES)
    except FileRefused:
        return b""
    return data
