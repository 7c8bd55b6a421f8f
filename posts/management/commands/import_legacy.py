"""Import the jobs of the queue manager that this system replaces: parse, call the services, print."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.utils.timezone import get_default_timezone_name

from posts.services.errors import Refused
from posts.services.legacy_import import Kind, LegacyImport, Verdict
from posts.services.legacy_reading import LegacyTable, read_jobs
from posts.services.spacing import MOST_MINUTES
from posts.services.validation import zone_problems
from posts.text.wall_time import WallTimeError, resolve_wall_time
from queue_app import clock
from queue_app.management.base import OneLineCommand

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PROGRESS_EVERY, EXCERPT_CHARACTERS = 50, 60
WORDS: dict[Kind, str] = {
    "scheduled": "scheduled",
    "draft": "kept as drafts",
    "published": "kept as history, published",
    "failed": "kept as history, failed",
    "known": "imported before",
    "skipped": "skipped",
}


class Command(OneLineCommand):
    help = (
        "Import the table jobs of the queue manager on SQLite that SocialQ replaces: what is pending is scheduled, the "
        "rest becomes history. The same row twice makes no second post. See docs/importing-legacy.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and the options."""
        parser.add_argument("file", help="the old system's SQLite file; it is only read")
        parser.add_argument("--dry-run", action="store_true", help="say what would become of each row; keep nothing")
        parser.add_argument("--owner", metavar="USER", help="whose posts they become; else the site's")
        parser.add_argument("--media-root", metavar="FOLDER", help="where its files are; else the folder of the file")
        parser.add_argument("--timezone", default="", metavar="ZONE", help="of times without one; else TIME_ZONE")
        parser.add_argument("--start-at", metavar="TIME", help="when what is overdue begins to go out; else now")
        parser.add_argument(
            "--interval", type=float, default=60, metavar="MINUTES", help="between two that are overdue; else 60"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import or try the rows; end with code 1 if any was skipped."""
        zone, path = options["timezone"] or get_default_timezone_name(), Path(options["file"])
        if zone_problems(zone):
            raise CommandError(_one_line(zone_problems(zone)[0].message))
        if not 0 <= options["interval"] < MOST_MINUTES:
            raise CommandError("--interval is 0 or more minutes, and less than ten years")
        work = LegacyImport(
            owner=_owner(options["owner"]),
            media_root=_folder(options["media_root"] or path.parent),
            zone=zone,
            start_at=_start(options["start_at"], zone),
            interval=timedelta(minutes=options["interval"]),
            is_trial=options["dry_run"],
        )
        try:
            table = read_jobs(path, zone)
        except Refused as error:
            raise CommandError(_one_line(error)) from None
        self._tell_columns(table)
        totals: Counter[Kind] = Counter()
        for number, job in enumerate(table.jobs, 1):
            verdict = work.take(job)
            totals[verdict.kind] += 1
            if options["dry_run"] or verdict.note or verdict.kind == "skipped":
                self._print(verdict)
            self._progress(number, len(table.jobs))
        told = ", ".join(f"{totals[kind]:,} {words}" for kind, words in WORDS.items() if totals[kind]) or "no rows"
        self.stdout.write(f"{'Would be' if options['dry_run'] else 'Done'}: {told}")
        if totals["skipped"]:
            raise CommandError(f"{totals['skipped']:,} rows were skipped; mend what is said above and run this again")

    def _tell_columns(self, table: LegacyTable) -> None:
        found = ", ".join(f"{field} from {_one_line(name)}" for field, name in table.found.items() if name)
        absent = ", ".join(field for field, name in table.found.items() if not name)
        self.stderr.write(f"Read: {found}" + (f". Not found: {absent}" if absent else ""))

    def _print(self, verdict: Verdict) -> None:
        job, text = verdict.job, _one_line(verdict.job.text)[:EXCERPT_CHARACTERS]
        made = f"skipped: {verdict.made}" if verdict.kind == "skipped" else verdict.made
        note, said = f" ({verdict.note})" if verdict.note else "", f": “{text}”" if text else ""
        self.stdout.write(_one_line(f"Row {job.id} ({job.platform}): {made}{note}{said}"))

    def _progress(self, done: int, total: int) -> None:
        if self.stderr.isatty() and (done % PROGRESS_EVERY == 0 or done == total):
            self.stderr.write(f"\r{done:,} of {total:,} rows", ending="\n" if done == total else "")


def _owner(name: str | None) -> User | None:
    if not name:
        return None
    users = get_user_model()
    owner = users.objects.filter(**{users.USERNAME_FIELD: name}).first()
    if owner is None:
        raise CommandError(f"There is no user {_one_line(name)}")
    return owner


def _folder(given: str | Path) -> Path:
    folder = Path(given)
    if not folder.is_dir():
        raise CommandError(f"There is no folder {_one_line(folder)}")
    return folder


def _start(given: str | None, zone: str) -> datetime:
    now = clock.now()
    if not given:
        return now
    try:
        at = datetime.fromisoformat(given)
        at = at if at.tzinfo is not None else resolve_wall_time(at, zone)
    except (WallTimeError, ValueError) as error:
        raise CommandError(f"--start-at: {_one_line(error)}") from None
    if at < now:
        raise CommandError("--start-at is in the past; leave it out to begin now")
    return at


def _one_line(text: object) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(str(text).split()))
