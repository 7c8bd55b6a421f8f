"""Looking up jobs whose outcome is unknown: found, absent, no way to tell, and asking again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from queue_app import api, clock, finish, rescue
from queue_app.context import JobContext
from queue_app.models import Job, Notice
from queue_app.outcomes import Absent, CannotTell, Done, Finding, Found
from queue_app.registry import RECONCILE
from queue_app.retry import RetryPolicy
from queue_app.states import IllegalTransition, JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded
from tests.queue_app.test_claims import claim_one

pytestmark = pytest.mark.django_db(transaction=True)


def send_without_answer(context: JobContext) -> None:
    context.before_irreversible_step()
    raise ConnectionResetError("no answer")


@pytest.fixture
def uncertain(register: Register, run: Run) -> Any:
    """Return a function that makes a job uncertain; its look-ups give the given answers in turn."""

    def make(*answers: Finding | Exception, max_attempts: int = 3) -> Job:
        queue = list(answers)

        def look_up(context: JobContext, job: Job) -> Finding:
            answer = queue.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        policy = RetryPolicy.fixed(max_attempts=max_attempts, delay_seconds=1)
        job = api.enqueue(register(send_without_answer, reconcile=look_up, retry=policy))
        assert run() == 1
        return reloaded(job)

    return make


def test_an_uncertain_job_is_looked_up_after_ten_seconds_and_only_once(uncertain: Any, run: Run) -> None:
    job = uncertain(Found())
    assert (job.state, job.needs_review_at) == (JobState.UNCERTAIN, None)
    look_up = Job.objects.get(type=RECONCILE)
    assert look_up.unique_key == f"reconcile:{job.pk}"
    assert timedelta(seconds=8) < look_up.run_at - clock.now() <= timedelta(seconds=10)
    assert run() == 0
    api.check_again(job.pk)
    assert Job.objects.filter(type=RECONCILE).count() == 1


def test_what_is_found_is_completed_with_its_result(uncertain: Any, run: Run, later: Later) -> None:
    job = uncertain(Found({"url": "https://a.example/1"}))
    later(11)
    run()
    assert (reloaded(job).state, reloaded(job).result) == (JobState.COMPLETED, {"url": "https://a.example/1"})


def test_what_is_proven_absent_runs_again(uncertain: Any, run: Run, later: Later) -> None:
    job = uncertain(Absent(), Absent())
    later(11)
    assert run() == 2  # the look-up, and the job itself
    stored = reloaded(job)
    assert (stored.state, stored.attempts) == (JobState.UNCERTAIN, 2)


def test_absent_with_no_attempts_left_is_failed(uncertain: Any, run: Run, later: Later) -> None:
    job = uncertain(Absent(), max_attempts=1)
    later(11)
    run()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.FAILED, "out_of_attempts")


def test_where_nobody_can_tell_a_person_is_asked_at_once(uncertain: Any, run: Run, later: Later) -> None:
    job = uncertain(CannotTell("no_read_back"))
    later(11)
    run()
    stored = reloaded(job)
    assert (stored.state, stored.reason) == (JobState.UNCERTAIN, "no_read_back")
    assert stored.needs_review_at is not None
    assert Notice.objects.get(job=job).kind == "needs_review"


def test_a_look_up_that_fails_is_repeated_after_1_5_and_30_minutes_and_then_a_person_is_asked(
    uncertain: Any, run: Run, later: Later
) -> None:
    job = uncertain(*[OSError("down")] * 4)
    later(11)
    for wait in (60, 300, 1800):
        assert run() == 1
        assert reloaded(job).needs_review_at is None
        waiting = Job.objects.get(type=RECONCILE, state=JobState.PENDING)
        assert timedelta(seconds=wait - 2) < waiting.run_at - clock.now() <= timedelta(seconds=wait)
        later(wait + 1)
    assert run() == 1
    assert reloaded(job).needs_review_at is not None
    assert Job.objects.get(type=RECONCILE).state == JobState.FAILED
    # The look-up's own failure tells nobody: the job it served does.
    assert Notice.objects.count() == 1


def test_check_again_looks_anew_after_giving_up(uncertain: Any, run: Run, later: Later) -> None:
    job = uncertain(CannotTell("no_read_back"), Found({"id": 1}))
    later(11)
    run()
    api.check_again(job.pk)
    assert run() == 1
    assert reloaded(job).state == JobState.COMPLETED


def test_a_person_may_say_that_it_took_effect(uncertain: Any) -> None:
    job = uncertain(CannotTell("no_read_back"))
    api.complete_uncertain(job.pk, {"url": "https://a.example/1"}, actor="ada")
    stored = reloaded(job)
    assert (stored.state, stored.reason, stored.needs_review_at) == (JobState.COMPLETED, "said_by_person", None)
    assert stored.events.last().actor == "ada"
    with pytest.raises(IllegalTransition):
        api.complete_uncertain(job.pk, {}, actor="ada")


def test_a_look_up_that_comes_after_a_person_decided_changes_nothing(uncertain: Any, run: Run, later: Later) -> None:
    job = uncertain(Found({"id": 1}))
    api.cancel(job.pk, actor="ada")
    later(11)
    run()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.CANCELLED, "stopped_may_be_live")


def test_an_uncertain_job_whose_look_up_died_is_for_a_person(uncertain: Any, run: Run) -> None:
    job = uncertain(Found())
    api.cancel(Job.objects.get(type=RECONCILE).pk)
    rescue.rescue()
    stored = reloaded(job)
    assert (stored.state, stored.reason) == (JobState.UNCERTAIN, "lookup_failed")
    assert stored.needs_review_at is not None
    assert Notice.objects.get(job=job).kind == "needs_review"


def test_an_uncertain_job_that_found_an_older_look_up_under_way_gets_its_own(uncertain: Any, run: Run) -> None:
    job = uncertain(Found())
    Job.objects.filter(type=RECONCILE).update(run_at=clock.now() - timedelta(seconds=1))
    older = claim_one(RECONCILE)
    assert older is not None
    api.retry(job.pk)
    assert run() == 1
    assert reloaded(job).state == JobState.UNCERTAIN
    finish.settle(older, Done("settled elsewhere"))
    assert not Job.objects.filter(type=RECONCILE, state=JobState.PENDING).exists()
    rescue.rescue()
    assert Job.objects.filter(type=RECONCILE, state=JobState.PENDING).exists()
    assert reloaded(job).needs_review_at is None


def test_that_it_was_retried_or_stopped_while_uncertain_is_remembered(uncertain: Any) -> None:
    job = uncertain(Found())
    assert api.may_have_taken_effect(job)
    api.retry(job.pk)
    api.cancel(job.pk)
    assert api.may_have_taken_effect(reloaded(job))
