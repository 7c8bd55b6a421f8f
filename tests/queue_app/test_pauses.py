"""Pauses and the emergency stop: what they refuse, what they count, and that no mark follows a stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from queue_app import api, blocks, clock, gates, pauses, transitions
from queue_app.context import Blocked, JobContext
from queue_app.database import atomic
from queue_app.models import Block, BlockKind, Job
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 25
MARKERS = 3


def started(name: str, **options: Any) -> Job:
    job = api.enqueue(name, **options)
    with atomic():
        transitions.start(job, None, now=clock.now(), lease_seconds=600, holder="tests")
    return job


def at_once(*calls: Callable[[], None]) -> None:
    """Call each in a thread, with a connection of its own, all at the same moment; raise what any of them raised."""
    ready = threading.Barrier(len(calls))
    errors: list[BaseException] = []

    def go(call: Callable[[], None]) -> None:
        try:
            connections["default"].ensure_connection()
            ready.wait(30)
            call()
        except BaseException as error:  # noqa: BLE001 -- raised again below
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for error in errors:
        raise error


@pytest.mark.parametrize("key", ["all", "queue:default", "type:tests.job", "account:7"])
def test_what_is_paused_waits_and_runs_when_it_is_resumed(register: Register, run: Run, key: str) -> None:
    job = api.enqueue(register(lambda context: None), keys=["account:7"])
    block = pauses.pause(key, reason="moving house", actor="ann")
    assert (block.kind, block.reason, block.actor) == (BlockKind.PAUSE, "moving house", "ann")
    assert pauses.paused() == [block]
    assert run() == 0
    assert pauses.resume(key, actor="ann") == 1
    assert pauses.paused() == []
    assert run() == 1
    assert reloaded(job).state == JobState.COMPLETED


def test_a_pause_leaves_other_keys_alone(register: Register, run: Run) -> None:
    api.enqueue(register(lambda context: None), keys=["account:8"])
    pauses.pause("account:7")
    assert run() == 1


def test_a_pause_with_an_end_is_over_by_itself(register: Register, run: Run, later: Later) -> None:
    api.enqueue(register(lambda context: None))
    pauses.pause("all", until=clock.now() + timedelta(minutes=5))
    assert run() == 0
    later(301)
    assert pauses.paused() == []
    blocks.lift_elapsed()
    assert run() == 1


def test_resuming_ends_the_pause_alone_and_what_is_not_paused_stays_so(register: Register, run: Run) -> None:
    api.enqueue(register(lambda context: None), keys=["account:7"])
    with atomic():
        blocks.place("account:7", BlockKind.RECONNECT, now=clock.now())
    assert pauses.paused() == []
    assert pauses.resume("account:7") == 0
    assert Block.objects.get().kind == BlockKind.RECONNECT
    assert run() == 0


def test_resuming_does_not_burst(register: Register, run: Run, later: Later, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"account:7": "3/h"}}
    name = register(lambda context: None)
    jobs = [api.enqueue(name, keys=["account:7"]) for _ in range(7)]
    pauses.pause("all")
    assert run() == 0
    assert pauses.resume("all") == 7
    done = run()
    assert done == 3
    for _ in range(2):
        later(3601)
        gates.open_due()
        done += run()
    assert done == 7
    assert [reloaded(job).state for job in jobs] == [JobState.COMPLETED] * 7


@pytest.mark.parametrize(
    "key", ["", "All", "everything", "account", "account:", ":7", "a b:7", "account: 7", "a:\0", "a:b\n"]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    for act in (pauses.pause, pauses.resume):
        with pytest.raises(ValueError, match="A key is “all”"):
            act(key)
    assert not Block.objects.exists()


def test_a_key_longer_than_its_column_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 200 characters, this one has 201"):
        pauses.pause("account:" + "7" * 193)


@pytest.mark.parametrize(
    ("until", "words"),
    [
        (datetime(2040, 1, 1), "has no time zone"),  # noqa: DTZ001 -- that is the point
        (datetime(2020, 1, 1).astimezone(), "is over"),
        (datetime(9999, 1, 1).astimezone(), "too far ahead"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(until: datetime, words: str) -> None:
    for act in (lambda: pauses.pause("account:7", until=until), lambda: pauses.stop_everything(until=until)):
        with pytest.raises(ValueError, match=words):
            act()
    assert not Block.objects.exists()


def test_the_stop_counts_what_runs_and_what_had_begun_its_irreversible_step(register: Register) -> None:
    name, own = register(lambda context: None), register(lambda context: None, "tests.own", internal=True)
    begun, prepared, waiting = started(name), started(name), api.enqueue(name)
    started(own)
    JobContext(begun, "tests").before_irreversible_step()
    stop = pauses.stop_everything(reason="wrong picture", actor="ann")
    assert (stop.block.key, stop.block.reason, stop.block.actor) == ("all", "wrong picture", "ann")
    assert (stop.running, stop.begun) == ((begun, prepared), (begun,))
    assert waiting not in stop.running
    with pytest.raises(Blocked):
        JobContext(prepared, "tests").before_irreversible_step()


def test_no_mark_commits_after_a_stop_has_however_they_race(register: Register) -> None:
    name = register(lambda context: None)
    seen: set[int] = set()
    for _ in range(ROUNDS):
        jobs = [started(name) for _ in range(MARKERS)]
        stops: list[pauses.Stop] = []

        def mark(job: Job) -> None:
            context = JobContext(job, "tests")
            try:
                context.before_irreversible_step()
            except Blocked:
                assert not context.marked

        at_once(
            lambda: stops.append(pauses.stop_everything()),  # noqa: B023 -- called in this round
            *(lambda job=job: mark(job) for job in jobs),  # type: ignore[misc]  # its argument is its own
        )
        (stop,) = stops
        marked = set(Job.objects.filter(state=JobState.RUNNING).exclude(marked_at=None).values_list("pk", flat=True))
        assert {job.pk for job in stop.begun} == marked
        seen.add(len(marked))
        pauses.resume("all")
        Job.objects.all().delete()
    assert len(seen) > 1, f"the threads never raced: each stop found {seen} marks"
