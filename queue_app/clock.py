"""The queue's one clock: the database's on PostgreSQL, so that machines agree; on SQLite the host's."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from queue_app import statements
from queue_app.database import connection

# How long PostgreSQL's time is reckoned on from the last answer that told it.
RECKONED_SECONDS = 1.0

# Goes on while the machine sleeps, and nobody sets it.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_offset = timedelta(0)
# PostgreSQL's time as last told, and when that was on the steady clock.
_told: tuple[datetime, float] | None = None


def now() -> datetime:
    """Return the current time, aware UTC. One round trip on PostgreSQL."""
    if connection().vendor != "postgresql":
        return datetime.now(UTC) + _offset
    ((moment,),) = statements.fetch("SELECT STATEMENT_TIMESTAMP()", ())
    told(moment + _offset)
    return moment.astimezone(UTC) + _offset  # type: ignore[no-any-return]  # a datetime


def recent() -> datetime:
    """Return the current time for what is only written down; where PostgreSQL told it just now, without asking again.

    Later than the last time told and, by as long as that answer took, behind ``now()``, never ahead of it.
    """
    if _told is None or connection().vendor != "postgresql":
        return now()
    moment, at = _told
    passed = steady_seconds() - at
    return moment + timedelta(seconds=passed) + _offset if passed < RECKONED_SECONDS else now()


def told(moment: datetime) -> None:
    """Take note of the time that an answer of PostgreSQL has just brought."""
    global _told
    _told = moment.astimezone(UTC) - _offset, steady_seconds()


def steady_seconds() -> float:
    """Return seconds of a clock that nobody sets and that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(_STEADY)


def expression() -> str:
    """Return SQL for the current time inside a statement that gets ``parameters()``, and no others."""
    return "STATEMENT_TIMESTAMP() + %s" if connection().vendor == "postgresql" else ":now"


def parameters() -> list[Any] | dict[str, Any]:
    """Return what goes with ``expression()``: one value on PostgreSQL, ``now`` by its name on SQLite."""
    queue = connection()
    if queue.vendor == "postgresql":
        return [_offset]
    return {"now": queue.ops.adapt_datetimefield_value(datetime.now(UTC) + _offset)}


def set_offset(offset: timedelta) -> None:
    """Shift ``now()`` in this process; for tests of time that passes."""
    global _offset
    _offset = offset
