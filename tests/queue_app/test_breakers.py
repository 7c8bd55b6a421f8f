"""Breakers: a key that fails again and again is left alone, then tried with one job at a time."""

from __future__ import annotations

import contextlib
import threading
from datetime import timedelta
from typing import Any

import pytest

from queue_app import api, blocks, claims, clock, finish, gates, rescue, workers
from queue_app.claims import Claim
from queue_app.database import atomic
from queue_app.models import AttemptOutcome, BlockKind, Breaker, Event, Job, Worker
from queue_app.outcomes import BlockRequest, Done, Fail, Failure, Postpone, Retry
from queue_app.retry import RetryPolicy
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded
from tests.queue_app.test_claims import at_once

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "platform:x"
DOWN = Retry(Failure("Unavailable", "503 from the platform", code="unavailable"))
PATIENT = RetryPolicy.fixed(max_attempts=50, delay_seconds=0)


class Platform:
    """A handler whose answers the test decides."""

    def __init__(self) -> None:
        self.answer: Any = DOWN
        self.first_answers: list[Any] = []
        self.calls = 0

    def __call__(self, context: Any) -> Any:
        self.calls += 1
        return self.first_answers.pop(0) if self.first_answers else self.answer


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def name(register: Register, platform: Platform) -> str:
    def handler(context: Any) -> Any:
        return platform(context)

    return register(handler, breaker="platform:*", retry=PATIENT)


def test_five_failures_in_a_row_open_it(name: str, platform: Platform, run: Run) -> None:
    for _ in range(3):
        api.enqueue(name, keys=[KEY])
    run()
    assert platform.calls == 5
    breaker = Breaker.objects.get(key=KEY)
    assert breaker.open_until is not None
    assert breaker.last_error == "503 from the platform"
    assert set(Job.objects.values_list("parked_by", "state")) == {("breaker:" + KEY, JobState.PENDING)}


def test_a_success_in_between_closes_the_count(name: str, platform: Platform, run: Run) -> None:
    platform.first_answers = [DOWN, DOWN, DOWN, DOWN, Done()] * 2
    api.enqueue(name, keys=[KEY])
    run()
    api.enqueue(name, keys=[KEY])
    run()
    assert Breaker.objects.get(key=KEY).open_until is None
    assert not Job.objects.exclude(state=JobState.COMPLETED).exists()


def test_a_refusal_is_an_answer_too(name: str, platform: Platform, run: Run) -> None:
    platform.answer = Fail(Failure("Rejected", "too long"))
    for _ in range(6):
        api.enqueue(name, keys=[KEY])
    run()
    assert not Breaker.objects.filter(open_until__isnull=False).exists()


def open_it(name: str, run: Run, jobs: int = 4) -> None:
    for _ in range(jobs):
        api.enqueue(name, keys=[KEY])
    run()
    assert Breaker.objects.get(key=KEY).open_until is not None


def test_one_probe_at_a_time(name: str, platform: Platform, run: Run, later: Later) -> None:
    open_it(name, run)
    later(61)
    assert gates.open_due() == 1
    with atomic():
        probe = claims.claim_next({"default": 1}, None, types=[name], holder="w1")
    assert isinstance(probe, Claim)
    api.enqueue(name, keys=[KEY], priority=1)
    calls = platform.calls
    assert run() == 0
    assert gates.open_due() == 0
    assert rescue.rescue() == 0
    assert platform.calls == calls
    finish.settle(probe, Done())
    platform.answer = None
    assert gates.open_due() == 4
    assert run() == 4
    assert Breaker.objects.get(key=KEY).open_until is None


def test_a_failed_probe_opens_it_for_twice_as_long(name: str, platform: Platform, run: Run, later: Later) -> None:
    open_it(name, run)
    later(61)
    gates.open_due()
    calls = platform.calls
    assert run() == 1
    assert platform.calls == calls + 1
    opens = gates.next_opening()
    assert opens is not None
    assert 110 < (opens - clock.now()).total_seconds() <= 120
    later(121)
    platform.answer = None
    gates.open_due()
    assert run() == 1
    gates.open_due()
    assert run() == 3


def test_without_waiting_jobs_the_next_one_probes(name: str, platform: Platform, run: Run, later: Later) -> None:
    open_it(name, run, jobs=1)
    api.cancel(Job.objects.get().pk)
    assert gates.next_opening() is None  # an open breaker that nobody waits for wakes nobody
    later(61)
    platform.answer = None
    job = api.enqueue(name, keys=[KEY])
    assert run() == 1
    assert reloaded(job).state == JobState.COMPLETED
    assert Breaker.objects.get(key=KEY).trips == 0


@pytest.mark.parametrize("ending", ["cancelled", "lost", "postponed"])
def test_a_probe_that_never_answers_is_followed_by_another(
    name: str, platform: Platform, run: Run, later: Later, ending: str
) -> None:
    open_it(name, run)
    later(61)
    gates.open_due()
    if ending == "cancelled":
        api.cancel(Job.objects.get(parked_by="").pk)
    elif ending == "postponed":
        platform.answer = Postpone("busy", until=clock.now())
        with atomic():
            probe = claims.claim_next({"default": 1}, None, types=[name], holder="w1")
            assert isinstance(probe, Claim)
        finish.settle(probe, platform.answer)
    else:
        with atomic():
            claims.claim_next({"default": 1}, None, types=[name], holder="w1")
        later(10_000)
        rescue.rescue()
    platform.answer = None
    rescue.rescue()
    ran = run()
    rescue.rescue()
    ran += run()
    assert ran >= 3
    assert not Job.objects.exclude(state__in=[JobState.COMPLETED, JobState.CANCELLED]).exists()


def test_other_keys_and_types_go_on(name: str, platform: Platform, run: Run, register: Register) -> None:
    open_it(name, run)
    platform.answer = None
    other = register(lambda context: None, name="tests.other")
    api.enqueue(name, keys=["platform:y"])
    api.enqueue(other, keys=[KEY])
    assert run() == 2


def test_a_breaker_that_a_lone_probe_closed_opens_again(name: str, platform: Platform, run: Run, later: Later) -> None:
    open_it(name, run, jobs=1)
    later(61)
    gates.open_due()
    platform.answer = None
    assert run() == 1
    platform.answer = DOWN
    calls = platform.calls
    for _ in range(10):
        api.enqueue(name, keys=[KEY])
    run()
    assert platform.calls == calls + 5
    assert Breaker.objects.get(key=KEY).trips == 1


def first_waiting() -> Job:
    return Job.objects.exclude(parked_by="").order_by("priority", "run_at", "id")[0]


def go_on(run: Run, later: Later, *, rounds: int) -> None:
    for _ in range(rounds):
        later(30)
        gates.open_due()
        rescue.rescue()
        run()


def test_a_waiting_job_that_was_moved_to_tomorrow_is_not_the_probe(
    name: str, platform: Platform, run: Run, later: Later
) -> None:
    open_it(name, run)
    moved = first_waiting()
    api.reschedule(moved.pk, clock.now() + timedelta(days=1), priority=1)
    platform.answer = None
    go_on(run, later, rounds=4)
    assert Job.objects.filter(state=JobState.COMPLETED).count() == 3
    assert reloaded(moved).state == JobState.PENDING


def test_a_probe_in_a_queue_that_nobody_serves_any_more_gives_way(
    name: str, platform: Platform, run: Run, later: Later
) -> None:
    open_it(name, run)
    left = first_waiting()
    Job.objects.filter(pk=left.pk).update(queue="closed")
    platform.answer = None
    go_on(run, later, rounds=8)
    assert Job.objects.filter(state=JobState.COMPLETED).count() == 3
    assert reloaded(left).state == JobState.PENDING


def test_a_finish_and_a_claim_whose_hooks_lock_one_row_do_not_wait_for_each_other(register: Register) -> None:
    Breaker.objects.create(key=KEY, failures=1)
    post = workers.register("stands for a row of the site's", {"default": 1})
    both_hold_a_lock = threading.Barrier(2)

    def meet() -> None:
        # In the right order they never meet: the second waits for the first one's breaker.
        with contextlib.suppress(threading.BrokenBarrierError):
            both_hold_a_lock.wait(0.5)

    def hook(job: Job, event: Event) -> None:
        if event.target == JobState.RUNNING and job.attempts and begun:
            meet()
        if event.target != JobState.PENDING:
            Worker.objects.select_for_update().get(pk=post.pk)
        if event.target == JobState.COMPLETED:
            meet()

    begun: list[Claim] = []
    name = register(lambda context: None, breaker="platform:*", on_transition=hook)
    for _ in range(2):
        api.enqueue(name, keys=[KEY])

    def claim() -> Any:
        with atomic():
            return claims.claim_next({"default": 1}, None, types=[name], holder="w")

    def complete() -> None:
        finish.settle(begun[0], Done())

    begun.append(claim())
    done, claimed = at_once(complete, claim)
    assert done is None
    assert isinstance(claimed, Claim)


def test_a_cool_down_and_a_claim_under_the_same_breaker_do_not_wait_for_each_other(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Breaker.objects.create(key=KEY)
    for _ in range(2):
        api.enqueue(name, keys=[KEY])

    def claim() -> Any:
        with atomic():
            return claims.claim_next({"default": 1}, None, types=[name], holder="w")

    begun = claim()
    both_hold_a_lock = threading.Barrier(2)

    def meeting(work: Any) -> Any:
        def met(*args: Any, **options: Any) -> Any:
            with contextlib.suppress(threading.BrokenBarrierError):
                both_hold_a_lock.wait(0.5)
            return work(*args, **options)

        return met

    monkeypatch.setattr(blocks, "place", meeting(blocks.place))
    monkeypatch.setattr(gates, "enter", meeting(gates.enter))
    asked_to_wait = BlockRequest("account:7", BlockKind.RATE_LIMIT, "429", clock.now() + timedelta(hours=1))
    ended, claimed = at_once(lambda: finish.settle(begun, Postpone("rate_limited", block=asked_to_wait)), claim)
    assert ended == (AttemptOutcome.POSTPONED, None)
    assert isinstance(claimed, Claim)
