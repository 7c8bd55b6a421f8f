"""Run clusters: one for a queue, or one for each of several queues, whatever broker the site's other tasks have."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from queue_app import autoscale, conf, given
from queue_app.autoscale import MOST_WORKERS, Bounds
from queue_app.cluster import DEFAULT_QUEUE, JobCluster, Plan
from queue_app.management.base import OneLineCommand
from queue_app.routes import QUEUE_CHARACTERS
from queue_app.status_line import StatusLine

LONGEST_NUMBER = 9


class Command(OneLineCommand):
    help = "Run the jobs of one queue or of several. Where Q_CLUSTER names no other broker, qcluster does one, too."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which queues, with how many workers."""
        parser.add_argument("--queue", help=f"the queue to serve (default: {DEFAULT_QUEUE})")
        parser.add_argument("--workers", type=int, help="its workers (default: the setting WORKERS)")
        parser.add_argument("--config", help="several queues with their workers: facebook=3,instagram=2,linkedin=1")
        parser.add_argument("--autoscale", action="store_true", help="adapt the workers of each queue to what waits")
        parser.add_argument("--run-once", action="store_true", help="stop when nothing is due")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        _ = settings.SECRET_KEY  # raises, as tokens are signed with it
        try:
            bounds = autoscale.bounds() if options["autoscale"] else None
            plans = _plans(options, bounds)
        except ValueError as error:
            raise CommandError(str(error)) from None
        status = StatusLine(self.stdout, int(conf.get("AUTOSCALE_UP_OVER")))
        JobCluster(plans, watch=status).run(once=options["run_once"])
        status.end()


def _plans(options: dict[str, Any], bounds: Bounds | None) -> list[Plan]:
    """Return what to run. Raises ValueError for options that contradict each other or a number that cannot be meant."""
    if options["config"] is None:
        workers = int(conf.get("WORKERS")) if options["workers"] is None else options["workers"]
        if bounds is not None and options["workers"] is None:
            workers = max(bounds.least, min(workers, bounds.most))
        return [_plan(options["queue"] or DEFAULT_QUEUE, workers, bounds)]
    if options["queue"] is not None or options["workers"] is not None:
        raise ValueError("--config names queues and workers itself: leave --queue and --workers out")
    pairs = [_pair(entry.strip()) for entry in options["config"].split(",")]
    names = [name for name, _workers in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"--config names {twice} twice: give each queue once")
    return [_plan(name, workers, bounds) for name, workers in pairs]


def _pair(entry: str) -> tuple[str, int]:
    name, divides, workers = (part.strip() for part in entry.partition("="))
    if not (divides and name and workers.isdecimal() and len(workers) <= LONGEST_NUMBER):
        raise ValueError(
            f"--config lists queue=workers by commas, like facebook=3,instagram=2; {entry[:40]!r} is not one"
        )
    return name, int(workers)


def _plan(name: str, workers: int, bounds: Bounds | None) -> Plan:
    given.word("a queue's name", name, QUEUE_CHARACTERS, spaces=True)
    least, most = (bounds.least, bounds.most) if bounds is not None else (1, MOST_WORKERS)
    if not least <= workers <= most:
        raise ValueError(f"{name} can have {least} to {most} workers, not {workers}")
    return Plan(name, workers, bounds)
