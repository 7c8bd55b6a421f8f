"""Counts for people and monitors, exact. Reads only, by indexes, so that a million jobs are counted as well.

Housekeeping is left out: it is not what people queued.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Avg, Count, F, Min, Q

from queue_app import clock, workers
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST, Attempt, AttemptOutcome, Job
from queue_app.planning import PARKED, PENDING, UNPARKED, finished_since
from queue_app.selectors import internal_types, jobs_of
from queue_app.states import JobState

LAST_HOUR = timedelta(hours=1)


def counts() -> dict[str, int]:
    """Return the number of jobs in every state, zeros too, and their sum as ``total``."""
    found = dict(Job.objects.exclude(type__in=internal_types()).values_list("state").annotate(Count("id")).order_by())
    numbers = {state.value: found.get(state.value, 0) for state in JobState}
    return {**numbers, "total": sum(numbers.values())}


def statistics() -> dict[str, Any]:
    """Return ``counts()`` and what a monitor asks for beside them.

    ``by_priority`` {1..10: pending}; ``by_queue`` {name: {pending, due, running, parked}}, where pending includes due
    and parked; ``workers_active``, ``workers_busy``; ``oldest_due_seconds`` (``None``: nothing is due); and of the last
    hour ``completed_last_hour``, ``failed_last_hour``, ``success_rate`` (0 to 1; ``None``: nothing ended) and
    ``mean_run_seconds`` of the attempts (``None``: none).
    """
    now = clock.now()
    waiting = Waiting(now)
    return {
        **counts(),
        "by_priority": waiting.by_priority(),
        "by_queue": waiting.by_queue(),
        **_workers(now),
        "oldest_due_seconds": waiting.oldest_due_seconds(),
        **ended_last_hour(now),
        "mean_run_seconds": _mean_run_seconds(now),
    }


class Waiting:
    """The pending jobs at ``now``, counted by queue and priority. Made with three queries."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._pending: Counter[tuple[str, int]] = Counter()
        self._due: Counter[tuple[str, int]] = Counter()
        self._parked: Counter[tuple[str, int]] = Counter()
        self._first: dict[tuple[str, int], datetime] = {}
        self._with_internal: set[tuple[str, int]] = set()
        groups = Job.objects.values_list("queue", "priority").order_by()
        due = Count("id", filter=Q(run_at__lte=now))
        unparked = groups.filter(PENDING, UNPARKED).annotate(Count("id"), due=due, first=Min("run_at"))
        for queue, priority, number, due_number, first in unparked:
            self._pending[queue, priority] += number
            self._due[queue, priority] += due_number
            self._first[queue, priority] = first
        for queue, priority, number in groups.filter(PARKED).annotate(Count("id")):
            self._pending[queue, priority] += number
            self._parked[queue, priority] += number
        # The indexes above know no type: what is internal, a handful, is looked up by itself and taken off.
        internal = Job.objects.filter(state=JobState.PENDING, type__in=internal_types())
        for queue, priority, parked_by, run_at in internal.values_list("queue", "priority", "parked_by", "run_at"):
            self._pending[queue, priority] -= 1
            self._parked[queue, priority] -= bool(parked_by)
            self._due[queue, priority] -= not parked_by and run_at <= now
            self._with_internal.add((queue, priority))
        # Something may have changed between two of the queries: nothing is less than nothing.
        for numbers in (self._pending, self._due, self._parked):
            numbers += Counter()

    @property
    def due(self) -> int:
        """How many jobs a worker could take now."""
        return self._due.total()

    @property
    def parked(self) -> int:
        """How many jobs are set aside under a block."""
        return self._parked.total()

    @property
    def pending(self) -> int:
        """How many jobs wait, due or not, set aside or not."""
        return self._pending.total()

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The queues and priorities that have any of them."""
        return sorted(self._pending)

    def by_priority(self) -> dict[int, int]:
        """Return the number of pending jobs of each priority, zeros too."""
        numbers = dict.fromkeys(range(PRIORITY_FIRST, PRIORITY_LAST + 1), 0)
        for (_queue, priority), number in self._pending.items():
            numbers[priority] += number
        return numbers

    def by_queue(self) -> dict[str, dict[str, int]]:
        """Return the jobs of each queue that has any pending or running."""
        running = Counter(dict(jobs_of(JobState.RUNNING).values_list("queue").annotate(Count("id")).order_by()))
        columns = {"pending": _by_queue(self._pending), "due": _by_queue(self._due), "running": running}
        columns["parked"] = _by_queue(self._parked)
        queues = sorted({*columns["pending"], *running})
        return {queue: {name: numbers[queue] for name, numbers in columns.items()} for queue in queues}

    def due_before(self, moment: datetime) -> list[tuple[str, int]]:
        """Return each (queue, priority) with a job that was due before ``moment``."""
        first = {group: self._first_due(*group) for group in self._due}
        return sorted(group for group, run_at in first.items() if run_at is not None and run_at < moment)

    def oldest_due_seconds(self) -> float | None:
        """Return for how long the longest waiting due job has been due; ``None`` if none is."""
        return max(self.oldest_due_seconds_by_queue().values(), default=None)

    def oldest_due_seconds_by_queue(self) -> dict[str, float]:
        """Return the same for each queue with due jobs."""
        oldest: dict[str, float] = {}
        for queue, priority in self._due:
            run_at = self._first_due(queue, priority)
            if run_at is not None and run_at <= self._now:
                oldest[queue] = max(oldest.get(queue, 0.0), (self._now - run_at).total_seconds())
        return oldest

    def _first_due(self, queue: str, priority: int) -> datetime | None:
        if (queue, priority) not in self._with_internal:
            return self._first.get((queue, priority))
        rows = Job.objects.filter(PENDING, UNPARKED, queue=queue, priority=priority).exclude(type__in=internal_types())
        return rows.order_by("run_at", "id").values_list("run_at", flat=True).first()


def ended_last_hour(now: datetime) -> dict[str, Any]:
    """Return ``completed_last_hour``, ``failed_last_hour`` and ``success_rate``, see ``statistics``."""
    ended = Job.objects.filter(finished_since(now - LAST_HOUR)).exclude(type__in=internal_types())
    numbers = Counter(dict(ended.values_list("state").annotate(Count("id")).order_by()))
    completed, failed = numbers[JobState.COMPLETED], numbers[JobState.FAILED]
    rate = completed / (completed + failed) if completed + failed else None
    return {"completed_last_hour": completed, "failed_last_hour": failed, "success_rate": rate}


def _mean_run_seconds(now: datetime) -> float | None:
    """Return how long an attempt took, of jobs that ended in the last hour. A lost worker's end is not known."""
    since = now - LAST_HOUR
    attempts = Attempt.objects.filter(finished_since(since, "job__"), finished_at__gte=since)
    attempts = attempts.exclude(outcome=AttemptOutcome.LOST).exclude(job__type__in=internal_types())
    mean: timedelta | None = attempts.aggregate(mean=Avg(F("finished_at") - F("started_at")))["mean"]
    return mean.total_seconds() if mean is not None else None


def _workers(now: datetime) -> dict[str, int]:
    living = set(workers.alive(now).values_list("pk", flat=True))
    busy = set(Job.objects.filter(state=JobState.RUNNING, worker__isnull=False).values_list("worker", flat=True))
    return {"workers_active": len(living), "workers_busy": len(living & busy)}


def _by_queue(numbers: Counter[tuple[str, int]]) -> Counter[str]:
    by_queue: Counter[str] = Counter()
    for (queue, _priority), number in numbers.items():
        by_queue[queue] += number
    return by_queue
