"""Places of listeners: whatever takes one back, and whenever it does, nobody waits for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from queue_app import listeners

pytestmark = pytest.mark.one_database


def test_a_place_that_is_collected_while_another_is_taken_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    first, taken, before = listeners.take(), [], listeners.count()

    def collects(_name: str) -> Any:
        first.leave()  # as the collector may at any moment
        return 100

    monkeypatch.setattr(listeners.conf, "get", collects)
    taker = threading.Thread(target=lambda: taken.append(listeners.take()), daemon=True)
    taker.start()
    taker.join(5)
    assert not taker.is_alive()
    assert listeners.count() == before
    taken[0].leave()


def test_a_process_without_a_handler_of_its_own_still_ends() -> None:
    code = (
        "import signal; from queue_app import listeners as own; own.end_on_sigterm(); signal.raise_signal(15); print()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, b"")


def test_whoever_handled_the_signal_still_does(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    monkeypatch.setattr(listeners, "_ending", False)
    try:
        elsewhere = threading.Thread(target=listeners.end_on_sigterm)
        elsewhere.start()
        elsewhere.join(5)
        listeners.end_on_sigterm()
        assert not listeners.are_ending()
        signal.raise_signal(signal.SIGTERM)
        assert listeners.are_ending()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [signal.SIGTERM]
