"""Whether an uploaded file is a picture that we take, judged by its header in the web process.

Owns which types, sizes and pixels are taken, and the sentences of a refusal. Never decodes (that needs a process with
a memory limit) and never trusts a file's name: the type is what the content says. Other types are named for the
person only, not understood.

    PictureRefused
    ├── WrongType        not a JPEG, PNG, GIF or WebP inside, whatever the name says
    ├── DamagedFile      cut off, or a header that makes no sense
    ├── FileTooLarge     more bytes than allowed
    ├── TooManyPixels    more pixels than we decode
    └── AnimatedPicture  more than one picture inside
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from posts.media.headers import BadHeaderError, read_header

MAX_PIXELS = 40_000_000
EXTENSIONS = {"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp"}

_ALLOWED = "JPEG, PNG, GIF and WebP pictures are allowed"
_NAME_MAX_CHARACTERS = 80
_LOOK_AT_BYTES = 1024
_TURNED_ON_ITS_SIDE = 5  # EXIF orientations from here on swap width and height

_KNOWN_STARTS = (
    (b"%!PS", "an EPS or PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "an EPS or PostScript file"),
    (b"%PDF", "a PDF document"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"BM", "a BMP picture"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\x01\0", "an icon"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1a\x45\xdf\xa3", "a video"),
    (b"#EXTM3U", "a playlist"),
)
_KNOWN_BRANDS = ((b"avi", "an AVIF picture"), (b"hei", "a HEIC picture"), (b"mif", "a HEIC picture"))
_KNOWN_MARKUP = ((b"<svg", "an SVG drawing"), (b"<html", "an HTML page"), (b"<!doctype html", "an HTML page"))


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of a picture that was taken: the facts that a rendering is planned from.

    ``width`` and ``height`` are as people see it, after EXIF ``orientation`` (1 to 8) is applied.
    """

    mime_type: str
    width: int
    height: int
    size_bytes: int
    has_alpha: bool = False
    orientation: int = 1


class PictureRefused(ValueError):
    """A file that is not taken. ``name`` is fit to be shown; ``str()`` says what was found and what is allowed."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = _shown(name)
        super().__init__(f"“{self.name}” was refused: {reason}.")


class WrongType(PictureRefused):
    """Inside is no JPEG, PNG, GIF or WebP; ``found`` says what it looks like."""

    def __init__(self, name: str, found: str) -> None:
        self.found = found
        super().__init__(name, f"inside it is {found}; {_ALLOWED}")


class DamagedFile(PictureRefused):
    """The file is cut off or its header makes no sense."""

    def __init__(self, name: str, found: str) -> None:
        self.found = found
        super().__init__(name, f"{found}. Export or download the picture again; {_ALLOWED}")


class FileTooLarge(PictureRefused):
    """The file has ``size_bytes``, more than ``max_bytes``."""

    def __init__(self, name: str, size_bytes: int, max_bytes: int) -> None:
        self.size_bytes, self.max_bytes = size_bytes, max_bytes
        super().__init__(name, f"it has {size_bytes:,} bytes; at most {max_bytes:,} are allowed. Make it smaller")


class TooManyPixels(PictureRefused):
    """The picture has more than ``MAX_PIXELS``."""

    def __init__(self, name: str, width: int, height: int) -> None:
        self.width, self.height = width, height
        super().__init__(
            name,
            f"it has {width:,} by {height:,} pixels, {width * height / 1e6:,.1f} million; "
            f"at most {MAX_PIXELS // 1_000_000} million are allowed. Make it smaller",
        )


class AnimatedPicture(PictureRefused):
    """The file moves; only still pictures are taken."""

    def __init__(self, name: str, mime_type: str) -> None:
        self.mime_type = mime_type
        kind = EXTENSIONS[mime_type][1:].upper()
        super().__init__(name, f"it is an animated {kind}; only still pictures are allowed. Save one frame of it")


def inspect_picture(file: BinaryIO, name: str, *, max_bytes: int) -> Picture:
    """Return the facts of the picture in ``file``, or raise ``PictureRefused``.

    ``file`` is seekable and is left at its start; ``name`` is only used in messages. Reads the header and skips
    through the parts, so neither memory nor time grows with what the file claims to hold.
    """
    size_bytes = file.seek(0, 2)
    if size_bytes > max_bytes:
        raise FileTooLarge(name, size_bytes, max_bytes)
    try:
        header = read_header(file)
    except BadHeaderError as error:
        raise DamagedFile(name, str(error)) from error
    if header is None:
        raise WrongType(name, _looks_like(file))
    if header.width * header.height > MAX_PIXELS:
        raise TooManyPixels(name, header.width, header.height)
    if header.is_animated:
        raise AnimatedPicture(name, header.mime_type)
    width, height = header.width, header.height
    if header.orientation >= _TURNED_ON_ITS_SIDE:
        width, height = height, width
    file.seek(0)
    return Picture(header.mime_type, width, height, size_bytes, header.has_alpha, header.orientation)


def _looks_like(file: BinaryIO) -> str:
    file.seek(0)
    start = file.read(_LOOK_AT_BYTES)
    if not start:
        return "nothing: the file is empty"
    if start[4:8] == b"ftyp":
        return next((kind for brand, kind in _KNOWN_BRANDS if start[8:11] == brand), "a video")
    markup = start.lower()
    return next(
        (kind for signature, kind in _KNOWN_STARTS if start.startswith(signature)),
        next((kind for tag, kind in _KNOWN_MARKUP if tag in markup), "no kind of picture that is known here"),
    )


def _shown(name: str) -> str:
    """Return a name from outside as one short line without control characters."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)
    return line if len(line) <= _NAME_MAX_CHARACTERS else f"{line[: _NAME_MAX_CHARACTERS - 1]}…"
