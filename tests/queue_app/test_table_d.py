"""The rows of requirements table D, a queue service with pub/sub, that belong to the queue: one test a row."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from queue_app import api, clock, signals
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context, **args: args)


def test_add_job_and_get_job_status(name: str) -> None:
    job = api.enqueue(name, {"n": 1})
    assert api.get_status(job.pk) == api.get(job.pk).state == "pending"


def test_update_job_status_is_validated_and_processing_is_running(name: str) -> None:
    job = api.enqueue(name)
    with pytest.raises(ValueError, match="invalid job status: 'finished'"):
        api.set_status(job.pk, "finished")
    assert api.set_status(job.pk, "processing").state == "running"
    assert api.set_status(job.pk, "completed", result=1).state == "completed"
    with pytest.raises(api.IllegalTransition, match="completed and cannot become pending"):
        api.set_status(job.pk, "pending")


def test_get_pending_jobs_by_priority(name: str) -> None:
    low, high, normal = (api.enqueue(name, priority=priority) for priority in ("low", "high", "normal"))
    assert [job.pk for job in api.pending()] == [high.pk, normal.pk, low.pk]
    assert [job.pk for job in api.pending(limit=1)] == [high.pk]


def test_dequeue_job_complete_job_fail_job_with_and_without_requeue_and_cancel_job(name: str) -> None:
    def taken() -> api.Lease:
        lease = api.dequeue()
        assert lease is not None
        return lease

    for _ in range(4):
        api.enqueue(name)
    done, again, gone = taken(), taken(), taken()
    assert api.complete(done, {"ok": True}).state == "completed"
    assert api.fail(again, "try later", requeue=True).state == "pending"
    assert api.fail(gone, "never", requeue=False).state == "failed"
    assert api.cancel(taken().job_id).state == "cancelled"


@pytest.mark.parametrize("operation", [api.get, api.get_status, api.cancel, api.retry, api.get_result, api.discard])
def test_an_empty_id_is_told_so(operation: Callable[[Any], object]) -> None:
    with pytest.raises(ValueError, match="job id cannot be empty"):
        operation("")


def test_an_empty_id_is_told_so_where_a_status_or_result_is_given() -> None:
    with pytest.raises(ValueError, match="job id cannot be empty"):
        api.set_status("", "running")
    with pytest.raises(ValueError, match="job id cannot be empty"):
        api.save_result("", 1)


def test_the_states_of_that_system_are_states_here() -> None:
    assert {"pending", "running", "completed", "failed", "cancelled"} <= set(JobState.values)


def test_results_are_saved_and_read_with_an_hour_to_live(name: str, later: Later) -> None:
    job = api.enqueue(name)
    api.save_result(job.pk, {"rows": 7})
    assert api.get_result(job.pk) == {"rows": 7}
    later(3601)
    with pytest.raises(api.ResultExpired):
        api.get_result(job.pk)


def test_an_outside_worker_keeps_its_job_by_extending_the_lease(name: str, later: Later) -> None:
    job = api.enqueue(name)
    lease = api.dequeue(lease_seconds=60, worker="outsider")
    assert lease is not None
    later(59)
    lease = api.extend(lease, 60)
    later(59)
    assert api.recover_stale() == 0
    later(2)
    assert api.recover_stale() == 1
    with pytest.raises(api.LeaseLost):
        api.complete(lease, "late")
    assert reloaded(job).state == "pending"


def test_log_lines_with_a_prefix_level_job_id_and_priority(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "socialq.queue"):
        job = api.enqueue(name, priority="high")
    (record,) = [record for record in caplog.records if record.name == "socialq.queue"]
    assert record.levelname == "INFO"
    assert record.getMessage() == f"job={job.pk} type={name} queue=default priority=2 operation=enqueue"


def test_queue_length_processing_count_and_is_processing(name: str) -> None:
    first, second = api.enqueue(name), api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    assert (api.queue_length(), api.running_count(), api.is_running(first.pk)) == (2, 0, False)
    assert api.dequeue() is not None
    assert (api.queue_length(), api.running_count()) == (1, 1)
    assert (api.is_running(first.pk), api.is_running(second.pk)) == (True, False)


def test_stats_with_the_distribution_by_priority(name: str) -> None:
    for priority in (1, 5, 5):
        api.enqueue(name, priority=priority)
    numbers = api.statistics()
    assert numbers["by_priority"] == {**dict.fromkeys(range(1, 11), 0), 1: 1, 5: 2}


def test_clear_queue_cancels_and_deletes_nothing(name: str) -> None:
    jobs = [api.enqueue(name) for _ in range(3)]
    assert api.clear(actor="ada") == 3
    assert {reloaded(job).state for job in jobs} == {"cancelled"}


def test_clear_processing_takes_running_jobs_back(name: str) -> None:
    job = api.enqueue(name)
    assert api.dequeue() is not None
    assert api.release_running(actor="ada") == 1
    assert (reloaded(job).state, reloaded(job).attempts) == ("pending", 0)


def test_health_says_what_is_wrong(name: str) -> None:
    assert api.health().healthy
    api.enqueue(name)
    assert not api.health().healthy
    with pytest.raises(SystemExit):
        call_command("check_health")


def test_subscribe_tells_of_jobs_added_changed_completed_failed_and_cancelled(name: str) -> None:
    done, failed, cancelled = (api.enqueue(name) for _ in range(3))
    for job in (done, failed):
        api.set_status(job.pk, "running")
    api.set_status(done.pk, "completed")
    api.set_status(failed.pk, "failed", error="no")
    api.cancel(cancelled.pk, actor="ada")
    seen = list(api.subscribe(after=0, timeout_seconds=0))
    assert [(event["event"], event["job_id"]) for event in seen] == [
        ("job_added", done.pk),
        ("job_added", failed.pk),
        ("job_added", cancelled.pk),
        ("status_updated", done.pk),
        ("status_updated", failed.pk),
        ("job_completed", done.pk),
        ("job_failed", failed.pk),
        ("job_cancelled", cancelled.pk),
    ]
    assert {"event", "job_id", "timestamp", "data"} <= set(seen[-1])
    assert (seen[-1]["data"]["actor"], seen[-1]["data"]["source"]) == ("ada", "pending")


def test_the_same_events_are_django_signals(name: str) -> None:
    heard: list[tuple[str, int]] = []

    def listen(sender: Any, job_id: int, event: dict[str, Any], **kwargs: Any) -> None:
        heard.append((event["event"], job_id))

    signals.job_cancelled.connect(listen)
    try:
        job = api.enqueue(name)
        api.cancel(job.pk)
    finally:
        signals.job_cancelled.disconnect(listen)
    assert heard == [("job_cancelled", job.pk)]
