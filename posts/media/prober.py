"""The only code that looks into a video, and the process that it runs in: ``python -m posts.media.prober FORMAT``.

Reads the video from standard input, a file that can be sought in; answers with a line of JSON on standard output, the
poster behind it, and its exit code. Bounds itself before it reads a byte: from then on nothing can be opened, so a
playlist, or a video that names other files, leads nowhere. Needs PyAV. Knows nothing of Django.
"""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
import sys
from io import BytesIO
from typing import Any

import av
from PIL import Image

from posts.media.decoder import Exit
from posts.media.inspect import MAX_PIXELS
from posts.media.sandbox import limit_ourselves

MEMORY_LIMIT_BYTES = 1 << 30
CPU_LIMIT_SECONDS = 20
POSTER_SIDE_PIXELS = 640
POSTER_QUALITY = 82
# Packets that are looked at for a first picture; one that opens with minutes of sound goes without a poster.
PACKETS_MAX = 2000

_QUARTER_TURNS = (90, 270)


def main() -> Exit:
    """Look into standard input, a video in the format of the first argument; see the module."""
    _import_all()
    limit_ourselves(memory_bytes=MEMORY_LIMIT_BYTES, cpu_seconds=CPU_LIMIT_SECONDS, opens_files=False)
    try:
        facts, poster = _look_into(sys.argv[1])
    except MemoryError:
        return Exit.TOO_DEMANDING
    except Exception as error:  # noqa: BLE001 - a hostile file can make a demuxer raise anything
        sys.stderr.write(ascii(f"{type(error).__name__}: {error}"))
        return Exit.DAMAGED
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n" + poster)
    return Exit.DONE


def _import_all() -> None:
    """Import what PyAV and Pillow would only import when they first need it: then nothing can be opened any more."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    Image.preinit()


def _look_into(container_format: str) -> tuple[dict[str, Any], bytes]:
    """Return what is known of the video, and its first picture as a small JPEG, b"" if it has none that decodes."""
    # The format is that of the file's first bytes: a demuxer of playlists is never asked.
    options = {"protocol_whitelist": "pipe"}
    with av.open(sys.stdin.buffer, "r", format=container_format, options=options) as container:
        if not container.streams.video:
            raise ValueError("it has no picture, only sound")
        video = container.streams.video[0]
        video.thread_type = "NONE"
        width, height = video.width, video.height
        if not 0 < width * height <= MAX_PIXELS:
            raise ValueError("the size of its picture makes no sense")
        sounds = [stream.codec_context.codec.canonical_name for stream in container.streams.audio]
        facts = {
            "codec": video.codec_context.codec.canonical_name,
            "audio_codec": sounds[0] if sounds else "",
            "frames_per_second": _number(video.average_rate or video.base_rate),
            "duration_seconds": _number(container.duration and container.duration / av.time_base),
        }
        frame = _first_frame(container, video)
        if frame is None:
            return {**facts, "width": width, "height": height}, b""
        turns = round(frame.rotation) % 360
        width, height = (height, width) if turns in _QUARTER_TURNS else (width, height)
        return {**facts, "width": width, "height": height}, _poster(frame, turns)


def _first_frame(container: Any, video: Any) -> Any:
    try:
        for number, packet in enumerate(container.demux(video)):
            for frame in packet.decode():
                return frame
            if number >= PACKETS_MAX:
                return None
    except (av.FFmpegError, ValueError):  # facts without a poster are better than no facts
        return None
    return None


def _poster(frame: Any, turns: int) -> bytes:
    scale = min(1.0, POSTER_SIDE_PIXELS / max(frame.width, frame.height))
    size = {"width": max(2, round(frame.width * scale)), "height": max(2, round(frame.height * scale))}
    picture = frame.to_image(**size)
    buffer = BytesIO()
    picture.rotate(turns, expand=True).save(buffer, "JPEG", quality=POSTER_QUALITY)
    return buffer.getvalue()


def _number(value: Any) -> float | None:
    number = float(value) if value else 0.0
    return round(number, 3) if math.isfinite(number) and number > 0 else None


if __name__ == "__main__":
    sys.exit(main())
