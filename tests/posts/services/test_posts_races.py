"""Two people, or a person and a worker, at the same post at the same time, on two real connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from posts.models import DeliveryStatus, Post, PostStatus
from posts.services.errors import Conflict, Outdated, Refused, ServiceError
from posts.services.posts import cancel_post, delete_post, publish_now, reschedule_post, schedule_post
from queue_app import clock, finish
from queue_app.claims import Claim
from queue_app.models import Job
from tests.posts.making import LIVE, account, begin, delivery, draft, edit

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5


def together(*actions: Callable[[], object]) -> list[object]:
    """Run the actions at once, each on its own connection; return what each answered or refused with."""
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        try:
            start.wait(timeout=20)
            return action()
        except ServiceError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as threads:
        return [future.result(timeout=60) for future in [threads.submit(run, action) for action in actions]]


def finished(claim: Claim) -> None:
    finish.settle(claim, LIVE)


def test_a_post_scheduled_twice_at_once_has_one_job() -> None:
    post, at = draft(account()), clock.now() + timedelta(hours=1)
    answers = together(*[partial(schedule_post, post, at=at)] * 2)
    assert {type(answer) for answer in answers} == {Post, Refused}
    assert Job.objects.filter(type="posts.publish").count() == 1


def test_of_two_edits_at_once_one_wins_and_the_other_is_told() -> None:
    post = draft(account())
    answers = together(*[partial(edit, post, text=text, expected_version=1) for text in ("one", "two")])
    winner = next(answer for answer in answers if isinstance(answer, Post))
    assert {type(answer) for answer in answers} == {Post, Outdated}
    post.refresh_from_db()
    assert (post.text, post.version) == (winner.text, 2)


def test_cancelling_while_workers_finish_leaves_a_true_status_and_nobody_stuck() -> None:
    ada, bob, cleo = account("Ada"), account("Bob"), account("Cleo")
    for _ in range(ROUNDS):
        post = publish_now(draft(ada, bob, cleo))
        claims = [begin(delivery(post, found), mark=True) for found in (ada, bob)]
        together(partial(cancel_post, post), *[partial(finished, claim) for claim in claims])
        post.refresh_from_db()
        statuses = {found.account_id: found.status for found in post.deliveries.all()}
        assert statuses == {
            ada.pk: DeliveryStatus.PUBLISHED,
            bob.pk: DeliveryStatus.PUBLISHED,
            cleo.pk: DeliveryStatus.CANCELLED,
        }
        assert post.status == PostStatus.PARTIALLY_PUBLISHED


def test_deleting_while_another_moves_it_ends_one_way_or_the_other() -> None:
    for _ in range(ROUNDS):
        post = schedule_post(draft(account()), at=clock.now() + timedelta(hours=1))
        moved_to = clock.now() + timedelta(hours=2)
        _, moved = together(partial(delete_post, post), partial(reschedule_post, post, at=moved_to))
        assert isinstance(moved, Post | Conflict)
        assert not Post.objects.filter(pk=post.pk).exists()
        assert not Job.objects.filter(type="posts.publish", state="pending").exists()
