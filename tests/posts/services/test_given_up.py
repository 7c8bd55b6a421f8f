"""Events that a webhook did not take in three days: people are told, once, and have them sent again or forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from posts.models import WebhookEndpoint
from posts.services import endpoints, forwarding, sending
from posts.services.endpoints import create_endpoint, switch_off, switch_on
from posts.services.errors import NotAllowed, Refused
from posts.services.given_up import GAVE_UP_NOTICE, given_up
from queue_app import clock, events, runner
from queue_app.models import Breaker, Event, Job, Notice
from queue_app.states import UNFINISHED, JobState
from tests.posts.hearing import Receiver, listener

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver(httpserver: HTTPServer, settings: Any) -> Receiver:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    return Receiver(httpserver, answers=[500])


@pytest.fixture
def desk(receiver: Receiver) -> WebhookEndpoint:
    found, receiver.secret = create_endpoint(listener(), name="Desk", url=receiver.url)
    Job.objects.all().delete()
    return found


def refuse(found: WebhookEndpoint) -> Event:
    """Have one event refused as often as it is tried."""
    event = events.record("post.failed", {"post_id": 7, "owner_id": found.owner_id})
    forwarding.send_new(found.pk)
    jobs = Job.objects.filter(type=forwarding.SEND, args__event_id=event.pk)
    jobs.update(attempts=8, run_at=clock.now())
    run()
    assert jobs.get().state == JobState.FAILED
    return event


def run() -> None:
    Breaker.objects.all().delete()
    runner.run_due("default", "tests")


def told() -> list[str]:
    return list(Notice.objects.filter(kind=GAVE_UP_NOTICE, cleared_at=None).values_list("text", flat=True))


def test_people_are_told_once_how_many_events_and_since_when(desk: WebhookEndpoint) -> None:
    refuse(desk)
    first = given_up(desk)
    assert first is not None
    assert told() == [
        f"1 event was given up after three days, since {first.since:%Y-%m-%d %H:%M} UTC. Its page sends it again."
    ]
    refuse(desk)
    (text,) = told()
    assert text.startswith(f"2 events were given up after three days, since {first.since:%Y-%m-%d %H:%M} UTC.")
    notice = Notice.objects.get(kind=GAVE_UP_NOTICE)
    assert (notice.subject, notice.key, notice.owner_id) == ("Webhook “Desk” of ada", desk.key, desk.owner_id)
    assert notice.page == f"/admin/posts/webhookendpoint/{desk.pk}/change/"


def test_all_of_it_is_sent_again_and_that_is_the_end_of_it(desk: WebhookEndpoint, receiver: Receiver) -> None:
    lost = [refuse(desk), refuse(desk)]
    receiver.answers = [204]
    receiver.seen.clear()
    assert endpoints.send_again(desk, actor=desk.owner) == 2
    assert told() == []
    run()
    assert receiver.ids == [sending.message_id(desk, event.pk) for event in lost]
    assert given_up(desk) is None


def test_what_is_refused_again_is_told_again(desk: WebhookEndpoint) -> None:
    refuse(desk)
    endpoints.send_again(desk)
    (job,) = Job.objects.filter(type=forwarding.SEND, state__in=UNFINISHED)
    assert job.max_attempts - job.attempts == 9
    Job.objects.filter(pk=job.pk).update(attempts=job.max_attempts - 1)
    run()
    assert len(told()) == 1
    assert Notice.objects.filter(kind=GAVE_UP_NOTICE).count() == 2


def test_a_person_may_let_it_be(desk: WebhookEndpoint, receiver: Receiver) -> None:
    refuse(desk)
    receiver.seen.clear()
    assert endpoints.forget_given_up(desk) == 1
    assert (told(), given_up(desk)) == ([], None)
    run()
    assert receiver.seen == []


def test_only_who_may_change_the_webhook_decides_and_one_that_is_off_is_sent_nothing(desk: WebhookEndpoint) -> None:
    refuse(desk)
    bob = listener("bob")
    for act in (endpoints.send_again, endpoints.forget_given_up):
        with pytest.raises(NotAllowed):
            act(desk, actor=bob)
    switch_off(desk)
    with pytest.raises(Refused, match="switch it on first"):
        endpoints.send_again(desk)


def test_what_is_caught_up_with_is_not_given_up_any_more(desk: WebhookEndpoint, receiver: Receiver) -> None:
    event = refuse(desk)
    switch_off(desk)
    receiver.answers = [204]
    receiver.seen.clear()
    switch_on(desk, catch_up=True)
    assert told() == []
    run()
    assert receiver.ids == [sending.message_id(desk, event.pk)]


def test_what_is_not_caught_up_with_is_still_given_up(desk: WebhookEndpoint) -> None:
    refuse(desk)
    switch_off(desk)
    switch_on(desk)
    assert len(told()) == 1


def test_one_that_is_deleted_needs_nothing_any_more(desk: WebhookEndpoint) -> None:
    refuse(desk)
    endpoints.change_endpoint(desk, name="Newsroom", url=desk.url, names=[])
    endpoints.delete_endpoint(desk)
    assert told() == []


def test_one_that_is_gone_has_nothing_given_up(desk: WebhookEndpoint, receiver: Receiver) -> None:
    receiver.answers = [500, 410]
    events.record("post.failed", {"post_id": 7, "owner_id": desk.owner_id})
    forwarding.send_new(desk.pk)
    Job.objects.filter(type=forwarding.SEND).update(run_at=clock.now())
    run()
    assert (told(), given_up(desk)) == ([], None)
    desk.refresh_from_db()
    assert not desk.enabled
