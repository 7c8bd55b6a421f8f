"""Whether a post's files fit a platform: how many of which kind, their shapes, their alt texts.

Owns the sentences of these refusals. Reads facts only; opens no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from posts.media.inspect import Picture
from posts.media.plan import Fit, ImpossibleError, plan_rendering
from posts.models import PostMedia
from posts.publishing.capabilities import Capabilities
from posts.publishing.types import MediaFile, MediaKind
from posts.text.counting import violations


def media_problems(files: Sequence[PostMedia], able: Capabilities, fit: Fit) -> Iterator[tuple[str, str]]:
    """Yield (``media`` or ``alt_text``, what is wrong in words) for what the platform would not take."""
    if able.needs_media and not files:
        yield "media", "a post there needs a picture or a video; attach one"
    if len(files) > able.max_images:
        yield "media", f"the post has {len(files)} pictures, the limit is {able.max_images}"
    for place, file in enumerate(files, 1):
        name, media = file_name(place, file), file.media
        try:
            plan_rendering(Picture(media.mime_type, media.width, media.height, media.size_bytes), able.images, fit)
        except ImpossibleError as error:
            yield "media", f"{name} does not fit: {error}".rstrip(".")
        if able.supports_alt_text:
            for broken in violations(file.alt_text or media.alt_text, able.alt_text):
                length, most = f"{broken.length:,}", f"{broken.maximum:,}"
                yield "alt_text", f"the alt text of {name} has {length} characters, the limit is {most}"


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
    return f"picture {place} (“{file.media.original_name}”)"


def _not_rendered() -> BinaryIO:
    raise LookupError("a draft's files are not rendered yet")
