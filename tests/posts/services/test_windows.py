from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from posts.models import Account, Delivery, DeliveryStatus
from posts.outbox.platform import OutboxPlatform
from posts.publishing.capabilities import Window
from posts.publishing.errors import RateLimited
from posts.services.accounts import connect_account
from posts.services.capacity import capacity
from posts.services.posts import publish_now
from posts.services.windows import require_room
from queue_app import clock, runner
from queue_app.database import atomic
from queue_app.models import Job
from queue_app.states import JobState
from tests.posts.making import account, draft, job_of, unsettled
from tests.posts.making import delivery as delivery_of

pytestmark = pytest.mark.django_db(transaction=True)

REELS = Window(2, 86_400, option=("placement", "reel"))


@pytest.fixture(autouse=True)
def only_reels_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutboxPlatform, "windows", (REELS,))


def delivery(of: Account, placement: str, **fields: Any) -> Delivery:
    made = draft(of).deliveries.get()
    fields = {"options": {"placement": placement} if placement else {}, **fields}
    Delivery.objects.filter(pk=made.pk).update(**fields)
    made.refresh_from_db()
    return made


def published(of: Account, placement: str, hours_ago: float) -> Delivery:
    at = clock.now() - timedelta(hours=hours_ago)
    return delivery(of, placement, published_at=at, status=DeliveryStatus.PUBLISHED)


def asked_for(of: Delivery) -> None:
    with atomic():
        require_room(of)


def test_a_window_with_a_choice_counts_and_holds_back_those_posts_alone() -> None:
    page = account()
    published(page, "reel", 2)
    for _ in range(3):
        published(page, "post", 1)
    assert [(limit.count, limit.left) for limit in capacity(page)] == [(REELS.count, 1)]
    asked_for(delivery(page, "reel"))
    published(page, "reel", 1)
    with pytest.raises(RateLimited) as caught:
        asked_for(delivery(page, "reel"))
    assert caught.value.code == "window_full"
    assert abs(caught.value.until - clock.now() - timedelta(hours=22)) < timedelta(minutes=1)
    asked_for(delivery(page, "post"))
    asked_for(delivery(page, ""))
    asked_for(delivery(account("Bea"), "reel"))


def test_what_needs_review_takes_a_place_while_the_window_lasts_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutboxPlatform, "windows", (Window(1, 60),))
    page = account()
    unsettled(page)
    with pytest.raises(RateLimited):
        asked_for(delivery(page, ""))
    Job.objects.filter(state=JobState.UNCERTAIN).update(marked_at=clock.now() - timedelta(seconds=61))
    asked_for(delivery(page, ""))


def test_the_parts_of_a_thread_that_failed_count_from_when_they_went_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutboxPlatform, "windows", (Window(2, 60),))
    page, now = account(), clock.now()
    live = [{"id": str(ago), "url": "", "at": (now - timedelta(seconds=ago)).isoformat()} for ago in (70, 5)]
    delivery(page, "", live=live, status=DeliveryStatus.FAILED)
    assert [limit.left for limit in capacity(page)] == [1]


def test_a_full_window_of_a_choice_lets_the_accounts_other_posts_go_out() -> None:
    page = connect_account("outbox", {"name": "ada"})
    published(page, "reel", 23)
    published(page, "reel", 1)
    reel = publish_now(draft(page))
    Delivery.objects.filter(post=reel).update(options={"placement": "reel"})
    runner.run_due("default", "tests")
    waiting = delivery_of(reel)
    assert (waiting.status, job_of(waiting).reason) == (DeliveryStatus.SCHEDULED, "rate_limited")
    assert abs(job_of(waiting).run_at - clock.now() - timedelta(hours=1)) < timedelta(minutes=1)
    other = publish_now(draft(page))
    runner.run_due("default", "tests")
    assert delivery_of(other).status == DeliveryStatus.PUBLISHED
