"""Whether the queue does its work, and if not, why, in words. The thresholds are settings.

Leaves nothing written. Other apps add what they need for their work: ``@health_check``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.db.models import Min

from queue_app import clock, conf, probe, readiness, telling, workers
from queue_app.database import reason_of
from queue_app.explain import start_command
from queue_app.models import Notice, Worker
from queue_app.states import JobState
from queue_app.stats import Waiting, ended_last_hour

# A worker that fell silent longer ago than this was taken away for good.
MISSED_FOR = timedelta(hours=1)
# A notice is sent within seconds; what was not for so long is worth a look, though it is tried for a day.
UNSENT_FOR = timedelta(hours=1)

Check = Callable[[], Iterable[str]]
_checks: list[Check] = []


def health_check(check: Check) -> Check:
    """Have ``health`` ask this function, too: it returns what is wrong, in words, and raises nothing but DatabaseError.

    For the ``jobs.py`` of an app, beside its job types.
    """
    _checks.append(check)
    return check


@dataclass(frozen=True, slots=True)
class Health:
    """How the queue is: healthy where there are no ``problems``."""

    problems: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def health() -> Health:
    """Look at the database, the workers, what waits, what failed, the clocks and what ``health_check`` was given.

    The queue's own work is looked at too: what failed for good, and notices that reach nobody. Tries to write, and
    waits two seconds for a lock at most. Raises nothing for what is wrong.
    """
    try:
        return Health(tuple(_problems()))
    except DatabaseError as error:
        return Health((f"The database cannot be used: {reason_of(error)}",))


def _problems() -> Iterator[str]:
    unwritable = probe.problem()
    if unwritable is not None:
        yield unwritable
    unapplied = readiness.unapplied_problem()
    if unapplied is not None:
        yield unapplied
    now = clock.now()
    living = list(workers.alive(now))
    waiting = Waiting(now)
    yield from _unserved(waiting, living)
    yield from too_few_workers(living, now)
    yield from too_many_waiting(waiting)
    late = readiness.late_problem(waiting)
    if late is not None:
        yield late
    yield from too_many_errors(ended_last_hour(now))
    yield from _skewed_clocks(living)
    yield from _failed_housekeeping(now)
    for check in _checks:
        yield from check()


def _unserved(waiting: Waiting, living: list[Worker]) -> Iterator[str]:
    served = {queue for worker in living for queue in worker.queues}
    for queue, numbers in waiting.by_queue().items():
        if numbers["due"] and queue not in served:
            number = f"{numbers['due']:,}"
            yield f"The queue {queue!r} has {number} due and no worker serves it: start one with {start_command(queue)}"


def missing_workers(living: list[Worker], now: datetime) -> int:
    """Count the workers that fell silent without stopping and for which none of ``living`` stands in."""
    return sum(_missing_by_queues(living, now).values())


def too_few_workers(living: list[Worker], now: datetime) -> Iterator[str]:
    """Say that too few of the workers live that there lately were."""
    missing = missing_workers(living, now)
    wished, share = len(living) + missing, conf.get("HEALTH_MIN_WORKERS_SHARE")
    if missing and len(living) < wished * share:
        yield f"{len(living)} of {wished} workers live; under {share:.0%} is too few: see why the others fell silent"


def too_many_waiting(waiting: Waiting) -> Iterator[str]:
    """Say that more jobs are due than workers get done."""
    most = conf.get("HEALTH_MAX_WAITING")
    if waiting.due > most:
        yield f"{waiting.due:,} jobs are due and wait; over {most:,} is too many: start more workers"


def too_many_errors(ended: Mapping[str, Any]) -> Iterator[str]:
    """Say that too large a share of the last hour's jobs (``ended_last_hour``) failed."""
    failed, most = ended["failed_last_hour"], conf.get("HEALTH_MAX_ERROR_SHARE")
    both = failed + ended["completed_last_hour"]
    if failed > both * most:
        shares = f"{failed / both:.1%}; over {most:.1%} is too many"
        yield f"{failed:,} of the {both:,} jobs of the last hour failed ({shares})"


def _missing_by_queues(living: list[Worker], now: datetime) -> Counter[str]:
    """Count the workers that fell silent without stopping, for each set of queues.

    Workers of a cluster that was started since, for the same queues, stand in for them.
    """
    silent = Worker.objects.filter(stopped_at=None, heartbeat_at__gt=now - MISSED_FOR)
    missing: Counter[str] = Counter()
    silent_since: dict[str, datetime] = {}
    for worker in silent.exclude(pk__in=[worker.pk for worker in living]).order_by("heartbeat_at"):
        missing[_queues(worker)] += 1
        silent_since.setdefault(_queues(worker), worker.heartbeat_at)
    started = dict(Worker.objects.values_list("cluster").annotate(Min("started_at")).order_by())
    for worker in living:
        if worker.cluster in started and started[worker.cluster] > silent_since.get(_queues(worker), now):
            missing[_queues(worker)] -= 1
    return +missing


def _skewed_clocks(living: list[Worker]) -> Iterator[str]:
    most = conf.get("CLOCK_SKEW_SECONDS")
    skews = {worker.host: worker.clock_skew_seconds for worker in living if abs(worker.clock_skew_seconds) > most}
    for host, skew in sorted(skews.items()):
        where = "ahead of" if skew > 0 else "behind"
        yield f"The clock of {host} is {abs(skew):.1f} s {where} the queue's: set it right"


def _failed_housekeeping(now: datetime) -> Iterator[str]:
    """Name the queue's own work that failed for good: mail cannot tell that mail does not go out."""
    open_now = Notice.objects.filter(cleared_at=None)
    for notice in open_now.filter(kind=JobState.FAILED, job=None).order_by("subject"):
        reason = (notice.text.splitlines() or ["no reason given"])[0]
        yield f"The queue's own {notice.subject} failed: {reason}"
    unsent = telling.unsent_since(now - UNSENT_FOR)
    if unsent:
        yield f"Notices that have reached nobody for over an hour: {unsent:,}; see why queue_app.deliver_notices fails"


def _queues(worker: Worker) -> str:
    return " ".join(sorted(worker.queues))
