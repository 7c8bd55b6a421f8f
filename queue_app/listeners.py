"""How many programs listen to this process: each keeps a thread of the web server busy, and pages need some, too."""

from __future__ import annotations

import threading
import weakref

from queue_app import conf

# A place may be given back by the garbage collector, in whatever thread allocates: also in one that holds this already.
_lock = threading.RLock()
_listening = 0


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


def _leave() -> None:
    global _listening
    with _lock:
        _listening -= 1
