"""Places of listeners: whatever takes one back, and whenever it does, nobody waits for ever."""

from __future__ import annotations

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
