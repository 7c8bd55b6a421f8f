"""Posts that an account holds: counted, let go by a person's word, dropped when their time is over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from posts.models import Account, Delivery, DeliveryStatus, Post
from posts.services.accounts import connect_account, disable_account, enable_account
from posts.services.held import held_by, resume_account
from posts.services.posts import publish_now, schedule_post
from posts.services.standing import ask_reconnect
from queue_app import clock, pauses, rescue, runner
from queue_app.models import Block, BlockKind, Job
from tests.posts.making import draft

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada() -> Account:
    """An account that will have to be reconnected."""
    return connect_account("outbox", {"name": "Ada"})


def lose_login(of: Account) -> None:
    assert ask_reconnect(of, "reconnect_needed")
    run()


def run() -> None:
    runner.run_due("default", "tests")


def connect_again(*, hold: bool) -> Account:
    return connect_account("outbox", {"name": "Ada"}, hold=hold)


def status(post: Post) -> str:
    return str(Delivery.objects.get(post=post).status)


def test_what_is_due_is_held_after_reconnecting_and_goes_out_when_a_person_says_so(ada: Account) -> None:
    due, later = publish_now(draft(ada)), draft(ada, text="Later")
    schedule_post(later, at=clock.now() + timedelta(hours=1))
    lose_login(ada)
    assert held_by(ada).waiting == 1
    again = connect_again(hold=True)
    assert (again.pk, again.reconnect_reason) == (ada.pk, "")
    run()
    assert (status(due), held_by(ada).waiting) == ("scheduled", 1)
    assert Block.objects.get().kind == BlockKind.PAUSE
    resume_account(ada)
    run()
    assert (status(due), status(later)) == ("published", "scheduled")
    assert held_by(ada).since is None
    assert not Block.objects.exists()


def test_where_nothing_waits_reconnecting_needs_no_further_word(ada: Account) -> None:
    lose_login(ada)
    connect_again(hold=True)
    assert not Block.objects.exists()
    post = publish_now(draft(ada))
    run()
    assert status(post) == "published"


def test_without_a_person_who_could_say_so_it_goes_out_at_once(ada: Account) -> None:
    post = publish_now(draft(ada))
    lose_login(ada)
    connect_again(hold=False)
    run()
    assert status(post) == "published"


def test_what_is_too_late_is_dropped_and_counted_as_such(ada: Account) -> None:
    fresh, stale = publish_now(draft(ada)), publish_now(draft(ada))
    lose_login(ada)
    Job.objects.filter(delivery__post=stale).update(expires_at=clock.now() - timedelta(seconds=1))
    assert (held_by(ada).waiting, held_by(ada).dropped) == (1, 1)
    rescue.rescue()
    assert status(stale) == DeliveryStatus.EXPIRED
    connect_again(hold=True)
    held = held_by(ada)
    assert held.waiting == 1
    resume_account(ada)
    run()
    assert (status(fresh), status(stale)) == ("published", "expired")


def test_a_pause_of_a_persons_own_stays(ada: Account) -> None:
    publish_now(draft(ada))
    lose_login(ada)
    pauses.pause(ada.block_key, reason="Holiday", actor="grace")
    connect_again(hold=True)
    block = Block.objects.get()
    assert (block.reason, block.actor) == ("Holiday", "grace")


def test_a_disabled_account_is_not_paused_besides(ada: Account) -> None:
    publish_now(draft(ada))
    lose_login(ada)
    disable_account(ada)
    connect_again(hold=True)
    assert [block.kind for block in Block.objects.all()] == [BlockKind.DISABLED]
    enable_account(ada)
    run()
    assert Delivery.objects.get().status == "published"
