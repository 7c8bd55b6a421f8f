"""Periodic job types: the first when a cluster starts, the next when one is finished, never two, as the type says."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from queue_app import api, jobs
from queue_app.context import JobContext
from queue_app.models import Job
from queue_app.outcomes import Fail, Failure, Hold
from queue_app.retry import RetryPolicy
from queue_app.states import UNFINISHED, JobState
from tests.queue_app.jobs import Later, Register, Run

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "tests.job"
AT_ONCE = RetryPolicy.fixed(max_attempts=2, delay_seconds=0)


def waiting() -> Job:
    """Return the one job of the type that is not finished."""
    return Job.objects.get(type=NAME, state__in=UNFINISHED)


def seconds_put_off(job: Job) -> int:
    """Return how long after it was added the job is due; what the test takes until it looks does not count."""
    return round((job.run_at - job.created_at).total_seconds())


def test_the_first_runs_when_a_cluster_starts_and_the_next_that_much_later(
    register: Register, run: Run, later: Later
) -> None:
    ran: list[int] = []
    register(lambda context: ran.append(context.job.pk), every_seconds=60)
    jobs.schedule_housekeeping()
    run()
    assert len(ran) == 1
    assert seconds_put_off(waiting()) == 60
    later(59)
    run()
    assert len(ran) == 1
    later(1.5)
    run()
    assert len(set(ran)) == 2
    assert seconds_put_off(waiting()) == 60


def test_a_start_of_another_cluster_or_a_restart_changes_nothing(register: Register, run: Run) -> None:
    register(lambda context: None, every_seconds=60)
    jobs.schedule_housekeeping()
    run()
    before = waiting()
    for _ in range(2):
        jobs.schedule_housekeeping()
    assert (waiting().pk, waiting().run_at) == (before.pk, before.run_at)


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_however_one_ends_the_next_waits(register: Register, run: Run, end: str) -> None:
    def work(context: JobContext) -> Any:
        return Fail(Failure("Broken", "broken")) if end == "failed" else None

    register(work, every_seconds=60)
    jobs.schedule_housekeeping()
    first = waiting()
    if end == "cancelled":
        api.cancel(first.pk)
    else:
        run()
    assert api.get_status(first.pk) == end
    assert seconds_put_off(waiting()) == 60


def test_a_retry_is_not_the_next_one(register: Register, run: Run) -> None:
    starts: list[int] = []

    def work(context: JobContext) -> None:
        starts.append(context.job.pk)
        raise OSError("no network")

    register(work, every_seconds=60, retry=AT_ONCE)
    jobs.schedule_housekeeping()
    run()
    assert len(starts) == 2
    assert len(set(starts)) == 1
    assert waiting().pk not in starts


def test_one_that_is_held_keeps_the_next_from_coming_until_it_is_released(register: Register, run: Run) -> None:
    answers: list[Any] = [Hold("look_at_it"), None]
    register(lambda context: answers.pop(0), every_seconds=60)
    jobs.schedule_housekeeping()
    run()
    held = waiting()
    assert held.state == JobState.HELD
    api.release(held.pk)
    run()
    assert api.get_status(held.pk) == "completed"
    assert waiting().pk != held.pk


def test_it_has_the_types_queue_priority_executions_and_expiry(register: Register) -> None:
    register(lambda context: None, every_seconds=60, queue="slow", priority="low", expires_seconds=30, retry=AT_ONCE)
    jobs.schedule_housekeeping()
    job = waiting()
    assert (job.queue, job.priority, job.max_attempts) == ("slow", 8, 2)
    assert job.expires_at == job.run_at + timedelta(seconds=30)


def test_a_route_goes_before_the_types_queue(register: Register, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ROUTES": {"tests.*": "routed"}}
    register(lambda context: None, every_seconds=60, queue="slow")
    jobs.schedule_housekeeping()
    assert waiting().queue == "routed"


def test_one_that_nobody_could_run_in_its_time_is_dropped_and_the_next_comes(
    register: Register, run: Run, later: Later
) -> None:
    ran: list[int] = []
    register(lambda context: ran.append(1), every_seconds=60, expires_seconds=30)
    jobs.schedule_housekeeping()
    first = waiting()
    later(31)
    run()
    assert (api.get(first.pk).state, api.get(first.pk).reason, ran) == ("cancelled", "expired", [])
    assert seconds_put_off(waiting()) == 60


def test_one_that_a_person_adds_is_beside_the_periodic_one(register: Register, run: Run) -> None:
    register(lambda context: None, every_seconds=60)
    jobs.schedule_housekeeping()
    by_hand = api.enqueue(NAME)
    run()
    assert api.get_status(by_hand.pk) == "completed"
    assert seconds_put_off(waiting()) == 60


def test_a_handler_that_needs_arguments_is_refused() -> None:
    from queue_app.registry import job_type

    def needs(context: JobContext, month: str) -> None: ...

    refusal = "job type 'tests.needs': every_seconds enqueues without arguments, but tests.needs expects month: str"
    with pytest.raises(ValueError, match=re.escape(refusal)):
        job_type("tests.needs", every_seconds=60)(needs)


def test_the_queues_own_jobs_follow_a_route_where_no_cluster_serves_the_default_queue(
    register: Register, settings: Any
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ROUTES": {"queue_app.*": "slow"}}
    jobs.schedule_housekeeping()
    failed = api.enqueue(register(lambda context: None))
    api.set_status(failed.pk, "running")
    api.set_status(failed.pk, "failed", error="broken")
    assert set(Job.objects.filter(type__startswith="queue_app.").values_list("type", "queue")) == {
        ("queue_app.purge", "slow"),
        ("queue_app.send_notices", "slow"),
    }
