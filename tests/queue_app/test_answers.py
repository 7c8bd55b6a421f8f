"""What handlers answer is kept alike on both databases, whatever it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from queue_app import api, clock, registry
from queue_app.models import Attempt, Block, BlockKind, Job
from queue_app.outcomes import BlockRequest, CannotTell, Fail, Failure, Hold, Outcome, Postpone, Uncertain
from queue_app.retry import RetryPolicy
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "0123456789" * 30
KEY = "account:7"
THREE_TRIES = RetryPolicy.fixed(max_attempts=3, delay_seconds=60)


def answered(register: Register, run: Run, outcome: Outcome, **options: Any) -> Job:
    """Return a job whose handler has answered so, once."""
    job = api.enqueue(register(lambda context: outcome, retry=THREE_TRIES, **options))
    run()
    return reloaded(job)


def test_a_failure_that_is_permanent_stays_so_however_long_its_code(register: Register, run: Run) -> None:
    failure = Failure(LONG, "refused", code=LONG, response_code=100_000)
    job = answered(register, run, Fail(failure))
    assert (job.state, job.reason, job.last_error) == (JobState.FAILED, LONG[:100], "refused")
    attempt = Attempt.objects.get(job=job)
    assert (attempt.error_class, attempt.code, attempt.response_code) == (LONG[:200], LONG[:100], None)


def test_a_job_is_held_however_long_the_reason(register: Register, run: Run) -> None:
    job = answered(register, run, Hold(LONG))
    assert (job.state, job.reason) == (JobState.HELD, LONG[:100])


def test_a_job_is_postponed_however_long_the_reason(register: Register, run: Run) -> None:
    until = clock.now() + timedelta(hours=1)
    job = answered(register, run, Postpone(LONG, until=until))
    assert (job.state, job.reason, job.run_at, job.attempts) == (JobState.PENDING, LONG[:100], until, 0)


def test_what_a_platform_says_is_stored_without_what_no_database_holds(register: Register, run: Run) -> None:
    broken = Failure("Refused", "to\0o \ud800 long", code="too\0_long", traceback="a\0b", response_code=422)
    job = answered(register, run, Fail(broken))
    assert (job.reason, job.last_error) == ("too_long", "too ? long")
    attempt = Attempt.objects.get(job=job)
    assert (attempt.code, attempt.traceback, attempt.response_code) == ("too_long", "ab", 422)


def test_a_cool_down_is_placed_whatever_its_reason_says(register: Register, run: Run) -> None:
    wait = BlockRequest(KEY, BlockKind.RATE_LIMIT, "wa\0it " + LONG, clock.now() + timedelta(hours=1))
    job = answered(register, run, Postpone("rate_limited", block=wait))
    assert (job.parked_by, job.attempts) == (KEY, 0)
    assert Block.objects.get().reason.startswith("wait 0123")


@pytest.mark.parametrize(
    "block",
    [
        BlockRequest("account:" + LONG, BlockKind.RATE_LIMIT, "wait"),
        BlockRequest("account", BlockKind.RATE_LIMIT, "wait"),
        BlockRequest("", BlockKind.RATE_LIMIT, "wait"),
        BlockRequest("account:\0", BlockKind.RATE_LIMIT, "wait"),
        BlockRequest(KEY, BlockKind.RATE_LIMIT, "wait", datetime(2999, 1, 1)),  # noqa: DTZ001 -- the mistake
    ],
    ids=["too long", "no name", "empty", "unprintable", "no zone"],
)
def test_a_cool_down_that_cannot_be_meant_is_the_handlers_bug(
    register: Register, run: Run, block: BlockRequest
) -> None:
    job = answered(register, run, Postpone("rate_limited", block=block))
    assert (job.state, job.reason, job.parked_by, job.attempts) == (JobState.PENDING, "retry", "", 1)
    assert Attempt.objects.get(job=job).code == "unstorable"
    assert not Block.objects.exists()


def test_a_time_without_a_zone_is_the_handlers_bug(register: Register, run: Run) -> None:
    job = answered(register, run, Postpone("busy", until=datetime(2999, 1, 1)))  # noqa: DTZ001 -- the mistake
    assert (job.state, job.reason, job.attempts) == (JobState.PENDING, "retry", 1)


def test_a_look_up_that_cannot_tell_for_a_long_reason_asks_a_person(register: Register, run: Run, later: Later) -> None:
    def handler(context: Any) -> Outcome:
        context.before_irreversible_step()
        return Uncertain(Failure("NoAnswer", "no answer"))

    job = api.enqueue(register(handler, reconcile=lambda context, job: CannotTell(LONG)))
    run()
    later(registry.RECONCILE_DELAY_SECONDS + 1)
    run()
    stored = reloaded(job)
    assert (stored.state, stored.reason) == (JobState.UNCERTAIN, LONG[:100])
    assert stored.needs_review_at is not None
