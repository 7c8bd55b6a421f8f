from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from posts.models import Account, Delivery, DeliveryStatus, Post
from posts.services.duplicates import Duplicate, duplicates_of, normalised
from posts.services.posts import cancel_post, schedule_post
from queue_app import clock
from tests.posts.making import account, delivery, draft, sent

pytestmark = pytest.mark.django_db(transaction=True)


def scheduled(*accounts: Account, text: str = "Fresh bread", **ahead: float) -> Post:
    return schedule_post(draft(*accounts, text=text), at=clock.now() + timedelta(**ahead))


def asked(*accounts: Account, text: str = "Fresh bread", own: str | None = None, **ahead: float) -> list[Duplicate]:
    post = Post(text=text)
    found = [Delivery(post=post, account=each, text_override=own) for each in accounts]
    return duplicates_of(post, found, clock.now() + timedelta(**ahead))


@pytest.mark.parametrize("text", ["Fresh bread", "  fresh\n BREAD ", "Fresh\u200b bread", "Ｆresh bread"])
def test_the_same_text_to_the_same_account_is_found(text: str) -> None:
    ada = account()
    post = scheduled(ada, hours=5)
    (found,) = asked(ada, text=text, hours=1)
    assert (found.account, found.post, found.at, found.is_published) == (ada, post, post.scheduled_at, False)


@pytest.mark.parametrize("text", ["Fresh bread!", "Stale bread", "", "\u200b"])
def test_another_text_is_not(text: str) -> None:
    ada = account()
    scheduled(ada, hours=5)
    scheduled(ada, text="-", hours=5)
    assert asked(ada, text=text, hours=1) == []


@pytest.mark.parametrize(("hours", "number"), [(-19, 0), (-18, 1), (5, 1), (29, 1), (30, 0)])
def test_a_day_before_and_after_counts(hours: float, number: int) -> None:
    ada = account()
    scheduled(ada, hours=5.5)
    assert len(asked(ada, hours=hours)) == number


def test_the_own_texts_of_both_are_compared() -> None:
    ada, bob = account("Ada"), account("Bob")
    post = draft(ada, bob, text="Shared", own_texts={bob.pk: "For Bob"})
    schedule_post(post, at=clock.now() + timedelta(hours=1))
    assert [found.account for found in asked(ada, bob, text="Shared")] == [ada]
    assert [found.account for found in asked(ada, bob, text="x", own="For Bob")] == [bob]


def test_what_is_published_counts_at_its_own_time_and_what_is_cancelled_does_not() -> None:
    ada, bob = account("Ada"), account("Bob")
    sent(ada, text="Fresh bread")
    cancelled = scheduled(bob, hours=1)
    cancel_post(cancelled)
    draft(bob, text="Fresh bread")
    (found,) = asked(ada, bob)
    assert found.is_published
    assert found.at == delivery(found.post).published_at
    Delivery.objects.filter(account=ada).update(published_at=clock.now() - timedelta(hours=25))
    assert asked(ada) == []


def test_a_post_is_no_duplicate_of_itself_and_the_nearest_is_named() -> None:
    ada = account()
    far, near = scheduled(ada, hours=20), scheduled(ada, hours=3)
    (found,) = asked(ada, hours=1)
    assert found.post == near
    (found,) = duplicates_of(near, [delivery(near)], clock.now())
    assert found.post == far


def test_many_posts_are_compared_by_one_bounded_query(django_assert_num_queries: Any) -> None:
    ada = account()
    posts = Post.objects.bulk_create([Post(text="x", scheduled_at=clock.now()) for _ in range(700)])
    Delivery.objects.bulk_create([Delivery(post=post, account=ada, status=DeliveryStatus.SCHEDULED) for post in posts])
    with django_assert_num_queries(1):
        assert len(asked(ada, text="x")) == 1


def test_what_a_reader_does_not_see_is_no_difference() -> None:
    assert normalised(" A\u00adB\n c ") == "ab c"
