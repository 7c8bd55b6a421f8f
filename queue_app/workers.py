"""The workers table: who runs jobs, and since when each was last heard of."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version

from django.db.models import Q, QuerySet

from queue_app import clock, conf, processes, registry
from queue_app.models import Worker


def register(cluster: str, queues: Mapping[str, int]) -> Worker:
    """Write down the calling process as a worker of ``cluster``."""
    now = clock.now()
    pid = os.getpid()
    return Worker.objects.create(
        name=f"{processes.host().partition('/')[0]}-{pid}-{uuid.uuid4().hex[:6]}",
        cluster=cluster,
        queues=dict(queues),
        host=processes.host(),
        pid=pid,
        start_ticks=processes.start_ticks(pid),
        version=software_version(),
        types=sorted(registry.known()),
        started_at=now,
        heartbeat_at=now,
    )


def heartbeat(cluster: str) -> None:
    """Say that every worker of ``cluster`` lives."""
    Worker.objects.filter(cluster=cluster, stopped_at=None).update(heartbeat_at=clock.now())


def stopped(cluster: str, pid: int | None = None) -> None:
    """Write down that a worker of ``cluster``, or all of them, have ended."""
    ended = Worker.objects.filter(cluster=cluster, stopped_at=None)
    if pid is not None:
        ended = ended.filter(pid=pid)
    ended.update(stopped_at=clock.now())


def alive(now: datetime) -> QuerySet[Worker]:
    """Return the workers heard of within the lease, less those of this host whose process is gone."""
    recent = Worker.objects.filter(stopped_at=None, heartbeat_at__gt=now - timedelta(seconds=conf.get("LEASE_SECONDS")))
    dead = [
        worker.pk
        for worker in recent.filter(host=processes.host())
        if not processes.is_alive(worker.pid, worker.start_ticks)
    ]
    return recent.exclude(pk__in=dead)


def first_cluster(now: datetime) -> str:
    """Return one cluster of those with living workers, the same for whoever asks, "" if there is none."""
    return alive(now).order_by("cluster").values_list("cluster", flat=True).first() or ""


def known_types(now: datetime) -> set[str]:
    """Return the job types that any living worker knows."""
    return {name for types in alive(now).values_list("types", flat=True) for name in types}


def types_known_since(moment: datetime) -> set[str]:
    """Return the job types that workers know or knew which were heard of, or stopped, after ``moment``."""
    heard = Worker.objects.filter(Q(heartbeat_at__gt=moment) | Q(stopped_at__gt=moment))
    return {name for types in heard.values_list("types", flat=True) for name in types}


def software_version() -> str:
    """Return the installed version of this distribution, or "source" where it is not installed."""
    try:
        return version("socialq")
    except PackageNotFoundError:
        return "source"
