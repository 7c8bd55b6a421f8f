"""A parent that is interrupted or ends is noticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from queue_app import lifeline

PARENT = """
import signal, time
signal.signal(signal.SIGINT, lambda *_: None)  # by itself Python leaves it ignored where it was
signal.signal(signal.SIGUSR1, lambda *_: signal.signal(signal.SIGINT, signal.SIG_DFL))
print("ready", flush=True)
while True:
    time.sleep(0.02)  # not pause(): a signal just before it would wait for the next one
"""


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A process that catches SIGINT until it gets SIGUSR1, taken for the parent of this one."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        monkeypatch.setattr(os, "getppid", lambda: process.pid)
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_parent_that_stops_catching_interrupts_is_ending(parent: subprocess.Popen[bytes]) -> None:
    watched = lifeline.Parent()
    assert not watched.is_ending()
    parent.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + 10
    while not watched.is_ending():
        assert time.monotonic() < deadline


def test_a_parent_that_is_gone_is_ending(parent: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    watched = lifeline.Parent()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert watched.is_ending()
