"""django-q2 with its ORM broker: as it comes, or tuned where ``BENCH_TUNED`` is set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime

import django
import django_q
from django.core.management import call_command
from django.db import transaction

from benchmarks.peers import django_site
from benchmarks.peers.work import Note

STOCK = {"name": "bench", "workers": 2, "orm": "default"}
# A job must end within ``timeout``, or ``retry`` runs it a second time beside the first.
TUNED = {"poll": 0.02, "bulk": 20, "queue_limit": 40, "save_limit": -1, "timeout": 20, "retry": 25, "catch_up": False}
FUNCTION = "benchmarks.peers.work.run"

django_site.configure(["django_q"], Q_CLUSTER=STOCK | (TUNED if os.environ.get("BENCH_TUNED") else {}))

from django_q.models import Schedule  # noqa: E402 -- models need Django
from django_q.tasks import async_task, schedule  # noqa: E402

prepare = django_site.prepare


def version() -> str:
    """Return the package's version and Django's."""
    return f"{'.'.join(map(str, django_q.VERSION))}, Django {django.get_version()}"


def enqueue(note: Note, due_at: float | None) -> None:
    """Add a task, or a schedule that runs once."""
    if due_at is None:
        async_task(FUNCTION, *note.arguments().values())
    else:
        schedule(
            FUNCTION,
            *note.arguments().values(),
            schedule_type=Schedule.ONCE,
            next_run=datetime.fromtimestamp(due_at, UTC),
        )


def enqueue_many(notes: Sequence[Note]) -> None:
    """Add tasks one by one in one transaction: there is no other way."""
    with transaction.atomic():
        for note in notes:
            async_task(FUNCTION, *note.arguments().values())


def fill(file: str, count: int) -> None:
    """Add one schedule and copy it."""
    enqueue(Note(file, -1), datetime.now(UTC).timestamp() + 365 * 86_400)
    django_site.copy_newest(Schedule._meta.db_table, count)


def consume() -> None:
    """Run the cluster."""
    call_command("qcluster")
