"""How large a HEIC picture is, read from its boxes without decoding a pixel.

Owns the layout of ISO/IEC 23008-12 as far as that goes: the main item's extent, its clean aperture and its turning.
Whatever of a file it does not know it skips.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from posts.media.walker import BadHeaderError, Walker

BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")

_UNKNOWN = "its header does not give its size"


def is_heic(start: bytes) -> bool:
    """Say whether a file that begins with these (at least twelve) bytes is a HEIC picture."""
    return start[4:8] == b"ftyp" and start[8:12] in BRANDS


def heic_size(walker: Walker) -> tuple[int, int]:
    """Return width and height of the main picture, upright. Raises ``BadHeaderError``."""
    meta, has_data = b"", False
    while not walker.at_end():
        length, kind = walker.unpack(">I")[0], walker.take(4)
        header_bytes = 8
        if length == 1:
            length, header_bytes = walker.unpack(">Q")[0], 16
        elif length == 0:
            length = walker.size_bytes - walker.position + 8
        if length < header_bytes:
            raise BadHeaderError("its header is damaged")
        has_data |= kind == b"mdat"
        if kind == b"meta" and not meta:
            meta = walker.take(length - header_bytes)
        else:
            walker.skip(length - header_bytes)
    if not has_data and b"idat" not in meta:
        raise BadHeaderError("it has no picture data")
    try:
        return _size(meta[4:])
    except (struct.error, IndexError):
        raise BadHeaderError("its header is damaged") from None


def _size(meta: bytes) -> tuple[int, int]:
    boxes = dict(_boxes(meta))
    if b"pitm" not in boxes or b"iprp" not in boxes:
        raise BadHeaderError(_UNKNOWN)
    main = int.from_bytes(boxes[b"pitm"][4:8] if boxes[b"pitm"][0] else boxes[b"pitm"][4:6], "big")
    parts = dict(_boxes(boxes[b"iprp"]))
    properties = list(_boxes(parts.get(b"ipco", b"")))
    size: tuple[int, int] | None = None
    for index in _properties_of(main, parts.get(b"ipma", b"")):
        kind, body = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", body, 4)
            size = width, height
        elif kind == b"clap" and size is not None:
            width, width_unit, height, height_unit = struct.unpack_from(">IIII", body)
            size = (width // width_unit, height // height_unit) if width_unit and height_unit else size
        elif kind == b"irot" and size is not None and body[0] & 1:
            size = size[1], size[0]
    if size is None:
        raise BadHeaderError(_UNKNOWN)
    return size


def _properties_of(item: int, ipma: bytes) -> list[int]:
    """Return the numbers, from 1, of an item's properties in the order in which they apply."""
    version, is_wide = ipma[0], bool(ipma[3] & 1)
    (entries,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(min(entries, len(ipma))):
        (found,) = struct.unpack_from(">I" if version else ">H", ipma, at)
        at += 4 if version else 2
        count, at = ipma[at], at + 1
        numbers = struct.unpack_from(f">{count}{'H' if is_wide else 'B'}", ipma, at)
        at += count * (2 if is_wide else 1)
        if found == item:
            return [number & (0x7FFF if is_wide else 0x7F) for number in numbers]
    return []


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if length < 8:
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + length]
        at += length
