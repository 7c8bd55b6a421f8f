"""Signals of what happens to jobs: after the commit, with what a stream tells, and harmless to the change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from queue_app import api, clock, database, events, signals
from queue_app.models import Event, EventName, Job
from tests.queue_app.jobs import Register, Run
from tests.queue_app.test_events import ids, there, write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


@pytest.fixture
def job(name: str) -> Job:
    return api.enqueue(name)


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    """What the signals told so far."""
    told: list[dict[str, Any]] = []

    def receive(job_id: int, event: dict[str, Any], **kwargs: Any) -> None:
        assert kwargs["sender"] is Job
        assert job_id == event["job_id"]
        assert not connection.in_atomic_block
        told.append(event)

    for signal in signals.BY_NAME.values():
        signal.connect(receive)
    yield told
    for signal in signals.BY_NAME.values():
        signal.disconnect(receive)


def test_every_event_name_has_a_signal() -> None:
    assert set(signals.BY_NAME) == set(EventName.values)
    assert all(getattr(signals, name) is signal for name, signal in signals.BY_NAME.items())


def test_a_signal_is_sent_after_the_commit_with_what_a_stream_tells(job: Job, heard: list[dict[str, Any]]) -> None:
    with database.atomic():
        written = write(job, "told", run_at=clock.now())
        events.announce(job, written)
        assert written.pk not in ids(heard)
    assert [event for event in heard if event["id"] == written.pk] == there(after=written.pk - 1)


def test_every_change_of_a_job_is_signalled_once(name: str, run: Run, heard: list[dict[str, Any]]) -> None:
    job = api.enqueue(name)
    run()
    assert [event["event"] for event in heard if event["job_id"] == job.pk] == [
        "job_added",
        "status_updated",
        "job_completed",
    ]
    assert heard == there(after=0)


def test_a_change_that_was_rolled_back_is_not_told(job: Job, heard: list[dict[str, Any]]) -> None:
    with database.atomic():
        written = write(job, "never")
        events.announce(job, written)
        transaction.set_rollback(True)
    assert written.pk not in ids(heard)


def test_a_receiver_that_raises_harms_neither_the_change_nor_the_others(
    job: Job, heard: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**kwargs: Any) -> None:
        raise ZeroDivisionError

    signals.status_updated.connect(broken)
    try:
        with database.atomic():
            written = write(job, "told")
            events.announce(job, written)
    finally:
        signals.status_updated.disconnect(broken)
    assert written.pk in ids(heard)
    assert "ZeroDivisionError" in caplog.text


def test_nothing_is_prepared_where_nobody_listens(job: Job) -> None:
    with database.atomic():
        before = list(connection.run_on_commit)
        events.announce(job, write(job))
        assert connection.run_on_commit == before


def test_housekeeping_is_not_signalled(register: Register, heard: list[dict[str, Any]]) -> None:
    own = api.enqueue(register(lambda context: None, "tests.internal", internal=True))
    events.announce(own, write(own))
    assert own.pk not in {event["job_id"] for event in heard}


def test_what_other_apps_record_has_a_signal_of_its_name_and_one_for_all() -> None:
    told: list[tuple[str, Any]] = []

    def one(event: dict[str, Any], **kwargs: Any) -> None:
        told.append(("one", event))

    def every(job_id: int | None, event: dict[str, Any], **kwargs: Any) -> None:
        assert (job_id, kwargs["sender"]) == (None, Event)
        told.append(("every", event))

    signals.signal_of("shop.sold").connect(one)
    signals.event_recorded.connect(every)
    try:
        with database.atomic():
            sold = events.record("shop.sold", {})
            assert told == []
        lost = events.record("shop.lost", {})
        with database.atomic():
            events.record("shop.sold", {})
            transaction.set_rollback(True)
    finally:
        signals.signal_of("shop.sold").disconnect(one)
        signals.event_recorded.disconnect(every)
    assert told == [("every", events.mapping(sold)), ("one", events.mapping(sold)), ("every", events.mapping(lost))]
    assert signals.signal_of("job_failed") is signals.job_failed
