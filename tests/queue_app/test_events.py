"""Following jobs: the stream of events in order, each once, none lost."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from queue_app import api, clock, database, events, tail
from queue_app.models import Event, EventName, Job
from tests.queue_app.jobs import Register, Run

pytestmark = pytest.mark.django_db(transaction=True)

LONG_SECONDS = 30.0
COLUMNS = "job_id, at, name, source, target, reason, actor, data"


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


@pytest.fixture
def job(name: str) -> Job:
    return api.enqueue(name)


def write(job: Job, reason: str = "", event: EventName = EventName.UPDATED, **data: Any) -> Event:
    """Write one more event of the job, as a transition would."""
    return Event.objects.create(
        job=job, at=clock.now(), name=event, source="pending", target="pending", reason=reason, actor="ann", data=data
    )


def there(**options: Any) -> list[dict[str, Any]]:
    """Return what a stream yields without waiting."""
    return list(events.subscribe(timeout_seconds=0, **options))


def reasons(**options: Any) -> list[str]:
    return [event["data"]["reason"] for event in there(**options)]


def ids(told: list[dict[str, Any]]) -> list[int]:
    return [event["id"] for event in told]


def elsewhere(call: Callable[[], Any]) -> threading.Thread:
    """Call from another thread, which has connections of its own."""

    def run() -> None:
        try:
            call()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


class Writer:
    """A second connection with a transaction open, in which an event was written."""

    def __init__(self, other: BaseDatabaseWrapper, job: Job, reason: str) -> None:
        self._other = other
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO queue_app_event ({COLUMNS}) "
                "VALUES (%s, now(), 'status_updated', '', 'pending', %s, '', '{}')",
                [job.pk, reason],
            )

    def commit(self) -> None:
        self._other.commit()

    def roll_back(self) -> None:
        self._other.rollback()


@contextmanager
def writer(job: Job, reason: str = "late") -> Iterator[Writer]:
    other = connection.copy()
    try:
        yield Writer(other, job, reason)
    finally:
        other.close()


@pytest.fixture
def _postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's ids become visible in their order: its writers are alone")


# --- What is yielded -------------------------------------------------------------------------------------------------


def test_an_event_is_told_with_its_id_job_time_and_what_it_holds(job: Job) -> None:
    run_at = clock.now()
    written = write(job, "rescheduled", run_at=run_at)
    told = there(after=0)[-1]
    assert told["id"] == written.pk
    assert (told["event"], told["job_id"]) == ("status_updated", job.pk)
    assert told["timestamp"].endswith("+00:00")
    assert datetime.fromisoformat(told["timestamp"]) == written.at
    assert told["data"] == {
        "source": "pending",
        "target": "pending",
        "reason": "rescheduled",
        "actor": "ann",
        "run_at": events.mapping(written)["data"]["run_at"],
    }
    assert events.mapping(written) == told


def test_the_five_events_of_table_d_are_told_under_their_names(register: Register, run: Run) -> None:
    def fail(context: Any) -> None:
        raise ValueError("no")

    done = api.enqueue(register(lambda context: None))
    failed = api.enqueue(register(fail, "tests.fail"), max_retries=0)
    run()
    stopped = api.enqueue(done.type)
    api.cancel(stopped.pk, actor="ann")
    for job, last in ((done, "job_completed"), (failed, "job_failed"), (stopped, "job_cancelled")):
        names = [event["event"] for event in there(after=0, job_id=job.pk)]
        assert names[0] == "job_added"
        assert names[-1] == last
    assert "status_updated" in [event["event"] for event in there(after=0)]


def test_what_other_apps_record_has_its_place_among_the_events_of_jobs(job: Job) -> None:
    recorded = events.record("shop.sold", {"sku": 7}, actor="ann")
    after = write(job, "later")
    told = there(after=recorded.pk - 1)
    assert told[0] == events.mapping(recorded)
    assert told[0] == {**told[0], "event": "shop.sold", "job_id": None, "data": {"sku": 7, "actor": "ann"}}
    assert ids(told) == [recorded.pk, after.pk]
    assert ids(there(after=0, names=["shop.sold"])) == [recorded.pk]
    assert recorded.pk not in ids(there(after=0, job_id=job.pk))


@pytest.mark.one_database
@pytest.mark.parametrize("name", ["job_failed", "job_done", "sold", "Shop.sold", "shop.", "shop..sold"])
def test_other_apps_record_only_under_names_of_their_own(name: str) -> None:
    with pytest.raises(ValueError, match=r"an event is called like post\.published"):
        events.record(name, {})


@pytest.mark.one_database
def test_what_is_recorded_is_json_that_every_database_stores() -> None:
    with pytest.raises(ValueError, match="NUL"):
        events.record("shop.sold", {"sku": "\0"})
    assert not Event.objects.exists()


def test_from_now_on_means_from_the_call(job: Job) -> None:
    write(job, "before")
    stream = events.subscribe(timeout_seconds=0)
    write(job, "after")
    assert [event["data"]["reason"] for event in stream] == ["after"]


def test_a_stream_goes_on_after_the_last_event_that_was_handled(job: Job) -> None:
    for number in range(5):
        write(job, str(number))
    third = there(after=0)[3]
    assert reasons(after=third["id"]) == ["3", "4"]


def test_only_the_names_and_the_job_that_were_asked_for(name: str, job: Job) -> None:
    other = api.enqueue(name)
    api.cancel(other.pk)
    assert [event["job_id"] for event in there(after=0, names=["job_cancelled"])] == [other.pk]
    assert [event["event"] for event in there(after=0, job_id=job.pk)] == ["job_added"]


def test_housekeeping_is_left_out(register: Register, job: Job) -> None:
    own = api.enqueue(register(lambda context: None, "tests.internal", internal=True))
    assert own.pk not in {event["job_id"] for event in there(after=0)}


def test_what_was_there_is_read_to_its_end_although_nothing_of_it_is_wanted(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BATCH", 3)
    for _ in range(10):
        write(job)
    last = write(job, event=EventName.FAILED)
    assert [event["id"] for event in there(after=0, names=["job_failed"])] == [last.pk]


def test_purged_ids_keep_nothing_back(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "BATCH", 3)
    written = [write(job, str(number)) for number in range(20)]
    Event.objects.filter(pk__in=[event.pk for event in written[2:18]]).delete()
    assert reasons(after=0) == ["", "0", "1", "18", "19"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"after": -1}, "after is the number of an event, not -1"),
        ({"after": "7"}, "after is the number of an event, not '7'"),
        ({"after": 2**63}, "after is the number"),
        ({"job_id": True}, "job id is a number, not 'True'"),
        ({"timeout_seconds": -1}, "timeout_seconds is a number from 0"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds is a number from 0"),
        ({"names": ["job_lost"]}, "there is no event 'job_lost'; there are job_added, status_updated"),
    ],
)
def test_nonsense_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        events.subscribe(**options)


# --- Waiting ---------------------------------------------------------------------------------------------------------


def test_waits_for_events_of_other_connections(name: str) -> None:
    stream = events.subscribe(timeout_seconds=LONG_SECONDS)
    thread = elsewhere(lambda: api.enqueue(name))
    event = next(stream)
    thread.join()
    assert event["event"] == "job_added"


def test_ends_when_nothing_happened_for_the_timeout(job: Job) -> None:
    begun = time.monotonic()
    assert list(events.subscribe(timeout_seconds=0.3)) == []
    assert time.monotonic() - begun >= 0.3


def test_does_not_wait_inside_a_transaction(job: Job) -> None:
    with database.atomic():
        stream = events.subscribe(after=0)
        assert next(stream)["job_id"] == job.pk
        with pytest.raises(RuntimeError, match="outside a transaction, or with timeout_seconds=0"):
            next(stream)
        assert len(there(after=0)) == 1


def test_a_stream_that_is_left_gives_back_what_it_opened(job: Job) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    assert len(list(islice(events.subscribe(after=0), 1))) == 1  # so that the connection is open
    gc.collect()
    before = opened()
    for _ in range(20):
        stream = events.subscribe(after=0)
        next(stream)
        stream.close()  # type: ignore[attr-defined]  # a generator's
    assert opened() == before


# --- Ids that become visible late ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_postgresql")
def test_an_event_that_commits_late_is_neither_lost_nor_overtaken(job: Job) -> None:
    stream = tail.Tail(None)
    with writer(job) as late:
        write(job, "early")
        assert stream.read() == []
        late.commit()
        assert [event.reason for event in stream.read()] == ["late", "early"]
        assert stream.read() == []


@pytest.mark.usefixtures("_postgresql")
def test_from_now_on_includes_what_an_open_transaction_has_written_before(job: Job) -> None:
    with writer(job) as late:
        write(job, "early")
        stream = tail.Tail(None)
        assert stream.read() == []
        late.commit()
        assert [event.reason for event in stream.read()] == ["late"]
        write(job, "next")
        assert [event.reason for event in stream.read()] == ["next"]


@pytest.mark.usefixtures("_postgresql")
def test_an_id_that_was_rolled_back_keeps_nothing_back(job: Job) -> None:
    stream = tail.Tail(None)
    with writer(job) as late:
        write(job, "early")
        assert stream.read() == []
        late.roll_back()
        assert [event.reason for event in stream.read()] == ["early"]


@pytest.mark.usefixtures("_postgresql")
def test_a_writer_that_came_after_the_gap_keeps_nothing_back(job: Job) -> None:
    stream = tail.Tail(None)
    with writer(job, "rolled back") as first:
        write(job, "early")
        assert stream.read() == []
        with writer(job, "later") as second:
            first.roll_back()
            assert [event.reason for event in stream.read()] == ["early"]
            second.commit()
        assert [event.reason for event in stream.read()] == ["later"]


@pytest.mark.usefixtures("_postgresql")
def test_several_late_writers_are_each_waited_for(job: Job) -> None:
    stream = tail.Tail(None)
    with writer(job, "a") as first, writer(job, "b") as second:
        write(job, "c")
        assert stream.read() == []
        second.commit()
        assert stream.read() == []
        first.commit()
        assert [event.reason for event in stream.read()] == ["a", "b", "c"]


@pytest.mark.usefixtures("_postgresql")
def test_the_streams_own_transaction_is_no_writer_to_wait_for(job: Job) -> None:
    with database.atomic():
        write(job, "own")
        with writer(job) as late:
            write(job, "own, too")
            late.roll_back()
        assert reasons(after=0) == ["", "own", "own, too"]


def test_under_many_writers_each_committed_event_comes_once_and_in_order(name: str) -> None:
    committed: list[int] = []

    def work(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(25):
            try:
                with database.atomic():
                    made = [api.enqueue(name).pk for _ in range(dice.randint(1, 3))]
                    if dice.random() < 0.3:
                        raise InterruptedError
            except InterruptedError:
                continue
            committed.extend(made)

    told: list[dict[str, Any]] = []

    def follow(stream: Iterator[dict[str, Any]]) -> None:
        for event in stream:
            told.append(event)
            if event["data"]["actor"] == "the last":
                break

    follower = elsewhere(lambda: follow(events.subscribe(after=0, timeout_seconds=LONG_SECONDS)))
    for thread in [elsewhere(partial(work, seed)) for seed in range(4)]:
        thread.join()
    committed.append(api.enqueue(name, actor="the last").pk)
    follower.join()
    assert ids(told) == sorted(set(ids(told)))
    assert sorted(event["job_id"] for event in told) == sorted(committed)


# --- asyncio ---------------------------------------------------------------------------------------------------------


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("socialq-events")}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_async_stream_waits_without_stopping_the_loop(name: str) -> None:
    async def follow() -> list[str]:
        stream = events.asubscribe(after=0, timeout_seconds=LONG_SECONDS)
        add = asyncio.create_task(sync_to_async(lambda: [api.enqueue(name), connections.close_all()])())
        seen = []
        async for event in stream:
            seen.append(event["event"])
            break
        await add
        await stream.aclose()  # type: ignore[attr-defined]  # an async generator's
        return seen

    assert asyncio.run(follow()) == ["job_added"]
    until(lambda: not threads())


def test_an_async_stream_ends_at_its_timeout(job: Job) -> None:
    async def follow() -> list[int]:
        return [event["job_id"] async for event in events.asubscribe(after=0, timeout_seconds=0)]

    assert asyncio.run(follow()) == [job.pk]
    until(lambda: not threads())


def test_a_cancelled_async_stream_leaves_no_thread(job: Job) -> None:
    async def follow() -> None:
        first = asyncio.Event()

        async def read() -> None:
            async for _ in events.asubscribe(after=0):
                first.set()

        task = asyncio.create_task(read())
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(follow())
    until(lambda: not threads())


def test_nonsense_is_refused_by_the_async_stream_too() -> None:
    async def follow() -> None:
        async for _ in events.asubscribe(after=-1):
            pass

    with pytest.raises(ValueError, match="after is the number"):
        asyncio.run(follow())
    until(lambda: not threads())
