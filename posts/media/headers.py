"""What the header of a JPEG, PNG, GIF, WebP or HEIC file says, read without decoding a pixel.

Owns the byte layout of these formats, as far as size, turning, transparency and movement go, and that the file does
not end early; that of HEIC is in ``heic``. It unpacks nothing, so a hostile file costs no more than a walk over its
parts. Judges nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from posts.media.heic import heic_size, is_heic
from posts.media.walker import BadHeaderError, Walker

__all__ = ["BadHeaderError", "Header", "read_header"]

EXIF_MAX_BYTES = 65_536

_ORIENTATION_TAG = 0x0112
_JPEG_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_EXIF, _JPEG_SOS, _JPEG_EOI = 0xE1, 0xDA, 0xD9
_JPEG_WITHOUT_SEGMENT = (0x01, *range(0xD0, 0xD9))
_PNG_BIT_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PNG_COLOUR_TYPES_WITH_ALPHA = (4, 6)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file claims. ``width`` and ``height`` are as stored; ``orientation`` is EXIF's, 1 to 8.

    ``frames`` and ``duration_seconds`` (of one round) are those of a picture that moves.
    """

    mime_type: str
    width: int
    height: int
    orientation: int = 1
    has_alpha: bool = False
    frames: int = 1
    duration_seconds: float = 0.0

    @property
    def is_animated(self) -> bool:
        """Whether the picture moves."""
        return self.frames > 1


def read_header(file: BinaryIO) -> Header | None:
    """Return what the header of ``file`` says, or ``None`` if it is none of these formats.

    ``file`` is seekable; its position changes. Raises ``BadHeaderError``.
    """
    file.seek(0)
    start = file.read(12)
    if is_heic(start):
        return Header("image/heic", *heic_size(Walker(file)))
    for signature, reader in _READERS.items():
        if start.startswith(signature) and (signature != b"RIFF" or start[8:] == b"WEBP"):
            header = reader(Walker(file))
            if header.width < 1 or header.height < 1:
                raise BadHeaderError("its header gives it no width or no height")
            return header
    return None


def _jpeg(walker: Walker) -> Header:
    """Walk the segments up to the picture's data; then only see that the end mark is there."""
    walker.skip(2)
    size: tuple[int, int] | None = None
    orientation = 1
    while (marker := _jpeg_marker(walker)) != _JPEG_SOS:
        segment = _jpeg_segment(walker)
        if marker in _JPEG_SOF:
            if len(segment) < 6 or size is not None:
                raise BadHeaderError("its header is damaged")
            size = int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big")
        elif marker == _JPEG_EXIF and segment.startswith(b"Exif\0\0"):
            orientation = _orientation(segment)
    if size is None:
        raise BadHeaderError("its header does not give its size")
    if not walker.has_ahead(bytes((0xFF, _JPEG_EOI))):
        raise BadHeaderError("it ends early")
    return Header("image/jpeg", *size, orientation)


def _jpeg_marker(walker: Walker) -> int:
    """Return the next marker that has a segment; any number of fill bytes may stand before one."""
    marker: int = _JPEG_WITHOUT_SEGMENT[0]
    while marker in _JPEG_WITHOUT_SEGMENT:
        if walker.take(1) != b"\xff":
            raise BadHeaderError("its header is damaged")
        while (marker := walker.take(1)[0]) == 0xFF:
            pass
    if marker == _JPEG_EOI:
        raise BadHeaderError("it has no picture data")
    return marker


def _jpeg_segment(walker: Walker) -> bytes:
    length = walker.unpack(">H")[0]
    if length < 2:
        raise BadHeaderError("its header is damaged")
    return walker.take(length - 2)


def _png(walker: Walker) -> Header:
    walker.skip(8)
    length, kind = walker.take(4), walker.take(4)
    if length != b"\0\0\0\x0d" or kind != b"IHDR":
        raise BadHeaderError("its header is damaged")
    body, checksum = walker.take(13), walker.unpack(">I")[0]
    width, height, bit_depth, colour_type = struct.unpack(">IIBB", body[:10])
    if zlib.crc32(kind + body) != checksum or bit_depth not in _PNG_BIT_DEPTHS.get(colour_type, ()):
        raise BadHeaderError("its header is damaged")
    has_alpha, orientation, has_data = colour_type in _PNG_COLOUR_TYPES_WITH_ALPHA, 1, False
    frames, seconds = 1, 0.0
    while kind != b"IEND":
        chunk_bytes = walker.unpack(">I")[0]
        kind = walker.take(4)
        if kind == b"eXIf" and chunk_bytes <= EXIF_MAX_BYTES:
            orientation = _orientation(walker.take(chunk_bytes))
        elif kind == b"acTL" and chunk_bytes == 8:
            frames = walker.unpack(">II")[0]
        elif kind == b"fcTL" and chunk_bytes == 26:
            delay, hundredths = struct.unpack_from(">HH", walker.take(26), 20)
            seconds += delay / (hundredths or 100)
        else:
            walker.skip(chunk_bytes)
        walker.skip(4)
        has_alpha |= kind == b"tRNS"
        has_data |= kind == b"IDAT"
    if not has_data:
        raise BadHeaderError("it has no picture data")
    return Header("image/png", width, height, orientation, has_alpha, frames, seconds)


def _gif(walker: Walker) -> Header:
    """Walk the blocks of all pictures. A missing end mark is common and harmless."""
    walker.skip(6)
    width, height, flags = walker.unpack("<HHB")
    walker.skip(2 + _gif_palette_bytes(flags))
    pictures, has_alpha, seconds = 0, False, 0.0
    while not (pictures and walker.at_end()):
        block = walker.take(1)
        if block == b";":
            break
        if block == b"!":
            label = walker.take(1)
            if label == b"\xf9":
                walker.skip(1)
                flags, hundredths = walker.unpack("<BH")
                has_alpha |= bool(flags & 1)
                seconds += hundredths / 100
                walker.skip(1)
        elif block == b",":
            left, top, frame_width, frame_height, frame_flags = walker.unpack("<HHHHB")
            # Decoders let a first picture that reaches over the canvas enlarge it.
            width, height = max(width, left + frame_width), max(height, top + frame_height)
            walker.skip(_gif_palette_bytes(frame_flags) + 1)
            pictures += 1
        else:
            raise BadHeaderError("its header is damaged")
        while sub_block_bytes := walker.take(1)[0]:
            walker.skip(sub_block_bytes)
    if not pictures:
        raise BadHeaderError("it has no picture data")
    return Header("image/gif", width, height, 1, has_alpha, pictures, seconds)


def _gif_palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(walker: Walker) -> Header:
    walker.skip(4)
    end = walker.unpack("<I")[0] + 8
    if end > walker.size_bytes:
        raise BadHeaderError("it ends early")
    walker.skip(4)
    canvas: tuple[int, int] | None = None
    picture: tuple[int, int] | None = None
    orientation, has_alpha, frames, seconds = 1, False, 0, 0.0
    while walker.position + 8 <= end:
        kind, length = walker.take(4), walker.unpack("<I")[0]
        body_at = walker.position
        if kind == b"VP8X":
            flags, width, height = _webp_canvas(walker.take(10))
            canvas, has_alpha = (width, height), bool(flags & 0x10)
        elif kind == b"VP8 " and picture is None:
            picture = _webp_lossy(walker.take(10))
        elif kind == b"VP8L" and picture is None:
            width, height, alpha = _webp_lossless(walker.take(5))
            picture, has_alpha = (width, height), has_alpha or alpha
        elif kind == b"EXIF" and length <= EXIF_MAX_BYTES:
            orientation = _orientation(walker.take(length))
        elif kind == b"ANMF":
            frames += 1
            seconds += int.from_bytes(walker.take(16)[12:15], "little") / 1000
        walker.skip(body_at + length + length % 2 - walker.position)
    size = canvas or picture
    if size is None or (picture is None and not frames):
        raise BadHeaderError("it has no picture data")
    return Header("image/webp", *size, orientation, has_alpha, max(1, frames), seconds)


def _webp_canvas(body: bytes) -> tuple[int, int, int]:
    return body[0], 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")


def _webp_lossy(body: bytes) -> tuple[int, int]:
    if body[3:6] != b"\x9d\x01\x2a":
        raise BadHeaderError("its header is damaged")
    width, height = struct.unpack("<HH", body[6:])
    return width & 0x3FFF, height & 0x3FFF


def _webp_lossless(body: bytes) -> tuple[int, int, bool]:
    if body[0] != 0x2F:
        raise BadHeaderError("its header is damaged")
    bits = int.from_bytes(body[1:], "little")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1)


def _orientation(exif: bytes) -> int:
    """Return EXIF's orientation, 1 where it is missing or makes no sense: the picture itself may be fine."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory_at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory_at)
        for index in range(entries):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, directory_at + 2 + 12 * index)
            if tag == _ORIENTATION_TAG:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:  # the directory reaches past the end
        return 1
    return 1


_READERS: Mapping[bytes, Callable[[Walker], Header]] = {
    b"\xff\xd8\xff": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"GIF87a": _gif,
    b"GIF89a": _gif,
    b"RIFF": _webp,
}
