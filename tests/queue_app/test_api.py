"""The public Python API: what it does, and the errors that say what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queue_app import api, claims, clock, registry
from queue_app.context import JobContext
from queue_app.database import atomic
from queue_app.models import Job
from queue_app.outcomes import Fail, Failure
from queue_app.states import IllegalTransition, JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context, **args: args)


def running(name: str, *, marked: bool = False) -> Job:
    api.enqueue(name)
    with atomic():
        claim = claims.claim_next({"default": 1}, None, types=[name], holder="tests")
    assert claim is not None
    if marked:
        JobContext(claim.job, "tests").before_irreversible_step()
    return claim.job


def test_enqueue_takes_the_types_defaults_and_the_callers_wishes(name: str) -> None:
    job = api.enqueue(name, {"a": 1}, target_id=9, priority="high", max_retries=0, keys=["account:1"], actor="ada")
    job = reloaded(job)
    assert (job.queue, job.priority, job.max_attempts, job.target_id) == ("default", 2, 1, "9")
    assert job.events.get().actor == "ada"


@pytest.mark.parametrize("priority", [0, 11, "urgent"])
def test_a_priority_outside_1_to_10_is_refused(name: str, priority: Any) -> None:
    with pytest.raises(ValueError, match="priority is 1"):
        api.enqueue(name, priority=priority)


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(registry.UnknownJobType, match="unknown job type 'nope'; registered: "):
        api.enqueue("nope")


def test_a_time_without_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="run_at needs a time zone"):
        api.enqueue(name, run_at=datetime(2030, 1, 1))  # noqa: DTZ001 - the point of the test
    job = api.enqueue(name)
    with pytest.raises(ValueError, match="run_at needs a time zone"):
        api.reschedule(job.pk, datetime(2030, 1, 1))  # noqa: DTZ001 - the point of the test


def test_a_unique_key_is_free_again_when_its_job_is_finished(name: str, run: Run) -> None:
    job = api.enqueue(name, unique_key="k")
    with pytest.raises(api.DuplicateJob, match=f"job {job.pk} with unique key 'k'") as caught:
        api.enqueue(name, unique_key="k")
    assert caught.value.existing_id == job.pk
    assert api.enqueue(name, unique_key="k", on_duplicate="return").pk == job.pk
    run()
    assert api.enqueue(name, unique_key="k").pk != job.pk


def test_a_job_that_is_not_there_is_named() -> None:
    with pytest.raises(api.JobNotFound, match="there is no job 4711"):
        api.get(4711)
    with pytest.raises(api.JobNotFound):
        api.cancel(4711)
    with pytest.raises(ValueError, match="job id cannot be empty"):
        api.get("")
    with pytest.raises(ValueError, match="job id is a number"):
        api.get("x")


def test_cancelling_a_waiting_job_works_at_once(name: str, run: Run) -> None:
    job = api.enqueue(name)
    api.cancel(job.pk, actor="ada")
    assert run() == 0
    assert reloaded(job).state == JobState.CANCELLED
    with pytest.raises(IllegalTransition):
        api.cancel(job.pk)


def test_cancelling_a_running_job_fences_it_off_unless_it_is_being_sent(name: str) -> None:
    job = running(name)
    assert api.cancel(job.pk).fence > job.fence
    sending = running(name, marked=True)
    with pytest.raises(api.MarkedJob, match="is already being sent"):
        api.cancel(sending.pk)


def test_a_retry_by_hand_keeps_the_numbers_and_raises_the_maximum(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> None:
        raise ValueError("no")

    job = api.enqueue(register(handler), max_retries=0)
    run()
    assert (reloaded(job).state, reloaded(job).attempts) == (JobState.FAILED, 1)
    retried = api.retry(job.pk, actor="ada")
    assert (retried.state, retried.attempts) == (JobState.PENDING, 1)
    assert retried.max_attempts == 1 + registry.get("tests.job").retry.max_attempts


def test_a_retry_of_an_expired_job_does_not_expire_at_once(name: str, run: Run, later: Later) -> None:
    job = api.enqueue(name, expires_at=clock.now() + timedelta(hours=1))
    later(3601)
    run()
    assert reloaded(job).reason == "expired"
    api.retry(job.pk)
    run()
    assert reloaded(job).state == JobState.COMPLETED


def test_a_completed_job_is_final(name: str, run: Run) -> None:
    job = api.enqueue(name)
    run()
    with pytest.raises(IllegalTransition, match="it is final"):
        api.retry(job.pk)


def test_rescheduling_moves_a_pending_job_only(name: str, run: Run) -> None:
    job = api.enqueue(name)
    moved = api.reschedule(job.pk, datetime(2030, 1, 1, tzinfo=UTC), priority=1, actor="ada")
    assert run() == 0
    assert (reloaded(moved).run_at, reloaded(moved).priority) == (datetime(2030, 1, 1, tzinfo=UTC), 1)
    with pytest.raises(IllegalTransition):
        api.reschedule(running(name).pk, clock.now())


def test_stats_count_every_state_and_their_sum(name: str, run: Run) -> None:
    api.enqueue(name)
    run()
    api.enqueue(name)
    numbers = api.stats()
    assert numbers == {
        "pending": 1,
        "running": 0,
        "held": 0,
        "uncertain": 0,
        "completed": 1,
        "failed": 0,
        "cancelled": 0,
        "total": 2,
    }


def test_a_retry_by_hand_of_a_job_whose_unique_key_is_taken_is_refused_by_name(register: Register, run: Run) -> None:
    name = register(lambda context: Fail(Failure("Broken", "broken")))
    first = api.enqueue(name, unique_key="once")
    run()
    second = api.enqueue(name, unique_key="once", run_at=clock.now() + timedelta(hours=1))
    with pytest.raises(api.DuplicateJob) as refusal:
        api.retry(first.pk)
    assert refusal.value.existing_id == second.pk
    assert reloaded(first).state == JobState.FAILED
