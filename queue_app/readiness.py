"""Whether a site can do its work now, in a few quick looks for probes: database, migrations, workers, what is due.

``health.py`` looks at more, and is for people who mend it. Leaves nothing written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from django.db import DEFAULT_DB_ALIAS
from django.db import Error as DatabaseError
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from queue_app import clock, conf, probe, workers
from queue_app.database import alias, connection, reason_of
from queue_app.models import Job
from queue_app.stats import Waiting

KEPT_SECONDS = 2.0
OK = "ok"


@dataclass(frozen=True, slots=True)
class Check:
    """What one look has found."""

    ok: bool
    says: str


def checks() -> Mapping[str, Check]:
    """Return every check by name. Waits two seconds for a lock at most, and asks again after two at the earliest."""
    return _kept()


def unapplied() -> list[str]:
    """Return the migrations of installed apps that the queue's database does not have yet. One query.

    Where that is not the site's main one, apps that have none there at all are elsewhere.
    """
    applied = MigrationRecorder(connection()).applied_migrations()
    here = None if alias() == DEFAULT_DB_ALIAS else {app for app, _name in applied} | {Job._meta.app_label}
    missing = [(app, name) for app, name in _known_migrations() if (app, name) not in applied]
    return [f"{app}.{name}" for app, name in missing if here is None or app in here]


def unapplied_problem() -> str | None:
    """Return in words that migrations are missing, ``None`` where none are."""
    missing = unapplied()
    if not missing:
        return None
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"The database lacks the migration {missing[0]}{more}: run python manage.py migrate"


def late_problem(waiting: Waiting) -> str | None:
    """Return in words that something has been due for too long, ``None`` where nothing has."""
    seconds, most = waiting.oldest_due_seconds(), float(conf.get("VERY_LATE_SECONDS"))
    if seconds is None or seconds <= most:
        return None
    return f"A job has been due for {seconds:,.0f} s; over {most:,.0f} is too long: see whether its workers keep up"


def worker_problem() -> str | None:
    """Return in words that no worker lives, ``None`` where one does."""
    if workers.alive(clock.now()).exists():
        return None
    return "No worker lives: start one with python manage.py qcluster"


class _Kept:
    """The checks as they were a moment ago, looked at by one thread at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: Mapping[str, Check] = {}
        self._at = float("-inf")

    def __call__(self) -> Mapping[str, Check]:
        with self._lock:
            if time.monotonic() - self._at > KEPT_SECONDS:
                self._found = {name: _checked(look) for name, look in _LOOKS.items()}
                self._at = time.monotonic()
            return self._found

    def forget(self) -> None:
        """Look anew next time; for tests."""
        self._at = float("-inf")


def _checked(look: Callable[[], str | None]) -> Check:
    try:
        problem = look()
    except DatabaseError as error:
        problem = f"The database cannot be used: {reason_of(error)}"
    return Check(problem is None, problem or OK)


def _due() -> str | None:
    return late_problem(Waiting(clock.now()))


@lru_cache(maxsize=1)
def _known_migrations() -> tuple[tuple[str, str], ...]:
    """Return the migrations on disk, which do not change while a process lives; replaced ones are left out."""
    loader = MigrationLoader(None)
    replaced = {each for migration in loader.disk_migrations.values() for each in migration.replaces}
    return tuple(sorted(key for key in loader.disk_migrations if key not in replaced))


_LOOKS: Mapping[str, Callable[[], str | None]] = {
    "database": probe.problem,
    "migrations": unapplied_problem,
    "workers": worker_problem,
    "due": _due,
}
NAMES = tuple(_LOOKS)
_kept = _Kept()
