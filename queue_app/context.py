"""What a handler gets beside its arguments: the job, the mark, and whether the cluster wants to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from queue_app import blocks, clock, transitions
from queue_app.database import atomic, lock_control
from queue_app.failpoints import failpoint
from queue_app.models import Block, Job


class StopExecution(BaseException):
    """Leaves a handler from inside ``before_irreversible_step``. Not an Exception, so that no handler catches it."""


class Fenced(StopExecution):
    """The job was cancelled or given to another worker: this execution may write nothing more."""


class Expired(StopExecution):
    """The job's time was over before its irreversible step began."""


class Blocked(StopExecution):
    """A block was placed on one of the job's keys while it ran."""

    def __init__(self, block: Block) -> None:
        super().__init__(block.key)
        self.block = block


@dataclass(slots=True)
class JobContext:
    """One execution of a job. ``worker`` names the process; ``stopping()`` is true once the cluster wants to end.

    A handler that gets to know secrets sets ``redact``, which then goes over the message and traceback of its errors.
    """

    job: Job
    worker: str
    stopping: Callable[[], bool] = lambda: False
    redact: Callable[[str], str] = lambda text: text

    def before_irreversible_step(self, save: Callable[[], None] | None = None) -> None:
        """Commit the mark, and ``save``'s writes with it; from here on a crash leaves the outcome uncertain.

        Refuses, by leaving the handler, if the job was cancelled or taken away, has expired, or a key of it is
        blocked. Call it right before the one call that cannot be taken back, outside any transaction (else
        RuntimeError: the mark would not be committed), and again only after ``irreversible_step_refused`` or
        ``irreversible_step_done``.
        """
        if self.marked:
            raise RuntimeError("the irreversible step was begun before and not refused since; begin it once")
        failpoint("before_mark")
        try:
            self._commit_mark(save)
        except BaseException:
            # Nothing irreversible has begun, whatever became of the transaction.
            transitions.clear_mark(self.job)
            raise
        failpoint("after_mark")

    def irreversible_step_done(self, save: Callable[[], None]) -> None:
        """Commit ``save``'s writes, which record what the step did, and take the mark off with them.

        For handlers that take several irreversible steps one after the other: from here on a crash repeats only what
        comes after. The job does not expire any more. Call it outside any transaction.
        """
        job = self.job
        marked_at, expires_at = job.marked_at, job.expires_at
        try:
            with atomic(durable=True):
                try:
                    transitions.unmark(job, now=clock.now())
                except transitions.LostRace:
                    raise Fenced from None
                save()
        except BaseException:
            # The step took effect and nothing says so: to be looked up, not to be repeated.
            job.marked_at, job.expires_at = marked_at, expires_at
            raise

    def irreversible_step_refused(self) -> None:
        """Say that the step begun provably took no effect (a documented refusal); clears the mark with the outcome."""
        transitions.clear_mark(self.job)

    @property
    def marked(self) -> bool:
        """Whether the irreversible step was begun and not refused."""
        return self.job.marked_at is not None

    def _commit_mark(self, save: Callable[[], None] | None) -> None:
        with atomic(durable=True):
            lock_control(shared=True)
            now = clock.now()
            if self.job.expires_at is not None and self.job.expires_at <= now:
                raise Expired
            block = blocks.first_active(self.job, now)
            if block is not None:
                raise Blocked(block)
            try:
                transitions.mark(self.job, now=now)
            except transitions.LostRace:
                raise Fenced from None
            if save is not None:
                save()
