"""How the queue stands, for programs: its numbers, and its five lanes with the first jobs of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Router
from pydantic import BaseModel, Field

from queue_app import clock, keys, lanes, stats
from queue_app.models import Attempt
from queue_app.rest.auth import Access, Request
from queue_app.rest.forms import JobRow, tells_tracebacks, told_job
from queue_app.rest.operations import operation

router = Router(tags=["queue"])
READS = Access(keys.READ, ("queue_app.view_job",))
WATCHES = Access(keys.ADMIN, ("queue_app.view_job",))
DEFAULT_LISTED = 20


class StatusOut(BaseModel):
    """How many jobs there are in every state, and all of them together."""

    pending: int
    running: int
    held: int
    uncertain: int
    completed: int
    failed: int
    cancelled: int
    total: int


class LaneJob(JobRow):
    """A job in a lane."""

    traceback: str | None = Field(description="Of its last execution that went wrong; for staff.")


class LaneCounts(BaseModel):
    """How many jobs are in each lane."""

    waiting: int = Field(description="Due, set aside under a block, or held.")
    active: int = Field(description="Running, or with an outcome that is not known yet.")
    completed: int
    failed: int
    delayed: int = Field(description="To run at a time to come.")
    total: int = Field(description="The sum of these; what was cancelled is not among them.")


class LaneJobs(BaseModel):
    """The first jobs of each lane: of those to come the next ones, of the others the last ones."""

    waiting: list[LaneJob]
    active: list[LaneJob]
    completed: list[LaneJob]
    failed: list[LaneJob]
    delayed: list[LaneJob]


class LanesOut(BaseModel):
    """The queue in five lanes."""

    stats: LaneCounts
    jobs: LaneJobs
    timestamp: datetime


@operation(router, "GET", "/queue/status", READS, {200: StatusOut})
def get_queue_status(request: Request) -> dict[str, int]:
    """Count the jobs in every state, exactly."""
    return stats.counts()


@operation(router, "GET", "/admin/queue-stats", WATCHES, {200: LanesOut})
def get_queue_stats(
    request: Request,
    limit: Annotated[int, Field(ge=0, le=100, description="How many jobs of each lane are listed.")] = DEFAULT_LISTED,
) -> dict[str, Any]:
    """Read the five lanes: how many jobs wait, are active, completed, failed and delayed, and the first of each."""
    now = clock.now()
    jobs = lanes.lanes(now, limit)
    shown = tells_tracebacks(request)
    tracebacks = _tracebacks([job.pk for rows in jobs.values() for job in rows]) if shown else {}
    return {
        "stats": lanes.lane_counts(now),
        "jobs": {
            lane: [{**told_job(job), "traceback": tracebacks.get(job.pk, "") if shown else None} for job in rows]
            for lane, rows in jobs.items()
        },
        "timestamp": now,
    }


def _tracebacks(job_ids: list[int]) -> dict[int, str]:
    """Return the last traceback of each job that has one."""
    found = Attempt.objects.filter(job__in=job_ids).exclude(traceback="").order_by("id")
    return dict(found.values_list("job_id", "traceback"))
