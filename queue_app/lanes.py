"""The queue in five lanes, as simpler queues name them: waiting, active, completed, failed, delayed. Reads only.

What is set aside under a block or held waits, too; what has an outcome that nobody knows yet is active. What was
cancelled is in no lane.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from queue_app.models import Job
from queue_app.planning import PARKED, PENDING, UNPARKED
from queue_app.selectors import every_job, jobs_of
from queue_app.states import JobState
from queue_app.stats import Waiting, counts

LANES = ("waiting", "active", "completed", "failed", "delayed")
ACTIVE = (JobState.RUNNING, JobState.UNCERTAIN)


def lane_counts(now: datetime) -> dict[str, int]:
    """Return the number of jobs in each lane, and their sum as ``total``."""
    numbers, waiting = counts(), Waiting(now)
    lanes = {
        "waiting": waiting.due + waiting.parked + numbers[JobState.HELD],
        "active": sum(numbers[state] for state in ACTIVE),
        "completed": numbers[JobState.COMPLETED],
        "failed": numbers[JobState.FAILED],
        "delayed": max(0, waiting.pending - waiting.due - waiting.parked),
    }
    return {**lanes, "total": sum(lanes.values())}


def lanes(now: datetime, limit: int) -> dict[str, list[Job]]:
    """Return at most ``limit`` jobs of each lane: the next to run, and the last of those that run or have ended."""
    groups = Waiting(now).groups
    due = _first_of_groups(groups, Q(run_at__lte=now), limit)
    aside = list(every_job().filter(PARKED).order_by("priority", "run_at", "id")[:limit])
    held = list(jobs_of(JobState.HELD).order_by("priority", "run_at", "id")[:limit])
    delayed = _first_of_groups(groups, Q(run_at__gt=now), limit)
    return {
        "waiting": sorted([*due, *aside, *held], key=lambda job: (job.priority, job.run_at, job.pk))[:limit],
        "active": list(every_job().filter(state__in=ACTIVE).order_by("-started_at", "-id")[:limit]),
        **{state.value: _last_ended(state, limit) for state in (JobState.COMPLETED, JobState.FAILED)},
        "delayed": sorted(delayed, key=lambda job: (job.run_at, job.pk))[:limit],
    }


def _first_of_groups(groups: Collection[tuple[str, int]], when: Q, limit: int) -> list[Job]:
    """Return the first pending jobs of each queue and priority, which stand together in the claim's index."""
    rows: list[Job] = []
    for queue, priority in groups:
        waiting = every_job().filter(PENDING, UNPARKED, when, queue=queue, priority=priority)
        rows += waiting.order_by("run_at", "id")[:limit]
    return rows


def _last_ended(state: JobState, limit: int) -> list[Job]:
    return list(jobs_of(state).order_by("-finished_at", "-id")[:limit])
