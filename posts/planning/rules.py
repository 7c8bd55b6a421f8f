"""Rules by which a post repeats: the part of RFC 5545's RRULE that names days. Pure.

Owns what is taken and what is refused. A rule names days only: the time of day is the post's, its start and end are
kept beside it. ``Rule.parse`` refuses, with a reason, what posts have no use for (hours, counts, weeks).

    RuleError        what is wrong with a rule, fit to be shown
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar

DAILY, WEEKLY, MONTHLY, YEARLY = "DAILY", "WEEKLY", "MONTHLY", "YEARLY"
# How far apart two turns may be, in the rule's own unit.
MOST_APART: Mapping[str, int] = {DAILY: 366, WEEKLY: 52, MONTHLY: 24, YEARLY: 5}
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LAST_DAY = -1
# As long as the column that keeps it.
RULE_CHARACTERS = 500

_REFUSED = {
    "COUNT": "a repeating post ends on a date, not after a number; leave COUNT out and set the end",
    "UNTIL": "the end is a date of its own; leave UNTIL out and set the end",
    "DTSTART": "the start is the time of the post; leave DTSTART out",
    "BYHOUR": "the time of day is the post's; leave BYHOUR out",
    "BYMINUTE": "the time of day is the post's; leave BYMINUTE out",
    "BYSECOND": "the time of day is the post's; leave BYSECOND out",
    "BYWEEKNO": "weeks of the year are not supported; name months and days",
    "BYYEARDAY": "days of the year are not supported; name months and days",
}
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,3}")
Value = TypeVar("Value")


class RuleError(ValueError):
    """What is wrong with a rule, and what to do."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. ``days`` are (which, weekday): which of the month (1, -1 the last), 0 for each; weekday 0 is Monday.

    ``month_days`` count from the end where they are negative. ``positions`` choose among the days of a month or year.
    """

    every: str
    interval: int = 1
    days: tuple[tuple[int, int], ...] = ()
    month_days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_starts: int = 0

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Return the rule that ``text`` writes, with or without “RRULE:” before it. Raises RuleError."""
        parts = _parts(text)
        every = parts.pop("FREQ", "")
        if every not in MOST_APART:
            known = ", ".join(MOST_APART)
            raise RuleError(f"A rule needs FREQ, one of {known}, not “{every[:20]}”")
        rule = cls(
            every=every,
            interval=_interval(parts.pop("INTERVAL", "1"), every),
            days=_each("BYDAY", parts, lambda word: _day(word, every, has_months="BYMONTH" in parts)),
            month_days=_each("BYMONTHDAY", parts, lambda word: _number("BYMONTHDAY", word, 31)),
            months=_each("BYMONTH", parts, lambda word: _number("BYMONTH", word, 12, may_be_negative=False)),
            positions=_each("BYSETPOS", parts, lambda word: _number("BYSETPOS", word, 366)),
            week_starts=_week_start(parts.get("WKST", "MO")),
        )
        _check_together(rule)
        return rule

    def completed(self, first: date) -> Rule:
        """Return the rule with what it leaves to its first day named: the weekday, the day of the month, the month.

        So it stays what it is when its start changes.
        """
        if self.days or self.month_days:
            return self
        if self.every == WEEKLY:
            return replace(self, days=((0, first.weekday()),))
        if self.every == MONTHLY:
            return replace(self, month_days=(first.day,))
        if self.every == YEARLY:
            return replace(self, month_days=(first.day,), months=self.months or (first.month,))
        return self

    def __str__(self) -> str:
        """Return the rule as RFC 5545 writes it."""
        parts = [f"FREQ={self.every}"]
        if self.interval > 1:
            parts.append(f"INTERVAL={self.interval}")
        if self.months:
            parts.append("BYMONTH=" + ",".join(map(str, self.months)))
        if self.month_days:
            parts.append("BYMONTHDAY=" + ",".join(map(str, self.month_days)))
        if self.days:
            parts.append("BYDAY=" + ",".join(f"{which or ''}{DAYS[day]}" for which, day in self.days))
        if self.positions:
            parts.append("BYSETPOS=" + ",".join(map(str, self.positions)))
        if self.week_starts:
            parts.append(f"WKST={DAYS[self.week_starts]}")
        return ";".join(parts)


def _parts(text: str) -> dict[str, str]:
    text = text.strip().upper().removeprefix("RRULE:").rstrip(";")
    if len(text) > RULE_CHARACTERS:
        raise RuleError(f"A rule has at most {RULE_CHARACTERS} characters, this one has {len(text):,}")
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name in _REFUSED:
            raise RuleError(f"{name}: {_REFUSED[name]}")
        if name not in ("FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"):
            raise RuleError(f"“{part[:40]}” is no part of a rule; write it like FREQ=WEEKLY;BYDAY=MO,WE")
        if name in parts:
            raise RuleError(f"{name} stands twice in the rule; keep one")
        if not value:
            raise RuleError(f"{name} has no value; write it like FREQ=WEEKLY;BYDAY=MO,WE")
        parts[name] = value
    return parts


def _interval(word: str, every: str) -> int:
    most = MOST_APART[every]
    if not re.fullmatch(r"[0-9]{1,4}", word) or not 1 <= int(word) <= most:
        raise RuleError(f"INTERVAL is 1 to {most} for {every}, not “{word[:20]}”")
    return int(word)


def _each(name: str, parts: Mapping[str, str], read: Callable[[str], Value]) -> tuple[Value, ...]:
    """Return what the comma list ``name`` has, each once, in order of size."""
    if name not in parts:
        return ()
    return tuple(sorted({read(word.strip()) for word in parts[name].split(",")}))  # type: ignore[type-var]  # numbers and pairs of them


def _day(word: str, every: str, *, has_months: bool) -> tuple[int, int]:
    found = _DAY.fullmatch(word)
    if found is None:
        raise RuleError(f"BYDAY: “{word[:20]}” is no day of the week; write MO, TU, WE, TH, FR, SA, SU")
    which = int(found[1] or 0)
    if found[1] is not None:
        most = 53 if every == YEARLY and not has_months else 5
        if every not in (MONTHLY, YEARLY) or not 1 <= abs(which) <= most:
            raise RuleError(f"BYDAY: “{word[:20]}” does not fit {every}; a number before a day is 1 to {most} or -1")
    return which, DAYS.index(found[2])


def _number(name: str, word: str, most: int, *, may_be_negative: bool = True) -> int:
    number = int(word) if _NUMBER.fullmatch(word) else 0
    if not 1 <= abs(number) <= most or (number < 0 and not may_be_negative):
        counted = f" or -1 to -{most}, from the end" if may_be_negative else ""
        raise RuleError(f"{name} is 1 to {most}{counted}, not “{word[:20]}”")
    return number


def _week_start(word: str) -> int:
    if word not in DAYS:
        raise RuleError(f"WKST is a day of the week, not “{word[:20]}”")
    return DAYS.index(word)


def _check_together(rule: Rule) -> None:
    if rule.every == WEEKLY and rule.month_days:
        raise RuleError("BYMONTHDAY does not fit WEEKLY; repeat monthly, or name days of the week")
    if rule.positions and rule.every not in (MONTHLY, YEARLY):
        raise RuleError("BYSETPOS fits MONTHLY and YEARLY only")
    if rule.positions and not (rule.days or rule.month_days):
        raise RuleError("BYSETPOS chooses among days; name them with BYDAY or BYMONTHDAY")
