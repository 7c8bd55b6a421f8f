"""What a new connection to the queue's database is told; see ADR 16. SQLite needs nothing.

A process that stands still in a transaction, or whose machine lost its power, keeps its locks until PostgreSQL hears
that it is gone, which may take hours. Meanwhile nobody could take its jobs, and one pause would stop the queue.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from queue_app import conf
from queue_app.database import alias


def limit_idle_transactions(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Have PostgreSQL roll back what this connection leaves open and silent for too long. For ``connection_created``.

    Past Django's cursors: what is told here is no query of whoever connects.
    """
    seconds = conf.get("IDLE_TRANSACTION_SECONDS")
    if connection.vendor != "postgresql" or connection.alias != alias() or not seconds:
        return
    with connection.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", [f"{seconds}s"])
