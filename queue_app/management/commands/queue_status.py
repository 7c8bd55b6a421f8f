"""Count the jobs in every state."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from queue_app import clock, workers
from queue_app.api import stats
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    """Print how many jobs are in each state; with --json as one object."""

    help = "Count the jobs in every state."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --json."""
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the counts."""
        counts = stats()
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        for name, number in counts.items():
            self.stdout.write(f"{name:<10} {number:>8}")
        living = workers.alive(clock.now()).count()
        self.stdout.write(f"{'workers':<10} {living:>8}")
