"""Take back the jobs of workers that are gone, and drop what has expired; clusters do the same every few seconds."""

from __future__ import annotations

from typing import Any

from queue_app import conf, rescue, silence
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    help = "Take back the jobs of workers that are gone. Listens for one lease to workers that look silent."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many jobs were taken back, and how many were left with a worker that only looked silent."""
        rescued = rescue.recover()
        suspects = rescue.of_silent_workers()
        if suspects:
            self.stdout.write(
                f"Not heard of lately: the workers of {_jobs(len(suspects))}. The database may have been away or a "
                f"clock set, so nothing is taken from them before {conf.get('LEASE_SECONDS'):g} seconds of silence."
            )
        taken = sum(rescue.take_from_lost_worker(job) for job in silence.watch(suspects))
        self.stdout.write(f"Took back {_jobs(rescued + taken)} of workers that are gone.")
        if taken < len(suspects):
            self.stdout.write(f"Left {_jobs(len(suspects) - taken)}: heard of meanwhile, or no longer running.")


def _jobs(number: int) -> str:
    return f"{number} job{'' if number == 1 else 's'}"
