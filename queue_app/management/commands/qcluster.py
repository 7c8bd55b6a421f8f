"""django-q2's qcluster, hardened, with the durable queue's jobs. Steps aside where Q_CLUSTER names another broker."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django_q.management.commands.qcluster import Command as StockCommand

from queue_app import conf, given
from queue_app.cluster import DEFAULT_QUEUE, JobCluster, Plan, names_other_broker
from queue_app.management.base import OneLineCommand
from queue_app.routes import QUEUE_CHARACTERS


class Command(OneLineCommand, StockCommand):  # type: ignore[misc]  # django-q2 has no types
    """``--name`` is the queue to serve; ``--run-once`` works until nothing is due, then stops."""

    help = "Run the jobs and tasks of one queue."
    requires_system_checks = "__all__"

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        if names_other_broker():
            self.stderr.write("Q_CLUSTER names another broker: this serves its tasks; run manage.py workers for jobs.")
            super().handle(*args, **options)
            return
        _ = settings.SECRET_KEY  # raises, as tasks are signed with it
        name = options["cluster_name"] or os.environ.get("Q_CLUSTER_NAME") or DEFAULT_QUEUE
        try:
            given.word("a queue's name", name, QUEUE_CHARACTERS, spaces=True)
        except ValueError as error:
            raise CommandError(str(error)) from None
        JobCluster([Plan(name, int(conf.get("WORKERS")))]).run(once=options["run_once"])
