"""Say why a job is not running, what keeps it, and about when it will run: read and print."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from queue_app import api
from queue_app.explain import TIME, explain, words
from queue_app.management.base import OneLineCommand
from queue_app.models import Event, Job

LAST_EVENTS = 10


class Command(OneLineCommand):
    """Print the job's state, its explanation and its last events, each on lines of its own."""

    help = "Say why a job is not running, everything that keeps it, and about when it will run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the job's id."""
        parser.add_argument("id", help="the job's id, a number")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the explanation."""
        try:
            job = api.get(options["id"])
        except (ValueError, api.JobNotFound) as error:
            raise CommandError(str(error)) from None
        explained = explain(job)
        lines = [f"{job}: {job.get_state_display()}", f"why: {explained.text or 'nothing keeps it'}"]
        if explained.expected_at is not None:
            lines.append(f"runs about: {explained.expected_at:{TIME}}")
        if len(explained.blockers) > 1:
            lines += ["what keeps it:", *(f"  {blocker.words} [{blocker.code}]" for blocker in explained.blockers)]
        newest = list(job.events.order_by("-id")[:LAST_EVENTS])
        lines += ["last events:", *(f"  {_told(job, event)}" for event in reversed(newest))]
        for line in lines:
            # What a platform said may have any characters; a line stays a line.
            self.stdout.write(line[: len(line) - len(line.lstrip())] + " ".join(line.split()))


def _told(job: Job, event: Event) -> str:
    change = f" {event.source or '-'} to {event.target}" if event.source != event.target else ""
    why = f": {words(job, event.reason)}" if event.reason else ""
    by = f" (by {event.actor})" if event.actor else ""
    return f"{event.at:{TIME}} {event.get_name_display()}{change}{why}{by}"
