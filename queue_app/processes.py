"""Which processes of this host live: by pid and start time, so that a reused pid is nobody's."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


@cache
def host() -> str:
    """Return a name for this machine, its boot and its process namespace: within it, pids can be judged."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8])
        parts.append(str(Path("/proc/self/ns/pid").readlink()).removeprefix("pid:[").rstrip("]"))
    except OSError:
        parts.append("no-proc")
    return "/".join(parts)


def start_ticks(pid: int) -> str:
    """Return when ``pid`` started, in the kernel's ticks; "" where that cannot be read.

    Raises ProcessLookupError if it is dead. A zombie counts as dead: it will never write again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        if not Path("/proc/self/stat").exists():
            os.kill(pid, 0)
            return ""
        raise ProcessLookupError(pid) from None
    # The command name, in brackets, may hold spaces and brackets itself.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(pid)
    return fields[19]


def is_alive(pid: int, ticks: str) -> bool:
    """Say whether the process that had ``pid`` and started at ``ticks`` still lives on this host."""
    try:
        return start_ticks(pid) == ticks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
