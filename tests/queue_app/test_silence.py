"""Whether workers that look silent are: listened for by a process without a heartbeat of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import Settings

from queue_app import api, claims, clock, rescue, silence, workers
from queue_app.database import atomic
from queue_app.models import Job, Worker
from tests.queue_app.jobs import Later, Register, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

LEASE_SECONDS = 8.0


class Passing:
    """Time that passes at once when somebody sleeps; ``meanwhile`` is called each time, with the seconds so far."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.meanwhile: Callable[[float], None] = lambda seconds: None

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.meanwhile(self.seconds)


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Passing]:
    settings.SOCIALQ = settings.SOCIALQ | {"LEASE_SECONDS": LEASE_SECONDS}
    passing = Passing()
    monkeypatch.setattr(silence.time, "sleep", passing.sleep)
    real = clock.steady_seconds
    monkeypatch.setattr(clock, "steady_seconds", lambda: real() + passing.seconds)
    return passing


@pytest.fixture
def suspects(register: Register, later: Later) -> list[Job]:
    """Two running jobs of workers on other hosts that have not been heard of for an hour."""
    name = register(lambda context: None)
    jobs = []
    for cluster in ("a", "b"):
        api.enqueue(name)
        worker = workers.register(cluster, {"default": 1})
        Worker.objects.filter(pk=worker.pk).update(host="elsewhere/1/2")
        with atomic():
            claim = claims.claim_next({"default": 1}, worker, types=[name])
        assert isinstance(claim, claims.Claim)
        jobs.append(claim.job)
    later(3600)
    assert sorted(job.pk for job in rescue.of_silent_workers()) == [job.pk for job in jobs]
    return jobs


def rescued() -> str:
    out = StringIO()
    call_command("rescue_jobs", stdout=out)
    return out.getvalue()


def test_who_says_nothing_for_a_whole_lease_loses_his_jobs(suspects: list[Job], passing: Passing) -> None:
    passing.meanwhile = lambda seconds: workers.heartbeat("b") if seconds > 2 else None
    said = rescued()
    assert passing.seconds > LEASE_SECONDS - 1
    assert [reloaded(job).state for job in suspects] == ["pending", "running"]
    assert "the workers of 2 jobs" in said
    assert "before 8 seconds of silence" in said
    assert "Took back 1 job of workers that are gone.\nLeft 1 job: heard of meanwhile, or no longer running." in said


def test_nobody_is_waited_for_once_all_were_heard_of(suspects: list[Job], passing: Passing) -> None:
    def beat(seconds: float) -> None:
        for cluster in ("a", "b"):
            workers.heartbeat(cluster)

    passing.meanwhile = beat
    assert "Took back 0 jobs" in rescued()
    assert passing.seconds < LEASE_SECONDS / 2


def test_while_nothing_can_be_written_nobody_can_be_heard(suspects: list[Job], passing: Passing) -> None:
    def lock_for_a_while(seconds: float) -> None:
        if LEASE_SECONDS - 2 < seconds < LEASE_SECONDS:
            passing.seconds += LEASE_SECONDS
        if seconds > 2 * LEASE_SECONDS + 1:
            workers.heartbeat("a")

    passing.meanwhile = lock_for_a_while
    rescued()
    assert [reloaded(job).state for job in suspects] == ["running", "pending"]
    assert passing.seconds > 3 * LEASE_SECONDS - 3


def test_where_nobody_looks_silent_nothing_is_waited_for(passing: Passing) -> None:
    assert rescued() == "Took back 0 jobs of workers that are gone.\n"
    assert passing.seconds == 0
