"""huey on SQLite, with fsync. It takes a job out of the database before running it: one that is killed is lost."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import huey
from huey import SqliteHuey
from huey.consumer import Consumer

from benchmarks.peers import copies, work
from benchmarks.peers.work import Note

queue = SqliteHuey(filename=os.environ["DATABASE_URL"].removeprefix("sqlite:///"), fsync=True, timeout=20)


@queue.task()
def note_task(file: str, number: int, hold_seconds: float) -> None:
    """Do the benchmark's work."""
    work.run(file, number, hold_seconds)


def version() -> str:
    """Return the package's version and Python's."""
    return f"{huey.__version__}, Python {platform.python_version()}"


def prepare() -> None:
    """Make the tables; opening the database has done so already."""
    queue.storage.queue_size()


def enqueue(note: Note, due_at: float | None) -> None:
    """Add a task."""
    if due_at is None:
        note_task(*note.arguments().values())
    else:
        note_task.schedule(tuple(note.arguments().values()), eta=datetime.fromtimestamp(due_at, UTC))


def enqueue_many(notes: Sequence[Note]) -> None:
    """Add tasks one by one, each in a commit of its own: there is no other way."""
    for note in notes:
        enqueue(note, None)


def fill(file: str, count: int) -> None:
    """Schedule one task and copy it, timestamps included; huey's tasks keep their own id in their data."""
    queue.storage.add_to_schedule(
        queue.serialize_task(note_task.s(file, -1, 0.0)), datetime.now(UTC) + timedelta(days=365)
    )
    queue.storage.sql(copies.statement("sqlite", "schedule", ["queue", "data", "timestamp"], count), commit=True)


def consume() -> None:
    """Run the consumer: a scheduler and two worker processes."""
    Consumer(queue, workers=2, worker_type="process", initial_delay=0.02, max_delay=0.1, scheduler_interval=1).run()
