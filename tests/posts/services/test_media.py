"""Storing uploads by what is in them, and rendering them for a platform once."""

from __future__ import annotations

import errno
import os
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import transaction

from posts.models import Account, Delivery, Media, MediaVariant, PostMedia
from posts.publishing.capabilities import Capabilities, ImageLimits
from posts.publishing.errors import ContentRejected, Temporary
from posts.services.errors import NoRoom, Refused, ValidationFailed
from posts.services.media import discard_upload, media_file, store_upload, variant_for
from queue_app.health import health
from tests.posts.making import account, draft
from tests.posts.media.no_room import no_room
from tests.posts.media.pictures import encoded, exif, noise, png_bomb, quarters

pytestmark = pytest.mark.django_db(transaction=True)

LIMITS = ImageLimits(max_bytes=1_000_000, max_side_pixels=40)
JPEG = encoded(quarters(), "JPEG", exif=exif(6))


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def stored(content: bytes = JPEG, name: str = "cat.jpg") -> Media:
    return store_upload(ContentFile(content), owner=None, original_name=name)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def limited(limits: ImageLimits) -> Any:
    """A platform of which only the limits for pictures count."""
    return SimpleNamespace(capabilities_with=lambda options, config: Capabilities((), 4, limits))


def attached(media: Media, **fields: Any) -> PostMedia:
    post = draft(account(), media=[media])
    PostMedia.objects.filter(post=post).update(**fields)
    return post.post_media.select_related("media").get()


def test_keeps_the_file_as_it_came_and_its_upright_size(folder: Path) -> None:
    media = stored()
    assert (media.mime_type, media.width, media.height) == ("image/jpeg", 40, 80)
    assert (media.original_name, media.size_bytes, len(media.sha256)) == ("cat.jpg", len(JPEG), 64)
    assert [path.read_bytes() for path in files(folder)] == [JPEG]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\pictures\\cat.jpg", "cat.jpg"),
        ("a\0b.jpg", "ab.jpg"),
        ("x" * 300 + ".jpg", "x" * 255),
        ("page.html", "page.html"),
        ("drawing.svg", "drawing.svg"),
        ("line\nbreak.jpg", "line_break.jpg"),
        ("..", ".."),
        ("", "picture"),
    ],
)
def test_nothing_of_the_name_reaches_the_disk(folder: Path, name: str, kept: str) -> None:
    media = stored(name=name)
    assert media.original_name == kept
    (path,) = files(folder)
    assert path.parts[len(folder.parts)] == "media"
    assert path.suffix == ""
    assert len(path.name) == 32


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "“cat.jpg” was refused: inside it is an EPS"),
        (b"<html></html>", "inside it is an HTML page"),
        (JPEG[:200], "ends early"),
        (png_bomb(), "196.0 million; at most 40 million"),
    ],
)
def test_what_is_no_picture_is_refused_and_leaves_nothing(folder: Path, content: bytes, message: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        stored(content)
    assert message in str(raised.value)
    assert raised.value.problems[0].field == "media"
    assert files(folder) == []
    assert not Media.objects.exists()


def test_too_many_bytes_are_refused_with_the_limit(settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_MAX_BYTES": 100}
    with pytest.raises(ValidationFailed, match="at most 100 are allowed"):
        stored()


def test_no_file_stays_when_the_row_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Media, "save", full)
    with pytest.raises(OSError, match="disk full"):
        stored()
    assert files(folder) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_neither_file_nor_row(folder: Path, code: int) -> None:
    with no_room(code), pytest.raises(NoRoom, match=r"^cat.jpg was not stored: the server has no room for files."):
        stored()
    assert files(folder) == []
    assert not Media.objects.exists()


def test_any_other_fault_of_the_disk_leaves_nothing_either(folder: Path) -> None:
    with no_room(errno.EIO), pytest.raises(OSError, match="Input/output error"):
        stored()
    assert files(folder) == []


def test_a_variant_without_room_is_a_passing_fault_and_leaves_no_file(folder: Path) -> None:
    media = stored()
    with no_room(), pytest.raises(Temporary, match="media_no_room"):
        variant_for(media, LIMITS)
    assert len(files(folder)) == 1
    assert variant_for(media, LIMITS).pk is not None


def test_health_says_that_the_folder_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health().healthy
    assert list(folder.iterdir()) == []

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    problem = f"The media folder, {folder}, cannot be written: its disk is full; make room"
    assert health().problems == (problem,)


def test_a_variant_fits_the_limits_and_has_no_metadata() -> None:
    variant = variant_for(stored(), LIMITS)
    assert (variant.width, variant.height, variant.mime_type) == (20, 40, "image/jpeg")
    content = Path(variant.file.path).read_bytes()
    assert len(content) == variant.size_bytes
    assert b"CanaryPhone" not in content


def test_a_variant_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    media = stored()
    first = variant_for(media, LIMITS)
    monkeypatch.setattr("posts.services.media.render", None)
    assert variant_for(media, LIMITS) == first


def test_a_variant_whose_file_is_gone_is_made_again() -> None:
    media = stored()
    first = variant_for(media, LIMITS)
    first.file.storage.delete(first.file.name)
    again = variant_for(media, LIMITS)
    assert again.pk == first.pk
    assert again.file.storage.exists(again.file.name)


def test_of_two_workers_the_first_ones_variant_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from posts.services import media as service

    upload = stored()
    render = service.render

    def another_was_faster(source: bytes, spec: Any) -> bytes:
        monkeypatch.setattr(service, "render", render)
        variant_for(upload, LIMITS)
        return render(source, spec)

    monkeypatch.setattr(service, "render", another_was_faster)
    variant = variant_for(upload, LIMITS)
    assert MediaVariant.objects.get() == variant
    assert len(files(folder)) == 2


def test_a_shape_that_no_rendering_fits_is_the_contents_fault() -> None:
    media = stored(encoded(quarters(200, 4), "PNG"), "line.png")
    with pytest.raises(ContentRejected, match="media_unusable") as raised:
        variant_for(media, ImageLimits(1_000_000, 1000, max_ratio=20))
    assert raised.value.field == "media"
    assert "50.0 times" in raised.value.params["reason"]


def test_a_picture_that_cannot_be_decoded_is_the_contents_fault() -> None:
    whole = encoded(noise(64, 64), "PNG")
    media = stored(whole[:60] + bytes(1000) + whole[1060:], "broken.png")
    with pytest.raises(ContentRejected, match="media_unusable"):
        variant_for(media, LIMITS)


def test_a_file_that_cannot_be_read_is_a_passing_fault_and_a_deleted_one_is_not() -> None:
    media = stored()
    media.file.storage.delete(media.file.name)
    with pytest.raises(Temporary, match="media_unreadable"):
        variant_for(media, LIMITS)
    media.file_deleted_at = media.created_at
    with pytest.raises(ContentRejected, match="media_gone"):
        variant_for(media, LIMITS)


def test_never_renders_inside_a_transaction() -> None:
    media = stored()
    with pytest.raises(RuntimeError, match="inside a database transaction"), transaction.atomic():
        variant_for(media, LIMITS)


def test_a_posts_picture_keeps_its_key_and_takes_the_posts_alt_text() -> None:
    media = stored()
    Media.objects.filter(pk=media.pk).update(alt_text="A cat")
    link = attached(media, position=1)
    delivery = Delivery(account=Account())
    first, second = (media_file(link, delivery, limited(limits)) for limits in (LIMITS, ImageLimits(1_000_000, 10)))
    assert first.key == second.key == media.uuid.hex
    assert (first.filename, first.alt_text, first.mime_type) == ("picture-2.jpg", "A cat", "image/jpeg")
    assert len(first.read()) == first.size_bytes
    link.alt_text = "My cat"
    assert media_file(link, delivery, limited(LIMITS)).alt_text == "My cat"


def test_an_unused_upload_can_be_discarded_and_a_used_one_cannot(folder: Path) -> None:
    media = stored()
    variant_for(media, LIMITS)
    link = attached(media)
    with pytest.raises(Refused, match="is used by a post"):
        discard_upload(media)
    link.delete()
    discard_upload(media)
    assert files(folder) == []
    assert not Media.objects.exists()


def test_an_upload_may_come_as_any_seekable_file() -> None:
    file = ContentFile(JPEG)
    file.file = BytesIO(JPEG)
    file.seek(10)
    assert store_upload(file, owner=None, original_name="cat.jpg").size_bytes == len(JPEG)
