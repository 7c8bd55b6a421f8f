"""Back the site up into one file, or verify such a file: call the services, print."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.template.defaultfilters import filesizeformat

from queue_app import clock
from queue_app.backup.making import make_backup, verify_backup
from queue_app.backup.manifest import BackupError, Manifest
from queue_app.management.base import OneLineCommand, progress_line


class Command(OneLineCommand):
    help = (
        "Write the database and the files that it names into one file, while the site goes on. The file holds no keys: "
        "keep SECRET_KEY and SOCIALQ_ENCRYPTION_KEYS elsewhere. See docs/backup.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and the options."""
        parser.add_argument("file", help="the file to write, or a folder, in which it is named after the time")
        parser.add_argument("--no-media", action="store_true", help="leave uploaded files out")
        parser.add_argument("--check", action="store_true", help="read FILE, compare its checksums, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make or verify it, then print what it holds, its size and how long it took."""
        path, began = Path(options["file"]), time.monotonic()
        try:
            with progress_line(self.stderr) as progress:
                if options["check"]:
                    manifest = verify_backup(path, progress=progress)
                else:
                    path = path / f"socialq-{clock.now():%Y%m%d-%H%M%S}.tar" if path.is_dir() else path
                    manifest = make_backup(path, with_media=not options["no_media"], progress=progress)
        except BackupError as error:
            raise CommandError(str(error)) from None
        word = "is whole" if options["check"] else "is written"
        size = filesizeformat(path.stat().st_size).replace("\xa0", " ")
        self.stdout.write(f"{path} {word}: {size} in {time.monotonic() - began:.1f} s")
        for line in _lines(manifest):
            self.stdout.write(line)


def _lines(manifest: Manifest) -> list[str]:
    rows = sum(manifest.counts.values())
    database = f"{manifest.vendor} {manifest.server}, {rows:,} rows in {len(manifest.counts)} tables"
    lines = [f"Database of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC, by version {manifest.version}: {database}"]
    if not manifest.with_media:
        return [*lines, "Uploaded files were left out"]
    lines.append(f"{len(manifest.files):,} files")
    if manifest.absent:
        lines.append(f"{manifest.absent:,} files that rows name had been deleted, and are not in it")
    if manifest.elsewhere:
        lines.append(f"{manifest.elsewhere:,} files lie in an object store, and are not in it: back that up by itself")
    return lines
