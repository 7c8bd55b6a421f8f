"""The rows of requirements table B, a generic job queue, that belong to the queue: one test a row, from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

import queue_app
from queue_app import api, clock, registry, workers
from queue_app.context import JobContext
from queue_app.models import Attempt
from queue_app.retry import RetryPolicy
from queue_app.states import JobState
from tests.faults.clusters import Clusters, descendants, living
from tests.queue_app.jobs import Later, Register, Run, and_disconnect, reloaded
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True)

# What the settings do in a process of the site: a job fails twice, and is deleted when it is old.
ASKS_THE_SETTINGS = """
import json
from datetime import timedelta
from queue_app import api, clock, job_type, registry, runner

@job_type("tests.fails")
def fail(context):
    raise OSError("no network")

job = api.enqueue("tests.fails")
waits = []
for number in range(2):
    clock.set_offset(timedelta(seconds=100 * number))
    runner.run_due("default", "tests")
    waits.append(round((api.get(job.pk).run_at - clock.now()).total_seconds()))
api.cancel(job.pk)
cleaned = []
for days in (29, 31):
    clock.set_offset(timedelta(days=days))
    cleaned.append(api.clean_up())
kind = registry.get("tests.fails")
print(json.dumps({"waits": waits, "timeout": kind.timeout, "cleaned": cleaned, "max_attempts": job.max_attempts}))
"""


def test_job_types_with_a_handler_each_and_a_site_adds_its_own(run: Run) -> None:
    @queue_app.job_type("tests.resize")
    def resize(context: JobContext, width: int) -> dict[str, int]:
        return {"width": width}

    try:
        job = api.enqueue("tests.resize", {"width": 7})
        run()
        assert api.get_result(job.pk) == {"width": 7}
    finally:
        registry.unregister("tests.resize")


def test_enqueue_job_with_target_priority_retries_and_metadata(register: Register) -> None:
    name = register(lambda context: None)
    job = reloaded(api.enqueue(name, target_id=42, priority=5, max_retries=3, metadata={"source": "import"}))
    assert (job.target_id, job.priority, job.max_attempts, job.metadata) == ("42", 5, 4, {"source": "import"})


def test_priority_1_runs_first_and_10_last_and_three_have_names(register: Register, run: Run) -> None:
    order: list[Any] = []
    name = register(lambda context: order.append(context.job.priority))
    for priority in (10, "low", "normal", "high", 1):
        api.enqueue(name, priority=priority)
    run()
    assert order == [1, 2, 5, 8, 10]
    for refused in (0, 11, "urgent"):
        with pytest.raises(ValueError, match="priority is 1"):
            api.enqueue(name, priority=refused)


def test_exponential_backoff_with_base_and_multiplier_and_a_maximum_for_each_job(
    register: Register, run: Run, later: Later
) -> None:
    def fail(context: JobContext) -> None:
        raise OSError("no network")

    name = register(fail, retry=RetryPolicy(max_attempts=9, base_seconds=10, multiplier=3))
    job = api.enqueue(name, max_retries=2)
    waits = []
    for _ in range(2):
        run()
        waits.append(round((reloaded(job).run_at - clock.now()).total_seconds()))
        later(waits[-1] + 1)
    run()
    assert waits == [10, 30]
    assert (reloaded(job).state, reloaded(job).attempts) == ("failed", 3)


def test_worker_ids_say_who_took_a_job_and_when(register: Register) -> None:
    job = api.enqueue(register(lambda context: None))
    before = clock.now()
    assert api.dequeue(worker="crawler-7") is not None
    attempt = Attempt.objects.get(job=job)
    assert attempt.worker == "crawler-7"
    assert before <= attempt.started_at <= clock.now()


def test_a_clusters_worker_is_named_with_its_job_too(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: None))
    run()
    worker = reloaded(job).worker
    assert worker is not None
    assert Attempt.objects.get(job=job).worker == worker.name


def test_no_two_workers_run_one_job(register: Register) -> None:
    name = register(lambda context: None)
    ids = api.enqueue_many(name, [api.NewJob()] * 30)
    taken: list[int] = []
    ready = threading.Barrier(4)

    def work() -> None:
        try:
            ready.wait(10)
            while (lease := api.dequeue(types=[name])) is not None:
                taken.append(lease.job_id)
                api.complete(lease)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(taken) == sorted(ids)


def test_duplicates_of_type_and_target_are_refused_while_one_is_not_finished(register: Register, run: Run) -> None:
    name = register(lambda context: None, unique=True)
    first = api.enqueue(name, target_id=1)
    with pytest.raises(api.DuplicateJob) as refusal:
        api.enqueue(name, target_id=1)
    assert refusal.value.existing_id == first.pk
    assert api.enqueue(name, target_id=1, on_duplicate="return").pk == first.pk
    assert api.enqueue(name, target_id=2).pk != first.pk
    run()
    assert api.enqueue(name, target_id=1).pk != first.pk


def test_recover_stale_jobs_of_crashed_workers(register: Register, later: Later) -> None:
    job = api.enqueue(register(lambda context: None))
    assert api.dequeue(lease_seconds=60) is not None
    assert api.recover_stale() == 0
    later(61)
    assert api.recover_stale() == 1
    assert (reloaded(job).state, reloaded(job).reason) == ("pending", "worker_lost")


def test_recover_stale_jobs_that_were_taken_longer_ago_than_a_time(register: Register, later: Later) -> None:
    job = api.enqueue(register(lambda context: None))
    assert api.dequeue(lease_seconds=86_400) is not None
    later(599)
    assert api.recover_stale(timeout_minutes=10) == 0
    later(2)
    assert api.recover_stale() == 0
    assert api.recover_stale(timeout_minutes=10) == 1
    assert (reloaded(job).state, reloaded(job).reason) == ("pending", "worker_lost")


def test_rescue_jobs_takes_the_job_of_a_cluster_that_was_killed(site: Site) -> None:
    clusters = Clusters(site)
    main = clusters.start()
    args = {"file": str(clusters.notes), "until": str(site.directory / "never")}
    job = clusters.enqueue("testapp.wait", args=args)
    site.wait_until(clusters.lines)
    assert "0 jobs" in site.manage("rescue_jobs").stdout
    pids = descendants(main.pid)
    os.killpg(main.pid, signal.SIGKILL)
    main.wait()
    site.wait_until(lambda: not living(pids))
    site.manage("rescue_jobs")
    assert (clusters.state(job), clusters.attempts(job)) == ("pending", ["lost"])


def test_get_queue_stats_with_totals_and_active_workers(register: Register, run: Run) -> None:
    name = register(lambda context: None)
    api.enqueue(name)
    run()
    api.enqueue(name)
    assert api.stats() == {**dict.fromkeys(JobState.values, 0), "pending": 1, "completed": 1, "total": 2}
    numbers = api.statistics()
    assert (numbers["total"], numbers["workers_active"]) == (2, workers.alive(clock.now()).count())
    assert numbers["workers_active"] == 1


def test_get_failed_jobs_and_cleanup_old_jobs(register: Register, later: Later) -> None:
    name = register(lambda context: None)
    job = api.enqueue(name)
    api.set_status(job.pk, "running")
    api.set_status(job.pk, "failed", error="broken")
    assert [(found.pk, found.last_error) for found in api.failed_jobs()] == [(job.pk, "broken")]
    later(86_400 * 8)
    assert api.clean_up() == 0
    assert api.clean_up(7, ["failed"]) == 1


def test_the_environment_names_are_read(site: Site) -> None:
    site.env |= {
        "QUEUE_RETRY_BASE_DELAY": "10",
        "QUEUE_RETRY_MULTIPLIER": "3",
        "QUEUE_JOB_TIMEOUT_MINUTES": "2",
        "QUEUE_CLEANUP_AFTER_DAYS": "30",
        "QUEUE_MAX_RETRIES": "6",
    }
    assert json.loads(site.python(ASKS_THE_SETTINGS).splitlines()[-1]) == {
        "waits": [10, 30],
        "timeout": 120,
        "cleaned": [0, 1],
        "max_attempts": 7,
    }


def test_a_policy_that_a_type_does_not_name_is_the_environments(register: Register, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "RETRY_BASE_DELAY_SECONDS": 7, "RETRY_MULTIPLIER": 3.0, "MAX_RETRIES": 4}
    job = api.enqueue(register(lambda context: None))
    policy = registry.get(job.type).retry
    assert (policy.base_seconds, policy.multiplier, job.max_attempts) == (7, 3.0, 5)


def test_a_graceful_shutdown_finishes_the_running_job_and_begins_no_other(site: Site) -> None:
    clusters, go = Clusters(site), site.directory / "go"
    site.env["SOCIALQ_WORKERS"] = "1"
    main = clusters.start()
    first, second = clusters.enqueue_many("testapp.wait", 2, args={"file": str(clusters.notes), "until": str(go)})
    site.wait_until(clusters.lines)
    main.send_signal(signal.SIGTERM)
    site.wait_until(lambda: b"stopped pushing" in site.log.read_bytes())
    assert clusters.state(first) == "running"
    go.touch()
    assert main.wait(30) == 0
    assert (clusters.state(first), clusters.attempts(first)) == ("completed", ["completed"])
    assert (clusters.state(second), clusters.attempts(second)) == ("pending", [])


def test_a_worker_class_with_validate_input_execute_and_handle_error(register: Register, run: Run) -> None:
    seen: list[str] = []

    class Resize:
        def validate_input(self, width: int) -> None:
            if width < 1:
                raise ValueError("width must be positive")

        def execute(self, width: int) -> int:
            if width == 13:
                raise OSError("unlucky")
            return width * 2

        def handle_error(self, error: Exception) -> None:
            seen.append(str(error))

    name = register(Resize)
    jobs = {width: api.enqueue(name, {"width": width}) for width in (0, 2, 13)}
    run()
    assert reloaded(jobs[0]).state == "failed"
    assert (reloaded(jobs[2]).state, reloaded(jobs[2]).result) == ("completed", 4)
    assert (reloaded(jobs[13]).state, reloaded(jobs[13]).reason, seen) == ("pending", "retry", ["unlucky"])


def test_a_handler_class_whose_process_job_says_true_or_false(register: Register, run: Run) -> None:
    class Sync:
        def process_job(self, job: Any) -> bool:
            return bool(job.target_id == "good")

    name = register(Sync)
    good, bad = api.enqueue(name, target_id="good"), api.enqueue(name, target_id="bad")
    run()
    assert (reloaded(good).state, reloaded(bad).state, reloaded(bad).reason) == ("completed", "pending", "retry")


def test_async_callers(register: Register) -> None:
    name = register(lambda context: None)

    async def call() -> tuple[Any, Any, Any]:
        job = await api.aenqueue(name, target_id=1)
        return await api.aget_status(job.pk), await api.astats(), await api.astatistics()

    status, stats, statistics = asyncio.run(and_disconnect(call()))
    assert (status, stats["pending"], statistics["pending"]) == ("pending", 1, 1)


def test_a_job_due_later_waits(register: Register, run: Run, later: Callable[[float], None]) -> None:
    job = api.enqueue(register(lambda context: None), run_at=clock.now() + timedelta(hours=1))
    assert run() == 0
    later(3601)
    assert run() == 1
    assert reloaded(job).state == "completed"
