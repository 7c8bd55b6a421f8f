"""Children die with their parent: ``die_with_parent`` for forks, ``command`` for programs. Needs no Django.

Where the kernel has no such service (anything but Linux) the parent's own clean-up is all there is.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends; leave at once if the parent has ended already."""
    if sys.platform == "linux":
        # Survives exec, not fork: every child asks for itself.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command that runs ``arguments`` as a child that dies with the process that starts it."""
    # By its file, and with nothing of the file's folder on the path: it works in any folder.
    return [sys.executable, "-P", __file__, str(os.getpid()), *arguments]


class Parent:
    """The process that started this one, watched for the moment in which it ends or is about to.

    ``make`` passes SIGTERM on to its recipe but not SIGINT: interrupted by its process id alone, it stops catching
    the signal and waits for the recipe to end by itself.
    """

    def __init__(self) -> None:
        self._pid = os.getppid()
        self._catches = _catches_interrupts(self._pid)

    def is_ending(self) -> bool:
        """Say whether the parent is gone, or was interrupted and waits for its children."""
        return os.getppid() != self._pid or (self._catches and not _catches_interrupts(self._pid))


def _catches_interrupts(pid: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (signal.SIGINT - 1) & 1)


def main() -> None:
    """Tie this process to the parent named on the command line, then become the command that follows."""
    die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 -- the caller's own command


if __name__ == "__main__":
    main()
