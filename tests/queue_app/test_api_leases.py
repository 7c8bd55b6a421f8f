"""Programs outside the clusters: they take jobs with a lease, and nothing that comes too late changes a job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from queue_app import api, clock, pauses, rescue, workers
from queue_app.claims import Claim, claim_next
from queue_app.database import atomic
from queue_app.models import Attempt, Job
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context, **args: args)


def taken(**options: Any) -> api.Lease:
    lease = api.dequeue(**options)
    assert lease is not None
    return lease


def test_a_lease_says_all_that_is_needed_to_work(name: str) -> None:
    job = api.enqueue(name, {"a": 1}, target_id=9)
    lease = taken(lease_seconds=60, worker="crawler-1")
    assert (lease.job_id, lease.type, lease.args, lease.target_id, lease.attempt) == (job.pk, name, {"a": 1}, "9", 1)
    assert timedelta(seconds=55) < lease.lease_until - clock.now() <= timedelta(seconds=60)
    stored = reloaded(job)
    assert (stored.state, stored.fence, stored.lease_until) == ("running", lease.fence, lease.lease_until)
    assert Attempt.objects.get(job=job).worker == "crawler-1"


def test_nothing_due_is_no_lease(name: str) -> None:
    api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    assert api.dequeue() is None
    assert api.dequeue("elsewhere") is None


def test_the_most_urgent_job_is_taken_first_and_each_once(name: str) -> None:
    late, soon = api.enqueue(name, priority=8), api.enqueue(name, priority=2)
    assert [taken().job_id, taken().job_id] == [soon.pk, late.pk]
    assert api.dequeue() is None


def test_a_completed_lease_completes_its_job(name: str) -> None:
    job = api.enqueue(name)
    assert api.complete(taken(), {"url": "x"}, ttl_seconds=60).state == "completed"
    assert (api.get_result(job.pk), Attempt.objects.get(job=job).outcome) == ({"url": "x"}, "completed")


def test_a_failed_lease_is_tried_again_by_the_policy_and_no_sooner_than_asked(name: str, later: Later) -> None:
    job = api.enqueue(name)
    failed = api.fail(taken(), "no disk", delay_seconds=86_400)
    assert (failed.state, failed.last_error) == ("pending", "no disk")
    assert failed.run_at - clock.now() > timedelta(hours=23)
    later(86_400 * 2)
    assert taken().attempt == 2
    assert Attempt.objects.filter(job=job, error_class="OutsideError", message="no disk").exists()


def test_a_lease_that_fails_for_good_leaves_a_dead_letter(name: str) -> None:
    api.enqueue(name)
    assert api.fail(taken(), "bad input", requeue=False).state == "failed"
    assert [job.last_error for job in api.dead_letters()] == ["bad input"]


def test_out_of_attempts_a_requeued_job_fails(name: str) -> None:
    api.enqueue(name, max_retries=0)
    assert api.fail(taken(), "again").state == "failed"


def test_a_lease_that_is_extended_is_not_rescued(name: str, later: Later) -> None:
    job = api.enqueue(name)
    lease = taken(lease_seconds=60)
    later(50)
    extended = api.extend(lease, 60)
    assert extended.lease_until > lease.lease_until
    later(50)
    assert rescue.rescue() == 0
    assert reloaded(job).state == "running"
    later(11)
    assert rescue.rescue() == 1
    with pytest.raises(api.LeaseLost, match="no longer yours"):
        api.extend(extended)


def test_a_late_answer_changes_nothing_and_is_kept(name: str, later: Later) -> None:
    job = api.enqueue(name)
    lease = taken(lease_seconds=1)
    later(2)
    assert rescue.rescue() == 1
    again = taken()
    with pytest.raises(api.LeaseLost, match=f"job {job.pk} is no longer yours"):
        api.complete(lease, "late")
    stored = reloaded(job)
    assert (stored.state, stored.fence, stored.result) == ("running", again.fence, None)
    assert Attempt.objects.get(job=job, fence=lease.fence).late_answer == "Done"
    api.complete(again, "in time")
    with pytest.raises(api.LeaseLost, match="it is completed"):
        api.fail(lease, "too late as well")
    assert Attempt.objects.get(job=job, fence=lease.fence).late_answer == "Retry: too late as well"
    assert reloaded(job).result == "in time"


def test_the_holder_of_a_lease_that_ran_out_may_still_answer_first(name: str, later: Later) -> None:
    api.enqueue(name)
    lease = taken(lease_seconds=1)
    later(2)
    assert api.complete(lease).state == "completed"


def test_a_job_of_a_gone_outsider_runs_again_and_one_that_kills_them_all_fails(name: str, later: Later) -> None:
    job = api.enqueue(name, max_retries=1)
    for state in ("pending", "failed"):
        taken(lease_seconds=1)
        later(2)
        assert rescue.rescue() == 1
        assert reloaded(job).state == state


def test_a_lease_can_be_had_again_by_its_numbers(name: str) -> None:
    job = api.enqueue(name)
    lease = taken()
    assert api.lease_of(str(job.pk), lease.fence) == lease
    with pytest.raises(api.LeaseLost):
        api.lease_of(job.pk, lease.fence + 1)
    with pytest.raises(api.JobNotFound):
        api.lease_of(4711, 1)
    api.cancel(job.pk)
    with pytest.raises(api.LeaseLost, match="it is cancelled"):
        api.complete(api.lease_of(job.pk, lease.fence))


def test_a_clusters_job_is_nobodys_lease(name: str) -> None:
    job = api.enqueue(name)
    with atomic():
        claim = claim_next({"default": 1}, workers.register("default", {"default": 1}), types=[name])
    assert isinstance(claim, Claim)
    with pytest.raises(api.LeaseLost):
        api.lease_of(job.pk, claim.job.fence)
    forged = api.Lease(job.pk, name, {}, "", claim.job.fence, clock.now(), 1)
    for late in (lambda: api.complete(forged), lambda: api.fail(forged, "x"), lambda: api.extend(forged)):
        with pytest.raises(api.LeaseLost):
            late()
    assert (reloaded(job).state, Attempt.objects.get(job=job).late_answer) == ("running", "")


def test_blocks_and_limits_hold_for_outsiders_too(register: Register) -> None:
    name = register(lambda context: None, limits="2/h")
    for _ in range(3):
        api.enqueue(name, keys=["account:7"])
    pauses.pause("account:7", reason="holiday")
    assert api.dequeue() is None
    pauses.resume("account:7")
    assert [api.dequeue() is not None for _ in range(3)] == [True, True, False]


def test_outsiders_alone_get_what_waited_for_a_limit_once_it_allows_more(register: Register, later: Later) -> None:
    name = register(lambda context: None, limits="1/m")
    jobs = [api.enqueue(name) for _ in range(3)]
    for job in jobs:
        assert taken().job_id == job.pk
        assert api.dequeue() is None
        later(61)


def test_outsiders_alone_get_what_waited_for_a_pause_once_it_is_over(name: str, later: Later) -> None:
    job = api.enqueue(name)
    pauses.pause("all", until=clock.now() + timedelta(minutes=1))
    assert api.dequeue() is None
    assert reloaded(job).parked_by == "all"
    later(61)
    assert taken().job_id == job.pk


def test_outsiders_alone_get_what_a_lifted_pause_left_in_a_limits_lot(
    register: Register, later: Later, settings: Any
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "HEARTBEAT_SECONDS": 0}
    name = register(lambda context: None, limits="1/m")
    first, second = [api.enqueue(name) for _ in range(2)]
    assert taken().job_id == first.pk
    assert api.dequeue() is None
    pauses.pause("all")
    later(61)
    assert api.dequeue() is None
    assert reloaded(second).parked_by == f"limit:type:{name}"
    pauses.resume("all")
    assert taken().job_id == second.pk


def test_expired_jobs_are_dropped_on_the_way(name: str, later: Later) -> None:
    dropped = api.enqueue(name, expires_at=clock.now() + timedelta(hours=1))
    kept = api.enqueue(name)
    later(3601)
    assert taken().job_id == kept.pk
    assert (reloaded(dropped).state, reloaded(dropped).reason) == ("cancelled", "expired")


def test_types_with_an_irreversible_step_and_the_queues_own_are_for_its_workers(register: Register) -> None:
    sending = register(lambda context: None, "tests.sending", reconcile=lambda context, job: None)
    api.enqueue(sending)
    assert api.dequeue() is None
    with pytest.raises(ValueError, match=r"only workers of the site's own may run jobs of type tests\.sending"):
        api.dequeue(types=[sending])
    with pytest.raises(ValueError, match=r"type queue_app\.purge"):
        api.dequeue(types=["queue_app.purge"])


def test_a_type_that_this_process_does_not_know_is_served_by_name(name: str, later: Later) -> None:
    job = api.enqueue(name, max_retries=1)
    Job.objects.filter(pk=job.pk).update(type="elsewhere.crawl")
    assert api.dequeue() is None
    assert api.fail(taken(types=["elsewhere.crawl"]), "again").state == "pending"
    later(86_400)
    assert api.complete(taken(types=["elsewhere.crawl"])).state == "completed"


@pytest.mark.parametrize(
    "options",
    [
        {"queue": ""},
        {"queue": "x" * 101},
        {"queue": "a\0b"},
        {"types": [""]},
        {"types": ["a\0b"]},
        {"types": [7]},
        {"worker": "x" * 151},
        {"worker": "a\nb"},
        {"lease_seconds": 0},
        {"lease_seconds": 86_401},
        {"lease_seconds": float("nan")},
        {"lease_seconds": "60"},
    ],
)
def test_a_dequeue_that_makes_no_sense_takes_nothing(name: str, options: dict[str, Any]) -> None:
    job = api.enqueue(name)
    with pytest.raises(ValueError, match=r"1 to"):
        api.dequeue(**options)
    assert reloaded(job).state == "pending"


def test_names_with_quotes_are_only_names(name: str) -> None:
    job = api.enqueue(name, queue="it's-100%s")
    assert api.dequeue("default' OR '1'='1", types=[name]) is None
    assert taken(queue="it's-100%s", types=[name, "' OR 1 --"]).job_id == job.pk


def test_an_answer_that_cannot_be_stored_leaves_the_lease_as_it_was(name: str) -> None:
    job = api.enqueue(name)
    lease = taken()
    with pytest.raises(ValueError, match="no JSON"):
        api.complete(lease, {1, 2})
    with pytest.raises(ValueError, match="ttl_seconds"):
        api.complete(lease, 1, ttl_seconds=-1)
    with pytest.raises(ValueError, match="what went wrong"):
        api.fail(lease, " ")
    with pytest.raises(ValueError, match="delay_seconds"):
        api.fail(lease, "x", delay_seconds=-1)
    assert reloaded(job).state == "running"
    assert api.complete(lease).state == "completed"


def test_clusters_and_outsiders_share_a_queue(name: str, run: Run) -> None:
    first, second = api.enqueue(name), api.enqueue(name)
    lease = taken()
    assert run() == 1
    assert {lease.job_id} | {job.pk for job in api.all_jobs(state="completed")} == {first.pk, second.pk}
