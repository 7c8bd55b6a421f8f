"""Code in a fork of a process that has Django set up: it begins at once, where a new process needs seconds for that.

For what a test puts into a site. How a site starts is shown by processes that are started.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import redirect_stdout
from multiprocessing.connection import Connection
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.preloaded"])


def run(code: str, directory: Path, env: Mapping[str, str], seconds: float) -> str:
    """Run ``code`` in a process that has ``env`` and works in ``directory``; return what it printed."""
    ours, theirs = _context.Pipe(duplex=False)
    process = _context.Process(target=_run, args=(code, directory, dict(env), theirs), daemon=True)
    process.start()
    theirs.close()
    with ours:
        if not ours.poll(seconds):
            process.kill()
            raise TimeoutError(code)
        printed, error = ours.recv()
    process.join()
    if error:
        raise AssertionError(f"{code}\nended with\n{printed}{error}")
    return str(printed)


def _run(code: str, directory: Path, env: dict[str, str], answer: Connection) -> None:
    out, error = io.StringIO(), ""
    try:
        os.chdir(directory)
        _live_in(env)
        with redirect_stdout(out):
            exec(compile(code, "<test>", "exec"), {"__name__": "__main__"})  # noqa: S102 -- a test's own
    except BaseException:  # noqa: BLE001 -- the test's process is told, whatever it is
        error = traceback.format_exc()
    answer.send((out.getvalue(), error))


def _live_in(env: Mapping[str, str]) -> None:
    """Read the settings anew, from ``env``; they name the same apps and the same kind of database."""
    from django.conf import Settings, settings
    from django.db import connections

    os.environ.clear()
    os.environ.update(env)
    for name in ("socialq_site.settings", "tests.testapp.settings"):
        del sys.modules[name]
    settings._wrapped = Settings(env["DJANGO_SETTINGS_MODULE"])
    connections.settings = connections.configure_settings(settings.DATABASES)
    for connection in connections.all(initialized_only=True):
        del connections[connection.alias]
