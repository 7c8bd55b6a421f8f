"""Watches workers that look silent, for a process that has no heartbeat of its own. Takes no job itself.

After the database was away, or a clock was set, every worker looks silent until it beats again. A cluster knows by its
own heartbeats since when the others could have been heard; whoever has none must listen for a whole lease first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.db.models import F

from queue_app import clock, conf
from queue_app.models import Job, Worker

LOOKS_IN_A_LEASE = 10
LONGEST_PAUSE_SECONDS = 1.0


def watch(suspects: Sequence[Job]) -> list[Job]:
    """Return those of running jobs whose workers were not heard of in a lease in which they could have been.

    Takes that long, or until all were heard of. Call it outside a transaction.
    """
    lease = float(conf.get("LEASE_SECONDS"))
    silent = {job.worker.pk: job.worker.heartbeat_at for job in suspects if job.worker is not None}
    looked_at = clock.steady_seconds()
    until = looked_at + lease
    while silent and looked_at < until:
        time.sleep(min(lease / LOOKS_IN_A_LEASE, LONGEST_PAUSE_SECONDS))
        workers = Worker.objects.filter(pk__in=silent)
        # What a heartbeat needs: a database that is locked, full or away lets nobody be heard.
        workers.update(host=F("host"))
        last, looked_at = looked_at, clock.steady_seconds()
        if looked_at - last > lease / 2:
            until = looked_at + lease
        silent = {pk: beat for pk, beat in workers.values_list("pk", "heartbeat_at") if beat == silent[pk]}
    return [job for job in suspects if job.worker_id in silent]
