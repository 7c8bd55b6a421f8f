"""django-tasks-db: Django's tasks in a table. Its worker command is one process; two are started."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed

import django
from django.core.management import call_command
from django.db import connection, transaction

from benchmarks.peers import django_site, work
from benchmarks.peers.work import Note

INTERVAL_SECONDS = 0.05
IDS = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}

django_site.configure(["django_tasks_db"], TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}})

from django_tasks import task  # noqa: E402 -- tasks need Django
from django_tasks_db.models import DBTaskResult  # noqa: E402

prepare = django_site.prepare


@task()
def note_task(file: str, number: int, hold_seconds: float) -> None:
    """Do the benchmark's work."""
    work.run(file, number, hold_seconds)


def version() -> str:
    """Return the package's version, Django's and Python's."""
    return f"{installed('django-tasks-db')}, Django {django.get_version()}, Python {platform.python_version()}"


def enqueue(note: Note, due_at: float | None) -> None:
    """Add a task."""
    later = None if due_at is None else datetime.fromtimestamp(due_at, UTC)
    (note_task if later is None else note_task.using(run_after=later)).enqueue(*note.arguments().values())


def enqueue_many(notes: Sequence[Note]) -> None:
    """Add tasks one by one in one transaction: there is no other way."""
    with transaction.atomic():
        for note in notes:
            enqueue(note, None)


def fill(file: str, count: int) -> None:
    """Add one task and copy it."""
    enqueue(Note(file, -1), (datetime.now(UTC) + timedelta(days=365)).timestamp())
    django_site.copy_newest(DBTaskResult._meta.db_table, count, {"id": IDS[connection.vendor]}, keep_id=True)


def consume() -> None:
    """Run one worker."""
    call_command("db_worker", interval=INTERVAL_SECONDS, startup_delay=False, reload=False)
