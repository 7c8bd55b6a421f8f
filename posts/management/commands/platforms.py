"""Print what each platform can do and what this site has set for it, from the code."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from posts.selectors.platforms import facts_of, matrix, shortcomings
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    help = (
        "Print the platforms: what they take, their limits, what a login must grant. With --check, say what this site "
        "lacks to use those that are enabled, and fail if there is anything."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--check", action="store_true", help="look at this site's settings; exit code 1 on a lack")
        parser.add_argument("--json", action="store_true", help="print one JSON object by platform")
        parser.add_argument("--markdown", action="store_true", help="print the table of docs/platforms.md")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print, and with --check judge."""
        if options["json"]:
            self.stdout.write(json.dumps({facts.name: facts.as_json() for facts in facts_of()}, indent=2))
        elif options["markdown"]:
            self.stdout.write(matrix())
        elif not options["check"]:
            for facts in facts_of():
                self.stdout.write("\n".join(facts.lines()))
        if options["check"]:
            lacks = shortcomings()
            for lack in lacks:
                self.stdout.write(lack)
            if lacks:
                raise CommandError(f"{len(lacks)} thing{'s'[: len(lacks) != 1]} to set; see above")
            self.stdout.write("Every enabled platform can be used.")
