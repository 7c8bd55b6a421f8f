"""A PostgreSQL server of the tests' own, from the installed binaries: in a temporary folder, on 127.0.0.1."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql

START_SECONDS = 30
SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
INITDB_OPTIONS = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def binaries() -> Path | None:
    """Return the folder of the newest installed server's programs, or None."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    on_path = shutil.which("initdb")
    found = debian[0] if debian else Path(on_path) if on_path else None
    return found.parent if found else None


class Server:
    """A server that runs on this machine, with the superuser ``tests`` and no password."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str) -> str:
        """Return the value of DATABASE_URL for one of the server's databases."""
        return f"postgres://tests@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str = "template0") -> str:
        """Create a database, as a copy of ``template`` where that is given; return its URL."""
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and every connection to it."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


class PrivatePostgres(Server):
    """A server of the tests' own. ``durable`` keeps fsync on, for tests that kill it."""

    def __init__(self, *, durable: bool = False) -> None:
        folder = binaries()
        if folder is None:
            raise FileNotFoundError("no PostgreSQL server is installed")
        super().__init__(_free_port())
        self._binaries = folder
        self._as_user = unprivileged()
        self._settings = {} if durable else QUICK
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = Path(tempfile.mkdtemp(prefix="socialq-postgres-"))
        if self._as_user:
            os.chown(self.directory, self._as_user["user"], self._as_user["group"])
        subprocess.run(
            [folder / "initdb", "--pgdata=data", "--username=tests", *INITDB_OPTIONS],
            cwd=self.directory,
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as_user,
        )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.directory,
            "max_connections": 200,
            **self._settings,
        }
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", "data", *(f"--{name}={value}" for name, value in settings.items())],
                cwd=self.directory,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                **self._as_user,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.directory / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server the way that ``pg_ctl stop`` would; what is stored stays for the next start."""
        if self._process is not None:
            self._process.send_signal(SIGNALS[mode])
            self._process.wait(START_SECONDS)
            self._process = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def unprivileged() -> dict[str, Any]:
    """Return the arguments that start a program as an ordinary user where we are root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    """Have the server stop at once when the test run is killed."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
