"""pgqueuer on PostgreSQL through asyncpg. Its worker is one process; two are started."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import time
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from functools import cache
from importlib.metadata import version as installed
from typing import Any

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.peers import copies, work
from benchmarks.peers.work import Note

URL = os.environ["DATABASE_URL"]
BATCH = int(os.environ.get("BENCH_BATCH", "100"))
TABLE = "pgqueuer"
COLUMNS = ("priority", "execute_after", "status", "entrypoint", "payload", "headers")


def version() -> str:
    """Return the package's version, its driver's and Python's."""
    return f"{installed('pgqueuer')}, asyncpg {asyncpg.__version__}, Python {platform.python_version()}"


def prepare() -> None:
    """Make the tables."""
    _wait(_queries().install())


def enqueue(note: Note, due_at: float | None) -> None:
    """Add a job."""
    later = None if due_at is None else timedelta(seconds=due_at - time.time())
    _wait(_queries().enqueue("note", _payload(note), 0, later))


def enqueue_many(notes: Sequence[Note]) -> None:
    """Add jobs in one statement."""
    count = len(notes)
    _wait(_queries().enqueue(["note"] * count, [_payload(note) for note in notes], [0] * count))


def fill(file: str, count: int) -> None:
    """Add one job and copy it."""
    enqueue(Note(file, -1), time.time() + 365 * 86_400)
    _wait(_queries().driver.execute(copies.statement("postgresql", TABLE, COLUMNS, count)))


def consume() -> None:
    """Run one worker."""
    uvloop.run(_consume())


async def _consume() -> None:
    worker = PgQueuer(AsyncpgDriver(await asyncpg.connect(URL)))

    @worker.entrypoint("note")
    async def note_task(job: Job) -> None:
        note = Note(**json.loads(job.payload or b"{}"))
        work.write(note.file, note.number)
        if work.holds(note.file, note.number, note.hold_seconds):
            await asyncio.sleep(note.hold_seconds)

    await worker.run(batch_size=BATCH)


def _payload(note: Note) -> bytes:
    return json.dumps(note.arguments()).encode()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return uvloop.new_event_loop()


@cache
def _queries() -> Queries:
    return Queries(AsyncpgDriver(_wait(asyncpg.connect(URL))))


def _wait(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return _loop().run_until_complete(coroutine)
