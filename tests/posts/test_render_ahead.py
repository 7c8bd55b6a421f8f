"""Pictures are rendered before they are due, once for all accounts that take the same; publishing needs none of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from posts.models import DeliveryStatus, Media, MediaVariant, Post
from posts.selectors.media import Renderings, renderings_of
from posts.services import media as service
from posts.services.media import store_upload
from posts.services.posts import cancel_post, publish_now, schedule_post
from posts.services.queueing import RENDER_MEDIA
from queue_app import clock, runner
from queue_app.models import Job
from queue_app.states import JobState
from tests.posts.admin.pages import PUBLISHER, browser, page, person
from tests.posts.making import account, delivery, draft, edit
from tests.posts.media.no_room import no_room
from tests.posts.media.pictures import encoded, moving, quarters

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def site(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(runner, "_worker", None)
    yield
    clock.set_offset(timedelta(0))


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The formats that were rendered, in order."""
    made: list[str] = []
    real = service.render

    def watched(source: bytes, spec: Any) -> bytes:
        made.append(spec.format)
        return real(source, spec)

    monkeypatch.setattr(service, "render", watched)
    return made


def stored(content: bytes | None = None, name: str = "cat.png") -> Media:
    return store_upload(ContentFile(content or encoded(quarters(), "PNG")), owner=None, original_name=name)


def scheduled(*media: Media, hours: float = 1, platforms: tuple[str, ...] = ("outbox", "outbox")) -> Post:
    names = [f"Ada {uuid.uuid4().hex}" for _ in platforms]
    accounts = [
        account(name, platform=platform, identity_id=name, config={"mailbox": name})
        for name, platform in zip(names, platforms, strict=True)
    ]
    return schedule_post(draft(*accounts, media=media), at=clock.now() + timedelta(hours=hours))


def run() -> None:
    runner.run_due("default", "tests")


def test_two_accounts_that_take_the_same_have_one_job_and_one_rendering_each_picture(rendered: list[str]) -> None:
    post = scheduled(stored(), stored(encoded(quarters(), "JPEG"), "dog.jpg"))
    assert Job.objects.filter(type=RENDER_MEDIA).count() == 1
    assert renderings_of(post) == Renderings(0, 2)
    run()
    assert sorted(rendered) == ["image/jpeg", "image/png"]
    assert renderings_of(post) == Renderings(2, 2)
    assert Job.objects.get(type=RENDER_MEDIA).state == JobState.COMPLETED


def test_publishing_finds_them_made(rendered: list[str]) -> None:
    post = scheduled(stored())
    run()
    clock.set_offset(timedelta(hours=2))
    run()
    assert {found.status for found in post.deliveries.all()} == {DeliveryStatus.PUBLISHED}
    assert rendered == ["image/png"]


def test_what_was_not_made_by_then_is_made_by_publishing(rendered: list[str]) -> None:
    post = scheduled(stored())
    Job.objects.filter(type=RENDER_MEDIA).delete()
    clock.set_offset(timedelta(hours=2))
    run()
    assert {found.status for found in post.deliveries.all()} == {DeliveryStatus.PUBLISHED}
    assert rendered == ["image/png"]


def test_what_goes_out_at_once_or_has_no_picture_is_left_to_publishing() -> None:
    publish_now(draft(account(), media=[stored()]))
    scheduled()
    schedule_post(draft(account(), text="words"), at=clock.now() + timedelta(hours=1))
    assert not Job.objects.filter(type=RENDER_MEDIA).exists()


def test_goes_after_every_post_that_is_due() -> None:
    scheduled(stored())
    job = Job.objects.get(type=RENDER_MEDIA)
    assert (job.priority, job.run_at <= clock.now()) == (9, True)


def test_a_picture_that_is_added_later_is_rendered_too(rendered: list[str]) -> None:
    post = scheduled(stored())
    run()
    edit(post, media=[*post.post_media.values_list("media_id", "alt_text"), (stored().pk, "")])
    run()
    assert renderings_of(post) == Renderings(2, 2)
    assert len(rendered) == 2


def test_one_bad_picture_is_no_reason_to_leave_the_others(rendered: list[str]) -> None:
    broken = encoded(quarters(64, 64), "PNG")
    start = broken.index(b"IDAT") + 8
    hollow = broken[:start] + bytes(10) + broken[start + 10 :]
    post = scheduled(
        stored(hollow, "broken.png"), stored(encoded(quarters(64, 64), "JPEG"), "good.jpg"), platforms=("outbox",)
    )
    run()
    assert renderings_of(post) == Renderings(1, 2)
    assert Job.objects.get(type=RENDER_MEDIA).state == JobState.COMPLETED
    assert delivery(post).status == DeliveryStatus.SCHEDULED


def test_a_full_disk_is_tried_again_later() -> None:
    scheduled(stored())
    with no_room():
        run()
    job = Job.objects.get(type=RENDER_MEDIA)
    assert job.state == JobState.PENDING
    assert job.run_at > clock.now()
    clock.set_offset(timedelta(minutes=5))
    run()
    assert MediaVariant.objects.count() == 1


def test_what_was_cancelled_or_deleted_meanwhile_is_not_rendered(rendered: list[str]) -> None:
    cancel_post(scheduled(stored()))
    scheduled(stored()).delete()
    run()
    assert rendered == []


def test_the_posts_page_says_how_far_they_are() -> None:
    post = scheduled(stored(), stored(encoded(quarters(), "JPEG"), "dog.jpg"))
    grace = browser(person("grace", [*PUBLISHER, "posts.view_all_posts"]))
    assert "Pictures: 0 of 2 ready" in grace.get(page(post)).content.decode()
    run()
    assert "ready" not in grace.get(page(post)).content.decode()


def test_files_that_go_out_as_they_came_are_not_counted() -> None:
    assert renderings_of(draft(account(), media=[stored(moving("GIF"), "cat.gif")])) == Renderings(0, 0)
