"""A SQLite database as a file of a backup, and back: a new file is made ready beside the old one, then takes its place.

``VACUUM INTO`` copies one state of the database while others write. Knows nothing of what the rows mean.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from django.db import DatabaseError

from queue_app.backup.archive import CHUNK_BYTES, sync_folder
from queue_app.backup.contents import Rows
from queue_app.backup.manifest import BackupError
from queue_app.database import connection
from queue_app.failpoints import failpoint

PACK_LEVEL = 6
BUSY_SECONDS = 2.0
# One page: a database without a table, as a connection makes it.
EMPTY_BYTES = 4096
# What SQLite may keep of a database beside its file.
BESIDE = ("-wal", "-shm", "-journal")


@contextmanager
def dumped(folder: Path) -> Iterator[tuple[Path, int, Rows]]:
    """Give a packed copy of the database in ``folder``, its size unpacked, and what asks the copy."""
    copy, packed = folder / "copy.sqlite3", folder / "copy.gz"
    try:
        with connection().cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(copy)])
    except DatabaseError as error:
        raise BackupError(f"The database cannot be copied to {folder.parent}: {error}") from error
    with copy.open("rb") as source, gzip.open(packed, "wb", compresslevel=PACK_LEVEL) as target:
        shutil.copyfileobj(source, target, CHUNK_BYTES)
    with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as opened:
        yield packed, copy.stat().st_size, lambda sql: opened.execute(sql).fetchall()


def replace(packed: IO[bytes], plain_bytes: int, put_in_order: Callable[[], None], now: datetime) -> Path | None:
    """Put the packed database in the place of the site's, once ``put_in_order`` has been through it.

    Return where the old one is kept, ``None`` if there was none. Raises BackupError, and then nothing has changed.
    """
    live = _path()
    new = live.with_name(f".{live.name}.restoring")
    _remove(new)  # what a restore that was killed has left would be taken for this one's
    try:
        _unpack(packed, new, plain_bytes)
        _require_sound(new)
        with _in_place_of(live, new):
            put_in_order()
        _fold(new)
        return _swap(new, live, now)
    finally:
        _remove(new)


def others() -> str:
    """Say who has the database open; "" if nobody has."""
    return "" if not _path().exists() or _is_ours_alone(_path()) else "another process has the database open"


def _path() -> Path:
    name = str(connection().settings_dict["NAME"])
    if name == ":memory:" or name.startswith("file:"):
        raise BackupError(f"{name} is no file that a backup could be restored to")
    return Path(name).absolute()


def _remove(new: Path) -> None:
    for ending in ("", *BESIDE):
        new.with_name(new.name + ending).unlink(missing_ok=True)


def _unpack(packed: IO[bytes], new: Path, plain_bytes: int) -> None:
    try:
        left = plain_bytes
        with gzip.open(packed, "rb") as source, new.open("wb") as target:
            while piece := source.read(min(CHUNK_BYTES, left + 1)):
                left -= len(piece)
                if left < 0:
                    break
                target.write(piece)
    except (gzip.BadGzipFile, EOFError) as error:
        raise BackupError(f"The database in the backup cannot be unpacked: {error}") from None
    if left:
        raise BackupError("The database in the backup does not have the size that its manifest names")


def _require_sound(new: Path) -> None:
    try:
        with closing(sqlite3.connect(new)) as opened:
            found = [word for (word,) in opened.execute("PRAGMA quick_check(1)")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if found != ["ok"]:
        raise BackupError(f"The database in the backup is damaged: {found[0]}")


@contextmanager
def _in_place_of(live: Path, new: Path) -> Iterator[None]:
    """Have this process's queries go to ``new``."""
    queue = connection()
    queue.close()
    queue.settings_dict["NAME"] = str(new)
    try:
        yield
    finally:
        queue.close()
        queue.settings_dict["NAME"] = str(live)


def _fold(new: Path) -> None:
    """Bring all that was written into the one file, and that to the disk."""
    try:
        with closing(sqlite3.connect(new)) as opened:
            opened.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"The new database cannot be written: {error}") from None
    with new.open("rb") as file:
        os.fsync(file.fileno())


def _swap(new: Path, live: Path, now: datetime) -> Path | None:
    """Give ``new`` the name of ``live``, at once; the old file stays under another name."""
    if live.exists() and not _is_ours_alone(live):
        raise BackupError("Another process has the database open: stop the whole site, its web server too")
    kept = live.with_name(f"{live.name}.before-restore-{now:%Y%m%d-%H%M%S}")
    # Of a damaged database these may be left; beside another one they would be taken for its own.
    for ending in BESIDE:
        with suppress(FileNotFoundError):
            live.with_name(live.name + ending).rename(kept.with_name(kept.name + ending))
    if not live.exists() or live.stat().st_size <= EMPTY_BYTES:
        new.replace(live)
        sync_folder(live.parent)
        return None
    shutil.copymode(live, new)
    try:
        kept.hardlink_to(live)
    except OSError:  # no such links on this file system
        shutil.copy2(live, kept)
    failpoint("restore_before_commit")
    new.replace(live)
    sync_folder(live.parent)
    return kept


def _is_ours_alone(path: Path) -> bool:
    """Say whether nobody has the database open: only then it lets go of its write-ahead log. A damaged one is."""
    connection().close()
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as opened:
            return bool(opened.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",))
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True
