"""Starts, watches and restarts the commands that a site consists of, and leaves no process behind.

Each command gets a process group of its own and dies with this process. Knows nothing of what the commands do.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from queue_app import lifeline
from queue_app.waiting import Bell

logger = logging.getLogger("socialq.queue")

TURN_SECONDS = 0.2
# A command that lived no longer than this died quickly; it is started again after 0.5 s, 1 s, 2 s, up to 30 s.
QUICK_DEATH_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# What a command gets beyond its own grace before its group is killed.
OVERTIME_SECONDS = 8.0


@dataclass(slots=True)
class Child:
    """One command to keep running. ``name`` is for the log."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    start_again_at: float = field(default=0.0, init=False)
    quick_deaths: int = field(default=0, init=False)


class Supervisor:
    """Keeps ``children`` running until SIGTERM or SIGINT. A second signal ends them at once."""

    def __init__(self, children: Sequence[Child], *, grace_seconds: float) -> None:
        self._children = children
        self._grace_seconds = grace_seconds
        self._signals = 0
        self._bell = Bell()

    def run(self, *, every_turn: Callable[[], None] = lambda: None) -> None:
        """Start everything, restart what ends, and stop it all when told to. ``every_turn`` must not block."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self._signals:
                for child in self._children:
                    self._keep(child)
                every_turn()
                self._bell.wait(TURN_SECONDS)
            self._stop()
        finally:
            for child in self._children:
                _kill(child)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _keep(self, child: Child) -> None:
        """Start a command that does not run, unless it has just died too quickly."""
        now = time.monotonic()
        if child.process is not None:
            if child.process.poll() is None:
                return
            self._buried(child, now)
        if now >= child.start_again_at:
            child.started_at = now
            child.process = subprocess.Popen(lifeline.command(child.command), start_new_session=True)  # noqa: S603

    def _buried(self, child: Child, now: float) -> None:
        quick = now - child.started_at < QUICK_DEATH_SECONDS
        child.quick_deaths = child.quick_deaths + 1 if quick else 0
        pause = min(FIRST_PAUSE_SECONDS * 2 ** (child.quick_deaths - 1), LONGEST_PAUSE_SECONDS) if quick else 0.0
        child.start_again_at = now + pause
        code = child.process.returncode if child.process else None
        logger.error("command=%s ended exitcode=%s, starting it again in %g s", child.name, code, pause)
        _kill(child)

    def _stop(self) -> None:
        """Ask every command to end and wait for all of them, at most the grace and some overtime."""
        for child in self._children:
            if child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + self._grace_seconds + OVERTIME_SECONDS
        while self._signals == 1 and time.monotonic() < deadline:
            if all(child.process is None or child.process.poll() is not None for child in self._children):
                return
            self._bell.wait(TURN_SECONDS / 4)

    def _on_signal(self, _signal: int, _frame: Any) -> None:
        self._signals += 1
        self._bell.ring()


class Periodically:
    """Calls a function that may block again and again in a thread of its own, while the process lives."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call = call
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._call()
            except Exception:
                logger.exception("a check failed, trying again in %g s", self._seconds)
            time.sleep(self._seconds)


def _kill(child: Child) -> None:
    """Kill what is left of a command and its group."""
    if child.process is None:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)
    child.process.wait()
    child.process = None
