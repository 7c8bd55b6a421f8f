"""The work that every queue does in the benchmark: append a line to a file. Standard library only."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

MACHINE = "BENCH_MACHINE"


@dataclass(frozen=True, slots=True)
class Note:
    """What one job appends: its number, to ``file``. The first to run it then stays in it for ``hold_seconds``."""

    file: str
    number: int
    hold_seconds: float = 0.0

    def arguments(self) -> dict[str, Any]:
        """Return the fields by name; ``dataclasses.asdict`` copies each, and its time would count as the queue's."""
        return {"file": self.file, "number": self.number, "hold_seconds": self.hold_seconds}


def write(file: str, number: int) -> None:
    """Append the job's number, when it began (seconds since the epoch), the process and the simulated machine."""
    line = f"{number} {time.time():.6f} {os.getpid()} {os.environ.get(MACHINE, '-')}\n"
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def holds(file: str, number: int, hold_seconds: float) -> bool:
    """Say whether this run of the job is to stay in it: it was asked to, and is the first."""
    if not hold_seconds:
        return False
    try:
        os.close(os.open(f"{file}.{number}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def run(file: str, number: int, hold_seconds: float) -> None:
    """Do the whole work in a handler that is an ordinary function."""
    write(file, number)
    if holds(file, number, hold_seconds):
        time.sleep(hold_seconds)
