"""Files in a storage that is no folder of this machine: everything works without a path."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.test import Client

from posts.media.probe import VideoFacts
from posts.models import Account, Delivery, Media
from posts.publishing import registry
from posts.publishing.capabilities import Capabilities, ImageLimits, VideoLimits
from posts.services import uploads
from posts.services.addresses import public_address
from posts.services.media import discard_upload, folder_problems, media_file, store_upload
from tests.posts.making import account, draft
from tests.posts.media.pictures import encoded, file, quarters

pytestmark = pytest.mark.django_db(transaction=True)

CLIP = file("clip.mp4")
TAKES_ALL = Capabilities((), 4, ImageLimits(100_000, 40), max_videos=1, videos=VideoLimits(1_000_000))
opened: list[str] = []


class Elsewhere(FileSystemStorage):
    """Stands for an object store: it has no paths, and what it opens has no descriptor and cannot be sought in."""

    def path(self, name: str) -> str:
        raise NotImplementedError("there are no paths here")

    def _open(self, name: str, mode: str = "rb") -> Any:
        opened.append(name)
        content = ContentFile(Path(super().path(name)).read_bytes(), name=name)
        content.seekable = lambda: False  # type: ignore[method-assign]  # as a stream from a network
        return content

    def _save(self, name: str, content: Any) -> str:
        target = Path(super().path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"".join(content.chunks()))
        return name

    def exists(self, name: str) -> bool:
        return Path(super().path(name)).exists()

    def delete(self, name: str) -> None:
        Path(super().path(name)).unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def elsewhere(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.SOCIALQ = {**settings.SOCIALQ, "SITE_URL": "https://social.example.org"}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": f"{__name__}.Elsewhere", "OPTIONS": {"location": str(tmp_path)}},
    }
    monkeypatch.setattr(type(registry.get("telegram")), "capabilities_for", lambda *_: TAKES_ALL)
    monkeypatch.setattr(uploads, "can_probe", lambda: True)
    monkeypatch.setattr(
        uploads, "probe", lambda local, _: VideoFacts(8, 4, 1.0, "h264", "", 24.0, local.read() and b"")
    )
    opened.clear()
    return tmp_path


def stored(content: bytes) -> Media:
    return store_upload(ContentFile(content), owner=None, original_name="file")


def sent(media: Media) -> Any:
    attached = draft(account(), media=[media]).post_media.select_related("media").get()
    return media_file(attached, Delivery(account=Account()), registry.get("telegram"))


def test_a_video_is_fetched_once_however_many_pieces_are_sent() -> None:
    sends = sent(stored(CLIP))
    assert [sends.piece(offset, 500) for offset in (0, 500, 2000)] == [CLIP[:500], CLIP[500:1000], CLIP[2000:2500]]
    assert sends.read() == CLIP
    assert len(opened) == 1


def test_two_who_read_it_at_once_do_not_disturb_each_other_and_no_file_is_left(
    elsewhere: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    sends = sent(stored(CLIP))
    with sends.open() as one, sends.open() as other:
        one.seek(-100, 2)
        assert other.read(10) == CLIP[:10]
        assert one.read() == CLIP[-100:]
        assert other.seek(5, 1) == 15
        assert other.read(10) == CLIP[15:25]
    assert list(temporary.iterdir()) == []


def test_a_picture_is_rendered_and_the_rendering_sent(elsewhere: Path) -> None:
    sends = sent(stored(encoded(quarters(), "PNG")))
    assert (sends.width, sends.height) == (40, 20)
    assert len(sends.read()) == sends.size_bytes


def test_a_network_gets_the_whole_and_is_told_that_there_are_no_parts() -> None:
    address = public_address(stored(CLIP), "video-1.mp4").removeprefix("https://social.example.org")
    answer = Client().get(address, headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer["Accept-Ranges"]) == (200, "none")
    assert b"".join(answer.streaming_content) == CLIP


def test_what_is_not_needed_is_deleted_there(elsewhere: Path) -> None:
    discard_upload(stored(CLIP))
    assert not [path for path in elsewhere.rglob("*") if path.is_file()]


def test_there_is_no_folder_to_be_full() -> None:
    assert list(folder_problems()) == []
