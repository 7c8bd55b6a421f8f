from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from posts.media import decoder, render
from posts.media.inspect import Picture, inspect_picture
from posts.media.plan import RenderSpec, plan_rendering
from posts.publishing.capabilities import ImageLimits
from tests.posts.media.pictures import decoded, encoded, exif, noise, png_bomb, png_chunk, quarters

SMALL = RenderSpec("image/jpeg", 80, 40, 100_000)
SMALL_PNG = RenderSpec("image/png", 80, 40, 100_000)


def facts(data: bytes) -> Picture:
    return inspect_picture(BytesIO(data), "test", max_bytes=100_000_000)


def is_near(pixel: object, expected: tuple[int, ...], by: int = 12) -> bool:
    assert isinstance(pixel, tuple)
    return len(pixel) == len(expected) and all(
        abs(one - other) <= by for one, other in zip(pixel, expected, strict=True)
    )


def colour_at(data: bytes, x: int, y: int) -> tuple[int, ...]:
    pixel = decoded(data).convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return tuple(int(value) for value in pixel)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_the_picture_upright(orientation: int) -> None:
    """The stored pixels are turned by the opposite, so the result must be the original."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = quarters()
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    source = encoded(stored, "JPEG", quality=95, subsampling=0, exif=exif(orientation))
    assert (facts(source).width, facts(source).height) == (80, 40)
    rendering = render.render(source, SMALL)
    assert decoded(rendering).size == (80, 40)
    assert is_near(colour_at(rendering, 10, 10), (255, 0, 0))
    assert is_near(colour_at(rendering, 70, 10), (0, 255, 0))
    assert is_near(colour_at(rendering, 10, 30), (0, 0, 255))


@pytest.mark.parametrize("spec", [SMALL, SMALL_PNG])
@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP"])
def test_no_metadata_goes_out(pillow_format: str, spec: RenderSpec) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {"comment": b"CanaryComment"} if pillow_format == "JPEG" else {}
    source = encoded(quarters(), pillow_format, exif=exif(1), icc_profile=profile, xmp=b"<x>CanaryXmp</x>", **more)
    if pillow_format == "PNG":
        source = source[:33] + png_chunk(b"tEXt", b"Comment\0CanaryComment") + source[33:]
    assert b"Canary" in source
    rendering = render.render(source, spec)
    assert b"Canary" not in rendering
    picture = decoded(rendering)
    assert not picture.getexif()
    assert not set(picture.info) & {"exif", "icc_profile", "xmp", "comment", "Comment", "XML:com.adobe.xmp"}


def test_colours_of_a_wide_profile_become_srgb() -> None:
    """A profile whose red and blue are swapped stands for any profile that is not sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    source = encoded(Image.new("RGB", (80, 40), "red"), "PNG", icc_profile=bytes(profile))
    assert is_near(colour_at(render.render(source, SMALL), 10, 10), (0, 0, 255))
    assert is_near(colour_at(render.render(source, SMALL_PNG), 10, 10), (0, 0, 255))


def test_a_broken_profile_is_no_reason_to_refuse() -> None:
    source = encoded(Image.new("RGB", (80, 40), "red"), "JPEG", icc_profile=b"nonsense" * 30)
    assert is_near(colour_at(render.render(source, SMALL), 10, 10), (255, 0, 0))


@pytest.mark.parametrize(
    "source",
    [
        encoded(Image.new("RGBA", (80, 40), (0, 0, 255, 0)), "PNG"),
        encoded(Image.new("RGBA", (80, 40), (0, 0, 255, 0)), "WEBP", lossless=True),
        encoded(Image.new("LA", (80, 40), (0, 0)), "PNG"),
        encoded(Image.new("P", (80, 40), 0), "GIF", transparency=0),
        encoded(Image.new("P", (80, 40), 0), "PNG", transparency=0),
    ],
)
def test_transparency_is_laid_on_white_for_jpeg_and_kept_for_png(source: bytes) -> None:
    assert is_near(colour_at(render.render(source, SMALL), 10, 10), (255, 255, 255))
    corner = decoded(render.render(source, SMALL_PNG)).convert("RGBA").getpixel((10, 10))
    assert isinstance(corner, tuple)
    assert corner[3] == 0


def test_a_half_clear_edge_is_mixed_with_white() -> None:
    source = encoded(Image.new("RGBA", (80, 40), (0, 0, 255, 128)), "PNG")
    assert is_near(colour_at(render.render(source, SMALL), 10, 10), (127, 127, 255))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (encoded(Image.new("1", (80, 40), 1), "PNG"), (255, 255, 255)),
        (encoded(Image.new("L", (80, 40), 100), "JPEG"), (100, 100, 100)),
        (encoded(Image.frombytes("I;16", (80, 40), struct.pack("<H", 100 * 257) * 3200), "PNG"), (100, 100, 100)),
        (encoded(quarters().convert("P"), "PNG"), (255, 0, 0)),
        (encoded(Image.new("CMYK", (80, 40), (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
        (encoded(Image.new("YCbCr", (80, 40), (76, 85, 255)), "JPEG"), (255, 0, 0)),
    ],
)
@pytest.mark.parametrize("spec", [SMALL, SMALL_PNG])
def test_every_mode_keeps_its_colours(source: bytes, expected: tuple[int, ...], spec: RenderSpec) -> None:
    rendering = render.render(source, spec)
    assert facts(rendering).mime_type == spec.format
    assert is_near(colour_at(rendering, 10, 10), expected)


def test_a_palette_stays_a_palette_while_its_size_does() -> None:
    source = encoded(noise(400, 300).quantize(32), "PNG")
    rendering = render.render(source, RenderSpec("image/png", 400, 300, len(source) + 1000))
    assert decoded(rendering).mode == "P"
    assert decoded(render.render(source, RenderSpec("image/png", 200, 150, 1_000_000))).mode == "RGB"


def test_quality_goes_down_before_size() -> None:
    source = encoded(noise(800, 600), "JPEG", quality=95)
    roomy = render.render(source, RenderSpec("image/jpeg", 800, 600, 2_000_000))
    tight = render.render(source, RenderSpec("image/jpeg", 800, 600, len(roomy) - 1))
    assert decoded(tight).size == decoded(roomy).size == (800, 600)
    assert len(tight) < len(roomy)


@pytest.mark.parametrize(
    ("pillow_format", "max_bytes"), [("JPEG", 300_000), ("JPEG", 60_000), ("JPEG", 20_000), ("PNG", 500_000)]
)
def test_size_goes_down_until_the_bytes_hold(pillow_format: str, max_bytes: int) -> None:
    source = encoded(noise(1000, 800), pillow_format)
    limits = ImageLimits(max_bytes, 4000, formats=(f"image/{pillow_format.lower()}",))
    spec = plan_rendering(facts(source), limits)
    rendering = render.render(source, spec)
    assert len(rendering) <= max_bytes
    assert decoded(rendering).size in spec.smaller


def stripes() -> Image.Image:
    """Red, lime and blue, from left to right."""
    picture = Image.new("RGB", (1200, 400), "lime")
    picture.paste("red", (0, 0, 400, 400))
    picture.paste("blue", (800, 0, 1200, 400))
    return picture


@pytest.mark.parametrize("source", [encoded(stripes(), "PNG"), encoded(stripes(), "JPEG", quality=95, subsampling=0)])
@pytest.mark.parametrize("side", [380, 40])
def test_a_crop_keeps_the_middle_and_nothing_else(source: bytes, side: int) -> None:
    rendering = render.render(source, RenderSpec("image/png", side, side, 1_000_000, fit="crop"))
    assert decoded(rendering).size == (side, side)
    for x in (3, side // 2, side - 4):
        assert is_near(colour_at(rendering, x, side // 2), (0, 255, 0), by=40)


def test_a_crop_is_of_the_picture_as_people_see_it() -> None:
    source = encoded(quarters(800, 400).transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif(6))
    rendering = render.render(source, RenderSpec("image/jpeg", 40, 40, 100_000, fit="crop"))
    assert is_near(colour_at(rendering, 3, 3), (255, 0, 0), by=40)
    assert is_near(colour_at(rendering, 36, 3), (0, 255, 0), by=40)


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP"])
def test_padding_puts_all_of_the_picture_on_white(pillow_format: str) -> None:
    spec = RenderSpec(f"image/{pillow_format.lower()}", 80, 80, 100_000, fit="pad")  # type: ignore[arg-type]  # one of three
    rendering = render.render(encoded(quarters(), "PNG"), spec)
    assert decoded(rendering).size == (80, 80)
    assert is_near(colour_at(rendering, 40, 8), (255, 255, 255))
    assert is_near(colour_at(rendering, 40, 72), (255, 255, 255))
    assert is_near(colour_at(rendering, 10, 30), (255, 0, 0), by=40)
    assert is_near(colour_at(rendering, 70, 30), (0, 255, 0), by=40)


def test_a_clear_picture_has_no_clear_middle_between_white_bars() -> None:
    source = encoded(Image.new("RGBA", (80, 40), (0, 0, 255, 0)), "PNG")
    rendering = render.render(source, RenderSpec("image/png", 80, 80, 100_000, fit="pad"))
    assert decoded(rendering).mode == "RGB"
    assert is_near(colour_at(rendering, 40, 40), (255, 255, 255))


def test_a_picture_is_enlarged_where_the_plan_says_so() -> None:
    assert decoded(render.render(encoded(quarters(), "PNG"), RenderSpec("image/jpeg", 160, 80, 100_000))).size == (
        160,
        80,
    )


def test_webp_keeps_transparency_and_comes_down_in_quality() -> None:
    clear = encoded(Image.new("RGBA", (80, 40), (0, 0, 255, 0)), "PNG")
    assert decoded(render.render(clear, RenderSpec("image/webp", 80, 40, 100_000))).mode == "RGBA"
    source = encoded(noise(200, 200), "PNG")
    roomy = render.render(source, RenderSpec("image/webp", 200, 200, 1_000_000))
    tight = render.render(source, RenderSpec("image/webp", 200, 200, len(roomy) - 1))
    assert len(tight) < len(roomy)
    assert decoded(tight).size == (200, 200)


def test_says_so_when_nothing_fits() -> None:
    with pytest.raises(render.DoesNotFit, match="cannot be made to fit 100 bytes"):
        render.render(encoded(noise(80, 40), "JPEG"), RenderSpec("image/jpeg", 80, 40, 100))


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_damaged_picture_is_a_typed_error(pillow_format: str) -> None:
    whole = encoded(noise(200, 200), pillow_format)
    with pytest.raises(render.DamagedPicture, match="Export it again"):
        render.render(whole[: len(whole) // 2], RenderSpec("image/jpeg", 200, 200, 1_000_000))


def test_a_picture_whose_middle_is_missing_is_refused_though_its_header_is_whole() -> None:
    whole = encoded(noise(400, 400), "PNG")
    start = whole.index(b"IDAT") + 100
    hollow = whole[:start] + bytes(1000) + whole[start + 1000 :]
    assert facts(hollow).width == 400
    with pytest.raises(render.DamagedPicture):
        render.render(hollow, RenderSpec("image/jpeg", 400, 400, 1_000_000))


@pytest.mark.parametrize("source", [b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", png_bomb()])
def test_other_types_and_bombs_never_reach_the_decoder(source: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(render.DamagedPicture) as caught:
        render.render(source, SMALL)
    assert "was refused" in caught.value.detail
    assert time.monotonic() - started < 5


def run_decoder(code: str, source: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the decoder's process with ``code`` before its main function, as a stand-in for what hostile files do."""
    program = f"import sys\nfrom posts.media import decoder\n{code}\nsys.exit(decoder.main())"
    spec = '{"format": "image/jpeg", "width": 80, "height": 40, "max_bytes": 100000, "smaller": []}'
    return subprocess.run([sys.executable, "-c", program, spec], input=source, capture_output=True, check=False)


def test_memory_is_limited() -> None:
    big = encoded(Image.new("RGB", (6000, 6000)), "PNG")
    done = run_decoder("decoder.MEMORY_LIMIT_BYTES = 150_000_000", big)
    assert done.returncode == decoder.Exit.TOO_DEMANDING
    assert run_decoder("", big).returncode == decoder.Exit.DONE


def test_the_process_can_write_no_file(tmp_path: Path) -> None:
    target = tmp_path / "canary"
    code = f"decoder.inspect_picture = lambda *_, **__: open({str(target)!r}, 'wb', 0).write(b'x')"
    done = run_decoder(code, encoded(quarters(), "PNG"))
    assert done.returncode != decoder.Exit.DONE
    assert not target.exists() or target.stat().st_size == 0


def fake_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("kill -SEGV $$", render.DamagedPicture),
        ("kill -KILL $$", render.TooDemanding),
        ("kill -XCPU $$", render.TooDemanding),
        ("kill -TERM $$", RuntimeError),
        ("echo ModuleNotFoundError >&2; exit 1", RuntimeError),
        ("cat >/dev/null; printf '<html>'", render.DamagedPicture),
    ],
)
def test_each_end_of_the_process_has_its_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, expected: type[Exception]
) -> None:
    fake_python(monkeypatch, tmp_path, script)
    with pytest.raises(expected):
        render.render(encoded(quarters(), "PNG"), SMALL)


def test_time_is_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_python(monkeypatch, tmp_path, "exec sleep 60")
    monkeypatch.setattr(render, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(render.TooDemanding, match="Make it smaller"):
        render.render(encoded(quarters(), "PNG"), SMALL)


def test_an_answer_that_was_not_ordered_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(encoded(quarters(10, 10), "PNG"))
    fake_python(monkeypatch, tmp_path, f"cat >/dev/null; cat {other}")
    for spec in (SMALL, SMALL_PNG):
        with pytest.raises(render.DamagedPicture):
            render.render(encoded(quarters(), "PNG"), spec)


def test_no_secret_of_ours_goes_to_the_decoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "environment"
    monkeypatch.setenv("SECRET_KEY", "canary-secret")
    fake_python(monkeypatch, tmp_path, f"/usr/bin/env > {log}; exit 1")
    with pytest.raises(RuntimeError):
        render.render(encoded(quarters(), "PNG"), SMALL)
    assert "PYTHONPATH" in log.read_text()
    assert "canary-secret" not in log.read_text()


def test_works_in_a_forked_daemonic_worker() -> None:
    """As in a cluster: a daemonic process may not start children by multiprocessing."""
    code = (
        "import multiprocessing, sys\n"
        "from tests.posts.media.pictures import encoded, quarters\n"
        "from posts.media.plan import RenderSpec\n"
        "from posts.media.render import render\n"
        "def work():\n"
        "    render(encoded(quarters(), 'PNG'), RenderSpec('image/jpeg', 80, 40, 100_000))\n"
        "worker = multiprocessing.get_context('fork').Process(target=work, daemon=True)\n"
        "worker.start(); worker.join(30); sys.exit(worker.exitcode)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_decoder_ends_with_the_worker_that_started_it() -> None:
    """It waits for the rest of a source that never comes; its worker is killed; it must be gone."""
    code = (
        "import subprocess, sys, time\n"
        'spec = \'{"format": "image/jpeg", "width": 8, "height": 4, "max_bytes": 1000, "smaller": []}\'\n'
        "keep = 'from posts.media.sandbox import limit_ourselves; '\n"
        "keep += 'limit_ourselves(memory_bytes=1 << 30, cpu_seconds=60); print(1, flush=True); '\n"
        "keep += 'import time; time.sleep(60)'\n"
        "child = subprocess.Popen([sys.executable, '-c', keep, spec], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    pid = int(worker.stdout.readline())
    worker.kill()
    worker.wait()
    worker.stdout.close()
    deadline = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_photo_of_12_megapixels_takes_a_couple_of_seconds() -> None:
    source = encoded(noise(252, 189).resize((4032, 3024), Image.Resampling.BICUBIC), "JPEG", quality=92)
    spec = plan_rendering(facts(source), ImageLimits(1_000_000, 4000))
    before = os.times()
    rendering = render.render(source, spec)
    after = os.times()
    assert len(rendering) <= 1_000_000
    assert after.children_user - before.children_user < 6
