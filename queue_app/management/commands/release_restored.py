"""Say that a restored site is the one in service: let held jobs go, end the pause. Parse, call the service, print."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Max, Min

from queue_app import clock, restored
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    help = (
        "After a restore: without options count what it holds; --due-after and --all let jobs go and end the pause. "
        "Jobs that stay held are released or cancelled one by one, in the admin."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which jobs go."""
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--due-after",
            metavar="TIME",
            help="let those go, at their own times, that were not due before this time: give the one at which the old "
            "system stopped, with its offset (2030-01-31T14:00+00:00)",
        )
        which.add_argument("--all", action="store_true", help="let all go; what was due meanwhile runs now")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, or release and say what is left."""
        due_after = _moment(options["due_after"]) if options["due_after"] else None
        if due_after is not None or options["all"]:
            released = restored.release(due_after, actor=restored.ACTOR)
            self.stdout.write(f"{released:,} jobs go on at their times; the pause of the restore is over")
        held = restored.held_jobs()
        due = held.filter(run_at__lte=clock.now()).count()
        span = held.aggregate(first=Min("run_at"), last=Max("run_at"))
        if span["first"] is None:
            self.stdout.write("No job is held since a restore")
        else:
            self.stdout.write(
                f"{held.count():,} jobs are held since a restore, due from {span['first']:%Y-%m-%d %H:%M} to "
                f"{span['last']:%Y-%m-%d %H:%M} UTC; {due:,} of them are due by now and may have run already"
            )
        if restored.is_paused():
            self.stdout.write("Everything is paused since the restore")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"--due-after is a time with its offset like 2030-01-31T14:00+00:00, not {text[:40]!r}")
    return moment.astimezone(UTC)
