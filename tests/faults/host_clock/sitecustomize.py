"""Makes a process one of another host: of the name and with the clock that the environment says.

Python imports this at its start where this folder is on PYTHONPATH; children keep it. SIGUSR1 sets the clock once more.
"""

from __future__ import annotations

import os
import signal
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

_ahead = timedelta(seconds=float(os.environ["TESTS_CLOCK_AHEAD_SECONDS"]))
_jump = float(os.environ["TESTS_CLOCK_JUMP_SECONDS"])
_clock = time_machine.travel(datetime.now(UTC) + _ahead, tick=True).start()


def _set(_signal: int, _frame: Any) -> None:
    _clock.shift(_jump)


signal.signal(signal.SIGUSR1, _set)
socket.gethostname = lambda: os.environ["TESTS_HOST"]
