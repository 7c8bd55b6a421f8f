"""When a file goes, and when it must not."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from posts.models import Delivery, Media, MediaVariant, Post
from posts.publishing.capabilities import ImageLimits
from posts.services.media import delete_unneeded, store_upload, variant_for
from posts.services.posts import cancel_post, publish_now
from queue_app import clock
from queue_app.models import Job
from tests.posts.making import LIVE, REJECTED, account, begin, delivery, draft, end, sent, unsettled
from tests.posts.media.pictures import encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def cat() -> Media:
    return store_upload(ContentFile(encoded(quarters(), "JPEG")), owner=None, original_name="cat.jpg")


def is_kept(media: Media, at: datetime) -> bool:
    """Run the retention ``at`` a time and say whether the file is still there."""
    gone = delete_unneeded(at)
    path = Path(media.file.path)
    assert gone == (0 if path.exists() else 1)
    assert delete_unneeded(at) == 0
    return path.exists()


def test_goes_after_the_last_delivery_is_published(cat: Media) -> None:
    post = publish_now(draft(account(), account("Bob"), media=[cat]))
    first, second = post.deliveries.select_related("account", "post").order_by("pk")
    end(first, LIVE)
    assert is_kept(cat, clock.now() + 365 * DAY)
    end(second, LIVE)
    variant_for(cat, ImageLimits(100_000, 20))
    assert not is_kept(cat, clock.now())
    cat.refresh_from_db()
    assert cat.file_deleted_at is not None
    assert not MediaVariant.objects.exists()
    assert Post.objects.get().post_media.get().media == cat


def test_the_site_may_keep_it_longer(cat: Media, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_KEEP_DAYS": 3}
    sent(account(), media=[cat])
    assert is_kept(cat, clock.now() + 2 * DAY)
    assert not is_kept(cat, clock.now() + 3 * DAY)


def test_stays_a_week_after_a_failure(cat: Media) -> None:
    sent(account(), account("Bob"), media=[cat], outcome=REJECTED)
    assert is_kept(cat, clock.now() + 6 * DAY)
    assert not is_kept(cat, clock.now() + 7 * DAY)


def test_goes_after_a_cancellation(cat: Media) -> None:
    post = publish_now(draft(account(), media=[cat]))
    cancel_post(post)
    assert not is_kept(cat, clock.now())


@pytest.mark.parametrize("make", [draft, lambda *a, **k: publish_now(draft(*a, **k)), unsettled])
def test_stays_while_a_post_may_still_need_it(cat: Media, make: Any) -> None:
    make(account(), media=[cat])
    assert is_kept(cat, clock.now() + 365 * DAY)


def test_stays_while_it_is_being_published(cat: Media) -> None:
    post = publish_now(draft(account(), media=[cat]))
    begin(delivery(post))
    assert is_kept(cat, clock.now() + 365 * DAY)


def test_stays_while_any_other_post_needs_it(cat: Media) -> None:
    sent(account(), media=[cat])
    other = draft(media=[cat])
    assert is_kept(cat, clock.now() + 365 * DAY)
    other.delete()
    assert not is_kept(cat, clock.now())


def test_an_upload_that_no_post_took_goes_after_a_day(cat: Media) -> None:
    assert is_kept(cat, clock.now() + DAY - timedelta(minutes=1))
    assert not is_kept(cat, clock.now() + DAY)
    assert not Media.objects.exists()


def test_a_purged_job_does_not_keep_it_for_ever(cat: Media) -> None:
    sent(account(), media=[cat], outcome=REJECTED)
    Job.objects.all().delete()
    assert Delivery.objects.get().job is None
    assert not is_kept(cat, clock.now() + 8 * DAY)


def test_a_file_that_is_gone_already_is_only_written_down(cat: Media) -> None:
    sent(account(), media=[cat])
    Path(cat.file.path).unlink()
    assert delete_unneeded(clock.now()) == 1
    cat.refresh_from_db()
    assert cat.file_deleted_at is not None
