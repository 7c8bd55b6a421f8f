"""Retry, cancellation and deletion of whole posts, in every state that a post can have."""

from __future__ import annotations

from datetime import timedelta

import pytest

from posts.models import Delivery, DeliveryStatus, Post, PostStatus
from posts.services.errors import Conflict, NotAllowed, Refused, ValidationFailed
from posts.services.posts import cancel_post, delete_post, publish_now, retry_post, schedule_post
from queue_app import clock, rescue
from queue_app.models import Job
from queue_app.states import JobState
from tests.posts.making import LIVE, REJECTED, account, begin, delivery, draft, edit, end, job_of, sent, unsettled, user

pytestmark = pytest.mark.django_db


def expired(post: Post) -> Post:
    Job.objects.filter(delivery__post=post).update(expires_at=clock.now() - timedelta(seconds=1))
    rescue.expire_waiting(clock.now())
    post.refresh_from_db()
    return post


def test_cancelling_stops_what_waits_and_what_has_not_been_sent() -> None:
    ada, bob = account("Ada"), account("Bob")
    post = publish_now(draft(ada, bob))
    begin(delivery(post, bob))
    report = cancel_post(post, actor=user("grace", sees_all=True))
    assert (report.cancelled, report.refused) == (2, [])
    post.refresh_from_db()
    assert post.status == PostStatus.CANCELLED
    assert {found.status for found in post.deliveries.all()} == {DeliveryStatus.CANCELLED}
    assert job_of(delivery(post, ada)).events.order_by("id").last().actor == "grace"  # type: ignore[union-attr]  # it has


def test_cancelling_names_what_is_being_sent_and_what_may_be_live() -> None:
    ada, bob, cleo = account("Ada"), account("Bob"), account("Cleo")
    post = publish_now(draft(ada, bob, cleo))
    begin(delivery(post, ada), mark=True)
    other = unsettled(account("Dora"))
    report = cancel_post(post)
    assert (report.cancelled, [found.account for found in report.refused]) == (2, [ada])
    report = cancel_post(other)
    assert (report.cancelled, [found.account.name for found in report.refused]) == (0, ["Dora"])
    assert delivery(other).status == DeliveryStatus.NEEDS_REVIEW


def test_cancelling_a_draft_or_a_published_post_changes_nothing() -> None:
    for post in (draft(account()), sent(account())):
        before = post.status
        assert cancel_post(post).cancelled == 0
        post.refresh_from_db()
        assert post.status == before


def test_a_delivery_whose_job_was_deleted_can_still_be_cancelled() -> None:
    post = schedule_post(draft(account()), at=clock.now() + timedelta(hours=1))
    Job.objects.all().delete()
    assert cancel_post(post).cancelled == 1
    post.refresh_from_db()
    assert post.status == PostStatus.CANCELLED


def test_retrying_runs_failed_and_expired_deliveries_now_and_leaves_the_others() -> None:
    ada, bob, cleo = account("Ada"), account("Bob"), account("Cleo")
    post = publish_now(draft(ada, bob, cleo))
    end(delivery(post, ada), LIVE)
    end(delivery(post, bob), REJECTED)
    post = expired(post)
    assert (post.status, delivery(post, cleo).status) == (PostStatus.PARTIALLY_PUBLISHED, DeliveryStatus.EXPIRED)
    retried = retry_post(post, actor=user("grace", sees_all=True))
    assert {found.account.name for found in retried} == {"Bob", "Cleo"}
    assert {found.status for found in retried} == {DeliveryStatus.SCHEDULED}
    job = job_of(delivery(post, bob))
    assert (job.state, job.attempts, job.max_attempts) == (JobState.PENDING, 1, 4)
    assert job.expires_at is not None
    assert job.expires_at > clock.now()
    assert job_of(delivery(post, ada)).state == JobState.COMPLETED
    post.refresh_from_db()
    assert post.status == PostStatus.SCHEDULED


def test_retrying_works_when_the_failed_job_was_purged() -> None:
    post = sent(account(), outcome=REJECTED)
    Job.objects.all().delete()
    retry_post(post)
    assert job_of(delivery(post)).state == JobState.PENDING


def test_nothing_to_retry_is_said() -> None:
    for post in (draft(account()), sent(account())):
        with pytest.raises(Refused, match="has failed or expired, so there is nothing to retry"):
            retry_post(post)


def test_what_may_be_live_is_retried_only_when_that_was_asked_for() -> None:
    post = unsettled(account("Ada"))
    with pytest.raises(Refused, match="may already be live on Ada on Outbox, and a retry could publish it twice"):
        retry_post(post)
    assert job_of(delivery(post)).state == JobState.UNCERTAIN
    retry_post(post, even_if_uncertain=True)
    assert job_of(delivery(post)).state == JobState.PENDING


def test_a_retry_leaves_out_what_may_be_live_beside_what_failed() -> None:
    ada, bob = account("Ada"), account("Bob")
    post = unsettled(ada)
    Delivery.objects.create(post=post, account=bob, status=DeliveryStatus.FAILED)
    assert [found.account for found in retry_post(post)] == [bob]
    assert delivery(post, ada).status == DeliveryStatus.NEEDS_REVIEW


def test_a_retry_that_the_limits_forbid_is_refused() -> None:
    ada = account("Ada", platform="bluesky")
    post = sent(ada, outcome=REJECTED)
    edit(post, text="x" * 301)
    with pytest.raises(ValidationFailed, match="Ada on Bluesky: text has 301 characters, the limit is 300"):
        retry_post(post)
    assert delivery(post).status == DeliveryStatus.FAILED


def test_a_retry_after_the_posts_end_asks_for_a_later_one() -> None:
    post = sent(account(), outcome=REJECTED, expires_at=clock.now() + timedelta(hours=1))
    Post.objects.filter(pk=post.pk).update(expires_at=clock.now() - timedelta(hours=1))
    with pytest.raises(ValidationFailed, match=r"was to be dropped after .* UTC; choose a later time first"):
        retry_post(post)


def test_deleting_cancels_first_and_leaves_no_job_running() -> None:
    post = schedule_post(draft(account()), at=clock.now() + timedelta(hours=1))
    job = job_of(delivery(post))
    delete_post(post)
    assert not Post.objects.exists()
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


@pytest.mark.parametrize("status", ["draft", "published", "failed"])
def test_what_is_over_can_be_deleted(status: str) -> None:
    made = {"draft": draft, "published": sent, "failed": lambda found: sent(found, outcome=REJECTED)}
    delete_post(made[status](account()))  # type: ignore[operator]  # each takes an account
    assert not Post.objects.exists()


def test_what_is_being_published_or_unsettled_cannot_be_deleted_and_nothing_is_cancelled() -> None:
    ada, bob = account("Ada"), account("Bob")
    running = publish_now(draft(ada, bob))
    begin(delivery(running, bob))
    with pytest.raises(Refused, match="is being published on Bob on Outbox right now; delete it when that is over"):
        delete_post(running)
    assert job_of(delivery(running, ada)).state == JobState.PENDING
    with pytest.raises(Refused, match="may already be live on Cleo on Outbox; settle that"):
        delete_post(unsettled(account("Cleo")))
    assert Post.objects.count() == 2


def test_a_post_that_is_gone_is_a_conflict() -> None:
    post = draft(account())
    Post.objects.filter(pk=post.pk).delete()
    for action in (cancel_post, retry_post, delete_post, publish_now):
        with pytest.raises(Conflict, match="no longer exists; somebody has deleted it"):
            action(post)


def test_each_action_needs_its_own_permission_and_ones_own_post() -> None:
    reader, stranger = user("reader", may=(), sees_all=True), user("stranger")
    post = sent(account(), outcome=REJECTED)
    for action, words in ((cancel_post, "cancel"), (retry_post, "retry"), (delete_post, "delete")):
        with pytest.raises(NotAllowed, match=f"reader may not {words} posts; ask an administrator"):
            action(post, actor=reader)  # type: ignore[operator]  # each takes an actor
        with pytest.raises(NotAllowed, match="belongs to somebody else"):
            action(post, actor=stranger)  # type: ignore[operator]  # each takes an actor
