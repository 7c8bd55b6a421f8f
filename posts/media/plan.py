"""From a picture's facts and a platform's limits to the rendering to make. Pure: no file, no database, no decoder.

Owns the choice of format, of sizes and of shape. A picture whose shape does not fit is cropped to its middle or put on
white where the person chose so, else it is refused (``ImpossibleError``). Pictures are enlarged only as far as a
network's smallest side asks for, and never to more than four times their size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import isqrt
from typing import Any, Literal

from posts.media.inspect import Picture
from posts.publishing.capabilities import ImageLimits

Format = Literal["image/jpeg", "image/png", "image/webp"]
Fit = Literal["refuse", "crop", "pad"]
Size = tuple[int, int]

RECIPE = 2  # raised when the renderer makes something else of the same spec, so that kept files are made anew
SHRINK = Fraction(4, 5)
SMALLEST_SIDE_PIXELS = 320  # the longer side is not shrunk below this only to save bytes
ENLARGED_AT_MOST = 4  # beyond it nothing of a picture can be seen any more
FITS: tuple[Fit, ...] = ("refuse", "crop", "pad")
FIT_OPTION = "fit"  # the name of the choice among a delivery's options


@dataclass(frozen=True, slots=True)
class RenderSpec:
    """A rendering. ``width`` and ``height`` are in pixels, upright; ``smaller`` are the sizes to fall back to, in this
    order, while the file has more than ``max_bytes``. Where they have another shape than the picture, ``fit`` says
    whether its middle fills them (``crop``) or all of it stands on white there (``pad``)."""

    format: Format
    width: int
    height: int
    max_bytes: int
    smaller: tuple[Size, ...] = ()
    fit: Fit = "refuse"

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
    """No rendering keeps the limits; ``str()`` says what of the picture is in the way and what to do."""


class WrongShape(ImpossibleError):
    """The picture is too wide or too high for ``shape``; cropping or padding it would help."""

    def __init__(self, width: int, height: int, shape: Shape) -> None:
        self.width, self.height, self.shape = width, height, shape
        super().__init__(
            f"The picture has {width:,} by {height:,} pixels: {_against(width, height, shape)}. "
            "Crop it, or choose that it is cropped or put on white."
        )


class TooSmall(ImpossibleError):
    """The picture is so small that it would have to be enlarged beyond recognition."""

    def __init__(self, width: int, height: int, min_side_pixels: int) -> None:
        self.width, self.height, self.min_side_pixels = width, height, min_side_pixels
        super().__init__(
            f"The picture has {width:,} by {height:,} pixels, each side needs at least {min_side_pixels:,}, and it is "
            f"enlarged {ENLARGED_AT_MOST} times at most. Use a larger one."
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """Which shapes fit: width over height from ``narrowest`` to ``widest``."""

    narrowest: Fraction
    widest: Fraction

    def nearest(self, width: int, height: int) -> Fraction:
        """Return the allowed width over height that is nearest to the picture's own."""
        return max(self.narrowest, min(self.widest, Fraction(width, height)))


def plan_rendering(picture: Picture, limits: ImageLimits, fit: Fit = "refuse") -> RenderSpec:
    """Return how to render ``picture`` so that it keeps ``limits``; raises ``ImpossibleError``.

    A picture is always rendered anew, which is what takes its metadata off. Pictures without loss (PNG, GIF) and
    transparent ones stay without loss where that is allowed and they are small enough; all others become JPEG,
    transparency on white. ``fit`` is what a person chose for shapes that do not fit; where they do, it changes nothing.
    """
    shape = shape_of(limits)
    aspect = shape.nearest(picture.width, picture.height)
    fits = aspect == Fraction(picture.width, picture.height)
    if not fits and fit == "refuse":
        raise WrongShape(picture.width, picture.height, shape)
    width, height = canvas(picture.width, picture.height, aspect, fit)
    scale = _scale(width, height, limits)
    if scale > ENLARGED_AT_MOST:
        raise TooSmall(picture.width, picture.height, limits.min_side_pixels or 0)
    factors = _factors(width * scale, height * scale, limits)
    sizes = (_scaled(width, height, scale * factor, shape) for factor in factors)
    first, *smaller = dict.fromkeys(sizes)
    chosen: Fit = "refuse" if fits else fit
    return RenderSpec(_format(picture, limits), *first, limits.max_bytes, tuple(smaller), chosen)


def shape_of(limits: ImageLimits) -> Shape:
    """Return the shapes that ``limits`` allow; a longest and a shortest side leave no others either."""
    shortest = limits.min_side_pixels or 1
    longest = [limits.max_side_pixels]
    if limits.max_sides_sum_pixels is not None:
        longest.append(limits.max_sides_sum_pixels - shortest)
    if limits.max_pixels is not None:
        longest.append(limits.max_pixels // shortest)
    ratio = Fraction(min(longest), shortest)
    if limits.max_ratio is not None:
        ratio = min(ratio, _exact(limits.max_ratio))
    narrowest = max(1 / ratio, _exact(limits.min_aspect or 0))
    return Shape(narrowest, min(ratio, _exact(limits.max_aspect)) if limits.max_aspect is not None else ratio)


def fit_of(options: Mapping[str, Any]) -> Fit:
    """Return what was chosen for pictures whose shape does not fit; to refuse them where nothing of use was."""
    chosen = options.get(FIT_OPTION)
    return next((fit for fit in FITS if fit == chosen), "refuse")


def has_shape_limit(limits: ImageLimits) -> bool:
    """Say whether there are shapes that ``limits`` refuse, so that a person has something to choose."""
    return (limits.max_ratio, limits.min_aspect, limits.max_aspect) != (None, None, None)


def canvas(width: Fraction | int, height: Fraction | int, aspect: Fraction, fit: Fit) -> tuple[Fraction, Fraction]:
    """Return the size of shape ``aspect`` that is cut out of a picture, or that it is put on."""
    width, height = Fraction(width), Fraction(height)
    is_too_wide = width > aspect * height
    if is_too_wide == (fit == "crop"):
        return aspect * height, height
    return width, width / aspect


def _exact(ratio: float) -> Fraction:
    """Return what a float such as 1.91 means: 191 over 100, not the binary number next to it."""
    return Fraction(ratio).limit_denominator(10_000)


def _against(width: int, height: int, shape: Shape) -> str:
    if shape.narrowest * shape.widest == 1:
        ratio = max(width, height) / min(width, height)
        return f"its longer side is {ratio:.1f} times the shorter, at most {float(shape.widest):.4g} times is allowed"
    aspect = f"it is {width / height:.2f} times as wide as high"
    if width > shape.widest * height:
        return f"{aspect}, at most {float(shape.widest):.4g} times is allowed"
    return f"{aspect}, at least {float(shape.narrowest):.4g} times is needed"


def _format(picture: Picture, limits: ImageLimits) -> Format:
    is_lossless = picture.mime_type in ("image/png", "image/gif") or picture.has_alpha
    if "image/png" in limits.formats and is_lossless and picture.size_bytes <= limits.max_bytes:
        return "image/png"
    if picture.has_alpha and "image/webp" in limits.formats and "image/png" not in limits.formats:
        return "image/webp"
    known: tuple[Format, ...] = ("image/jpeg", "image/webp", "image/png")
    return next((mime_type for mime_type in known if mime_type in limits.formats), "image/jpeg")


def _scale(width: Fraction, height: Fraction, limits: ImageLimits) -> Fraction:
    """Return the factor that brings a picture of a shape that fits within all limits; over 1 only if it must be."""
    scale = min(Fraction(1), limits.max_side_pixels / max(width, height))
    if limits.max_sides_sum_pixels is not None:
        scale = min(scale, limits.max_sides_sum_pixels / (width + height))
    if limits.max_pixels is not None:
        # The root of a fraction, rounded down to a millionth.
        scale = min(scale, Fraction(isqrt(int(limits.max_pixels * 10**12 / (width * height))), 10**6))
    if limits.min_side_pixels is not None:
        scale = max(scale, limits.min_side_pixels / min(width, height))
    return scale


def _factors(width: Fraction, height: Fraction, limits: ImageLimits) -> list[Fraction]:
    factors, shortest = [Fraction(1)], limits.min_side_pixels or 0
    while True:
        next_one = factors[-1] * SHRINK
        if max(width, height) * next_one < SMALLEST_SIDE_PIXELS or min(width, height) * next_one < shortest:
            return factors
        factors.append(next_one)


def _scaled(width: Fraction, height: Fraction, scale: Fraction, shape: Shape) -> Size:
    """Return whole pixels; rounding down to them must not break the shape, so one side gives way."""
    whole_width, whole_height = max(1, int(width * scale)), max(1, int(height * scale))
    whole_width = max(1, min(whole_width, int(whole_height * shape.widest)))
    return whole_width, max(1, min(whole_height, int(whole_width / shape.narrowest)))
