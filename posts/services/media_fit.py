"""Whether a post's files fit a platform: how many of which kind, their sizes and shapes, their alt texts.

Owns the sentences of these refusals. Reads facts only; opens no file. What is not known of a video, where nothing can
look into one, is not judged; ``media_notes`` says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, cast

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts.media.inspect import EXTENSIONS
from posts.media.plan import Fit, ImpossibleError, plan_rendering
from posts.models import Media, PostMedia
from posts.models import MediaKind as Kind
from posts.publishing.capabilities import Capabilities, VideoLimits
from posts.publishing.types import MediaFile, MediaKind
from posts.selectors.media import picture_of
from posts.text.counting import violations
from queue_app.wording import Words

NAMES: Mapping[Kind, tuple[Words, Words]] = {
    Kind.IMAGE: (_("picture"), _("pictures")),
    Kind.GIF: (_("animated picture"), _("animated pictures")),
    Kind.VIDEO: (_("video"), _("videos")),
    Kind.DOCUMENT: (_("document"), _("documents")),
}
MOVING = (Kind.GIF, Kind.VIDEO)
# A network's number is kept to the digit; what a file says of itself is rounded.
NEAR = 1.001


def media_problems(files: Sequence[PostMedia], able: Capabilities, fit: Fit) -> Iterator[tuple[str, str]]:
    """Yield (``media`` or ``alt_text``, what is wrong in words) for what the platform would not take."""
    if able.needs_media and not files:
        yield "media", gettext("a post there needs a file; attach one")
    yield from (("media", text) for text in _number_problems(files, able))
    for place, file in enumerate(files, 1):
        name, media = file_name(place, file), file.media
        for text in misfits(media, able, fit) if most_of(able)[Kind(media.kind)] else ():
            yield "media", gettext("%(name)s does not fit: %(text)s") % {"name": name, "text": text}
        if able.supports_alt_text and media.kind != Kind.DOCUMENT:
            for broken in violations(file.alt_text or media.alt_text, able.alt_text):
                length, most = f"{broken.length:,}", f"{broken.maximum:,}"
                yield (
                    "alt_text",
                    gettext("the alt text of %(name)s has %(length)s characters, the limit is %(most)s")
                    % {"name": name, "length": length, "most": most},
                )


def media_notes(files: Sequence[PostMedia]) -> Iterator[str]:
    """Yield what a person should know of the files before they are scheduled."""
    for place, file in enumerate(files, 1):
        if file.media.kind == Kind.VIDEO and not file.media.facts:
            yield (
                gettext(
                    "nobody has looked into %(file_name)s, so whether its length and size fit shows when it "
                    "is sent; SocialQ looks into videos where its extra “video” is installed"
                )
                % {"file_name": file_name(place, file)}
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
            yield gettext("documents are not taken there")


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
            yield gettext("no %(many)s can be posted there; take them off, or the account") % {"many": many}
        elif found[kind] > most:
            yield gettext("the post has %(found)s %(many)s, the limit is %(most)s") % {
                "found": found[kind],
                "many": many,
                "most": most,
            }
    taken = [NAMES[kind][1] for kind, most in most_of(able).items() if found[kind] and most]
    if len(taken) > 1 and not (able.mixes and not found[Kind.DOCUMENT]):
        kinds = gettext(" and ").join(map(str, taken))
        yield gettext("%(kinds)s do not go together there; keep one kind") % {"kinds": kinds}
    elif len(taken) > 1 and len(files) > max(able.max_images, able.max_videos):
        yield gettext("the post has %(number)s files, the limit is %(max)s") % {
            "number": len(files),
            "max": max(able.max_images, able.max_videos),
        }


def _picture_misfits(media: Media, able: Capabilities, fit: Fit) -> Iterator[str]:
    try:
        plan_rendering(picture_of(media), able.images, fit)
    except ImpossibleError as error:
        yield str(error).rstrip(".")


def _moving_misfits(media: Media, limits: VideoLimits | None) -> Iterator[str]:
    if limits is None:
        yield gettext("%(names)s are not taken there") % {"names": NAMES[Kind(media.kind)][1]}
        return
    yield from _common_misfits(media, limits.max_bytes, limits.formats)
    if media.duration_seconds:
        yield from _length_misfits(media.duration_seconds, limits)
    if media.width and media.height:
        yield from _size_misfits(media.width, media.height, limits)
    frames, codec = media.facts.get("frames_per_second"), media.facts.get("codec", "")
    if frames and limits.max_frames_per_second and frames > limits.max_frames_per_second * NEAR:
        yield gettext("it has %(frames)s frames a second, at most %(max_frames_per_second)s are allowed") % {
            "frames": f"{frames:g}",
            "max_frames_per_second": f"{limits.max_frames_per_second:g}",
        }
    if codec and limits.codecs and codec not in limits.codecs:
        yield gettext("it is coded as %(codec)s, %(listed)s is taken") % {
            "codec": codec,
            "listed": _listed(limits.codecs),
        }


def _common_misfits(media: Media, max_bytes: int, formats: Sequence[str]) -> Iterator[str]:
    if media.mime_type not in formats:
        yield gettext("it is %(type_name)s, %(listed)s is taken") % {
            "type_name": _type_name(media.mime_type),
            "listed": _listed([_type_name(known) for known in formats]),
        }
    if media.size_bytes > max_bytes:
        yield gettext("it has %(size_bytes)s bytes, at most %(max_bytes)s are allowed") % {
            "size_bytes": f"{media.size_bytes:,}",
            "max_bytes": f"{max_bytes:,}",
        }


def _length_misfits(seconds: float, limits: VideoLimits) -> Iterator[str]:
    if limits.max_seconds is not None and seconds > limits.max_seconds * NEAR:
        yield gettext("it is %(seconds)s seconds long, at most %(max_seconds)s are allowed") % {
            "seconds": f"{seconds:,.1f}",
            "max_seconds": f"{limits.max_seconds:,g}",
        }
    if limits.min_seconds is not None and seconds * NEAR < limits.min_seconds:
        yield gettext("it is %(seconds)s seconds long, at least %(min_seconds)s are needed") % {
            "seconds": f"{seconds:,.1f}",
            "min_seconds": f"{limits.min_seconds:,g}",
        }


def _size_misfits(width: int, height: int, limits: VideoLimits) -> Iterator[str]:
    size, aspect = (
        gettext("it has %(width)s by %(height)s pixels") % {"width": f"{width:,}", "height": f"{height:,}"},
        width / height,
    )
    if limits.max_side_pixels is not None and max(width, height) > limits.max_side_pixels:
        yield gettext("%(size)s, a side may have at most %(max_side_pixels)s") % {
            "size": size,
            "max_side_pixels": f"{limits.max_side_pixels:,}",
        }
    if limits.min_side_pixels is not None and min(width, height) < limits.min_side_pixels:
        yield gettext("%(size)s, a side needs at least %(min_side_pixels)s") % {
            "size": size,
            "min_side_pixels": f"{limits.min_side_pixels:,}",
        }
    if limits.max_pixels is not None and width * height > limits.max_pixels:
        yield gettext("%(size)s, %(width)s together; at most %(max_pixels)s are allowed") % {
            "size": size,
            "width": f"{width * height:,}",
            "max_pixels": f"{limits.max_pixels:,}",
        }
    if limits.max_aspect is not None and aspect > limits.max_aspect * NEAR:
        yield gettext("it is %(aspect)s times as wide as high, at most %(max_aspect)s times is allowed") % {
            "aspect": f"{aspect:.2f}",
            "max_aspect": f"{limits.max_aspect:.4g}",
        }
    if limits.min_aspect is not None and aspect * NEAR < limits.min_aspect:
        yield gettext("it is %(aspect)s times as wide as high, at least %(min_aspect)s times is needed") % {
            "aspect": f"{aspect:.2f}",
            "min_aspect": f"{limits.min_aspect:.4g}",
        }


def _type_name(mime_type: str) -> str:
    return EXTENSIONS.get(mime_type, mime_type).lstrip(".").upper()


def _listed(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _not_rendered() -> BinaryIO:
    raise LookupError(gettext("a draft's files are not rendered yet"))
