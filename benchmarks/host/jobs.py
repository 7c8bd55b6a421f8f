"""The benchmark's work as a job type of our queue."""

from __future__ import annotations

from benchmarks.peers import work
from queue_app.context import JobContext
from queue_app.registry import job_type


@job_type("benchmarks.note")
def note(context: JobContext, file: str, number: int, hold_seconds: float) -> None:
    """Append a line to ``file``."""
    work.run(file, number, hold_seconds)
