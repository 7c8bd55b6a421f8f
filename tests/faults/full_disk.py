"""A disk that is full for a site's database or its pictures, and has room again.

SQLite: the processes of a site may write no file beyond a few kilobytes. PostgreSQL's database, and the pictures, lie
on a memory disk of their own, mounted in a namespace that needs no privileges and ends with the test.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests import unavailable
from tests.faults.clusters import Clusters, descendants
from tests.postgres import Server, unprivileged

# Less than a page of SQLite with its header, more than the notes of a test.
SMALL_BYTES = 4096
# The shell that keeps the disk mounted fills it and makes room, being the only one whose user the disk knows.
KEEPER = """
mount -t tmpfs -o size=64m tmpfs "$0" && mkdir -m 700 "$0/space" && echo ready || exit
while read -r order; do
    case $order in
        fill) cat /dev/zero >"$0/filler" ;;
        empty) rm "$0/filler" ;;
    esac 2>/dev/null
    echo done
done
"""
# The last rows are smaller than any that the queue writes.
FILLING = (
    "INSERT INTO queue_app_event (job_id, at, name, source, target, reason, actor, data)"
    " SELECT min(id), now(), '', '', '', '', '', to_jsonb(repeat('x', %s)) FROM queue_app_job"
)


class LimitedProcesses:
    """SQLite's full disk: nothing that the cluster writes to the database has room."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def fill(self, main: int) -> None:
        """Leave the processes of a cluster no room."""
        self._limit(main, SMALL_BYTES)

    def make_room(self, main: int) -> None:
        """Let them write again."""
        self._limit(main, resource.RLIM_INFINITY)

    def check_health(self) -> str:
        """Return what ``check_health`` says where it has no room either."""
        command = ["prlimit", f"--fsize={SMALL_BYTES}", sys.executable, self._clusters.site.manage_py, "check_health"]
        return subprocess.run(command, env=self._clusters.site.env, capture_output=True, text=True, check=False).stdout

    def _limit(self, main: int, size: int) -> None:
        for pid in [main, *descendants(main)]:
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size == resource.RLIM_INFINITY else size, hard))


class MemoryDisk:
    """A disk of a few megabytes; ``space`` is a folder on it."""

    def __init__(self, keeper: subprocess.Popen[str], space: Path) -> None:
        self.space = space
        self._keeper = keeper

    def fill(self) -> None:
        """Leave no room for another page."""
        self._order("fill")

    def make_room(self) -> None:
        """Delete what filled it."""
        self._order("empty")

    def _order(self, order: str) -> None:
        if self._keeper.stdin is None or self._keeper.stdout is None:
            raise RuntimeError("the keeper of the disk was started without pipes")
        self._keeper.stdin.write(f"{order}\n")
        self._keeper.stdin.flush()
        if self._keeper.stdout.readline() != "done\n":
            raise RuntimeError("the keeper of the disk has ended")


class SmallDisk:
    """PostgreSQL's full disk: the database's own, filled to the last row."""

    def __init__(self, clusters: Clusters, disk: MemoryDisk) -> None:
        self._clusters = clusters
        self._disk = disk

    def fill(self, main: int) -> None:
        """Leave no room for another page, then none in the pages of the table that every change writes to."""
        self._disk.fill()
        for characters in (1500, 300, 0):
            try:
                while True:
                    self._clusters.site.sql(FILLING, [characters])
            except psycopg.errors.DiskFull:
                continue

    def make_room(self, main: int) -> None:
        """Delete what filled it."""
        self._disk.make_room()

    def check_health(self) -> str:
        """Return what ``check_health`` says."""
        return self._clusters.site.manage("check_health", check=False).stdout


Disk = LimitedProcesses | SmallDisk


@contextmanager
def memory_disk(user: Mapping[str, Any]) -> Iterator[MemoryDisk]:
    """Mount a disk that ``user`` (the arguments that start its processes) may write; skip where none can be mounted."""
    with tempfile.TemporaryDirectory(prefix="socialq-disk-") as folder:
        if user:
            os.chown(folder, user["user"], user["group"])
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", KEEPER, folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **user) as keeper:
            if keeper.stdout is None or keeper.stdout.readline() != "ready\n":
                unavailable("no memory disk can be mounted without privileges here")
            try:
                yield MemoryDisk(keeper, Path(f"/proc/{keeper.pid}/root{folder}/space"))
            finally:
                keeper.kill()


@contextmanager
def small_disk(clusters: Clusters) -> Iterator[SmallDisk]:
    """Move the site's database to a disk of a few megabytes until the end."""
    address, _, name = clusters.site.database_url.rpartition("/")
    server = Server(int(address.rpartition(":")[2]))
    with memory_disk(unprivileged()) as disk:
        tablespace = sql.Identifier(f"small_{name}")
        try:
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(tablespace, str(disk.space)))
                connection.execute(
                    sql.SQL("ALTER DATABASE {} SET TABLESPACE {}").format(sql.Identifier(name), tablespace)
                )
            yield SmallDisk(clusters, disk)
        finally:
            clusters.site.close()
            server.drop_database(name)
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(sql.SQL("DROP TABLESPACE IF EXISTS {}").format(tablespace))
