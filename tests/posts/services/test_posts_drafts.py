"""Writing and editing: what is stored, what is refused, and what an edit does to a scheduled post."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from posts.models import Delivery, DeliveryStatus, Post, PostStatus
from posts.services.errors import Conflict, NotAllowed, Refused, ValidationFailed
from posts.services.posts import cancel_post, publish_now, save_draft, schedule_post
from queue_app import api, clock, finish
from queue_app.models import Job
from queue_app.outcomes import Failure, Retry
from queue_app.states import JobState
from tests.posts.making import (
    LIVE,
    REJECTED,
    account,
    begin,
    delivery,
    draft,
    edit,
    end,
    job_of,
    picture,
    sent,
    unsettled,
)
from tests.posts.making import user as make_user

pytestmark = pytest.mark.django_db


def in_an_hour() -> Any:
    return clock.now() + timedelta(hours=1)


def test_a_draft_keeps_text_accounts_pictures_and_own_texts() -> None:
    ada, bob, cat, dog = account("Ada"), account("Bob"), picture("cat.jpg"), picture("dog.jpg")
    post = save_draft(
        post=None,
        owner=None,
        text="Hello",
        account_ids=[bob.pk, ada.pk, bob.pk],
        media=[(dog.pk, " A dog "), (cat.pk, "")],
        own_texts={ada.pk: "Hi Ada", bob.pk: "  "},
        language="pt-BR",
        timezone="Europe/Berlin",
        priority=2,
    )
    assert (post.status, post.version, post.priority) == (PostStatus.DRAFT, 1, 2)
    assert (post.language, post.timezone) == ("pt-BR", "Europe/Berlin")
    assert list(post.post_media.values_list("media", "alt_text")) == [(dog.pk, "A dog"), (cat.pk, "")]
    assert delivery(post, ada).text_override == "Hi Ada"
    assert delivery(post, bob).text_override is None
    assert {found.status for found in post.deliveries.all()} == {DeliveryStatus.DRAFT}
    assert not Job.objects.filter(type="posts.publish").exists()


def test_a_draft_may_be_unfinished() -> None:
    post = draft(text="")
    assert (post.status, post.deliveries.count()) == (PostStatus.DRAFT, 0)


def test_editing_follows_the_new_accounts_and_pictures_and_keeps_what_stays() -> None:
    ada, bob, cat, dog = account("Ada"), account("Bob"), picture("cat.jpg"), picture("dog.jpg")
    post = draft(ada, media=[cat])
    kept_uuid = delivery(post, ada).uuid
    post = edit(post, account_ids=[bob.pk, ada.pk], media=[(dog.pk, "Dog"), (cat.pk, "Cat")], text="New")
    assert (post.text, post.version) == ("New", 2)
    assert delivery(post, ada).uuid == kept_uuid
    assert list(post.post_media.values_list("media", "alt_text")) == [(dog.pk, "Dog"), (cat.pk, "Cat")]
    post = edit(post, account_ids=[bob.pk], media=[])
    assert delivery(post).account == bob
    assert post.post_media.count() == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": "a\0b"}, "The text has characters that cannot be stored; type or paste it again"),
        ({"text": "\ud800"}, "The text has characters that cannot be stored; type or paste it again"),
        ({"own_texts": {1: "a\0"}}, "The text has characters that cannot be stored; type or paste it again"),
        ({"text": "x" * 100_001}, "A text has 100,001 characters, the most that is kept is 100,000; shorten it"),
        (
            {"first_comment": "x" * 200_000},
            "A text has 200,000 characters, the most that is kept is 100,000; shorten it",
        ),
        ({"language": "klingon!"}, "“klingon!” is not a language; write a code like en or pt-BR, or nothing"),
        ({"timezone": "Mars/Base"}, "“Mars/Base” is not a time zone; choose a name like Europe/Berlin."),
        ({"priority": 11}, "Priority is 1 (first) to 10 (last), not 11"),
        (
            {"account_ids": [4711]},
            "There is no account 4711 that this post can use; choose one from the list of accounts",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_saved(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        draft(**fields)
    assert str(caught.value) == message
    assert not Post.objects.exists()


def test_all_that_is_wrong_is_said_at_once_with_its_field() -> None:
    cat = picture()
    with pytest.raises(ValidationFailed) as caught:
        draft(text="x", media=[cat, cat], account_ids=[4711], priority=0)
    assert [problem.field for problem in caught.value.problems] == ["priority", "accounts", "media"]
    assert "The file “cat.jpg” is attached twice; remove one of the two" in str(caught.value)


def test_a_naive_expiry_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="expires_at needs a time zone"):
        draft(expires_at=clock.now().replace(tzinfo=None))


def test_the_second_of_two_editors_is_told_and_changes_nothing() -> None:
    post = draft(account())
    edit(post, text="first", expected_version=1)
    with pytest.raises(Conflict, match="was changed by somebody else meanwhile"):
        edit(post, text="second", expected_version=1)
    post.refresh_from_db()
    assert post.text == "first"


def test_a_deleted_post_cannot_be_edited() -> None:
    post = draft()
    Post.objects.filter(pk=post.pk).delete()
    with pytest.raises(Conflict, match="no longer exists"):
        edit(post)


def test_editing_a_scheduled_post_keeps_its_time_queues_added_accounts_and_cancels_removed_ones() -> None:
    ada, bob = account("Ada"), account("Bob")
    at = in_an_hour()
    post = schedule_post(draft(ada), at=at)
    old_job = job_of(delivery(post, ada))
    post = edit(post, text="New", account_ids=[bob.pk])
    assert (post.status, post.scheduled_at) == (PostStatus.SCHEDULED, at)
    old_job.refresh_from_db()
    assert old_job.state == JobState.CANCELLED
    new_job = job_of(delivery(post, bob))
    assert (new_job.state, new_job.run_at) == (JobState.PENDING, at)
    assert Delivery.objects.count() == 1


def test_priority_and_expiry_of_a_scheduled_post_reach_its_jobs() -> None:
    post = schedule_post(draft(account()), at=in_an_hour())
    until = in_an_hour() + timedelta(hours=2)
    edit(post, priority=1, expires_at=until)
    job = job_of(delivery(post))
    assert (job.priority, job.expires_at, job.run_at) == (1, until, post.scheduled_at)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": "x" * 5001}, "Ada on Outbox: text has 5,001 characters, the limit is 5,000"),
        ({"account_ids": []}, "is scheduled: choose an account, or cancel it"),
        ({"text": ""}, "Ada on Outbox: the post is empty; write a text or attach a picture"),
    ],
)
def test_an_edit_that_could_not_be_published_is_refused_and_the_schedule_stays(
    changes: dict[str, Any], message: str
) -> None:
    post = schedule_post(draft(account("Ada")), at=in_an_hour())
    with pytest.raises(ValidationFailed) as caught:
        edit(post, **changes)
    assert message in str(caught.value)
    post.refresh_from_db()
    assert (post.text, post.status) == ("Hello", PostStatus.SCHEDULED)
    assert job_of(delivery(post)).state == JobState.PENDING


def test_an_expiry_before_the_time_is_refused_for_a_scheduled_post() -> None:
    post = schedule_post(draft(account()), at=in_an_hour())
    with pytest.raises(ValidationFailed, match="would be dropped before it is due"):
        edit(post, expires_at=clock.now() + timedelta(minutes=1))


def test_the_expiry_of_a_post_that_is_tried_again_is_measured_by_its_next_try() -> None:
    post = publish_now(draft(account()))
    finish.settle(begin(delivery(post)), Retry(Failure("Temporary", "busy"), delay_seconds=3600))
    due = job_of(delivery(post)).run_at
    with pytest.raises(ValidationFailed, match="would be dropped before it is due") as caught:
        edit(post, expires_at=due - timedelta(minutes=1))
    assert [problem.field for problem in caught.value.problems] == ["expires_at"]
    edit(post, expires_at=due + timedelta(minutes=1))
    job = job_of(delivery(post))
    assert (job.run_at, job.expires_at) == (due, due + timedelta(minutes=1))
    edit(post, expires_at=None)
    assert job_of(delivery(post)).expires_at == due + timedelta(hours=24)


def test_a_scheduled_post_can_be_edited_while_an_account_waits_to_be_reconnected() -> None:
    ada = account("Ada")
    post = schedule_post(draft(ada), at=in_an_hour())
    ada.reconnect_reason = "reconnect_needed"
    ada.save()
    assert edit(post, text="Better").text == "Better"


def test_a_failed_post_can_be_edited() -> None:
    post = sent(account(), outcome=REJECTED)
    assert edit(post, text="Shorter").status == PostStatus.FAILED


def test_what_is_being_sent_is_out_or_may_be_out_cannot_be_edited() -> None:
    running = publish_now(draft(account("Ada")))
    begin(delivery(running))
    with pytest.raises(Refused, match=r"on Ada on Outbox it is publishing\. Write a new post instead"):
        edit(running, text="too late")
    for post in (sent(account("Bob")), unsettled(account("Cleo"))):
        with pytest.raises(Refused, match="cannot be changed any more"):
            edit(post, text="too late")


def test_an_account_whose_sending_was_stopped_half_way_cannot_be_taken_off() -> None:
    from posts.services.deliveries import cancel_delivery

    post = unsettled(account())
    cancel_delivery(delivery(post))
    with pytest.raises(Refused, match="cannot be changed any more"):
        edit(post, account_ids=[])


def test_a_cancelled_post_can_be_edited_and_its_accounts_changed() -> None:
    ada, bob = account("Ada"), account("Bob")
    post = schedule_post(draft(ada), at=in_an_hour())
    cancel_post(post)
    post = edit(post, account_ids=[bob.pk])
    assert (post.status, delivery(post).account) == (PostStatus.DRAFT, bob)


def test_people_use_shared_accounts_and_their_own_not_those_of_others() -> None:
    ada, bob = make_user("ada"), make_user("bob")
    shared, own, other = account("Shared"), account("Own", owner=ada), account("Other", owner=bob)
    post = draft(shared, own, owner=ada, actor=ada)
    assert post.owner == ada
    with pytest.raises(ValidationFailed, match=f"There is no account {other.pk} that this post can use"):
        draft(other, owner=ada, actor=ada)
    assert draft(other, owner=ada, actor=make_user("chief", sees_all=True)).pk


def test_people_attach_their_own_pictures_and_may_keep_those_that_are_there() -> None:
    ada, bob = make_user("ada"), make_user("bob", sees_all=True)
    cat = picture(owner=bob)
    with pytest.raises(ValidationFailed, match=f"There is no file {cat.pk}"):
        draft(media=[cat], owner=ada, actor=ada)
    post = draft(media=[cat], owner=ada, actor=bob)
    assert edit(post, text="New", actor=ada).text == "New"


def test_writing_needs_the_permission_and_editing_also_ones_own_post() -> None:
    ada, reader = make_user("ada"), make_user("reader", may=())
    with pytest.raises(NotAllowed, match="reader may not write posts; ask an administrator"):
        draft(actor=reader)
    post = draft(owner=make_user("bob"))
    with pytest.raises(NotAllowed, match="belongs to somebody else"):
        edit(post, actor=ada)
    with pytest.raises(NotAllowed, match="reader may not change posts"):
        edit(post, actor=reader)


@pytest.mark.parametrize("is_held", [False, True])
def test_what_waits_to_go_out_is_changed_by_those_who_may_schedule(is_held: bool) -> None:
    writer = make_user("writer", may=["change_post"])
    planner = make_user("planner", may=["change_post", "schedule_post"], sees_all=True)
    ada, bob = account("Ada"), account("Bob")
    post = schedule_post(draft(ada, owner=writer), at=in_an_hour())
    if is_held:
        api.hold(job_of(delivery(post)).pk, "later")
    refused: list[dict[str, Any]] = [{"account_ids": [ada.pk, bob.pk]}, {"account_ids": []}, {"text": "Seen by nobody"}]
    for changes in refused:
        with pytest.raises(NotAllowed, match=f"Post {post.pk} is scheduled, and writer may not schedule posts"):
            edit(post, **changes, actor=writer)
    assert Job.objects.get(type="posts.publish") == job_of(delivery(post))
    assert edit(post, account_ids=[ada.pk, bob.pk], actor=planner).deliveries.count() == 2
    cancel_post(post)
    assert edit(post, account_ids=[ada.pk, bob.pk], text="Not sent", actor=writer).status == PostStatus.CANCELLED


def test_a_partly_published_post_keeps_its_text_for_the_retry() -> None:
    ada, bob = account("Ada"), account("Bob")
    post = publish_now(draft(ada, bob))
    end(delivery(post, ada), LIVE)
    end(delivery(post, bob), REJECTED)
    with pytest.raises(Refused, match="on Ada on Outbox it is published"):
        edit(post, text="New")
