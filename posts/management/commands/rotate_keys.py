"""Seal stored logins anew under the newest key: call the service, print."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from posts import credentials
from posts.services.keys import Rotation, rotate_keys
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    help = (
        "Seal all stored logins anew under the first key of SOCIALQ_ENCRYPTION_KEYS. Until it has run without a "
        "complaint, keep the older keys in the setting."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --dry-run and --json."""
        parser.add_argument("--dry-run", action="store_true", help="count and try to open, change nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and print how many; exit code 1 names what is left."""
        dry_run = options["dry_run"]
        rotation = rotate_keys(dry_run=dry_run, progress=self._progress)
        if options["json"]:
            facts = {"sealed": rotation.sealed, "unreadable": rotation.unreadable, "busy": rotation.busy}
            self.stdout.write(json.dumps({**facts, "dry_run": dry_run, "key": credentials.fingerprint()}))
        elif dry_run:
            self.stdout.write(f"{rotation.sealed} stored logins would be sealed anew; nothing was changed")
        else:
            self.stdout.write(f"{rotation.sealed} stored logins sealed anew with the key {credentials.fingerprint()}")
        complaint = _complaint(rotation)
        if complaint:
            raise CommandError(complaint)

    def _progress(self, done: int, total: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{done} of {total} looked at", ending="\n" if done >= total else "")


def _complaint(rotation: Rotation) -> str:
    said = []
    if rotation.unreadable:
        said.append(
            f"{len(rotation.unreadable)} cannot be opened: {', '.join(rotation.unreadable)}. Put the key they were "
            "sealed with back into SOCIALQ_ENCRYPTION_KEYS, or connect them again"
        )
    if rotation.busy:
        said.append(f"{', '.join(rotation.busy)} changed at the same time; run this again")
    return " ".join(" ".join(said).split())
