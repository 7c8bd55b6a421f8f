"""Who listens to this process: how many, for each keeps a thread of the web server busy, and until when they may."""

from __future__ import annotations

import signal
import threading
import weakref
from types import FrameType

from queue_app import conf

# A place may be given back by the garbage collector, in whatever thread allocates: also in one that holds this already.
_lock = threading.RLock()
_listening = 0
_ending = False


class Full(Exception):
    """As many listen as may."""


class Place:
    """A listener's place. It is free again once it is left, or forgotten."""

    def __init__(self) -> None:
        self.leave = weakref.finalize(self, _leave)


def take() -> Place:
    """Return a place among the listeners. Raises Full."""
    global _listening
    with _lock:
        if _listening >= conf.get("MAX_LISTENERS"):
            raise Full
        _listening += 1
    return Place()


def count() -> int:
    """Return how many listen now."""
    return _listening


def end_on_sigterm() -> None:
    """Have streams end once the process is told to stop, which would wait for them in vain. For a site's wsgi.py.

    Whoever handled the signal still does. Does nothing outside the main thread, where no signal can be handled.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGTERM)

    def on_signal(number: int, frame: FrameType | None) -> None:
        global _ending
        _ending = True  # no lock: what this interrupts may hold it
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            signal.signal(number, before)
            signal.raise_signal(number)

    signal.signal(signal.SIGTERM, on_signal)


def are_ending() -> bool:
    """Say whether the process was told to stop."""
    return _ending


def _leave() -> None:
    global _listening
    with _lock:
        _listening -= 1
