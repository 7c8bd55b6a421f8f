"""Conditions that are found by looking again and again: queues that are late, and what health has thresholds for.

Each is one incident: opened when it is found, and over when it has not been found for a minute. Sends nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext

from queue_app import alerts, clock, conf, gates, notices, workers
from queue_app.explain import start_command
from queue_app.health import too_few_workers, too_many_errors, too_many_waiting
from queue_app.models import Job, Notice, Worker
from queue_app.planning import PENDING, UNPARKED
from queue_app.selectors import internal_types
from queue_app.stats import Waiting, ended_last_hour

QUEUE_LATE, TOO_MANY_WAITING, TOO_MANY_ERRORS = "queue_late", "too_many_waiting", "too_many_errors"
WORKERS_MISSING = "workers_missing"
LOOKED_FOR = (QUEUE_LATE, TOO_MANY_WAITING, TOO_MANY_ERRORS, WORKERS_MISSING)
WHOLE_QUEUE = "The queue"
# How often somebody looks.
LOOK_SECONDS = 30.0
# What comes and goes around a threshold is one incident.
FINE_FOR = timedelta(seconds=60)
# Each failure is told by itself; so few are no condition.
FEWEST_FAILURES = 10
# Late jobs of a queue that are asked whether a gate keeps them; the rest of them are like these.
MOST_ASKED = 50


@dataclass(frozen=True, slots=True)
class Condition:
    """What was found: its kind, what it is about, and the sentence for people."""

    kind: str
    subject: str
    text: str


def check(now: datetime | None = None) -> None:
    """Look for every condition; open the incidents of what holds, and close those of what has not held for a minute.

    Where nobody works that alone is told, and all else is left as it is.
    """
    now = now or clock.now()
    if not workers.alive(now).exists():
        return  # that nobody works is told by itself
    found = {(condition.kind, condition.subject): condition for condition in holding(now)}
    for notice in notices.open_conditions(LOOKED_FOR):
        _note(notice, now, holds=found.pop((notice.kind, notice.subject), None) is not None)
    for condition in found.values():
        alerts.tell(condition.kind, condition.subject, condition.text)


def holding(now: datetime) -> Iterator[Condition]:
    """Yield what holds at ``now``. Reads only."""
    living = list(workers.alive(now))
    waiting, ended = Waiting(now), ended_last_hour(now)
    yield from (Condition(QUEUE_LATE, f"Queue {queue}", text) for queue, text in _late_queues(now, waiting, living))
    yield from (Condition(TOO_MANY_WAITING, WHOLE_QUEUE, text) for text in too_many_waiting(waiting))
    yield from (Condition(WORKERS_MISSING, WHOLE_QUEUE, text) for text in too_few_workers(living, now))
    if ended["failed_last_hour"] >= FEWEST_FAILURES:
        yield from (Condition(TOO_MANY_ERRORS, WHOLE_QUEUE, text) for text in too_many_errors(ended))


def _note(notice: Notice, now: datetime, *, holds: bool) -> None:
    row = Notice.objects.filter(pk=notice.pk, cleared_at=None)
    if holds:
        if notice.fine_since is not None:
            row.update(fine_since=None)
    elif notice.fine_since is None:
        row.update(fine_since=now)
    elif now - notice.fine_since >= FINE_FOR:
        alerts.over(notice.kind, notice.subject)


def _late_queues(now: datetime, waiting: Waiting, living: list[Worker]) -> Iterator[tuple[str, str]]:
    """Yield each queue whose oldest due job has waited for too long, and why, in words.

    What a pause, a limit or a breaker keeps is not late. A worker sets such jobs aside as it meets them; until it has,
    they are asked for their gates.
    """
    served = {queue for worker in living for queue in worker.queues}
    before = now - timedelta(seconds=conf.get("VERY_LATE_SECONDS"))
    oldest: dict[str, datetime] = {}
    for queue, priority in waiting.due_before(before):
        late = Job.objects.filter(PENDING, UNPARKED, queue=queue, priority=priority, run_at__lt=before)
        asked = late.exclude(type__in=internal_types()).order_by("run_at", "id")[:MOST_ASKED]
        free = next((job.run_at for job in asked if not gates.look(job, now)), None)
        if free is not None:
            oldest[queue] = min(free, oldest.get(queue, free))
    for queue, run_at in oldest.items():
        yield queue, _late_text(queue, now - run_at, is_served=queue in served)


def _late_text(queue: str, waited: timedelta, *, is_served: bool) -> str:
    minutes = {"minutes": f"{waited.total_seconds() / 60:,.0f}", "command": start_command(queue)}
    if is_served:
        return gettext("Its oldest due job has waited for %(minutes)s minutes: start more workers.") % minutes
    return (
        gettext(
            "Its oldest due job has waited for %(minutes)s minutes, and no worker serves it: start one with %(command)s"
        )
        % minutes
    )
