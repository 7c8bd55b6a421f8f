"""Times: scheduling, publishing now, moving, spacing; one job a delivery, and all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.models import DeliveryStatus, Post, PostStatus
from posts.services.errors import NotAllowed, Refused, ValidationFailed
from posts.services.posts import (
    cancel_post,
    publish_now,
    reschedule_post,
    reschedule_with_spacing,
    schedule_post,
)
from queue_app import api, clock, transitions
from queue_app.models import Job
from queue_app.states import JobState
from tests.posts.making import REJECTED, account, begin, delivery, draft, edit, end, job_of, sent, unsettled, user

pytestmark = pytest.mark.django_db

SUMMER = datetime(datetime.now(UTC).year + 1, 7, 1, 12, 30, tzinfo=UTC)


def in_hours(hours: float) -> datetime:
    return clock.now() + timedelta(hours=hours)


def test_scheduling_makes_one_job_a_delivery_with_all_that_the_queue_needs() -> None:
    ada, bob = account("Ada"), account("Bob", platform="telegram")
    at, grace = in_hours(1), user("grace")
    post = schedule_post(draft(ada, bob, priority=3, owner=grace), at=at, actor=grace)
    assert (post.status, post.scheduled_at) == (PostStatus.SCHEDULED, at)
    found = delivery(post, bob)
    job = job_of(found)
    assert found.status == DeliveryStatus.SCHEDULED
    assert (job.type, job.args, job.target_id) == ("posts.publish", {"delivery_id": found.pk}, str(found.pk))
    assert (job.run_at, job.expires_at, job.priority) == (at, at + timedelta(hours=24), 3)
    assert job.keys == [f"account:{bob.pk}", "platform:telegram", f"user:{grace.pk}"]
    assert job.unique_key == f"delivery:{found.uuid.hex}"
    assert job.events.get().actor == "grace"
    assert Job.objects.filter(type="posts.publish").count() == 2


def test_the_wall_time_is_kept_in_the_zone_that_was_meant(settings: Any) -> None:
    meant = f"{SUMMER.year}-07-01T14:30"
    post = schedule_post(draft(account()), at=SUMMER, wall_time=meant, timezone="Europe/Berlin")
    assert (post.wall_time, post.timezone) == (f"{meant}:00", "Europe/Berlin")
    settings.TIME_ZONE = "Asia/Tokyo"
    post = schedule_post(draft(account()), at=SUMMER)
    assert (post.wall_time, post.timezone) == (f"{SUMMER.year}-07-01T21:30:00", "Asia/Tokyo")


def test_a_wall_time_that_is_another_instant_is_a_programming_error() -> None:
    other = f"{SUMMER.year}-07-01T15:30"
    with pytest.raises(ValueError, match=f"{other} in Europe/Berlin is not"):
        schedule_post(draft(account()), at=SUMMER, wall_time=other, timezone="Europe/Berlin")
    with pytest.raises(ValueError, match="at needs a time zone"):
        schedule_post(draft(account()), at=SUMMER.replace(tzinfo=None))


def test_a_time_that_has_just_passed_means_now() -> None:
    before = clock.now()
    post = schedule_post(draft(account()), at=before - timedelta(seconds=50))
    assert post.scheduled_at is not None
    assert before <= post.scheduled_at <= clock.now()
    assert job_of(delivery(post)).run_at == post.scheduled_at


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (lambda: in_hours(-2), "is in the past; choose a later time, or publish now"),
        (lambda: datetime(1, 1, 1, tzinfo=UTC), "is in the past"),
        (lambda: datetime(9999, 12, 31, 23, tzinfo=UTC), "is more than ten years ahead"),
    ],
)
def test_an_impossible_time_is_refused_and_nothing_saved(at: Callable[[], datetime], message: str) -> None:
    post = draft(account(), timezone="America/New_York")
    with pytest.raises(ValidationFailed, match=message) as caught:
        schedule_post(post, at=at())
    assert [problem.field for problem in caught.value.problems] == ["scheduled_at"]
    post.refresh_from_db()
    assert (post.status, post.scheduled_at, delivery(post).job) == (PostStatus.DRAFT, None, None)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValidationFailed, match="“Mars/Base” is not a time zone"):
        schedule_post(draft(account()), at=in_hours(1), timezone="Mars/Base")


def test_an_end_before_the_time_is_refused() -> None:
    post = draft(account(), expires_at=in_hours(1))
    with pytest.raises(ValidationFailed, match=r"is dropped if not out by .* \(UTC\), before it is due") as caught:
        schedule_post(post, at=in_hours(2))
    assert caught.value.problems[0].field == "expires_at"


def test_the_posts_own_end_becomes_the_jobs() -> None:
    until = in_hours(3)
    post = schedule_post(draft(account(), expires_at=until), at=in_hours(1))
    assert job_of(delivery(post)).expires_at == until


def test_one_account_that_cannot_take_it_keeps_the_whole_post_a_draft() -> None:
    post = draft(account("Ada"), account("Bob", platform="bluesky"), text="x" * 301)
    with pytest.raises(ValidationFailed) as caught:
        schedule_post(post, at=in_hours(1))
    assert str(caught.value) == "Bob on Bluesky: text has 301 characters, the limit is 300"
    post.refresh_from_db()
    assert (post.status, post.scheduled_at) == (PostStatus.DRAFT, None)
    assert not Job.objects.filter(type="posts.publish").exists()


def test_a_post_without_accounts_is_refused() -> None:
    with pytest.raises(ValidationFailed, match="has no account to go out on; choose at least one"):
        publish_now(draft())


def test_publishing_now_starts_a_draft_and_moves_a_scheduled_post() -> None:
    early = publish_now(draft(account()))
    assert job_of(delivery(early)).run_at == early.scheduled_at
    later = schedule_post(draft(account(), timezone="Europe/Berlin"), at=in_hours(5))
    moved = publish_now(later)
    assert moved.scheduled_at is not None
    assert moved.scheduled_at <= clock.now()
    assert (job_of(delivery(moved)).run_at, moved.timezone) == (moved.scheduled_at, "Europe/Berlin")
    assert Job.objects.filter(type="posts.publish").count() == 2


def test_rescheduling_moves_time_and_expiry_and_keeps_the_job() -> None:
    post = schedule_post(draft(account()), at=in_hours(1))
    job, at = job_of(delivery(post)), in_hours(4)
    version = post.version
    post = reschedule_post(post, at=at, timezone="Asia/Tokyo")
    moved = job_of(delivery(post))
    assert (moved.pk, moved.run_at, moved.expires_at) == (job.pk, at, at + timedelta(hours=24))
    assert (post.scheduled_at, post.timezone, post.version) == (at, "Asia/Tokyo", version + 1)


def test_rescheduling_leaves_out_what_is_out_already() -> None:
    ada, bob = account("Ada"), account("Bob")
    post = publish_now(draft(ada, bob))
    live = begin(delivery(post, ada))
    post = reschedule_post(post, at=in_hours(2))
    assert job_of(delivery(post, bob)).run_at == post.scheduled_at
    live.job.refresh_from_db()
    assert live.job.state == JobState.RUNNING


def test_only_what_waits_can_be_rescheduled() -> None:
    with pytest.raises(Refused, match="is draft, so nothing of it waits for a time; schedule it instead"):
        reschedule_post(draft(account()), at=in_hours(1))
    with pytest.raises(Refused, match="is published, so nothing of it waits"):
        reschedule_post(sent(account()), at=in_hours(1))


def test_scheduling_twice_makes_no_second_job() -> None:
    post = schedule_post(draft(account("Ada")), at=in_hours(1))
    with pytest.raises(Refused, match="is scheduled already on Ada on Outbox; reschedule it instead"):
        schedule_post(post, at=in_hours(2))
    assert Job.objects.filter(type="posts.publish").count() == 1


def test_what_is_being_sent_live_held_or_unsettled_is_not_scheduled_again() -> None:
    running = publish_now(draft(account("Ada")))
    begin(delivery(running))
    held = publish_now(draft(account("Bob")))
    transitions.change(job_of(delivery(held)), JobState.HELD, now=clock.now(), reason="restored")
    cases = {
        "is being published on Ada on Outbox right now; wait": running,
        "is held on Bob on Outbox; release or cancel it": held,
        "is published on Cleo on Outbox already; write a new post": sent(account("Cleo")),
        "may already be live on Dora on Outbox; settle that": unsettled(account("Dora")),
    }
    for message, post in cases.items():
        with pytest.raises(Refused, match=message):
            schedule_post(post, at=in_hours(1))


def test_a_post_whose_sending_was_stopped_half_way_is_not_scheduled_again_even_when_its_job_is_purged() -> None:
    from posts.services.deliveries import cancel_delivery

    post = unsettled(account())
    post.deliveries.update(snapshot={"text": "Hello"})
    cancel_delivery(delivery(post))
    with pytest.raises(Refused, match="may already be live"):
        schedule_post(post, at=in_hours(1))
    Job.objects.all().delete()
    with pytest.raises(Refused, match="may already be live"):
        schedule_post(post, at=in_hours(1))


@pytest.mark.parametrize("purged", [False, True])
def test_a_cancelled_or_failed_post_can_be_scheduled_again(purged: bool) -> None:
    cancelled = schedule_post(draft(account()), at=in_hours(1))
    cancel_post(cancelled)
    for post in (cancelled, sent(account(), outcome=REJECTED)):
        old = job_of(delivery(post))
        if purged:
            Job.objects.filter(pk=old.pk).delete()
        at = in_hours(3)
        again = schedule_post(edit(post, priority=2), at=at)
        job = job_of(delivery(again))
        assert (job.pk == old.pk) is not purged
        assert (job.state, job.run_at, job.expires_at) == (JobState.PENDING, at, at + timedelta(hours=24))
        assert (job.priority, again.status) == (2, PostStatus.SCHEDULED)


def test_a_job_that_moved_on_behind_our_back_is_a_conflict_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    from posts.services.errors import Conflict

    def lose(job_id: int, *args: Any, **kwargs: Any) -> None:
        raise transitions.LostRace(api.get(job_id))

    post = schedule_post(draft(account()), at=in_hours(1))
    monkeypatch.setattr(api, "reschedule", lose)
    with pytest.raises(Conflict, match="has just moved on"):
        reschedule_post(post, at=in_hours(2))
    fresh = Post.objects.get(pk=post.pk)
    assert (fresh.scheduled_at, fresh.version) == (post.scheduled_at, post.version)


def test_spacing_moves_what_waits_and_schedules_drafts_in_the_order_given() -> None:
    first, second = draft(account()), schedule_post(draft(account()), at=in_hours(9))
    at = in_hours(1)
    posts = reschedule_with_spacing([second, first], first_at=at, interval_minutes=30)
    assert [post.pk for post in posts] == [second.pk, first.pk]
    assert [post.scheduled_at for post in posts] == [at, at + timedelta(minutes=30)]
    assert {post.status for post in posts} == {PostStatus.SCHEDULED}
    assert job_of(delivery(first)).run_at == at + timedelta(minutes=30)


def test_spacing_is_all_or_nothing() -> None:
    good, bad = draft(account()), draft()
    with pytest.raises(ValidationFailed, match="has no account"):
        reschedule_with_spacing([good, bad], first_at=in_hours(1), interval_minutes=5)
    good.refresh_from_db()
    assert good.status == PostStatus.DRAFT
    assert not Job.objects.filter(type="posts.publish").exists()


@pytest.mark.parametrize("minutes", [-1, float("nan"), float("inf")])
def test_a_spacing_that_is_none_is_refused(minutes: float) -> None:
    with pytest.raises(ValidationFailed, match="Interval minutes must be 0 or more"):
        reschedule_with_spacing([draft(account())], first_at=in_hours(1), interval_minutes=minutes)


def test_each_action_needs_its_own_permission() -> None:
    def only(*may: str) -> Any:
        return user(may[0] if may else "nobody", may=may, sees_all=True)

    scheduler, publisher, mover = only("schedule_post"), only("publish_post"), only("reschedule_post")
    post = draft(account())
    with pytest.raises(NotAllowed, match="publish_post may not schedule posts"):
        schedule_post(post, at=in_hours(1), actor=publisher)
    with pytest.raises(NotAllowed, match="schedule_post may not publish posts now"):
        publish_now(post, actor=scheduler)
    with pytest.raises(NotAllowed, match="schedule_post may not reschedule posts"):
        reschedule_post(post, at=in_hours(1), actor=scheduler)
    with pytest.raises(NotAllowed, match="reschedule_post may not schedule posts"):
        reschedule_with_spacing([post], first_at=in_hours(1), interval_minutes=5, actor=mover)
    post = schedule_post(post, at=in_hours(1), actor=scheduler)
    with pytest.raises(NotAllowed, match="schedule_post may not reschedule posts"):
        reschedule_with_spacing([post], first_at=in_hours(1), interval_minutes=5, actor=scheduler)
    assert reschedule_with_spacing([post], first_at=in_hours(2), interval_minutes=5, actor=mover)
    assert publish_now(post, actor=publisher).status == PostStatus.SCHEDULED


def test_a_post_that_ended_on_one_account_keeps_the_other_waiting() -> None:
    ada, bob = account("Ada"), account("Bob")
    post = publish_now(draft(ada, bob))
    end(delivery(post, ada), REJECTED)
    post.refresh_from_db()
    assert post.status == PostStatus.SCHEDULED
