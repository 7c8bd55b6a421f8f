"""Run the jobs of one queue, whatever broker django-q2 uses for the site's other tasks."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from queue_app.cluster import DEFAULT_QUEUE, JobCluster
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    help = "Run the jobs of one queue. Where Q_CLUSTER names no other broker, this is qcluster."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --queue and --run-once."""
        parser.add_argument("--queue", default=DEFAULT_QUEUE, help="the queue to serve (default: %(default)s)")
        parser.add_argument("--run-once", action="store_true", help="stop when nothing is due")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        _ = settings.SECRET_KEY  # raises, as tokens are signed with it
        JobCluster(options["queue"]).run(once=options["run_once"])
