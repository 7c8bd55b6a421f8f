"""Jobs of workers that are gone: by process on this host, by lease on others."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from queue_app import api, claims, clock, conf, processes, rescue, workers
from queue_app.context import JobContext
from queue_app.database import atomic
from queue_app.models import AttemptOutcome, Job, Worker
from queue_app.retry import RetryPolicy
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, broken_hook, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def start(register: Register) -> Any:
    """Return a function that starts a job for a worker and leaves it running."""

    name = register(lambda context: None, retry=RetryPolicy.fixed(max_attempts=3, delay_seconds=60))

    def begin(*, max_attempts: int = 3, marked: bool = False, **worker_fields: Any) -> Job:
        api.enqueue(name, max_retries=max_attempts - 1)
        worker = workers.register("lost", {"default": 1})
        for field, value in worker_fields.items():
            setattr(worker, field, value)
        worker.save()
        with atomic():
            claim = claims.claim_next({"default": 1}, worker, types=["tests.job"])
        assert claim is not None
        if marked:
            JobContext(claim.job, worker.name).before_irreversible_step()
        return claim.job

    return begin


def test_a_living_worker_keeps_its_job(start: Any) -> None:
    job = start()
    assert rescue.rescue() == 0
    assert reloaded(job).state == JobState.RUNNING


def test_a_job_of_a_dead_process_runs_again_at_once(start: Any) -> None:
    job = start(pid=dead_process())
    assert rescue.rescue() == 1
    stored = reloaded(job)
    assert (stored.state, stored.reason, stored.attempts) == (JobState.PENDING, "worker_lost", 1)
    assert stored.run_at <= clock.now()
    assert stored.attempt_set.get().outcome == AttemptOutcome.LOST


def test_a_reused_pid_is_not_taken_for_the_worker(start: Any) -> None:
    assert rescue.rescue() == 0
    start(start_ticks="1")
    assert rescue.rescue() == 1


def test_after_the_mark_the_job_is_uncertain(start: Any) -> None:
    job = start(pid=dead_process(), marked=True)
    rescue.rescue()
    assert reloaded(job).state == JobState.UNCERTAIN


def test_a_job_that_killed_its_last_worker_is_dead(start: Any) -> None:
    job = start(pid=dead_process(), max_attempts=1)
    rescue.rescue()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.FAILED, "worker_lost")


def test_another_host_is_judged_by_its_silence(start: Any, later: Later) -> None:
    job = start(host="elsewhere/1/2")
    assert rescue.rescue() == 0
    later(conf.get("LEASE_SECONDS") - 1)
    assert rescue.rescue() == 0
    later(2)
    assert rescue.rescue(judge_the_silent=False) == 0
    assert rescue.rescue() == 1
    assert reloaded(job).state == JobState.PENDING


def test_without_a_heartbeat_of_ones_own_nobody_is_judged_by_silence(start: Any, later: Later) -> None:
    elsewhere, here, dead = start(host="elsewhere/1/2"), start(), start(pid=dead_process())
    api.enqueue(here.type)
    outside = api.dequeue(lease_seconds=60)
    assert outside is not None
    later(3600)
    assert api.recover_stale() == 2
    assert [reloaded(job).state for job in (elsewhere, here, dead)] == ["running", "running", "pending"]
    assert api.get(outside.job_id).state == "pending"
    assert [job.pk for job in rescue.of_silent_workers()] == [elsewhere.pk, here.pk]


def test_handing_back_refunds_the_attempt_unless_it_was_marked(start: Any) -> None:
    unmarked, marked = start(), start(marked=True)
    assert rescue.hand_back(unmarked)
    assert rescue.hand_back(Job.objects.get(pk=marked.pk))
    assert (reloaded(unmarked).state, reloaded(unmarked).attempts) == (JobState.PENDING, 0)
    assert (reloaded(marked).state, reloaded(marked).attempts) == (JobState.UNCERTAIN, 1)


def test_only_the_first_of_two_rescuers_takes_the_job(start: Any) -> None:
    job = start(pid=dead_process())
    again = reloaded(job)
    assert rescue.take_from_lost_worker(job)
    assert not rescue.take_from_lost_worker(again)
    assert reloaded(job).attempt_set.count() == 1


def test_waiting_jobs_expire_while_parked_and_while_held(register: Register, later: Later) -> None:
    name = register(lambda context: None)
    expires_at = clock.now() + timedelta(seconds=10)
    parked, held = api.enqueue(name, expires_at=expires_at), api.enqueue(name, expires_at=expires_at)
    Job.objects.filter(pk=parked.pk).update(parked_by="account:7")
    Job.objects.filter(pk=held.pk).update(state=JobState.HELD)
    rescue.rescue()
    assert reloaded(parked).state == JobState.PENDING
    later(11)
    rescue.rescue()
    for job in (parked, held):
        assert (reloaded(job).state, reloaded(job).reason) == (JobState.CANCELLED, "expired")


def test_a_type_that_no_worker_has_known_for_ten_minutes_is_held(register: Register, later: Later) -> None:
    job = api.enqueue(register(lambda context: None))
    Job.objects.filter(pk=job.pk).update(type="gone.type")
    worker = workers.register("alive", {"default": 1})
    rescue.rescue()
    assert reloaded(job).state == JobState.PENDING
    later(601)
    workers.heartbeat("alive")
    assert Worker.objects.get(pk=worker.pk).heartbeat_at > worker.heartbeat_at
    rescue.rescue()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.HELD, "unknown_type")


@pytest.mark.parametrize("stopped", [True, False])
def test_a_type_is_known_for_ten_minutes_after_its_last_worker_stopped_or_fell_silent(
    register: Register, later: Later, stopped: bool
) -> None:
    job = api.enqueue(register(lambda context: None))
    Job.objects.filter(pk=job.pk).update(type="other.type")
    workers.register("mine", {"default": 1})
    others = workers.register("others", {"default": 1})
    Worker.objects.filter(pk=others.pk).update(types=["other.type"], host="elsewhere/1/2")
    later(3600)
    workers.heartbeat("mine")
    workers.heartbeat("others")
    if stopped:
        workers.stopped("others")
    later(599)
    workers.heartbeat("mine")
    rescue.rescue()
    assert reloaded(job).state == JobState.PENDING
    later(2)
    rescue.rescue(judge_the_silent=False)
    assert reloaded(job).state == JobState.PENDING
    rescue.rescue()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.HELD, "unknown_type")


def test_a_dead_pid_and_a_zombie_are_not_alive() -> None:
    with pytest.raises(ProcessLookupError):
        processes.start_ticks(dead_process())
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    try:
        while processes.is_alive(zombie.pid, _ticks(zombie.pid)):
            pass
    finally:
        zombie.wait()


def _ticks(pid: int) -> str:
    try:
        return processes.start_ticks(pid)
    except ProcessLookupError:
        return ""


def test_a_mark_made_after_the_rescuer_looked_counts(start: Any) -> None:
    job = start(pid=dead_process())
    seen_unmarked = reloaded(job)
    JobContext(job, "lost").before_irreversible_step()
    assert rescue.take_from_lost_worker(seen_unmarked)
    assert reloaded(job).state == JobState.UNCERTAIN


def test_a_frozen_worker_of_this_host_loses_its_job_when_lease_and_heartbeat_are_over(start: Any, later: Later) -> None:
    job = start(pid=os.getpid())
    later(1800 + 31)
    workers.heartbeat("lost")
    assert rescue.rescue() == 0
    later(61)
    assert rescue.rescue() == 1
    assert reloaded(job).state == JobState.PENDING


def test_a_hook_that_breaks_does_not_stop_the_sweep(register: Register, later: Later, start: Any) -> None:
    name = register(lambda context: None, name="tests.hooked", on_transition=broken_hook("cancelled"))
    soon = clock.now() + timedelta(seconds=5)
    end = soon + timedelta(seconds=0.5)
    broken, good = [api.enqueue(name, target_id=t, run_at=soon, expires_at=end) for t in ("broken", "good")]
    job = start(pid=dead_process())
    later(6)
    rescue.rescue()
    assert {reloaded(j).state for j in (broken, good)} == {JobState.CANCELLED}
    assert reloaded(job).state == JobState.PENDING


def test_a_lease_that_was_extended_after_the_rescuer_looked_is_left_alone(register: Register, later: Later) -> None:
    api.enqueue(register(lambda context: None))
    lease = api.dequeue(lease_seconds=5)
    assert lease is not None
    later(6)
    seen = api.get(lease.job_id)
    api.extend(lease, 60)
    assert not rescue.take_from_lost_worker(seen)
    assert rescue.rescue() == 0
    assert api.complete(lease).state == JobState.COMPLETED
