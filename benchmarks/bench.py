"""One queue on one database: its driver, its consumers, the file that its jobs append to. Measures nothing itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.peers.work import MACHINE, Note
from benchmarks.queues import ROOT, Queue
from tests.postgres import PrivatePostgres
from tests.site import environment

START_SECONDS = 60.0
LOOK_SECONDS = 0.02
WARM_BATCH = 20
WARM_TRIES = 10


class BenchError(Exception):
    """A queue did not do what the harness asked of it; the message says which, and where its log is."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one run of a job appended: ``began_at`` is in seconds since the epoch."""

    number: int
    began_at: float
    pid: int
    machine: str


class Bench:
    """Use ``open_bench``. ``file`` is the file that the next jobs append to; ``fresh_file`` begins another."""

    def __init__(self, queue: Queue, url: str, folder: Path) -> None:
        self.queue = queue
        self.url = url
        self.folder = folder
        self.log = folder / "processes.log"
        self.file = ""
        self._files = 0
        self._numbers = 0
        self._env = environment(folder, url) | dict(queue.environment)
        self._consumers: list[subprocess.Popen[bytes]] = []
        self._driver = self._start([queue.python, "-m", "benchmarks.peers.driver", queue.module, "serve"], pipes=True)
        self.fresh_file()

    def ask(self, action: str, **arguments: Any) -> Any:
        """Have the driver do one of its commands and return its answer."""
        if self._driver.stdin is None or self._driver.stdout is None:
            raise BenchError("the driver has no pipes")
        with suppress(BrokenPipeError):
            self._driver.stdin.write((json.dumps({"do": action} | arguments) + "\n").encode())
            self._driver.stdin.flush()
        answer = self._driver.stdout.readline()
        if not answer:
            raise BenchError(f"{self.queue.name}: its driver ended; the log says:\n{self.log_end()}")
        return json.loads(answer)

    def add(self, count: int) -> range:
        """Add ``count`` jobs that are due; return their numbers."""
        numbers = self._take(count)
        self.ask("enqueue_many", file=self.file, first=numbers.start, count=count)
        return numbers

    def add_one(self, due_at: float | None = None, hold_seconds: float = 0.0) -> tuple[int, float]:
        """Add one job; return its number and when the driver was about to add it (seconds since the epoch)."""
        number = self._take(1).start
        return number, self.ask("enqueue", note=asdict(Note(self.file, number, hold_seconds)), due_at=due_at)

    def start_consumer(self, machine: str = "") -> subprocess.Popen[bytes]:
        """Start two workers; with ``machine`` in a process namespace of their own, which dies with the process."""
        command = [self.queue.python, "-m", "benchmarks.peers.driver", self.queue.module, "consume"]
        if self.queue.processes == 2:
            command = ["sh", "-c", '"$@" & "$@" & wait', "sh", *command]
        if machine:
            command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--", *command]
        consumer = self._start(command, machine=machine)
        self._consumers.append(consumer)
        return consumer

    @contextmanager
    def consuming(self) -> Iterator[subprocess.Popen[bytes]]:
        """Yield two workers that have worked already; end them afterwards."""
        consumer = self.start_consumer()
        try:
            self.warm(lambda line: str(line.pid))
            yield consumer
        finally:
            self.end_consumers()

    def warm(self, of: Callable[[Line], str]) -> None:
        """Run small batches until two different values of ``of`` were seen, or ten batches have been run."""
        seen: set[str] = set()
        for _ in range(WARM_TRIES):
            numbers = self.add(WARM_BATCH)
            seen |= {of(line) for line in self.wait_for(numbers, START_SECONDS, must=True)}
            if len(seen) > 1:
                return

    def wait_for(self, numbers: range, patience_seconds: float, *, must: bool = False) -> list[Line]:
        """Return the lines of ``numbers`` in the file's order once every one has one, or the time is up.

        With ``must`` raises BenchError when the time is up.
        """
        deadline = time.monotonic() + patience_seconds
        with Path(self.file).open("rb") as stream:
            lines: list[Line] = []
            missing = set(numbers)
            rest = b""
            while True:
                *complete, rest = (rest + stream.read()).split(b"\n")
                found = [line for line in map(_parse, complete) if line.number in numbers]
                lines += found
                missing -= {line.number for line in found}
                if not missing:
                    return lines
                if time.monotonic() > deadline:
                    break
                time.sleep(LOOK_SECONDS)
        if must:
            raise BenchError(
                f"{self.queue.name}: {len(missing)} of {len(numbers)} jobs did not run in {patience_seconds:g} s; "
                f"the log says:\n{self.log_end()}"
            )
        return lines

    def runs_of(self, number: int) -> list[Line]:
        """Return every line of one job so far."""
        return [line for line in map(_parse, Path(self.file).read_bytes().splitlines()) if line.number == number]

    def fresh_file(self) -> None:
        """Have the jobs that are added from now on append to a new, empty file."""
        self._files += 1
        self.file = str(self.folder / f"lines-{self._files}")
        Path(self.file).touch()

    def end_consumers(self) -> None:
        """Kill every consumer with all that it started."""
        for consumer in self._consumers:
            consumer.kill()
            while members := session_of(consumer.pid):
                for pid in members:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(LOOK_SECONDS)
            consumer.wait()
        self._consumers.clear()

    def close(self) -> None:
        """End all processes."""
        self.end_consumers()
        self._driver.kill()
        self._driver.wait()
        for pipe in (self._driver.stdin, self._driver.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def log_end(self) -> str:
        """Return the end of what the processes printed."""
        return self.log.read_text(errors="replace")[-3000:]

    def _take(self, count: int) -> range:
        first, self._numbers = self._numbers, self._numbers + count
        return range(first, self._numbers)

    def _start(self, command: list[str], *, pipes: bool = False, machine: str = "") -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._env | ({MACHINE: machine} if machine else {}),
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else log,
                stderr=log,
                start_new_session=True,
            )


class Databases:
    """Empty databases of one kind, with durable commits."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self._folder = folder
        self._server: PrivatePostgres | None = None
        self._made = 0
        if kind == "postgresql":
            self._server = PrivatePostgres(durable=True)
            self._server.start()

    @contextmanager
    def open_bench(self, queue: Queue) -> Iterator[Bench]:
        """Yield ``queue`` on a new database with its tables; end its processes and remove all of it afterwards."""
        self._made += 1
        name = f"bench_{self._made}"
        folder = self._folder / name
        folder.mkdir()
        url = self._server.create_database(name) if self._server else f"sqlite:///{folder / 'queue.sqlite3'}"
        bench = Bench(queue, url, folder)
        try:
            bench.ask("prepare")
            yield bench
        finally:
            bench.close()
            if self._server:
                self._server.drop_database(name)
            shutil.rmtree(folder, ignore_errors=True)

    def settle(self, url: str) -> None:
        """Do at once what the database does by itself a while after many rows came: statistics, checkpoint."""
        if self._server:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
                connection.execute("CHECKPOINT")
            return
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def commits_a_second(self, seconds: float) -> float:
        """Return how fast one connection commits one small row after another: what no queue can do without."""
        with closing(self._connect()) as connection:
            connection.execute("CREATE TABLE commits (number INTEGER)")
            began_at, done = time.perf_counter(), 0
            while (passed := time.perf_counter() - began_at) < seconds:
                connection.execute(f"INSERT INTO commits VALUES ({done})")  # noqa: S608 -- a number
                done += 1
            connection.execute("DROP TABLE commits")
        return done / passed

    def _connect(self) -> Any:
        if self._server:
            return psycopg.connect(self._server.url("postgres"), autocommit=True)
        connection = sqlite3.connect(self._folder / "commits.sqlite3", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def close(self) -> None:
        """Stop the server, where there is one."""
        if self._server:
            self._server.close()


def session_of(leader: int) -> list[int]:
    """Return the living processes of a session. What a consumer starts stays in its session, whatever its group."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def shared_out_bytes(leader: int) -> int:
    """Return the memory of a session's processes, pages that several share counted once (PSS)."""
    total = 0
    for pid in session_of(leader):
        with suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def _parse(line: bytes) -> Line:
    number, began_at, pid, machine = line.decode().split()
    return Line(int(number), float(began_at), int(pid), machine)
