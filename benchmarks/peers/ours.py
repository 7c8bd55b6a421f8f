"""Our queue as a real site runs it: the site's settings with the app ``benchmarks.host``, and ``qcluster``."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import django
from django.core.management import call_command

django.setup()


from benchmarks.peers import django_site  # noqa: E402
from benchmarks.peers.work import Note  # noqa: E402
from queue_app import api, clock  # noqa: E402 -- models need Django
from queue_app.models import Event, Job  # noqa: E402

JOB_TYPE = "benchmarks.note"

prepare = django_site.prepare


def version() -> str:
    """Return what it runs on."""
    return f"Django {django.get_version()}, Python {platform.python_version()}"


def enqueue(note: Note, due_at: float | None) -> None:
    """Add one job."""
    api.enqueue(JOB_TYPE, note.arguments(), run_at=None if due_at is None else datetime.fromtimestamp(due_at, UTC))


def enqueue_many(notes: Sequence[Note]) -> None:
    """Add jobs in one statement."""
    api.enqueue_many(JOB_TYPE, [api.NewJob(args=note.arguments()) for note in notes])


def fill(file: str, count: int) -> None:
    """Add one job through the API and copy it with its event."""
    api.enqueue(JOB_TYPE, Note(file, -1).arguments(), run_at=clock.now() + timedelta(days=365))
    first = Job.objects.latest("id").pk
    django_site.copy_newest(Job._meta.db_table, count)
    django_site.copy_newest(Event._meta.db_table, count, {"job_id": f"{first} + n.i"})


def consume() -> None:
    """Run the cluster."""
    call_command("qcluster")
