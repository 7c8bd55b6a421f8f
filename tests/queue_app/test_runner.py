"""Running jobs: each outcome, before and after the mark, and what the error log keeps."""

from __future__ import annotations

import contextlib
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections

from queue_app import api, clock, plain, runner
from queue_app.context import JobContext
from queue_app.database import alias
from queue_app.models import Attempt, AttemptOutcome, Block, BlockKind, Event, Job, Notice
from queue_app.outcomes import (
    BlockRequest,
    Done,
    Fail,
    Failure,
    Hold,
    Outcome,
    Postpone,
    Retry,
    Uncertain,
)
from queue_app.retry import RetryPolicy
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run, broken_hook, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

THREE_TRIES = RetryPolicy.fixed(max_attempts=3, delay_seconds=60)
BROKEN = Failure("Broken", "it broke", code="broken", response_code=503)


def test_an_answer_that_is_no_outcome_is_the_result(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context, n: {"double": n * 2}), {"n": 21})
    assert run() == 1
    job = reloaded(job)
    assert (job.state, job.result, job.attempts) == (JobState.COMPLETED, {"double": 42}, 1)
    assert list(job.events.values_list("name", flat=True)) == ["job_added", "status_updated", "job_completed"]
    attempt = job.attempt_set.get()
    assert (attempt.number, attempt.outcome) == (1, AttemptOutcome.COMPLETED)
    assert attempt.duration_seconds is not None


def test_the_cluster_is_told_when_a_handler_runs_and_not_while_its_answer_is_saved(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []

    def handler(context: JobContext, answer: str) -> None:
        said.append(answer)
        if answer == "error":
            raise ValueError

    name = register(handler, timeout_seconds=60)
    monkeypatch.setattr(runner, "_begins", lambda job_id, seconds: said.append((job_id, seconds)))
    monkeypatch.setattr(runner, "_ends", lambda: said.append(Job.objects.get(pk=said[-2][0]).state))
    jobs = [api.enqueue(name, {"answer": answer}) for answer in ("done", "error")]
    run()
    assert said == [(jobs[0].pk, 90), "done", "running", (jobs[1].pk, 90), "error", "running"]


def test_an_exception_is_retried_by_the_policy_and_kept_with_its_traceback(
    register: Register, run: Run, later: Later
) -> None:
    def handler(context: JobContext) -> None:
        raise ZeroDivisionError("by nothing")

    job = api.enqueue(register(handler, retry=THREE_TRIES))
    assert run() == 1
    stored = reloaded(job)
    assert (stored.state, stored.reason) == (JobState.PENDING, "retry")
    assert timedelta(seconds=59) < stored.run_at - clock.now() <= timedelta(seconds=60)
    assert run() == 0
    for _ in range(2):
        later(61)
        assert run() == 1
    stored = reloaded(job)
    assert (stored.state, stored.reason, stored.last_error) == (JobState.FAILED, "out_of_attempts", "by nothing")
    attempts = list(stored.attempt_set.order_by("id"))
    assert [attempt.number for attempt in attempts] == [1, 2, 3]
    assert [attempt.outcome for attempt in attempts] == ["retry", "retry", "failed"]
    assert attempts[0].error_class == "ZeroDivisionError"
    assert "in handler" in attempts[0].traceback
    assert Notice.objects.get(job=job).kind == "failed"


def test_a_failure_keeps_code_and_response_code(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: Fail(BROKEN)))
    run()
    attempt = Attempt.objects.get(job=job)
    assert (attempt.error_class, attempt.code, attempt.response_code) == ("Broken", "broken", 503)
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.FAILED, "broken")


def test_the_longer_of_policy_and_platform_delay_counts(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: Retry(BROKEN, delay_seconds=500), retry=THREE_TRIES))
    run()
    assert reloaded(job).run_at - clock.now() > timedelta(seconds=490)


def test_postponing_uses_up_no_attempt_but_has_a_deadline(register: Register, run: Run, later: Later) -> None:
    def handler(context: JobContext) -> Outcome:
        return Postpone("processing", until=clock.now() + timedelta(seconds=30), deadline_seconds=100)

    job = api.enqueue(register(handler))
    for _ in range(4):
        run()
        assert (reloaded(job).state, reloaded(job).attempts) == (JobState.PENDING, 0)
        later(31)
    run()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.FAILED, "processing")


def test_what_was_waited_for_before_does_not_count_for_another_reason(
    register: Register, run: Run, later: Later
) -> None:
    reasons = ["processing"] * 3 + ["not_seen_yet"] * 4

    def handler(context: JobContext) -> Outcome:
        seconds = 3600 if reasons[0] == "processing" else 50
        return Postpone(reasons.pop(0), until=clock.now() + timedelta(seconds=30), deadline_seconds=seconds)

    job = api.enqueue(register(handler))
    for _ in range(5):
        run()
        assert reloaded(job).state == JobState.PENDING
        later(31)
    run()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.FAILED, "not_seen_yet")


def test_a_step_that_is_done_ends_what_was_waited_for(register: Register, run: Run, later: Later) -> None:
    steps = [False, False, True, False]

    def handler(context: JobContext) -> Outcome:
        if steps.pop(0):
            context.before_irreversible_step()
            context.irreversible_step_done(lambda: None)
        return Postpone("processing", until=clock.now() + timedelta(seconds=30), deadline_seconds=50)

    job = api.enqueue(register(handler))
    for _ in range(4):
        run()
        assert reloaded(job).state == JobState.PENDING
        later(31)


def test_a_block_asked_for_by_an_outcome_parks_the_job_and_its_neighbours(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> Outcome:
        request = BlockRequest("account:7", BlockKind.RATE_LIMIT, "slow down", clock.now() + timedelta(hours=1))
        return Postpone("rate_limited", block=request)

    name = register(handler)
    first = api.enqueue(name, keys=["account:7"])
    second = api.enqueue(name, keys=["account:7"])
    other = api.enqueue(name, keys=["account:8"], run_at=clock.now() + timedelta(hours=2))
    assert run() == 1
    assert [reloaded(job).parked_by for job in (first, second, other)] == ["account:7", "account:7", ""]
    assert Block.objects.get().kind == BlockKind.RATE_LIMIT


def test_a_held_job_waits_for_a_person(register: Register, run: Run) -> None:
    answers: list[Any] = [Hold("look_at_this"), Done()]
    job = api.enqueue(register(lambda context: answers.pop(0)))
    run()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.HELD, "look_at_this")
    assert run() == 0
    api.release(job.pk, actor="ada")
    assert run() == 1
    assert reloaded(job).state == JobState.COMPLETED


def test_a_job_that_was_held_in_its_last_attempt_has_one_more(register: Register, run: Run) -> None:
    answers: list[Any] = [Hold("look_at_this"), Done()]
    job = api.enqueue(register(lambda context: answers.pop(0)), max_retries=0)
    run()
    assert (reloaded(job).attempts, reloaded(job).max_attempts) == (1, 1)
    api.release(job.pk, actor="ada")
    run()
    assert (reloaded(job).attempts, reloaded(job).max_attempts) == (2, 2)


@pytest.mark.parametrize("answer", ["raise", Uncertain(BROKEN), Retry(BROKEN), Hold("hm"), Postpone("later")])
def test_after_the_mark_no_clear_answer_means_uncertain(register: Register, run: Run, answer: Any) -> None:
    def handler(context: JobContext) -> Any:
        context.before_irreversible_step()
        if answer == "raise":
            raise ValueError("lost")
        return answer

    job = api.enqueue(register(handler))
    run()
    stored = reloaded(job)
    assert stored.state == JobState.UNCERTAIN
    assert stored.marked_at is not None
    # Its type has no look-up, so a person is asked at once.
    assert stored.needs_review_at is not None
    assert Notice.objects.get(job=job).kind == "needs_review"


def test_a_documented_refusal_clears_the_mark(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> Outcome:
        context.before_irreversible_step()
        context.irreversible_step_refused()
        return Retry(BROKEN)

    job = api.enqueue(register(handler))
    run()
    assert (reloaded(job).state, reloaded(job).marked_at) == (JobState.PENDING, None)


def test_uncertain_before_the_mark_is_an_ordinary_failure(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: Uncertain(BROKEN)))
    run()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.PENDING, "retry")


def test_what_save_writes_stands_with_the_mark_or_not_at_all(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> None:
        def save() -> None:
            Job.objects.filter(pk=context.job.pk).update(metadata={"frozen": True})
            raise RuntimeError("disk full")

        context.before_irreversible_step(save=save)

    job = api.enqueue(register(handler))
    run()
    assert (reloaded(job).state, reloaded(job).metadata, reloaded(job).marked_at) == (JobState.PENDING, {}, None)


def test_a_job_cancelled_while_it_runs_does_not_pass_its_mark(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> None:
        api.cancel(context.job.pk, actor="ada")
        context.before_irreversible_step()
        raise AssertionError("the mark let a cancelled job pass")

    job = api.enqueue(register(handler))
    run()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.CANCELLED, "by_hand")
    assert Attempt.objects.get(job=job).late_answer == "Fenced"


def test_a_key_blocked_while_a_job_runs_stops_it_at_the_mark(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> None:
        Block.objects.create(key="all", kind=BlockKind.PAUSE, created_at=clock.now())
        context.before_irreversible_step()
        raise AssertionError("the mark let a paused job pass")

    job = api.enqueue(register(handler))
    run()
    stored = reloaded(job)
    assert (stored.state, stored.parked_by, stored.attempts) == (JobState.PENDING, "all", 0)


def test_a_job_that_expires_while_it_runs_is_dropped_at_the_mark(register: Register, run: Run, later: Later) -> None:
    def handler(context: JobContext) -> None:
        later(100)
        context.before_irreversible_step()
        raise AssertionError("the mark let an expired job pass")

    job = api.enqueue(register(handler), expires_at=clock.now() + timedelta(seconds=50))
    run()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.CANCELLED, "expired")


def test_an_expired_job_is_not_started(register: Register, run: Run, later: Later) -> None:
    job = api.enqueue(register(lambda context: Done()), expires_at=clock.now() + timedelta(seconds=5))
    later(6)
    assert run() == 0
    assert (reloaded(job).state, reloaded(job).reason, reloaded(job).attempts) == (JobState.CANCELLED, "expired", 0)


def test_a_job_that_runs_too_long_is_stopped_by_its_alarm(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # a handler that swallows everything
                time.sleep(5)

    job = api.enqueue(register(handler, timeout_seconds=0.2, retry=THREE_TRIES))
    run()
    attempt = Attempt.objects.get(job=job)
    assert (attempt.error_class, attempt.code) == ("JobTimeout", "timeout")
    assert reloaded(job).state == JobState.PENDING


def test_a_result_that_is_no_json_is_the_jobs_error(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: {1, 2}, retry=RetryPolicy.fixed(max_attempts=1, delay_seconds=1)))
    run()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.FAILED, "unstorable")


def test_an_endless_delay_is_the_jobs_error(register: Register, run: Run) -> None:
    endless = Retry(Failure("Busy", "come back never"), delay_seconds=float("inf"))
    job = api.enqueue(register(lambda context: endless, retry=RetryPolicy.fixed(max_attempts=2, delay_seconds=1)))
    run()
    assert reloaded(job).state == JobState.PENDING
    assert Attempt.objects.get(job=job).code == "unstorable"


def test_a_nul_in_an_error_does_not_keep_it_from_being_stored(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> None:
        raise ValueError("before\0after")

    job = api.enqueue(register(handler))
    run()
    assert Attempt.objects.get(job=job).message == "beforeafter"


def test_secrets_that_a_handler_names_are_kept_out_of_the_error_log(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> None:
        context.redact = lambda text: text.replace("tok-canary", "[secret]")
        raise ValueError("rejected tok-canary")

    job = api.enqueue(register(handler))
    run()
    attempt = Attempt.objects.get(job=job)
    assert "tok-canary" not in attempt.message + attempt.traceback.replace('"tok-canary"', "")
    assert reloaded(job).last_error == "rejected [secret]"


def test_priority_comes_before_due_time_and_due_time_before_age(register: Register, run: Run) -> None:
    order: list[str] = []
    name = register(lambda context, label: order.append(label))
    now = clock.now()
    api.enqueue(name, {"label": "low"}, priority="low", run_at=now - timedelta(hours=1))
    api.enqueue(name, {"label": "normal, newer"}, run_at=now - timedelta(seconds=1))
    api.enqueue(name, {"label": "normal, older"}, run_at=now - timedelta(seconds=2))
    api.enqueue(name, {"label": "high"}, priority="high", run_at=now)
    api.enqueue(name, {"label": "future"}, priority=1, run_at=now + timedelta(hours=1))
    assert run() == 4
    assert order == ["high", "normal, older", "normal, newer", "low"]


def test_the_hook_sees_every_change_and_shares_its_transaction(register: Register, run: Run) -> None:
    seen: list[str] = []

    def hook(job: Job, event: Event) -> None:
        seen.append(f"{event.source}>{event.target}:{event.reason}")

    job = api.enqueue(register(lambda context: Done(), on_transition=hook))
    run()
    assert seen == [">pending:", "pending>running:", "running>completed:"]
    assert job.events.count() == 3


def test_a_hook_that_breaks_at_the_start_holds_its_job_and_no_other(register: Register, run: Run) -> None:
    name = register(lambda context: None, on_transition=broken_hook("running"))
    broken, good = api.enqueue(name, target_id="broken"), api.enqueue(name)
    assert run() == 1
    assert (reloaded(broken).state, reloaded(broken).reason) == (JobState.HELD, "hook_failed")
    assert reloaded(good).state == JobState.COMPLETED
    assert Notice.objects.get(job=broken).kind == "held"


def test_a_hook_that_breaks_at_the_end_leaves_nothing_running(register: Register, run: Run) -> None:
    name = register(lambda context: None, on_transition=broken_hook("completed", "pending", "failed"))
    broken, good = api.enqueue(name, target_id="broken"), api.enqueue(name)
    assert run() >= 1
    assert reloaded(broken).state == JobState.PENDING
    assert "KeyError" in reloaded(broken).attempt_set.get().error_class
    assert reloaded(good).state == JobState.COMPLETED


def test_a_step_begun_twice_stays_marked(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> None:
        context.before_irreversible_step()
        context.before_irreversible_step()

    job = api.enqueue(register(handler))
    run()
    assert reloaded(job).state == JobState.UNCERTAIN


def test_a_step_that_was_refused_may_be_begun_again(register: Register, run: Run) -> None:
    def handler(context: JobContext) -> None:
        context.before_irreversible_step()
        context.irreversible_step_refused()
        context.before_irreversible_step()

    job = api.enqueue(register(handler))
    run()
    assert reloaded(job).state == JobState.COMPLETED


def test_a_claim_whose_commit_was_not_answered_is_not_left_running(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = api.enqueue(register(lambda context: None))
    real, answers = plain.take, [False]

    def unanswered(*args: Any) -> Any:
        taken = real(*args)
        if answers and Job.objects.filter(state=JobState.RUNNING).exists():
            answers.pop()
            raise OperationalError("the connection was lost")
        return taken

    monkeypatch.setattr(plain, "take", unanswered)
    run()
    assert not answers
    stored = reloaded(job)
    assert (stored.state, stored.attempts) == (JobState.COMPLETED, 1)


def test_an_outcome_waits_for_the_database_where_the_handler_closed_the_connection(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [OperationalError("the server is away")] * 2
    ran: list[int] = []

    def handler(context: JobContext) -> None:
        ran.append(context.job.pk)
        wrapper = connections[alias()]
        connect = wrapper.get_new_connection

        def refused(params: Any) -> Any:
            if refusals:
                raise refusals.pop()
            return connect(params)

        monkeypatch.setattr(wrapper, "get_new_connection", refused)
        wrapper.close()

    job = api.enqueue(register(handler))
    assert run() == 1
    assert (ran, refusals) == ([job.pk], [])
    stored = reloaded(job)
    assert (stored.state, stored.attempts) == (JobState.COMPLETED, 1)


def test_people_are_told_of_what_expired_and_of_what_is_held(register: Register, run: Run, later: Later) -> None:
    expired = api.enqueue(register(lambda context: None), expires_at=clock.now() + timedelta(seconds=5))
    later(6)
    held = api.enqueue(register(lambda context: Hold("hm"), name="tests.held"))
    run()
    assert Notice.objects.get(job=expired).kind == "expired"
    assert Notice.objects.get(job=held).kind == "held"
