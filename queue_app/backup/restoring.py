"""Bringing a backup back: looked at first, then all of it or nothing; and what it held waits for a person.

Owns what keeps a restore from being done, and the order of its steps. What becomes of jobs is in ``restored``.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, models
from django.db.migrations.loader import MigrationLoader

from queue_app import clock, restored, statements, workers
from queue_app.backup import parts, postgresql, sqlite
from queue_app.backup.archive import DATABASE, Progress, Reader
from queue_app.backup.contents import count, rows_of
from queue_app.backup.files import files_restored
from queue_app.backup.manifest import BackupError, Manifest
from queue_app.blocks import EVERYTHING
from queue_app.database import alias, atomic, connection, reason_of
from queue_app.failpoints import failpoint
from queue_app.models import Block, BlockKind, Worker
from queue_app.restored import Held

# What every migrated database has, though nobody has used it yet.
ALWAYS_THERE = ("contenttypes.ContentType", "auth.Permission")
SHOWN_KINDS = 5
INTERRUPTED = "A restore was interrupted: run it again before anything else."
PAUSED = (
    "Restored from the backup of {:%Y-%m-%d %H:%M} UTC. What is held may be out already: look at each network, then "
    "release or cancel it (manage.py release_restored)."
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done: jobs left to people, where the old database is (SQLite), and what else must be known."""

    held: Held
    kept: Path | None
    words: tuple[str, ...]


def what_is_there() -> str:
    """Return in words what a restore would replace; "" where nobody has used the database yet."""
    try:
        queue = connection()
        tables = set(queue.introspection.table_names())
        with queue.cursor() as cursor:
            found = {model: count(rows_of(cursor), model) for model in _used_models() if model._meta.db_table in tables}
    except DatabaseError as error:
        if connection().vendor != "sqlite":
            raise
        return f"a database that cannot be read ({error})"
    said = [f"{model._meta.verbose_name_plural}: {number:,}" for model, number in found.items() if number]
    rest = len(said) - SHOWN_KINDS
    return ", ".join(said[:SHOWN_KINDS]) + (f" and {rest} more kinds of rows" if rest > 0 else "")


def require_fitting(manifest: Manifest) -> None:
    """Raise BackupError if this site cannot take the backup: of another database, or of a later version."""
    vendor = connection().vendor
    if manifest.vendor != vendor:
        raise BackupError(
            f"The backup is of {manifest.vendor} and this site uses {vendor}: move across with export_archive and "
            "import_archive"
        )
    loader = MigrationLoader(None)
    known = {*loader.disk_migrations, *(old for new in loader.replacements.values() for old in new.replaces)}
    later = [f"{app}.{name}" for app, name in manifest.migrations if app in loader.migrated_apps]
    later = [name for name in later if tuple(name.split(".", 1)) not in known]
    if later:
        raise BackupError(
            f"The backup was made by a later version ({manifest.version}): {later[0]} is not known here; install that "
            "version first"
        )


def require_nobody() -> None:
    """Raise BackupError while workers live or others have the database open."""
    queue = connection()
    with suppress(DatabaseError):
        if Worker._meta.db_table in queue.introspection.table_names():
            living = [worker.name for worker in workers.alive(clock.now())]
            if living:
                raise BackupError(f"Workers are running ({', '.join(living[:3])}): stop all clusters first")
    others = sqlite.others() if queue.vendor == "sqlite" else postgresql.others()
    if others:
        raise BackupError(f"{others[0].upper()}{others[1:]}: stop the whole site first, its web server too")


def restore(archive: Reader, *, progress: Progress) -> Restored:
    """Put a verified backup in the place of this site's database and files. Raises BackupError.

    1. Its files. 2. The database: migrated to this version, with everything paused and held before anybody else sees
    it. Where that fails, all is as it was before.
    """
    manifest, results = archive.manifest, list[tuple[Held, list[str]]]()

    def put_in_order() -> None:
        progress("bringing it up to this version and holding what is due")
        results.append(_put_in_order(manifest))
        failpoint("restore_in_order")

    kept = None
    try:
        with files_restored(archive, progress), archive.open(DATABASE) as packed:
            progress("replacing the database")
            if connection().vendor == "sqlite":
                kept = sqlite.replace(packed, manifest.plain_bytes, put_in_order, clock.now())
            else:
                postgresql.replace(packed, _guard())
    except (BackupError, OSError, DatabaseError, KeyboardInterrupt) as error:
        raise BackupError(f"The backup was not restored: {_reason(error)}. Nothing was changed") from error
    try:
        if not results:
            put_in_order()
    except (OSError, DatabaseError, KeyboardInterrupt) as error:
        said = f"The backup is in place, everything is paused, and nothing is in order yet: {_reason(error)}"
        raise BackupError(f"{said}. Mend that, then run restore again") from error
    ((held, words),) = results
    return Restored(held, kept, tuple(words))


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return reason_of(error)


def _used_models() -> list[type[models.Model]]:
    own = [model for model in apps.get_models() if model._meta.managed and not model._meta.proxy]
    return [model for model in own if model._meta.label not in ALWAYS_THERE]


def _guard() -> str:
    """Return SQL that pauses everything. It commits with the database, so it stands if this process ends right then."""
    table = statements.quoted(Block._meta.db_table)
    values = (
        f"'{EVERYTHING}', '{BlockKind.PAUSE.value}', '', '{INTERRUPTED}', '{restored.ACTOR}', STATEMENT_TIMESTAMP()"
    )
    return (
        f"INSERT INTO {table} (key, kind, source, reason, actor, created_at) VALUES ({values}) "  # noqa: S608
        "ON CONFLICT (key, kind, source) DO UPDATE SET reason = EXCLUDED.reason, actor = EXCLUDED.actor, until = NULL"
    )


def _put_in_order(manifest: Manifest) -> tuple[Held, list[str]]:
    """Bring the restored database up to this version, forget who was signed in, hold what would run."""
    call_command("migrate", interactive=False, verbosity=0, database=alias())
    restored.pause(PAUSED.format(manifest.created_at))
    with atomic():
        if apps.is_installed("django.contrib.sessions"):
            apps.get_model("sessions", "Session").objects.all().delete()
        words = parts.after_restore()
    return restored.hold_unfinished(), words
