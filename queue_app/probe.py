"""Whether the queue's database can be written: found out by writing what the queue writes most, an event.

It is taken away in the same transaction, so nobody ever sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError

from queue_app import clock
from queue_app.database import atomic, connection, is_away, is_postgresql
from queue_app.models import Event, Job
from queue_app.trouble import Trouble, trouble_of

PATIENCE_SECONDS = 2
# Larger than an event usually is: on a full disk, PostgreSQL still has room for little ones here and there.
PROBE = "x" * 1500
NO_JOB = 0

PROBLEMS = {
    Trouble.LOCKED: f"something else has held its lock for over {PATIENCE_SECONDS} s; see what it is, and end it",
    Trouble.FULL: "its disk is full, or fails; make room",
}


def problem() -> str | None:
    """Return in words why the database cannot be written although it is there, ``None`` if it can.

    Waits two seconds for a lock at most. Raises DatabaseError for anything else, as where the database is away.
    """
    try:
        with _patience():
            _write()
    except DatabaseError as error:
        trouble = trouble_of(error) if is_away(error) else Trouble.AWAY
        if trouble not in PROBLEMS:
            raise
        return f"The database cannot be written: {PROBLEMS[trouble]}"
    return None


@contextmanager
def _patience() -> Iterator[None]:
    """Have SQLite wait for its lock no longer than that."""
    if is_postgresql():
        yield
        return
    with connection().cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual,) = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_SECONDS * 1000}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")


def _write() -> None:
    with atomic(), connection().cursor() as cursor:
        if is_postgresql():
            cursor.execute("SELECT current_setting('lock_timeout')")
            (usual,) = cursor.fetchone()
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{PATIENCE_SECONDS}s"])
            cursor.execute(f"LOCK TABLE {Job._meta.db_table} IN ROW EXCLUSIVE MODE")  # as every change does
        (event,) = Event.objects.bulk_create([Event(job_id=NO_JOB, at=clock.now(), data=PROBE)])
        Event.objects.filter(pk=event.pk).delete()
        if is_postgresql():
            # The transaction may be a host's, which goes on.
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [usual])
