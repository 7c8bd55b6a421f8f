"""When a rule comes round: days, then wall times, then instants. Pure.

Looks at one day after the other within bounds, so that no rule, however seldom it is true, keeps anybody waiting. The
time of day stays what it is on the clocks of its zone; where they skip it, it moves forward by as much as they do, and
where they show it twice, the first is taken.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from posts.planning.rules import DAILY, MONTHLY, WEEKLY, Rule

# A rule that is not true for so long is true of nothing that can be scheduled.
LOOK_AHEAD = timedelta(days=3653)
_DAY = timedelta(days=1)


def wall_times(
    rule: Rule, first: datetime, *, after: datetime | None = None, until: date | None = None
) -> Iterator[datetime]:
    """Yield the wall times of ``rule`` from ``first`` on (itself if the rule is true then), in order.

    All are naive. Those up to and with ``after`` are left out; it ends with the day ``until``, or where the rule was
    not true for ten years.
    """
    rule = rule.completed(first.date())
    day = max(first.date(), after.date()) if after is not None else first.date()
    seen = day
    while day - seen <= LOOK_AHEAD and (until is None or day <= until) and day < date.max - LOOK_AHEAD:
        if _is_turn(rule, first.date(), day) and _fits(rule, day):
            wall = datetime.combine(day, first.time())
            if after is None or wall > after:
                yield wall
            seen = day
        day += _DAY


def instant_of(wall: datetime, zone: str) -> datetime:
    """Return the instant (aware UTC) of the naive ``wall`` in the IANA ``zone``, by the rule above."""
    # Of a time that is skipped, fold 0 counts by the clocks before: that is forward by the gap.
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def _is_turn(rule: Rule, first: date, day: date) -> bool:
    """Return whether the day's week, month or year is one of the rule's, counted from the first."""
    if rule.interval == 1:
        return True
    if rule.every == DAILY:
        apart = (day - first).days
    elif rule.every == WEEKLY:
        apart = (_week(day, rule.week_starts) - _week(first, rule.week_starts)).days // 7
    elif rule.every == MONTHLY:
        apart = 12 * (day.year - first.year) + day.month - first.month
    else:
        apart = day.year - first.year
    return apart % rule.interval == 0


def _week(day: date, starts: int) -> date:
    return day - timedelta(days=(day.weekday() - starts) % 7)


def _fits(rule: Rule, day: date) -> bool:
    if not rule.positions:
        return _is_named(rule, day)
    return day in _chosen(rule, day.year, day.month if rule.every == MONTHLY else 0)


def _is_named(rule: Rule, day: date) -> bool:
    if rule.months and day.month not in rule.months:
        return False
    days = monthrange(day.year, day.month)[1]
    if rule.month_days and day.day not in rule.month_days and day.day - days - 1 not in rule.month_days:
        return False
    return not rule.days or any(
        weekday == day.weekday() and _is_which(rule, day, which) for which, weekday in rule.days
    )


def _is_which(rule: Rule, day: date, which: int) -> bool:
    """Return whether ``day`` is the so-manieth of its weekday: in its month, or in its year where no month is named."""
    if which == 0:
        return True
    if rule.every == MONTHLY or rule.months:
        place, days = day.day, monthrange(day.year, day.month)[1]
    else:
        place = day.timetuple().tm_yday
        days = date(day.year, 12, 31).timetuple().tm_yday
    return which == ((place - 1) // 7 + 1 if which > 0 else -((days - place) // 7 + 1))


@lru_cache(maxsize=64)
def _chosen(rule: Rule, year: int, month: int) -> frozenset[date]:
    """Return the days of a month, or of a year (``month`` 0), that the rule's positions choose."""
    day = date(year, month or 1, 1)
    named = []
    while day.year == year and month in (0, day.month):
        if _is_named(rule, day):
            named.append(day)
        day += _DAY
    count = len(named)
    places = [place - 1 if place > 0 else count + place for place in rule.positions]
    return frozenset(named[place] for place in places if 0 <= place < count)
