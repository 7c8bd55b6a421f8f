from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from posts.media.inspect import Picture
from posts.media.plan import ImpossibleError, RenderSpec, plan_rendering
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
    with pytest.raises(ImpossibleError, match=r"20.0 times the shorter, at most 20 times is allowed. Crop it."):
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


@given(
    width=st.integers(1, 40_000),
    height=st.integers(1, 40_000),
    side=st.integers(50, 10_000),
    sides_sum=st.none() | st.integers(100, 12_000),
    ratio=st.none() | st.floats(1, 25),
)
def test_every_size_keeps_every_limit(
    width: int, height: int, side: int, sides_sum: int | None, ratio: float | None
) -> None:
    limits = ImageLimits(1_000_000, side, max_sides_sum_pixels=sides_sum, max_ratio=ratio)
    try:
        spec = plan_rendering(picture(width, height), limits)
    except ImpossibleError:
        assume(False)
        raise
    assert list(spec.sizes) == sorted(set(spec.sizes), reverse=True)
    for shown_width, shown_height in spec.sizes:
        longer, shorter = max(shown_width, shown_height), min(shown_width, shown_height)
        assert shorter >= 1
        assert shown_width <= width
        assert shown_height <= height
        assert longer <= side
        assert sides_sum is None or longer + shorter <= sides_sum
        assert ratio is None or longer <= ratio * shorter
        assert shown_width == shown_height or (shown_width > shown_height) == (width > height)
