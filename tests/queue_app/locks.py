"""A lock that somebody else holds, for tests of this process's patience."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from django.db import connection


@contextmanager
def held_lock(patience_ms: int = 200) -> Iterator[None]:
    """Hold the lock that every change needs; this process's connection waits no longer than that for it."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA busy_timeout = {patience_ms}")
            path = str(connection.settings_dict["NAME"])
            with closing(sqlite3.connect(path, isolation_level=None)) as holder:
                holder.execute("BEGIN IMMEDIATE")
                yield
        else:
            cursor.execute(f"SET lock_timeout = {patience_ms}")
            with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as holder:
                holder.execute("LOCK TABLE queue_app_job IN EXCLUSIVE MODE")
                yield
    connection.close()  # with what was set for it
