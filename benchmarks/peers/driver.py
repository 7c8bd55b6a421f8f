"""The only thing that the harness speaks to: ``python -m benchmarks.peers.driver MODULE serve|consume``.

Runs in the queue's own environment, so it imports the standard library and that one queue. ``serve`` answers one line
of JSON on its standard output for each on its standard input; ``consume`` runs workers until killed. The database is
in ``DATABASE_URL``.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from benchmarks.peers.work import Note

BULK_BATCH = 1000


class Queue(Protocol):
    """What the module of a queue offers, as functions."""

    def version(self) -> str:
        """Return the queue's name and version, with what it runs on."""
        ...

    def prepare(self) -> None:
        """Make the tables in an empty database."""
        ...

    def enqueue(self, note: Note, due_at: float | None) -> None:
        """Add and commit one job, due at once or at ``due_at`` (seconds since the epoch)."""
        ...

    def enqueue_many(self, notes: Sequence[Note]) -> None:
        """Add jobs that are due at once, the fastest way that the queue offers its users."""
        ...

    def fill(self, file: str, count: int) -> None:
        """Add ``count`` jobs that are due in a year, by whatever means."""
        ...

    def consume(self) -> None:
        """Run jobs until killed."""
        ...


def serve(queue: Queue) -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever the queue prints is no answer
    for line in sys.stdin:
        command = json.loads(line)
        answers.write(json.dumps(COMMANDS[command.pop("do")](queue, **command)) + "\n")


def _enqueue(queue: Queue, note: dict[str, Any], due_at: float | None) -> float:
    """Add one job; return when it was asked for."""
    asked_at = time.time()
    queue.enqueue(Note(**note), due_at)
    return asked_at


def _enqueue_many(queue: Queue, file: str, first: int, count: int) -> None:
    for start in range(first, first + count, BULK_BATCH):
        numbers = range(start, min(start + BULK_BATCH, first + count))
        queue.enqueue_many([Note(file, number) for number in numbers])


def _rate(add: Callable[[int], None], step: int, seconds: float) -> float:
    """Return how many jobs a second ``add`` adds, ``step`` at a time, over at least ``seconds``."""
    add(0)
    began_at = time.perf_counter()
    added = 0
    while (passed := time.perf_counter() - began_at) < seconds:
        add(added)
        added += step
    return added / passed


def _rate_one(queue: Queue, file: str, seconds: float) -> float:
    return _rate(lambda number: queue.enqueue(Note(file, number), None), 1, seconds)


def _rate_many(queue: Queue, file: str, seconds: float) -> float:
    return _rate(lambda first: _enqueue_many(queue, file, first, BULK_BATCH), BULK_BATCH, seconds)


COMMANDS: dict[str, Callable[..., Any]] = {
    "version": lambda queue: queue.version(),
    "prepare": lambda queue: queue.prepare(),
    "enqueue": _enqueue,
    "enqueue_many": _enqueue_many,
    "fill": lambda queue, file, count: queue.fill(file, count),
    "rate_one": _rate_one,
    "rate_many": _rate_many,
}


def main() -> None:
    """Do what the command line says."""
    module, action = sys.argv[1:]
    queue = cast(Queue, importlib.import_module(module))
    if action == "serve":
        serve(queue)
    else:
        queue.consume()


if __name__ == "__main__":
    main()
