"""Bad input to the API: one ValueError that names what is wrong, on both databases, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.transaction import TransactionManagementError

from queue_app import api, clock, given, pauses
from queue_app.database import atomic
from queue_app.models import Block, Event, Job, MaintenanceWindow
from tests.queue_app.jobs import Register, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

NO_TEXT: list[Any] = [None, 7, b"x", [], "a\0b", "a\ud800b"]
NO_NUMBER: list[Any] = ["5", [], True, -1, float("nan"), float("inf"), 10**30]
BEYOND_UTC = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))
NO_MOMENT: list[Any] = [datetime(2030, 1, 1), BEYOND_UTC, date(2030, 1, 1), "tomorrow", 7]  # noqa: DTZ001 -- naive

Call = Callable[[Job], Any]


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context, **others: None)


@pytest.fixture
def job(name: str) -> Job:
    return api.enqueue(name)


def refused(job: Job, call: Call, message: str) -> None:
    """See that ``call`` raises a ValueError and leaves jobs, events and blocks as they were."""
    before = (Job.objects.count(), Event.objects.count(), Block.objects.count(), reloaded(job).fence)
    with pytest.raises(ValueError, match=message):
        call(job)
    assert (Job.objects.count(), Event.objects.count(), Block.objects.count(), reloaded(job).fence) == before


ACTED: dict[str, Callable[[Job, Any], Any]] = {
    "enqueue": lambda job, actor: api.enqueue(job.type, actor=actor),
    "enqueue_many": lambda job, actor: api.enqueue_many(job.type, [api.NewJob()], actor=actor),
    "cancel": lambda job, actor: api.cancel(job.pk, actor=actor),
    "hold": lambda job, actor: api.hold(job.pk, "why", actor=actor),
    "reprioritise": lambda job, actor: api.reprioritise(job.pk, 1, actor=actor),
    "clear": lambda job, actor: api.clear(actor=actor),
    "start": lambda job, actor: api.set_status(job.pk, "running", actor=actor),
    "pause": lambda job, actor: pauses.pause("all", actor=actor),
}


@pytest.mark.parametrize("operation", ACTED)
@pytest.mark.parametrize("actor", [*NO_TEXT, "x" * 151])
def test_an_actor_is_text_that_an_event_keeps(job: Job, operation: str, actor: Any) -> None:
    refused(job, lambda job: ACTED[operation](job, actor), "actor is 0 to 150 characters of plain text")


ENDED: dict[str, Callable[[Job, Any], Any]] = {
    "retry": lambda job, actor: api.retry(job.pk, actor=actor),
    "retry_many": lambda job, actor: api.retry_many([job.pk], actor=actor),
    "discard": lambda job, actor: api.discard(job.pk, actor=actor),
}


@pytest.mark.parametrize("operation", ENDED)
def test_an_actor_is_asked_of_dead_letters_too(job: Job, operation: str) -> None:
    lease = api.dequeue()
    assert lease is not None
    api.fail(lease, "broken", requeue=False)
    refused(job, lambda job: ENDED[operation](job, "x" * 151), "actor is 0 to 150")


TEXTS: dict[str, Callable[[Job, Any], Any]] = {
    "hold": lambda job, text: api.hold(job.pk, text),
    "search": lambda job, text: api.dead_letters(search=text),
    "error": lambda job, text: api.set_status(job.pk, "failed", error=text),
    "reason": lambda job, text: pauses.pause("all", reason=text),
}


@pytest.mark.parametrize("taker", TEXTS)
@pytest.mark.parametrize("text", NO_TEXT)
def test_text_is_what_every_database_stores(job: Job, taker: str, text: Any) -> None:
    refused(job, lambda job: TEXTS[taker](job, text), "plain text")


QUEUES: dict[str, Callable[[Any], Any]] = {
    "pending": api.pending,
    "queue_length": api.queue_length,
    "running_count": api.running_count,
    "clear": lambda queue: api.clear(queue, actor="ada"),
    "release_running": lambda queue: api.release_running(queue, actor="ada"),
    "dead_letters": lambda queue: list(api.dead_letters(queue=queue)),
    "dequeue": api.dequeue,
}


@pytest.mark.parametrize("asked", QUEUES)
@pytest.mark.parametrize("queue", ["a\0b", "a\ud800b", 7, "x" * 101])
def test_a_queue_that_can_be_none_is_refused_everywhere(job: Job, asked: str, queue: Any) -> None:
    refused(job, lambda job: QUEUES[asked](queue), "queue is 1 to 100")


MOMENTS: dict[str, Callable[[Job, Any], Any]] = {
    "reschedule": lambda job, moment: api.reschedule(job.pk, moment),
    "expires": lambda job, moment: api.reschedule(job.pk, clock.now(), expires_at=moment),
    "retry": lambda job, moment: api.retry(job.pk, expires_at=moment),
    "since": lambda job, moment: api.dead_letters(since=moment),
    "until": lambda job, moment: api.dead_letters(until=moment),
}


@pytest.mark.parametrize("taker", MOMENTS)
@pytest.mark.parametrize("moment", NO_MOMENT)
def test_a_time_is_aware_and_can_be_read_again(job: Job, taker: str, moment: Any) -> None:
    refused(job, lambda job: MOMENTS[taker](job, moment), r"is a datetime|time zone|beyond what UTC")
    assert api.all_jobs() == [job]


@pytest.mark.parametrize("until", ["tomorrow", 7, date(2030, 1, 1)])
def test_a_pause_ends_at_a_time(job: Job, until: Any) -> None:
    refused(job, lambda job: pauses.pause("all", until=until), "no time zone")


@pytest.mark.parametrize("key", [None, 7, b"all", []])
def test_a_pause_is_of_a_key(job: Job, key: Any) -> None:
    refused(job, lambda job: pauses.pause(key), "A key is")


NUMBERS: dict[str, Callable[[Job, Any], Any]] = {
    "ttl": lambda job, number: api.save_result(job.pk, 1, number),
    "days": lambda job, number: api.clean_up(number),
    "minutes": lambda job, number: api.recover_stale(number),
    "timeout": lambda job, number: api.subscribe(timeout_seconds=number),
    "lease": lambda job, number: api.dequeue(lease_seconds=number),
}


@pytest.mark.parametrize("taker", NUMBERS)
@pytest.mark.parametrize("number", NO_NUMBER)
def test_a_number_is_finite_and_within_bounds(job: Job, taker: str, number: Any) -> None:
    refused(job, lambda job: NUMBERS[taker](job, number), "is a number from ")


LISTS: dict[str, Callable[[Job, Any], Any]] = {
    "retry_many": lambda job, values: api.retry_many(values),
    "discard_many": lambda job, values: api.discard_many(values),
    "states": lambda job, values: api.clean_up(1, values),
    "types": lambda job, values: api.dequeue(types=values),
    "names": lambda job, values: api.subscribe(names=values),
    "jobs": lambda job, values: api.enqueue_many(job.type, values),
}


@pytest.mark.parametrize("taker", LISTS)
@pytest.mark.parametrize("values", ["12", b"12", 12, {"1": 2}])
def test_text_is_not_taken_for_a_list_of_its_letters(job: Job, taker: str, values: Any) -> None:
    refused(job, lambda job: LISTS[taker](job, values), "is a list, not ")


@pytest.mark.parametrize("lease", [None, 7, "lease", {}])
def test_a_lease_is_what_dequeue_returned(job: Job, lease: Any) -> None:
    for end in (api.complete, api.extend, lambda lease: api.fail(lease, "broken")):
        refused(job, lambda job, end=end: end(lease), "a lease is what dequeue or lease_of returned")  # type: ignore[misc]


def test_what_is_no_job_is_told_apart(job: Job) -> None:
    refused(job, lambda job: api.may_have_taken_effect(job.pk), "give the job itself")  # type: ignore[arg-type]
    refused(job, lambda job: api.enqueue_many(job.type, [api.NewJob(), {}]), "lists NewJob")  # type: ignore[list-item]
    with pytest.raises(api.UnknownJobType, match=r"unknown job type \[\]"):
        api.enqueue([])  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["reconcile:1", "every:queue_app.purge", "send_notices"])
def test_unique_keys_of_the_queues_own_jobs_are_not_for_others(job: Job, key: str) -> None:
    refused(job, lambda job: api.enqueue(job.type, unique_key=key), "begins as those of the queue's own jobs")


def test_a_key_that_cannot_be_one_is_refused_whatever_it_is(job: Job) -> None:
    refused(job, lambda job: api.enqueue(job.type, keys=[["account:7"]]), "a key is 1 to 180")  # type: ignore[list-item]


def test_metadata_may_hold_what_arguments_may(name: str) -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    wanted = {"at": "2030-01-01T00:00:00Z", "price": "1.50"}
    one = api.enqueue(name, metadata={"at": at, "price": Decimal("1.50")})
    (many,) = api.enqueue_many(name, [api.NewJob(metadata={"at": at, "price": Decimal("1.50")})])
    assert one.metadata == reloaded(one).metadata == api.get(many).metadata == wanted


@pytest.mark.parametrize("result", [{1}, float("nan"), "a\0b", {"a\ud800": 1}])
def test_what_a_person_says_came_of_a_job_is_json(job: Job, result: Any) -> None:
    refused(job, lambda job: api.complete_uncertain(job.pk, result, actor="ada"), "the result")


def test_a_message_shows_no_more_of_a_value_than_fits_a_line() -> None:
    assert given.shown("x" * 500) == repr("x" * 500)[:60]
    assert given.shown(10**5000) == "a number of more than 60 digits"
    with pytest.raises(ValueError, match="not text of 5000 characters") as caught:
        given.text("actor", "secret" * 833 + "xx", 150)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("operation", ["enqueue", "enqueue_many", "dequeue", "cancel"])
def test_a_transaction_that_is_lost_already_takes_no_job(job: Job, operation: str) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "enqueue": lambda: api.enqueue(job.type),
        "enqueue_many": lambda: api.enqueue_many(job.type, [api.NewJob()]),
        "dequeue": api.dequeue,
        "cancel": lambda: api.cancel(job.pk),
    }
    with pytest.raises(TransactionManagementError), atomic():  # noqa: PT012 -- a caller who goes on after an error
        window = {"starts": time(1), "duration_minutes": 5}
        MaintenanceWindow.objects.create(name="nightly", **window)
        with suppress(IntegrityError):
            MaintenanceWindow.objects.create(name="nightly", **window)
        calls[operation]()
    assert [stored.state for stored in Job.objects.all()] == ["pending"]
