"""What a database holds, as its backup says it: applied migrations, rows by table, the files that rows name.

Reads by plain SQL, so that the same is asked of a copy and of a snapshot. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.files.storage import Storage, default_storage
from django.db import models
from django.db.migrations.recorder import MigrationRecorder

from queue_app import statements

Rows = Callable[[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found. ``files`` are names in the default storage, ``elsewhere`` how many lie in other ones."""

    migrations: tuple[tuple[str, str], ...]
    counts: dict[str, int]
    files: tuple[str, ...]
    elsewhere: int


def rows_of(cursor: Any) -> Rows:
    """Return what asks by ``cursor``."""

    def rows(sql: str) -> Sequence[Sequence[Any]]:
        cursor.execute(sql)
        found: Sequence[Sequence[Any]] = cursor.fetchall()
        return found

    return rows


def contents(rows: Rows, tables: Collection[str]) -> Contents:
    """Return what the database that ``rows`` asks holds in ``tables``, of what this site's apps know."""
    applied = statements.quoted(MigrationRecorder.Migration._meta.db_table)
    known = [model for model in _models() if model._meta.db_table in tables]
    files: set[str] = set()
    elsewhere = 0
    for model in known:
        for field in model._meta.local_concrete_fields:
            if isinstance(field, models.FileField):
                named = _named(rows, model, field)
                here = is_folder(field.storage)
                files |= named if here else set()
                elsewhere += 0 if here else len(named)
    return Contents(
        migrations=tuple((str(app), str(name)) for app, name in rows(f"SELECT app, name FROM {applied} ORDER BY id")),  # noqa: S608
        counts={model._meta.label: count(rows, model) for model in known},
        files=tuple(sorted(files)),
        elsewhere=elsewhere,
    )


def count(rows: Rows, model: type[models.Model]) -> int:
    """Return how many rows a model's table has."""
    return int(rows(f"SELECT COUNT(*) FROM {statements.quoted(model._meta.db_table)}")[0][0])  # noqa: S608 -- a table's name


def is_folder(storage: Storage) -> bool:
    """Say whether ``storage`` is the site's default one and keeps its files in a folder of this machine."""
    if storage is not default_storage:
        return False
    try:
        storage.path("any")
    except NotImplementedError:
        return False
    return True


def _models() -> list[type[models.Model]]:
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if model._meta.managed and not model._meta.proxy]


def _named(rows: Rows, model: type[models.Model], field: models.FileField) -> set[str]:
    table, column = statements.quoted(model._meta.db_table), statements.quoted(field.column)
    return {str(name) for (name,) in rows(f"SELECT DISTINCT {column} FROM {table} WHERE {column} <> ''")}  # noqa: S608
