"""Job types that behave and misbehave. Files are the oracle: a line is appended whole, whoever is killed next."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from pathlib import Path

from django_q.tasks import async_task

from queue_app import api, database, job_type
from queue_app.context import JobContext
from queue_app.models import Job
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
    try:
        context.before_irreversible_step()
    except Exception as error:
        append(file, f"not marked {type(error).__name__}")
        raise
    append(file, f"marked {os.getpid()}")
    if after_mark:
        wait_for(after_mark)
    append(file, "sent")


@job_type("testapp.hold", retry=AT_ONCE)
def hold(context: JobContext, file: str, until: str) -> None:
    """Note that its row and the control lock are held, and hold them until a file exists."""
    with database.atomic():
        database.lock_control(shared=True)
        Job.objects.select_for_update().get(pk=context.job.pk)
        append(file, "held")
        wait_for(until)
        Job.objects.filter(pk=context.job.pk).update(last_error="by who stood still")
    append(file, "let go")


job_type("testapp.send_briefly", retry=AT_ONCE, timeout_seconds=2.0)(send)


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


@job_type("testapp.trace", retry=AT_ONCE)
def trace(context: JobContext, file: str) -> None:
    """Note which execution of which job this is."""
    append(file, f"{context.job.pk}/{context.job.attempts}")


@job_type("testapp.eat_memory", retry=AT_ONCE)
def eat_memory(context: JobContext) -> None:
    """Take memory until there is none: the process may have no more than 64 MB beyond what it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 64 * 2**20, before[1]))
    try:
        eaten = []
        while True:
            eaten.append(bytearray(2**20))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def tick(context: JobContext) -> None:
    """Come again every second, once for the whole site."""
    append(os.environ["TESTAPP_TICKS"], str(context.job.pk))


if "TESTAPP_TICKS" in os.environ:  # only where a test counts them
    job_type("testapp.tick", retry=AT_ONCE, every_seconds=1.0)(tick)


@job_type("testapp.pass_on", retry=AT_ONCE)
def pass_on(context: JobContext, file: str, line: str, queue: str) -> None:
    """Leave the work to a job of another queue."""
    api.enqueue("testapp.note", args={"file": file, "line": line}, queue=queue)
