"""Whether a post's files fit a platform: how many of which kind, their sizes and shapes, their alt texts.

Owns the sentences of these refusals. Reads facts only; opens no file. What is not known of a video, where nothing can
look into one, is not judged; ``media_notes`` says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from posts.media.inspect import EXTENSIONS
from posts.media.plan import Fit, ImpossibleError, plan_rendering
from posts.models import Media, PostMedia
from posts.models import MediaKind as Kind
from posts.publishing.capabilities import Capabilities, VideoLimits
from posts.publishing.types import MediaFile, MediaKind
from posts.selectors.media import picture_of
from posts.text.counting import violations

NAMES = {
    Kind.IMAGE: ("picture", "pictures"),
    Kind.GIF: ("animated picture", "animated pictures"),
    Kind.VIDEO: ("video", "videos"),
    Kind.DOCUMENT: ("document", "documents"),
}
MOVING = (Kind.GIF, Kind.VIDEO)
# A network's number is kept to the digit; what a file says of itself is rounded.
NEAR = 1.001


def media_problems(files: Sequence[PostMedia], able: Capabilities, fit: Fit) -> Iterator[tuple[str, str]]:
    """Yield (``media`` or ``alt_text``, what is wrong in words) for what the platform would not take."""
    if able.needs_media and not files:
        yield "media", "a post there needs a file; attach one"
    yield from (("media", text) for text in _number_problems(files, able))
    for place, file in enumerate(files, 1):
        name, media = file_name(place, file), file.media
        for text in misfits(media, able, fit) if most_of(able)[Kind(media.kind)] else ():
            yield "media", f"{name} does not fit: {text}"
        if able.supports_alt_text and media.kind != Kind.DOCUMENT:
            for broken in violations(file.alt_text or media.alt_text, able.alt_text):
                length, most = f"{broken.length:,}", f"{broken.maximum:,}"
                yield "alt_text", f"the alt text of {name} has {length} characters, the limit is {most}"


def media_notes(files: Sequence[PostMedia]) -> Iterator[str]:
    """Yield what a person should know of the files before they are scheduled."""
    for place, file in enumerate(files, 1):
        if file.media.kind == Kind.VIDEO and not file.media.facts:
            yield (
                f"nobody has looked into {file_name(place, file)}, so whether its length and size fit shows when it is "
                "sent; SocialQ looks into videos where its extra “video” is installed"
            )


def misfits(media: Media, able: Capabilities, fit: Fit = "refuse") -> Iterator[str]:
    """Yield in words what of one file breaks the platform's limits."""
    match media.kind:
        case Kind.IMAGE:
            yield from _picture_misfits(media, able, fit)
        case Kind.GIF:
            yield from _moving_misfits(media, able.gifs)
        case Kind.VIDEO:
            yield from _moving_misfits(media, able.videos)
        case Kind.DOCUMENT if able.documents is not None:
            yield from _common_misfits(media, able.documents.max_bytes, able.documents.formats)
        case Kind.DOCUMENT:
            yield "documents are not taken there"


def facts_of(file: PostMedia) -> MediaFile:
    """Return a post's file as a platform may judge it before it is rendered; it cannot be opened."""
    media = file.media
    return MediaFile(
        key=media.uuid.hex,
        filename=media.original_name,
        mime_type=media.mime_type,
        width=media.width,
        height=media.height,
        size_bytes=media.size_bytes,
        alt_text=file.alt_text or media.alt_text,
        open=_not_rendered,
        kind=cast("MediaKind", media.kind),
        duration_seconds=media.duration_seconds or 0.0,
    )


def file_name(place: int, file: PostMedia) -> str:
    """Name a file of a post to people."""
    word = NAMES[Kind(file.media.kind)][0]
    return f"{word} {place} (“{file.media.original_name}”)"


def most_of(able: Capabilities) -> dict[Kind, int]:
    """Return how many files of each kind a post may have."""
    return {
        Kind.IMAGE: able.max_images,
        Kind.GIF: able.max_gifs if able.gifs is not None else 0,
        Kind.VIDEO: able.max_videos if able.videos is not None else 0,
        Kind.DOCUMENT: able.max_documents if able.documents is not None else 0,
    }


def _number_problems(files: Sequence[PostMedia], able: Capabilities) -> Iterator[str]:
    found = Counter(Kind(file.media.kind) for file in files)
    for kind, most in most_of(able).items():
        many = NAMES[kind][1]
        if found[kind] and not most:
            yield f"no {many} can be posted there; take them off, or the account"
        elif found[kind] > most:
            yield f"the post has {found[kind]} {many}, the limit is {most}"
    taken = [NAMES[kind][1] for kind, most in most_of(able).items() if found[kind] and most]
    if len(taken) > 1 and not (able.mixes and not found[Kind.DOCUMENT]):
        yield f"{' and '.join(taken)} do not go together there; keep one kind"
    elif len(taken) > 1 and len(files) > max(able.max_images, able.max_videos):
        yield f"the post has {len(files)} files, the limit is {max(able.max_images, able.max_videos)}"


def _picture_misfits(media: Media, able: Capabilities, fit: Fit) -> Iterator[str]:
    try:
        plan_rendering(picture_of(media), able.images, fit)
    except ImpossibleError as error:
        yield str(error).rstrip(".")


def _moving_misfits(media: Media, limits: VideoLimits | None) -> Iterator[str]:
    if limits is None:
        yield f"{NAMES[Kind(media.kind)][1]} are not taken there"
        return
    yield from _common_misfits(media, limits.max_bytes, limits.formats)
    if media.duration_seconds:
        yield from _length_misfits(media.duration_seconds, limits)
    if media.width and media.height:
        yield from _size_misfits(media.width, media.height, limits)
    frames, codec = media.facts.get("frames_per_second"), media.facts.get("codec", "")
    if frames and limits.max_frames_per_second and frames > limits.max_frames_per_second * NEAR:
        yield f"it has {frames:g} frames a second, at most {limits.max_frames_per_second:g} are allowed"
    if codec and limits.codecs and codec not in limits.codecs:
        yield f"it is coded as {codec}, {_listed(limits.codecs)} is taken"


def _common_misfits(media: Media, max_bytes: int, formats: Sequence[str]) -> Iterator[str]:
    if media.mime_type not in formats:
        yield f"it is {_type_name(media.mime_type)}, {_listed([_type_name(known) for known in formats])} is taken"
    if media.size_bytes > max_bytes:
        yield f"it has {media.size_bytes:,} bytes, at most {max_bytes:,} are allowed"


def _length_misfits(seconds: float, limits: VideoLimits) -> Iterator[str]:
    if limits.max_seconds is not None and seconds > limits.max_seconds * NEAR:
        yield f"it is {seconds:,.1f} seconds long, at most {limits.max_seconds:,g} are allowed"
    if limits.min_seconds is not None and seconds * NEAR < limits.min_seconds:
        yield f"it is {seconds:,.1f} seconds long, at least {limits.min_seconds:,g} are needed"


def _size_misfits(width: int, height: int, limits: VideoLimits) -> Iterator[str]:
    size, aspect = f"it has {width:,} by {height:,} pixels", width / height
    if limits.max_side_pixels is not None and max(width, height) > limits.max_side_pixels:
        yield f"{size}, a side may have at most {limits.max_side_pixels:,}"
    if limits.min_side_pixels is not None and min(width, height) < limits.min_side_pixels:
        yield f"{size}, a side needs at least {limits.min_side_pixels:,}"
    if limits.max_pixels is not None and width * height > limits.max_pixels:
        yield f"{size}, {width * height:,} together; at most {limits.max_pixels:,} are allowed"
    if limits.max_aspect is not None and aspect > limits.max_aspect * NEAR:
        yield f"it is {aspect:.2f} times as wide as high, at most {limits.max_aspect:.4g} times is allowed"
    if limits.min_aspect is not None and aspect * NEAR < limits.min_aspect:
        yield f"it is {aspect:.2f} times as wide as high, at least {limits.min_aspect:.4g} times is needed"


def _type_name(mime_type: str) -> str:
    return EXTENSIONS.get(mime_type, mime_type).lstrip(".").upper()


def _listed(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _not_rendered() -> BinaryIO:
    raise LookupError("a draft's files are not rendered yet")
