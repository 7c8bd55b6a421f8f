"""The queue's clock: asked for what must be exact, reckoned on for what is only written down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from queue_app import api, claims, clock, statements
from queue_app.database import alone, atomic, is_postgresql
from queue_app.models import Event
from tests.queue_app.jobs import Later, Register, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every query of the queue's own, from now on."""
    found: list[str] = []
    fetch = statements.fetch

    def noting(sql: str, params: Any) -> Any:
        found.append(sql)
        return fetch(sql, params)

    monkeypatch.setattr(statements, "fetch", noting)
    return found


def test_a_recent_time_asks_nobody_and_is_never_ahead(asked: list[str]) -> None:
    told = clock.now()
    del asked[:]
    recent = [clock.recent() for _ in range(100)]
    assert asked == []
    assert told <= recent[0] <= recent[-1] <= clock.now()
    assert recent == sorted(recent)


def test_a_time_that_was_told_long_ago_is_asked_for_again(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock.now()
    monkeypatch.setattr(clock, "RECKONED_SECONDS", 0.0)
    del asked[:]
    clock.recent()
    assert len(asked) == int(is_postgresql())


def test_a_shifted_clock_shifts_both(later: Later) -> None:
    before = clock.recent()
    later(3600)
    assert timedelta(hours=1) <= clock.recent() - before < timedelta(hours=1, minutes=1)


def test_a_job_is_finished_no_earlier_than_it_was_started(register: Register) -> None:
    name = register(lambda context: None)
    api.enqueue(name)
    with atomic():
        claim = claims.claim_next({"default": 1}, None, types=[name], holder="tests")
    assert isinstance(claim, claims.Claim)
    assert claim.job.started_at is not None
    assert claim.job.started_at <= clock.recent()


def test_a_job_that_is_enqueued_outside_a_transaction_is_there_with_its_event(register: Register) -> None:
    name = register(lambda context: None)
    assert alone()
    job = reloaded(api.enqueue(name, unique_key="once", actor="ada"))
    event = Event.objects.get(job=job)
    assert (event.name, event.source, event.target, event.actor, event.at) == (
        *("job_added", "", "pending", "ada"),
        job.created_at,
    )
    with pytest.raises(api.DuplicateJob):
        api.enqueue(name, unique_key="once")
    assert Event.objects.count() == 1
