"""A process of its own for files from strangers: how it is started, what it is given, how it bounds itself.

Owns both ends. The process is a fresh Python, not a fork: safe beside threads and open database connections, and in
daemonic workers, which may not have children by multiprocessing. Nothing of our environment goes along: it holds
secrets. Knows nothing of Django, and nothing of pictures or videos.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from typing import IO

OUT_OF_MEANS = {signal.SIGKILL, signal.SIGXCPU}  # the kernel's answer to too much memory, too much time
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def run_apart(
    module: str, argument: str, *, timeout_seconds: float, source: bytes | IO[bytes]
) -> subprocess.CompletedProcess[bytes]:
    """Run ``python -m module argument`` with ``source`` as its standard input; raises ``subprocess.TimeoutExpired``.

    A file is handed over as it is, with its descriptor, so that the process can seek in it.
    """
    command = [sys.executable, "-P", "-W", "ignore", "-m", module, argument]
    environment = {"PYTHONPATH": os.pathsep.join(entry or os.curdir for entry in sys.path)}
    return subprocess.run(  # noqa: S603 - our own Python and module; the argument is ours, the source is no command
        command,
        stdin=None if isinstance(source, bytes) else source,
        input=source if isinstance(source, bytes) else None,
        capture_output=True,
        env=environment,
        timeout=timeout_seconds,
        check=False,
    )


def limit_ourselves(*, memory_bytes: int, cpu_seconds: int, opens_files: bool = True) -> None:
    """Bound memory and time, forbid files of any size, and end with the process that started us.

    With ``opens_files`` false nothing can be opened from here on, neither a file nor a socket: what is to be read must
    be open, what is to be imported imported. macOS bounds no address space: there limits of pixels must do.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    limits = {resource.RLIMIT_CPU: cpu_seconds, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    if not opens_files:
        limits[resource.RLIMIT_NOFILE] = 0  # what is open already stays open
    if sys.platform != "darwin":
        limits[resource.RLIMIT_AS] = memory_bytes
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (bound, bound))
