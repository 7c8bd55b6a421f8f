"""The last 24 hours in figures: what ended well and badly, and how long it took, by the hour.

Counted and averaged by the database, in three queries at most, by the index of when jobs ended, which has all that is
asked: no row of a job is read. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Avg, Count, F, FloatField, Q, QuerySet

from queue_app.database import connection
from queue_app.expressions import HourNumber, SecondsBetween
from queue_app.models import Job
from queue_app.planning import finished_since
from queue_app.states import JobState

HOURS = 24
SLOW_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Hour:
    """What ended in the hour from ``starts_at`` (UTC) on. ``mean_seconds`` is ``None`` where nothing ended."""

    starts_at: datetime
    completed: int = 0
    failed: int = 0
    mean_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """The running hour and the 23 before it. Durations are of the last run of each job, to its known end.

    ``slow_seconds`` is the duration that 95 of 100 did not exceed. Figures are ``None`` where nothing ended.
    """

    hours: tuple[Hour, ...]
    slow_seconds: float | None

    @property
    def since(self) -> datetime:
        """The beginning of the first hour."""
        return self.hours[0].starts_at

    @property
    def completed(self) -> int:
        """How many jobs ended well."""
        return sum(hour.completed for hour in self.hours)

    @property
    def failed(self) -> int:
        """How many failed for good."""
        return sum(hour.failed for hour in self.hours)

    @property
    def success_rate(self) -> float | None:
        """The share that ended well, from 0 to 1."""
        ended = self.completed + self.failed
        return self.completed / ended if ended else None

    @property
    def mean_seconds(self) -> float | None:
        """The mean duration."""
        numbers = [(hour.mean_seconds, hour.completed + hour.failed) for hour in self.hours]
        known = [(seconds, number) for seconds, number in numbers if seconds is not None]
        return (
            sum(seconds * number for seconds, number in known) / sum(number for _, number in known) if known else None
        )


class Percentile(Aggregate):
    """PostgreSQL's own: the least value that the share of all is not above."""

    function = "percentile_disc"
    template = f"%(function)s({SLOW_SHARE}) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def last_day(jobs: QuerySet[Job], now: datetime) -> Day:
    """Return the last 24 hours of ``jobs``, which should know a job by its state, type and times alone."""
    first = int(now.timestamp()) // 3600 - HOURS + 1
    ended = jobs.filter(finished_since(_starts_at(first)), _settled()).order_by()
    seconds = SecondsBetween(F("finished_at"), F("started_at"))
    rows = (
        ended.annotate(hour=HourNumber("finished_at"))
        .values("hour")
        .annotate(
            completed=Count("pk", filter=Q(state=JobState.COMPLETED)),
            failed=Count("pk", filter=Q(state=JobState.FAILED)),
            mean=Avg(seconds),
        )
    )
    by_hour = {row["hour"]: row for row in rows}
    hours = tuple(_hour(number, by_hour.get(number)) for number in range(first, first + HOURS))
    return Day(hours, _slow_seconds(ended, seconds))


def _settled() -> Q:
    return Q(state=JobState.COMPLETED) | Q(state=JobState.FAILED)


def _slow_seconds(ended: QuerySet[Job], seconds: SecondsBetween) -> float | None:
    if connection().vendor == "postgresql":
        found: float | None = ended.aggregate(slow=Percentile(seconds))["slow"]
        return found
    timed = ended.exclude(started_at=None)
    number = timed.count()
    if not number:
        return None
    place = max(-(-number * 95 // 100), 1) - 1
    return float(timed.annotate(seconds=seconds).order_by("seconds").values_list("seconds", flat=True)[place])


def _hour(number: int, row: Mapping[str, Any] | None) -> Hour:
    if row is None:
        return Hour(_starts_at(number))
    return Hour(_starts_at(number), row["completed"], row["failed"], row["mean"])


def _starts_at(number: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(hours=number)
