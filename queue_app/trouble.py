"""What is the matter with a database that cannot be used: locked, full or away. Values only; asks no database."""

from __future__ import annotations

import sqlite3
from enum import StrEnum

LOCKED_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
# A disk that refuses to take more tells SQLite so in several ways.
FULL_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
# PostgreSQL: a lock not had in time, a statement that took too long, a deadlock, a conflict.
LOCKED_STATES = ("55P03", "57014", "40P01", "40001")
FULL_STATES = ("53100",)


class Trouble(StrEnum):
    """Why the database could not do it."""

    LOCKED = "locked"
    FULL = "full"
    AWAY = "away"


def trouble_of(error: BaseException) -> Trouble:
    """Return what an error means of which ``database.is_away`` says that it tells of the database."""
    told = error.__cause__
    state = getattr(told, "sqlstate", None)
    code = getattr(told, "sqlite_errorcode", 0) & 0xFF  # the rest of it says more exactly where
    if state in LOCKED_STATES or code in LOCKED_CODES:
        return Trouble.LOCKED
    return Trouble.FULL if state in FULL_STATES or code in FULL_CODES else Trouble.AWAY
