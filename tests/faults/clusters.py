"""Real clusters of a real site: start them, see their processes, put work in, look what became of it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.site import Site


class Clusters:
    """One site with the test app, and its clusters."""

    def __init__(self, site: Site) -> None:
        self.site = site
        site.env["DJANGO_SETTINGS_MODULE"] = "tests.testapp.settings"
        site.env["SOCIALQ_WORKERS"] = "2"
        self.notes = site.directory / "notes"

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start ``qcluster`` and return it once it is ready for work."""
        before = self.count("SELECT COUNT(*) FROM queue_app_worker")
        process = self.site.spawn("qcluster", *args)
        workers = int(self.site.env["SOCIALQ_WORKERS"])
        self.site.wait_until(lambda: self.count("SELECT COUNT(*) FROM queue_app_worker") >= before + workers)
        return process

    def stop_still(self, cluster: subprocess.Popen[bytes]) -> Callable[[], None]:
        """Stop all processes of ``cluster``, as if another machine stood still; return what wakes them."""
        pids = [cluster.pid, *descendants(cluster.pid)]

        def tell(signal_number: int) -> None:
            for pid in pids:
                os.kill(pid, signal_number)

        while True:
            tell(signal.SIGSTOP)
            try:
                self.site.sql("UPDATE queue_app_worker SET host = 'elsewhere'")
            except sqlite3.OperationalError:  # one was stopped in a transaction, and so holds all of SQLite up
                tell(signal.SIGCONT)
            else:
                return lambda: tell(signal.SIGCONT)

    def enqueue(self, job_type: str, **options: Any) -> int:
        """Add a job and return its id; ``args`` and the rest as ``api.enqueue`` takes them."""
        call = f"api.enqueue({job_type!r}, **json.loads({json.dumps(options)!r}))"
        return int(self.site.do(f"import json\nfrom queue_app import api\nprint({call}.pk)"))

    def enqueue_many(self, job_type: str, count: int, **options: Any) -> list[int]:
        """Add ``count`` like jobs; return their ids."""
        new = f"api.NewJob(**json.loads({json.dumps(options)!r}))"
        code = f"import json\nfrom queue_app import api\nprint(api.enqueue_many({job_type!r}, [{new}] * {count}))"
        ids: list[int] = json.loads(self.site.do(code))
        return ids

    def note(self, line: str) -> int:
        """Add a job that writes one line into the notes."""
        return self.enqueue("testapp.note", args={"file": str(self.notes), "line": line})

    def lines(self) -> list[str]:
        """Return the notes so far."""
        return self.notes.read_text().split("\n")[:-1] if self.notes.exists() else []

    def state(self, job_id: int) -> str:
        """Return a job's state."""
        return str(self.site.sql("SELECT state FROM queue_app_job WHERE id = %s", [job_id])[0][0])

    def attempts(self, job_id: int) -> list[str]:
        """Return the outcomes of a job's executions."""
        return [
            row[0]
            for row in self.site.sql("SELECT outcome FROM queue_app_attempt WHERE job_id = %s ORDER BY id", [job_id])
        ]

    def wait_for_all(self, job_type: str, seconds: float = 60.0) -> None:
        """Wait until no job of the type is unfinished."""
        unfinished = "state NOT IN ('completed', 'failed', 'cancelled')"
        query = f"SELECT COUNT(*) FROM queue_app_job WHERE type = '{job_type}' AND {unfinished}"
        self.site.wait_until(lambda: self.count(query) == 0, seconds)

    def wait_for_state(self, job_id: int, state: str, seconds: float = 30.0) -> None:
        """Wait until a job is in a state."""
        self.site.wait_until(lambda: self.state(job_id) == state, seconds)

    def count(self, query: str) -> int:
        """Return the one number that a query has."""
        return int(self.site.sql(query)[0][0])

    def worker_pids(self) -> list[int]:
        """Return the processes of the workers that have not signed off, the oldest first."""
        return [
            row[0] for row in self.site.sql("SELECT pid FROM queue_app_worker WHERE stopped_at IS NULL ORDER BY id")
        ]


def descendants(pid: int) -> list[int]:
    """Return the living processes below ``pid``, parents first."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found = list(children.get(pid, []))
    for child in found:
        found += children.get(child, [])
    return found


def living(pids: list[int]) -> list[int]:
    """Return those of ``pids`` that are processes, zombies aside."""
    running = {pid for pid, _parent in _parents()}
    return [pid for pid in pids if pid in running]


def cpu_seconds(pids: list[int]) -> float:
    """Return the processor time that ``pids`` have used."""
    used = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / os.sysconf("SC_CLK_TCK")


def _parents() -> Iterator[tuple[int, int]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] not in "ZX":
            yield int(stat.parent.name), int(fields[1])
