"""Children die with their parent: ``die_with_parent`` for forks, ``command`` for programs. Needs no Django.

Where the kernel has no such service (anything but Linux) the parent's own clean-up is all there is.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

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


def main() -> None:
    """Tie this process to the parent named on the command line, then become the command that follows."""
    die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 -- the caller's own command


if __name__ == "__main__":
    main()
