"""What ``manage.py workers`` says about its clusters: one line on a terminal, redrawn; elsewhere a line in the log when
workers come or go. Only words: knows neither processes nor the database.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence

from django.core.management.base import OutputWrapper

from queue_app.cluster import Count

logger = logging.getLogger("socialq.queue")

ERASE_LINE = "\r\x1b[K"


def line(counts: Sequence[Count], most_waiting: int) -> str:
    """Return ``facebook 3/3 busy 1 waiting 12 | ...``: workers there are, workers wished for, busy ones, due jobs."""
    return " | ".join(_one(count, most_waiting) for count in counts)


def _one(count: Count, most_waiting: int) -> str:
    words = f"{count.name} {count.present}/{count.wished} busy {count.busy}"
    if count.waiting is None:
        return words
    return f"{words} waiting {count.waiting if count.waiting <= most_waiting else f'over {most_waiting}'}"


class StatusLine:
    """Shows counts on ``stream`` where that is a terminal, else in the log. ``most_waiting`` is how far is counted."""

    def __init__(self, stream: OutputWrapper, most_waiting: int) -> None:
        self._stream = stream
        self._most_waiting = most_waiting
        self._logged: list[tuple[int, int]] = []

    def __call__(self, counts: Sequence[Count]) -> None:
        """Show the counts of all clusters."""
        text = line(counts, self._most_waiting)
        if self._stream.isatty():
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(ERASE_LINE + text[:width], ending="")
            self._stream.flush()
            return
        workers = [(count.present, count.wished) for count in counts]
        if workers != self._logged:
            self._logged = workers
            logger.info("workers: %s", text)

    def end(self) -> None:
        """Leave the line."""
        if self._stream.isatty():
            self._stream.write("")
