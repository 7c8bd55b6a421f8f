"""The pages of limits and breakers: how things stand, who waits, and making an end of it by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from queue_app import api, breakers, clock, gates, limits
from queue_app.models import Breaker, Job, Limit, LimitUse
from tests.queue_app.admin.pages import act, address, ask, client_of, text_of
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boss() -> Client:
    return client_of("boss", is_superuser=True)


@pytest.fixture
def used_up(register: Register, run: Run, settings: Any) -> tuple[Limit, list[Job]]:
    """A limit of two an hour with four jobs, two of which have run."""
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"platform:slow": "2/h 5/d", "account:*": "3/m"}}
    name = register(lambda context: None)
    jobs = [api.enqueue(name, keys=["platform:slow"]) for _ in range(4)]
    run()
    return Limit.objects.get(key="platform:slow"), jobs


@pytest.fixture
def tripped(register: Register, run: Run, settings: Any) -> tuple[Breaker, list[Job]]:
    """A breaker that two failures have opened, and two jobs that wait for it."""
    settings.SOCIALQ = {**settings.SOCIALQ, "BREAKER_FAILURES": 2, "BREAKER_SECONDS": 600}

    def fail(_context: Any) -> None:
        raise ConnectionError("nobody answers")

    name = register(fail, breaker="account:*")
    jobs = [api.enqueue(name, keys=["account:7"]) for _ in range(4)]
    run()
    return Breaker.objects.get(key="account:7"), jobs


def states(jobs: list[Job]) -> list[tuple[str, str]]:
    return [(job.state, job.parked_by) for job in map(reloaded, jobs)]


def test_a_limit_says_what_is_used_what_is_left_and_when_it_opens(
    boss: Client, used_up: tuple[Limit, list[Job]]
) -> None:
    limit, _jobs = used_up
    opens = LimitUse.objects.order_by("number").values_list("at", flat=True)[0] + timedelta(hours=1)
    for answer in (boss.get(address(Limit)), boss.get(address(limit))):
        text = text_of(answer)
        assert "2 in any hour" in text
        assert "5 in any day" in text
        assert "2 of 2" in text
        assert "2 of 5" in text
        assert f"{opens:%Y-%m-%d %H:%M}" in text
        assert "parked_by=limit%3Aplatform%3Aslow" in answer.content.decode()


def test_who_waits_for_a_limit_is_listed(boss: Client, used_up: tuple[Limit, list[Job]]) -> None:
    _limit, jobs = used_up
    text = text_of(boss.get(f"{address(Job)}?parked_by=limit:platform:slow"))
    assert [f"#{job.pk} " in text for job in jobs] == [False, False, True, True]
    assert "limit platform:slow" in text


def test_what_is_configured_stands_below_used_or_not(boss: Client, used_up: tuple[Limit, list[Job]]) -> None:
    text = text_of(boss.get(address(Limit)))
    assert "account:* 3 in any minute SOCIALQ_LIMITS not yet" in text
    assert "platform:slow 2 in any hour, 5 in any day SOCIALQ_LIMITS yes" in text


def test_a_limit_that_nothing_configures_any_more_says_so(boss: Client) -> None:
    limit = Limit.objects.create(key="account:9", used=3)
    assert "no longer limited" in text_of(boss.get(address(Limit)))
    assert "nothing configured limits this name" in text_of(boss.get(address(limit)))


def test_forgetting_the_uses_lets_the_next_go(boss: Client, used_up: tuple[Limit, list[Job]], run: Run) -> None:
    limit, jobs = used_up
    asked = ask(boss, "forget", limit).content.decode()
    assert "goes on counting" in asked
    assert LimitUse.objects.count() == 2
    act(boss, "forget", limit)
    assert LimitUse.objects.count() == 0
    assert limits.remaining("platform:slow") == 2
    assert states(jobs[2:]) == [("pending", ""), ("pending", "")]
    assert LogEntry.objects.get().change_message == "Begun anew: 2 jobs let go"
    run()
    assert [job.state for job in map(reloaded, jobs)] == ["completed"] * 4
    assert limits.remaining("platform:slow") == 0


def test_a_limit_that_was_not_used_is_left_alone(boss: Client) -> None:
    limit = Limit.objects.create(key="account:9")
    assert "it has not been used" in text_of(ask(boss, "forget", limit))


def test_a_breaker_says_that_it_is_open_why_and_who_waits(boss: Client, tripped: tuple[Breaker, list[Job]]) -> None:
    breaker, _jobs = tripped
    assert breaker.open_until is not None
    for answer in (boss.get(address(Breaker)), boss.get(address(breaker))):
        text = text_of(answer)
        for words in ("account:7", "Open: left alone", "nobody answers", f"{breaker.open_until:%Y-%m-%d %H:%M}"):
            assert words in text
        assert "parked_by=breaker%3Aaccount%3A7" in answer.content.decode()


def test_a_breaker_that_tries_again_names_its_probe(
    boss: Client, tripped: tuple[Breaker, list[Job]], later: Later
) -> None:
    later(601)
    gates.open_due()
    probe = Breaker.objects.get().probe
    assert probe is not None
    text = text_of(boss.get(address(Breaker)))
    assert "Probing: one job at a time" in text
    assert str(probe) in text
    assert [
        "account:7" in text_of(boss.get(f"{address(Breaker)}?state={state}")) for state in ("open", "probing", "closed")
    ] == [False, True, False]


def test_closing_a_breaker_lets_what_waits_run(boss: Client, tripped: tuple[Breaker, list[Job]]) -> None:
    breaker, jobs = tripped
    assert states(jobs)[2:] == [("pending", "breaker:account:7")] * 2
    asked = ask(boss, "close", breaker).content.decode()
    assert "it opens again" in asked
    assert Breaker.objects.get().open_until is not None
    act(boss, "close", breaker)
    closed = Breaker.objects.get()
    assert (closed.failures, closed.trips, closed.open_until, closed.probe) == (0, 0, None, None)
    assert states(jobs)[2:] == [("pending", "")] * 2
    assert LogEntry.objects.get().change_message == "Closed; what waited runs again: 2 jobs let go"
    assert "it is closed" in text_of(ask(boss, "close", breaker))
    assert "Closed: its jobs run" in text_of(boss.get(address(breaker)))


def test_closing_empties_a_long_lot_in_batches(
    tripped: tuple[Breaker, list[Job]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _breaker, jobs = tripped
    monkeypatch.setattr("queue_app.parking.BATCH", 1)
    assert breakers.close("account:7") == 1
    assert breakers.state_of(Breaker.objects.get(), clock.now()) == "closed"
    while gates.open_due():
        pass
    assert states(jobs)[2:] == [("pending", "")] * 2
    assert Breaker.objects.get().open_until is None


@pytest.mark.parametrize(("kind", "hint"), [(Limit, "SOCIALQ_LIMITS, such as"), (Breaker, "No key has failed so far")])
def test_an_empty_list_says_what_to_do(boss: Client, kind: type[Any], hint: str) -> None:
    assert hint in text_of(boss.get(address(kind)))
