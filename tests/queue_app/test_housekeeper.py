from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import Settings

from queue_app import api, clock, workers
from queue_app.board import Board
from queue_app.children import Wiring
from queue_app.housekeeper import Housekeeper
from queue_app.models import Total, TotalName
from queue_app.waiting import Bell
from tests.queue_app.jobs import Register, Run


class Heart:
    """A housekeeper of which only the heart beats; the database answers while ``answers`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.tries = 0
        monkeypatch.setattr(workers, "heartbeat", self._heartbeat)
        bells: Any = [Bell() for _ in range(3)]
        wiring = Wiring("c", "default", "default", Board(1), *bells, tasks=None, results=None, schedules=False)
        self.housekeeper = Housekeeper(wiring)
        self.housekeeper._heart.start()

    def _heartbeat(self, cluster: str) -> None:
        self.tries += 1
        if not self.answers.is_set():
            raise OperationalError("away")

    def wait_until(self, judges: bool) -> float:
        """Wait until it would judge other hosts, or would not; return how long that took, in seconds."""
        started = time.monotonic()
        while self.housekeeper._may_judge() is not judges:
            assert time.monotonic() < started + 20
            os.sched_yield()
        return time.monotonic() - started

    def end(self) -> None:
        self.housekeeper._farewell.set()
        self.housekeeper._heart.join()


@pytest.fixture
def heart(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Heart]:
    settings.SOCIALQ = settings.SOCIALQ | {"LEASE_SECONDS": 0.5, "HEARTBEAT_SECONDS": 0.05}
    heart = Heart(monkeypatch)
    yield heart
    heart.end()


def test_judges_other_hosts_only_one_lease_after_its_own_heartbeat_failed(heart: Heart) -> None:
    assert not heart.housekeeper._may_judge()
    assert heart.wait_until(judges=True) > 0.2
    heart.answers.clear()
    heart.wait_until(judges=False)
    tries = heart.tries
    while heart.tries < tries + 3:
        os.sched_yield()
    assert not heart.housekeeper._may_judge()
    heart.answers.set()
    assert heart.wait_until(judges=True) > 0.2


def test_judges_nobody_by_silence_within_one_lease_of_a_jump_of_the_clock(
    heart: Heart, monkeypatch: pytest.MonkeyPatch
) -> None:
    heart.wait_until(judges=True)
    jumps = iter([0.0, 3600.0, -3600.0])
    monkeypatch.setattr(heart.housekeeper._clocks, "check", lambda: (datetime.now(UTC), next(jumps)))
    heart.housekeeper._look_at_clocks()
    assert heart.housekeeper._may_judge()
    for _jump in range(2):
        heart.housekeeper._look_at_clocks()
        assert not heart.housekeeper._may_judge()
        assert heart.wait_until(judges=True) > 0.2


def test_judges_nobody_by_silence_when_the_machine_has_slept(heart: Heart, monkeypatch: pytest.MonkeyPatch) -> None:
    heart.wait_until(judges=True)
    awake = clock.steady_seconds
    monkeypatch.setattr(clock, "steady_seconds", lambda: awake() + 3600)
    assert not heart.housekeeper._may_judge()
    assert heart.wait_until(judges=True) > 0.2


@pytest.mark.django_db(transaction=True)
def test_totals_are_kept_up_to_date(heart: Heart, register: Register, run: Run) -> None:
    heart.housekeeper._tend()
    api.enqueue(register(lambda context: None))
    run()
    heart.housekeeper._tend()
    assert Total.objects.get(name=TotalName.ENDED).counts == [1]
