"""One upload to several platforms, spaced."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from posts.models import Delivery, Post, PostStatus
from posts.services import queue_posts
from posts.services.errors import ValidationFailed
from queue_app import clock
from queue_app.models import Job
from tests.posts.making import account, picture, user

pytestmark = pytest.mark.django_db


def test_each_platform_gets_a_post_to_all_its_enabled_accounts_at_its_own_time() -> None:
    ada, bob = account("Ada", platform="bluesky"), account("Bob", platform="bluesky")
    account("Off", platform="bluesky", enabled=False)
    cleo, cat = account("Cleo", platform="telegram"), picture()
    before = clock.now()
    job_ids = queue_posts([(cat.pk, "A cat")], ["telegram", "bluesky"], 10, 30, text="Look")
    jobs = [Job.objects.get(pk=job_id) for job_id in job_ids]
    assert [job.delivery.account for job in jobs] == [cleo, ada, bob]
    assert jobs[0].run_at - before < timedelta(minutes=10, seconds=30)
    assert [job.run_at - jobs[0].run_at for job in jobs] == [timedelta(0), timedelta(minutes=30), timedelta(minutes=30)]
    first, second = Post.objects.order_by("pk")
    assert (first.text, first.status) == ("Look", PostStatus.SCHEDULED)
    assert second.post_media.get().alt_text == "A cat"


def test_the_distance_is_an_hour_unless_said() -> None:
    for platform in ("outbox", "telegram"):
        account(platform=platform)
    first, second = (Job.objects.get(pk=job_id) for job_id in queue_posts([], ["outbox", "telegram"], 0, text="Hi"))
    assert abs(second.run_at - first.run_at - timedelta(hours=1)) < timedelta(seconds=30)
    assert first.run_at <= clock.now()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"platforms": ["myspace"]}, "There is no platform “myspace”; known: bluesky, "),
        ({"platforms": ["bluesky"]}, "Bluesky has no enabled account; connect or enable one"),
        ({"platforms": []}, "No platform was named; name at least one"),
        ({"start_delay_minutes": -1}, "Start delay minutes must be 0 or more, and less than ten years, not -1"),
        ({"interval_minutes": 10**9}, "Interval minutes must be 0 or more"),
        ({"text": ""}, "Ada on Outbox: the post is empty; write a text or attach a picture"),
        ({"media": [(4711, "")]}, "There is no file 4711 that this post can use; attach it again"),
    ],
)
def test_what_cannot_be_queued_is_refused_and_nothing_saved(arguments: dict[str, Any], message: str) -> None:
    account("Ada")
    fields = {"media": [], "platforms": ["outbox"], "start_delay_minutes": 0, "text": "Hi", **arguments}
    with pytest.raises(ValidationFailed) as caught:
        queue_posts(**fields)
    assert message in str(caught.value)
    assert not Post.objects.exists()


def test_one_platform_that_cannot_take_it_leaves_nothing_of_the_others() -> None:
    account("Ada")
    account("Bob", platform="bluesky")
    with pytest.raises(ValidationFailed, match="Bob on Bluesky: text has 301 characters, the limit is 300"):
        queue_posts([], ["outbox", "bluesky"], 0, text="x" * 301)
    assert not Post.objects.exists()
    assert not Job.objects.filter(type="posts.publish").exists()


def test_a_platform_that_the_site_has_not_enabled_is_refused(settings: Any) -> None:
    account("Ada")
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["telegram"]}
    with pytest.raises(ValidationFailed, match="Outbox is not enabled on this site; add outbox to SOCIALQ_ENABLED"):
        queue_posts([], ["outbox"], 0, text="Hi")


def test_an_owners_posts_go_to_shared_accounts_and_their_own() -> None:
    ada, bob = user("ada"), user("bob")
    own, shared = account("Own", owner=ada), account("Shared")
    account("Other", owner=bob)
    queue_posts([], ["outbox"], 0, owner=ada, text="Hi")
    assert {found.account for found in Delivery.objects.select_related("account")} == {own, shared}
    assert Post.objects.get().owner == ada
