"""Deliveries in words: where each stands, what to do next, what has happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from posts.models import Account, Delivery, DeliveryStatus
from posts.selectors.deliveries import explanation, next_step, timeline
from posts.selectors.waiting import rate_words
from posts.services.posts import cancel_post, publish_now, reschedule_post, schedule_post
from queue_app import blocks, clock, finish, rescue, transitions
from queue_app.database import atomic
from queue_app.models import BlockKind, Job, Limit, LimitUse
from queue_app.outcomes import Fail, Failure, Retry
from queue_app.rates import parse_rates
from queue_app.states import JobState
from tests.posts.making import NO_ANSWER, account, begin, delivery, draft, end, job_of, sent, unsettled, user

pytestmark = pytest.mark.django_db

AT = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)


def waiting(**fields: Any) -> Delivery:
    return delivery(schedule_post(draft(account("Ada", **fields)), at=AT))


def test_a_draft_says_what_to_do() -> None:
    found = delivery(draft(account()))
    assert (explanation(found), next_step(found)) == ("Not scheduled yet.", "Schedule the post or publish it now.")


def test_what_is_due_later_says_when() -> None:
    found = waiting()
    assert explanation(found) == f"Due at {AT:%Y-%m-%d %H:%M:%S} UTC."
    assert next_step(found).startswith("Nothing to do: it goes out by itself.")


def test_what_is_due_without_a_worker_says_how_to_start_one() -> None:
    found = delivery(publish_now(draft(account())))
    assert explanation(found) == (
        "Due, but no worker serves the queue 'default': start one with python manage.py qcluster."
    )


def test_a_disabled_account_is_named() -> None:
    found = waiting()
    Account.objects.update(enabled=False)
    found = delivery(found.post)
    assert explanation(found) == "Waits: Ada on Outbox is disabled."
    assert next_step(found) == "Enable the account, or cancel this delivery."


def test_an_account_to_reconnect_is_named_with_its_reason() -> None:
    found = waiting(platform="telegram")
    Account.objects.update(reconnect_reason="telegram.kicked")
    found = delivery(found.post)
    assert explanation(found) == (
        "Waits until Ada on Telegram is reconnected: The bot was removed from the Telegram chat."
    )
    assert next_step(found) == "Connect the account again; what waits for it can go out then."


def test_a_block_on_account_or_platform_is_told_by_name_and_with_its_end() -> None:
    found = waiting()
    with atomic():
        blocks.place(
            "platform:outbox",
            BlockKind.RATE_LIMIT,
            now=clock.now(),
            reason="Outbox asks to wait",
            until=AT + timedelta(1),
        )
    assert explanation(found) == (
        f"The platform asked to wait (Outbox): Outbox asks to wait, until {AT + timedelta(1):%Y-%m-%d %H:%M:%S} UTC."
    )
    with atomic():
        blocks.place(found.account.block_key, BlockKind.PAUSE, now=clock.now())
    assert explanation(found) == "Paused (Ada)."


def test_what_waits_for_a_limit_says_what_is_allowed_and_when_it_is_free_again(settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"platform:linkedin": "1/d"}}
    ada = account("Ada", platform="linkedin")
    now = clock.now()
    limit = Limit.objects.create(key="platform:linkedin", used=1)
    LimitUse.objects.create(limit=limit, number=1, at=now - timedelta(hours=23))
    found = delivery(publish_now(draft(ada)))
    Job.objects.update(parked_by="limit:platform:linkedin")
    found = delivery(found.post)
    free = (now + timedelta(hours=1)).astimezone(ZoneInfo("Asia/Tokyo"))
    same_day = free.date() == now.astimezone(ZoneInfo("Asia/Tokyo")).date()
    at = f"{free:%H:%M}" if same_day else f"{free:%Y-%m-%d %H:%M}"
    assert explanation(found, "Asia/Tokyo") == f"LinkedIn allows 1 a day; next free {at} (Asia/Tokyo)."


@pytest.mark.parametrize(
    ("rate", "words"),
    [("20/d", "20 a day"), ("25/15m", "25 in 15 minutes"), ("5/2d", "5 in 2 days"), ("1/s", "1 a second")],
)
def test_a_rate_is_said_as_people_say_it(rate: str, words: str) -> None:
    (found,) = parse_rates(rate)
    assert rate_words(found) == words


def test_a_retry_tells_the_last_error() -> None:
    found = delivery(publish_now(draft(account())))
    claim = begin(found)
    finish.settle(claim, Retry(Failure("Temporary", "Outbox is down.", code="temporary"), delay_seconds=600))
    text = explanation(delivery(found.post))
    assert text.startswith("The last execution failed and it will be tried again; due at ")
    assert text.endswith("(last error: Outbox is down.).")


def test_what_runs_or_is_held_says_so() -> None:
    found = delivery(publish_now(draft(account())))
    begin(found, mark=True)
    assert explanation(delivery(found.post)) == "It is being sent right now."
    assert next_step(delivery(found.post)) == "Nothing to do: wait for its outcome."
    held = waiting()
    transitions.change(job_of(held), JobState.HELD, now=clock.now(), reason="unknown_type")
    held = delivery(held.post)
    assert explanation(held) == "Held until a person releases it: no running worker knows its type."
    assert next_step(held) == "Release it by a retry if it should go out now, or cancel it."


def test_what_may_be_live_is_looked_up_first_and_then_asks_a_person() -> None:
    found = delivery(sent(account(), outcome=NO_ANSWER))
    assert explanation(found).startswith("It may already be live: no clear answer came after ")
    assert next_step(found) == "Nothing to do yet: it is being looked up."
    found = delivery(unsettled(account("Bob")))
    assert (
        explanation(found)
        == "It may already be live; a person must decide (the platform has no way to look up whether the post is live)."
    )
    assert next_step(found).startswith("Look on the platform whether the post is there")


@pytest.mark.parametrize(
    ("code", "step"),
    [("content_rejected", "Change the post, then retry."), ("worker_lost", "Look at the error, then retry.")],
)
def test_what_failed_says_why_and_what_to_do_also_after_the_job_is_purged(code: str, step: str) -> None:
    found = delivery(sent(account(), outcome=Fail(Failure("E", "Outbox refused the post.", code=code))))
    for _ in ("kept", "purged"):
        assert explanation(found) == "Failed: Outbox refused the post."
        assert next_step(found) == step
        Job.objects.all().delete()
        found = delivery(found.post)


def test_what_is_over_says_how_it_ended() -> None:
    live = delivery(sent(account()))
    assert explanation(live).startswith("Published at ")
    assert next_step(live) == ""
    cancelled = waiting()
    cancel_post(cancelled.post)
    cancelled = delivery(cancelled.post)
    assert explanation(cancelled) == "Cancelled: by hand."
    assert next_step(cancelled).startswith("Schedule the post again")
    Job.objects.all().delete()
    assert explanation(delivery(cancelled.post)) == "Cancelled."


def test_what_expired_says_by_when_it_should_have_been_out() -> None:
    found = waiting()
    Job.objects.update(expires_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    rescue.expire_waiting(clock.now())
    found = delivery(found.post)
    assert found.status == DeliveryStatus.EXPIRED
    assert explanation(found) == "Dropped: it was not out by 2026-01-02 03:04 UTC."
    assert next_step(found) == "Retry it if it should go out late, or leave it."
    Job.objects.all().delete()
    assert explanation(delivery(found.post)) == "Dropped: it was not out in time."


def test_the_timeline_tells_events_and_failed_attempts_in_order() -> None:
    post = schedule_post(draft(account()), at=AT)
    reschedule_post(post, at=AT + timedelta(hours=1))
    post = publish_now(post)
    end(delivery(post), NO_ANSWER)
    moments = timeline(delivery(post))
    assert [moment.text for moment in moments] == [
        "Account chosen",
        "Scheduled",
        "Moved to another time",
        "Moved to another time",
        "Execution started",
        "Sending began",
        "No clear answer: it may be live",
        "Attempt 1: no clear answer",
    ]
    assert moments[2].detail == f"to {AT + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert moments[-1].detail == "No answer came."
    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)


def test_the_timeline_names_people_and_not_workers() -> None:
    post = sent(account())
    cancelled = schedule_post(draft(account()), at=AT, actor=(grace := user("grace", sees_all=True)))
    cancel_post(cancelled, actor=grace)
    assert [moment.actor for moment in timeline(delivery(cancelled))] == ["", "grace", "grace"]
    assert {moment.actor for moment in timeline(delivery(post))} == {""}


def test_the_timeline_of_a_purged_job_keeps_the_first_and_the_last_moment() -> None:
    post = sent(account())
    Job.objects.all().delete()
    first, last = timeline(delivery(post))
    assert (first.text, last.text, last.detail) == ("Account chosen", "Published", "https://outbox.example/1")
