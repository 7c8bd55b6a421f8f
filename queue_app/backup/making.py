"""Making a backup: the database as it is at one moment, then the files that it names then. Stops nobody."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import IO, cast

from django.core.files.storage import default_storage

from queue_app import clock, workers
from queue_app.backup import parts, postgresql, sqlite
from queue_app.backup.archive import DATABASE, FILES, Progress, Writer, reading, writing
from queue_app.backup.contents import Contents, contents
from queue_app.backup.manifest import BackupError, Entry, Manifest
from queue_app.database import connection

SHOWN_EVERY = 50
DUMPED = {"sqlite": sqlite.dumped, "postgresql": postgresql.dumped}


def make_backup(path: Path, *, with_media: bool, progress: Progress) -> Manifest:
    """Write a backup of this site to ``path``, which must not be there; return what is in it. Raises BackupError.

    There is all of it or nothing. Where a file is deleted in the meantime, its post has ended in the meantime.
    """
    queue, created_at = connection(), clock.now()
    if queue.vendor not in DUMPED:
        raise BackupError(f"Backups are made of SQLite and PostgreSQL, not of {queue.vendor}")
    with writing(path) as writer:
        progress("copying the database")
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            with DUMPED[queue.vendor](Path(folder)) as (dump, plain_bytes, rows):
                found = contents(rows, set(queue.introspection.table_names()))
            with dump.open("rb") as file:
                database = writer.add(DATABASE, file)
        files, absent = _add_files(writer, found, progress) if with_media else ((), 0)
        manifest = Manifest(
            version=workers.software_version(),
            created_at=created_at,
            vendor=queue.vendor,
            server=".".join(map(str, queue.get_database_version())),
            database=database,
            plain_bytes=plain_bytes,
            migrations=found.migrations,
            counts=found.counts,
            files=files,
            elsewhere=found.elsewhere,
            absent=absent,
            with_media=with_media,
            parts=parts.facts(),
        )
        writer.finish(manifest)
    return manifest


def verify_backup(path: Path, *, progress: Progress) -> Manifest:
    """Read all of a backup and return what is in it. Raises BackupError for the first thing that is wrong."""
    with reading(path) as archive:
        archive.verify(progress)
        return archive.manifest


def _add_files(writer: Writer, found: Contents, progress: Progress) -> tuple[tuple[Entry, ...], int]:
    """Add every file that is there; return the entries, and how many were not."""
    entries: list[Entry] = []
    for number, name in enumerate(found.files, start=1):
        try:
            stored = default_storage.open(name, "rb")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BackupError(f"The file {name} cannot be read: {error.strerror or error}") from error
        with closing(stored):
            entries.append(writer.add(FILES + name, cast("IO[bytes]", stored.file)))
        if number % SHOWN_EVERY == 0 or number == len(found.files):
            progress(f"{number:,} of {len(found.files):,} files copied")
    return tuple(entries), len(found.files) - len(entries)
