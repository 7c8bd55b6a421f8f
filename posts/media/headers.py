"""What the header of a JPEG, PNG, GIF or WebP file says, read without decoding a pixel.

Owns the byte layout of the four formats, as far as size, turning, transparency and movement go, and that the file
does not end early. It unpacks nothing, so a hostile file costs no more than a walk over its parts. Judges nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

PARTS_MAX = 300_000  # a 50 MB GIF has about 200,000; a file of many more is built to keep us busy
EXIF_MAX_BYTES = 65_536
TAIL_CHUNK_BYTES = 65_536

_ORIENTATION_TAG = 0x0112
_JPEG_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_EXIF, _JPEG_SOS, _JPEG_EOI = 0xE1, 0xDA, 0xD9
_JPEG_WITHOUT_SEGMENT = (0x01, *range(0xD0, 0xD9))
_PNG_BIT_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PNG_COLOUR_TYPES_WITH_ALPHA = (4, 6)


class BadHeaderError(ValueError):
    """The file is cut off or its header makes no sense; ``str()`` is a clause for people ("it ends early")."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file claims. ``width`` and ``height`` are as stored; ``orientation`` is EXIF's, 1 to 8."""

    mime_type: str
    width: int
    height: int
    orientation: int = 1
    has_alpha: bool = False
    is_animated: bool = False


def read_header(file: BinaryIO) -> Header | None:
    """Return what the header of ``file`` says, or ``None`` if it is none of the four formats.

    ``file`` is seekable; its position changes. Raises ``BadHeaderError``.
    """
    file.seek(0)
    start = file.read(12)
    for signature, reader in _READERS.items():
        if start.startswith(signature) and (signature != b"RIFF" or start[8:] == b"WEBP"):
            header = reader(_Walker(file))
            if header.width < 1 or header.height < 1:
                raise BadHeaderError("its header gives it no width or no height")
            return header
    return None


class _Walker:
    """Goes through a file part by part, never past its end and never for ever."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size_bytes = file.seek(0, 2)
        self.position = 0
        self._parts = 0

    def at_end(self) -> bool:
        return self.position >= self.size_bytes

    def take(self, length: int) -> bytes:
        self._advance(length)
        self._file.seek(self.position - length)
        return self._file.read(length)

    def skip(self, length: int) -> None:
        self._advance(length)

    def unpack(self, layout: str) -> tuple[int, ...]:
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


def _jpeg(walker: _Walker) -> Header:
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


def _jpeg_marker(walker: _Walker) -> int:
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


def _jpeg_segment(walker: _Walker) -> bytes:
    length = walker.unpack(">H")[0]
    if length < 2:
        raise BadHeaderError("its header is damaged")
    return walker.take(length - 2)


def _png(walker: _Walker) -> Header:
    walker.skip(8)
    length, kind = walker.take(4), walker.take(4)
    if length != b"\0\0\0\x0d" or kind != b"IHDR":
        raise BadHeaderError("its header is damaged")
    body, checksum = walker.take(13), walker.unpack(">I")[0]
    width, height, bit_depth, colour_type = struct.unpack(">IIBB", body[:10])
    if zlib.crc32(kind + body) != checksum or bit_depth not in _PNG_BIT_DEPTHS.get(colour_type, ()):
        raise BadHeaderError("its header is damaged")
    has_alpha, orientation, is_animated, has_data = colour_type in _PNG_COLOUR_TYPES_WITH_ALPHA, 1, False, False
    while kind != b"IEND":
        chunk_bytes = walker.unpack(">I")[0]
        kind = walker.take(4)
        if kind == b"eXIf" and chunk_bytes <= EXIF_MAX_BYTES:
            orientation = _orientation(walker.take(chunk_bytes))
        else:
            walker.skip(chunk_bytes)
        walker.skip(4)
        has_alpha |= kind == b"tRNS"
        is_animated |= kind == b"acTL"
        has_data |= kind == b"IDAT"
    if not has_data:
        raise BadHeaderError("it has no picture data")
    return Header("image/png", width, height, orientation, has_alpha, is_animated)


def _gif(walker: _Walker) -> Header:
    """Walk the blocks up to a second picture. A missing end mark is common and harmless."""
    walker.skip(6)
    width, height, flags = walker.unpack("<HHB")
    walker.skip(2 + _gif_palette_bytes(flags))
    pictures, has_alpha = 0, False
    while pictures < 2 and not (pictures and walker.at_end()):
        block = walker.take(1)
        if block == b";":
            break
        if block == b"!":
            label = walker.take(1)
            if label == b"\xf9":
                walker.skip(1)
                has_alpha |= bool(walker.take(1)[0] & 1)
                walker.skip(3)
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
    return Header("image/gif", width, height, 1, has_alpha, pictures > 1)


def _gif_palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(walker: _Walker) -> Header:
    walker.skip(4)
    end = walker.unpack("<I")[0] + 8
    if end > walker.size_bytes:
        raise BadHeaderError("it ends early")
    walker.skip(4)
    canvas: tuple[int, int] | None = None
    picture: tuple[int, int] | None = None
    orientation, has_alpha, is_animated = 1, False, False
    while walker.position + 8 <= end:
        kind, length = walker.take(4), walker.unpack("<I")[0]
        body_at = walker.position
        if kind == b"VP8X":
            flags, width, height = _webp_canvas(walker.take(10))
            canvas, has_alpha, is_animated = (width, height), bool(flags & 0x10), bool(flags & 0x02)
        elif kind == b"VP8 " and picture is None:
            picture = _webp_lossy(walker.take(10))
        elif kind == b"VP8L" and picture is None:
            width, height, alpha = _webp_lossless(walker.take(5))
            picture, has_alpha = (width, height), has_alpha or alpha
        elif kind == b"EXIF" and length <= EXIF_MAX_BYTES:
            orientation = _orientation(walker.take(length))
        is_animated |= kind in (b"ANIM", b"ANMF")
        walker.skip(body_at + length + length % 2 - walker.position)
    size = canvas or picture
    if size is None or (picture is None and not is_animated):
        raise BadHeaderError("it has no picture data")
    return Header("image/webp", *size, orientation, has_alpha, is_animated)


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


_READERS: Mapping[bytes, Callable[[_Walker], Header]] = {
    b"\xff\xd8\xff": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"GIF87a": _gif,
    b"GIF89a": _gif,
    b"RIFF": _webp,
}
