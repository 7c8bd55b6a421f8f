"""Runs jobs inside a django-q2 worker: finish one and claim the next in one commit, until nothing is due.

The only place that catches broadly. Nothing here decides what an error means: handlers answer with outcomes.
"""

from __future__ import annotations

import logging
import os
import signal
import time
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import IntegrityError, InterfaceError, OperationalError, connections

from queue_app import claims, context, finish, hooks, plain, registry, rescue, routes, workers
from queue_app.claims import Claim, SetAside
from queue_app.database import abandon, atomic, gathered, is_away, open_transactions
from queue_app.failpoints import failpoint
from queue_app.models import Job, Worker
from queue_app.outcomes import Done, Fail, Failure, Hold, Outcome, Postpone, Retry, Uncertain
from queue_app.states import JobState

logger = logging.getLogger("socialq.queue")

T = TypeVar("T")

TOKEN_SECONDS = 1.0
SAVE_WAIT_SECONDS = (0.2, 0.5, 1.0, 2.0)
OUTCOMES = (Done, Retry, Postpone, Hold, Fail, Uncertain)

# Replaced by the cluster.
_stopping: Callable[[], bool] = lambda: False  # noqa: E731
_begins: Callable[[int, float], None] = lambda job_id, seconds: None  # noqa: E731
_ends: Callable[[], None] = lambda: None  # noqa: E731
_worker: Worker | None = None
# Whether a commit may have gone through although this process got an error for its answer.
_in_doubt = False


class JobTimeout(BaseException):
    """The job's own alarm. Not an Exception, so that a handler's ``except Exception`` cannot swallow it."""


def configure(stopping: Callable[[], bool], *, begins: Callable[[int, float], None], ends: Callable[[], None]) -> None:
    """Tell this process how to see that its cluster wants to end, and what to call around each handler.

    ``begins`` gets the job's id and for how many seconds its handler is let run. Called in the worker before its first
    job.
    """
    global _stopping, _begins, _ends
    _stopping, _begins, _ends = stopping, begins, ends


def enlist(queue: str, cluster: str) -> None:
    """Write this process into the workers table, so that it is seen to live before its first job.

    Waits for the database; a cluster that has been told to stop gets the error instead.
    """
    persist(lambda: _this_worker(cluster, queue))


def run_due(queue: str, cluster: str) -> int:
    """Run due jobs of the queues that ``queue`` names; return how many ran.

    Ends when none is due, a second has passed or the cluster stops.
    """
    ran, turn = 0, _Turn(queue, cluster)
    claim = persist(turn.first)
    while claim is not None:
        failpoint("after_claim")
        answer = execute(claim, turn.worker.name)
        claim = turn.after(claim, answer) or persist(turn.first)
        ran += 1
    return ran


class _Turn:
    """One token's worth of work: takes the due jobs of the queues that ``queue`` names, one after the other."""

    def __init__(self, queue: str, cluster: str) -> None:
        self._queue, self._cluster = queue, cluster
        self._deadline = time.monotonic() + TOKEN_SECONDS
        self.worker = persist(lambda: _this_worker(cluster, queue))
        self._types, self._queues = sorted(registry.known()), routes.queues_of(queue)
        self._plain_types = plain.types_among(self._types)

    def first(self) -> Claim | None:
        """Start the next job, whatever has to be put aside for it."""
        _hand_back_unknown(self.worker)
        while True:
            try:
                taken = self._take_plain()
                if isinstance(taken, SetAside):
                    with atomic(), gathered():
                        taken = self._take()
            except IntegrityError:
                if Worker.objects.filter(pk=self.worker.pk).exists():
                    raise
                # Our row was purged while the machine slept, or is not in the backup that was restored.
                self.worker = _enlist_anew(self._cluster, self._queue)
                continue
            except claims.Unclaimable as refusal:
                logger.exception("job=%s cannot be started, holding it", refusal.job_id)
                claims.hold_unclaimable(refusal)
                continue
            if not isinstance(taken, SetAside):
                return taken

    def after(self, claim: Claim, answer: Outcome | context.StopExecution) -> Claim | None:
        """Finish a job, and start the next one with that if it is simple enough."""
        if self._plain_types and plain.ends(claim.job, answer):
            return _finish_and_claim(claim, answer, self._take_plain, in_one=True)
        return _finish_and_claim(claim, answer, lambda: self._take(joined=True))

    def _take(self, *, joined: bool = False) -> Claim | SetAside | None:
        return (
            None if self._is_over() else claims.claim_next(self._queues, self.worker, types=self._types, joined=joined)
        )

    def _take_plain(self) -> Claim | SetAside | None:
        if self._is_over():
            return None
        return (
            plain.take(self._queues, self.worker, self._types, self._plain_types) if self._plain_types else SetAside()
        )

    def _is_over(self) -> bool:
        return _stopping() or time.monotonic() >= self._deadline


def execute(claim: Claim, worker_name: str) -> Outcome | context.StopExecution:
    """Call the handler of a started job under its alarm and return what became of it; raises nothing."""
    job_context = context.JobContext(claim.job, worker_name, _stopping)
    before = open_transactions()
    _begins(claim.job.pk, claims.lease_seconds_of(claim.job.type))
    try:
        answer = _answer_of(job_context)
    finally:
        # Saving the answer is not the handler's time: the database may be away for longer than that.
        _ends()
    if open_transactions() != before:
        # In it nothing that is stored from here on would be committed.
        abandon()
        if not isinstance(answer, context.StopExecution):
            message = "the handler left a transaction open; what it wrote in it is undone"
            answer = _no_answer(job_context, Failure("TransactionLeftOpen", message, code="transaction_left_open"))
    return answer


def _answer_of(job_context: context.JobContext) -> Outcome | context.StopExecution:
    job = job_context.job
    job_type = registry.get(job.type)
    try:
        with _alarm(job_type.timeout):
            answer = job_type.handler(job_context, **job.args)
    except context.StopExecution as stop:
        return stop
    except JobTimeout:
        # The alarm can land anywhere, also in the middle of a commit: what the connections hold is not to be trusted.
        abandon()
        message = f"ran longer than {job_type.timeout:g} s"
        return _no_answer(job_context, Failure("JobTimeout", message, code="timeout"))
    except (Exception, SystemExit, CancelledError) as error:  # noqa: BLE001 - the one place that catches broadly
        return _no_answer(job_context, failure_of(error, redact=job_context.redact))
    return answer if isinstance(answer, OUTCOMES) else Done(answer)


def _no_answer(job_context: context.JobContext, failure: Failure) -> Outcome:
    return Uncertain(failure) if job_context.marked else Retry(failure)


def failure_of(error: BaseException, *, code: str = "", redact: Callable[[str], str] = str) -> Failure:
    """Return ``error`` as the error log keeps it, with its traceback (never the values of variables)."""
    text = redact("".join(traceback.format_exception(error)))
    return Failure(type(error).__name__, redact(str(error) or type(error).__name__), code, text)


def persist(write: Callable[[], T]) -> T:
    """Call ``write`` until the database takes it. While it is away this worker can do nothing else anyway.

    A cluster that has been told to stop gets the error instead, and so does everybody for what the database refuses.
    """
    global _in_doubt
    waits = iter(SAVE_WAIT_SECONDS)
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            if _stopping() or not is_away(error):
                raise
            logger.warning("database away error=%s", type(error).__name__)
            _in_doubt = True
            connections.close_all()
            time.sleep(next(waits, SAVE_WAIT_SECONDS[-1]))


def _finish_and_claim(
    claim: Claim,
    outcome: Outcome | context.StopExecution,
    take_next: Callable[[], Claim | SetAside | None],
    *,
    in_one: bool = False,
) -> Claim | None:
    failpoint("before_saving")
    before = dict(vars(claim.job))
    # A hook may lock rows of its own, and a breaker does: one transaction with two jobs' locks could wait for another
    # such one for ever.
    kind = registry.get(claim.job.type)
    hooked = kind.on_transition is not None or bool(kind.breaker)

    def save(answer: Outcome | context.StopExecution, *, alone: bool = False) -> Claim | None:
        # A try that was rolled back must not leave its changes on the object.
        vars(claim.job).update(before)
        then: Callable[[], Claim | SetAside | None] = (lambda: None) if alone else take_next
        _ended, taken = finish.settle(claim, answer, then, in_one=in_one and not alone)
        return taken if isinstance(taken, Claim) else None

    if not hooked:
        try:
            return persist(lambda: save(outcome))
        except Exception as error:
            if is_away(error):
                raise
            # Whatever the next job trips over is not this one's error.
            logger.warning("job=%s is stored without a claim error=%s", claim.job.pk, type(error).__name__)
    try:
        return persist(lambda: save(outcome, alone=True))
    except Exception as error:
        if is_away(error):
            raise
        # The database refuses the answer itself (a result that is no JSON): that is the execution's error.
        logger.exception("job=%s outcome cannot be stored", claim.job.pk)
        failure = failure_of(error, code="unstorable")
    instead = Uncertain(failure) if before["marked_at"] else Retry(failure)
    try:
        return persist(lambda: save(instead, alone=True))
    except Exception as error:
        if is_away(error):
            raise
        logger.exception("job=%s its hook broke, changing it without", claim.job.pk)
    with hooks.without_hooks():
        return persist(lambda: save(instead, alone=True))


def _hand_back_unknown(worker: Worker) -> None:
    """Give back what this worker has claimed without knowing: the answer to a commit was lost."""
    global _in_doubt
    if _in_doubt:
        for job in Job.objects.filter(state=JobState.RUNNING, worker=worker):
            rescue.hand_back(job)
        _in_doubt = False


def _enlist_anew(cluster: str, queue: str) -> Worker:
    global _worker
    _worker = None
    return _this_worker(cluster, queue)


def forget_worker() -> None:
    """Write this process into the workers table anew before its next job: the database is another one."""
    global _worker
    _worker = None


def _this_worker(cluster: str, queue: str) -> Worker:
    global _worker
    if _worker is None or _worker.pid != os.getpid() or _worker.cluster != cluster:
        _worker = workers.register(cluster, routes.queues_of(queue))
    return _worker


def _ring(_signal: int, _frame: Any) -> None:
    raise JobTimeout


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Have the alarm raise JobTimeout after ``seconds``. Seen to for each job: a handler may use the alarm itself."""
    if signal.getsignal(signal.SIGALRM) is not _ring:
        signal.signal(signal.SIGALRM, _ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
