"""Which kinds of files are taken, told by their first bytes."""

from __future__ import annotations

import struct
import time
from io import BytesIO

import pytest

from posts.media import inspect
from posts.media.inspect import DamagedFile, FileRefused, FileTooLarge, Upload, WrongType, inspect_upload, takes_heic
from tests.posts.media.pictures import encoded, file, moving, pdf, quarters

needs_heic = pytest.mark.skipif(not takes_heic(), reason="the extra heif is not installed")


def look(data: bytes, max_bytes: int = 10_000, video_max_bytes: int = 100_000) -> Upload:
    return inspect_upload(BytesIO(data), "a.jpg", max_bytes=max_bytes, video_max_bytes=video_max_bytes)


@pytest.mark.parametrize(
    ("data", "kind", "mime_type"),
    [
        (encoded(quarters(), "PNG"), "image", "image/png"),
        (moving("GIF"), "gif", "image/gif"),
        (moving("WEBP"), "gif", "image/webp"),
        (moving("PNG"), "gif", "image/png"),
        (file("clip.mp4"), "video", "video/mp4"),
        (file("turned.mov"), "video", "video/quicktime"),
        (b"\0\0\0\x08wide\0\0\1\0mdat" + bytes(300), "video", "video/quicktime"),
        (file("clip.webm"), "video", "video/webm"),
        (file("clip.mkv"), "video", "video/x-matroska"),
        (pdf(), "document", "application/pdf"),
    ],
)
def test_tells_the_kind_by_content_whatever_the_name_says(data: bytes, kind: str, mime_type: str) -> None:
    upload = look(data)
    assert (upload.kind, upload.mime_type, upload.size_bytes) == (kind, mime_type, len(data))


@pytest.mark.parametrize("pillow_format", ["GIF", "WEBP", "PNG"])
def test_counts_the_frames_and_the_seconds_of_what_moves(pillow_format: str) -> None:
    upload = look(moving(pillow_format, 30, 20, frames=5))
    assert (upload.width, upload.height, upload.frames) == (30, 20, 5)
    assert upload.duration_seconds == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
def test_a_video_has_a_limit_of_its_own(name: str) -> None:
    data = file(name)
    assert look(data, max_bytes=10).kind == "video"
    with pytest.raises(FileTooLarge, match="at most 800 are allowed"):
        look(data, video_max_bytes=800)


def test_a_document_and_an_animation_have_that_of_pictures() -> None:
    for data in (pdf(), moving("GIF")):
        with pytest.raises(FileTooLarge, match="at most 50 are allowed"):
            look(data, max_bytes=50)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no kind of file"),
        (b"\0\0\0\x18ftyp3gp4" + bytes(40), "a 3GP video"),
        (b"\0\0\0\x18ftypM4A " + bytes(40), "a sound file"),
        (b"\0\0\0\x18ftypxxxx" + bytes(40), "a video of an unknown kind"),
        (b"\0\0\x01\xba" + bytes(40), "an MPEG video"),
        (b"\x1a\x45\xdf\xa3" + bytes(60), "a Matroska file that is neither"),
        (b"PK\x03\x04word/document.xml", "a ZIP archive"),
    ],
)
def test_other_kinds_are_refused_by_name(data: bytes, found: str) -> None:
    with pytest.raises(WrongType, match=found):
        look(data)


def test_an_animation_that_is_cut_off_is_refused() -> None:
    whole = moving("GIF", 64, 64, frames=9)
    with pytest.raises(DamagedFile):
        look(whole[: len(whole) // 2])


def test_a_large_animation_is_taken_and_its_walk_is_quick() -> None:
    """A hundred megabytes, in the small blocks that every GIF is made of."""
    picture = b"," + struct.pack("<HHHHB", 0, 0, 100, 100, 0) + b"\x08" + (b"\xff" + bytes(255)) * 4000 + b"\0"
    gif = b"GIF89a" + struct.pack("<HHBBB", 100, 100, 0, 0, 0) + picture * 96 + b";"
    started = time.process_time()
    assert look(gif, max_bytes=200_000_000).frames == 96
    assert time.process_time() - started < 5


@needs_heic
@pytest.mark.parametrize(("name", "size"), [("quarters.heic", (64, 32)), ("quarters-turned.heic", (64, 32))])
def test_the_size_of_a_heic_picture_is_the_one_that_people_see(name: str, size: tuple[int, int]) -> None:
    upload = look(file(name))
    assert (upload.kind, upload.mime_type, (upload.width, upload.height)) == ("image", "image/heic", size)


def test_without_the_extra_a_heic_picture_is_refused_and_the_extra_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "takes_heic", lambda: False)
    with pytest.raises(WrongType, match="which this site takes once SocialQ's extra “heif” is installed"):
        look(file("quarters.heic"))


def test_a_damaged_heic_picture_is_refused_whatever_is_wrong_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "takes_heic", lambda: True)
    whole = file("quarters.heic")
    for length in range(12, len(whole), 13):
        with pytest.raises(FileRefused):
            look(whole[:length])
    for at in range(28, 470, 3):
        damaged = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        try:
            upload = look(damaged)
        except FileRefused:
            continue
        assert upload.width * upload.height <= 40_000_000


def test_a_heic_header_cannot_claim_more_pixels_than_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "takes_heic", lambda: True)
    whole = file("quarters.heic")
    at = whole.index(b"ispe") + 8
    huge = whole[:at] + struct.pack(">II", 60_000, 60_000) + whole[at + 8 :]
    without_aperture = huge.replace(b"clap", b"free")
    with pytest.raises(FileRefused, match="at most 40 million"):
        look(without_aperture)
