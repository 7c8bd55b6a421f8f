"""Handlers and hooks that misbehave harm their own job and no other, and nothing is done twice because of them."""

from __future__ import annotations

import signal
import time
from asyncio import CancelledError
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction

from queue_app import api, claims, database, runner
from queue_app.context import JobContext
from queue_app.database import alias
from queue_app.models import Attempt, Event, Job, Worker
from queue_app.retry import RetryPolicy
from queue_app.states import JobState
from tests.queue_app.jobs import Register, Run, broken_hook, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = RetryPolicy.fixed(max_attempts=3, delay_seconds=0)


def leave_a_transaction_open(_context: JobContext) -> None:
    transaction.atomic().__enter__()
    Job.objects.count()


def stop_committing(_context: JobContext) -> None:
    transaction.set_autocommit(False, using=alias())
    Job.objects.count()


@pytest.mark.parametrize("handler", [leave_a_transaction_open, stop_committing])
def test_a_transaction_left_open_is_the_jobs_error_and_the_next_job_is_stored(
    register: Register, run: Run, handler: Callable[[JobContext], None]
) -> None:
    careless, good = api.enqueue(register(handler)), api.enqueue(register(lambda context: None, name="tests.good"))
    run()
    connections.close_all()
    assert (reloaded(careless).state, reloaded(careless).reason) == (JobState.PENDING, "retry")
    assert Attempt.objects.get(job=careless).code == "transaction_left_open"
    assert reloaded(good).state == JobState.COMPLETED


def test_a_timeout_in_the_middle_of_a_transactions_end_leaves_the_worker_able_to_store(
    register: Register, run: Run
) -> None:
    def handler(context: JobContext) -> None:
        # As if the alarm had rung in the first line of Atomic.__exit__.
        leave_a_transaction_open(context)
        time.sleep(5)

    job = api.enqueue(register(handler, timeout_seconds=0.1))
    run()
    assert Attempt.objects.get(job=job).code == "timeout"
    assert reloaded(job).state == JobState.PENDING
    assert not connections[alias()].in_atomic_block


def test_the_mark_refuses_to_be_made_where_it_would_not_be_committed(register: Register, run: Run) -> None:
    steps: list[str] = []

    def handler(context: JobContext) -> None:
        with transaction.atomic():
            context.before_irreversible_step()
            steps.append("sent")

    job = api.enqueue(register(handler))
    run()
    assert steps == []
    assert reloaded(job).state == JobState.PENDING
    assert "durable" in Attempt.objects.get(job=job).message


@pytest.mark.parametrize("error", [SystemExit(3), CancelledError()])
def test_a_handler_that_asks_to_exit_fails_like_any_other(register: Register, run: Run, error: BaseException) -> None:
    def handler(context: JobContext) -> None:
        raise error

    job = api.enqueue(register(handler))
    assert run() == 1
    assert reloaded(job).state == JobState.PENDING
    assert Attempt.objects.get(job=job).error_class == type(error).__name__


def test_a_handler_that_uses_the_alarm_itself_takes_it_from_no_other_job(register: Register, run: Run) -> None:
    def thief(context: JobContext) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)

    api.enqueue(register(thief), priority=1)
    slow = api.enqueue(register(lambda context: time.sleep(2), name="tests.slow", timeout_seconds=0.1))
    assert run() == 2
    assert Attempt.objects.get(job=slow).code == "timeout"


def test_a_job_is_done_once_even_if_the_next_cannot_be_claimed(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    job = api.enqueue(register(lambda context: calls.append(1), retry=AT_ONCE))
    real = claims.claim_next

    def broken(*args: Any, joined: bool = False, **options: Any) -> Any:
        if joined:
            raise ValueError("a row that cannot be read")
        return real(*args, joined=joined, **options)

    monkeypatch.setattr(claims, "claim_next", broken)
    run()
    assert (calls, reloaded(job).state) == ([1], JobState.COMPLETED)


def test_a_hook_that_rolls_its_own_savepoint_back_undoes_all_that_was_in_it(register: Register, run: Run) -> None:
    other = register(lambda context: None, name="tests.other")
    calls: list[int] = []

    def hook(job: Job, event: Event) -> None:
        if event.target == JobState.COMPLETED:
            try:
                with transaction.atomic():
                    api.enqueue(other)
                    raise KeyError(other)
            except KeyError:
                pass

    job = api.enqueue(register(lambda context: calls.append(1), on_transition=hook, retry=AT_ONCE))
    run()
    assert (calls, reloaded(job).state) == ([1], JobState.COMPLETED)
    assert Job.objects.count() == 1


def test_a_savepoint_rolled_back_takes_with_it_what_was_gathered_in_it(register: Register) -> None:
    name = register(lambda context: None)
    with database.atomic(), database.gathered():
        kept = api.enqueue(name)
        try:
            with database.atomic():
                api.enqueue(name)
                raise KeyError(name)
        except KeyError:
            pass
    assert list(Event.objects.values_list("job_id", flat=True)) == [kept.pk]


@pytest.mark.parametrize("statement", ["SELECT nothing FROM no_such_table", "SELECT array_fill(0, ARRAY[2000000000])"])
def test_a_hook_whose_statement_is_refused_holds_its_job_and_no_other(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    def hook(job: Job, event: Event) -> None:
        if event.target == JobState.RUNNING and job.target_id == "broken":
            with connections[alias()].cursor() as cursor:
                cursor.execute(statement)

    stops = iter([False] * 30)  # a worker that waits for the database for ever is asked to leave
    monkeypatch.setattr(runner, "_stopping", lambda: next(stops, True))
    monkeypatch.setattr(runner, "SAVE_WAIT_SECONDS", (0.0,))
    name = register(lambda context: None, on_transition=hook)
    broken, good = api.enqueue(name, target_id="broken"), api.enqueue(name)
    run()
    assert (reloaded(broken).state, reloaded(broken).reason) == (JobState.HELD, "hook_failed")
    assert reloaded(good).state == JobState.COMPLETED


def test_a_worker_whose_row_was_purged_while_the_machine_slept_enlists_anew(register: Register, run: Run) -> None:
    name = register(lambda context: None)
    api.enqueue(name)
    run()
    Worker.objects.all().delete()
    jobs = [api.enqueue(name), api.enqueue(name)]
    assert run() == 2
    assert {reloaded(job).state for job in jobs} == {JobState.COMPLETED}
    assert Worker.objects.count() == 1


def test_a_hook_that_breaks_keeps_an_operation_on_many_from_its_own_job_alone(register: Register) -> None:
    name = register(lambda context: None, on_transition=broken_hook("cancelled"))
    broken, good = api.enqueue(name, target_id="broken"), api.enqueue(name)
    assert api.clear(actor="ada") == 1
    assert (reloaded(broken).state, reloaded(good).state) == (JobState.PENDING, JobState.CANCELLED)
