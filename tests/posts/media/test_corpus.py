"""Every picture of the corpus, for every platform there is and every choice of shape: inside the limits, and clean."""

from __future__ import annotations

from io import BytesIO

import pytest

from posts.media import decoder, render
from posts.media.inspect import Picture, inspect_picture, takes_heic
from posts.media.plan import FITS, RenderSpec, TooSmall, WrongShape, has_shape_limit, plan_rendering
from posts.publishing import registry
from posts.publishing.capabilities import ImageLimits
from tests.posts.media.corpus import corpus
from tests.posts.media.pictures import decoded, file
from tests.posts.media.test_render import colour_at, is_near

FILES = dict(corpus())
# Limits of kinds that not every set of platforms has: feeds of one shape, no PNG, a number of pixels.
OTHERS = (
    ImageLimits(8_000_000, 1440, ("image/jpeg",), min_side_pixels=320, min_aspect=0.8, max_aspect=1.91),
    ImageLimits(200_000, 1080, ("image/jpeg", "image/webp"), max_ratio=2.4),
    ImageLimits(1_000_000, 9000, ("image/webp",), max_pixels=500_000),
)
NEAR = 1 + 1e-6  # a ratio stands for the fraction that a person means by it


def facts(data: bytes) -> Picture:
    return inspect_picture(BytesIO(data), "test", max_bytes=100_000_000)


def limits_of_all() -> dict[ImageLimits, list[str]]:
    """The platforms by their limits for pictures, as they stand without an account."""
    found: dict[ImageLimits, list[str]] = {limits: [] for limits in OTHERS}
    for name, platform in registry.platforms().items():
        if platform.capabilities.max_images:
            found.setdefault(platform.capabilities.images, []).append(name)
    return found


def keeps(limits: ImageLimits, data: bytes) -> None:
    picture = decoded(data)
    (width, height), longer, shorter = picture.size, max(picture.size), min(picture.size)
    assert f"image/{(picture.format or '').lower()}" in limits.formats
    assert len(data) <= limits.max_bytes
    assert longer <= limits.max_side_pixels
    assert limits.max_sides_sum_pixels is None or width + height <= limits.max_sides_sum_pixels
    assert limits.max_pixels is None or width * height <= limits.max_pixels
    assert limits.min_side_pixels is None or shorter >= limits.min_side_pixels
    assert limits.max_ratio is None or longer <= shorter * limits.max_ratio * NEAR
    assert limits.max_aspect is None or width <= height * limits.max_aspect * NEAR
    assert limits.min_aspect is None or width * NEAR >= height * limits.min_aspect


@pytest.mark.parametrize("name", FILES)
def test_fits_every_platform_and_carries_no_metadata(name: str) -> None:
    source = FILES[name]
    made: set[RenderSpec] = set()
    for limits in limits_of_all():
        for fit in FITS:
            try:
                spec = plan_rendering(facts(source), limits, fit)
            except WrongShape:
                assert fit == "refuse"
                assert has_shape_limit(limits) or limits.min_side_pixels
                continue
            except TooSmall:
                assert limits.min_side_pixels
                continue
            if spec in made:
                continue
            made.add(spec)
            # The same code as in the process of its own, which test_render is about; a hundred starts take a minute.
            rendering = decoder._render(source, spec)
            assert rendering is not None
            keeps(limits, rendering)
            assert b"Canary" not in rendering
            assert not decoded(rendering).getexif()
    assert made


def test_every_platform_is_among_them() -> None:
    names = [name for names in limits_of_all().values() for name in names]
    assert {"outbox", "bluesky", "telegram"} <= set(names)


@pytest.mark.skipif(not takes_heic(), reason="the extra heif is not installed")
@pytest.mark.parametrize("name", ["quarters.heic", "quarters-turned.heic"])
def test_a_heic_picture_is_rendered_upright_without_its_metadata(name: str) -> None:
    source = file(name)
    assert b"CanaryPhone" in source
    rendering = render.render(source, plan_rendering(facts(source), ImageLimits(100_000, 1000)))
    assert (facts(rendering).mime_type, decoded(rendering).size) == ("image/jpeg", (64, 32))
    assert is_near(colour_at(rendering, 8, 8), (255, 0, 0), by=40)
    assert is_near(colour_at(rendering, 56, 8), (0, 255, 0), by=40)
    assert is_near(colour_at(rendering, 8, 24), (0, 0, 255), by=40)
    assert b"Canary" not in rendering
