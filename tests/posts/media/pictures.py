"""Picture files made for the tests: encoded by Pillow, or put together by hand where no encoder would."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

ORIENTATION, GPS_DIRECTORY = 0x0112, 0x8825


def encoded(picture: Image.Image, pillow_format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, pillow_format, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def quarters(width: int = 80, height: int = 40) -> Image.Image:
    """Red at the upper left, lime upper right, blue lower left, white lower right."""
    picture = Image.new("RGB", (width, height), "white")
    for colour, left, top in (("red", 0, 0), ("lime", width // 2, 0), ("blue", 0, height // 2)):
        picture.paste(colour, (left, top, left + width // 2, top + height // 2))
    return picture


def noise(width: int, height: int) -> Image.Image:
    """A picture that compresses badly."""
    return Image.frombytes("RGB", (width, height), random.Random(7).randbytes(width * height * 3))


def exif(orientation: int) -> Image.Exif:
    """EXIF as a phone writes it: turned, and with the place."""
    data = Image.Exif()
    data[ORIENTATION] = orientation
    data[0x010F] = "CanaryPhone"
    data.get_ifd(GPS_DIRECTORY).update({1: "N", 2: (52.0, 31.0, 12.0)})
    return data


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(width: int = 14_000, height: int = 14_000) -> bytes:
    """A valid PNG of 196 million black dots in a few kilobytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + width // 8)
    body = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", body), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def file(name: str) -> bytes:
    """One of the files beside this module: see the README there."""
    return (Path(__file__).parent / "files" / name).read_bytes()


def moving(pillow_format: str, width: int = 16, height: int = 16, frames: int = 3) -> bytes:
    """An animated picture, a tenth of a second each frame."""
    pictures = [Image.new("RGB", (width, height), (80 * n % 256, 0, 0)) for n in range(frames)]
    return encoded(pictures[0], pillow_format, save_all=True, append_images=pictures[1:], duration=100)


def pdf(size_bytes: int = 400) -> bytes:
    """The beginning of a PDF document, as far as anybody here looks."""
    return b"%PDF-1.7\n" + b"% nothing\n" * (size_bytes // 10)
