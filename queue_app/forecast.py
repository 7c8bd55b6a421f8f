"""When a waiting job will run, as far as can be known: its time, its gates, and its place among those before it.

Reads only, and counts no more than ``MOST`` jobs and looks at no more than ``MOST_READ``: beyond that nobody can say.
Not foreseen: more urgent jobs that become due while it waits, and what a person or a platform decides meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from queue_app import blocks, breakers, gates, limits, maintenance, selectors, workers
from queue_app.models import Attempt, AttemptOutcome, Block, Breaker, Job, Limit, LimitUse, Worker
from queue_app.planning import PARKED, PENDING, UNPARKED
from queue_app.selectors import PRIORITIES, ahead_of, due
from queue_app.states import JobState
from queue_app.turns import Recurring, Span, past, turn

MOST = 20_000
MOST_READ = 10_000
# A job that meets gates again and again is followed so often; past that nobody can say.
MOST_ROUNDS = 20
COLUMNS = ("priority", "run_at", "pk", "type", "queue", "keys")
# How long a job of a type runs is the mean of its last attempts, looked for among the newest of all.
SAMPLE = 100
SAMPLED_FROM = 2_000


class Unforeseeable(Exception):
    """Nobody can say: something has no known end, or too much waits before the job."""


class _Blocked:
    """When keys are blocked from ``now`` on: by the blocks that stand, and by every occurrence of the windows."""

    def __init__(self, now: datetime) -> None:
        self._spans: dict[str, list[Span]] = {}
        self._recurring: dict[str, list[Recurring]] = {}
        standing = Block.objects.filter(Q(until=None) | Q(until__gt=now))
        for key, start, end in standing.values_list("key", "starts_at", "until"):
            self._spans.setdefault(key, []).append((start, end))
        for key, coming in maintenance.occurrences(now):
            self._recurring.setdefault(key, []).append(coming)

    def past(self, at: datetime, keys: Sequence[str], others: Sequence[Span] = ()) -> datetime | None:
        """Return when none of ``keys`` is blocked, from ``at`` on, and none of the ``others`` holds."""
        spans = [*others, *(span for key in keys for span in self._spans.get(key, ()))]
        return past(at, spans, [coming for key in keys for coming in self._recurring.get(key, ())])


def forecast(job: Job, now: datetime) -> datetime | None:
    """Return about when ``job`` will run (aware UTC, not before ``now``), ``None`` where nobody can say.

    That is: it does not wait, it will expire before its turn, no living worker would take it, or a gate's end is not
    known.
    """
    if job.state != JobState.PENDING or not any(job.type in worker.types for worker in serving(job, now)):
        return None
    try:
        at = _after_line(job, _turn(job, now), now)
    except (Unforeseeable, OverflowError):
        return None
    return at if job.expires_at is None or at < job.expires_at else None


def serving(job: Job, now: datetime) -> list[Worker]:
    """Return the living workers that serve the queue of ``job``, whether or not they know its type."""
    return [worker for worker in workers.alive(now) if job.queue in worker.queues]


def ahead_in_queue(job: Job, now: datetime) -> int:
    """Return how many due jobs of its queue will be claimed before ``job``; counting ends at ``MOST``."""
    types = {name for worker in serving(job, now) for name in worker.types}
    found = 0
    for priority in PRIORITIES:
        if priority <= job.priority and found < MOST:
            found += _seekable(due(job.queue, types, now, priority)).filter(ahead_of(job))[: MOST - found].count()
    return found


def ahead_in_lot(job: Job) -> int:
    """Return how many jobs will leave the lot of a parked ``job`` before it; counting ends at ``MOST``."""
    return _in_lot(job.parked_by).filter(ahead_of(job))[:MOST].count()


def _turn(job: Job, now: datetime) -> datetime:
    """Return when the gates let ``job`` through, its place under its limits included. Raises Unforeseeable."""
    blocked, keys, breaker_spans = _Blocked(now), blocks.awaited_by(job), _breaker_spans(job, now)
    named = limits.limits_of(job)
    at = _known(blocked.past(max(now, job.run_at), keys, breaker_spans))
    for _ in range(MOST_ROUNDS):
        for name, rates in named.items():
            at = _turn_under(name, rates, job, at, now, blocked)
        free_at = _known(blocked.past(at, keys, breaker_spans))
        if free_at == at:
            return at
        # It has its turn behind a gate that has shut meanwhile.
        at = free_at
    raise Unforeseeable


def _turn_under(name: str, rates: limits.Rates, job: Job, at: datetime, now: datetime, blocked: _Blocked) -> datetime:
    """Return when the limit ``name`` lets ``job`` start, which all else lets start at ``at``."""
    limit = Limit.objects.filter(key=name).first() or Limit(key=name)
    before, after = _others(job, limits.LOT + name, at, now, blocked)
    uses = _uses(limit, rates, len(before) + len(after) + 1)
    # What all jobs have that the limit counts.
    shared = [blocks.EVERYTHING, name.rpartition(" ")[2]]
    return turn(at, before, after, rates, uses, lambda moment: _known(blocked.past(moment, shared)))


def _known(at: datetime | None) -> datetime:
    if at is None:
        raise Unforeseeable
    return at


def _after_line(job: Job, at: datetime, now: datetime) -> datetime:
    """Return when ``job``, let through at ``at``, has a worker: at once, unless it stands in a line of due jobs."""
    ahead = 0 if at > now or job.parked_by else ahead_in_queue(job, now)
    if not ahead:
        return at
    seconds = _mean_run_seconds(job.type)
    if seconds is None or ahead >= MOST:
        raise Unforeseeable
    return at + timedelta(seconds=seconds * ahead / max(1, len(serving(job, now))))


def _breaker_spans(job: Job, now: datetime) -> list[Span]:
    found: list[Span] = []
    for breaker in Breaker.objects.filter(key__in=breakers.keys_of(job)):
        keeps, until = breakers.shut_until(breaker, job, now)
        # A probe's end is not known, but it will have ended when a job of another day is due.
        if keeps and (until is not None or job.run_at <= now):
            found.append((None, until))
    return found


def _others(
    job: Job, lot: str, at: datetime, now: datetime, blocked: _Blocked
) -> tuple[list[datetime], list[datetime]]:
    """Return when the others that a limit counts are ready: those that go before ``job``, and those that let it pass.

    Those in the limit's own ``lot`` are only counted: they are ready. Raises Unforeseeable.
    """
    parked = _in_lot(lot).exclude(pk=job.pk)
    first = parked.filter(ahead_of(job))[:MOST].count()
    last = parked.exclude(ahead_of(job))[:MOST].count() if at > now else 0
    others = _elsewhere(lot, at)
    if MOST in (first, last) or len(others) == MOST_READ:
        raise Unforeseeable
    before, after = [now] * first, [now] * last
    kinds: dict[tuple[str, str, tuple[str, ...]], list[str] | None] = {}
    for priority, run_at, pk, type_name, queue, keys in others:
        kind = (type_name, queue, tuple(keys))
        if kind not in kinds:
            like = Job(type=type_name, queue=queue, keys=keys)
            kinds[kind] = blocks.keys_of(like) if gates.concerns(lot, like) else None
        own = kinds[kind]
        ready_at = blocked.past(max(now, run_at), own) if own is not None and pk != job.pk else None
        if ready_at is not None:
            goes_first = (priority, run_at, pk) < (job.priority, job.run_at, job.pk)
            (before if goes_first else after).append(ready_at)
    return before, after


def _elsewhere(lot: str, at: datetime) -> list[tuple[Any, ...]]:
    """Return the pending jobs outside ``lot`` that are due by ``at``, at most ``MOST_READ``, as ``COLUMNS``."""
    found = list(Job.objects.filter(PARKED).exclude(parked_by=lot).values_list(*COLUMNS)[:MOST_READ])
    for queue in selectors.pending_queues():
        for priority in PRIORITIES:
            waiting = Job.objects.filter(PENDING, UNPARKED, queue=queue, priority=priority, run_at__lte=at)
            found += waiting.order_by("run_at", "id").values_list(*COLUMNS)[: MOST_READ - len(found)]
    return found


def _uses(limit: Limit, rates: limits.Rates, starts: int) -> dict[int, datetime]:
    """Return the recorded uses that the windows of the next ``starts`` starts look back to, see ``turn``."""
    next_number = limit.used + 1
    found: dict[int, datetime] = {}
    for rate in rates if limit.pk else ():
        oldest = next_number - rate.count
        looked_at = LimitUse.objects.filter(limit=limit, number__gte=oldest, number__lt=oldest + starts)
        found |= {number - next_number: at for number, at in looked_at.values_list("number", "at")}
    return found


def _mean_run_seconds(type_name: str) -> float | None:
    """Return how long the last attempts of a type took, ``None`` without any."""
    newest = Attempt.objects.order_by("-id").values_list("id", flat=True).first() or 0
    recent = Attempt.objects.filter(id__gt=newest - SAMPLED_FROM, job__type=type_name, finished_at__isnull=False)
    ended = recent.exclude(outcome=AttemptOutcome.LOST).order_by("-id")[:SAMPLE]
    seconds = [attempt.duration_seconds or 0.0 for attempt in ended]
    return sum(seconds) / len(seconds) if seconds else None


def _in_lot(lot: str) -> QuerySet[Job]:
    return Job.objects.filter(PARKED, parked_by=lot)


def _seekable(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Return the same jobs, found by the claim's index: SQLite uses it only where its condition stands in the text."""
    return jobs.filter(PENDING, UNPARKED)
