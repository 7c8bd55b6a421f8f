"""What a platform takes, as data. Read by validation, by the media planner, by counters and by the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TextUnit = Literal["graphemes", "code_points", "utf16", "utf8_bytes", "x_weighted", "mastodon", "threads"]
Mark = Literal["link", "hashtag", "mention", "tag", "handle"]


@dataclass(frozen=True, slots=True)
class TextLimit:
    """At most ``maximum`` of ``unit`` in a text. A platform may have several; all must hold.

    ``link_length`` is what every link counts, whatever its real length, where the unit knows links.
    """

    unit: TextUnit
    maximum: int
    link_length: int = 23


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one picture may be. ``max_side_pixels`` bounds width and height, ``max_sides_sum_pixels`` their sum,
    ``max_pixels`` their product, ``min_side_pixels`` each of them; ``max_ratio`` the longer side over the shorter.
    ``min_aspect`` and ``max_aspect`` bound width over height. ``None`` means no such limit. Pictures are rendered to
    fit bytes, pixels and format; where the shape does not fit, the person chooses to crop, to pad or to be refused."""

    max_bytes: int
    max_side_pixels: int
    formats: tuple[str, ...] = ("image/jpeg", "image/png")
    max_sides_sum_pixels: int | None = None
    max_pixels: int | None = None
    min_side_pixels: int | None = None
    max_ratio: float | None = None
    min_aspect: float | None = None
    max_aspect: float | None = None


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What one video, or animated picture, may be. It is never transcoded: what does not fit is refused in words.

    ``codecs`` are names as FFmpeg gives them; empty means any. ``None`` means no such limit.
    """

    max_bytes: int
    formats: tuple[str, ...] = ("video/mp4",)
    max_seconds: float | None = None
    min_seconds: float | None = None
    min_side_pixels: int | None = None
    max_side_pixels: int | None = None
    max_pixels: int | None = None
    max_frames_per_second: float | None = None
    min_aspect: float | None = None
    max_aspect: float | None = None
    codecs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What one document may be."""

    max_bytes: int
    formats: tuple[str, ...] = ("application/pdf",)


@dataclass(frozen=True, slots=True)
class Window:
    """A limit that the network documents: at most ``count`` posts in any ``seconds``, of one account or the whole app.

    It is what a site keeps to by itself; what the network's headers say comes on top of it. ``option`` is the name and
    value of a platform's option where only posts with that choice count.
    """

    count: int
    seconds: int
    scope: Literal["account", "app"] = "account"
    option: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A platform's limits. ``caption`` replaces ``text`` when media is attached, where it differs.

    ``gifs`` are animated pictures; where it is ``None`` they are refused. ``mixes`` says that pictures and videos go
    together. ``fetches_media`` says that the network downloads files itself, so the site must be reachable from
    outside. ``threads`` says that a post can answer the one before it; ``comment`` are the limits of a first comment,
    empty where there is none. ``marks`` are what the network makes links of in a text, for previews: addresses,
    hashtags, people as ``@name``; ``tag`` and ``handle`` are those of Bluesky (``@name.example.com``).
    """

    text: tuple[TextLimit, ...]
    max_images: int
    images: ImageLimits
    caption: tuple[TextLimit, ...] = ()
    alt_text: tuple[TextLimit, ...] = ()
    supports_alt_text: bool = True
    max_videos: int = 0
    videos: VideoLimits | None = None
    max_gifs: int = 1
    gifs: VideoLimits | None = None
    max_documents: int = 0
    documents: DocumentLimits | None = None
    mixes: bool = False
    needs_media: bool = False
    fetches_media: bool = False
    threads: bool = False
    comment: tuple[TextLimit, ...] = ()
    max_links: int | None = None
    max_hashtags: int | None = None
    max_mentions: int | None = None
    marks: tuple[Mark, ...] = ("link", "hashtag", "mention")

    def text_limits(self, *, with_media: bool) -> tuple[TextLimit, ...]:
        """Return the limits of a text that goes out with or without media."""
        return self.caption if with_media and self.caption else self.text
