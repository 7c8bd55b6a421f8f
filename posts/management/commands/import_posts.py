"""Make posts from a CSV file, from the command line: parse, call the services, print."""

from __future__ import annotations

import hashlib
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.core.management.base import CommandError
from django.utils.timezone import get_default_timezone_name

from posts.services.csv_import import CsvImport, Verdict
from posts.services.csv_reading import decoded, read_table
from posts.services.errors import ValidationFailed
from posts.services.validation import zone_problems
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    help = "Make posts from a CSV file; the same file twice makes none a second time. See docs/csv.md for its columns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and the options."""
        parser.add_argument("file", help="a CSV file in UTF-8, with the names of the columns in its first row")
        parser.add_argument("--dry-run", action="store_true", help="say what would become of each row; save nothing")
        parser.add_argument("--timezone", default="", metavar="ZONE", help="of times without one; else TIME_ZONE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Try or import the rows; end with code 1 if any was refused."""
        zone = options["timezone"] or get_default_timezone_name()
        try:
            content = Path(options["file"]).read_bytes()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise CommandError(f"The file {_one_line(options['file'])} cannot be read: {reason}") from None
        if zone_problems(zone):
            raise CommandError(_one_line(zone_problems(zone)[0].message))
        try:
            work = CsvImport(read_table(decoded(content)), None, zone)
        except ValidationFailed as error:
            raise CommandError(_one_line(error)) from None
        for note in work.table.notes:
            self.stderr.write(_one_line(note))
        if options["dry_run"]:
            verdicts = work.try_rows()
        else:
            token = uuid5(NAMESPACE_URL, hashlib.sha256(content).hexdigest())
            verdicts = [work.import_row(row, token) for row in work.table.rows]
        for verdict in verdicts:
            self._print(verdict)
        refused = sum(not verdict.is_good for verdict in verdicts)
        if refused:
            raise CommandError(f"{refused} of {len(verdicts)} rows were refused; the others are as said above")

    def _print(self, verdict: Verdict) -> None:
        post = f" post {verdict.post_id}:" if verdict.post_id else ""
        if verdict.is_good:
            self.stdout.write(f"Row {verdict.number}:{post} {_one_line(verdict.made)}")
        for kind, found in [("refused", verdict.problems), ("warning", verdict.warnings)]:
            for finding in found:
                said = f"{finding.field}: {finding.message}" if finding.field else finding.message
                self.stdout.write(f"Row {verdict.number}: {kind}: {_one_line(said)}")


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
