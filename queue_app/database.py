"""Which database the queue lives in, and the few things that differ between SQLite and PostgreSQL."""

from __future__ import annotations

import threading

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from queue_app.models import Job

# Two integers that name the queue's control lock among the advisory locks of a PostgreSQL database.
CONTROL_LOCK = (0x50C1, 0x0A1)
WAKE_CHANNEL = "socialq_jobs"


_found = threading.local()


def alias() -> str:
    """Return the alias of the database that holds the queue."""
    return router.db_for_write(Job)


def connection() -> BaseDatabaseWrapper:
    """Return this thread's connection to the queue's database. Kept: Django looks a dozen things up to find it."""
    using = alias()
    found: BaseDatabaseWrapper | None = _found.__dict__.get(using)
    if found is None:
        found = _found.__dict__[using] = connections[using]
    return found


def atomic() -> transaction.Atomic:
    """Return a transaction (or savepoint) on the queue's database."""
    return transaction.atomic(using=alias())


def is_postgresql() -> bool:
    """Say whether the queue lives in PostgreSQL."""
    return connection().vendor == "postgresql"


def lock_control(*, shared: bool) -> None:
    """Take the control lock until the transaction ends: shared to mark or park, alone to place or lift a block.

    After a block has committed, no transaction that took the shared lock before it is still open, so no mark commits
    that did not see the block. On SQLite every writing transaction is already alone.
    """
    if not is_postgresql():
        return
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection().cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", CONTROL_LOCK)


def wake(queue: str) -> None:
    """Tell waiting clusters on PostgreSQL, at commit, that ``queue`` has changed; SQLite's watch its data version."""
    if not is_postgresql():
        return
    with connection().cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [WAKE_CHANNEL, queue])
