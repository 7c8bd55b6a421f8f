"""Reads of jobs: their order, their limits, and that housekeeping is in none of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from queue_app import api, clock, selectors
from queue_app.models import Job
from queue_app.states import FINISHED, JobState
from tests.queue_app.jobs import Register

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    register(lambda context: None, "tests.internal", internal=True)
    return register(lambda context: None)


def put(job: Job, state: JobState, **fields: Any) -> Job:
    """Store the job as one in ``state``."""
    now = clock.now()
    if state == JobState.RUNNING:
        fields = {"lease_until": now, "started_at": now, **fields}
    if state == JobState.UNCERTAIN:
        fields = {"marked_at": now, **fields}
    if state in FINISHED:
        fields = {"finished_at": now, **fields}
    Job.objects.filter(pk=job.pk).update(state=state, **fields)
    return job


def numbers(jobs: list[Job]) -> list[int]:
    return [job.pk for job in jobs]


def test_pending_jobs_come_by_priority_then_due_time_then_age(name: str) -> None:
    now = clock.now()
    late = api.enqueue(name, run_at=now + timedelta(hours=1))
    low = api.enqueue(name, priority="low", run_at=now - timedelta(hours=1))
    elsewhere = api.enqueue(name, queue="facebook", run_at=now - timedelta(seconds=5))
    first = api.enqueue(name, priority=1, queue="linkedin", run_at=now + timedelta(days=1))
    parked = api.enqueue(name, run_at=now)
    put(parked, JobState.PENDING, parked_by="account:7")
    same_time = api.enqueue(name, run_at=now)
    put(api.enqueue(name), JobState.COMPLETED)
    api.enqueue("tests.internal")
    order = numbers([first, elsewhere, parked, same_time, late, low])
    assert numbers(selectors.pending()) == order
    assert numbers(selectors.pending(limit=2)) == order[:2]
    assert numbers(selectors.pending("default")) == numbers([parked, same_time, late, low])
    assert numbers(selectors.pending("facebook")) == [elsewhere.pk]
    assert selectors.pending("none") == []


def test_jobs_are_listed_newest_first_all_or_of_one_state(name: str) -> None:
    jobs = [api.enqueue(name) for _ in range(7)]
    for job, state in zip(jobs, JobState, strict=True):
        put(job, state)
    api.enqueue("tests.internal")
    assert numbers(selectors.all_jobs()) == numbers(jobs)[::-1]
    assert numbers(selectors.all_jobs(limit=3)) == numbers(jobs)[:-4:-1]
    for job, state in zip(jobs, JobState, strict=True):
        assert numbers(selectors.all_jobs(state=state.value)) == [job.pk]
        assert list(selectors.jobs_of(state)) == [job]


def test_failed_jobs_come_by_when_they_failed(name: str) -> None:
    now = clock.now()
    jobs = [put(api.enqueue(name), JobState.FAILED, finished_at=now - timedelta(minutes=n)) for n in (2, 1, 3)]
    put(api.enqueue(name), JobState.COMPLETED)
    assert numbers(selectors.failed_jobs()) == [jobs[1].pk, jobs[0].pk, jobs[2].pk]
    assert numbers(selectors.failed_jobs(1)) == [jobs[1].pk]


def test_processing_is_an_alias_of_running(name: str) -> None:
    job = put(api.enqueue(name), JobState.RUNNING)
    assert list(selectors.jobs_of("processing")) == [job]
    assert numbers(selectors.all_jobs(state="processing")) == [job.pk]


def test_queue_length_counts_what_is_pending_due_or_not_parked_or_not(name: str) -> None:
    api.enqueue(name)
    api.enqueue(name, run_at=clock.now() + timedelta(days=1))
    put(api.enqueue(name), JobState.PENDING, parked_by="account:7")
    api.enqueue(name, queue="facebook")
    put(api.enqueue(name), JobState.RUNNING)
    api.enqueue("tests.internal")
    assert selectors.queue_length() == 4
    assert [selectors.queue_length(queue) for queue in ("default", "facebook", "none")] == [3, 1, 0]


def test_running_jobs_are_counted_and_asked_for_one_by_one(name: str) -> None:
    waiting = api.enqueue(name)
    running = put(api.enqueue(name, queue="facebook"), JobState.RUNNING)
    assert selectors.running_count() == 1
    assert [selectors.running_count(queue) for queue in ("default", "facebook")] == [0, 1]
    assert selectors.is_running(running.pk)
    assert selectors.is_running(str(running.pk))
    assert not selectors.is_running(waiting.pk)
    assert not selectors.is_running(running.pk + 1000)


@pytest.mark.parametrize("limit", [0, -1, 10_001, "5", 2.0, True])
def test_a_limit_is_from_1_to_10000(limit: Any) -> None:
    for read in (selectors.pending, selectors.all_jobs, selectors.failed_jobs):
        with pytest.raises(ValueError, match=r"limit is a number from 1 to 10,000, not "):
            read(limit=limit)


def test_other_nonsense_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(ValueError, match=r"invalid job status: 'done'; there are pending, running, .*processing"):
        selectors.all_jobs(state="done")
    for job_id in ("7th", -1, True, 2**63):
        with pytest.raises(ValueError, match="job id is a number, not "):
            selectors.is_running(job_id)
