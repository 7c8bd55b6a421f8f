"""What several parts of one page ask for, read once a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from django.http import HttpRequest

from queue_app import clock, pauses, workers
from queue_app.models import Block, Worker
from queue_app.stats import Waiting

Value = TypeVar("Value")


def once(request: HttpRequest, name: str, make: Callable[[], Value]) -> Value:
    """Return what ``make`` returned when ``name`` was first asked for during this request."""
    kept = request.__dict__.setdefault("_queue_read_once", {})
    if name not in kept:
        kept[name] = make()
    return cast("Value", kept[name])


def waiting(request: HttpRequest) -> Waiting:
    """Return what waits, by queue."""
    return once(request, "waiting", lambda: Waiting(clock.now()))


def paused(request: HttpRequest) -> list[Block]:
    """Return the pauses that hold now, by key."""
    return once(request, "paused", pauses.paused)


def living(request: HttpRequest) -> set[int]:
    """Return the keys of the workers that live."""
    return once(request, "living", lambda: _keys(list(workers.alive(clock.now()))))


def _keys(rows: list[Worker]) -> set[int]:
    return {row.pk for row in rows}
