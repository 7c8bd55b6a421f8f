"""Who sees which posts, accounts and pictures; and one post with everything."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser

from posts.selectors.posts import post_detail, usable_accounts, usable_media, visible_posts
from posts.services.posts import schedule_post
from queue_app import clock
from queue_app.models import Job
from tests.posts.making import account, draft, picture, sent, user

pytestmark = pytest.mark.django_db


def test_people_see_their_own_posts_and_a_permission_widens_that() -> None:
    ada, chief = user("ada"), user("chief", sees_all=True)
    own, others, the_sites = draft(owner=ada), draft(owner=user("bob")), draft()
    assert set(visible_posts(ada)) == {own}
    assert set(visible_posts(chief)) == {own, others, the_sites}
    assert set(visible_posts(AnonymousUser())) == set()


def test_people_use_shared_things_and_their_own() -> None:
    ada, bob, chief = user("ada"), user("bob"), user("chief", sees_all=True)
    own, shared, other = account(owner=ada), account(), account(owner=bob)
    assert set(usable_accounts(ada)) == {own, shared}
    assert set(usable_accounts(chief)) == set(usable_accounts(None)) == {own, shared, other}
    cat, dog = picture(owner=ada), picture(owner=bob)
    assert set(usable_media(ada)) == {cat}
    assert set(usable_media(chief)) == {cat, dog}


def test_a_post_is_shown_with_its_deliveries_by_platform_and_name() -> None:
    zoe, ada, tom = account("Zoe"), account("Ada"), account("Tom", platform="bluesky")
    at = clock.now() + timedelta(hours=1)
    detail = post_detail(schedule_post(draft(zoe, ada, tom, text="Hello"), at=at).pk)
    assert detail is not None
    assert (detail.status, detail.status_label, detail.text) == ("scheduled", "Scheduled", "Hello")
    assert (detail.scheduled_at, detail.timezone) == (at, "UTC")
    assert [found.account_name for found in detail.deliveries] == ["Tom", "Ada", "Zoe"]
    first = detail.deliveries[0]
    assert (first.account, first.platform, first.status, first.attempts) == (tom.pk, "bluesky", "scheduled", 0)
    assert first.explanation.startswith("Due at ")
    assert post_detail(4711) is None


def test_a_published_delivery_keeps_its_link_when_its_job_is_purged() -> None:
    post = sent(account())
    detail = post_detail(post.pk)
    assert detail is not None
    assert (detail.deliveries[0].attempts, detail.deliveries[0].url) == (1, "https://outbox.example/1")
    Job.objects.all().delete()
    detail = post_detail(post.pk)
    assert detail is not None
    assert (detail.deliveries[0].attempts, detail.deliveries[0].url) == (None, "https://outbox.example/1")


def test_a_draft_has_had_no_attempt() -> None:
    detail = post_detail(draft(account()).pk)
    assert detail is not None
    assert (detail.deliveries[0].attempts, detail.scheduled_at) == (0, None)
