"""Storing every kind of file that people upload: what is known of it afterwards, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import TemporaryUploadedFile

from posts.media.probe import DamagedVideo, VideoFacts, can_probe
from posts.models import Media
from posts.selectors.media import has_preview, preview_of
from posts.services import uploads
from posts.services.errors import ValidationFailed
from posts.services.media import store_upload
from tests.posts.media.pictures import encoded, file, moving, pdf, quarters

pytestmark = pytest.mark.django_db(transaction=True)

POSTER = encoded(quarters(), "JPEG")
FACTS = VideoFacts(1080, 1920, 12.5, "h264", "aac", 30.0, POSTER)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Stand in for looking into videos; the bytes that were looked into."""
    seen: list[bytes] = []

    def look(local: Any, mime_type: str) -> VideoFacts:
        seen.append(local.seek(0) or local.read())
        return FACTS

    monkeypatch.setattr(uploads, "can_probe", lambda: True)
    monkeypatch.setattr(uploads, "probe", look)
    return seen


def stored(content: bytes, name: str = "clip.mp4") -> Media:
    return store_upload(ContentFile(content), owner=None, original_name=name)


def test_a_video_is_kept_as_it_came_with_its_facts_and_a_poster(folder: Path, probed: list[bytes]) -> None:
    content = file("clip.mp4")
    media = stored(content)
    assert probed == [content]
    assert (media.kind, media.mime_type, media.width, media.height) == ("video", "video/mp4", 1080, 1920)
    assert media.duration_seconds == 12.5
    assert media.facts == {"codec": "h264", "audio_codec": "aac", "frames_per_second": 30.0}
    assert Path(media.file.path).read_bytes() == content
    preview = preview_of(media)
    assert preview is not None
    assert (preview.mime_type, preview.width, preview.height) == ("image/jpeg", 80, 40)
    assert Path(preview.file.path).read_bytes() == POSTER


def test_a_large_upload_is_looked_into_where_it_lies(probed: list[bytes]) -> None:
    content = file("clip.mp4")
    with TemporaryUploadedFile("clip.mp4", "video/mp4", len(content), None) as upload:
        upload.write(content)
        upload.seek(0)
        media = store_upload(upload, owner=None, original_name="clip.mp4")
    assert probed == [content]
    assert Path(media.file.path).read_bytes() == content


def test_without_the_extra_a_video_is_taken_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "can_probe", lambda: False)
    media = stored(file("clip.mp4"))
    assert (media.kind, media.width, media.height, media.duration_seconds, media.facts) == ("video", 0, 0, None, {})
    assert not has_preview(media)


def test_a_damaged_video_is_refused_and_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_: object) -> VideoFacts:
        raise DamagedVideo("it cannot be read as a video: it is cut off or damaged")

    monkeypatch.setattr(uploads, "can_probe", lambda: True)
    monkeypatch.setattr(uploads, "probe", look)
    with pytest.raises(ValidationFailed, match=r"“clip.mp4” was refused: it cannot be read .* Export it again"):
        stored(file("clip.mp4"))
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert not Media.objects.exists()


@pytest.mark.skipif(not can_probe(), reason="the extra video is not installed")
def test_a_real_video_is_looked_into() -> None:
    media = stored(file("turned.mov"), "turned.mov")
    assert (media.mime_type, media.width, media.height, media.facts["codec"]) == ("video/quicktime", 40, 80, "h264")
    assert preview_of(media) is not None


def test_an_animated_picture_is_kept_as_it_came() -> None:
    content = moving("GIF", 30, 20)
    media = stored(content, "cat.gif")
    assert (media.kind, media.mime_type, media.width, media.height) == ("gif", "image/gif", 30, 20)
    assert (media.duration_seconds, media.facts) == (pytest.approx(0.3), {"frames": 3})
    assert Path(media.file.path).read_bytes() == content
    assert preview_of(media) == media


def test_a_document_has_no_picture() -> None:
    media = stored(pdf(), "report.pdf")
    assert (media.kind, media.mime_type, media.width, media.facts) == ("document", "application/pdf", 0, {})
    assert preview_of(media) is None
