"""A PostgreSQL database as a file of a backup, and back, by its own programs: pg_dump, pg_restore and psql.

They are told where to connect by their environment, never by arguments, which other users of the machine can read.
Knows nothing of what the rows mean.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from queue_app.backup.archive import CHUNK_BYTES
from queue_app.backup.contents import Rows, rows_of
from queue_app.backup.manifest import BackupError
from queue_app.database import atomic, connection
from queue_app.failpoints import failpoint

# What libpq calls what Django's settings have.
_SETTINGS = {"NAME": "PGDATABASE", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "HOST": "PGHOST", "PORT": "PGPORT"}
_OPTIONS = {
    "service": "PGSERVICE",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
}
_DUMP = ("pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--no-password")
_SCRIPT = ("pg_restore", "--file=-", "--clean", "--if-exists", "--no-owner", "--no-privileges", "--exit-on-error")
_RUN = ("psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1")
_LOCKS_WITHIN = "10s"
_LAST_LINES = 3
_TABLES = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY (current_schemas(false)) "
    "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
)
_OTHERS = (
    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@contextmanager
def dumped(folder: Path) -> Iterator[tuple[Path, int, Rows]]:
    """Give a dump of the database in ``folder``, its size, and what asks the very state that was dumped."""
    dump = folder / "database.dump"
    with atomic(), connection().cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # another program uses it meanwhile
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        _checked([*_DUMP, f"--snapshot={snapshot}", f"--file={dump}"])
        yield dump, dump.stat().st_size, rows_of(cursor)


def replace(dump: IO[bytes], guard: str) -> None:
    """Put ``dump`` in the place of all tables, and run ``guard``, SQL, in one transaction: all of it or nothing.

    Raises BackupError.
    """
    with connection().cursor() as cursor:
        cursor.execute(_TABLES)
        tables = [name for (name,) in cursor.fetchall()]
    connection().close()
    drop = f"DROP TABLE {', '.join(tables)} CASCADE;\n" if tables else ""
    # Not by --single-transaction: that commits what has come, too, if this process is killed meanwhile.
    before = f"BEGIN;\nSET client_min_messages = warning;\nSET lock_timeout = '{_LOCKS_WITHIN}';\n{drop}"
    with tempfile.NamedTemporaryFile() as file:
        shutil.copyfileobj(dump, file, CHUNK_BYTES)
        file.flush()
        _pipe([*_SCRIPT, file.name], before.encode(), f"\nRESET search_path;\n{guard};\nCOMMIT;\n".encode())


def others() -> str:
    """Say who has the database open as the same user; "" if nobody has."""
    with connection().cursor() as cursor:
        cursor.execute(_OTHERS)
        (number,) = cursor.fetchone()
    return f"{number} other connections to the database are open" if number else ""


def _pipe(script: Sequence[str], before: bytes, after: bytes) -> None:
    """Run what ``script`` prints between ``before`` and ``after``. It is committed only if all of it came."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as script_said:
        psql = _started([*_RUN, "--output=/dev/null", "--file=-"], stdin=subprocess.PIPE, stderr=said)
        source = _started(script, stdout=subprocess.PIPE, stderr=script_said)
        assert psql.stdin is not None and source.stdout is not None  # noqa: S101, PT018 -- pipes were asked for
        try:
            with suppress(BrokenPipeError), source.stdout:  # psql says why it hung up
                psql.stdin.write(before)
                shutil.copyfileobj(source.stdout, psql.stdin, CHUNK_BYTES)
                if source.wait() != 0:
                    _fail(script[0], script_said)
                failpoint("restore_before_commit")
                psql.stdin.write(after)
                psql.stdin.close()
            if psql.wait() != 0:
                _fail(_RUN[0], said)
        finally:
            for process in (psql, source):
                process.kill()  # what psql has not committed is undone
                process.wait()
            with suppress(BrokenPipeError):
                psql.stdin.close()


def _checked(command: Sequence[str]) -> None:
    with tempfile.TemporaryFile() as said:
        if _started(command, stdout=subprocess.DEVNULL, stderr=said).wait() != 0:
            _fail(command[0], said)


def _started(command: Sequence[str], **streams: Any) -> subprocess.Popen[bytes]:
    streams.setdefault("stdin", subprocess.DEVNULL)
    try:
        return subprocess.Popen(command, env=os.environ | _environment(), **streams)  # noqa: S603 -- our own words
    except FileNotFoundError:
        raise BackupError(
            f"{command[0]} is not installed here: install PostgreSQL's client programs, at least as new as the server "
            "(Debian: apt install postgresql-client)"
        ) from None


def _environment() -> Mapping[str, str]:
    """Return where to connect, as libpq reads it."""
    settings = connection().settings_dict
    named = {name: settings.get(key) for key, name in _SETTINGS.items()}
    named |= {name: settings["OPTIONS"].get(key) for key, name in _OPTIONS.items()}
    return {name: str(value) for name, value in named.items() if value} | {"LC_MESSAGES": "C"}


def _fail(program: str, said: IO[bytes]) -> None:
    said.seek(0)
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    raise BackupError(f"{program} failed: {' '.join(lines[:_LAST_LINES]) or 'it said nothing'}")
