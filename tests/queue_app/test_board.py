from __future__ import annotations

import time

import pytest

from queue_app.board import Board


def test_a_handler_overruns_only_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    board, now = Board(2), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert board.overrun_job(1) is None
    board.begin_job(1, 4711, 30.0)
    now += 29
    assert board.overrun_job(1) is None
    now += 2
    assert (board.overrun_job(0), board.overrun_job(1)) == (None, 4711)
    board.end_job(1)
    assert board.overrun_job(1) is None
    board.begin_job(1, 4712, 30.0)
    assert board.overrun_job(1) is None
