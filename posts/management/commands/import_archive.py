"""Bring an archive into this site: parse, call the service, print."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from posts.services.archive_file import opened
from posts.services.archive_import import ArchiveImport, Report
from posts.services.errors import ServiceError
from queue_app.management.base import OneLineCommand, progress_line

KINDS = ("accounts", "media", "recurrences", "posts")


class Command(OneLineCommand):
    help = (
        "Take in what export_archive has written; what is here already stays as it is, so it can be run again. What is "
        "out becomes history, what was scheduled becomes drafts. See docs/archive.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and the options."""
        parser.add_argument("file", help="a zip file that manage.py export_archive has written")
        parser.add_argument("--dry-run", action="store_true", help="read and check all of it, write nothing")
        parser.add_argument(
            "--schedule",
            action="store_true",
            help="schedule what was scheduled, where its accounts are connected here: once the other site has stopped",
        )
        parser.add_argument(
            "--owner-map",
            action="append",
            default=[],
            metavar="OLD=NEW",
            help="who takes over what OLD owned there; “OLD=” for nobody, “*=NEW” for all others",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Look or import, and say what is new."""
        owners = dict(_pair(entry) for entry in options["owner_map"])
        try:
            with progress_line(self.stderr) as progress, opened(Path(options["file"])) as archive:
                work = ArchiveImport(archive, owners=owners, schedule=options["schedule"], progress=progress)
                report = work.look() if options["dry_run"] else work.run()
        except ServiceError as error:
            raise CommandError(" ".join(str(error).split())) from None
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror or error}") from None
        self._print(report, "would be new" if options["dry_run"] else "new")

    def _print(self, report: Report, word: str) -> None:
        for kind in KINDS:
            if report.new[kind] or report.known[kind]:
                self.stdout.write(f"{kind}: {report.new[kind]:,} {word}, {report.known[kind]:,} here already")
        if report.scheduled:
            self.stdout.write(f"{report.scheduled:,} posts are scheduled")
        if report.waiting:
            self.stdout.write(
                f"{report.waiting:,} posts that were scheduled are drafts: the other site may publish them"
            )
        for note in report.notes:
            self.stdout.write(" ".join(note.split()))
        if report.new["accounts"]:
            self.stdout.write("The new accounts came without logins: connect each before anything can go out")


def _pair(entry: str) -> tuple[str, str]:
    old, divides, new = entry.partition("=")
    if not divides or not old:
        raise CommandError(f"--owner-map is OLD=NEW, not {entry[:60]!r}")
    return old, new
