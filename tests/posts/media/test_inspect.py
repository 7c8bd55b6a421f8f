from __future__ import annotations

import struct
import time
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from posts.media.inspect import (
    AnimatedPicture,
    DamagedFile,
    FileRefused,
    FileTooLarge,
    Picture,
    TooManyPixels,
    WrongType,
    inspect_picture,
)
from posts.media.walker import PARTS_MAX
from tests.posts.media.pictures import encoded, exif, noise, png_bomb, png_chunk, quarters

JPEG = encoded(noise(80, 40), "JPEG")
PNG = encoded(noise(80, 40), "PNG")
GIF = encoded(noise(80, 40).convert("P"), "GIF")
WEBP = encoded(noise(80, 40), "WEBP")


def inspect(data: bytes, name: str = "a.jpg", max_bytes: int = 10_000_000) -> Picture:
    return inspect_picture(BytesIO(data), name, max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (JPEG, "image/jpeg"),
        (encoded(noise(80, 40), "JPEG", progressive=True), "image/jpeg"),
        (encoded(noise(80, 40).convert("CMYK"), "JPEG"), "image/jpeg"),
        (PNG, "image/png"),
        (encoded(noise(80, 40).convert("P"), "PNG"), "image/png"),
        (encoded(noise(80, 40).convert("1"), "PNG"), "image/png"),
        (GIF, "image/gif"),
        (WEBP, "image/webp"),
        (encoded(noise(80, 40), "WEBP", lossless=True), "image/webp"),
    ],
)
def test_tells_type_and_size_by_content_whatever_the_name_says(data: bytes, mime_type: str) -> None:
    assert inspect(data, "../../evil.svg") == Picture(mime_type, 80, 40, len(data))


def test_leaves_the_file_at_its_start() -> None:
    file = BytesIO(PNG)
    inspect_picture(file, "a.png", max_bytes=10_000_000)
    assert file.read() == PNG


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_gives_the_size_as_people_see_it(pillow_format: str, orientation: int) -> None:
    picture = inspect(encoded(noise(80, 40), pillow_format, exif=exif(orientation)))
    assert picture.orientation == orientation
    assert (picture.width, picture.height) == ((80, 40) if orientation < 5 else (40, 80))


def test_an_orientation_that_makes_no_sense_is_ignored() -> None:
    damaged = encoded(noise(80, 40), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert inspect(damaged).orientation == 1
    assert inspect(encoded(noise(80, 40), "JPEG", exif=exif(9))).orientation == 1


def test_sees_transparency() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert inspect(encoded(clear, "PNG")).has_alpha
    assert inspect(encoded(clear, "WEBP")).has_alpha
    assert inspect(encoded(clear, "WEBP", lossless=True)).has_alpha
    assert inspect(encoded(Image.new("P", (8, 8)), "GIF", transparency=0)).has_alpha
    assert inspect(encoded(Image.new("P", (8, 8)), "PNG", transparency=0)).has_alpha
    assert not inspect(PNG).has_alpha


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS or PostScript"),
        (b"\xc5\xd0\xd3\xc6" + bytes(40), "EPS or PostScript"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "HTML"),
        (b"%PDF-1.7", "PDF"),
        (b"II*\0" + bytes(40), "TIFF"),
        (b"BM" + bytes(40), "BMP"),
        (b"PK\x03\x04" + bytes(40), "ZIP"),
        (b"\0\0\0\x18ftypavif" + bytes(40), "AVIF"),
        (b"\0\0\0\x18ftypisom" + bytes(40), "video"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "playlist"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "no kind of file"),
        (b"", "the file is empty"),
        (bytes(100), "no kind of file"),
    ],
)
def test_refuses_every_other_type_and_says_what_it_is(data: bytes, found: str) -> None:
    with pytest.raises(WrongType) as caught:
        inspect(data, "holiday.jpg")
    message = str(caught.value)
    assert message.startswith("“holiday.jpg” was refused")
    assert found in message
    assert (
        "JPEG, PNG, GIF and WebP pictures, MP4, MOV, WebM and Matroska videos and PDF documents are allowed" in message
    )


def test_refuses_a_small_file_of_196_million_pixels_before_decoding_it() -> None:
    bomb = png_bomb()
    assert len(bomb) < 50_000
    with pytest.raises(TooManyPixels, match=r"14,000 by 14,000 pixels, 196\.0 million; at most 40 million"):
        inspect(bomb)


def test_the_first_picture_of_a_gif_cannot_outgrow_the_check() -> None:
    """Decoders enlarge a canvas of 1 by 1 to the picture that is put on it."""
    gif = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, 60000, 60000, 0)
    with pytest.raises(TooManyPixels):
        inspect(gif + b"\x02\x02L\x01\0;")


def test_refuses_a_file_over_the_limit_of_bytes() -> None:
    assert inspect(PNG, max_bytes=len(PNG)).size_bytes == len(PNG)
    with pytest.raises(FileTooLarge, match="at most 100 are allowed"):
        inspect(PNG, max_bytes=100)


@pytest.mark.parametrize("pillow_format", ["GIF", "PNG", "WEBP"])
def test_refuses_what_moves(pillow_format: str) -> None:
    frames = [noise(16, 16), quarters(16, 16), Image.new("RGB", (16, 16))]
    moving = encoded(frames[0], pillow_format, save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(AnimatedPicture, match="only still pictures"):
        inspect(moving)


@pytest.mark.parametrize("data", [JPEG, PNG, WEBP])
def test_refuses_a_file_cut_off_anywhere(data: bytes) -> None:
    for length in (*range(12, 200, 7), len(data) // 2, len(data) - 100):
        with pytest.raises(DamagedFile):
            inspect(data[:length])


def test_refuses_a_gif_cut_off_in_its_picture() -> None:
    with pytest.raises(DamagedFile, match="it ends early"):
        inspect(GIF[: len(GIF) // 2])


def test_takes_a_gif_without_an_end_mark() -> None:
    assert inspect(GIF.removesuffix(b";")).mime_type == "image/gif"


@pytest.mark.parametrize(
    "data",
    [
        PNG[:20] + b"\xff" + PNG[21:],
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 8, 8, 2, 0, 0, 0)),
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 3, 2, 0, 0, 0)),
        PNG[:33] + png_chunk(b"IEND", b""),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xda\0\x02\xff\xd9",
        b"\xff\xd8\xff\xc0\0\0",
        b"GIF89a" + bytes(6) + b"\0;",
        b"RIFF\x04\0\0\0WEBP",
    ],
)
def test_refuses_a_header_that_makes_no_sense(data: bytes) -> None:
    with pytest.raises(DamagedFile, match="was refused: it"):
        inspect(data)


def test_a_file_of_endless_tiny_parts_is_given_up() -> None:
    started = time.process_time()
    with pytest.raises(DamagedFile, match="too many parts"):
        inspect(PNG[:33] + png_chunk(b"teSt", b"") * PARTS_MAX, max_bytes=100_000_000)
    assert time.process_time() - started < 5


def test_shows_a_hostile_name_as_one_short_line() -> None:
    with pytest.raises(WrongType) as caught:
        inspect(b"", "a\0b\n\u202e" + "x" * 300)
    assert caught.value.name.startswith("a\ufffdb\ufffd\ufffdxxx")
    assert len(caught.value.name) == 80


@given(
    st.sampled_from([JPEG, PNG, GIF, WEBP]), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6)
)
def test_a_damaged_header_is_taken_or_refused_but_never_crashes(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for position, value in changes:
        damaged[position] = value
    try:
        picture = inspect(bytes(damaged))
    except FileRefused:
        return
    assert 0 < picture.width * picture.height <= 40_000_000
