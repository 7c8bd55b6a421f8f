"""Signed addresses: one file each, for a while, to whoever has one; and whether the site has any to give."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.test import Client

from posts.models import Account, Delivery, Media
from posts.publishing import registry
from posts.publishing.capabilities import Capabilities, ImageLimits, VideoLimits
from posts.publishing.types import MediaFile
from posts.services import uploads
from posts.services.addresses import NoAddress, has_public_address, public_address
from posts.services.media import media_file, store_upload
from posts.services.validation import problems_of
from queue_app import clock
from tests.posts.making import account, draft
from tests.posts.media.pictures import encoded, file, quarters

pytestmark = pytest.mark.django_db(transaction=True)

SITE = "https://social.example.org"
CLIP = file("clip.mp4")
FETCHING = Capabilities(
    (), 4, ImageLimits(100_000, 40), max_videos=1, videos=VideoLimits(1_000_000), fetches_media=True
)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.SOCIALQ = {**settings.SOCIALQ, "SITE_URL": SITE}
    monkeypatch.setattr(uploads, "can_probe", lambda: False)
    monkeypatch.setattr(type(registry.get("telegram")), "capabilities_for", lambda *_: FETCHING)


def stored(content: bytes, name: str = "clip.mp4") -> Media:
    return store_upload(ContentFile(content), owner=None, original_name=name)


def sent(media: Media) -> MediaFile:
    """The file as a platform that fetches gets it."""
    attached = draft(account(), media=[media]).post_media.select_related("media").get()
    return media_file(attached, Delivery(account=Account()), registry.get("telegram"))


def path_of(address: str) -> str:
    assert address.startswith(f"{SITE}/media/signed/")
    assert address.isascii()
    return address.removeprefix(SITE)


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_network_gets_the_rendering_of_a_picture_and_a_video_as_it_came() -> None:
    picture = sent(stored(encoded(quarters(), "PNG"), "cat.png"))
    answer = Client().get(path_of(picture.url()))
    assert body(answer) == picture.read()
    assert (answer["Content-Type"], answer["Content-Length"]) == (picture.mime_type, str(picture.size_bytes))
    assert picture.url().endswith("/picture-1.png")
    answer = Client().get(path_of(sent(stored(CLIP)).url()))
    assert (answer.status_code, answer["Content-Type"], body(answer)) == (200, "video/mp4", CLIP)


def test_it_can_be_nothing_but_that_file_and_sets_no_cookie() -> None:
    answer = Client().get(path_of(public_address(stored(CLIP), "video-1.mp4")))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["Accept-Ranges"] == "bytes"
    assert not answer.cookies
    answer.close()


def test_an_address_that_was_altered_is_refused() -> None:
    one, other = stored(CLIP), stored(encoded(quarters(), "PNG"), "cat.png")
    path = path_of(public_address(one, "video-1.mp4"))
    token = path.split("/")[3]
    for altered in (
        token.replace(f"media-{one.pk}", f"media-{other.pk}"),
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        f"media-{one.pk}",
        token.replace("media-", "variant-"),
        "nonsense",
    ):
        assert Client().get(path.replace(token, altered)).status_code == 403
    assert Client().head(path).status_code == 200


def test_an_address_ends_after_its_hours(settings: Any) -> None:
    path = path_of(public_address(stored(CLIP), "video-1.mp4"))
    with time_machine.travel(clock.now() + timedelta(hours=23), tick=False):
        assert Client().head(path).status_code == 200
    with time_machine.travel(clock.now() + timedelta(hours=24, seconds=2), tick=False):
        assert Client().head(path).status_code == 403
        settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_URL_HOURS": 48}
        assert Client().head(path).status_code == 200


def test_an_address_outlives_a_change_of_keys_that_keeps_the_old_one(settings: Any) -> None:
    path = path_of(public_address(stored(CLIP), "video-1.mp4"))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert Client().head(path).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert Client().head(path).status_code == 403


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=2000-", 2000, len(CLIP)),
        ("bytes=-50", len(CLIP) - 50, len(CLIP)),
        ("bytes=-999999", 0, len(CLIP)),
        ("bytes=100-999999", 100, len(CLIP)),
    ],
)
def test_a_part_of_a_file_is_given(asked: str, begin: int, end: int) -> None:
    path = path_of(public_address(stored(CLIP), "video-1.mp4"))
    answer = Client().get(path, headers={"Range": asked})
    assert (answer.status_code, body(answer)) == (206, CLIP[begin:end])
    assert answer["Content-Range"] == f"bytes {begin}-{end - 1}/{len(CLIP)}"
    assert answer["Content-Length"] == str(end - begin)
    head = Client().head(path, headers={"Range": asked})
    assert (head.status_code, head.content, head["Content-Length"]) == (206, b"", str(end - begin))


@pytest.mark.parametrize("asked", [f"bytes={len(CLIP)}-", "bytes=9-3", "bytes=-0"])
def test_a_part_that_is_not_there_is_refused(asked: str) -> None:
    answer = Client().get(path_of(public_address(stored(CLIP), "video-1.mp4")), headers={"Range": asked})
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{len(CLIP)}")


@pytest.mark.parametrize("asked", ["bytes=0-9,20-29", "lines=1-2", "bytes=", "bytes=-", "bytes=a-b"])
def test_any_other_wish_gets_the_whole(asked: str) -> None:
    answer = Client().get(path_of(public_address(stored(CLIP), "video-1.mp4")), headers={"Range": asked})
    assert (answer.status_code, body(answer)) == (200, CLIP)


def test_a_file_that_may_have_changed_is_given_whole() -> None:
    wish = {"Range": "bytes=0-9", "If-Range": '"an etag"'}
    answer = Client().get(path_of(public_address(stored(CLIP), "video-1.mp4")), headers=wish)
    assert (answer.status_code, body(answer)) == (200, CLIP)


def test_head_says_how_large_it_is_and_post_is_not_known() -> None:
    path = path_of(public_address(stored(CLIP), "video-1.mp4"))
    answer = Client().head(path)
    assert (answer.status_code, answer.content, answer["Content-Length"]) == (200, b"", str(len(CLIP)))
    assert Client().post(path).status_code == 405


def test_a_file_that_is_gone_is_not_found() -> None:
    media = stored(CLIP)
    path = path_of(public_address(media, "video-1.mp4"))
    Path(media.file.path).unlink()
    assert Client().get(path).status_code == 404
    media.delete()
    assert Client().get(path).status_code == 404


@pytest.mark.parametrize(
    ("site", "reachable"),
    [
        ("https://social.example.org", True),
        ("https://1.1.1.1", True),
        ("http://127.0.0.1:8000", False),
        ("http://localhost:8000", False),
        ("https://10.0.0.7", False),
        ("https://[::1]:8000", False),
        ("https://[fd00::7]", False),
        ("https://intranet", False),
        ("https://nas.local", False),
    ],
)
def test_a_site_inside_has_no_address_to_give(settings: Any, site: str, reachable: bool) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "SITE_URL": site}
    assert has_public_address() == reachable
    media = stored(CLIP)
    if not reachable:
        with pytest.raises(NoAddress):
            public_address(media, "video-1.mp4")
        with pytest.raises(LookupError):
            sent(media).url()
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    assert public_address(media, "video-1.mp4").startswith(site)


def test_a_network_that_fetches_is_refused_before_scheduling_where_it_cannot_reach_us(settings: Any) -> None:
    bob = account("Bob", platform="telegram")
    assert problems_of(draft(bob, media=[stored(CLIP)])) == []
    settings.SOCIALQ = {**settings.SOCIALQ, "SITE_URL": "http://127.0.0.1:8000"}
    (problem,) = problems_of(draft(bob, media=[stored(CLIP)]))
    assert problem.field == "media"
    assert "Telegram downloads files itself" in problem.message
    assert "Set SITE_URL" in problem.message
    assert problems_of(draft(bob, text="words alone")) == []
