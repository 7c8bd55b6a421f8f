"""Pictures of every kind that people upload: sizes, shapes, turns, modes, formats. Small, so that it is quick."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image

from posts.media.inspect import takes_heic
from tests.posts.media.pictures import encoded, exif, file, noise, quarters

SIZES = ((64, 64), (640, 480), (2400, 1600), (2400, 100), (100, 2400), (1000, 1001))


def corpus() -> Iterator[tuple[str, bytes]]:
    """Yield (name, file) of each picture."""
    for width, height in SIZES:
        yield f"jpeg-{width}x{height}", encoded(quarters(width, height), "JPEG", exif=exif(1))
    for orientation in range(2, 9):
        yield f"jpeg-turned-{orientation}", encoded(quarters(320, 200), "JPEG", exif=exif(orientation))
    yield from _modes()
    yield from _formats()


def _modes() -> Iterator[tuple[str, bytes]]:
    clear = Image.new("RGBA", (400, 300), (0, 0, 255, 0))
    clear.paste(quarters(200, 150).convert("RGBA"), (100, 75))
    deep = Image.frombytes("I;16", (300, 200), struct.pack("<H", 100 * 257) * 60_000)
    yield "png-clear", encoded(clear, "PNG", exif=exif(1))
    yield "png-grey-clear", encoded(clear.convert("LA"), "PNG")
    yield "png-palette", encoded(noise(400, 300).quantize(32), "PNG")
    yield "png-palette-clear", encoded(Image.new("P", (400, 300), 0), "PNG", transparency=0)
    yield "png-16-bit", encoded(deep, "PNG")
    yield "png-1-bit", encoded(Image.new("1", (400, 300), 1), "PNG")
    yield "jpeg-grey", encoded(quarters(400, 300).convert("L"), "JPEG")
    yield "jpeg-cmyk", encoded(quarters(400, 300).convert("CMYK"), "JPEG", exif=exif(6))


def _formats() -> Iterator[tuple[str, bytes]]:
    yield "png-noise", encoded(noise(1200, 900), "PNG")  # three megabytes without loss
    yield "jpeg-progressive", encoded(noise(600, 400), "JPEG", progressive=True, quality=95, exif=exif(3))
    yield "gif", encoded(quarters(300, 200).convert("P"), "GIF", comment=b"CanaryComment")
    yield "webp", encoded(quarters(300, 200), "WEBP", exif=exif(8), xmp=b"<x>CanaryXmp</x>")
    yield "webp-clear", encoded(Image.new("RGBA", (300, 200), (255, 0, 0, 90)), "WEBP", lossless=True)
    if takes_heic():
        yield "heic", file("quarters.heic")
        yield "heic-turned", file("quarters-turned.heic")
