"""Write posts, accounts without logins, files and series into one archive: parse, call the service, print."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from posts.services.archive_export import export_archive
from posts.services.archive_owners import user_named
from posts.services.errors import ServiceError
from queue_app.management.base import OneLineCommand, progress_line

KINDS = {
    "posts": "posts",
    "accounts": "accounts",
    "media": "records of files",
    "files": "files",
    "files_missing": "files that are missing here",
    "recurrences": "series",
}


class Command(OneLineCommand):
    help = "Write posts with all that they use into one archive, which any SocialQ takes in. See docs/archive.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and what goes into it."""
        parser.add_argument("file", help="the zip file to write")
        parser.add_argument("--owner", action="append", default=[], help="only this user's; may be given several times")
        parser.add_argument(
            "--since", metavar="DAY", help="only posts written since then: 2030-01-31, or a time in UTC"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Export and say how much of what."""
        for name in options["owner"]:
            if user_named(name) is None:
                raise CommandError(f"There is no user “{name[:150]}”")
        since = _moment(options["since"]) if options["since"] else None
        try:
            with progress_line(self.stderr) as progress:
                counts = export_archive(Path(options["file"]), owners=options["owner"], since=since, progress=progress)
        except ServiceError as error:
            raise CommandError(str(error)) from None
        said = ", ".join(f"{counts[kind]:,} {words}" for kind, words in KINDS.items() if counts[kind])
        self.stdout.write(f"{options['file']} is written: {said or 'nothing was found'}")
        self.stdout.write("Logins are not in it: where it is imported the accounts must be connected")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--since is a day like 2030-01-31, not {text[:40]!r}") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
