"""What a platform takes, as data. Read by validation, by the media planner, by counters and by the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TextUnit = Literal["graphemes", "code_points", "utf16", "utf8_bytes"]


@dataclass(frozen=True, slots=True)
class TextLimit:
    """At most ``maximum`` of ``unit`` in a text. A platform may have several; all must hold."""

    unit: TextUnit
    maximum: int


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one picture may be. ``max_side_pixels`` bounds width and height, ``max_sides_sum_pixels`` their sum,
    ``max_ratio`` the longer side over the shorter; ``None`` means no such limit. Pictures are rendered to fit
    bytes and pixels; a ratio over the limit is refused."""

    max_bytes: int
    max_side_pixels: int
    formats: tuple[str, ...] = ("image/jpeg", "image/png")
    max_sides_sum_pixels: int | None = None
    max_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A platform's limits. ``caption`` replaces ``text`` when media is attached, where it differs."""

    text: tuple[TextLimit, ...]
    max_images: int
    images: ImageLimits
    caption: tuple[TextLimit, ...] = ()
    alt_text: tuple[TextLimit, ...] = ()
    supports_alt_text: bool = True

    def text_limits(self, *, with_media: bool) -> tuple[TextLimit, ...]:
        """Return the limits of a text that goes out with or without media."""
        return self.caption if with_media and self.caption else self.text
