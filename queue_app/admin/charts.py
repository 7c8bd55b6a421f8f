"""Charts as numbers for SVG: bars over hours, worked out here so that a template only draws. Reads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from queue_app.admin import display
from queue_app.recent import Day, Hour

WIDTH, HEIGHT = 720, 120
TOP, BOTTOM = 4, 4
GAP = 4
EVERY_HOURS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in the units of the picture, with what it says."""

    x: float
    y: float
    width: float
    height: float
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of WIDTH × HEIGHT, to be stretched. ``baseline`` is where the bars stand; ``ticks`` are words below
    it at even distances: the first hour, every fourth after it."""

    bars: Sequence[Bar]
    ticks: Sequence[str]
    baseline: float
    width: int = WIDTH
    height: int = HEIGHT


def ended(day: Day, done_word: str, zone: str = "") -> Chart:
    """Draw what ended in each hour: what went well stands on the line, what failed hangs below it."""
    most_up = max((hour.completed for hour in day.hours), default=0)
    most_down = max((hour.failed for hour in day.hours), default=0)
    room = HEIGHT - TOP - BOTTOM
    unit = room / max(most_up + most_down, 1)
    baseline = TOP + most_up * unit if most_up + most_down else TOP + room
    bars = []
    for place, hour in enumerate(day.hours):
        words = f"{label(hour, zone)}: {hour.completed:,} {done_word}, " + _("%(n)s failed") % {"n": f"{hour.failed:,}"}
        if hour.completed:
            bars.append(_bar(place, baseline - hour.completed * unit, hour.completed * unit, "ok", words))
        if hour.failed:
            bars.append(_bar(place, baseline, hour.failed * unit, "bad", words))
    return Chart(bars, _ticks(day, zone), round(baseline, 1))


def durations(day: Day, zone: str = "") -> Chart:
    """Draw how long it took on average in each hour."""
    longest = max((hour.mean_seconds or 0 for hour in day.hours), default=0)
    room = HEIGHT - TOP - BOTTOM
    bars = []
    for place, hour in enumerate(day.hours):
        if hour.mean_seconds is not None and longest:
            height = max(hour.mean_seconds / longest * room, 1)
            words = f"{label(hour, zone)}: {display.duration(hour.mean_seconds)}"
            bars.append(_bar(place, TOP + room - height, height, "busy", words))
    return Chart(bars, _ticks(day, zone), TOP + room)


def label(hour: Hour, zone: str = "") -> str:
    """Return the wall time at which the hour begins."""
    return _local(hour.starts_at, zone).strftime("%H:%M")


def _bar(place: int, y: float, height: float, look: str, title: str) -> Bar:
    step = WIDTH / 24
    return Bar(round(place * step + GAP / 2, 1), round(y, 1), round(step - GAP, 1), round(height, 1), look, title)


def _ticks(day: Day, zone: str) -> list[str]:
    return [label(hour, zone) for hour in day.hours[::EVERY_HOURS]]


def _local(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone or timezone.get_current_timezone_name()))
