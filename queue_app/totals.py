"""Totals that never go down: what ended, how late it began, how long it took. Purging takes nothing off them.

Counted from the event log, each event once: what a look adds and how far it has read are one transaction, so that any
number of clusters may look. Reads events, attempts and jobs; writes its own table alone. The queue's own work is left
out. A start whose job has got another due time by the time of the look (tried again within seconds) has no lateness.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import add

from queue_app.database import atomic
from queue_app.models import Attempt, AttemptOutcome, Event, Job, Total, TotalName
from queue_app.selectors import internal_types
from queue_app.states import FINISHED, JobState
from queue_app.tail import Tail

# Upper bounds in seconds; one more bucket has all that is longer.
LATENESS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
DURATION_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
BOUNDS: Mapping[str, Sequence[float]] = {
    TotalName.LATENESS: LATENESS_SECONDS,
    TotalName.DURATION: DURATION_SECONDS,
}
# A look reads no more batches than this; the next one goes on from there.
MOST_BATCHES = 40
# Series that one name may have; what comes beyond is counted as other.
MOST_SERIES = 300
OTHER = "other"

Series = tuple[str, str, str, str, str]
_key_prefixes: list[str] = []


def count_by_key(prefix: str) -> None:
    """Have ended jobs counted by what stands behind ``prefix`` in their keys, too. For the ``jobs.py`` of an app.

    Bounded as all totals are: for keys of which there are few, such as ``platform:``.
    """
    if prefix not in _key_prefixes:
        _key_prefixes.append(prefix)


def by_key(prefix: str) -> list[tuple[str, str, int]]:
    """Return of the jobs with a key that begins with ``prefix``: what stands behind it, how they ended, how many."""
    rows = Total.objects.filter(name=TotalName.KEYED, type=prefix).order_by("error", "outcome")
    return [(key, outcome, counts[0]) for key, outcome, counts in rows.values_list("error", "outcome", "counts")]


@dataclass(slots=True)
class _Sums:
    """What one look has found, by series."""

    counts: dict[Series, list[int]] = field(default_factory=dict)
    seconds: dict[Series, float] = field(default_factory=lambda: defaultdict(float))

    def count(self, series: Series) -> None:
        """Count one more."""
        self.counts.setdefault(series, [0])[0] += 1

    def observe(self, series: Series, seconds: float) -> None:
        """Put a number of seconds into its bucket."""
        bounds, seconds = BOUNDS[series[0]], max(seconds, 0.0)
        self.counts.setdefault(series, [0] * (len(bounds) + 1))[bisect_left(bounds, seconds)] += 1
        self.seconds[series] += seconds


class Counting:
    """Counts what has happened since the last look of anybody; keep one while looking again and again."""

    def __init__(self) -> None:
        self._tail: Tail | None = None

    def look(self, most_batches: int = MOST_BATCHES) -> bool:
        """Count the next events, if there are any; return whether there may be more. Call outside a transaction.

        The first look ever begins with what happens from then on.
        """
        stored = _position()
        if stored is None:
            Total.objects.get_or_create(name=TotalName.POSITION, defaults={"counts": [Tail(None).position]})
            return True
        if self._tail is None or self._tail.position != stored:
            self._tail = Tail(stored)
        sums, batches = _Sums(), 0
        while batches < most_batches and (events := self._tail.read()):
            _add_up(events, sums)
            batches += 1
        if self._tail.position != stored and not _save(sums, stored, self._tail.position):
            self._tail = None  # another cluster was first
            return True
        return batches == most_batches


def catch_up() -> None:
    """Count all that has happened until now, before jobs are deleted."""
    counting = Counting()
    while counting.look():
        pass


def _position() -> int | None:
    counts = Total.objects.filter(name=TotalName.POSITION).values_list("counts", flat=True).first()
    return int(counts[0]) if counts else None


def _save(sums: _Sums, before: int, after: int) -> bool:
    """Add ``sums`` to the totals and note that all up to ``after`` is counted; false if that has moved meanwhile."""
    with atomic():
        position = Total.objects.select_for_update().get(name=TotalName.POSITION)
        if position.counts != [before]:
            return False
        position.counts = [after]
        position.save(update_fields=["counts"])
        stored = {_series(row): row for row in Total.objects.exclude(pk=position.pk)}
        _Bounded(stored).add(sums)
    return True


class _Bounded:
    """The stored totals, of which there are never more than ``MOST_SERIES`` of one name and a few others."""

    def __init__(self, stored: dict[Series, Total]) -> None:
        self._stored, self._known = stored, frozenset(stored)
        self._numbers: dict[str, int] = defaultdict(int)
        for name, *_labels in stored:
            self._numbers[name] += 1

    def add(self, sums: _Sums) -> None:
        """Write what was found onto the rows that there are, and new ones."""
        changed: dict[Series, Total] = {}
        for series, counts in sums.counts.items():
            row = self._row(series)
            # Bounds may have been changed by an upgrade: then a histogram begins anew.
            kept = row.counts if len(row.counts) == len(counts) else [0] * len(counts)
            row.counts = list(map(add, kept, counts))
            row.seconds += sums.seconds.get(series, 0.0)
            changed[_series(row)] = row
        known = [row for series, row in changed.items() if series in self._known]
        Total.objects.bulk_update(known, ["counts", "seconds"])
        Total.objects.bulk_create([row for series, row in changed.items() if series not in self._known])

    def _row(self, series: Series) -> Total:
        if series not in self._stored and self._numbers[series[0]] >= MOST_SERIES:
            name, _queue, _type, outcome, error = series
            series = (name, OTHER, OTHER, outcome, OTHER if error else "")
        if series not in self._stored:
            name, queue, type_name, outcome, error = series
            self._stored[series] = Total(name=name, queue=queue, type=type_name, outcome=outcome, error=error)
            self._numbers[name] += 1
        return self._stored[series]


def _series(row: Total) -> Series:
    return (row.name, row.queue, row.type, row.outcome, row.error)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is read of a job."""

    queue: str
    type: str
    run_at: datetime
    started_at: datetime | None
    keys: Sequence[str]


def _add_up(events: Sequence[Event], sums: _Sums) -> None:
    ids = {event.job_id for event in events if event.job_id is not None}
    rows = Job.objects.filter(pk__in=ids).exclude(type__in=internal_types())
    jobs: dict[int | None, _Facts] = {
        pk: _Facts(*facts) for pk, *facts in rows.values_list("pk", "queue", "type", "run_at", "started_at", "keys")
    }
    ended = [event for event in events if event.job_id in jobs and _leaves(event)]
    attempts = _attempts({event.job_id for event in ended if event.job_id is not None})
    for event in ended:
        _count_attempt(event, jobs[event.job_id], attempts.get(event.job_id or 0, ()), sums)
    for event in events:
        job = jobs.get(event.job_id)
        if job is not None and event.source != event.target:
            _count_change(event, job, sums)


def _leaves(event: Event) -> bool:
    return event.source == JobState.RUNNING and event.target != JobState.RUNNING


def _attempts(job_ids: Collection[int]) -> dict[int, list[tuple[datetime, str, str]]]:
    """Return when each attempt of the jobs began, how it ended and with which error, in order."""
    found: dict[int, list[tuple[datetime, str, str]]] = defaultdict(list)
    rows = Attempt.objects.filter(job__in=job_ids).order_by("job", "fence")
    for job_id, started_at, outcome, error in rows.values_list("job", "started_at", "outcome", "error_class"):
        found[job_id].append((started_at, outcome, error))
    return found


def _count_attempt(event: Event, job: _Facts, attempts: Iterable[tuple[datetime, str, str]], sums: _Sums) -> None:
    begun = list(attempts)
    place = bisect_right([started_at for started_at, _outcome, _error in begun], event.at)
    if not place:
        return
    started_at, outcome, error = begun[place - 1]
    sums.count((TotalName.ATTEMPTS, job.queue, job.type, outcome, error))
    if outcome != AttemptOutcome.LOST:  # nobody knows when it ended
        sums.observe((TotalName.DURATION, job.queue, job.type, "", ""), (event.at - started_at).total_seconds())


def _count_change(event: Event, job: _Facts, sums: _Sums) -> None:
    if event.target in FINISHED:
        sums.count((TotalName.ENDED, job.queue, job.type, event.target, ""))
        for key in job.keys:
            for prefix in _key_prefixes:
                if key.startswith(prefix):
                    sums.count((TotalName.KEYED, "", prefix, event.target, key.removeprefix(prefix)[:200]))
    elif event.target == JobState.RUNNING and job.started_at == event.at and job.run_at <= event.at:
        sums.observe((TotalName.LATENESS, job.queue, job.type, "", ""), (event.at - job.run_at).total_seconds())
