"""When a job will run: its turn under a limit, its gates' ends, its place in a line; and where nobody can say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from queue_app import api, blocks, clock, gates, limits, maintenance, workers
from queue_app.database import alias, atomic
from queue_app.forecast import forecast
from queue_app.limits import Rate, parse_rates
from queue_app.models import Attempt, AttemptOutcome, Block, BlockKind, Breaker, Job, Limit, MaintenanceWindow
from queue_app.states import JobState
from queue_app.turns import Span, past, turn
from tests.queue_app.jobs import Later, Register, Run, reloaded

START = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
KEY = "platform:linkedin"


class TestTurn:
    """The arithmetic alone."""

    @pytest.mark.parametrize(
        ("before", "rates", "waits"),
        [
            (0, "20/d", timedelta(0)),
            (19, "20/d", timedelta(0)),
            (20, "20/d", DAY),
            (45, "20/d", 2 * DAY),
            (9_999, "20/d", 499 * DAY),
            (3, "2/m 3/h", HOUR),
            (2, "2/m 3/h", timedelta(minutes=1)),
            (6, "1/m 3/h", 2 * HOUR),
        ],
    )
    def test_the_kth_waiting_job_gets_the_kth_opening(self, before: int, rates: str, waits: timedelta) -> None:
        assert turn(START, [START] * before, [], parse_rates(rates), {}) == START + waits

    def test_what_was_used_opens_when_it_leaves_the_window(self) -> None:
        uses = {-1: START - timedelta(minutes=10), -2: START - timedelta(minutes=50)}
        rates = parse_rates("2/h")
        openings = [turn(START, [START] * before, [], rates, uses) - START for before in range(4)]
        assert openings == [timedelta(minutes=number) for number in (10, 50, 70, 110)]

    def test_the_less_urgent_take_what_is_free_before_the_job_is_ready(self) -> None:
        rates = parse_rates("1/h")
        assert turn(START + HOUR / 2, [], [START], rates, {}) == START + HOUR
        assert turn(START, [], [START], rates, {}) == START

    def test_the_more_urgent_overtake_while_the_job_waits(self) -> None:
        rates, uses = parse_rates("1/h"), {-1: START - HOUR / 2}
        assert turn(START, [START + HOUR / 4], [], rates, uses) == START + HOUR / 2 + HOUR
        assert turn(START, [START + HOUR], [], rates, uses) == START + HOUR / 2

    @given(
        ready=st.integers(0, 20),
        before=st.lists(st.integers(0, 20), max_size=8),
        after=st.lists(st.integers(0, 20), max_size=8),
        rates=st.lists(st.builds(Rate, st.integers(1, 4), st.integers(1, 12)), min_size=1, max_size=2),
        ages=st.lists(st.integers(0, 12), max_size=6),
    )
    def test_it_is_what_a_queue_does_second_by_second(
        self, ready: int, before: list[int], after: list[int], rates: list[Rate], ages: list[int]
    ) -> None:
        first = min([ready, *before, *after])
        starts = [first - age for age in sorted(ages, reverse=True)]
        uses = {number - len(starts): START + timedelta(seconds=start) for number, start in enumerate(starts)}
        urgent, patient, second = sorted(before), sorted(after), first
        while True:
            if any(sum(start > second - rate.seconds for start in starts) >= rate.count for rate in rates):
                second += 1
            elif urgent and urgent[0] <= second:
                urgent.pop(0)
                starts.append(second)
            elif ready <= second:
                break
            elif patient and patient[0] <= second:
                patient.pop(0)
                starts.append(second)
            else:
                second += 1

        def at(seconds: list[int]) -> list[datetime]:
            return [START + timedelta(seconds=each) for each in seconds]

        found = turn(START + timedelta(seconds=ready), at(before), at(after), tuple(rates), uses)
        assert found == START + timedelta(seconds=second)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], START),
        ([(None, START + HOUR)], START + HOUR),
        ([(None, START)], START),
        ([(START + HOUR, START + 2 * HOUR)], START),
        ([(None, START + HOUR), (START + HOUR, START + 2 * HOUR)], START + 2 * HOUR),
        ([(None, START + HOUR), (START + 2 * HOUR, None)], START + HOUR),
        ([(None, START + HOUR), (START, None)], None),
    ],
)
def test_a_job_passes_at_the_first_moment_that_nothing_blocks(spans: list[Span], expected: datetime | None) -> None:
    assert past(START, spans) == expected


def daily(starts_at: datetime, length: timedelta) -> Callable[[datetime], Span]:
    """Return a span that recurs every day."""

    def coming(at: datetime) -> Span:
        start = starts_at + DAY * max(0, (at - starts_at) // DAY)
        return (start, start + length) if at < start + length else (start + DAY, start + DAY + length)

    return coming


def test_every_occurrence_of_what_recurs_is_passed() -> None:
    noon, one = daily(START + HOUR, 2 * HOUR), daily(START + 3 * HOUR, HOUR)
    for day in (0, 1, 400):
        begin = START + day * DAY
        assert past(begin, [], [noon, one]) == begin
        assert past(begin + 2 * HOUR, [], [noon, one]) == begin + 4 * HOUR
        assert past(begin + 2 * HOUR, [(None, begin + 6 * HOUR)], [noon]) == begin + 6 * HOUR


def test_what_recurs_without_a_gap_is_never_passed() -> None:
    assert past(START, [], [daily(START, DAY / 2), daily(START + DAY / 2, DAY / 2)]) is None


def test_nobody_starts_under_a_limit_while_all_are_kept() -> None:
    window = daily(START + HOUR / 2, 2.5 * HOUR)

    def passing(at: datetime) -> datetime:
        free = past(at, [], [window])
        assert free is not None
        return free

    hours = [turn(START, [START] * before, [], parse_rates("2/h"), {}, passing) - START for before in range(7)]
    assert hours == [hour * HOUR for hour in (0, 0, 3, 3, 4, 4, 5)]


@pytest.fixture
def name(register: Register, settings: Any) -> str:
    """A type whose queue has a worker, under the site's limit of 2 an hour for LinkedIn."""
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {KEY: "2/h"}}
    found = register(lambda context: None)
    workers.register("tests", {"default": 1})
    return found


def bulk(name: str, number: int, **fields: Any) -> None:
    now = fields.pop("run_at", None) or clock.now()
    Job.objects.bulk_create(Job(type=name, run_at=now, created_at=now, updated_at=now, **fields) for _ in range(number))


def hours_until(job: Job) -> float | None:
    """Return the forecast for the stored job in hours from now, to the minute."""
    now = clock.now()
    at = forecast(reloaded(job), now)
    return None if at is None else round((at - now).total_seconds() / 3600, 1)


@pytest.mark.django_db(transaction=True)
class TestForecast:
    """Stored jobs."""

    def test_what_was_foreseen_happens(self, name: str, run: Run, later: Later) -> None:
        jobs = [api.enqueue(name, keys=[KEY], priority=priority) for priority in (5, 5, 5, 5, 5, 9, 1)]
        run()
        foreseen = {job.pk: forecast(reloaded(job), clock.now()) for job in jobs if reloaded(job).parked_by}
        assert len(foreseen) == 5
        while opens := gates.next_opening():
            later((opens - clock.now()).total_seconds() + 0.1)
            workers.heartbeat("tests")
            gates.open_due()
            run()
        for job_id, expected in foreseen.items():
            started = api.get(job_id).started_at
            assert expected is not None
            assert started is not None
            assert timedelta(0) <= started - expected < timedelta(seconds=30)

    def test_every_limit_of_a_job_counts(self, register: Register, name: str, run: Run) -> None:
        own = register(lambda context: None, name="tests.own", limits={"account:*": "1/3h"})
        api.enqueue(own, keys=[KEY, "account:1"])
        run()
        assert hours_until(api.enqueue(name, keys=[KEY])) == 0
        assert hours_until(api.enqueue(own, keys=[KEY, "account:1"])) == 3

    def test_capacity_now_and_at_a_future_time_agrees_with_the_forecast(self, name: str, run: Run) -> None:
        for _ in range(3):
            api.enqueue(name, keys=[KEY])
        assert limits.remaining(KEY) == 2
        run()
        job = Job.objects.get(state=JobState.PENDING)
        at = forecast(job, clock.now())
        assert at is not None
        assert limits.remaining(KEY) == 0
        assert limits.remaining(KEY, at - timedelta(seconds=1)) == 0
        assert limits.remaining(KEY, at) == 1
        assert limits.remaining(KEY, at + HOUR) == 2
        assert limits.remaining("platform:x", at) is None

    def test_those_that_are_due_before_it_count_and_those_after_it_do_not(self, name: str) -> None:
        now = clock.now()
        bulk(name, 3, keys=[KEY], run_at=now + 5 * HOUR)
        job = api.enqueue(name, keys=[KEY], run_at=now + 5 * HOUR + timedelta(minutes=6))
        bulk(name, 4, keys=[KEY], run_at=now + 6 * HOUR)
        bulk(name, 4, keys=["platform:x"])
        assert hours_until(job) == 6

    def test_those_that_wait_elsewhere_with_the_same_limit_count(self, name: str, run: Run) -> None:
        with atomic():
            blocks.place("all", BlockKind.PAUSE, now=clock.now(), until=clock.now() + 3 * HOUR)
        for _ in range(4):
            api.enqueue(name, keys=[KEY])
        run()
        job = api.enqueue(name, keys=[KEY])
        first = Job.objects.earliest("id")
        assert [hours_until(each) for each in (first, job)] == [3, 5]

    def test_ten_thousand_jobs_over_a_limit_are_counted_and_not_read(self, name: str, settings: Any) -> None:
        settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {KEY: "20/d"}}
        bulk(name, 10_000, keys=[KEY], parked_by=limits.LOT + KEY)
        workers.heartbeat("tests")
        now = clock.now()
        with CaptureQueriesContext(connections[alias()]) as queries:
            at = forecast(Job.objects.latest("id"), now)
        assert at == now + 499 * DAY
        assert len(queries) < 20

    @pytest.mark.parametrize(
        ("bound", "lot"), [("MOST", limits.LOT + KEY), ("MOST_READ", "account:7"), ("MOST_READ", "")]
    )
    def test_what_is_too_long_to_look_at_is_not_guessed_about(
        self, name: str, monkeypatch: pytest.MonkeyPatch, bound: str, lot: str
    ) -> None:
        monkeypatch.setattr(f"queue_app.forecast.{bound}", 10)
        bulk(name, 8, keys=[KEY], parked_by=lot)
        job = api.enqueue(name, keys=[KEY], run_at=clock.now() + timedelta(minutes=3))
        assert hours_until(job) == 4
        bulk(name, 2, keys=[KEY], parked_by=lot)
        assert hours_until(job) is None

    def test_a_pause_ends_or_nobody_knows(self, name: str) -> None:
        job = api.enqueue(name)
        with atomic():
            blocks.place("all", BlockKind.PAUSE, now=clock.now(), until=clock.now() + 2 * HOUR)
        assert hours_until(job) == 2
        with atomic():
            blocks.place("queue:default", BlockKind.PAUSE, now=clock.now())
        assert hours_until(job) is None

    def test_a_window_that_is_to_come_counts_for_what_is_due_in_it(self, name: str) -> None:
        now = clock.now()
        Block.objects.create(
            key="all", kind=BlockKind.MAINTENANCE, starts_at=now + HOUR, until=now + 3 * HOUR, created_at=now
        )
        assert hours_until(api.enqueue(name)) == 0
        assert hours_until(api.enqueue(name, run_at=now + 2 * HOUR)) == 3
        assert hours_until(api.enqueue(name, run_at=now + 4 * HOUR)) == 4

    def test_a_gate_that_shuts_before_a_limit_opens_is_waited_for(self, name: str, run: Run) -> None:
        jobs = [api.enqueue(name, keys=[KEY, f"account:{number}"]) for number in range(6)]
        run()
        now = clock.now()
        window = {"kind": BlockKind.MAINTENANCE, "starts_at": now + HOUR / 2, "created_at": now}
        Block.objects.create(key="account:2", until=now + 1.5 * HOUR, **window)
        assert [hours_until(job) for job in jobs[2:4]] == [2, 1]
        Block.objects.create(key="all", until=now + 3 * HOUR, **window)
        assert [hours_until(job) for job in jobs[2:]] == [3, 3, 4, 4]
        Block.objects.create(key="account:4", kind=BlockKind.PAUSE, created_at=now, starts_at=now + 2 * HOUR)
        assert hours_until(jobs[4]) is None

    def test_every_occurrence_of_a_window_is_waited_for(self, name: str) -> None:
        now = clock.now()
        starts = (now + HOUR).time().replace(microsecond=0)
        window = {"weekdays": list(range(7)), "starts": starts, "duration_minutes": 120}
        MaintenanceWindow.objects.create(name="nightly", key="platform:x", **window)
        MaintenanceWindow.objects.create(name="off", enabled=False, **window)
        MaintenanceWindow.objects.create(name="unreadable", timezone="Mars/Base", **window)
        maintenance.plan(now)
        for days in (0, 1, 300):
            due = now + days * DAY + 2 * HOUR
            assert hours_until(api.enqueue(name, keys=["platform:x"], run_at=due)) == days * 24 + 3
            assert hours_until(api.enqueue(name, run_at=due)) == days * 24 + 2
            assert hours_until(api.enqueue(name, keys=["platform:x"], run_at=due + 2 * HOUR)) == days * 24 + 4

    def test_a_limit_that_opens_in_a_window_of_another_day_is_waited_for(
        self, name: str, run: Run, settings: Any
    ) -> None:
        settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {KEY: "1/d"}}
        jobs = [api.enqueue(name, keys=[KEY]) for _ in range(3)]
        run()
        now = clock.now()
        starts = (now - HOUR).time().replace(microsecond=0)
        MaintenanceWindow.objects.create(name="nightly", weekdays=list(range(7)), starts=starts, duration_minutes=120)
        assert [hours_until(job) for job in jobs[1:]] == [25, 49]

    def test_windows_that_leave_no_gap_are_no_time(self, name: str) -> None:
        for starts in (time(0), time(12)):
            MaintenanceWindow.objects.create(
                name=str(starts), weekdays=list(range(7)), starts=starts, duration_minutes=720
            )
        assert hours_until(api.enqueue(name)) is None

    def test_a_breaker_is_waited_for_and_a_probe_of_now_is_not_foreseen(self, register: Register, name: str) -> None:
        watched = register(lambda context: None, name="tests.watched", breaker="account:*")
        workers.register("tests", {"default": 1})
        now = clock.now()
        breaker = Breaker.objects.create(key="account:1", trips=1, open_until=now + 2 * HOUR)
        job = api.enqueue(watched, keys=["account:1"])
        tomorrow = api.enqueue(watched, keys=["account:1"], run_at=now + DAY)
        assert hours_until(job) == 2
        breaker.open_until, breaker.probe = now - HOUR, api.enqueue(name)
        breaker.save()
        assert hours_until(job) is None
        assert hours_until(tomorrow) == 24

    def test_a_line_takes_its_jobs_times_their_mean_run_by_the_workers(self, name: str) -> None:
        now = clock.now()
        done = Job.objects.create(
            type=name, state=JobState.COMPLETED, run_at=now, created_at=now, updated_at=now, finished_at=now
        )
        for fence, seconds in enumerate((60, 180)):
            Attempt.objects.create(
                job=done,
                number=1,
                fence=fence,
                worker="w",
                started_at=now - timedelta(seconds=seconds),
                finished_at=now,
                outcome=AttemptOutcome.COMPLETED,
            )
        bulk(name, 60, run_at=now - HOUR)
        workers.register("tests", {"default": 1})
        assert hours_until(api.enqueue(name)) == 1  # 60 jobs of 2 minutes by 2 workers
        assert hours_until(Job.objects.exclude(pk=done.pk).earliest("run_at", "id")) == 0

    def test_a_line_of_a_type_that_never_ran_is_not_guessed_about(self, name: str) -> None:
        bulk(name, 1, run_at=clock.now() - HOUR)
        assert hours_until(api.enqueue(name)) is None

    @pytest.mark.parametrize(
        "change",
        [
            {"state": JobState.HELD},
            {"state": JobState.COMPLETED},
            {"type": "gone.type"},
            {"queue": "nobody's"},
            {"expires_at": START},
        ],
        ids=str,
    )
    def test_nobody_can_say_when_what_will_not_run_runs(self, name: str, change: dict[str, Any]) -> None:
        job = api.enqueue(name)
        assert hours_until(job) == 0
        Job.objects.filter(pk=job.pk).update(**change)
        assert hours_until(job) is None

    def test_a_job_that_expires_before_its_turn_has_none(self, name: str, run: Run) -> None:
        jobs = [api.enqueue(name, keys=[KEY], expires_at=clock.now() + HOUR / 2) for _ in range(3)]
        run()
        assert hours_until(jobs[2]) is None

    def test_the_end_of_all_times_breaks_nothing(self, name: str) -> None:
        last = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)
        bulk(name, 3, keys=[KEY], run_at=last)
        assert hours_until(Job.objects.latest("id")) is None
        assert Limit.objects.count() == 0
