"""A queue's clock that stands at a chosen day, on both databases, and goes on from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from queue_app import clock


class CalendarClock:
    """The clock of this process, set by ``move_to`` and ``shift``."""

    def move_to(self, moment: datetime) -> None:
        clock.set_offset(clock._offset + (moment - clock.now()))

    def shift(self, span: timedelta) -> None:
        clock.set_offset(clock._offset + span)


@contextmanager
def set_to(moment: datetime) -> Iterator[CalendarClock]:
    """Let it be ``moment`` (aware) until the end."""
    found = CalendarClock()
    found.move_to(moment)
    try:
        yield found
    finally:
        clock.set_offset(timedelta(0))
