from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from posts.media.inspect import Picture
from posts.media.plan import (
    FITS,
    Fit,
    ImpossibleError,
    RenderSpec,
    TooSmall,
    WrongShape,
    has_shape_limit,
    plan_rendering,
)
from posts.publishing.capabilities import ImageLimits

BLUESKY = ImageLimits(max_bytes=1_000_000, max_side_pixels=4000)
TELEGRAM = ImageLimits(max_bytes=10_000_000, max_side_pixels=10_000, max_sides_sum_pixels=10_000, max_ratio=20)
JPEG_ONLY = ImageLimits(max_bytes=8_000_000, max_side_pixels=4000, formats=("image/jpeg",))
PNG_ONLY = ImageLimits(max_bytes=8_000_000, max_side_pixels=4000, formats=("image/png",))


def picture(
    width: int = 800, height: int = 600, mime_type: str = "image/jpeg", size_bytes: int = 200_000, **more: bool
) -> Picture:
    return Picture(mime_type, width, height, size_bytes, **more)


def test_a_picture_within_the_limits_keeps_its_size() -> None:
    spec = plan_rendering(picture(4000, 3000), BLUESKY)
    assert (spec.format, spec.width, spec.height, spec.max_bytes) == ("image/jpeg", 4000, 3000, 1_000_000)


def test_a_small_picture_is_not_enlarged() -> None:
    assert plan_rendering(picture(10, 5), BLUESKY).sizes == ((10, 5),)


def test_the_longer_side_is_brought_to_the_limit() -> None:
    assert plan_rendering(picture(8000, 6000), BLUESKY).sizes[0] == (4000, 3000)
    assert plan_rendering(picture(3000, 6000), BLUESKY).sizes[0] == (2000, 4000)


def test_the_sum_of_the_sides_is_brought_to_the_limit() -> None:
    assert plan_rendering(picture(6000, 6000), TELEGRAM).sizes[0] == (5000, 5000)


def test_refuses_a_shape_over_the_ratio_and_says_so() -> None:
    assert plan_rendering(picture(4000, 200), TELEGRAM).sizes[0] == (4000, 200)
    with pytest.raises(ImpossibleError, match=r"20.0 times the shorter, at most 20 times is allowed. Crop it, or "):
        plan_rendering(picture(4001, 200), TELEGRAM)
    with pytest.raises(ImpossibleError):
        plan_rendering(picture(200, 4001), TELEGRAM)


def test_rounding_to_whole_pixels_does_not_break_the_ratio() -> None:
    assert plan_rendering(picture(11_999, 600), TELEGRAM).sizes[0] == (9520, 476)


@pytest.mark.parametrize(
    ("source", "limits", "expected"),
    [
        (picture(mime_type="image/png"), BLUESKY, "image/png"),
        (picture(mime_type="image/gif"), BLUESKY, "image/png"),
        (picture(mime_type="image/webp", has_alpha=True), BLUESKY, "image/png"),
        (picture(mime_type="image/webp"), BLUESKY, "image/jpeg"),
        (picture(mime_type="image/png", size_bytes=1_000_001), BLUESKY, "image/jpeg"),
        (picture(mime_type="image/png", has_alpha=True), JPEG_ONLY, "image/jpeg"),
        (picture(), PNG_ONLY, "image/png"),
    ],
)
def test_chooses_the_format(source: Picture, limits: ImageLimits, expected: str) -> None:
    assert plan_rendering(source, limits).format == expected


def test_the_sizes_to_fall_back_to_shrink_by_a_fifth() -> None:
    assert plan_rendering(picture(1000, 500), BLUESKY).sizes == (
        (1000, 500), (800, 400), (640, 320), (512, 256), (409, 204), (327, 163)
    )  # fmt: skip


def test_the_name_of_a_rendering_depends_on_every_fact_and_on_nothing_else() -> None:
    spec = RenderSpec("image/jpeg", 800, 600, 1_000_000, ((640, 480),))
    others = [
        RenderSpec("image/png", 800, 600, 1_000_000, ((640, 480),)),
        RenderSpec("image/jpeg", 801, 600, 1_000_000, ((640, 480),)),
        RenderSpec("image/jpeg", 800, 601, 1_000_000, ((640, 480),)),
        RenderSpec("image/jpeg", 800, 600, 1_000_001, ((640, 480),)),
        RenderSpec("image/jpeg", 800, 600, 1_000_000, ()),
    ]
    assert len({spec.spec_hash, *(other.spec_hash for other in others)}) == 6
    assert spec.spec_hash == RenderSpec("image/jpeg", 800, 600, 1_000_000, ((640, 480),)).spec_hash


def test_the_name_of_a_rendering_is_the_same_in_another_process() -> None:
    code = "from posts.media.plan import RenderSpec; print(RenderSpec('image/jpeg', 800, 600, 1000000).spec_hash)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == RenderSpec("image/jpeg", 800, 600, 1_000_000).spec_hash


def test_planning_needs_neither_django_nor_a_decoder() -> None:
    code = "import sys, posts.media.plan; sys.exit(bool({'django', 'PIL'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


INSTAGRAM = ImageLimits(
    max_bytes=8_000_000,
    max_side_pixels=1440,
    min_side_pixels=320,
    min_aspect=0.8,
    max_aspect=1.91,
    formats=("image/jpeg",),
)


@pytest.mark.parametrize(
    ("source", "fit", "expected"),
    [
        (picture(3000, 1000), "crop", (1438, 753)),
        (picture(1000, 3000), "crop", (1000, 1250)),
        (picture(3000, 1000), "pad", (1438, 753)),
        (picture(1000, 3000), "pad", (1152, 1440)),
        (picture(600, 300), "crop", (611, 320)),
    ],
)
def test_a_shape_that_does_not_fit_is_made_to_fit_as_the_person_chose(
    source: Picture, fit: Fit, expected: tuple[int, int]
) -> None:
    spec = plan_rendering(source, INSTAGRAM, fit)
    assert (spec.fit, spec.sizes[0]) == (fit, expected)


@pytest.mark.parametrize("fit", FITS)
def test_the_choice_changes_nothing_where_the_shape_fits(fit: Fit) -> None:
    assert plan_rendering(picture(1000, 1250), INSTAGRAM, fit) == plan_rendering(picture(1000, 1250), INSTAGRAM)
    assert plan_rendering(picture(1910, 1000), INSTAGRAM, fit).fit == "refuse"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (picture(3000, 1000), "it is 3.00 times as wide as high, at most 1.91 times is allowed"),
        (picture(1000, 3000), "it is 0.33 times as wide as high, at least 0.8 times is needed"),
    ],
)
def test_refuses_what_is_too_wide_or_too_high_unless_told_otherwise(source: Picture, sentence: str) -> None:
    with pytest.raises(WrongShape, match=sentence):
        plan_rendering(source, INSTAGRAM)


def test_a_picture_is_enlarged_as_far_as_it_must_and_no_further_than_can_be_seen() -> None:
    assert plan_rendering(picture(200, 160), INSTAGRAM).sizes == ((400, 320),)
    with pytest.raises(TooSmall, match=r"60 by 60 pixels, each side needs at least 320, and it is enlarged 4 times"):
        plan_rendering(picture(60, 60), INSTAGRAM)


def test_the_product_of_the_sides_is_brought_to_the_limit() -> None:
    limits = ImageLimits(1_000_000, 10_000, max_pixels=1_000_000)
    assert plan_rendering(picture(4000, 1000), limits).sizes[0] == (2000, 500)


def test_webp_stands_in_where_png_is_not_taken() -> None:
    limits = ImageLimits(1_000_000, 1000, formats=("image/jpeg", "image/webp"))
    assert plan_rendering(picture(mime_type="image/png", has_alpha=True), limits).format == "image/webp"
    assert plan_rendering(picture(mime_type="image/png"), limits).format == "image/jpeg"
    assert plan_rendering(picture(), ImageLimits(1_000_000, 1000, formats=("image/webp",))).format == "image/webp"


def test_there_is_something_to_choose_where_a_shape_is_limited() -> None:
    assert [has_shape_limit(limits) for limits in (BLUESKY, TELEGRAM, INSTAGRAM)] == [False, True, True]


@given(
    width=st.integers(1, 40_000),
    height=st.integers(1, 40_000),
    side=st.integers(50, 10_000),
    sides_sum=st.none() | st.integers(100, 12_000),
    pixels=st.none() | st.integers(10_000, 2_000_000),
    shortest=st.none() | st.integers(1, 49),
    ratio=st.none() | st.floats(1, 25),
    aspects=st.none() | st.tuples(st.floats(0.3, 1), st.floats(1, 3)),
    fit=st.sampled_from(FITS),
)
def test_every_size_keeps_every_limit(
    width: int,
    height: int,
    side: int,
    sides_sum: int | None,
    pixels: int | None,
    shortest: int | None,
    ratio: float | None,
    aspects: tuple[float, float] | None,
    fit: Fit,
) -> None:
    low, high = aspects or (None, None)
    limits = ImageLimits(
        1_000_000,
        side,
        max_sides_sum_pixels=sides_sum,
        max_pixels=pixels,
        min_side_pixels=shortest,
        max_ratio=ratio,
        min_aspect=low,
        max_aspect=high,
    )
    try:
        spec = plan_rendering(picture(width, height), limits, fit)
    except TooSmall:
        assume(False)
        raise
    except ImpossibleError:
        assert fit == "refuse"
        return
    near = 1 + 1e-6  # a ratio stands for the fraction that a person means by it
    for shown_width, shown_height in spec.sizes:
        longer, shorter = max(shown_width, shown_height), min(shown_width, shown_height)
        assert shorter >= (shortest or 1)
        assert longer <= side
        assert sides_sum is None or longer + shorter <= sides_sum
        assert pixels is None or longer * shorter <= pixels
        assert ratio is None or longer <= ratio * shorter * near
        assert low is None or shown_width >= low * shown_height / near
        assert high is None or shown_width <= high * shown_height * near
        if shortest is None and spec.fit != "pad":
            assert shown_width <= width
            assert shown_height <= height
