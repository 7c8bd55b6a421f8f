"""A disk that is full for a site's database, and has room again: how depends on the database.

SQLite: the processes of a cluster may write no file beyond a few kilobytes. PostgreSQL: the database lies on a memory
disk of its own, mounted in a namespace that needs no privileges and ends with the test.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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

    def _limit(self, main: int, size: int) -> None:
        for pid in [main, *descendants(main)]:
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size == resource.RLIM_INFINITY else size, hard))


class SmallDisk:
    """PostgreSQL's full disk: the database's own, filled to the last row."""

    def __init__(self, clusters: Clusters, keeper: subprocess.Popen[str]) -> None:
        self._clusters = clusters
        self._keeper = keeper

    def fill(self, main: int) -> None:
        """Leave no room for another page, then none in the pages of the table that every change writes to."""
        self._order("fill")
        for characters in (1500, 300, 0):
            try:
                while True:
                    self._clusters.site.sql(FILLING, [characters])
            except psycopg.errors.DiskFull:
                continue

    def make_room(self, main: int) -> None:
        """Delete what filled it."""
        self._order("empty")

    def _order(self, order: str) -> None:
        if self._keeper.stdin is None or self._keeper.stdout is None:
            raise RuntimeError("the keeper of the disk was started without pipes")
        self._keeper.stdin.write(f"{order}\n")
        self._keeper.stdin.flush()
        if self._keeper.stdout.readline() != "done\n":
            raise RuntimeError("the keeper of the disk has ended")


Disk = LimitedProcesses | SmallDisk


@contextmanager
def small_disk(clusters: Clusters) -> Iterator[SmallDisk]:
    """Move the site's database to a disk of a few megabytes until the end; skip where none can be mounted."""
    address, _, name = clusters.site.database_url.rpartition("/")
    server = Server(int(address.rpartition(":")[2]))
    user = unprivileged()
    with tempfile.TemporaryDirectory(prefix="socialq-disk-") as folder:
        if user:
            os.chown(folder, user["user"], user["group"])
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", KEEPER, folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **user) as keeper:
            if keeper.stdout is None or keeper.stdout.readline() != "ready\n":
                unavailable("no memory disk can be mounted without privileges here")
            space = Path(f"/proc/{keeper.pid}/root{folder}/space")
            tablespace = sql.Identifier(f"small_{name}")
            try:
                with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                    connection.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(tablespace, str(space)))
                    connection.execute(
                        sql.SQL("ALTER DATABASE {} SET TABLESPACE {}").format(sql.Identifier(name), tablespace)
                    )
                yield SmallDisk(clusters, keeper)
            finally:
                clusters.site.close()
                server.drop_database(name)
                with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                    connection.execute(sql.SQL("DROP TABLESPACE IF EXISTS {}").format(tablespace))
                keeper.kill()
