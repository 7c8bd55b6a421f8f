"""The way of a job: created, due, started, sent, answered; and the same of each attempt. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from queue_app.models import Attempt, Job

MARKED = "marked"


@dataclass(frozen=True, slots=True)
class Run:
    """One execution: ``sent_at`` is when its step that cannot be taken back began, ``None`` if it never did."""

    attempt: Attempt
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Course:
    """The moments of a job, those of its last execution among them; ``None`` for what has not come. Aware UTC."""

    created_at: datetime
    due_at: datetime
    runs: tuple[Run, ...]

    @property
    def last(self) -> Run | None:
        """The last execution."""
        return self.runs[-1] if self.runs else None

    @property
    def late_seconds(self) -> float | None:
        """How long after it was due the first execution started; ``None`` if it was not late."""
        first = self.runs[0].attempt.started_at if self.runs else None
        return (first - self.due_at).total_seconds() if first is not None and first > self.due_at else None


def course_of(job: Job) -> Course:
    """Return the way of ``job`` so far. Two queries."""
    marks = list(job.events.filter(reason=MARKED).order_by("id").values_list("at", flat=True))
    runs = tuple(Run(attempt, _mark_of(attempt, marks)) for attempt in job.attempt_set.order_by("id"))
    return Course(job.created_at, job.run_at, runs)


def _mark_of(attempt: Attempt, marks: Sequence[datetime]) -> datetime | None:
    begun = (at for at in marks if at >= attempt.started_at)
    first = next(begun, None)
    return first if first is not None and (attempt.finished_at is None or first <= attempt.finished_at) else None
