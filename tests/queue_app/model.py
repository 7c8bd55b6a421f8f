"""What the queue should do, said once more in a few lines of plain Python; ``test_state_machine.py`` compares the two.

The model follows states, attempts and gates. Moments are read from the stored rows, for the clock runs on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from queue_app.models import Job
from queue_app.outcomes import Done, Fail, Hold, Outcome, Postpone, Retry, Uncertain

UNFINISHED = ("pending", "running", "held", "uncertain")
LIMIT_STARTS, LIMIT_SECONDS = 2, 60


@dataclass
class ModelJob:
    """One job as it should be. ``execution`` is the fence of the one execution that may write."""

    type: str
    keys: list[str]
    unique_key: str | None
    policy_attempts: int
    state: str = "pending"
    attempts: int = 0
    max_attempts: int = 0
    execution: int | None = None
    marked: bool = False

    def leave(self, state: str) -> None:
        """End the execution and go to ``state``."""
        self.state, self.execution, self.marked = state, None, False

    def begin(self, fence: int) -> None:
        """Be started."""
        self.state, self.execution = "running", fence
        self.attempts += 1

    def finish(self, outcome: Outcome) -> None:
        """End as a handler's answer says."""
        if self.marked and not isinstance(outcome, Done | Fail | Uncertain):
            outcome = Uncertain(failure=outcome.failure) if isinstance(outcome, Retry) else Uncertain(None)  # type: ignore[arg-type]  # only its kind counts
        match outcome:
            case Done():
                self.leave("completed")
            case Fail():
                self.leave("failed")
            case Hold():
                self.leave("held")
            case Postpone():
                self.attempts -= 1
                self.leave("pending")
            case Uncertain() if self.marked:
                self.leave("uncertain")
            case Retry() | Uncertain():
                self.leave("failed" if self.attempts >= self.max_attempts else "pending")

    def lose_worker(self) -> None:
        """Be taken from a worker that is gone."""
        if self.marked:
            self.leave("uncertain")
        else:
            self.leave("failed" if self.attempts >= self.max_attempts else "pending")

    def hand_back(self) -> None:
        """Be given back by a cluster that stops."""
        if self.marked:
            self.leave("uncertain")
        else:
            self.attempts -= 1
            self.leave("pending")

    def retry(self) -> None:
        """Be retried by a person."""
        if self.state == "held":
            self.max_attempts = max(self.max_attempts, self.attempts + 1)
        else:
            self.max_attempts = self.attempts + self.policy_attempts
        self.leave("pending")


@dataclass
class Model:
    """All jobs, the blocks with their ends, and the starts of the limited type."""

    jobs: dict[int, ModelJob] = field(default_factory=dict)
    blocks: dict[tuple[str, str], datetime | None] = field(default_factory=dict)
    starts: list[datetime] = field(default_factory=list)

    def holder(self, unique_key: str | None, besides: int | None = None) -> int | None:
        """Return the unfinished job that has the unique key."""
        for job_id, job in self.jobs.items():
            if unique_key and job.unique_key == unique_key and job.state in UNFINISHED and job_id != besides:
                return job_id
        return None

    def is_blocked(self, job: ModelJob, now: datetime) -> bool:
        """Say whether a block holds on one of the job's keys."""
        keys = {"all", "queue:default", f"type:{job.type}", *job.keys}
        return any(key in keys and (until is None or until > now) for (key, _kind), until in self.blocks.items())

    def is_full(self, job: ModelJob, now: datetime) -> bool:
        """Say whether the job's limit allows no start."""
        window = now - timedelta(seconds=LIMIT_SECONDS)
        return job.type == "m.limited" and sum(at > window for at in self.starts) >= LIMIT_STARTS

    def may_start(self, stored: Job, now: datetime) -> bool:
        """Say whether a claim may take the job at ``now``."""
        job = self.jobs[stored.pk]
        return (
            job.state == "pending"
            and stored.run_at <= now
            and not is_over(stored, now)
            and not self.is_blocked(job, now)
            and not self.is_full(job, now)
        )

    def start(self, stored: Job, now: datetime) -> None:
        """Note that a claim took the job."""
        job = self.jobs[stored.pk]
        job.begin(stored.fence)
        if job.type == "m.limited":
            # A clock that was set back does not empty the window.
            self.starts.append(max([now, *self.starts[-1:]]))

    def has(self, state: str) -> bool:
        """Say whether any job is in ``state``."""
        return any(job.state == state for job in self.jobs.values())

    def running(self) -> Iterator[tuple[int, ModelJob]]:
        """Yield the running jobs."""
        yield from ((job_id, job) for job_id, job in self.jobs.items() if job.state == "running")


def is_over(stored: Job, now: datetime) -> bool:
    """Say whether the job's time is over."""
    return stored.expires_at is not None and stored.expires_at <= now
