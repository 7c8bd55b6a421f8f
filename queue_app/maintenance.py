"""Maintenance windows: recurring pauses of a key, by the wall clock of a zone, placed as blocks ahead of their time.

Owns the rule for wall times: a start that the clocks skip moves to the first moment after the gap, one that they show
twice is the first of the two. A window lasts its minutes, whatever the clocks do meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count, dropwhile, pairwise
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError

from queue_app import blocks, pauses, zones
from queue_app.database import atomic, lock_control
from queue_app.models import Block, BlockKind, MaintenanceWindow

logger = logging.getLogger("socialq.queue")

WEEK = 7
MINUTES_A_DAY = 24 * 60
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Changes:
    """What must be done to the stored blocks so that they are those of the windows."""

    stale: list[Block]
    missing: list[Block]


def validate(window: MaintenanceWindow) -> None:
    """Raise ValidationError, by field, where the window names no time, no key or no zone, or overlaps itself."""
    problems: dict[str, str] = {}
    days = window.weekdays
    if not isinstance(days, list) or not days or not all(type(day) is int and 0 <= day < WEEK for day in days):
        problems["weekdays"] = "Choose at least one weekday."
    elif not 0 < window.duration_minutes < _shortest_distance_days(days) * MINUTES_A_DAY:
        most = _shortest_distance_days(days) * MINUTES_A_DAY - 1
        problems["duration_minutes"] = f"It must end before it starts again: give 1 to {most} minutes."
    for field, check in (("timezone", zones.rules_of), ("key", pauses.check_key)):
        try:
            check(getattr(window, field))
        except ValueError as error:
            problems[field] = str(error)
    if problems:
        raise ValidationError(problems)


def next_occurrence(window: MaintenanceWindow, now: datetime) -> tuple[datetime, datetime]:
    """Return from when until when (aware UTC) the window holds next; the occurrence in progress counts.

    Occurrences that touch, where the clocks went forward in between, are one. Raises ValidationError.
    """
    validate(window)
    length = timedelta(minutes=window.duration_minutes)
    rules = zones.rules_of(window.timezone)
    earliest = (now - length).astimezone(rules).date() - _DAY
    coming = dropwhile(lambda start: start + length <= now, _starts(window, rules, earliest))
    starts_at = last = next(coming)
    # Ends after one or two: on days of 24 hours a valid window never touches the next.
    for following in coming:
        if following > last + length:
            break
        last = following
    return starts_at, last + length


class Occurrences:
    """The occurrences of one window: called with a moment it returns the one that holds then, or else the next."""

    __slots__ = ("_asked", "_found", "_window")

    def __init__(self, window: MaintenanceWindow, now: datetime) -> None:
        """Raise ValidationError for a window that cannot be read here."""
        self._window = window
        self._asked, self._found = now, next_occurrence(window, now)

    def __call__(self, at: datetime) -> tuple[datetime, datetime]:
        """Return from when until when (aware UTC)."""
        # Asked for each of many jobs, at moments that rarely lie in another one.
        if not self._asked <= at < self._found[1]:
            self._asked, self._found = at, next_occurrence(self._window, at)
        return self._found


def occurrences(now: datetime) -> Iterator[tuple[str, Occurrences]]:
    """Yield the key of every enabled window that can be read here, with its occurrences."""
    for window in MaintenanceWindow.objects.filter(enabled=True):
        with suppress(ValidationError):
            yield window.key, Occurrences(window, now)


def plan(now: datetime) -> int:
    """See that the current or next occurrence of every enabled window is a block, and that there are no others.

    Returns how many blocks were placed or removed; jobs that nothing blocks any more are let go, after the caller's
    transaction if there is one. Call it whenever a window has changed, and before an elapsed block is removed: so there
    is no moment between two occurrences.
    """
    changes = _changes(now)
    if not (changes.stale or changes.missing):
        return 0
    with atomic():
        lock_control(shared=False)
        # Another cluster may have done it since.
        changes = _changes(now)
        Block.objects.filter(pk__in=[block.pk for block in changes.stale]).delete()
        Block.objects.bulk_create(changes.missing)
    for key in sorted({block.key for block in changes.stale}):
        blocks.unpark_free(key)
    return len(changes.stale) + len(changes.missing)


def _changes(now: datetime) -> _Changes:
    wanted: dict[str, Block] = {}
    unreadable: set[str] = set()
    for window in MaintenanceWindow.objects.filter(enabled=True):
        source = f"window:{window.pk}"
        try:
            wanted[source] = _block(window, source, now)
        except ValidationError as error:
            # Another host may know the zone: what it has placed is left alone.
            logger.error("maintenance window=%s cannot be read: %s", window, "; ".join(error.messages))  # noqa: TRY400
            unreadable.add(source)
    stored = list(Block.objects.filter(kind=BlockKind.MAINTENANCE).exclude(source__in=unreadable))
    right = {block.source for block in stored if _same(block, wanted.get(block.source))}
    return _Changes(
        stale=[block for block in stored if not _same(block, wanted.get(block.source))],
        missing=[block for source, block in wanted.items() if source not in right],
    )


def _block(window: MaintenanceWindow, source: str, now: datetime) -> Block:
    starts_at, until = next_occurrence(window, now)
    return Block(
        key=window.key,
        kind=BlockKind.MAINTENANCE,
        source=source,
        reason=window.name,
        starts_at=starts_at,
        until=until,
        created_at=now,
    )


def _same(block: Block, wanted: Block | None) -> bool:
    return wanted is not None and all(
        getattr(block, field) == getattr(wanted, field) for field in ("key", "reason", "starts_at", "until")
    )


def _shortest_distance_days(weekdays: list[int]) -> int:
    days = sorted(set(weekdays))
    return min(later - earlier for earlier, later in pairwise([*days, days[0] + WEEK]))


def _starts(window: MaintenanceWindow, rules: ZoneInfo, earliest: date) -> Iterator[datetime]:
    """Return the window's starts from the day ``earliest`` on, without end."""
    for day in (earliest + number * _DAY for number in count()):
        if day.weekday() in window.weekdays:
            yield _first_moment(datetime.combine(day, window.starts.replace(microsecond=0)), rules)


def _first_moment(wall: datetime, rules: ZoneInfo) -> datetime:
    """Return the first instant (aware UTC) at which the clocks show ``wall`` (naive), or have skipped it."""
    moment = wall.replace(tzinfo=rules).astimezone(UTC)
    if moment.astimezone(rules).replace(tzinfo=None, fold=0) == wall:
        return moment
    # In a gap ``moment`` lies behind the change of the clocks, and this one before it: it is found between the two.
    before = wall.replace(tzinfo=rules, fold=1).astimezone(UTC)
    old = before.astimezone(rules).utcoffset()
    while moment - before > _SECOND:
        middle = before + (moment - before) // 2 // _SECOND * _SECOND
        if middle.astimezone(rules).utcoffset() == old:
            before = middle
        else:
            moment = middle
    return moment
