"""Who sees which posts, accounts and pictures; and one post with everything."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from posts.models import Post, Tag
from posts.selectors import posts
from posts.selectors.calendar import Filters, filtered_posts
from posts.selectors.posts import (
    deliveries_in_order,
    post_detail,
    usable_accounts,
    usable_media,
    visible_deliveries,
    visible_posts,
)
from posts.services.posts import schedule_post
from queue_app import clock
from queue_app.database import connection, is_postgresql
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


def plan_of(rows: QuerySet[Any]) -> str:
    """Return how the database would read the first of ``rows``, on PostgreSQL as if there were too many to sort."""
    if is_postgresql():
        with connection().cursor() as cursor:
            cursor.execute(
                "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
            )
    return rows[:51].explain()


@pytest.mark.parametrize("few", [0, 500])
def test_a_page_has_the_same_rows_whether_there_are_few_or_many(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(posts, "FEW", few)
    ada, chief = user("ada"), user("chief", sees_all=True)
    one, other = account(), account(platform="bluesky")
    mine = [draft(one, owner=ada, tags=["launch"]), draft(one, other, owner=ada), draft(owner=ada)]
    theirs = draft(one, other, owner=user("bob"), tags=["launch"])
    for person in (ada, chief, user("nobody"), AnonymousUser()):
        assert set(deliveries_in_order(person)) == set(visible_deliveries(person))
    wanted = {
        Filters(account=one.pk): mine[:2],
        Filters(platform="bluesky"): mine[1:2],
        Filters(tag="launch"): mine[:1],
        Filters(account=one.pk, platform="bluesky"): mine[1:2],
        Filters(account=other.pk, tag="launch"): [],
        Filters(tag="none"): [],
    }
    assert {filters: list(filtered_posts(ada, filters).order_by("pk")) for filters in wanted} == wanted
    assert theirs in filtered_posts(chief, Filters(account=one.pk, tag="launch"))


def test_a_page_of_a_long_list_is_read_in_its_order_and_nothing_is_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "FEW", 0)
    ada, on = user("ada"), account()
    for _each in range(3):
        schedule_post(draft(on, owner=ada, tags=["launch"]), at=clock.now() + timedelta(hours=1))
    assert Tag.objects.count() == 1
    by_time = ("-scheduled_at", "-pk")
    lists: list[QuerySet[Any]] = [
        deliveries_in_order(ada).select_related("account").order_by("-pk"),
        deliveries_in_order(ada).filter(account=on).order_by("-pk"),
        *(
            filtered_posts(ada, filters).exclude(scheduled_at=None).order_by(*by_time)
            for filters in (Filters(), Filters(account=on.pk), Filters(platform="outbox"), Filters(tag="launch"))
        ),
        Post.objects.filter(status="scheduled").exclude(scheduled_at=None).order_by(*by_time),
    ]
    for rows in lists:
        plan = plan_of(rows)
        assert "Sort" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan


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
