"""Films for tests, encoded here: short ones, and ones that are as large as asked."""

from __future__ import annotations

import struct
from pathlib import Path

import av

FRAMES, FRAMES_PER_SECOND = 120, 30


def film(path: Path, *, size_bytes: int = 0, width: int = 640, height: int = 360) -> Path:
    """Write a film of four seconds in H.264; ``size_bytes`` makes it that large, with a box that players skip."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number * 2]) * plane.buffer_size)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    left = size_bytes - path.stat().st_size
    if left > 8:
        with path.open("ab") as file:
            file.write(struct.pack(">I4s", left, b"free"))
            file.truncate(size_bytes)
    return path
