"""Say whether the queue is healthy, for monitors: exit code 0 or 1."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from queue_app.health import health
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    """Print what is wrong, a line each, or ``healthy``; with --json as one object."""

    help = "Say what is wrong with the queue, if anything; exit code 1 if something is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --json."""
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print, and end with code 1 where there are problems."""
        found = health()
        if options["json"]:
            self.stdout.write(json.dumps({"healthy": found.healthy, "problems": found.problems}))
        else:
            self.stdout.write("\n".join(found.problems) or "healthy")
        if not found.healthy:
            sys.exit(1)
