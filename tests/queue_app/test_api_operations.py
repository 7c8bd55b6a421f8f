"""Operations on one job: each takes the edge that it names, with its event, or refuses and writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from queue_app import api, arguments, clock, rescue
from queue_app.context import JobContext
from queue_app.explain import words
from queue_app.models import Job
from queue_app.outcomes import Fail, Failure
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context, **args: args)


@pytest.fixture
def failed(register: Register, run: Run) -> Callable[..., Job]:
    """Return a function that makes a failed job whose handler takes ``number``, an int that must not be 0."""

    def handler(context: JobContext, number: int) -> Any:
        return Fail(Failure("Zero", "it is zero")) if number == 0 else number

    type_name = register(handler, "tests.numbers")

    def make(**options: Any) -> Job:
        job = api.enqueue(type_name, {"number": 0}, **options)
        run()
        return reloaded(job)

    return make


@pytest.fixture
def failing(register: Register) -> str:
    return register(lambda context: Fail(Failure("Never", "it never works")), "tests.failing", expires_seconds=60)


def test_a_held_job_waits_with_its_reason_until_it_is_released(name: str, run: Run) -> None:
    job = api.enqueue(name)
    held = api.hold(job.pk, "ask the lawyers", actor="ada")
    assert (held.state, words(held)) == ("held", "ask the lawyers")
    assert run() == 0
    assert api.release(job.pk, actor="ada").state == "pending"
    run()
    assert api.get_status(job.pk) == "completed"
    with pytest.raises(api.IllegalTransition, match="it is final"):
        api.hold(job.pk, "too late")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 101, "a\0b"])
def test_a_job_is_not_held_for_a_reason_that_cannot_be_stored(name: str, reason: str) -> None:
    job = api.enqueue(name)
    with pytest.raises(ValueError, match="a reason is"):
        api.hold(job.pk, reason)
    assert api.get_status(job.pk) == "pending"


def test_only_a_held_job_is_released(name: str) -> None:
    job = api.enqueue(name)
    with pytest.raises(api.IllegalTransition):
        api.release(job.pk)
    api.cancel(job.pk)
    with pytest.raises(api.IllegalTransition):
        api.release(job.pk)
    assert api.get_status(job.pk) == "cancelled"


def test_another_priority_leaves_the_due_time_alone(name: str) -> None:
    job = api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    assert (api.reprioritise(job.pk, "high").priority, reloaded(job).priority) == (2, 2)
    assert reloaded(job).run_at == job.run_at
    with pytest.raises(ValueError, match="priority is 1"):
        api.reprioritise(job.pk, 0)
    api.cancel(job.pk)
    with pytest.raises(api.IllegalTransition):
        api.reprioritise(job.pk, 1)


def test_a_dead_letter_runs_again_with_edited_arguments(failed: Callable[..., Job], run: Run) -> None:
    job = failed()
    retried = api.retry(job.pk, args={"number": 7}, actor="ada")
    assert retried.events.order_by("id").last().data == {"edited": True}  # type: ignore[union-attr]  # there is one
    run()
    assert (reloaded(job).state, reloaded(job).result) == ("completed", 7)


def test_edited_arguments_are_checked_as_new_ones_are(failed: Callable[..., Job]) -> None:
    job = failed()
    with pytest.raises(arguments.InvalidArguments, match="expects number: int"):
        api.retry(job.pk, args={"number": "7"})
    assert (reloaded(job).state, reloaded(job).args) == ("failed", {"number": 0})


def test_edited_arguments_of_a_unique_type_change_its_key(register: Register) -> None:
    name = register(lambda context, **args: None, unique=True)
    job, other = api.enqueue(name, {"a": 1}), api.enqueue(name, {"a": 2})
    api.cancel(job.pk)
    with pytest.raises(api.DuplicateJob) as refusal:
        api.retry(job.pk, args={"a": 2})
    assert refusal.value.existing_id == other.pk
    api.retry(job.pk, args={"a": 3})
    with pytest.raises(api.DuplicateJob):
        api.enqueue(name, {"a": 3})
    assert api.enqueue(name, {"a": 1}).pk


def test_edited_arguments_leave_a_unique_key_of_the_callers_own(register: Register) -> None:
    name = register(lambda context, **args: None, unique=True)
    job = api.enqueue(name, {"a": 1}, unique_key="invoice:7")
    api.cancel(job.pk)
    assert api.retry(job.pk, args={"a": 2}).unique_key == "invoice:7"
    with pytest.raises(api.DuplicateJob):
        api.enqueue(name, {"a": 3}, unique_key="invoice:7")


def test_a_job_that_is_moved_expires_as_long_after_its_new_time(register: Register, run: Run, later: Later) -> None:
    job = api.enqueue(register(lambda context: None, expires_seconds=60))
    due = clock.now() + HOUR
    assert api.reschedule(job.pk, due).expires_at == due + timedelta(seconds=60)
    later(61)
    rescue.rescue()
    later(3600 - 61 + 1)
    assert run() == 1
    assert api.get_status(job.pk) == "completed"


def test_a_job_that_is_moved_back_into_the_past_has_its_time_from_now_on(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: None, expires_seconds=60), run_at=clock.now() + HOUR)
    api.reschedule(job.pk, clock.now() - HOUR)
    assert run() == 1


@pytest.mark.parametrize("again", [api.retry, lambda job_id: api.set_status(job_id, "pending")])
def test_a_job_that_is_retried_expires_as_long_after_that(
    register: Register, later: Later, again: Callable[[int], Job]
) -> None:
    job = api.enqueue(register(lambda context: None, expires_seconds=60))
    later(50)
    api.cancel(job.pk)
    before = clock.now()
    expires_at = again(job.pk).expires_at
    assert expires_at is not None
    assert before <= expires_at - timedelta(seconds=60) <= clock.now()


def test_dead_letters_that_are_retried_together_expire_as_long_after_that(failing: str, run: Run, later: Later) -> None:
    job = api.enqueue(failing)
    run()
    later(3601)
    assert api.retry_all(type=failing).done == 1
    expires_at = reloaded(job).expires_at
    assert expires_at is not None
    assert expires_at > clock.now()


def test_another_priority_leaves_the_expiry_alone(register: Register, later: Later) -> None:
    job = api.enqueue(register(lambda context: None, expires_seconds=60))
    later(30)
    assert api.reprioritise(job.pk, 1).expires_at == job.expires_at


def test_a_time_at_which_a_job_could_only_expire_is_refused(name: str) -> None:
    now = clock.now()
    job = api.enqueue(name, expires_at=now + HOUR)
    with pytest.raises(ValueError, match=f"job {job.pk} is dropped at .*, before it would run: give expires_at too"):
        api.reschedule(job.pk, now + 2 * HOUR)
    with pytest.raises(ValueError, match="expires_at is after run_at"):
        api.reschedule(job.pk, now + 2 * HOUR, expires_at=now + HOUR)
    with pytest.raises(ValueError, match="expires_at is in the future"):
        api.reschedule(job.pk, now, expires_at=now - HOUR)
    assert reloaded(job).run_at == job.run_at
    assert api.reschedule(job.pk, now + 2 * HOUR, expires_at=now + 3 * HOUR).expires_at == now + 3 * HOUR
    api.cancel(job.pk)
    with pytest.raises(ValueError, match="expires_at is in the future"):
        api.retry(job.pk, expires_at=now - HOUR)
    assert api.retry(job.pk).expires_at == now + 3 * HOUR


def test_an_expiry_of_its_own_that_is_over_does_not_keep_a_retried_job(name: str, run: Run, later: Later) -> None:
    job = api.enqueue(name, expires_at=clock.now() + HOUR)
    later(3601)
    rescue.rescue()
    assert reloaded(job).reason == "expired"
    assert api.retry(job.pk).expires_at is None
    assert run() == 1


def test_a_running_job_is_not_retried_under_its_worker(name: str) -> None:
    job = api.enqueue(name)
    assert api.dequeue(types=[name]) is not None
    with pytest.raises(api.IllegalTransition):
        api.retry(job.pk)
    assert api.get_status(job.pk) == "running"


def test_a_discarded_job_keeps_why_it_failed_and_why_it_was_given_up(failed: Callable[..., Job]) -> None:
    job = api.discard(failed().pk, "nobody wants it", actor="ada")
    event = job.events.order_by("id").last()
    assert event is not None
    assert (job.state, job.reason, job.last_error) == ("cancelled", "discarded", "it is zero")
    assert (event.actor, event.data) == ("ada", {"why": "nobody wants it"})
    assert not api.dead_letters().exists()


def test_only_a_failed_job_is_discarded(name: str) -> None:
    with pytest.raises(api.IllegalTransition):
        api.discard(api.enqueue(name).pk)


def test_a_discarded_job_can_still_be_retried(failed: Callable[..., Job]) -> None:
    job = failed()
    api.discard(job.pk)
    assert api.retry(job.pk).state == "pending"


def test_times_without_zone_are_refused_everywhere(name: str) -> None:
    job, naive = api.enqueue(name), datetime(2030, 1, 1)  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="expires_at needs a time zone"):
        api.reschedule(job.pk, clock.now(), expires_at=naive)
    with pytest.raises(ValueError, match="expires_at needs a time zone"):
        api.retry(job.pk, expires_at=naive)


@pytest.mark.parametrize("job_id", ["x", "1.5", "-1", -1, True, 1.5, "９", "9" * 30, 10**30, "' OR 1"])
def test_what_is_no_id_is_refused_by_every_operation(job_id: Any) -> None:
    for operation in (
        api.get,
        api.get_status,
        api.explain,
        api.cancel,
        api.retry,
        api.release,
        api.discard,
        api.get_result,
    ):
        with pytest.raises(ValueError, match="job id is a number"):
            operation(job_id)


def test_operations_are_logged_with_job_and_priority(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "socialq.queue"):
        job = api.enqueue(name, priority=3)
        api.cancel(job.pk)
    assert [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "socialq.queue"] == [
        ("INFO", f"job={job.pk} type={name} queue=default priority=3 operation=enqueue"),
        ("INFO", f"job={job.pk} type={name} priority=3 operation=cancel state=cancelled"),
    ]
