"""Examine a site: what is wrong and how to mend it; exit code 1 where something keeps it from its work."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from queue_app.doctor import examine
from queue_app.management.base import OneLineCommand

SIGNS = {"ok": "OK     ", "warning": "WARNING", "error": "ERROR  "}


class Command(OneLineCommand):
    """Print what was found, a line each, with how to mend it below; with --json as one object."""

    help = "Look at settings, database, disk, mail, workers, keys and networks; say what is wrong and how to mend it."
    requires_system_checks: list[str] = []  # it says itself what they find

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--offline", action="store_true", help="reach no other machine: no mail server, no network")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print, and end with code 1 where there are errors."""
        failed, found = False, []
        for finding in examine(offline=options["offline"]):
            failed = failed or finding.level == "error"
            if options["json"]:
                found.append(asdict(finding))
                continue
            self.stdout.write(f"{SIGNS[finding.level]} {finding.about}: {finding.says}")
            if finding.mend:
                self.stdout.write(f"        {finding.mend}")
        if options["json"]:
            self.stdout.write(json.dumps({"healthy": not failed, "findings": found}))
        if failed:
            sys.exit(1)
