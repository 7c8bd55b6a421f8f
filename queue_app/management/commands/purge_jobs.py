"""Delete finished jobs older than some days."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from queue_app import conf
from queue_app.management.base import OneLineCommand
from queue_app.purge import candidates, purge
from queue_app.states import FINISHED, JobState


class Command(OneLineCommand):
    """Delete finished jobs with their attempts and events, in batches; jobs that are not finished stay."""

    help = "Delete finished jobs older than --days days. Jobs that are not finished are never deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --days, --status and --dry-run."""
        parser.add_argument("--days", type=float, default=None, help="age in days (default: PURGE_AFTER_DAYS)")
        parser.add_argument(
            "--status",
            nargs="+",
            action="extend",
            choices=[state.value for state in FINISHED],
            help="only these states (default: completed and cancelled)",
        )
        parser.add_argument("--dry-run", action="store_true", help="count, delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge and print the count."""
        days = conf.get("PURGE_AFTER_DAYS") if options["days"] is None else options["days"]
        if not 0 <= days < 100_000:
            raise CommandError(f"--days is a number of days from 0 to 100000, not {days:g}")
        states = options["status"] or [JobState.COMPLETED, JobState.CANCELLED]
        found = candidates(days, states).count()
        if options["dry_run"]:
            self.stdout.write(f"{found} jobs would be deleted")
            return
        deleted = purge(days, states, progress=lambda done: self._progress(done, found))
        self.stdout.write(f"{deleted} jobs deleted")

    def _progress(self, done: int, total: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{done} of {total} jobs deleted", ending="\n" if done >= total else "")
