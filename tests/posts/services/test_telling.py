"""Events of posts: each change once, in its transaction, with what a listener needs and nothing secret."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from posts.models import Post
from posts.services import library
from posts.services.errors import Refused
from posts.services.posts import (
    cancel_post,
    delete_post,
    publish_now,
    reschedule_post,
    reschedule_with_spacing,
    retry_post,
    schedule_post,
)
from posts.services.queueing import one_transaction
from posts.services.taking_back import unschedule_post
from posts.services.telling import MOST_DELIVERIES, OF_STATUS
from queue_app import clock, finish
from queue_app.models import Event
from queue_app.outcomes import Fail, Failure, Retry
from tests.posts.making import (
    LIVE,
    NO_ANSWER,
    REJECTED,
    account,
    begin,
    delivery,
    draft,
    edit,
    end,
    picture,
    sent,
    user,
)

pytestmark = pytest.mark.django_db


def told(post: Post | None = None) -> list[str]:
    """Return the names of the posts' events in order, or those of one post."""
    found = Event.objects.filter(name__startswith="post.").order_by("pk")
    return [each.name for each in found if post is None or each.data["post_id"] == post.pk]


def last(name: str) -> dict[str, Any]:
    data: dict[str, Any] = Event.objects.filter(name=name).latest("pk").data
    return data


def tomorrow() -> Any:
    return clock.now() + timedelta(days=1)


def test_that_a_post_was_taken_back_to_a_draft_is_told() -> None:
    post = draft(account("Ada"))
    schedule_post(post, at=tomorrow())
    unschedule_post(post, actor=None)
    assert told(post) == ["post.created", "post.scheduled", "post.updated"]
    assert last("post.updated")["status"] == "draft"


def test_a_posts_way_is_told_in_order_and_each_step_once() -> None:
    ada, grace = account("Ada"), user("grace")
    post = draft(ada, owner=grace, actor=grace)
    edit(post, text="Hello again", actor=grace)
    schedule_post(post, at=tomorrow(), actor=grace)
    moved = reschedule_post(post, at=clock.now() + timedelta(days=2), actor=grace)
    publish_now(post, actor=grace)
    end(delivery(post), LIVE)
    assert told(post) == [
        *("post.created", "post.updated", "post.scheduled", "post.scheduled", "post.scheduled"),
        "post.published",
    ]
    first, second = Event.objects.filter(name="post.scheduled").order_by("pk")[:2]
    assert (first.actor, first.job_id) == ("grace", None)
    assert second.data["scheduled_at"] == moved.scheduled_at.isoformat(timespec="microseconds")  # type: ignore[union-attr]
    assert last("post.published") == {
        "post_id": post.pk,
        "status": "published",
        "scheduled_at": last("post.published")["scheduled_at"],
        "owner_id": grace.pk,
        "deliveries": [
            {
                "id": delivery(post).pk,
                "account": ada.pk,
                "account_name": "Ada",
                "platform": "outbox",
                "status": "published",
                "url": "https://outbox.example/1",
                "error_code": "",
            }
        ],
    }


def test_two_accounts_make_one_outcome() -> None:
    ada, bob = account("Ada"), account("Bob")
    post = publish_now(draft(ada, bob))
    end(delivery(post, ada), LIVE)
    assert told(post) == ["post.created", "post.scheduled"]
    end(delivery(post, bob), REJECTED)
    assert told(post)[2:] == ["post.partially_published"]
    found = {each["account"]: each for each in last("post.partially_published")["deliveries"]}
    assert (found[bob.pk]["status"], found[bob.pk]["error_code"]) == ("failed", "content_rejected")


def test_another_attempt_is_no_schedule_and_no_failure() -> None:
    post = publish_now(draft(account()))
    finish.settle(begin(delivery(post)), Retry(Failure("Temporary", "busy", code="server_error")))
    assert told(post) == ["post.created", "post.scheduled"]


@pytest.mark.parametrize(
    ("outcome", "name"), [(REJECTED, "post.failed"), (NO_ANSWER, "post.needs_review"), (LIVE, "post.published")]
)
def test_every_outcome_has_its_name(outcome: Any, name: str) -> None:
    assert told(sent(account(), outcome=outcome))[-1] == name
    assert name in OF_STATUS.values()


def test_a_retry_tells_once_however_many_accounts_it_is_for() -> None:
    post = sent(account("Ada"), account("Bob"), outcome=REJECTED)
    retry_post(post)
    assert told(post)[-2:] == ["post.failed", "post.scheduled"]
    assert {each["status"] for each in last("post.scheduled")["deliveries"]} == {"scheduled"}


def test_what_goes_to_and_fro_within_one_transaction_tells_nothing_of_it() -> None:
    ada, bob = account("Ada"), account("Bob")
    post = schedule_post(draft(ada), at=tomorrow())
    edit(post, account_ids=[bob.pk])  # cancels the only delivery, then queues another
    assert told(post)[2:] == ["post.updated"]
    assert [each["account"] for each in last("post.updated")["deliveries"]] == [bob.pk]


def test_cancelling_and_deleting_are_told_and_a_deleted_post_keeps_its_owner() -> None:
    ada, grace = account(), user("grace")
    post = schedule_post(draft(ada, account("Bob"), owner=grace), at=tomorrow())
    cancel_post(post, actor=grace)
    assert told(post)[-1] == "post.cancelled"
    waiting = schedule_post(draft(ada, owner=grace), at=tomorrow())
    gone = waiting.pk
    delete_post(waiting, actor=grace)
    assert told()[-2:] == ["post.scheduled", "post.deleted"]
    assert (last("post.deleted")["post_id"], last("post.deleted")["owner_id"]) == (gone, grace.pk)
    assert Event.objects.filter(name="post.deleted").get().actor == "grace"


def test_what_is_refused_or_undone_tells_nothing() -> None:
    post = draft(account())
    before = told()
    with pytest.raises(Refused):
        retry_post(post)
    with one_transaction():
        with suppress(ZeroDivisionError), one_transaction():
            schedule_post(post, at=tomorrow())
            raise ZeroDivisionError
        draft(account("Bob"))
    assert told() == [*before, "post.created"]


def test_many_posts_that_are_moved_tell_once_each() -> None:
    posts = [draft(account(f"A{number}")) for number in range(3)]
    reschedule_with_spacing(posts, first_at=tomorrow(), interval_minutes=30)
    assert [told(post)[1:] for post in posts] == [["post.scheduled"]] * 3


def test_a_draft_that_loses_a_file_was_updated() -> None:
    cat = picture()
    post = draft(account(), media=[cat])
    library.delete_file(cat)
    assert told(post) == ["post.created", "post.updated"]


def test_neither_texts_nor_errors_are_told_and_of_very_many_accounts_the_first() -> None:
    canary = "canary-5d0e3c"
    post = publish_now(draft(*[account(f"A{number}") for number in range(MOST_DELIVERIES + 1)], text=canary))
    end(
        post.deliveries.select_related("account", "post").earliest("pk"),
        Fail(Failure("ContentRejected", canary, code="content_rejected")),
    )
    assert len(last("post.scheduled")["deliveries"]) == MOST_DELIVERIES
    delete_post(draft(account("Zoe"), text=canary))
    assert canary not in str(list(Event.objects.filter(job=None).values()))
