"""procrastinate on PostgreSQL. Its worker is one process; two are started. Stalled jobs are retried by its guide."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import procrastinate
from procrastinate import App, PsycopgConnector

from benchmarks.peers import copies, work
from benchmarks.peers.work import Note

URL = os.environ["DATABASE_URL"]
POLL_SECONDS = 1.0
TABLE = "procrastinate_jobs"
COLUMNS = ("queue_name", "task_name", "priority", "lock", "queueing_lock", "args", "status", "scheduled_at")

app = App(connector=PsycopgConnector(conninfo=URL))


@app.task(name="note")
async def note_task(file: str, number: int, hold_seconds: float) -> None:
    """Do the benchmark's work."""
    work.write(file, number)
    if work.holds(file, number, hold_seconds):
        await asyncio.sleep(hold_seconds)


@app.periodic(cron="* * * * *")
@app.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: procrastinate.JobContext, timestamp: int) -> None:
    """Retry jobs whose worker is silent, every minute."""
    for job in await context.app.job_manager.get_stalled_jobs():
        await context.app.job_manager.retry_job(job)


def version() -> str:
    """Return the package's version and Python's."""
    return f"{procrastinate.__version__}, Python {platform.python_version()}"


def prepare() -> None:
    """Make the tables."""
    _opened().schema_manager.apply_schema()


def enqueue(note: Note, due_at: float | None) -> None:
    """Add a job."""
    _opened()
    later = None if due_at is None else datetime.fromtimestamp(due_at, UTC)
    note_task.configure(schedule_at=later).defer(**note.arguments())


def enqueue_many(notes: Sequence[Note]) -> None:
    """Add jobs in one statement."""
    _opened()
    note_task.batch_defer(*(note.arguments() for note in notes))


def fill(file: str, count: int) -> None:
    """Add one job and copy it, without the trigger that writes an event for each."""
    enqueue(Note(file, -1), (datetime.now(UTC) + timedelta(days=365)).timestamp())
    connector = _opened().connector.get_sync_connector()
    connector.execute_query(f"ALTER TABLE {TABLE} DISABLE TRIGGER USER")
    connector.execute_query(copies.statement("postgresql", TABLE, COLUMNS, count))
    connector.execute_query(f"ALTER TABLE {TABLE} ENABLE TRIGGER USER")


def consume() -> None:
    """Run one worker."""
    app.run_worker(fetch_job_polling_interval=POLL_SECONDS)


_is_open = False


def _opened() -> App:
    global _is_open
    if not _is_open:
        app.open()
        _is_open = True
    return app
