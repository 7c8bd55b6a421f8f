"""Priorities: numbers, and the names that people use for three of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST

PRIORITY_NAMES: Mapping[str, int] = {"high": 2, "normal": 5, "low": 8}


def number_of(priority: object) -> int:
    """Return a priority as a number from 1 (first) to 10 (last); raise ValueError for what is none."""
    number = PRIORITY_NAMES.get(priority) if isinstance(priority, str) else priority
    if not isinstance(number, int) or isinstance(number, bool) or not PRIORITY_FIRST <= number <= PRIORITY_LAST:
        names = ", ".join(PRIORITY_NAMES)
        raise ValueError(
            f"priority is {PRIORITY_FIRST} (first) to {PRIORITY_LAST} (last) or {names}, not {str(priority)[:40]!r}"
        )
    return number
