"""Take back the jobs of workers that are gone, and drop what has expired; clusters do the same every few seconds."""

from __future__ import annotations

from typing import Any

from queue_app import rescue
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    help = "Take back the jobs of workers that are gone, at once."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many jobs were taken back."""
        rescued = rescue.rescue()
        self.stdout.write(f"Took back {rescued} job{'' if rescued == 1 else 's'} of workers that are gone.")
