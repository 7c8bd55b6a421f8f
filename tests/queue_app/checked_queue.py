"""The queue beside its model: what is true after every step, and the steps that rules have in common.

Rules call these methods; each does one thing to the queue, does it to the model, and compares what came of both.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count
from hypothesis.stateful import RuleBasedStateMachine, invariant

from queue_app import blocks, claims, clock, conf, finish, gates, limits, stats, workers
from queue_app.claims import Claim, SetAside
from queue_app.context import Blocked, Expired, Fenced, JobContext
from queue_app.database import atomic
from queue_app.models import Attempt, Event, Job, Worker
from queue_app.outcomes import Outcome, Postpone
from queue_app.states import TRANSITIONS, JobState
from tests.queue_app.model import UNFINISHED, Model, is_over

# The most executions of each job type.
ATTEMPTS = {"m.plain": 2, "m.limited": 1}
OUTSIDE_LEASE_SECONDS = 30.0
# A handler's answer at a moment, and the key that it blocks if it blocks one.
Answer = Callable[[datetime, str], Outcome]


def waits_rightly(job: Job, now: datetime) -> bool:
    """Say whether a parked job's gate is shut. A limit lets nobody go for where a block stops all whom it counts, nor
    more than may start beside those let go before."""
    name = job.parked_by.removeprefix(limits.LOT)
    shared = (blocks.EVERYTHING, name.rpartition(" ")[2])
    shut = gates.look(job, now)
    limited = job.parked_by.startswith(limits.LOT)
    stopped = limited and (any(gate.key in shared for gate in shut) or limits.about_to_start(name) > 0)
    return stopped or any(gate.lot == job.parked_by for gate in shut)


class CheckedQueue(RuleBasedStateMachine):
    """A queue in a transaction that is undone at the end."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.passed = timedelta(0)
        self.fences: dict[int, int] = {}
        self.states: dict[int, str] = {}
        self.seen = 0
        self.targets: dict[int, str] = {}
        self.undo = transaction.atomic()
        self.undo._from_testcase = True  # type: ignore[attr-defined]  # as TestCase does: a durable block may stand in it
        self.undo.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)
        clock.set_offset(timedelta(0))

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        CheckedQueue.steps += 1
        stored = self.stored()
        assert {job_id: (job.state, job.attempts, job.max_attempts) for job_id, job in stored.items()} == {
            job_id: (job.state, job.attempts, job.max_attempts) for job_id, job in self.model.jobs.items()
        }
        for job in stored.values():
            assert job.attempts <= job.max_attempts
            assert (job.marked_at is not None and job.state == "running") == self.model.jobs[job.pk].marked
            assert job.fence >= self.fences.get(job.pk, 0)
            assert job.fence > self.fences.get(job.pk, -1) or job.state == self.states[job.pk]
            self.fences[job.pk], self.states[job.pk] = job.fence, job.state

    @invariant()
    def no_job_runs_twice_at_once(self) -> None:
        begun = Attempt.objects.filter(job__type__in=ATTEMPTS, finished_at=None).order_by("job")
        assert dict(begun.values_list("job", "fence")) == {i: job.execution for i, job in self.model.running()}
        assert begun.count() == len(list(self.model.running()))

    @invariant()
    def events_are_edges_of_the_table(self) -> None:
        for event in Event.objects.filter(pk__gt=self.seen, job__type__in=ATTEMPTS).order_by("pk"):
            self.seen = event.pk
            assert event.source == self.targets.get(event.job_id, "")
            stays = event.source == event.target
            assert stays or event.source == "" or event.target in TRANSITIONS[JobState(event.source)]
            self.targets[event.job_id] = event.target
        assert self.targets == {job_id: job.state for job_id, job in self.model.jobs.items()}

    @invariant()
    def counts_add_up(self) -> None:
        counts = stats.counts()
        total = counts.pop("total")
        assert total == len(self.model.jobs)
        states = [job.state for job in self.model.jobs.values()]
        assert counts == {state.value: states.count(state.value) for state in JobState}

    @invariant()
    def unique_keys_are_unique(self) -> None:
        unfinished = Job.objects.filter(state__in=UNFINISHED).exclude(unique_key=None)
        assert not unfinished.values("unique_key").annotate(number=Count("id")).filter(number__gt=1).order_by()

    @invariant()
    def what_is_parked_waits_for_something(self) -> None:
        if not Job.objects.exclude(parked_by="").exists():
            return
        assert not Job.objects.exclude(parked_by="").exclude(state=JobState.PENDING)
        undo = getattr(transaction, "savepoint_create", transaction.savepoint)()  # its name since Django 6.1
        before = {job.pk for job in Job.objects.exclude(parked_by="")}
        gates.sweep()
        now = clock.now()
        parked = list(Job.objects.exclude(parked_by=""))
        let_go = Job.objects.filter(pk__in=before, parked_by="").exists()
        behind = [waits_rightly(job, now) for job in parked]
        transaction.savepoint_rollback(undo)
        # Of those over a limit only as many are let go as may start.
        assert all(behind) or let_go

    def stored(self) -> dict[int, Job]:
        return {job.pk: job for job in Job.objects.filter(type__in=ATTEMPTS).select_related("worker")}

    def new_worker(self) -> Worker:
        worker = workers.register("machine", {"default": 1})
        worker.host = "elsewhere"
        worker.save()
        return worker

    def take(self, worker: Worker | None) -> Claim | None:
        """Claim as a worker would, and hold what comes, or that nothing does, against the model."""
        before = clock.now()
        gates.sweep()
        free = [job for job in self.stored().values() if not job.parked_by]
        sure = [job for job in free if self.model.may_start(job, before)]
        taken = self.claim_next(worker)
        while taken is None and gates.sweep():
            taken = self.claim_next(worker)
        after = clock.now()
        self.notice_expiry(after)
        sure = [job for job in sure if self.model.may_start(job, after)]
        if taken is None:
            left = [job for job in self.stored().values() if self.model.may_start(job, before)]
            assert not [job for job in left if self.model.may_start(job, after)]
            return None
        job = taken.job
        model = self.model.jobs[job.pk]
        assert model.state == "pending"
        stored = next((other for other in free if other.pk == job.pk), job)
        assert self.model.may_start(stored, before) or self.model.may_start(stored, after)
        assert not [other for other in sure if rank(other) < rank(job)]
        self.model.start(job, taken.attempt.started_at)
        assert taken.attempt.number == model.attempts
        return taken

    def mark(self, execution: Claim) -> None:
        """Begin the irreversible step, unless that was done."""
        job, before = self.model.jobs[execution.job.pk], clock.now()
        live = job.execution == execution.attempt.fence
        if execution.job.marked_at is not None:
            return
        try:
            JobContext(execution.job, "w").before_irreversible_step()
        except Expired:
            assert is_over(execution.job, clock.now())
        except Blocked:
            assert self.model.is_blocked(job, before)
        except Fenced:
            assert not live
        else:
            assert live
            assert not self.model.is_blocked(job, clock.now())
            assert not is_over(execution.job, before)
            job.marked = True

    def answer(self, execution: Claim, outcome: Answer) -> None:
        """End an execution with an outcome; one that was fenced off meanwhile changes nothing."""
        job = self.model.jobs[execution.job.pk]
        live = job.execution == execution.attempt.fence
        answer = outcome(clock.now(), job.keys[0] if job.keys else f"type:{job.type}")
        # As it was when claimed: a worker knows nothing of what became of the job since.
        finish.settle(Claim(copy(execution.job), execution.attempt), answer)
        if live:
            if isinstance(answer, Postpone) and answer.block is not None and not job.marked:
                self.model.blocks[answer.block.key, answer.block.kind] = answer.block.until
            job.finish(answer)

    def claim_next(self, worker: Worker | None, types: list[str] | None = None) -> Claim | None:
        while True:
            lease_seconds = OUTSIDE_LEASE_SECONDS if worker is None else None
            with atomic():
                taken = claims.claim_next(
                    {"default": 1}, worker, types=types or sorted(ATTEMPTS), holder="w1", lease_seconds=lease_seconds
                )
            if not isinstance(taken, SetAside):
                return taken

    def is_lost(self, job: Job, now: datetime) -> bool:
        if job.worker is None:
            return job.lease_until is not None and job.lease_until <= now
        return job.worker.heartbeat_at + timedelta(seconds=conf.get("LEASE_SECONDS")) <= now

    def notice_expiry(self, now: datetime) -> None:
        """A claim and a sweep cancel what they meet when its time is over."""
        for job in self.stored().values():
            model = self.model.jobs[job.pk]
            if model.state in ("pending", "held") and job.state == "cancelled":
                assert is_over(job, now)
                model.leave("cancelled")

    def forget_elapsed(self, now: datetime) -> None:
        """Elapsed blocks are removed for good: a clock that is set back does not bring them back."""
        self.model.blocks = {name: until for name, until in self.model.blocks.items() if until is None or until > now}


def rank(job: Job) -> tuple[int, datetime, int]:
    """Return the order in which jobs are claimed."""
    return job.priority, job.run_at, job.pk
