"""The queue's one clock: the database's on PostgreSQL, so that machines agree; on SQLite the host's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from queue_app import statements
from queue_app.database import connection

_offset = timedelta(0)


def now() -> datetime:
    """Return the current time, aware UTC. One round trip on PostgreSQL."""
    queue = connection()
    if queue.vendor != "postgresql":
        return datetime.now(UTC) + _offset
    ((moment,),) = statements.fetch("SELECT STATEMENT_TIMESTAMP()", ())
    found: datetime = moment.astimezone(UTC) + _offset
    return found


def expression() -> str:
    """Return SQL for the current time inside a statement; it has one placeholder, for ``parameter()``."""
    return "STATEMENT_TIMESTAMP() + %s" if connection().vendor == "postgresql" else "?"


def parameter() -> Any:
    """Return the value for the placeholder of ``expression()``."""
    queue = connection()
    if queue.vendor == "postgresql":
        return _offset
    return queue.ops.adapt_datetimefield_value(datetime.now(UTC) + _offset)


def set_offset(offset: timedelta) -> None:
    """Shift ``now()`` in this process; for tests of time that passes."""
    global _offset
    _offset = offset
