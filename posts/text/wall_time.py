"""From the time that a person meant ("29 March, 02:30, in Berlin") to an instant, and never by guessing.

Owns the rule: a wall time that the clocks skip is refused, one that they show twice is asked. Pure; keeps no rules of
its own about zones, which come from the IANA database.

    WallTimeError
    ├── NotATime         the text is no date with a time of day
    ├── UnknownZone      the name is not in the IANA database
    ├── GapError         the clocks skip this time
    └── AmbiguousError   the clocks show this time twice and the caller did not say which
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

Fold = Literal[0, 1]

_SECOND = timedelta(seconds=1)
_DATE_AND_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}")


class WallTimeError(ValueError):
    """A wall time that names no single instant. ``str()`` says why and what to do."""


class NotATime(WallTimeError):
    """``text`` is no date with a time of day that can be used."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"“{text[:40]}” is not a date and time; write it like 2026-03-29T14:30.")


class UnknownZone(WallTimeError):
    """``zone`` is not in the IANA time zone database."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        super().__init__(f"“{zone[:40]}” is not a time zone; choose a name like Europe/Berlin.")


class GapError(WallTimeError):
    """The clocks of ``zone`` jump from ``gap_start`` to ``gap_end`` (naive wall times), over ``wall``."""

    def __init__(self, wall: datetime, zone: str, gap_start: datetime, gap_end: datetime) -> None:
        self.wall, self.zone, self.gap_start, self.gap_end = wall, zone, gap_start, gap_end
        super().__init__(
            f"{_shown(wall)} does not exist in {zone}: the clocks go from {_shown(gap_start)} straight to "
            f"{_shown(gap_end)}. Choose a time before or after that."
        )


class AmbiguousError(WallTimeError):
    """The clocks of ``zone`` show ``wall`` twice: at ``earlier`` (fold 0) and at ``later`` (fold 1), aware UTC."""

    def __init__(self, wall: datetime, zone: str, earlier: datetime, later: datetime) -> None:
        self.wall, self.zone, self.earlier, self.later = wall, zone, earlier, later
        super().__init__(
            f"{_shown(wall)} happens twice in {zone}, because the clocks go back: at {_shown(earlier)} UTC and at "
            f"{_shown(later)} UTC. Choose the first or the second."
        )


def parse_wall_time(text: str, zone: str, *, fold: Fold | None = None) -> datetime:
    """Return the instant (aware UTC) of an ISO 8601 date and time.

    Without an offset the text is a wall time in the IANA ``zone``; with an offset it is taken as given and ``zone``
    is not used. ``fold`` as in ``resolve_wall_time``. Raises ``WallTimeError``.
    """
    text = text.strip()
    if not _DATE_AND_TIME.match(text):  # fromisoformat also takes a date alone, and any character between the two
        raise NotATime(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NotATime(text) from None
    if moment.tzinfo is None:
        return resolve_wall_time(moment, zone, fold=fold)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise NotATime(text) from None


def resolve_wall_time(wall: datetime, zone: str, *, fold: Fold | None = None) -> datetime:
    """Return the instant (aware UTC) at which the clocks of the IANA ``zone`` show ``wall`` (naive).

    ``fold`` chooses the first (0) or the second (1) where they show it twice and means nothing elsewhere. Raises
    ``UnknownZone``, ``GapError``, ``AmbiguousError``, and ``NotATime`` at the very ends of the calendar.
    """
    rules = _rules(zone)
    wall = wall.replace(tzinfo=None, fold=0)
    try:
        first = wall.replace(tzinfo=rules).astimezone(UTC)
        second = wall.replace(tzinfo=rules, fold=1).astimezone(UTC)
        if first == second:
            return first
        if first > second:
            raise GapError(wall, zone, *_gap(second, first, rules))
    except OverflowError:
        raise NotATime(wall.isoformat()) from None
    if fold is None:
        raise AmbiguousError(wall, zone, first, second)
    return second if fold else first


def first_instant(wall: datetime, zone: str) -> datetime:
    """Return the first instant (aware UTC) at which the clocks of ``zone`` show ``wall`` (naive) or later.

    Where they skip it, that is when they jump; where they show it twice, the first. Raises ``UnknownZone`` and
    ``NotATime``.
    """
    try:
        return resolve_wall_time(wall, zone, fold=0)
    except GapError as gap:
        return gap.gap_start.replace(tzinfo=_rules(zone)).astimezone(UTC)


def _rules(zone: str) -> ZoneInfo:
    # A name is looked up in the list first: ZoneInfo alone opens whatever file is there, "localtime" included.
    if zone not in _zones():
        raise UnknownZone(zone)
    return ZoneInfo(zone)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


def _gap(before: datetime, after: datetime, rules: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the wall times between which the clocks jump, given instants just before and after the jump."""
    old, new = _offset(before, rules), _offset(after, rules)
    while after - before > _SECOND:
        middle = before + (after - before) // 2 // _SECOND * _SECOND
        if _offset(middle, rules) == old:
            before = middle
        else:
            after = middle
    jump = after.replace(tzinfo=None, microsecond=0)
    return jump + old, jump + new


def _offset(instant: datetime, rules: ZoneInfo) -> timedelta:
    return instant.astimezone(rules).replace(tzinfo=None) - instant.replace(tzinfo=None)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" + (f":{moment:%S}" if moment.second else "")
