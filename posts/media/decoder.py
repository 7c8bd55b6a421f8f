"""The only code that decodes a picture, and the process that it runs in: ``python -m posts.media.decoder SPEC``.

Reads the source from standard input, writes the rendering to standard output and answers by its exit code. Takes a
memory limit on itself before it reads a byte, and is given neither settings nor secrets. Knows nothing of Django.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from enum import IntEnum
from fractions import Fraction
from io import BytesIO
from typing import Any

# The plug-ins are imported by name so that Pillow never loads those of other formats.
from PIL import GifImagePlugin, Image, ImageCms, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from posts.media.inspect import MAX_PIXELS, inspect_picture
from posts.media.plan import RenderSpec, canvas
from posts.media.sandbox import limit_ourselves

MEMORY_LIMIT_BYTES = 1 << 30
CPU_LIMIT_SECONDS = 60
QUALITIES = (90, 82, 74, 66)

# A file is only ever opened as what its header said that it is.
_FORMATS = {
    "image/gif": GifImagePlugin.GifImageFile.format,
    "image/jpeg": JpegImagePlugin.JpegImageFile.format,
    "image/png": PngImagePlugin.PngImageFile.format,
    "image/webp": WebPImagePlugin.WebPImageFile.format,
    "image/heic": "HEIF",
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAP_SIDES = (_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8])


class Exit(IntEnum):
    """How the process ended. Python's own codes for a crash (1, 2) mean a fault of ours."""

    DONE = 0
    DAMAGED = 3
    TOO_DEMANDING = 4
    DOES_NOT_FIT = 5


def main() -> Exit:
    """Render standard input by the spec in the first argument; see the module."""
    spec = _read_spec(sys.argv[1])
    limit_ourselves(memory_bytes=MEMORY_LIMIT_BYTES, cpu_seconds=CPU_LIMIT_SECONDS)
    try:
        rendering = _render(sys.stdin.buffer.read(), spec)
    except MemoryError:
        return Exit.TOO_DEMANDING
    except _DamagedError as error:
        sys.stderr.write(ascii(str(error)))
        return Exit.DAMAGED
    if rendering is None:
        return Exit.DOES_NOT_FIT
    sys.stdout.buffer.write(rendering)
    return Exit.DONE


class _DamagedError(Exception):
    """The source cannot be decoded."""


def _read_spec(argument: str) -> RenderSpec:
    facts: dict[str, Any] = json.loads(argument)
    facts["smaller"] = tuple((width, height) for width, height in facts["smaller"])
    return RenderSpec(**facts)


def _render(source: bytes, spec: RenderSpec) -> bytes | None:
    """Return the first rendering of at most ``max_bytes``: quality goes first, then size; ``None`` if there is none."""
    original = _ready_to_encode(_decode(source, spec), spec)
    for size in spec.sizes:
        # Each size is made of the first, so that small ones are not blurred step by step.
        picture = original if size == original.size else _resized(_true_colour(original), size)
        for rendering in _encodings(picture, spec, is_first=size == spec.sizes[0]):
            if len(rendering) <= spec.max_bytes:
                return rendering
    return None


def _decode(source: bytes, spec: RenderSpec) -> Image.Image:
    """Return the pixels, upright; all that can be said of a file that Pillow stumbles over is that it is damaged."""
    try:
        facts = inspect_picture(BytesIO(source), "source", max_bytes=len(source))
        turn = _TURNS.get(facts.orientation)
        if facts.mime_type == "image/heic":
            _learn_heic()
        picture = Image.open(BytesIO(source), formats=[_FORMATS[facts.mime_type]])
        if picture.width * picture.height > MAX_PIXELS:  # Pillow may read a header otherwise than we do
            raise _DamagedError("it has more pixels than its header said")
        picture.draft(None, (spec.height, spec.width) if turn in _SWAP_SIDES else (spec.width, spec.height))
        picture.load()
    except (MemoryError, _DamagedError):
        raise
    except Exception as error:  # a hostile file can make Pillow raise anything
        raise _DamagedError(f"{type(error).__name__}: {error}") from error
    return picture if turn is None else picture.transpose(turn)


def _learn_heic() -> None:
    """Teach Pillow the format; the extra is there, or the header would have been refused."""
    import pi_heif  # noqa: PLC0415 - few pictures need it, and it takes as long to import as half of Pillow

    pi_heif.register_heif_opener(thumbnails=False)


def _ready_to_encode(picture: Image.Image, spec: RenderSpec) -> Image.Image:
    """Return the picture in its first size and shape, in sRGB and without a word of its metadata."""
    size, profile = (spec.width, spec.height), picture.info.get("icc_profile")
    keeps_palette = spec.format == "image/png" and picture.mode == "P" and picture.size == size and not profile
    if not keeps_palette:
        picture = _in_srgb(_shaped(_true_colour(picture), spec), profile)
        if spec.format == "image/jpeg" or spec.fit == "pad":
            picture = _on_white(picture, size)
    # Pillow would write a comment or a profile that it finds here; a palette's transparency must stay.
    picture.info = {key: value for key, value in picture.info.items() if key == "transparency" and keeps_palette}
    return picture


def _shaped(picture: Image.Image, spec: RenderSpec) -> Image.Image:
    """Return the picture in the first size of ``spec``: its middle for a crop, all of it if it is to be padded."""
    aspect = Fraction(spec.width, spec.height)
    if spec.fit == "crop":
        width, height = (float(side) for side in canvas(*picture.size, aspect, "crop"))
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        return _resized(picture, (spec.width, spec.height), (left, top, left + width, top + height))
    if spec.fit == "pad":
        own = Fraction(*picture.size)
        inner = canvas(spec.width, spec.height, own, "crop")
        return _resized(picture, (max(1, round(inner[0])), max(1, round(inner[1]))))
    return _resized(picture, (spec.width, spec.height))


def _true_colour(picture: Image.Image) -> Image.Image:
    """Return the picture as L, RGB, RGBA or CMYK, modes that can be scaled and transformed."""
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode.startswith("I"):  # 16 bits of grey; a plain conversion would cut them off at 255
        return picture.convert("I").point(lambda value: value / 257).convert("L")
    return picture if picture.mode in ("L", "RGB", "CMYK") else picture.convert("RGB")


def _resized(
    picture: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    if picture.size == size and box is None:
        return picture
    return picture.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    if profile:
        # A broken profile, or one for another kind of colour, is no reason to refuse: the plain numbers are left.
        with suppress(ImageCms.PyCMSError, OSError):
            wide = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(picture, wide, ImageCms.createProfile("sRGB"), outputMode=mode)
            if converted is not None:
                return converted
    return picture.convert("RGB") if picture.mode == "CMYK" else picture


def _on_white(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    if picture.mode != "RGBA" and picture.size == size:
        return picture
    paper = Image.new("RGB", size, "white")
    corner = (size[0] - picture.width) // 2, (size[1] - picture.height) // 2
    paper.paste(picture, corner, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    return paper


def _encodings(picture: Image.Image, spec: RenderSpec, *, is_first: bool) -> Iterator[bytes]:
    """Encode from good to just good enough. After the first size the worst goes first: if that is too large, so is
    the rest, and the next size is reached with one encoding instead of four."""
    if spec.format == "image/png":
        yield _encoded(picture, "PNG", optimize=False)
        return
    encode = _webp if spec.format == "image/webp" else _jpeg
    best, *lower = QUALITIES
    if is_first:
        yield encode(picture, best)
    worst = encode(picture, lower[-1])
    if len(worst) <= spec.max_bytes:
        yield from (encode(picture, quality) for quality in lower[:-1])
        yield worst


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    return _encoded(picture, "JPEG", quality=quality, optimize=True, progressive=True)


def _webp(picture: Image.Image, quality: int) -> bytes:
    return _encoded(picture, "WEBP", quality=quality)


def _encoded(picture: Image.Image, pillow_format: str, **options: int) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, pillow_format, **options)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
