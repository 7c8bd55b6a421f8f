"""Totals: what is counted, once, whatever is purged, tried again or counted by somebody else meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from queue_app import api, clock, jobs, purge, totals
from queue_app.models import Event, Job, Total, TotalName
from queue_app.outcomes import Done, Fail, Failure, Outcome, Postpone, Retry
from queue_app.retry import RetryPolicy
from tests.queue_app.jobs import Later, Register, Run

pytestmark = pytest.mark.django_db(transaction=True)

BROKEN = Failure("ConnectionError", "the network is gone")


@pytest.fixture(autouse=True)
def _begun() -> None:
    """The first look ever counts nothing that was before."""
    totals.catch_up()


def counts(name: TotalName) -> dict[tuple[str, ...], list[int]]:
    totals.catch_up()
    rows = Total.objects.filter(name=name)
    return {tuple(filter(None, (row.type, row.outcome, row.error))): row.counts for row in rows}


def test_each_end_of_a_job_and_of_an_attempt_is_counted_once(register: Register, run: Run, later: Later) -> None:
    answers: list[Outcome] = [Retry(BROKEN), Postpone("busy", until=clock.now()), Done(), Fail(BROKEN)]
    name = register(lambda context: answers.pop(0), retry=RetryPolicy.fixed(max_attempts=3, delay_seconds=60))
    api.enqueue(name)
    run()
    later(61)
    run()
    run()
    api.enqueue(name)
    run()
    api.cancel(api.enqueue(name, run_at=clock.now() + timedelta(minutes=1)).pk)
    for _look in range(2):
        assert counts(TotalName.ENDED) == {
            (name, "completed"): [1],
            (name, "failed"): [1],
            (name, "cancelled"): [1],
        }
        assert counts(TotalName.ATTEMPTS) == {
            (name, "retry", "ConnectionError"): [1],
            (name, "postponed"): [1],
            (name, "completed"): [1],
            (name, "failed", "ConnectionError"): [1],
        }


def test_purging_takes_nothing_off_and_what_goes_is_counted_before(register: Register, run: Run) -> None:
    name = register(lambda context: None)
    api.enqueue(name)
    run()
    assert purge.purge(0) == 1
    assert not Event.objects.exists()
    assert counts(TotalName.ENDED) == {(name, "completed"): [1]}


def test_lateness_and_duration_fall_into_their_buckets(register: Register, run: Run, later: Later) -> None:
    name = register(lambda context: later(20))
    api.enqueue(name, run_at=clock.now() + timedelta(seconds=1))
    later(4)
    run()
    (lateness,) = counts(TotalName.LATENESS).values()
    (duration,) = counts(TotalName.DURATION).values()
    assert [bound for bound, number in zip(totals.LATENESS_SECONDS, lateness, strict=False) if number] == [5.0]
    assert [bound for bound, number in zip(totals.DURATION_SECONDS, duration, strict=False) if number] == [30.0]
    assert 3.0 <= Total.objects.get(name=TotalName.LATENESS).seconds < 4.0
    assert 20.0 <= Total.objects.get(name=TotalName.DURATION).seconds < 21.0


def test_two_that_look_at_once_count_once(register: Register, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    name = register(lambda context: None)
    api.enqueue(name)
    run()
    add_up, others = totals._add_up, [totals.Counting()]

    def overtaken(events: list[Event], sums: totals._Sums) -> None:
        add_up(events, sums)
        if others:
            others.pop().look()

    monkeypatch.setattr(totals, "_add_up", overtaken)
    assert counts(TotalName.ENDED) == {(name, "completed"): [1]}


def test_a_look_reads_so_much_and_the_next_one_goes_on(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queue_app.tail.BATCH", 2)
    name = register(lambda context: None)
    for _ in range(3):
        api.enqueue(name)
    run()
    counting = totals.Counting()
    assert counting.look(most_batches=1)
    while counting.look(most_batches=1):
        pass
    assert counts(TotalName.ENDED) == {(name, "completed"): [3]}


def test_there_are_only_so_many_series(register: Register, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "MOST_SERIES", 2)
    errors = ["One", "Two", "Three", "Four"]
    name = register(
        lambda context: Fail(Failure(errors.pop(), "x")), retry=RetryPolicy.fixed(max_attempts=1, delay_seconds=0)
    )
    for _ in range(4):
        api.enqueue(name)
    run()
    assert counts(TotalName.ATTEMPTS) == {
        (name, "failed", "Four"): [1],
        (name, "failed", "Three"): [1],
        ("other", "failed", "other"): [2],
    }


def test_the_queues_own_work_is_left_out_and_so_is_what_was_deleted(register: Register, run: Run) -> None:
    register(lambda context: None, every_seconds=3600, internal=True)
    jobs.schedule_housekeeping()
    run()
    assert counts(TotalName.ENDED) == {}
    name = register(lambda context: None, name="tests.gone")
    job = api.enqueue(name)
    Job.objects.filter(pk=job.pk).delete()
    assert counts(TotalName.ENDED) == {}


def test_ends_are_counted_by_a_part_of_their_keys(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "_key_prefixes", [])
    totals.count_by_key("network:")
    name = register(lambda context: None)
    api.enqueue(name, keys=["account:7", "network:mastodon"])
    run()
    totals.catch_up()
    assert totals.by_key("network:") == [("mastodon", "completed", 1)]
