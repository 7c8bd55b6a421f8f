"""Every operation of the queue in any order, against a model: what the database says is what the model says.

After each step: no job runs twice at once, every event is an edge of the table, counts add up, what is parked waits for
something, fences only grow, unique keys are unique, no job is executed more often than it may be.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from queue_app import api, clock, finish, gates, pauses, rescue, runner
from queue_app.claims import Claim
from queue_app.models import BlockKind, Job, Worker
from queue_app.outcomes import (
    Absent,
    BlockRequest,
    CannotTell,
    Done,
    Fail,
    Failure,
    Found,
    Hold,
    Postpone,
    Retry,
    Uncertain,
)
from queue_app.registry import RECONCILE
from queue_app.retry import RetryPolicy
from queue_app.states import JobState
from tests.faults.rounds import LONG, write
from tests.queue_app.checked_queue import ATTEMPTS, Answer, CheckedQueue
from tests.queue_app.jobs import Register
from tests.queue_app.model import LIMIT_SECONDS, LIMIT_STARTS, ModelJob, is_over

EXAMPLES, STEPS = 100 if LONG else 20, 40
ROW = "any order"
FAILURE = Failure("Trouble", "trouble")
PAUSABLE = ["account:1", "account:2", "type:m.limited", "queue:default", "all"]
OUTCOMES: list[Answer] = [
    lambda now, key: Done("done"),
    lambda now, key: Retry(FAILURE),
    lambda now, key: Retry(FAILURE, delay_seconds=0),
    lambda now, key: Retry(FAILURE, delay_seconds=100),
    lambda now, key: Postpone("processing", until=now + timedelta(seconds=20)),
    lambda now, key: Postpone(
        "asked_to_wait",
        block=BlockRequest(key, BlockKind.RATE_LIMIT, "wait", until=now + timedelta(seconds=50)),
    ),
    lambda now, key: Hold("by_hand"),
    lambda now, key: Fail(FAILURE),
    lambda now, key: Uncertain(FAILURE),
]
KINDS, LASTS = st.sampled_from(sorted(ATTEMPTS)), st.sampled_from([None, None, 20])
finding: Any = None


class Queue(CheckedQueue):
    """One queue with two job types; two workers on other hosts and programs outside the clusters."""

    jobs: Bundle[int] = Bundle("jobs")
    executions: Bundle[Claim] = Bundle("executions")

    @initialize(target=jobs, kinds=st.lists(KINDS, min_size=3, max_size=6), lasts=LASTS)
    def begin(self, kinds: list[str], lasts: int | None) -> Any:
        self.workers = [self.new_worker(), self.new_worker()]
        return multiple(*(self.enqueue(kind, 5, 0, lasts, "account:1", None) for kind in kinds))

    # --- Work comes and is done ---------------------------------------------------------------------------------------

    @rule(
        target=jobs,
        kind=KINDS,
        priority=st.sampled_from([1, 5, 10]),
        delay=st.sampled_from([0, 0, 0, 0, 30]),
        lasts=LASTS,
        key=st.sampled_from([None, "account:1", "account:2"]),
        unique=st.sampled_from([None, None, "a", "b"]),
    )
    def enqueue(
        self, kind: str, priority: int, delay: int, lasts: int | None, key: str | None, unique: str | None
    ) -> Any:
        now = clock.now()
        keys = [key] if key else []
        options: dict[str, Any] = {"run_at": now + timedelta(seconds=delay), "keys": keys, "unique_key": unique}
        if lasts is not None:
            options["expires_at"] = now + timedelta(seconds=delay + lasts)
        taken = self.model.holder(unique)
        if taken is not None:
            with pytest.raises(api.DuplicateJob) as refused:
                api.enqueue(kind, priority=priority, **options)
            assert refused.value.existing_id == taken
            return multiple()
        job = api.enqueue(kind, priority=priority, **options)
        self.model.jobs[job.pk] = ModelJob(kind, keys, unique, ATTEMPTS[kind], max_attempts=ATTEMPTS[kind])
        return job.pk

    @rule(which=st.sampled_from([0, 1]), outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=2, max_size=6))
    def work(self, which: int, outcomes: list[Answer]) -> None:
        for outcome in outcomes:
            taken = self.take(self.workers[which])
            if taken is not None:
                self.answer(taken, outcome)

    @rule(target=executions, which=st.sampled_from([0, 1, None]))
    def claim(self, which: int | None) -> Any:
        taken = self.take(None if which is None else self.workers[which])
        return multiple() if taken is None else taken

    @rule(target=executions, which=st.sampled_from([0, 1]), prepares_seconds=st.sampled_from([0, 25]))
    def claim_and_mark(self, which: int, prepares_seconds: int) -> Any:
        taken = self.take(self.workers[which])
        if taken is None:
            return multiple()
        self.step_clock(prepares_seconds)
        self.mark(taken)
        return taken

    @rule(execution=executions)
    def finish_in_doubt(self, execution: Claim) -> None:
        self.mark(execution)
        self.answer(execution, lambda now, key: Uncertain(FAILURE))

    @rule(execution=executions, outcome=st.sampled_from(OUTCOMES))
    def finish(self, execution: Claim, outcome: Answer) -> None:
        self.answer(execution, outcome)

    @precondition(lambda self: self.model.has("uncertain"))
    @rule(answer=st.sampled_from([Found("x"), Absent(), CannotTell("unclear"), CannotTell("later", look_again=True)]))
    def look_up(self, answer: Any) -> None:
        global finding
        finding = answer
        taken = self.claim_next(None, types=[RECONCILE])
        if taken is None:
            return
        job = self.model.jobs[taken.job.args["job_id"]]
        finish.settle(taken, runner.execute(taken, "w"))
        if job.state == "uncertain" and isinstance(answer, Found):
            job.leave("completed")
        elif job.state == "uncertain" and isinstance(answer, Absent):
            job.leave("failed" if job.attempts >= job.max_attempts else "pending")

    # --- Workers die and stop -----------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.has("running"))
    @rule(which=st.sampled_from([0, 1]))
    def kill_worker(self, which: int) -> None:
        long_ago = clock.now() - timedelta(days=1)
        Worker.objects.filter(pk=self.workers[which].pk).update(heartbeat_at=long_ago)
        self.workers[which] = self.new_worker()

    @rule()
    def rescue(self) -> None:
        before = clock.now()
        stored = self.stored()
        rescue.rescue()
        after = clock.now()
        now_stored = self.stored()
        for job_id, job in list(self.model.running()):
            if self.is_lost(stored[job_id], before):
                job.lose_worker()
            elif now_stored[job_id].state != "running":
                assert self.is_lost(stored[job_id], after)
                job.lose_worker()
        self.notice_expiry(after)
        for job in now_stored.values():
            assert job.state not in ("pending", "held") or not is_over(job, before)

    @precondition(lambda self: self.model.has("running"))
    @rule(which=st.sampled_from([0, 1]))
    def stop_worker(self, which: int) -> None:
        for job in Job.objects.filter(state=JobState.RUNNING, worker=self.workers[which]):
            assert rescue.hand_back(job)
            self.model.jobs[job.pk].hand_back()

    # --- People -------------------------------------------------------------------------------------------------------

    @rule(job_id=jobs)
    def cancel(self, job_id: int) -> None:
        job = self.model.jobs[job_id]
        if job.state == "running" and job.marked:
            with pytest.raises(api.MarkedJob):
                api.cancel(job_id)
        elif job.state in ("completed", "cancelled"):
            with pytest.raises(api.IllegalTransition):
                api.cancel(job_id)
        else:
            api.cancel(job_id)
            job.leave("cancelled")

    @rule(job_id=jobs)
    def retry(self, job_id: int) -> None:
        job = self.model.jobs[job_id]
        if job.state not in ("failed", "cancelled", "held", "uncertain"):
            with pytest.raises(api.IllegalTransition):
                api.retry(job_id)
        elif self.model.holder(job.unique_key, besides=job_id) is not None:
            with pytest.raises(api.DuplicateJob):
                api.retry(job_id)
        else:
            api.retry(job_id)
            job.retry()

    @rule(job_id=jobs)
    def hold(self, job_id: int) -> None:
        job = self.model.jobs[job_id]
        if job.state == "running" and job.marked:
            with pytest.raises(api.MarkedJob):
                api.hold(job_id, "look first")
        elif job.state not in ("pending", "running"):
            with pytest.raises(api.IllegalTransition):
                api.hold(job_id, "look first")
        else:
            api.hold(job_id, "look first")
            job.leave("held")

    @rule(job_id=jobs, seconds=st.sampled_from([-5, 0, 100]), priority=st.sampled_from([None, 1, 10]))
    def reschedule(self, job_id: int, seconds: int, priority: int | None) -> None:
        moment = clock.now() + timedelta(seconds=seconds)
        if self.model.jobs[job_id].state != "pending":
            with pytest.raises(api.IllegalTransition):
                api.reschedule(job_id, moment, priority=priority)
        elif is_over(self.stored()[job_id], max(moment, clock.now())):
            with pytest.raises(ValueError, match="before it would run"):
                api.reschedule(job_id, moment, priority=priority)
        else:
            api.reschedule(job_id, moment, priority=priority)

    @precondition(lambda self: self.model.has("running"))
    @rule()
    def take_back_all(self) -> None:
        assert api.release_running(actor="ada") == len(list(self.model.running()))
        for _job_id, job in list(self.model.running()):
            job.hand_back()

    @rule(key=st.sampled_from(PAUSABLE), seconds=st.sampled_from([None, 45]))
    def pause_or_resume(self, key: str, seconds: int | None) -> None:
        if (key, BlockKind.PAUSE) in self.model.blocks:
            pauses.resume(key)
            del self.model.blocks[key, BlockKind.PAUSE]
            return
        until = None if seconds is None else clock.now() + timedelta(seconds=seconds)
        pauses.pause(key, until=until)
        self.model.blocks[key, BlockKind.PAUSE] = until

    # --- Time ---------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 15, 31, 61, 61, 301, -20]))
    def step_clock(self, seconds: int) -> None:
        self.passed += timedelta(seconds=seconds)
        clock.set_offset(self.passed)

    @precondition(lambda self: self.model.blocks or self.model.starts)
    @rule()
    def open_gates(self) -> None:
        now = clock.now()
        gates.open_due()
        self.forget_elapsed(now)


@pytest.fixture
def types(register: Register) -> None:
    register(
        lambda context: None,
        "m.plain",
        retry=RetryPolicy.fixed(max_attempts=ATTEMPTS["m.plain"], delay_seconds=1),
        reconcile=lambda context, job: finding,
    )
    register(
        lambda context: None,
        "m.limited",
        retry=RetryPolicy.fixed(max_attempts=ATTEMPTS["m.limited"], delay_seconds=0),
        limits=f"{LIMIT_STARTS}/{LIMIT_SECONDS}s",
        reconcile=lambda context, job: finding,
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("types")
def test_whatever_happens_in_whatever_order_the_database_says_what_the_model_says(pytestconfig: pytest.Config) -> None:
    database, started, ended = pytestconfig.getoption("--db"), time.monotonic(), "failed"
    effort = settings(
        # Looking for the shortest way to a failure takes minutes; the steps that led to it are printed.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Queue, settings=effort)
        ended = "passed"
    finally:
        write(database=database, row=ROW, injected="operations of the queue in any order", times=Queue.steps)
        write(database=database, row=ROW, ended=ended, seconds=time.monotonic() - started)
