"""Reading the ``jobs`` table of the queue manager that this system replaces: an SQLite file, opened to be read only.

Its columns were never written down, so each is looked for under the names in ``COLUMNS``, which are repeated in
docs/importing-legacy.md; what is under none of them is told. The file is somebody else's: only an ordinary table is
read, in one snapshot, and every value is judged by what it is. Writes nothing.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from posts.services.errors import Refused

TABLE = "jobs"
COLUMNS: Mapping[str, Sequence[str]] = {
    "id": ("id", "job_id"),
    "platform": ("platform", "platform_name", "network"),
    "status": ("status", "state"),
    "media": ("media_info", "media", "media_path", "media_paths", "media_file", "media_files", "file_path", "files"),
    "text": ("text", "caption", "content", "message", "body"),
    "scheduled_at": ("scheduled_time", "scheduled_at", "scheduled_for", "run_at"),
    "url": ("post_url", "url", "link", "permalink"),
    "attempts": ("attempts", "attempt_count", "retries", "retry_count"),
    "error": ("error", "last_error", "error_message", "errors"),
    "created_at": ("created_at", "created_time", "created"),
    "updated_at": ("updated_at", "updated_time", "updated"),
    "completed_at": ("completed_at", "completed_time", "published_at", "posted_at"),
}
NEEDED = ("platform", "status")
STATUSES: Mapping[str, Sequence[str]] = {
    "pending": ("pending", "queued", "scheduled", "waiting"),
    "completed": ("completed", "complete", "published", "posted", "done", "success"),
    "failed": ("failed", "error"),
}
PLATFORMS = {"twitter": "x", "x (twitter)": "x", "x/twitter": "x", "bsky": "bluesky", "tg": "telegram"}
# In the JSON of a media column: names of files, and what is said with them.
FILE_NAMES = ("path", "local_path", "file_path", "file", "filename", "media_path", "paths", "files", "media", "items")
TEXT_NAMES = ("caption", "text", "message", "description")
MOST_BYTES_A_VALUE, MOST_FILES, MOST_DEPTH = 10_000_000, 50, 6
TEXT_CHARACTERS, ERROR_CHARACTERS, ID_CHARACTERS = 100_000, 5_000, 100
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"[0-9]{9,10}(?:\.[0-9]*)?", re.ASCII)
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]{1,490}")

Status = Literal["pending", "completed", "failed", "unclear"]


@dataclass(frozen=True, slots=True)
class LegacyJob:
    """One row. Times are aware, ``None`` where there is none that can be read; ``files`` are paths as they stand there.

    ``unclear`` is a status of no known name: nobody can tell whether it went out. ``is_unique`` says that no other row
    has its id.
    """

    id: str
    platform: str
    status: Status
    text: str
    files: tuple[str, ...]
    scheduled_at: datetime | None
    url: str
    attempts: int
    error: str
    created_at: datetime | None
    updated_at: datetime | None
    completed_at: datetime | None
    is_unique: bool = True


@dataclass(frozen=True, slots=True)
class LegacyTable:
    """All rows, those that were due first at the front, and where each field was found ("" for nowhere)."""

    jobs: tuple[LegacyJob, ...]
    found: Mapping[str, str]


def read_jobs(path: Path, zone: str) -> LegacyTable:
    """Return the rows of ``path``. Times without a zone are on the clocks of the IANA ``zone``. Raises Refused."""
    if not path.is_file():
        raise Refused(_("There is no file %(path)s") % {"path": path})
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=20)
        try:
            return _read(connection, ZoneInfo(zone))
        finally:
            connection.close()
    except (sqlite3.Error, OverflowError) as error:
        reason = str(error)
    said = _(
        "%(path)s cannot be read as an SQLite database: %(reason)s. Stop the old system, and copy the file with its "
        "-wal, if there is one, into a folder that can be written"
    )
    raise Refused(said % {"path": path, "reason": reason})


def _read(connection: sqlite3.Connection, zone: ZoneInfo) -> LegacyTable:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES_A_VALUE)
    connection.text_factory = lambda value: value.decode("utf-8", "replace")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("BEGIN")
    ((whole,),) = connection.execute("PRAGMA quick_check(1)")
    if whole != "ok":
        raise sqlite3.DatabaseError(_text(whole, 200))
    columns = _columns(connection)
    found = {field: next((columns[name] for name in names if name in columns), "") for field, names in COLUMNS.items()}
    missing = [field for field in NEEDED if not found[field]]
    if missing:
        said = _("The table jobs has no column %(wanted)s; it has %(names)s")
        wanted = " / ".join(COLUMNS[missing[0]])
        raise Refused(said % {"wanted": wanted, "names": ", ".join(sorted(columns))[:500]})
    chosen = [f'"{name}"' if name else "NULL" for name in found.values()]
    number = _number(connection)
    rows = connection.execute(f'SELECT {number}, {", ".join(chosen)} FROM "{TABLE}"')  # noqa: S608 - names of its own
    jobs = [_job(str(rowid), dict(zip(found, values, strict=True)), zone) for rowid, *values in rows]
    rows_of = Counter(job.id for job in jobs)
    jobs = [replace(job, is_unique=rows_of[job.id] == 1) for job in jobs]
    jobs.sort(key=lambda job: (job.scheduled_at or job.created_at or LATEST, len(job.id), job.id))
    return LegacyTable(tuple(jobs), found)


def _columns(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the table's columns by their names in lower case. Raises Refused where it is no ordinary table."""
    found = connection.execute(
        "SELECT type, sql FROM sqlite_master WHERE lower(name) = ? AND type IN ('table', 'view')", (TABLE,)
    ).fetchone()
    if found is None:
        raise Refused(_("The database has no table jobs; is it the right file?"))
    kind, sql = found
    if kind != "table" or re.match(r"\s*CREATE\s+VIRTUAL", str(sql), re.IGNORECASE):
        raise Refused(_("jobs is no ordinary table in this database, so it is not read"))
    names = [str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (TABLE,))]
    return {name.lower(): name for name in names if '"' not in name}


def _number(connection: sqlite3.Connection) -> str:
    """Return what numbers the table's rows, as SQL: nothing in a table WITHOUT ROWID."""
    try:
        connection.execute(f'SELECT rowid FROM "{TABLE}" LIMIT 0')  # noqa: S608 - a name of its own
    except sqlite3.OperationalError:
        return "''"
    return "rowid"


def _job(rowid: str, row: Mapping[str, Any], zone: ZoneInfo) -> LegacyJob:
    media, said = _media(row["media"])
    name = _text(row["platform"], 40).strip().lower()
    status = _text(row["status"], 40).strip().lower()
    url = _text(row["url"], 500).strip()
    known: Any = next((own for own, names in STATUSES.items() if status in names), "unclear")
    return LegacyJob(
        id=" ".join(_text(row["id"], ID_CHARACTERS).split()) or rowid,
        platform=PLATFORMS.get(name, name),
        status=known,
        text=_text(row["text"], TEXT_CHARACTERS).strip() or said,
        files=media,
        scheduled_at=_time(row["scheduled_at"], zone),
        url=url if _WEB_ADDRESS.fullmatch(url) else "",
        attempts=row["attempts"] if isinstance(row["attempts"], int) and 0 <= row["attempts"] < 10_000 else 0,
        error=_text(row["error"], ERROR_CHARACTERS).strip(),
        created_at=_time(row["created_at"], zone),
        updated_at=_time(row["updated_at"], zone),
        completed_at=_time(row["completed_at"], zone),
    )


def _text(value: object, most: int) -> str:
    """Return a value as text that any database stores."""
    text = value if isinstance(value, str) else "" if value is None or isinstance(value, bytes) else str(value)
    return text[:most].replace("\0", "").encode("utf-8", "ignore").decode()


def _time(value: object, zone: ZoneInfo) -> datetime | None:
    """Return a time: ISO text, or Unix seconds. ``None`` for what is none, or of no plausible year."""
    text = _text(value, 40).strip()
    try:
        if _SECONDS.fullmatch(text):  # a column of text makes text of a number
            at = datetime.fromtimestamp(float(text), UTC)
        else:
            at = datetime.fromisoformat(text)
            at = at if at.tzinfo is not None else at.replace(tzinfo=zone)
        return at.astimezone(UTC) if EARLIEST < at < LATEST else None
    except (ValueError, OverflowError, OSError):
        return None


def _media(value: object) -> tuple[tuple[str, ...], str]:
    """Return the files that a media column names, each once, and what it says with them."""
    text = _text(value, TEXT_CHARACTERS).strip()
    try:
        told = json.loads(text) if text[:1] in ("[", "{", '"') else text
    except (ValueError, RecursionError):
        told = text
    files = [path for path in _files(told, 0) if path.strip()]
    said = next((each for each in _said(told) if each), "")
    return tuple(dict.fromkeys(files))[:MOST_FILES], said


def _files(told: object, depth: int) -> Iterator[str]:
    if isinstance(told, str):
        yield _text(told, 1000)
    elif depth < MOST_DEPTH and isinstance(told, list):
        for part in told[:MOST_FILES]:
            yield from _files(part, depth + 1)
    elif depth < MOST_DEPTH and isinstance(told, dict):
        for name in FILE_NAMES:
            yield from _files(told.get(name), depth + 1)


def _said(told: object) -> Iterator[str]:
    for part in told if isinstance(told, list) else [told]:
        if isinstance(part, dict):
            yield from (_text(part.get(name), TEXT_CHARACTERS).strip() for name in TEXT_NAMES)
