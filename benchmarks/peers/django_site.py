"""Sets Django up for a peer: the database of ``DATABASE_URL`` with the same options as our own site's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from benchmarks.peers import copies

SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
}


def configure(apps: list[str], **options: Any) -> None:
    """Set Django up with ``apps`` and further settings."""
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", *apps],
        DATABASES={"default": database(os.environ["DATABASE_URL"])},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="for-the-benchmark-alone",  # noqa: S106 -- signs tasks on this machine only
        USE_TZ=True,
        TIME_ZONE="UTC",
        **options,
    )
    django.setup()


def database(url: str) -> dict[str, Any]:
    """Return Django's description of the database at ``url``."""
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": SQLITE_OPTIONS}
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username,
        "HOST": parts.hostname,
        "PORT": parts.port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def prepare() -> None:
    """Make the tables."""
    call_command("migrate", interactive=False, verbosity=0)


def copy_newest(table: str, count: int, changed: Mapping[str, str] | None = None, *, keep_id: bool = False) -> None:
    """Copy the newest row of ``table`` ``count`` times; the database numbers the copies unless ``keep_id``."""
    with connection.cursor() as cursor:
        columns = [column.name for column in connection.introspection.get_table_description(cursor, table)]
        chosen = [name for name in columns if keep_id or name != "id"]
        cursor.execute(copies.statement(connection.vendor, table, chosen, count, changed))
