"""Clocks that are wrong, and clocks that are set: what is measured, told, and over again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from queue_app import api, clock, clockwatch, processes, transitions, workers
from queue_app.clockwatch import ClockWatch, Look, jump_seconds, skew_seconds
from queue_app.database import atomic, is_postgresql
from queue_app.models import Notice, Worker
from tests.queue_app.jobs import Later, Register, reloaded

database = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3600.0


def looked(host: float = 0, queue: float = 0, steady: float = 0, doubt: float = 0) -> Look:
    return Look(NOON + timedelta(seconds=host), NOON + timedelta(seconds=queue), steady, doubt)


@pytest.mark.parametrize(
    ("now", "skew"),
    [
        (looked(), 0),
        (looked(host=HOUR), HOUR),
        (looked(host=-HOUR), -HOUR),
        (looked(queue=7, doubt=2), -5),  # the answer took four seconds: two may be the way
        (looked(host=7, doubt=2), 5),
        (looked(host=7, doubt=9), 0),
    ],
)
def test_skew_is_what_the_time_of_the_question_does_not_explain(now: Look, skew: float) -> None:
    assert skew_seconds(now) == skew


@pytest.mark.parametrize(
    ("now", "jump"),
    [
        (looked(queue=10, steady=10), 0),
        (looked(queue=HOUR + 10, steady=10), HOUR),
        (looked(queue=-HOUR + 10, steady=10), -HOUR),
        (looked(queue=HOUR, steady=HOUR), 0),  # the machine slept
        (looked(queue=18, steady=10, doubt=3), 5),
    ],
)
def test_a_jump_is_what_no_time_has_passed_for(now: Look, jump: float) -> None:
    assert jump_seconds(looked(), now) == jump


def test_a_look_reads_both_clocks_and_no_more_than_it_takes(db: None) -> None:
    found = clockwatch.look()
    assert abs(skew_seconds(found)) < 1
    assert 0 <= found.doubt_seconds < 1


def notices() -> list[tuple[str, str, bool]]:
    rows = Notice.objects.order_by("id").values_list("kind", "subject", "cleared_at")
    return [(kind, subject, cleared is None) for kind, subject, cleared in rows]


def host() -> str:
    return processes.host().partition("/")[0]


@pytest.fixture
def traveller() -> Iterator[time_machine.Traveller]:
    """The host's clock, which goes on and can be shifted; PostgreSQL's is its own."""
    with time_machine.travel(datetime.now(UTC), tick=True) as found:
        yield found


@database
@pytest.mark.parametrize("seconds", [-HOUR, 120, HOUR])
def test_a_host_whose_clock_is_wrong_is_told_of_once_and_over_when_it_is_right(
    seconds: float, traveller: time_machine.Traveller
) -> None:
    if not is_postgresql():
        pytest.skip("the host's clock is the queue's")
    mine, other = workers.register("c", {"default": 1}), workers.register("other", {"default": 1})
    watch = ClockWatch("c")
    watch.check()
    assert notices() == []
    traveller.shift(seconds)
    watch.check()
    watch.check()
    assert notices() == [("clock_skew", host(), True)]
    words = "3600 seconds behind" if seconds < 0 else f"{seconds:.0f} seconds ahead of"
    assert words in Notice.objects.get().text
    assert Worker.objects.get(pk=mine.pk).clock_skew_seconds == pytest.approx(seconds, abs=2)
    assert Worker.objects.get(pk=other.pk).clock_skew_seconds == 0
    traveller.shift(-seconds)
    watch.check()
    assert notices() == [("clock_skew", host(), False)]
    assert Worker.objects.get(pk=mine.pk).clock_skew_seconds == pytest.approx(0, abs=2)


@database
def test_what_an_earlier_process_told_is_over_when_a_new_one_finds_the_clock_right(
    traveller: time_machine.Traveller,
) -> None:
    if not is_postgresql():
        pytest.skip("the host's clock is the queue's")
    traveller.shift(HOUR)
    ClockWatch("before").check()
    traveller.shift(-HOUR)
    ClockWatch("after").check()
    assert notices() == [("clock_skew", host(), False)]


@database
@pytest.mark.parametrize(("seconds", "words"), [(HOUR, "3600 seconds ahead"), (-HOUR, "3600 seconds back")])
def test_a_jump_of_the_queues_clock_is_told_once_until_it_has_been_quiet(
    seconds: float, words: str, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = ClockWatch("c")
    watch.check()
    later(seconds)
    watch.check()
    subject = "The database" if is_postgresql() else host()
    open_jumps = Notice.objects.filter(kind="clock_jump", cleared_at=None)
    assert words in open_jumps.get(subject=subject).text
    watch.check()
    assert open_jumps.count() == 1
    monkeypatch.setattr(clockwatch, "QUIET_SECONDS", 0.0)
    later(seconds)
    watch.check()  # a second jump keeps the incident open, for no time now
    watch.check()
    assert not open_jumps.exists()


@database
def test_the_hosts_jump_is_the_queues_on_sqlite_alone(traveller: time_machine.Traveller) -> None:
    watch = ClockWatch("c")
    watch.check()
    traveller.shift(HOUR)
    watch.check()
    assert [kind for kind, _subject, _open in notices()] == ["clock_skew" if is_postgresql() else "clock_jump"]


@database
def test_a_running_job_keeps_what_was_left_of_its_lease(register: Register, later: Later) -> None:
    name = register(lambda context: None)
    mine, other = (workers.register(cluster, {"default": 1}) for cluster in ("c", "other"))
    jobs = [api.enqueue(name) for _ in range(2)]
    for job, worker in zip(jobs, (mine, other), strict=True):
        with atomic():
            transitions.start(job, worker, now=clock.now(), lease_seconds=600)
    before = [reloaded(job).lease_until for job in jobs]
    watch = ClockWatch("c")
    watch.check()
    later(HOUR)
    watch.check()
    moved = [(reloaded(job).lease_until - lease).total_seconds() for job, lease in zip(jobs, before, strict=True)]  # type: ignore[operator]  # running jobs have one
    assert moved == [pytest.approx(HOUR, abs=1), 0]


@database
def test_a_small_difference_is_nobodys_business(traveller: time_machine.Traveller) -> None:
    watch = ClockWatch("c")
    watch.check()
    traveller.shift(3)
    watch.check()
    assert notices() == []
