"""How many posts the limits still take: what networks document, what the site sets; now and at a time to come."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from posts.models import Account, Delivery, DeliveryStatus
from posts.outbox.platform import OutboxPlatform
from posts.publishing.capabilities import Window
from posts.services.accounts import connect_account
from posts.services.capacity import capacity
from posts.services.posts import publish_now, schedule_post
from queue_app import clock, runner
from tests.posts.making import account, draft

pytestmark = pytest.mark.django_db(transaction=True)
QUARTER = timedelta(minutes=15)


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutboxPlatform, "windows", (Window(3, 900), Window(5, 3600, "app")))


def published(of: Account, minutes_ago: float) -> None:
    at = clock.now() - timedelta(minutes=minutes_ago)
    found = draft(of).deliveries.get()
    Delivery.objects.filter(pk=found.pk).update(published_at=at, status=DeliveryStatus.PUBLISHED)


def planned(of: Account, minutes_ahead: float) -> None:
    schedule_post(draft(of), at=clock.now() + timedelta(minutes=minutes_ahead))


def test_now_what_went_out_takes_places_until_the_oldest_is_over() -> None:
    ada, bob = account("Ada"), account("Bob")
    published(ada, 10)
    published(ada, 5)
    published(ada, 40)
    published(bob, 1)
    own, app = capacity(ada)
    assert (own.left, own.count, own.seconds, own.planned) == (1, 3, 900, 0)
    assert own.frees_at is not None
    assert abs(own.frees_at - clock.now() - timedelta(minutes=5)) < timedelta(seconds=5)
    assert (app.left, app.count) == (1, 5)


def test_at_a_time_to_come_what_is_scheduled_until_then_takes_places_and_what_went_out_has_left() -> None:
    ada = account("Ada")
    published(ada, 10)
    for minutes in (8, 9, 30):
        planned(ada, minutes)
    own, _app = capacity(ada, clock.now() + timedelta(minutes=10))
    assert (own.left, own.planned, own.late) == (1, 2, 0)
    own, _app = capacity(ada, clock.now() + timedelta(minutes=35))
    assert (own.left, own.planned) == (2, 1)
    own, _app = capacity(ada, clock.now() + timedelta(days=300))
    assert (own.left, own.planned, own.frees_at) == (3, 0, None)


def test_what_is_overdue_counts_as_sent_now_and_what_finds_no_place_is_told() -> None:
    ada = account("Ada")
    for _each in range(4):
        publish_now(draft(ada))
    planned(ada, 5)
    own, _app = capacity(ada, clock.now() + timedelta(minutes=6))
    assert (own.left, own.planned, own.late) == (0, 5, 2)
    assert own.frees_at is not None
    assert own.frees_at > clock.now() + QUARTER - timedelta(seconds=5)


def test_what_the_site_sets_counts_starts_of_its_key(settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"platform:outbox": "4/15m 9/d", "account:*": "2/h"}}
    ada = connect_account("outbox", {"name": "Ada"})
    publish_now(draft(ada))
    runner.run_due("default", "tests")
    own = {(limit.what, limit.count): limit for limit in capacity(ada)[2:]}
    assert {key: limit.left for key, limit in own.items()} == {
        ("this account", 2): 1,
        ("all accounts on Outbox", 4): 3,
        ("all accounts on Outbox", 9): 8,
    }
    planned(ada, 20)
    ahead = {(limit.what, limit.count): limit.left for limit in capacity(ada, clock.now() + timedelta(minutes=25))}
    assert ahead["this account", 2] == 0
    assert ahead["all accounts on Outbox", 4] == 3
    assert ahead["all accounts on Outbox", 9] == 7


def test_a_time_that_is_over_is_taken_for_now() -> None:
    ada = account("Ada")
    published(ada, 10)
    assert capacity(ada, clock.now() - timedelta(days=1))[0].left == 2
