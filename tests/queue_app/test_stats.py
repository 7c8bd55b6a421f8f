"""Statistics are exact, leave housekeeping out, and are read by indexes; the command that prints them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, QuerySet

from queue_app import api, clock, purge, stats, workers
from queue_app.models import Attempt, AttemptOutcome, Job
from queue_app.planning import PARKED, PENDING, UNPARKED, finished_since
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run
from tests.queue_app.test_selectors import put

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    register(lambda context: None, "tests.internal", internal=True)
    return register(lambda context: None)


def ended(name: str, state: JobState, minutes_ago: float, took_seconds: float, **attempt: Any) -> Job:
    """Store a job that ended then, after an attempt of that length."""
    job = api.enqueue(name)
    at = clock.now() - timedelta(minutes=minutes_ago)
    outcome = attempt.pop("outcome", AttemptOutcome.COMPLETED)
    begun = at - timedelta(seconds=took_seconds)
    Attempt.objects.create(
        job=job, number=1, fence=1, worker="w", started_at=begun, finished_at=at, outcome=outcome, **attempt
    )
    return put(job, state, finished_at=at)


def test_an_empty_queue_has_zeros_and_no_means() -> None:
    assert stats.statistics() == {
        **dict.fromkeys(JobState.values, 0),
        "total": 0,
        "by_priority": dict.fromkeys(range(1, 11), 0),
        "by_queue": {},
        "workers_active": 0,
        "workers_busy": 0,
        "oldest_due_seconds": None,
        "completed_last_hour": 0,
        "failed_last_hour": 0,
        "success_rate": None,
        "mean_run_seconds": None,
    }


def test_pending_jobs_are_counted_by_priority_and_by_queue(name: str) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    api.enqueue(name, priority=1)
    api.enqueue(name, priority=1, queue="facebook", run_at=tomorrow)
    api.enqueue(name)
    put(api.enqueue(name), JobState.PENDING, parked_by="account:7")
    put(api.enqueue(name, queue="linkedin"), JobState.RUNNING)
    put(api.enqueue(name, queue="gone"), JobState.COMPLETED)
    found = stats.statistics()
    assert found["by_priority"] == {**dict.fromkeys(range(1, 11), 0), 1: 2, 5: 2}
    assert found["by_queue"] == {
        "default": {"pending": 3, "due": 2, "running": 0, "parked": 1},
        "facebook": {"pending": 1, "due": 0, "running": 0, "parked": 0},
        "linkedin": {"pending": 0, "due": 0, "running": 1, "parked": 0},
    }
    assert (found["pending"], found["running"], found["completed"], found["total"]) == (4, 1, 1, 6)


def test_housekeeping_is_in_no_number(name: str) -> None:
    hour_ago = clock.now() - timedelta(hours=1)
    api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    before = stats.statistics()
    api.enqueue("tests.internal", run_at=hour_ago)
    put(api.enqueue("tests.internal"), JobState.PENDING, parked_by="account:7")
    put(api.enqueue("tests.internal", queue="other"), JobState.RUNNING)
    ended("tests.internal", JobState.FAILED, 1, 5)
    assert stats.statistics() == before


def test_the_longest_waiting_due_job_is_told(name: str) -> None:
    now = clock.now()
    api.enqueue("tests.internal", run_at=now - timedelta(hours=3))
    api.enqueue(name, priority=9, run_at=now - timedelta(seconds=100))
    api.enqueue(name, run_at=now - timedelta(seconds=10))
    put(api.enqueue(name, run_at=now - timedelta(hours=2)), JobState.PENDING, parked_by="account:7")
    assert 100 <= stats.statistics()["oldest_due_seconds"] < 130


def test_the_last_hour_is_told_by_what_ended_in_it(name: str) -> None:
    ended(name, JobState.COMPLETED, 1, 2.0)
    ended(name, JobState.COMPLETED, 59, 4.0)
    ended(name, JobState.FAILED, 30, 6.0, outcome=AttemptOutcome.FAILED)
    ended(name, JobState.FAILED, 30, 900.0, outcome=AttemptOutcome.LOST)
    ended(name, JobState.COMPLETED, 61, 100.0)
    ended(name, JobState.CANCELLED, 5, 0.0)
    found = stats.statistics()
    assert (found["completed_last_hour"], found["failed_last_hour"]) == (2, 2)
    assert found["success_rate"] == 0.5
    assert found["mean_run_seconds"] == pytest.approx((2 + 4 + 6 + 0) / 4)


def test_workers_are_counted_while_they_live_and_while_they_are_busy(name: str, later: Later, run: Run) -> None:
    api.enqueue(name)
    run()
    worker = workers.register("other", {"default": 1})
    put(api.enqueue(name), JobState.RUNNING, worker=worker)
    found = stats.statistics()
    assert (found["workers_active"], found["workers_busy"]) == (2, 1)
    workers.stopped("other")
    found = stats.statistics()
    assert (found["workers_active"], found["workers_busy"]) == (1, 0)


# --- Indexes ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def _indexes_preferred() -> Iterator[None]:
    """Small tables are read whole by PostgreSQL: see which index it would take for a large one."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("SET enable_sort = off")
        # What another test has made of the table, and of its statistics, decides nothing.
        cursor.execute("TRUNCATE queue_app_job CASCADE")
        cursor.execute("DELETE FROM pg_statistic WHERE starelid = 'queue_app_job'::regclass")
    yield
    connection.close()


def plan(rows: QuerySet[Any, Any]) -> str:
    return rows.order_by().explain()


@pytest.mark.usefixtures("_indexes_preferred")
def test_what_is_counted_is_found_by_the_index_that_was_made_for_it(name: str) -> None:
    groups = Job.objects.values_list("queue", "priority").annotate(Count("id"))
    since = clock.now() - timedelta(hours=1)
    assert "queue_app_job_due" in plan(groups.filter(PENDING, UNPARKED))
    assert "queue_app_job_parked" in plan(groups.filter(PARKED))
    assert "queue_app_job_finished" in plan(Job.objects.filter(finished_since(since)))
    assert "queue_app_job_finished" in plan(Attempt.objects.filter(finished_since(since, "job__")))
    assert "queue_app_job_finished" in plan(purge.candidates(7, [JobState.COMPLETED]))


# --- The command -----------------------------------------------------------------------------------------------------


def status(*args: str) -> str:
    out = io.StringIO()
    call_command("queue_status", *args, stdout=out)
    return out.getvalue()


def test_queue_status_prints_every_state_and_the_statistics_as_json(name: str) -> None:
    api.enqueue(name)
    told = json.loads(status("--json"))
    assert api.stats().items() <= told.items()
    assert told["by_priority"]["5"] == 1
    assert set(told) == set(stats.statistics())


def test_queue_status_is_read_by_people(name: str) -> None:
    api.enqueue(name, priority="high")
    ended(name, JobState.COMPLETED, 1, 2.0)
    ended(name, JobState.FAILED, 1, 1.0)
    told = status()
    assert "pending           1" in told
    assert "total             3" in told
    assert "workers           0 (0 busy)" in told
    assert "queue    pending      due  running   parked" in told
    assert "default        1        1        0        0" in told
    assert "pending by priority: 2: 1" in told
    assert "last hour: 1 completed, 1 failed (50.0% succeeded), 1.5 s an attempt" in told
    assert "the longest waiting job has been due for 0." in told


def test_queue_status_of_an_empty_queue_says_no_more_than_there_is() -> None:
    told = status()
    assert told.splitlines()[-1] == "last hour: 0 completed, 0 failed"
    assert "queue " not in told
