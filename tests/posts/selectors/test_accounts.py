"""How accounts stand, in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from posts.models import Account
from posts.selectors.accounts import RECONNECT, asks_reconnect, ends_at, ends_by, health_of, waiting_by_account
from posts.services.posts import publish_now
from posts.services.standing import slow_down
from queue_app import clock, pauses
from tests.posts.making import account, draft, sent

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("fields", "days", "label"),
    [
        ({}, None, "Works"),
        ({"enabled": False, "reconnect_reason": "reconnect_needed"}, None, "Disabled"),
        ({"reconnect_reason": "reconnect_needed"}, None, "Must be reconnected"),
        ({"platform": "linkedin"}, -1, "Access has ended"),
        ({"platform": "linkedin"}, 0.5, "Access ends today"),
        ({"platform": "linkedin"}, 1.5, "Access ends in 1 day"),
        ({"platform": "linkedin"}, 5.5, "Access ends in 5 days"),
        ({"platform": "linkedin"}, 60, "Works"),
        ({"platform": "bluesky"}, -1, "Works"),  # renews its login by itself
        ({"platform": "gone"}, -1, "Access has ended"),
    ],
)
def test_says_whether_posts_can_go_out(fields: dict[str, Any], days: float | None, label: str) -> None:
    now = clock.now()
    key = "renewable_until" if fields.get("platform") == "linkedin" else "credentials_expire_at"
    ends = (
        {} if days is None else {"credentials_expire_at": now + timedelta(days=days), key: now + timedelta(days=days)}
    )
    found = account("Ada", **{"platform": "outbox", **fields}, **ends)
    health = health_of(found, now)
    assert health.label == label
    assert Account.objects.filter(RECONNECT).exists() == asks_reconnect(found) == (label == "Must be reconnected")
    end = ends_at(found)
    for at in (now, now + timedelta(days=3), now + timedelta(days=90)):
        assert Account.objects.filter(ends_by(at)).exists() == (end is not None and end <= at)


def test_a_pause_and_a_wait_that_a_platform_asks_for_are_told_with_their_end() -> None:
    ada, now = account("Ada"), clock.now()
    slow_down(ada, now + timedelta(hours=1), "app")
    health = health_of(ada, now)
    assert (health.state, health.until) == ("rate_limit", now + timedelta(hours=1))
    pauses.pause(ada.block_key, reason="Holiday")
    assert (health_of(ada, now).label, health_of(ada, now).detail) == ("Paused", "Holiday")
    assert health_of(account("Bob", platform="bluesky"), now).label == "Works"


def test_counts_what_waits_for_each() -> None:
    ada, bob = account("Ada"), account("Bob")
    publish_now(draft(ada))
    publish_now(draft(ada))
    sent(bob)
    assert waiting_by_account([ada, bob]) == {ada.pk: 2}
