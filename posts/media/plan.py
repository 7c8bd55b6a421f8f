"""From a picture's facts and a platform's limits to the rendering to make. Pure: no file, no database, no decoder.

Owns the choice of format and of sizes. Crops nothing and enlarges nothing: a picture whose sides are too unequal is a
person's business (``ImpossibleError``).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Literal

from posts.media.inspect import Picture
from posts.publishing.capabilities import ImageLimits

Format = Literal["image/jpeg", "image/png"]
Size = tuple[int, int]

RECIPE = 1  # raised when the renderer makes something else of the same spec, so that kept files are made anew
SHRINK = Fraction(4, 5)
SMALLEST_SIDE_PIXELS = 320  # the longer side is not shrunk below this only to save bytes


@dataclass(frozen=True, slots=True)
class RenderSpec:
    """A rendering. ``width`` and ``height`` are in pixels, upright; ``smaller`` are the sizes to fall back to, in this
    order, while the file has more than ``max_bytes``."""

    format: Format
    width: int
    height: int
    max_bytes: int
    smaller: tuple[Size, ...] = ()

    @property
    def spec_hash(self) -> str:
        """A name for this rendering, the same in every process and release until ``RECIPE`` changes (32 hex digits)."""
        facts = json.dumps([RECIPE, asdict(self)], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:32]

    @property
    def sizes(self) -> tuple[Size, ...]:
        """All sizes to try, largest first."""
        return ((self.width, self.height), *self.smaller)


class ImpossibleError(ValueError):
    """No rendering keeps the limit: the picture's longer side is ``ratio`` times the shorter, over ``max_ratio``."""

    def __init__(self, width: int, height: int, max_ratio: float) -> None:
        self.width, self.height, self.max_ratio = width, height, max_ratio
        self.ratio = max(width, height) / min(width, height)
        super().__init__(
            f"The picture has {width:,} by {height:,} pixels: its longer side is {self.ratio:.1f} times the shorter, "
            f"at most {max_ratio:g} times is allowed. Crop it."
        )


def plan_rendering(picture: Picture, limits: ImageLimits) -> RenderSpec:
    """Return how to render ``picture`` so that it keeps ``limits``; raises ``ImpossibleError`` for its shape.

    A picture is always rendered anew, which is what takes its metadata off, but never enlarged. Pictures without loss
    (PNG, GIF) and transparent ones stay without loss where that is allowed and they are small enough; all others
    become JPEG, transparency on white.
    """
    width, height = picture.width, picture.height
    if limits.max_ratio is not None and max(width, height) > limits.max_ratio * min(width, height):
        raise ImpossibleError(width, height, limits.max_ratio)
    scale = _largest_scale(width, height, limits)
    first, *smaller = dict.fromkeys(
        _scaled(width, height, scale * factor, limits) for factor in _factors(max(width, height) * scale)
    )
    return RenderSpec(_format(picture, limits), *first, limits.max_bytes, tuple(smaller))


def _format(picture: Picture, limits: ImageLimits) -> Format:
    is_lossless = picture.mime_type in ("image/png", "image/gif") or picture.has_alpha
    png_fits = "image/png" in limits.formats and is_lossless and picture.size_bytes <= limits.max_bytes
    return "image/png" if png_fits or "image/jpeg" not in limits.formats else "image/jpeg"


def _largest_scale(width: int, height: int, limits: ImageLimits) -> Fraction:
    scale = min(Fraction(1), Fraction(limits.max_side_pixels, max(width, height)))
    if limits.max_sides_sum_pixels is not None:
        scale = min(scale, Fraction(limits.max_sides_sum_pixels, width + height))
    return scale


def _factors(longer: Fraction) -> list[Fraction]:
    factors = [Fraction(1)]
    while longer * factors[-1] * SHRINK >= SMALLEST_SIDE_PIXELS:
        factors.append(factors[-1] * SHRINK)
    return factors


def _scaled(width: int, height: int, scale: Fraction, limits: ImageLimits) -> Size:
    """Return whole pixels; rounding down to them must not break the ratio, so the longer side gives way."""
    shorter, longer = (max(1, int(side * scale)) for side in sorted((width, height)))
    if limits.max_ratio is not None:
        longer = min(longer, int(shorter * limits.max_ratio))
    if limits.max_sides_sum_pixels is not None:
        longer = min(longer, limits.max_sides_sum_pixels - shorter)
    return (longer, shorter) if width >= height else (shorter, longer)
