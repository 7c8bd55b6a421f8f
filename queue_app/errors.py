"""What the queue's Python API raises. Values only: nothing here reads a setting or touches the database. ::

    QueueError
    ├── JobNotFound          no job has that id
    ├── IllegalTransition    the table of transitions has no such edge (in ``states.py``, beside the table)
    ├── DuplicateJob         an unfinished job has the unique key
    ├── MarkedJob            it is already being sent
    ├── CannotStart          it is pending, but no worker could start it now
    ├── LeaseLost            another holds the job, or it is over
    ├── MayBeLive            running it again could do its irreversible step twice
    └── NoResult             there is no result (yet)
        └── ResultExpired    there was one

Beside them stand ``registry.UnknownJobType`` (a LookupError) and ValueError, for what can never be right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from queue_app.models import Job


class QueueError(Exception):
    """Base of what the API raises where a job is not as the caller took it to be."""


class JobNotFound(QueueError):
    """There is no job with that id."""

    def __init__(self, job_id: object) -> None:
        super().__init__(f"there is no job {job_id}; it may have been purged")
        self.job_id = job_id


class DuplicateJob(QueueError):
    """An unfinished job already has the unique key."""

    def __init__(self, unique_key: str, existing_id: int) -> None:
        super().__init__(f"job {existing_id} with unique key {unique_key!r} is not finished yet")
        self.existing_id = existing_id


class MarkedJob(QueueError):
    """The job is past its mark: it is being sent and cannot be cancelled or moved."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.pk} is already being sent; wait for its outcome")
        self.job_id = job.pk


class CannotStart(QueueError):
    """A pending job that no worker could start now either: not due, blocked or expired."""

    def __init__(self, job_id: int, why: str) -> None:
        super().__init__(f"job {job_id} cannot start now: {why}")
        self.job_id = job_id


class LeaseLost(QueueError):
    """The holder of a lease came too late: another has the job, or it is over. What it answered is kept."""

    def __init__(self, job_id: int, state: str) -> None:
        super().__init__(
            f"job {job_id} is no longer yours (it is {state}): stop working on it; your answer changes nothing"
        )
        self.job_id = job_id


class MayBeLive(QueueError):
    """An execution of the job may have taken effect unknown to us."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} may already have taken effect: look, then retry it with even_if_live=True")
        self.job_id = job_id


class NoResult(QueueError):
    """The job has no result, or not yet."""

    def __init__(self, job_id: int, state: str) -> None:
        super().__init__(f"job {job_id} is {state} and has no result; ask again when it is completed")
        self.job_id = job_id


class ResultExpired(NoResult):
    """The job had a result, which was kept for its time."""

    def __init__(self, job_id: int, expired_at: datetime) -> None:
        QueueError.__init__(
            self, f"the result of job {job_id} was kept until {expired_at:%Y-%m-%d %H:%M:%S} UTC; save it for longer"
        )
        self.job_id = job_id
        self.expired_at = expired_at
