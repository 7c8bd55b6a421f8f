"""Job types that behave and misbehave. Files are the oracle: a line is appended whole, whoever is killed next."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from django_q.tasks import async_task

from queue_app.context import JobContext
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy

AT_ONCE = RetryPolicy.fixed(max_attempts=3, delay_seconds=0)
WAIT_SECONDS = 120


def append(file: str, line: str) -> None:
    """Append one line to a file; also the function of ordinary tasks."""
    with Path(file).open("a") as stream:
        stream.write(f"{line}\n")


def wait_for(file: str) -> None:
    """Return when a file exists."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not Path(file).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(file)
        time.sleep(0.02)


@job_type("testapp.note", retry=AT_ONCE)
def note(context: JobContext, file: str, line: str) -> None:
    append(file, line)


@job_type("testapp.wait", retry=AT_ONCE)
def wait(context: JobContext, file: str, until: str) -> None:
    """Note the worker's pid, and end when a file exists."""
    append(file, str(os.getpid()))
    wait_for(until)
    append(file, "done")


@job_type("testapp.send", retry=AT_ONCE)
def send(context: JobContext, file: str, before_mark: str = "", after_mark: str = "") -> None:
    """Send once; each of the two files is waited for at its step."""
    append(file, f"prepared {os.getpid()}")
    if before_mark:
        wait_for(before_mark)
    context.before_irreversible_step()
    append(file, f"marked {os.getpid()}")
    if after_mark:
        wait_for(after_mark)
    append(file, "sent")


@job_type("testapp.kill_worker", retry=AT_ONCE)
def kill_worker(context: JobContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@job_type("testapp.leave", retry=AT_ONCE)
def leave(context: JobContext) -> None:
    """End the worker as a library might that calls exit."""
    os._exit(0)


@job_type("testapp.overrun", retry=AT_ONCE, timeout_seconds=0.5)
def overrun(context: JobContext) -> None:
    time.sleep(WAIT_SECONDS)


@job_type("testapp.never_returns", retry=RetryPolicy.fixed(max_attempts=1, delay_seconds=0), timeout_seconds=0.5)
def never_returns(context: JobContext) -> None:
    """Swallow even the alarm."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(BaseException):
            time.sleep(WAIT_SECONDS)


@job_type("testapp.task", retry=AT_ONCE)
def task(context: JobContext, file: str, line: str) -> None:
    """Leave the work to an ordinary task of django-q2."""
    async_task("tests.testapp.jobs.append", file, line)
