"""``set_status``: every pair of states of the table, and what a caller may say beside the status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from queue_app import api, claims, clock, pauses, transitions
from queue_app.context import JobContext
from queue_app.database import atomic
from queue_app.models import Attempt, Job
from queue_app.states import TRANSITIONS, JobState
from tests.queue_app.jobs import Register, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[[JobState], Job]


@pytest.fixture
def make(register: Register) -> Make:
    """Return a function that makes a job in a state, by the API alone as far as it goes."""
    name = register(lambda context: None)

    def running() -> Job:
        job = api.enqueue(name)
        assert api.dequeue(types=[name]) is not None
        return reloaded(job)

    def uncertain() -> Job:
        api.enqueue(name)
        with atomic():
            claim = claims.claim_next({"default": 1}, None, types=[name])
        assert isinstance(claim, claims.Claim)
        JobContext(claim.job, "tests").before_irreversible_step()
        api.release_running(actor="ada")
        return reloaded(claim.job)

    makers: Mapping[JobState, Callable[[], Job]] = {
        JobState.PENDING: lambda: api.enqueue(name),
        JobState.RUNNING: running,
        JobState.HELD: lambda: api.set_status(api.enqueue(name).pk, "held"),
        JobState.UNCERTAIN: uncertain,
        JobState.COMPLETED: lambda: api.set_status(running().pk, "completed"),
        JobState.FAILED: lambda: api.set_status(running().pk, "failed", error="broken"),
        JobState.CANCELLED: lambda: api.cancel(api.enqueue(name).pk),
    }
    return lambda state: makers[state]()


@pytest.mark.parametrize("source", JobState)
@pytest.mark.parametrize("target", JobState)
def test_a_status_is_set_exactly_where_the_table_has_the_edge(make: Make, source: JobState, target: JobState) -> None:
    job = make(source)
    assert job.state == source
    events = job.events.count()
    # Only a marked job becomes uncertain, and one that is marked is not to be moved.
    if target in TRANSITIONS[source] and target != JobState.UNCERTAIN:
        assert api.set_status(job.pk, target.value, actor="ada").state == target
        assert job.events.filter(target=target, actor="ada").exists()
    else:
        with pytest.raises(api.IllegalTransition, match=f"job {job.pk} is {source.value}"):
            api.set_status(job.pk, target.value)
        assert (reloaded(job).state, job.events.count()) == (source, events)


def test_processing_is_another_word_for_running(make: Make) -> None:
    job = make(JobState.PENDING)
    assert api.set_status(job.pk, "processing", actor="outsider").state == "running"
    lease = api.lease_of(job.pk, reloaded(job).fence)
    assert api.complete(lease, {"a": 1}).result == {"a": 1}


@pytest.mark.parametrize("status", ["done", "", "PENDING", "pending ", 7, None, "'; DROP TABLE"])
def test_a_word_that_is_no_status_is_refused(make: Make, status: Any) -> None:
    job = make(JobState.PENDING)
    with pytest.raises(ValueError, match=r"invalid job status: .*there are pending, running"):
        api.set_status(job.pk, status)


def test_a_result_and_an_error_go_with_their_status(make: Make) -> None:
    job = make(JobState.RUNNING)
    with pytest.raises(ValueError, match="only a completed job"):
        api.set_status(job.pk, "failed", result=1)
    with pytest.raises(ValueError, match="only a failed job"):
        api.set_status(job.pk, "completed", error="no")
    with pytest.raises(ValueError, match="no JSON"):
        api.set_status(job.pk, "completed", result={1, 2})
    with pytest.raises(ValueError, match="the error is plain text"):
        api.set_status(job.pk, "failed", error="a\0b")
    assert api.set_status(job.pk, "completed", result={"url": "x"}).result == {"url": "x"}


def test_a_job_failed_by_word_keeps_its_error_with_the_execution(make: Make) -> None:
    job = make(JobState.FAILED)
    attempt = Attempt.objects.get(job=job)
    assert (job.last_error, attempt.outcome, attempt.message) == ("broken", "failed", "broken")


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "pending", "held", "uncertain"])
def test_a_job_that_is_being_sent_is_left_alone(register: Register, status: str) -> None:
    name = register(lambda context: None)
    api.enqueue(name)
    with atomic():
        claim = claims.claim_next({"default": 1}, None, types=[name])
    assert isinstance(claim, claims.Claim)
    with atomic():
        transitions.mark(claim.job, now=claim.attempt.started_at)
    with pytest.raises(api.MarkedJob):
        api.set_status(claim.job.pk, status)


def test_saying_that_an_uncertain_job_failed_does_not_make_a_retry_safe(make: Make) -> None:
    job = make(JobState.UNCERTAIN)
    assert api.may_have_taken_effect(api.set_status(job.pk, "failed", error="looked, saw nothing"))


def test_a_job_put_back_while_it_runs_is_lost_to_its_holder(register: Register) -> None:
    name = register(lambda context: None)
    job = api.enqueue(name)
    lease = api.dequeue(types=[name])
    assert lease is not None
    assert (api.set_status(job.pk, "pending").attempts, reloaded(job).state) == (0, "pending")
    with pytest.raises(api.LeaseLost):
        api.complete(lease)


def test_a_job_is_not_started_by_word_where_a_claim_would_not_take_it(register: Register) -> None:
    name = register(lambda context: None)
    ours = register(lambda context: None, "tests.sending", reconcile=lambda context, job: None)
    job = api.enqueue(name, keys=["account:7"])
    pauses.pause("account:7", reason="holiday")
    with pytest.raises(api.CannotStart, match=r"account:7 holiday"):
        api.set_status(job.pk, "running")
    pauses.resume("account:7")
    with pytest.raises(api.CannotStart, match="workers of the site's own"):
        api.set_status(api.enqueue(ours).pk, "running")
    assert api.set_status(job.pk, "running").state == "running"


def test_a_start_by_word_counts_under_its_limit_and_keeps_to_its_time(register: Register) -> None:
    name = register(lambda context: None, limits="1/h")
    first, second = api.enqueue(name), api.enqueue(name)
    later = api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    api.set_status(first.pk, "running")
    with pytest.raises(api.CannotStart, match=f"job {second.pk} cannot start now: limit type:{name}"):
        api.set_status(second.pk, "running")
    with pytest.raises(api.CannotStart, match="it is due at"):
        api.set_status(later.pk, "running")
    assert (reloaded(second).state, reloaded(second).parked_by) == ("pending", "")
