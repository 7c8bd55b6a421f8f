"""From the log to what is sent: every wanted event once for every webhook, whoever dies or runs at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection

from posts.jobs.events import forward_events
from posts.models import WebhookEndpoint
from posts.services import forwarding
from posts.services.endpoints import switch_off, switch_on
from posts.services.telling import NAMES
from queue_app import api, clock, events
from queue_app.database import atomic
from queue_app.models import Event, Job
from queue_app.outcomes import Done, Postpone
from queue_app.states import UNFINISHED
from tests.posts.hearing import endpoint, listener
from tests.posts.making import account, draft

pytestmark = pytest.mark.django_db(transaction=True)

FOLLOW: Callable[..., Any] = forward_events


def record(owner: Any, name: str = "post.failed") -> Event:
    return events.record(name, {"post_id": 1, "owner_id": owner.pk})


def queued(found: WebhookEndpoint | None = None) -> list[int]:
    """Return the events that are queued to be sent, in order, to all webhooks or to one."""
    jobs = Job.objects.filter(type=forwarding.SEND).order_by("pk")
    return [job.args["event_id"] for job in jobs if found is None or job.args["endpoint_id"] == found.pk]


def looks() -> Any:
    return Job.objects.filter(type=forwarding.FORWARD, state__in=UNFINISHED)


def test_what_happens_to_a_post_wakes_the_forwarding_in_the_same_transaction() -> None:
    ada = listener()
    endpoint(ada, names=["post.created", "post.failed"])
    looks().delete()
    with suppress(ZeroDivisionError), atomic():
        draft(account(), owner=ada)
        assert looks().exists()
        raise ZeroDivisionError
    assert not looks().exists()
    draft(account("Bob"), owner=ada)
    created = Event.objects.get(name="post.created")
    assert [job.args for job in looks()] == [{"event_id": created.pk}]
    assert isinstance(FOLLOW(None, created.pk), Done)
    assert queued() == [created.pk]


def test_where_nobody_wants_an_event_nothing_is_queued_for_it() -> None:
    ada = listener()
    found = endpoint(ada, names=["post.failed"])
    looks().delete()
    draft(account(), owner=ada)
    assert not looks().exists()
    switch_off(found)
    record(ada)
    forwarding.wake(Event.objects.latest("pk"))
    assert not looks().exists()
    assert forwarding.forward() is None


def test_each_webhook_gets_what_it_wants_and_its_owner_may_see_and_nothing_from_before_it() -> None:
    ada, bob, root = listener("ada"), listener("bob"), listener("root", "posts.view_all_posts", "queue_app.view_job")
    record(ada)
    one, two, every = endpoint(ada, names=["post.failed"]), endpoint(bob), endpoint(root)
    job = api.enqueue("posts.publish", {"delivery_id": 1})
    wanted, other = record(ada), record(ada, "post.published")
    events.record("shop.sold", {"owner_id": ada.pk})
    forwarding.forward()
    assert queued(one) == [wanted.pk]
    assert queued(two) == []
    assert queued(every) == [job.events.get().pk, wanted.pk, other.pk]
    forwarding.forward()
    assert len(queued()) == 4


def test_what_the_forwarding_does_itself_is_no_news() -> None:
    root = listener("root", "posts.view_all_posts", "queue_app.view_job")
    endpoint(root)
    sold = record(root)
    for _round in range(3):
        forwarding.forward()
    assert queued() == [sold.pk]


def test_one_that_dies_between_queueing_and_moving_on_has_done_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = listener()
    found = endpoint(ada)
    event = record(ada)
    whole = api.enqueue_many

    def dies(*args: Any, **kwargs: Any) -> None:
        whole(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "enqueue_many", dies)
    with pytest.raises(KeyboardInterrupt):
        forwarding.forward()
    before = found.position
    found.refresh_from_db()
    assert (queued(), found.position) == ([], before)
    monkeypatch.setattr(api, "enqueue_many", whole)
    forwarding.forward()
    found.refresh_from_db()
    assert queued() == [event.pk]
    assert found.position >= event.pk


def test_many_at_once_queue_everything_once() -> None:
    ada = listener()
    one, two = endpoint(ada, name="one"), endpoint(ada, name="two")
    written = [record(ada).pk for _number in range(30)]
    start = threading.Barrier(3)

    def run() -> None:
        try:
            start.wait(20)
            forwarding.forward()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert queued(one) == written
    assert queued(two) == written


def test_an_event_behind_an_open_transaction_is_waited_for_and_not_skipped() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's writers are alone")
    ada = listener()
    endpoint(ada)
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
        assert isinstance(FOLLOW(None, event.pk), Postpone)
        assert queued() == []
        other.commit()
        assert isinstance(FOLLOW(None, event.pk), Done)
        assert queued() == [late, event.pk]
    finally:
        other.close()


def test_events_of_jobs_are_looked_for_only_where_somebody_wants_them_and_once_a_stretch() -> None:
    ada = listener()
    found = endpoint(ada, names=list(NAMES))
    looks().delete()
    FOLLOW(None)
    assert not looks().exists()
    WebhookEndpoint.objects.filter(pk=found.pk).update(names=["job_failed"])
    for _round in range(3):
        FOLLOW(None)
    (look,) = looks()
    assert look.args == {}
    assert 0 < (look.run_at - clock.now()).total_seconds() <= forwarding.FOLLOW_SECONDS


def test_switched_on_again_it_goes_on_from_now_or_from_what_it_missed() -> None:
    ada = listener()
    one, two = endpoint(ada, name="one"), endpoint(ada, name="two")
    switch_off(one)
    switch_off(two)
    missed = record(ada)
    switch_on(one)
    switch_on(two, catch_up=True)
    after = record(ada)
    forwarding.forward()
    assert queued(one) == [after.pk]
    assert queued(two) == [missed.pk, after.pk]


def test_one_that_failed_catches_up_from_the_first_event_that_it_did_not_take() -> None:
    ada = listener()
    found = endpoint(ada)
    first, second = record(ada), record(ada)
    forwarding.forward()
    Job.objects.filter(type=forwarding.SEND).delete()
    WebhookEndpoint.objects.update(
        enabled=False, off_reason="failing", failing_event=first.pk, failing_since=clock.now()
    )
    found.refresh_from_db()
    switch_on(found, catch_up=True)
    forwarding.forward()
    assert queued() == [first.pk, second.pk]
