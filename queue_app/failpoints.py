"""Named places where a test can make a process die or stand still. A no-op unless armed by ``SOCIALQ_FAILPOINTS``.

The setting is ``name=action[,name=action...]``; an action is ``kill`` (SIGKILL to this process), ``stop`` (SIGSTOP),
``raise`` or ``sleep:<seconds>``, and ``kill@<path>`` does it only once, by creating that file first.
"""

from __future__ import annotations

import os
import signal
import time

from queue_app import conf


class FailpointError(RuntimeError):
    """Raised by an armed failpoint with the action ``raise``."""


def failpoint(name: str) -> None:
    """Do what the setting asks at the place ``name``; usually nothing."""
    armed = conf.get("FAILPOINTS")
    if not armed:
        return
    for entry in armed.split(","):
        place, _, action = entry.strip().partition("=")
        if place == name:
            _act(name, action)


def _act(name: str, action: str) -> None:
    action, _, once_path = action.partition("@")
    if once_path:
        try:
            os.close(os.open(once_path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
    verb, _, argument = action.partition(":")
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif verb == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif verb == "sleep":
        time.sleep(float(argument))
    elif verb == "raise":
        raise FailpointError(name)
    else:
        raise ValueError(f"failpoint {name}: unknown action {action!r}; use kill, stop, raise or sleep:<seconds>")
