"""One function, run by our queue as a job and by django-q2 as a scheduled task."""

from __future__ import annotations

import time
from pathlib import Path

from queue_app.context import JobContext
from queue_app.registry import job_type


def note_start(file: str, who: str, due_at: float) -> None:
    """Append who ran it, when it was due and when it began, in seconds since the epoch."""
    began_at = time.time()
    with Path(file).open("a") as stream:
        stream.write(f"{who} {due_at} {began_at}\n")


@job_type("benchmarks.note_start")
def run_note_start(context: JobContext, file: str, who: str, due_at: float) -> None:
    """Call ``note_start`` as a job."""
    note_start(file, who, due_at)
