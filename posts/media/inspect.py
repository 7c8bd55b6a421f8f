"""Whether a file is a picture, a video or a document that we take, judged by its header in the web process.

Owns which types, sizes and pixels are taken, and the sentences of a refusal. Never decodes (that needs a process with
a memory limit) and never trusts a file's name: the type is what the content says. Other types are named for the
person only, not understood.

    FileRefused
    ├── WrongType        nothing inside that we take, whatever the name says
    ├── DamagedFile      cut off, or a header that makes no sense
    ├── FileTooLarge     more bytes than allowed
    ├── TooManyPixels    more pixels than we decode
    └── AnimatedPicture  more than one picture inside, where a still one is needed
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import BinaryIO, Literal

from posts.media.containers import START_BYTES, VIDEOS, container_type
from posts.media.headers import BadHeaderError, Header, read_header
from posts.media.heic import is_heic

MAX_PIXELS = 40_000_000
EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/heic": ".heic",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "application/pdf": ".pdf",
}

_ALLOWED = "JPEG, PNG, GIF and WebP pictures, MP4, MOV, WebM and Matroska videos and PDF documents are allowed"
_NAME_MAX_CHARACTERS = 80
_LOOK_AT_BYTES = 1024
_TURNED_ON_ITS_SIDE = 5  # EXIF orientations from here on swap width and height

_KNOWN_STARTS = (
    (b"%!PS", "an EPS or PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "an EPS or PostScript file"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"BM", "a BMP picture"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\x01\0", "an icon"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1a\x45\xdf\xa3", "a Matroska file that is neither WebM nor a video"),
    (b"\0\0\x01\xba", "an MPEG video"),
    (b"\x47\x40", "an MPEG video"),
    (b"#EXTM3U", "a playlist"),
)
_KNOWN_BRANDS = ((b"avi", "an AVIF picture"), (b"3g", "a 3GP video"), (b"M4A", "a sound file"), (b"crx", "a raw photo"))
_HEIC_WITHOUT_EXTRA = "a HEIC picture, which this site takes once SocialQ's extra “heif” is installed"
_KNOWN_MARKUP = ((b"<svg", "an SVG drawing"), (b"<html", "an HTML page"), (b"<!doctype html", "an HTML page"))


Kind = Literal["image", "gif", "video", "document"]


@dataclass(frozen=True, slots=True)
class Upload:
    """What the header of a file that was taken says. Sizes are those seen upright, 0 where only decoding would tell.

    ``has_alpha`` says that parts of a picture are clear; ``frames`` and ``duration_seconds`` are those of an animated
    one (``gif``).
    """

    kind: Kind
    mime_type: str
    size_bytes: int
    width: int = 0
    height: int = 0
    has_alpha: bool = False
    frames: int = 1
    duration_seconds: float = 0.0


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


class FileRefused(ValueError):
    """A file that is not taken. ``name`` is fit to be shown; ``str()`` says what was found and what is allowed."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = _shown(name)
        super().__init__(f"“{self.name}” was refused: {reason}.")


class WrongType(FileRefused):
    """Inside is nothing that we take; ``found`` says what it looks like."""

    def __init__(self, name: str, found: str) -> None:
        self.found = found
        super().__init__(name, f"inside it is {found}; {_ALLOWED}")


class DamagedFile(FileRefused):
    """The file is cut off or its header makes no sense."""

    def __init__(self, name: str, found: str) -> None:
        self.found = found
        super().__init__(name, f"{found}. Export or download it again; {_ALLOWED}")


class FileTooLarge(FileRefused):
    """The file has ``size_bytes``, more than ``max_bytes``."""

    def __init__(self, name: str, size_bytes: int, max_bytes: int) -> None:
        self.size_bytes, self.max_bytes = size_bytes, max_bytes
        super().__init__(name, f"it has {size_bytes:,} bytes; at most {max_bytes:,} are allowed. Make it smaller")


class TooManyPixels(FileRefused):
    """The picture has more than ``MAX_PIXELS``."""

    def __init__(self, name: str, width: int, height: int) -> None:
        self.width, self.height = width, height
        super().__init__(
            name,
            f"it has {width:,} by {height:,} pixels, {width * height / 1e6:,.1f} million; "
            f"at most {MAX_PIXELS // 1_000_000} million are allowed. Make it smaller",
        )


class AnimatedPicture(FileRefused):
    """The file moves; only still pictures are taken."""

    def __init__(self, name: str, mime_type: str) -> None:
        self.mime_type = mime_type
        kind = EXTENSIONS[mime_type][1:].upper()
        super().__init__(name, f"it is an animated {kind}; only still pictures are allowed. Save one frame of it")


def inspect_picture(file: BinaryIO, name: str, *, max_bytes: int) -> Picture:
    """Return the facts of the picture in ``file``, or raise ``FileRefused``.

    ``file`` is seekable and is left at its start; ``name`` is only used in messages. Reads the header and skips
    through the parts, so neither memory nor time grows with what the file claims to hold.
    """
    size_bytes, header = _judged(file, name, max_bytes)
    if header.is_animated:
        raise AnimatedPicture(name, header.mime_type)
    return Picture(header.mime_type, *_upright(header), size_bytes, header.has_alpha, header.orientation)


def inspect_upload(file: BinaryIO, name: str, *, max_bytes: int, video_max_bytes: int) -> Upload:
    """Return what ``file`` is, or raise ``FileRefused``; as ``inspect_picture``, for everything that we take.

    Of a video and a document only the type is known afterwards: what is in them is no business of a web process.
    """
    file.seek(0)
    container = container_type(file.read(START_BYTES))
    if container is None:
        size_bytes, header = _judged(file, name, max_bytes)
        kind: Kind = "gif" if header.is_animated else "image"
        return Upload(
            kind,
            header.mime_type,
            size_bytes,
            *_upright(header),
            has_alpha=header.has_alpha,
            frames=header.frames,
            duration_seconds=header.duration_seconds,
        )
    size_bytes, most = file.seek(0, 2), video_max_bytes if container in VIDEOS else max_bytes
    if size_bytes > most:
        raise FileTooLarge(name, size_bytes, most)
    file.seek(0)
    return Upload("video" if container in VIDEOS else "document", container, size_bytes)


def takes_heic() -> bool:
    """Say whether HEIC pictures can be decoded here, which an extra is for."""
    return find_spec("pi_heif") is not None


def _judged(file: BinaryIO, name: str, max_bytes: int) -> tuple[int, Header]:
    """Return the size in bytes and the header of a picture, still or moving; ``file`` is left at its start."""
    size_bytes = file.seek(0, 2)
    if size_bytes > max_bytes:
        raise FileTooLarge(name, size_bytes, max_bytes)
    file.seek(0)
    if is_heic(file.read(START_BYTES)) and not takes_heic():
        raise WrongType(name, _HEIC_WITHOUT_EXTRA)
    try:
        header = read_header(file)
    except BadHeaderError as error:
        raise DamagedFile(name, str(error)) from error
    if header is None:
        raise WrongType(name, _looks_like(file))
    if header.width * header.height > MAX_PIXELS:
        raise TooManyPixels(name, header.width, header.height)
    file.seek(0)
    return size_bytes, header


def _upright(header: Header) -> tuple[int, int]:
    size = header.width, header.height
    return size if header.orientation < _TURNED_ON_ITS_SIDE else size[::-1]


def _looks_like(file: BinaryIO) -> str:
    file.seek(0)
    start = file.read(_LOOK_AT_BYTES)
    if not start:
        return "nothing: the file is empty"
    container = container_type(start)
    if container is not None:
        return "a video" if container in VIDEOS else "a PDF document"
    if start[4:8] == b"ftyp":
        return next(
            (kind for brand, kind in _KNOWN_BRANDS if start[8:].startswith(brand)), "a video of an unknown kind"
        )
    markup = start.lower()
    return next(
        (kind for signature, kind in _KNOWN_STARTS if start.startswith(signature)),
        next((kind for tag, kind in _KNOWN_MARKUP if tag in markup), "no kind of file that is known here"),
    )


def _shown(name: str) -> str:
    """Return a name from outside as one short line without control characters."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)
    return line if len(line) <= _NAME_MAX_CHARACTERS else f"{line[: _NAME_MAX_CHARACTERS - 1]}…"
