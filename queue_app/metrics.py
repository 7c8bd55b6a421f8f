"""What a monitor is told, read from the database at each look: no process has counters of its own.

Owns the names, labels and meaning of the metrics; ``exposition.py`` writes them as Prometheus reads them. Other apps
add theirs: ``@metric_source``. Every label has few values, so that there are never more than some hundred series.
"""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import django
from django.db import Error as DatabaseError
from django.db.models import Count

from queue_app import blocks, clock, health, limits, workers
from queue_app.database import is_postgresql
from queue_app.models import Breaker, Job, Limit, Total, TotalName, Worker
from queue_app.selectors import internal_types
from queue_app.states import JobState
from queue_app.stats import Waiting, ended_last_hour
from queue_app.totals import BOUNDS

Kind = Literal["gauge", "counter", "histogram"]
PREFIX = "socialq_"
LABEL_CHARACTERS = 200
# Series of labels whose values a site makes up.
MOST_SERIES = 300
MOST_QUEUES = 100
MOST_LIMITS = 50

Source = Callable[[], Iterable["Metric"]]
_sources: list[Source] = []


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many fell into each bucket (one more than ``bounds``), and their sum in seconds."""

    bounds: Sequence[float]
    counts: Sequence[int]
    seconds: float


@dataclass(slots=True)
class Metric:
    """One metric: ``name`` without the prefix, and a value for each combination of its ``labels``."""

    name: str
    help: str
    kind: Kind = "gauge"
    labels: tuple[str, ...] = ()
    samples: list[tuple[tuple[str, ...], float | Histogram]] = field(default_factory=list)

    def add(self, value: float | Histogram, *labels: str) -> None:
        """Add one series."""
        self.samples.append((tuple(str(label)[:LABEL_CHARACTERS] for label in labels), value))


def metric_source(source: Source) -> Source:
    """Have ``collect`` ask this function, too: it reads a few metrics and raises nothing but DatabaseError.

    For the ``jobs.py`` of an app. Labels must have few values, and none that is secret or names a person.
    """
    _sources.append(source)
    return source


def collect() -> list[Metric]:
    """Return every metric as it is now. Where the database cannot be used, that alone is told."""
    up = Metric("database_up", "Whether the queue's database could be read: 1 or 0.")
    took = Metric("scrape_seconds", "How long it took to read all this from the database.")
    began = time.monotonic()
    try:
        found = [metric for source in (_of_queue, *_sources) for metric in source()]
        up.add(1)
    except DatabaseError:
        found = []
        up.add(0)
    took.add(time.monotonic() - began)
    return [_build(), up, took, *found]


def _build() -> Metric:
    metric = Metric(
        "build_info", "Always 1; the labels say what runs.", labels=("version", "python", "django", "database")
    )
    database = "postgresql" if is_postgresql() else "sqlite"
    metric.add(1, workers.software_version(), platform.python_version(), django.get_version(), database)
    return metric


def _of_queue() -> Iterator[Metric]:
    now = clock.now()
    living = list(workers.alive(now))
    yield _jobs()
    yield from _queues(Waiting(now), {queue for worker in living for queue in worker.queues})
    yield from _workers(living, now)
    yield from _last_hour(now)
    yield from _gates(now)
    yield from _totals()


def _jobs() -> Metric:
    metric = Metric("jobs", "Jobs that are kept, by state and type.", labels=("state", "type"))
    rows = Job.objects.exclude(type__in=internal_types()).values_list("state", "type").order_by()
    counted = sorted(rows.annotate(Count("id")), key=lambda row: (-row[2], row))
    for state, type_name, number in counted[:MOST_SERIES]:
        metric.add(number, state, type_name)
    return metric


def _queues(waiting: Waiting, served: set[str]) -> Iterator[Metric]:
    jobs = Metric(
        "queue_jobs",
        "Jobs of a queue: pending ones, of these due and parked (behind a pause or limit), and running ones.",
        labels=("queue", "state"),
    )
    oldest = Metric(
        "queue_oldest_due_seconds",
        "For how long the job of the queue that waits longest has been due; 0 where none is.",
        labels=("queue",),
    )
    due_for, by_queue = waiting.oldest_due_seconds_by_queue(), waiting.by_queue()
    for queue in sorted({*by_queue, *served})[:MOST_QUEUES]:
        for state in ("pending", "due", "running", "parked"):
            jobs.add(by_queue.get(queue, {}).get(state, 0), queue, state)
        oldest.add(due_for.get(queue, 0.0), queue)
    total = Metric("jobs_due", "Jobs that a worker could take now, in all queues.")
    total.add(waiting.due)
    longest = Metric("oldest_due_seconds", "For how long the job that waits longest has been due; 0 where none is.")
    longest.add(max(due_for.values(), default=0.0))
    yield from (jobs, oldest, total, longest)


def _workers(living: list[Worker], now: datetime) -> Iterator[Metric]:
    running = Job.objects.filter(state=JobState.RUNNING, worker__isnull=False)
    busy = set(running.values_list("worker", flat=True))
    by_state = Metric(
        "workers",
        "Worker processes: alive, of these busy, and missing (fell silent without stopping, in the last hour).",
        labels=("state",),
    )
    by_state.add(len(living), "alive")
    by_state.add(sum(worker.pk in busy for worker in living), "busy")
    by_state.add(health.missing_workers(living, now), "missing")
    by_queue = Metric(
        "queue_workers",
        "Living workers that serve a queue, and those of them that are busy; one may serve several queues.",
        labels=("queue", "state"),
    )
    alive: Counter[str] = Counter(queue for worker in living for queue in worker.queues)
    working: Counter[str] = Counter(queue for worker in living if worker.pk in busy for queue in worker.queues)
    for queue in sorted(alive)[:MOST_QUEUES]:
        by_queue.add(alive[queue], queue, "alive")
        by_queue.add(working[queue], queue, "busy")
    yield from (by_state, by_queue)


def _last_hour(now: datetime) -> Iterator[Metric]:
    ended = ended_last_hour(now)
    ratio = Metric(
        "success_ratio", "Of the jobs that ended in the last hour the share that completed; 1 where none did."
    )
    ratio.add(1.0 if ended["success_rate"] is None else ended["success_rate"])
    jobs = Metric("last_hour_jobs", "Jobs that ended in the last hour.", labels=("outcome",))
    for outcome in ("completed", "failed"):
        jobs.add(ended[f"{outcome}_last_hour"], outcome)
    yield from (ratio, jobs)


def _gates(now: datetime) -> Iterator[Metric]:
    standing = Metric("blocks", "What keeps a key from running now, by kind.", labels=("kind",))
    for kind, number in sorted(blocks.count_by_kind(now).items()):
        standing.add(number, kind)
    breakers = Metric("breakers_open", "Keys that are left alone because they failed again and again.")
    breakers.add(Breaker.objects.filter(open_until__gt=now).count())
    room = Metric(
        "limit_remaining",
        f"How many more starts a limit allows now; of the {MOST_LIMITS} limits that were used last.",
        labels=("limit",),
    )
    for key in Limit.objects.order_by("-used", "key").values_list("key", flat=True)[:MOST_LIMITS]:
        left = limits.remaining(key)
        if left is not None:
            room.add(left, key)
    yield from (standing, breakers, room)


def _totals() -> Iterator[Metric]:
    by_name: dict[str, Metric] = {
        TotalName.ENDED: Metric(
            "jobs_ended", "Jobs that ended, since counting began.", "counter", ("queue", "type", "outcome")
        ),
        TotalName.ATTEMPTS: Metric(
            "attempts_ended",
            "Executions that ended, by how, and by the class of the error.",
            "counter",
            ("queue", "type", "outcome", "error"),
        ),
        TotalName.LATENESS: Metric(
            "start_lateness_seconds",
            "From a job's due time to its start, with what it waited behind pauses and limits.",
            "histogram",
            ("queue", "type"),
        ),
        TotalName.DURATION: Metric(
            "attempt_duration_seconds", "How long executions took whose end is known.", "histogram", ("queue", "type")
        ),
    }
    for row in Total.objects.filter(name__in=by_name).order_by("name", "queue", "type", "outcome", "error"):
        metric = by_name[row.name]
        value = Histogram(BOUNDS[row.name], row.counts, row.seconds) if row.name in BOUNDS else row.counts[0]
        metric.add(value, *(getattr(row, label) for label in metric.labels))
    yield from by_name.values()
