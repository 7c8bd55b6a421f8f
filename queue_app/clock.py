"""The queue's one clock: the database's on PostgreSQL, so that machines agree; on SQLite the host's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections

from queue_app.database import alias

_offset = timedelta(0)


def now() -> datetime:
    """Return the current time, aware UTC. One round trip on PostgreSQL."""
    connection = connections[alias()]
    if connection.vendor != "postgresql":
        return datetime.now(UTC) + _offset
    with connection.cursor() as cursor:
        cursor.execute("SELECT STATEMENT_TIMESTAMP()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC) + _offset


def expression() -> str:
    """Return SQL for the current time inside a statement; it has one placeholder, for ``parameter()``."""
    return "STATEMENT_TIMESTAMP() + %s" if connections[alias()].vendor == "postgresql" else "?"


def parameter() -> Any:
    """Return the value for the placeholder of ``expression()``."""
    connection = connections[alias()]
    if connection.vendor == "postgresql":
        return _offset
    return connection.ops.adapt_datetimefield_value(datetime.now(UTC) + _offset)


def set_offset(offset: timedelta) -> None:
    """Shift ``now()`` in this process; for tests of time that passes."""
    global _offset
    _offset = offset
