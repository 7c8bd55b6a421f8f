"""Bring a backup back: parse, ask, call the services, print."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from queue_app.backup import parts
from queue_app.backup.archive import reading
from queue_app.backup.manifest import BackupError, Manifest
from queue_app.backup.restoring import Restored, require_fitting, require_nobody, restore, what_is_there
from queue_app.management.base import OneLineCommand, progress_line

REPLACE = "replace"


class Command(OneLineCommand):
    help = (
        "Put a backup in the place of this site's database and files. Afterwards everything is paused and every job "
        "that was unfinished is held, until release_restored: it may have run since. See docs/backup.md."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and the options."""
        parser.add_argument("file", help="a file that manage.py backup has written; restore only files of your own")
        parser.add_argument("--replace", action="store_true", help="also where the database is not empty")
        parser.add_argument("--yes", action="store_true", help="replace without asking")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look at everything first, ask where something is lost, restore."""
        began = time.monotonic()
        try:
            with progress_line(self.stderr) as progress, reading(Path(options["file"])) as archive:
                require_fitting(archive.manifest)
                require_nobody()
                archive.verify(progress)
                for doubt in parts.doubts(archive.manifest.parts):
                    self.stderr.write(f"Warning: {doubt}")
                self._ask(what_is_there(), archive.manifest, options)
                done = restore(archive, progress=progress)
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Restored in {time.monotonic() - began:.1f} s")
        self._print(done)

    def _ask(self, there: str, manifest: Manifest, options: dict[str, Any]) -> None:
        if not there:
            return
        if not options["replace"]:
            raise CommandError(f"The database is not empty: it has {there}. Add --replace to lose that")
        if options["yes"]:
            return
        if not sys.stdin.isatty():
            raise CommandError(f"This would replace {there}, and nobody is there to be asked: add --yes")
        self.stdout.write(f"This replaces {there} by the backup of {manifest.created_at:%Y-%m-%d %H:%M} UTC.")
        with suppress(EOFError):
            if input(f"Type “{REPLACE}” to go on: ").strip() == REPLACE:
                return
        raise CommandError("Nothing was changed")

    def _print(self, done: Restored) -> None:
        if done.kept is not None:
            self.stdout.write(f"The database of before is kept as {done.kept}; delete it when you are content")
        for words in done.words:
            self.stdout.write(words)
        if done.held.to_review:
            self.stdout.write(
                f"{done.held.to_review:,} jobs need review: they were being sent when the backup was made"
            )
        self.stdout.write(
            f"Everything is paused, and {done.held.held:,} jobs are held: what was due since the backup may be out "
            "already. Look at each network, then see manage.py release_restored --help"
        )
