"""Sending events: signed so that the reference library believes it, under one id, and never anywhere but outside."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug import Response

from posts.jobs.events import SEND_RETRY, send_event
from posts.models import OffReason, WebhookEndpoint
from posts.services import endpoints, forwarding, sending
from posts.services.endpoints import create_endpoint, renew_secret, switch_off, switch_on
from posts.services.keys import rotate_keys
from queue_app import clock, events, runner
from queue_app.models import Attempt, Breaker, Event, Job, Notice
from queue_app.outcomes import Done, Retry
from tests.posts.hearing import Receiver, listener

pytestmark = pytest.mark.django_db(transaction=True)

SEND: Callable[..., Any] = send_event


@pytest.fixture
def receiver(httpserver: HTTPServer, settings: Any) -> Receiver:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    return Receiver(httpserver)


@pytest.fixture
def desk(receiver: Receiver) -> WebhookEndpoint:
    """A webhook whose receiver knows its secret."""
    found, receiver.secret = create_endpoint(listener(), name="Desk", url=receiver.url)
    Job.objects.all().delete()
    return found


def record(found: WebhookEndpoint, **data: Any) -> Event:
    return events.record("post.failed", {"post_id": 7, "owner_id": found.owner_id, **data}, actor="ada")


def sent(found: WebhookEndpoint, event: Event | None = None) -> Any:
    """Send one event as a job does; return its outcome."""
    return SEND(None, found.pk, (event or record(found)).pk)


def stored(found: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=found.pk)


def test_from_the_log_to_the_receiver_signed_and_once(desk: WebhookEndpoint, receiver: Receiver) -> None:
    event = record(desk, title="Grüße")
    forwarding.wake(event)
    runner.run_due("default", "tests")
    runner.run_due("default", "tests")
    assert receiver.verified() == {
        "type": "post.failed",
        "timestamp": events.mapping(event)["timestamp"],
        "data": {"event_id": event.pk, "post_id": 7, "owner_id": desk.owner_id, "title": "Grüße", "actor": "ada"},
    }
    assert receiver.ids == [sending.message_id(desk, event.pk)]
    found = stored(desk)
    assert found.last_success_at is not None
    assert [(line["event"], line["status"]) for line in found.recent] == [("post.failed", 204)]


def test_what_was_altered_or_is_of_another_secret_is_refused(desk: WebhookEndpoint, receiver: Receiver) -> None:
    sent(desk)
    request = receiver.seen[0]
    headers = dict(request.headers.items(lower=True))  # type: ignore[call-arg]  # werkzeug's own
    for body, secret in ((request.data + b" ", receiver.secret), (request.data, "whsec_" + "A" * 44)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)
    old = headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 600)}
    with pytest.raises(WebhookVerificationError):
        Webhook(receiver.secret).verify(request.data, old)


def test_every_attempt_has_the_same_id_and_body_and_a_time_of_its_own(
    desk: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.answers = [500, 204]
    event = record(desk)
    first, second = sent(desk, event), sent(desk, event)
    assert isinstance(first, Retry)
    assert isinstance(second, Done)
    assert len(set(receiver.ids)) == 1
    assert receiver.seen[0].data == receiver.seen[1].data
    receiver.verified(0)
    receiver.verified(1)
    assert SEND_RETRY.max_attempts + 1 == 10
    assert 3 * 86_400 < forwarding.AGAIN_SECONDS + sum(SEND_RETRY.steps) < 4 * 86_400


def test_while_a_secret_is_replaced_either_verifies_and_then_the_new_one_alone(
    desk: WebhookEndpoint, receiver: Receiver
) -> None:
    new = renew_secret(desk)
    sent(desk)
    receiver.verified()
    receiver.verified(secret=new)
    WebhookEndpoint.objects.update(previous_until=clock.now())
    sent(desk)
    receiver.verified(secret=new)
    with pytest.raises(WebhookVerificationError):
        receiver.verified()


def test_a_secret_that_is_sealed_anew_under_another_key_still_signs(
    desk: WebhookEndpoint, receiver: Receiver, settings: Any
) -> None:
    keys = settings.SOCIALQ["ENCRYPTION_KEYS"]
    settings.SOCIALQ = {**settings.SOCIALQ, "ENCRYPTION_KEYS": ["YW5vdGhlci1rZXktb2YtdGVzdHMtZm9yLWVuZHBvaW4=", *keys]}
    before = desk.sealed
    rotate_keys()
    assert stored(desk).sealed != before
    sent(desk)
    receiver.verified()


def test_one_that_is_gone_is_switched_off_at_once_and_told_of_once(desk: WebhookEndpoint, receiver: Receiver) -> None:
    receiver.answers = [410]
    assert isinstance(sent(desk), Done)
    assert isinstance(sent(desk), Done)  # it is off: nothing is sent
    found = stored(desk)
    assert (found.enabled, found.off_reason, len(receiver.seen)) == (False, OffReason.GONE, 1)
    notice = Notice.objects.get(kind=sending.OFF_NOTICE)
    assert (notice.subject, notice.cleared_at) == ("Webhook “Desk” of ada", None)


def test_one_that_fails_for_days_is_switched_off_told_of_once_and_works_again(
    desk: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.answers = [500]
    first = record(desk)
    for _attempt in range(3):
        assert isinstance(sent(desk, first), Retry)
    assert stored(desk).failing_event == first.pk
    WebhookEndpoint.objects.update(failing_since=clock.now() - timedelta(days=4, hours=23))
    sent(desk)
    assert stored(desk).enabled
    WebhookEndpoint.objects.update(failing_since=clock.now() - timedelta(days=5))
    sent(desk)
    found = stored(desk)
    assert (found.enabled, found.off_reason) == (False, OffReason.FAILING)
    assert Notice.objects.filter(kind=sending.OFF_NOTICE, cleared_at=None).count() == 1
    receiver.answers = [204]
    switch_on(found)
    assert not Notice.objects.filter(kind=sending.OFF_NOTICE, cleared_at=None).exists()
    assert isinstance(sent(found), Done)
    assert stored(desk).failing_since is None


@pytest.mark.parametrize("end", [switch_on, endpoints.delete_endpoint])
def test_one_that_is_renamed_while_it_is_off_ends_its_notice(
    desk: WebhookEndpoint, receiver: Receiver, end: Callable[..., None]
) -> None:
    receiver.answers = [410]
    sent(desk)
    endpoints.change_endpoint(desk, name="Newsroom", url=desk.url, names=[])
    end(desk)
    assert not Notice.objects.filter(cleared_at=None).exists()


def test_one_that_rests_after_failures_is_sent_at_once_what_waits_when_it_is_switched_on_again(
    desk: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.answers = [500]
    waits = record(desk)
    forwarding.send_new(desk.pk)
    breaker = Breaker.objects.create(key=desk.key, failures=5, trips=1, open_until=clock.now() + timedelta(hours=1))
    Job.objects.filter(type=forwarding.SEND).update(run_at=clock.now())
    runner.run_due("default", "tests")
    assert len(receiver.seen) == 1  # it rests, so that it keeps no worker busy
    switch_off(desk)
    receiver.answers = [204]
    switch_on(desk)
    assert not Breaker.objects.filter(pk=breaker.pk, trips__gt=0).exists()
    runner.run_due("default", "tests")
    assert receiver.ids == [sending.message_id(desk, waits.pk)] * 2


def test_one_that_works_in_between_does_not_fail_without_a_break(desk: WebhookEndpoint, receiver: Receiver) -> None:
    receiver.answers = [500, 204, 500]
    sent(desk)
    WebhookEndpoint.objects.update(failing_since=clock.now() - timedelta(days=6))
    sent(desk)
    sent(desk)
    assert stored(desk).enabled


@pytest.mark.one_database
def test_a_receiver_may_ask_to_be_left_alone_for_a_while(desk: WebhookEndpoint, receiver: Receiver) -> None:
    receiver.answers = [Response(status=status, headers={"Retry-After": "120"}) for status in (429, 503, 500)]
    assert [sent(desk).delay_seconds for _attempt in range(3)] == [120, 120, None]


@pytest.mark.one_database
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_is_led_elsewhere(desk: WebhookEndpoint, receiver: Receiver, status: int) -> None:
    receiver.answers = [Response(status=status, headers={"Location": receiver.url})]
    assert isinstance(sent(desk), Retry)
    assert len(receiver.seen) == 1


@pytest.mark.one_database
def test_a_huge_answer_is_cut_off_and_counts_by_its_status(desk: WebhookEndpoint, receiver: Receiver) -> None:
    receiver.answers = [Response(b"x" * 5_000_000, status=200), Response(b"x" * 5_000_000, status=500)]
    assert isinstance(sent(desk), Done)
    assert isinstance(sent(desk), Retry)


@pytest.mark.one_database
def test_a_slow_receiver_is_left_in_time(desk: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_SECONDS", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        WebhookEndpoint.objects.update(url=f"http://127.0.0.1:{silent.getsockname()[1]}/hook")
        began = time.monotonic()
        assert isinstance(sent(desk), Retry)
    assert time.monotonic() - began < 5


@pytest.fixture
def public() -> WebhookEndpoint:
    """A webhook of a site that reaches the public internet alone."""
    return create_endpoint(listener(), name="Desk", url="https://desk.example/hook")[0]


@pytest.mark.one_database
@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "0x7f.1", "2130706433", "10.0.0.8", "192.168.1.1", "169.254.169.254"),
        *("[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]"),
    ],
)
def test_inner_addresses_are_never_called(public: WebhookEndpoint, host: str) -> None:
    WebhookEndpoint.objects.update(url=f"https://{host}/hook")
    outcome = sent(public)
    assert isinstance(outcome, Retry)
    assert outcome.failure.code in ("address_refused", "address_forbidden")


@pytest.mark.one_database
def test_plain_http_is_refused_where_it_would_leave_the_house(public: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.update(url="http://desk.example/hook")
    assert sent(public).failure.code == "address_insecure"


def test_what_its_owner_may_not_see_any_more_is_not_sent(desk: WebhookEndpoint, receiver: Receiver) -> None:
    event = record(desk)
    desk.owner.user_permissions.clear()
    assert isinstance(sent(desk, event), Done)
    assert receiver.seen == []


def test_nothing_is_sent_once_it_is_off_deleted_or_purged(desk: WebhookEndpoint, receiver: Receiver) -> None:
    event = record(desk)
    assert isinstance(SEND(None, desk.pk, event.pk + 1), Done)
    switch_off(desk)
    assert isinstance(sent(desk, event), Done)
    endpoints.delete_endpoint(desk)
    assert isinstance(sent(desk, event), Done)
    assert receiver.seen == []


def test_a_test_event_says_what_came_of_it_and_changes_no_standing(desk: WebhookEndpoint, receiver: Receiver) -> None:
    receiver.answers = [204, 500]
    assert sending.send_test(desk).arrived
    assert receiver.verified()["type"] == "socialq.test"
    assert not sending.send_test(desk).arrived
    found = stored(desk)
    assert found.failing_since is None
    assert [line["status"] for line in found.recent] == [500, 204]


def test_the_secret_is_nowhere_but_sealed(
    desk: WebhookEndpoint, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    secret = receiver.secret
    receiver.answers = [Response(secret, status=500), Response(secret, status=200, headers={"X-Echo": secret})]
    event = record(desk)
    forwarding.wake(event)
    runner.run_due("default", "tests")
    runner.run_due("default", "tests")
    sending.send_test(desk)
    tables = [list(model.objects.values()) for model in (WebhookEndpoint, Job, Attempt, Event, Notice)]
    assert len(receiver.seen) == 2
    assert secret.removeprefix("whsec_") not in f"{tables}{caplog.text}"


def test_what_it_missed_is_not_forgotten_when_a_test_event_arrives_before_it_is_switched_on(
    desk: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.answers = [410, 204]
    event = record(desk)
    forwarding.send_new(desk.pk)
    assert not stored(desk).enabled
    assert sending.send_test(desk).arrived
    switch_on(desk, catch_up=True)
    runner.run_due("default", "tests")
    assert receiver.ids.count(sending.message_id(desk, event.pk)) == 2


def test_what_was_queued_when_it_was_switched_off_is_caught_up_with(desk: WebhookEndpoint, receiver: Receiver) -> None:
    receiver.answers = [500, 204]
    event = record(desk)
    forwarding.send_new(desk.pk)
    switch_off(desk)
    Job.objects.filter(type=forwarding.SEND).update(run_at=clock.now())
    runner.run_due("default", "tests")  # it is off: nothing is sent
    assert len(receiver.seen) == 1
    switch_on(desk, catch_up=True)
    runner.run_due("default", "tests")
    assert receiver.ids == [sending.message_id(desk, event.pk)] * 2
