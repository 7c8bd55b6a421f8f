"""A real site in a temporary folder: its own database, ``var/`` and environment, its commands as processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg

from tests import forks
from tests.postgres import Server

ROOT = Path(__file__).resolve().parent.parent
COMMAND_SECONDS = 120
Answer = TypeVar("Answer")


class Databases(Protocol):
    """Where sites get their databases from."""

    def create(self, name: str) -> str:
        """Return the DATABASE_URL of a new, migrated database."""
        ...

    def drop(self, name: str) -> None:
        """Remove it again."""
        ...


def environment(directory: Path, database_url: str) -> dict[str, str]:
    """Return the whole environment of a site in ``directory``: nothing of the developer's own settings is in it."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "TMPDIR", "COVERAGE_PROCESS_START")
        if name in os.environ
    }
    return kept | {
        "DJANGO_SETTINGS_MODULE": "socialq_site.settings",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "VAR_DIR": str(directory / "var"),
        "ENV_FILE": str(directory / ".env"),
        "DATABASE_URL": database_url,
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "SECRET_KEY": "for-tests-alone-5d0e3c1b7a92f846-not-a-secret-of-any-site",
        "SOCIALQ_ENCRYPTION_KEYS": "dGhlLWtleS1vZi10ZXN0cy1ub2JvZHktZWxzZXMtb2s=",
    }


class Site:
    """Use the fixture ``site``. ``env`` may be changed before a process is started; ``log`` has what those said."""

    def __init__(self, directory: Path, database_url: str) -> None:
        self.directory = directory
        self.database_url = database_url
        self.env = environment(directory, database_url)
        self.log = directory / "processes.log"
        self.manage_py = ROOT / "manage.py"
        self.interpreter = sys.executable
        self._processes: list[subprocess.Popen[bytes]] = []
        self._server: psycopg.Connection | None = None

    def manage(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002 -- subprocess's own name
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end; with ``check`` a failure raises, with what the command printed."""
        return self._run([self.manage_py, *args], input, check)

    def python(self, code: str) -> str:
        """Run ``code`` in a process of its own with Django set up; return what it printed."""
        return self._run(["-c", f"import django; django.setup()\n{code}"], None, True).stdout

    def do(self, code: str) -> str:
        """Run ``code`` in a fork of a process that has Django and the test app set up; return what it printed."""
        return forks.run(code, self.directory, self.env, COMMAND_SECONDS)

    def spawn(self, *args: str | Path) -> subprocess.Popen[bytes]:
        """Start a management command in a process group of its own, which is killed when the test ends."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [self.interpreter, self.manage_py, *args],
                cwd=self.directory,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def wait_until(self, condition: Callable[[], Answer], seconds: float = 30.0) -> Answer:
        """Return the first true answer of ``condition``; after ``seconds`` fail, with the end of the log."""
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s; the processes said:\n{self._log_end()}")
            time.sleep(0.05)
        return answer

    def sql(self, query: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement, with ``%s`` for each parameter, from outside of the site; return its rows, if any."""
        if self.database_url.startswith("sqlite:"):
            path = self.database_url.removeprefix("sqlite:///")
            connection = sqlite3.connect(path, timeout=20, isolation_level=None)
            try:
                return connection.execute(query.replace("%s", "?"), params).fetchall()
            finally:
                connection.close()
        server = self._connected()
        try:
            cursor = server.execute(query.encode(), params)
        except psycopg.OperationalError:
            if not server.closed:
                raise
            cursor = self._connected().execute(query.encode(), params)  # the server was away since the last one
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Kill whatever was spawned, with its process group."""
        if self._server is not None:
            self._server.close()
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _connected(self) -> psycopg.Connection:
        """Return a connection to the site's PostgreSQL: the last one, unless that is lost."""
        if self._server is None or self._server.closed:
            self._server = psycopg.connect(self.database_url, autocommit=True)
        return self._server

    def _run(self, arguments: list[str | Path], text: str | None, check: bool) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.interpreter, *arguments],
            cwd=self.directory,
            env=self.env,
            input=text or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def _log_end(self) -> str:
        return self.log.read_text(errors="replace")[-5000:] if self.log.exists() else "(nothing was spawned)"


class SqliteDatabases:
    """Copies of one migrated file, ``template``, which the first of the run's workers makes for all."""

    def __init__(self, directory: Path, template: Path | None = None) -> None:
        self._directory = directory
        self._template = template = template or directory / "shared.sqlite3"
        with template.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.exists():
                made = directory / "template.sqlite3"
                Site(directory, f"sqlite:///{made}").manage("migrate", "--no-input", "--verbosity=0")
                made.rename(template)

    def create(self, name: str) -> str:
        """Return the DATABASE_URL of a new, migrated database."""
        path = self._directory / f"{name}.sqlite3"
        shutil.copy(self._template, path)
        return f"sqlite:///{path}"

    def drop(self, name: str) -> None:
        """Remove it again, with what SQLite keeps beside it."""
        for path in self._directory.glob(f"{name}.sqlite3*"):
            path.unlink()


class PostgresDatabases:
    """Copies of one migrated database of a running server, which the first who locks ``made`` makes for all."""

    def __init__(self, server: Server, directory: Path, prefix: str, made: Path | None = None) -> None:
        self._server = server
        self._template = f"{prefix}_template"
        made = made or directory / "template.made"
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                url = server.create_database(self._template)
                Site(directory, url).manage("migrate", "--no-input", "--verbosity=0")
                made.touch()

    def create(self, name: str) -> str:
        """Return the DATABASE_URL of a new, migrated database."""
        return self._server.create_database(name, template=self._template)

    def drop(self, name: str) -> None:
        """Remove it again, whoever is connected."""
        self._server.drop_database(name)


@contextmanager
def open_site(databases: Databases, name: str, directory: Path) -> Iterator[Site]:
    """Yield a site in ``directory`` on a new database; end its processes and drop the database afterwards."""
    site = Site(directory, databases.create(name))
    try:
        yield site
    finally:
        site.close()
        databases.drop(name)
