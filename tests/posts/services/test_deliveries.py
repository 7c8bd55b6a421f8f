"""What a person does to one delivery, and that nothing which may be live is sent again by accident."""

from __future__ import annotations

from datetime import timedelta

import pytest

from posts.models import Delivery, DeliveryStatus, PostStatus
from posts.services.deliveries import (
    cancel_delivery,
    check_delivery_again,
    mark_delivery_published,
    retry_delivery,
)
from posts.services.errors import NotAllowed, Refused, ValidationFailed
from posts.services.posts import publish_now, retry_post, schedule_post
from queue_app import clock, finish, transitions
from queue_app.models import Job
from queue_app.states import JobState
from tests.posts.making import REJECTED, account, begin, delivery, draft, job_of, sent, unsettled, user

pytestmark = pytest.mark.django_db


def held(name: str = "Ada") -> Delivery:
    post = publish_now(draft(account(name)))
    transitions.change(job_of(delivery(post)), JobState.HELD, now=clock.now(), reason="unknown_type")
    return delivery(post)


def refused(found: Delivery) -> None:
    claim = begin(found)
    finish.settle(claim, REJECTED)


def waiting() -> Delivery:
    return delivery(schedule_post(draft(account("Ada")), at=clock.now() + timedelta(hours=1)))


def test_retrying_runs_a_failed_cancelled_or_held_delivery_now() -> None:
    grace = user("grace", sees_all=True)
    cancelled = cancel_delivery(waiting())
    for found in (delivery(sent(account(), outcome=REJECTED)), cancelled, held()):
        retried = retry_delivery(found, actor=grace)
        assert retried.status == DeliveryStatus.SCHEDULED
        assert retried.post.status == PostStatus.SCHEDULED
        job = job_of(retried)
        assert (job.state, job.events.order_by("id").last().actor) == (JobState.PENDING, "grace")  # type: ignore[union-attr]  # it has


def test_there_is_nothing_to_retry_of_what_waits_or_is_live() -> None:
    with pytest.raises(Refused, match="on Ada on Outbox is scheduled; there is nothing to retry"):
        retry_delivery(waiting())
    with pytest.raises(Refused, match="on Bob on Outbox is published; there is nothing to retry"):
        retry_delivery(delivery(sent(account("Bob"))))


def test_what_may_be_live_is_sent_again_only_when_that_was_asked_for() -> None:
    found = delivery(unsettled(account("Ada")))
    with pytest.raises(Refused, match="on Ada on Outbox may already be live, and a retry could publish it twice"):
        retry_delivery(found)
    assert retry_delivery(found, even_if_uncertain=True).status == DeliveryStatus.SCHEDULED


@pytest.mark.parametrize("purged", [False, True])
def test_one_that_was_stopped_half_way_stays_dangerous_to_send(purged: bool) -> None:
    found = delivery(unsettled(account()))
    Delivery.objects.filter(pk=found.pk).update(snapshot={"text": "Hello"})
    found = cancel_delivery(found)
    assert (found.status, job_of(found).reason) == (DeliveryStatus.CANCELLED, "stopped_may_be_live")
    if purged:
        Job.objects.all().delete()
    with pytest.raises(Refused, match="may already be live"):
        retry_delivery(found)
    assert retry_delivery(found, even_if_uncertain=True).status == DeliveryStatus.SCHEDULED


@pytest.mark.parametrize("end", ["cancelled", "expired", "failed"])
def test_one_that_was_retried_while_unsettled_needs_the_words_again(end: str) -> None:
    found = retry_delivery(delivery(unsettled(account("Ada"))), even_if_uncertain=True)
    if end == "cancelled":
        found = cancel_delivery(found)
    elif end == "expired":
        transitions.change(job_of(found), JobState.CANCELLED, now=clock.now(), reason="expired")
    else:
        refused(found)
    assert delivery(found.post).status == end
    with pytest.raises(Refused, match="may already be live"):
        retry_delivery(found)
    with pytest.raises(Refused, match="may already be live"):
        schedule_post(found.post, at=clock.now() + timedelta(hours=1))
    with pytest.raises(Refused, match=r"may already be live|has failed or expired"):
        retry_post(found.post)
    assert retry_delivery(found, even_if_uncertain=True).status == DeliveryStatus.SCHEDULED


def test_one_that_was_proven_absent_is_retried_like_any_other() -> None:
    found = delivery(unsettled(account()))
    transitions.change(job_of(found), JobState.PENDING, now=clock.now(), reason="proven_absent")
    assert retry_delivery(cancel_delivery(found)).status == DeliveryStatus.SCHEDULED


def test_cancelling_stops_a_waiting_held_or_running_delivery() -> None:
    running = delivery(publish_now(draft(account())))
    begin(running)
    for found in (waiting(), held(), running):
        cancelled = cancel_delivery(found)
        assert (cancelled.status, cancelled.post.status) == (DeliveryStatus.CANCELLED, PostStatus.CANCELLED)


def test_what_is_being_sent_or_over_cannot_be_cancelled() -> None:
    found = delivery(publish_now(draft(account("Ada"))))
    begin(found, mark=True)
    with pytest.raises(Refused, match="on Ada on Outbox is already being sent; wait for its outcome"):
        cancel_delivery(found)
    with pytest.raises(Refused, match="is published; there is nothing to cancel"):
        cancel_delivery(delivery(sent(account())))


def test_a_persons_word_that_it_is_live_publishes_it_with_the_link() -> None:
    found = delivery(unsettled(account()))
    found = mark_delivery_published(found, url=" https://t.me/ada/7 ", actor=user("grace", sees_all=True))
    assert (found.status, found.url) == (DeliveryStatus.PUBLISHED, "https://t.me/ada/7")
    assert (found.published_at is not None, found.post.status) == (True, PostStatus.PUBLISHED)
    assert job_of(found).result == {"id": "", "url": "https://t.me/ada/7", "response": {"said_by": "grace"}}


def test_a_live_post_may_have_no_link() -> None:
    assert mark_delivery_published(delivery(unsettled(account())), url="").status == DeliveryStatus.PUBLISHED


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://a.example/x", "nonsense", f"https://a.example/{'x' * 500}"]
)
def test_what_is_no_link_is_refused(url: str) -> None:
    found = delivery(unsettled(account()))
    with pytest.raises(
        ValidationFailed, match="is not the link of a post; paste one that starts with https://"
    ) as caught:
        mark_delivery_published(found, url=url)
    assert caught.value.problems[0].field == "url"
    assert delivery(found.post).status == DeliveryStatus.NEEDS_REVIEW


def test_checking_again_looks_it_up_anew() -> None:
    found = delivery(unsettled(account()))
    look_ups = Job.objects.filter(reconciles=found.job)
    transitions.change(look_ups.get(), JobState.CANCELLED, now=clock.now(), reason="by_hand")
    check_delivery_again(found)
    assert look_ups.filter(state=JobState.PENDING).count() == 1
    check_delivery_again(found)
    assert look_ups.filter(state=JobState.PENDING).count() == 1


def test_only_what_needs_review_can_be_settled() -> None:
    found = delivery(sent(account("Ada"), outcome=REJECTED))
    with pytest.raises(Refused, match="on Ada on Outbox is failed; only what needs review can be settled"):
        mark_delivery_published(found, url="")
    with pytest.raises(Refused, match="only what needs review can be settled"):
        check_delivery_again(found)


def test_a_delivery_that_was_taken_off_its_post_is_not_found() -> None:
    found = waiting()
    Delivery.objects.filter(pk=found.pk).delete()
    with pytest.raises(Refused, match="The account was taken off post"):
        cancel_delivery(found)


def test_each_action_needs_its_permission() -> None:
    found, reader = delivery(unsettled(account())), user("reader", may=())
    with pytest.raises(NotAllowed, match="reader may not cancel posts"):
        cancel_delivery(found, actor=reader)
    with pytest.raises(NotAllowed, match="reader may not retry posts"):
        retry_delivery(found, actor=reader)
    with pytest.raises(NotAllowed, match="reader may not retry posts"):
        mark_delivery_published(found, url="", actor=reader)
    with pytest.raises(NotAllowed, match="reader may not retry posts"):
        check_delivery_again(found, actor=reader)
