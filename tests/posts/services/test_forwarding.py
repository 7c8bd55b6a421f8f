"""From the log to what is sent: every wanted event for every webhook, whoever dies, refuses or is slow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer

from posts.jobs import events as jobs
from posts.models import WebhookEndpoint
from posts.services import forwarding
from posts.services.accounts import connect_account
from posts.services.endpoints import switch_off, switch_on
from posts.services.posts import publish_now
from posts.services.sending import message_id
from posts.services.telling import NAMES
from queue_app import api, clock, events, runner
from queue_app.context import JobContext
from queue_app.database import atomic
from queue_app.models import Breaker, Event, Job
from queue_app.outcomes import Done, Postpone, Retry
from queue_app.states import UNFINISHED, JobState
from tests.posts.hearing import Receiver, endpoint, listener
from tests.posts.making import account, draft

pytestmark = pytest.mark.django_db(transaction=True)

LOOK: Callable[..., Any] = jobs.forward_events
SEND_NEW: Callable[..., Any] = jobs.send_new_events


@pytest.fixture
def receiver(httpserver: HTTPServer, settings: Any) -> Receiver:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    return Receiver(httpserver)


def record(owner: Any, name: str = "post.failed") -> Event:
    return events.record(name, {"post_id": 1, "owner_id": owner.pk})


def unfinished(kind: str) -> list[Job]:
    return list(Job.objects.filter(type=kind, state__in=UNFINISHED).order_by("pk"))


def send_new(found: WebhookEndpoint) -> Any:
    """Send what is new as a job does; return its outcome."""
    return SEND_NEW(JobContext(Job(), "tests"), found.pk)


def arrived(receiver: Receiver, found: WebhookEndpoint) -> list[int]:
    """Return the events that the receiver was sent for one webhook, in order, as often as they came."""
    events_by_id = {message_id(found, pk): pk for pk in Event.objects.values_list("pk", flat=True)}
    return [events_by_id[each] for each in receiver.ids if each in events_by_id]


def test_what_happens_to_a_post_wakes_the_sending_once_it_is_committed() -> None:
    ada = listener()
    found = endpoint(ada, names=["post.created", "post.failed"])
    Job.objects.all().delete()
    with suppress(ZeroDivisionError), atomic():
        draft(account(), owner=ada)
        raise ZeroDivisionError
    assert unfinished(forwarding.SEND_NEW) == []
    draft(account("Bob"), owner=ada)
    (job,) = unfinished(forwarding.SEND_NEW)
    assert (job.args, job.keys) == ({"endpoint_id": found.pk}, [found.key])


def test_many_events_wake_it_once() -> None:
    ada = listener()
    endpoint(ada)
    endpoint(ada, name="Other")
    Job.objects.all().delete()
    for _number in range(100):
        forwarding.wake(Event(name="post.created"))
    assert len(unfinished(forwarding.SEND_NEW)) == 2
    assert Job.objects.count() == 2


def test_what_happens_while_it_is_just_being_sent_is_looked_for_a_moment_later() -> None:
    found = endpoint()
    Job.objects.all().delete()
    forwarding.wake(Event(name="post.created"))
    now = clock.now()
    Job.objects.update(state=JobState.RUNNING, started_at=now, lease_until=now)
    for _number in range(3):
        forwarding.wake(Event(name="post.created"))
    looks = unfinished(forwarding.FORWARD)
    assert 1 <= len(looks) <= 2
    assert 0 < (looks[0].run_at - now).total_seconds() <= 2 * forwarding.SOON_SECONDS
    assert [job.args for job in unfinished(forwarding.SEND_NEW)] == [{"endpoint_id": found.pk}]


def test_one_that_clusters_of_the_release_before_have_held_goes_on() -> None:
    endpoint()
    Job.objects.all().delete()
    forwarding.wake(Event(name="post.created"))
    Job.objects.update(state=JobState.HELD)
    forwarding.wake(Event(name="post.created"))
    assert [job.state for job in unfinished(forwarding.SEND_NEW)] == [JobState.PENDING]


def test_what_a_worker_publishes_is_sent(receiver: Receiver) -> None:
    ada = listener()
    found = endpoint(ada, url=receiver.url, names=["post.published"])
    publish_now(draft(connect_account("outbox", {"name": "Ada"}), owner=ada))
    rounds = 0
    while not receiver.seen and rounds < 50:
        runner.run_due("default", "tests")
        rounds += 1
    assert arrived(receiver, found) == [Event.objects.get(name="post.published").pk]


def test_where_nobody_wants_an_event_nothing_is_queued_for_it() -> None:
    ada = listener()
    found = endpoint(ada, names=["post.failed"])
    Job.objects.all().delete()
    draft(account(), owner=ada)
    switch_off(found)
    forwarding.wake(record(ada))
    forwarding.look()
    assert Job.objects.count() == 0


def test_each_webhook_gets_what_it_wants_and_its_owner_may_see_in_order_and_nothing_from_before_it(
    receiver: Receiver,
) -> None:
    ada, bob, root = listener("ada"), listener("bob"), listener("root", "posts.view_all_posts", "queue_app.view_job")
    record(ada)
    one, two = endpoint(ada, url=receiver.url, names=["post.failed"]), endpoint(bob, url=receiver.url)
    every = endpoint(root, url=receiver.url)
    job = api.enqueue("posts.publish", {"delivery_id": 1})
    wanted, other = record(ada), record(ada, "post.published")
    events.record("shop.sold", {"owner_id": ada.pk})
    for _round in range(2):
        for found in (one, two, every):
            assert isinstance(send_new(found), Done)
    assert arrived(receiver, one) == [wanted.pk]
    assert arrived(receiver, two) == []
    assert arrived(receiver, every) == [job.events.get().pk, wanted.pk, other.pk]


def test_what_the_sending_does_itself_is_no_news(receiver: Receiver) -> None:
    root = listener("root", "posts.view_all_posts", "queue_app.view_job")
    found = endpoint(root, url=receiver.url)
    sold = record(root)
    for _round in range(3):
        runner.run_due("default", "tests")
    assert arrived(receiver, found) == [sold.pk]


def test_one_that_dies_after_it_has_sent_an_event_sends_it_again_under_the_same_id(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = listener()
    found = endpoint(ada, url=receiver.url)
    first, second = record(ada), record(ada)
    whole = forwarding._move

    def dies(*_args: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(forwarding, "_move", dies)
    with pytest.raises(KeyboardInterrupt):
        send_new(found)
    monkeypatch.setattr(forwarding, "_move", whole)
    send_new(found)
    assert arrived(receiver, found) == [first.pk, first.pk, second.pk]


def test_what_is_not_taken_is_sent_by_itself_later_and_delays_nothing(receiver: Receiver) -> None:
    ada = listener()
    found = endpoint(ada, url=receiver.url)
    first, second, third = record(ada), record(ada), record(ada)
    receiver.answers = [204, 500, 204]
    assert isinstance(send_new(found), Retry)
    (job,) = unfinished(forwarding.SEND)
    assert (job.args, job.keys) == ({"endpoint_id": found.pk, "event_id": second.pk}, [found.key])
    assert 4 < (job.run_at - clock.now()).total_seconds() <= forwarding.AGAIN_SECONDS
    assert isinstance(send_new(found), Done)
    assert arrived(receiver, found) == [first.pk, second.pk, third.pk]


def test_one_that_takes_nothing_rests_with_what_is_new_behind_its_cursor(receiver: Receiver) -> None:
    ada = listener()
    found = endpoint(ada, url=receiver.url)
    for _number in range(50):
        record(ada)
    receiver.answers = [500]
    for _round in range(20):
        Job.objects.filter(type=forwarding.SEND_NEW, state=JobState.PENDING).update(run_at=clock.now())
        runner.run_due("default", "tests")
    assert Breaker.objects.get().trips > 0
    assert len(receiver.seen) == len(unfinished(forwarding.SEND)) == 5
    found.refresh_from_db()
    assert found.position == Event.objects.filter(job=None).order_by("pk")[4].pk


def test_one_webhook_sends_for_a_while_and_goes_on_later(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = listener()
    found = endpoint(ada, url=receiver.url)
    Job.objects.all().delete()
    written = [record(ada).pk for _number in range(3)]
    asked: list[bool] = []

    def is_over() -> bool:
        asked.append(True)
        return len(asked) > 2

    forwarding.send_new(found.pk, is_over=is_over)
    assert arrived(receiver, found) == written[:2]
    assert len(unfinished(forwarding.FORWARD)) == 1
    forwarding.send_new(found.pk)
    assert arrived(receiver, found) == written


def test_one_that_is_switched_while_it_is_being_sent_to_is_left_where_it_was_put(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = listener()
    before = record(ada)
    found = endpoint(ada, url=receiver.url)
    first, second = record(ada), record(ada)
    whole = forwarding.send_event

    def switched(endpoint_id: int, event_id: int) -> Any:
        sent = whole(endpoint_id, event_id)
        WebhookEndpoint.objects.update(position=0)
        return sent

    monkeypatch.setattr(forwarding, "send_event", switched)
    send_new(found)
    found.refresh_from_db()
    assert (found.position, arrived(receiver, found)) == (0, [first.pk])
    monkeypatch.setattr(forwarding, "send_event", whole)
    send_new(found)
    assert arrived(receiver, found) == [first.pk, before.pk, first.pk, second.pk]


def test_an_event_behind_an_open_transaction_is_waited_for_and_not_skipped(receiver: Receiver) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's writers are alone")
    ada = listener()
    found = endpoint(ada, url=receiver.url)
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO queue_app_event (at, name, source, target, reason, actor, data) VALUES"
                " (now(), 'post.failed', '', '', '', '', %s) RETURNING id",
                [f'{{"owner_id": {ada.pk}}}'],
            )
            (late,) = cursor.fetchone()
        event = record(ada)
        assert isinstance(send_new(found), Postpone)
        assert arrived(receiver, found) == []
        other.commit()
        assert isinstance(send_new(found), Done)
        assert arrived(receiver, found) == [late, event.pk]
    finally:
        other.close()


def test_events_of_jobs_are_looked_for_only_where_somebody_wants_them_and_once_a_stretch() -> None:
    ada = listener()
    found = endpoint(ada, names=list(NAMES))
    Job.objects.all().delete()
    LOOK(None)
    assert unfinished(forwarding.FORWARD) == []
    WebhookEndpoint.objects.filter(pk=found.pk).update(names=["job_failed"])
    for _round in range(3):
        LOOK(None)
    looks = unfinished(forwarding.FORWARD)
    assert 1 <= len(looks) <= 2
    assert 0 < (looks[-1].run_at - clock.now()).total_seconds() <= forwarding.FOLLOW_SECONDS


def test_who_looks_finds_whatever_nobody_woke_for(receiver: Receiver) -> None:
    ada = listener()
    found = endpoint(ada, url=receiver.url)
    Job.objects.all().delete()
    event = record(ada)
    LOOK(None, event.pk)  # as the release before asked
    runner.run_due("default", "tests")
    assert arrived(receiver, found) == [event.pk]


def test_switched_on_again_it_goes_on_from_now_or_from_what_it_missed(receiver: Receiver) -> None:
    ada = listener()
    one, two = endpoint(ada, name="one", url=receiver.url), endpoint(ada, name="two", url=receiver.url)
    switch_off(one)
    switch_off(two)
    missed = record(ada)
    switch_on(one)
    switch_on(two, catch_up=True)
    after = record(ada)
    send_new(one)
    send_new(two)
    assert arrived(receiver, one) == [after.pk]
    assert arrived(receiver, two) == [missed.pk, after.pk]


def test_one_that_failed_catches_up_from_the_first_event_that_it_did_not_take(receiver: Receiver) -> None:
    ada = listener()
    found = endpoint(ada, url=receiver.url)
    first, second = record(ada), record(ada)
    send_new(found)
    WebhookEndpoint.objects.update(
        enabled=False, off_reason="failing", failing_event=first.pk, failing_since=clock.now()
    )
    found.refresh_from_db()
    switch_on(found, catch_up=True)
    send_new(found)
    assert arrived(receiver, found) == [first.pk, second.pk] * 2
