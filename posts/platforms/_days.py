"""When a network's day ends, for limits that hold until then."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo


def next_midnight(now: datetime, zone: tzinfo = UTC) -> datetime:
    """Return the next midnight in ``zone`` after ``now`` (aware), as aware UTC."""
    return datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone).astimezone(UTC)
