"""Watches the clocks: a host's that differs from the queue's, and the queue's own when it is set. Sets none itself.

The queue's clock is the database's on PostgreSQL, so a host that is wrong about the time runs nothing early or twice
there. On SQLite it is the host's: what was due in the time that a jump skipped is due at once. A job that runs while
the clock jumps keeps what was left of its lease, so that it is not taken for overdue.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import F

from queue_app import alerts, clock, conf, processes
from queue_app.database import is_postgresql
from queue_app.models import Job, Worker
from queue_app.states import JobState

logger = logging.getLogger("socialq.queue")

SKEW, JUMP = "clock_skew", "clock_jump"
DATABASE_SUBJECT = "The database"
# A jump is one moment; people are told of the next one when the clock has been quiet for this long.
QUIET_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the clocks: what the host's shows, what the queue's shows, and seconds that no clock setting moves.

    ``doubt_seconds`` is by how much the three may be apart because they were not read in the same instant.
    """

    host: datetime
    queue: datetime
    steady_seconds: float
    doubt_seconds: float


def look() -> Look:
    """Read the clocks; one round trip on PostgreSQL."""
    began, host = clock.steady_seconds(), datetime.now(UTC)
    queue = clock.now()
    took = clock.steady_seconds() - began
    return Look(host + timedelta(seconds=took / 2), queue, began + took / 2, took / 2)


def skew_seconds(now: Look) -> float:
    """Return by how many seconds the host's clock is surely ahead of the queue's; negative: behind."""
    return _sure((now.host - now.queue).total_seconds(), now.doubt_seconds)


def jump_seconds(before: Look, now: Look) -> float:
    """Return by how many seconds the queue's clock has surely been moved ahead between two looks; negative: back."""
    moved = (now.queue - before.queue).total_seconds() - (now.steady_seconds - before.steady_seconds)
    return _sure(moved, before.doubt_seconds + now.doubt_seconds)


class ClockWatch:
    """What one cluster knows about the clocks; its housekeeper calls ``check`` with every heartbeat."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._host = processes.host().partition("/")[0]
        self._last: Look | None = None
        self._skewed: bool | None = None
        # An incident that an earlier process opened is closed by us.
        self._jump_over_at: float | None = time.monotonic() + QUIET_SECONDS

    def check(self) -> tuple[datetime, float]:
        """Compare the clocks and tell people, once an incident, of more than ``CLOCK_SKEW_SECONDS``.

        Returns the queue's time, and by how many seconds its clock has been set since the last time.
        """
        now = look()
        if is_postgresql():
            self._check_skew(skew_seconds(now))
        jump = jump_seconds(self._last, now) if self._last is not None else 0.0
        self._move_leases(jump)
        # Whatever goes wrong with telling: no lease is moved twice.
        self._last = now
        self._check_jump(jump)
        return now.queue, jump

    def _check_skew(self, skew: float) -> None:
        Worker.objects.filter(cluster=self._cluster, stopped_at=None).update(clock_skew_seconds=round(skew, 3))
        before, self._skewed = self._skewed, abs(skew) > conf.get("CLOCK_SKEW_SECONDS")
        if self._skewed:
            words = f"Its clock is {_seconds(skew, 'ahead of', 'behind')} the database's. Jobs keep to the database's: "
            words += "nothing runs early or twice. Set the host's clock, or have it kept by NTP."
            if alerts.tell(SKEW, self._host, words):
                logger.warning("host=%s clock_skew_seconds=%.3f", self._host, skew)
        elif before is not False:
            alerts.over(SKEW, self._host)

    def _move_leases(self, jump: float) -> None:
        if abs(jump) > conf.get("CLOCK_SKEW_SECONDS"):
            running = Job.objects.filter(state=JobState.RUNNING, worker__cluster=self._cluster)
            running.update(lease_until=F("lease_until") + timedelta(seconds=jump))

    def _check_jump(self, jump: float) -> None:
        subject = DATABASE_SUBJECT if is_postgresql() else self._host
        if abs(jump) > conf.get("CLOCK_SKEW_SECONDS"):
            logger.warning("host=%s clock_jump_seconds=%.3f", subject, jump)
            words = f"The clock that the queue runs by was set {_seconds(jump, 'ahead', 'back')}. "
            words += "What was due meanwhile runs at once." if jump > 0 else "What was due soon runs that much later."
            alerts.tell(JUMP, subject, words)
            self._jump_over_at = time.monotonic() + QUIET_SECONDS
        elif self._jump_over_at is not None and time.monotonic() >= self._jump_over_at:
            alerts.over(JUMP, subject)
            self._jump_over_at = None


def _sure(seconds: float, doubt_seconds: float) -> float:
    """Return what is left of a difference when the doubt is taken off: a slow database is no wrong clock."""
    return max(seconds - doubt_seconds, 0.0) if seconds > 0 else min(seconds + doubt_seconds, 0.0)


def _seconds(seconds: float, ahead: str, behind: str) -> str:
    return f"{abs(seconds):.0f} seconds {ahead if seconds > 0 else behind}"
