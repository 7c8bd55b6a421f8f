"""Limits: never more than N starts in any window, jobs over one wait in order and cost little, none is forgotten."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from queue_app import api, blocks, claims, clock, gates, limits, parking, pauses, registry, rescue, workers
from queue_app.claims import Claim, SetAside
from queue_app.database import alias, atomic
from queue_app.limits import Rate
from queue_app.models import BlockKind, Event, Job, Limit, LimitUse
from queue_app.outcomes import Postpone
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded

KEY = "platform:linkedin"


@pytest.fixture
def limited(settings: Any) -> Callable[..., None]:
    """Return a function that sets the site's limits."""

    def set_to(**rates: str) -> None:
        settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {key.replace("__", ":"): text for key, text in rates.items()}}

    return set_to


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("200/h", (Rate(200, 3600),)),
        ("20/day", (Rate(20, 86_400),)),
        ("25/15m 100/d", (Rate(25, 900), Rate(100, 86_400))),
        ("5/10s", (Rate(5, 10),)),
    ],
)
def test_rates_are_read_as_people_write_them(text: str, rates: tuple[Rate, ...]) -> None:
    assert limits.parse_rates(text) == rates
    assert limits.parse_rates(" ".join(str(rate) for rate in rates)) == rates


@pytest.mark.parametrize("text", ["", "often", "0/h", "-1/h", "5", "5/x", "5/0h", "5/400d", "5/h,6/d", "1.5/h"])
def test_a_rate_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        limits.parse_rates(text)


@pytest.mark.django_db(transaction=True)
class TestRunning:
    """Jobs with the key ``platform:linkedin`` under a limit of the site's settings."""

    def test_a_job_over_the_limit_waits_without_using_an_attempt(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="2/h")
        name = register(lambda context: None)
        jobs = [api.enqueue(name, keys=[KEY]) for _ in range(3)]
        assert run() == 2
        waiting = reloaded(jobs[2])
        assert (waiting.state, waiting.parked_by, waiting.attempts) == (JobState.PENDING, "limit:" + KEY, 0)
        assert api.get(jobs[0].pk).state == JobState.COMPLETED
        later(3601)
        assert gates.open_due() == 1
        assert run() == 1

    def test_a_limit_of_a_type_that_another_clusters_code_knows_is_left_to_it(
        self, register: Register, run: Run, later: Later
    ) -> None:
        name = register(lambda context: None, limits={"account:*": "1/h"})
        for _ in range(3):
            api.enqueue(name, keys=["account:7"])
        assert run() == 1
        other = workers.register("of the next release", {"default": 1})
        registry.unregister(name)
        rescue.rescue()
        assert Job.objects.exclude(parked_by="").count() == 2
        workers.stopped(other.cluster)
        workers.stopped("tests")
        rescue.rescue()  # nobody is left to let them go
        assert not Job.objects.exclude(parked_by="").exists()

    def test_other_keys_are_not_held_up(self, register: Register, run: Run, limited: Callable[..., None]) -> None:
        limited(platform__linkedin="1/h")
        name = register(lambda context: None)
        for _ in range(5):
            api.enqueue(name, keys=[KEY])
        api.enqueue(name, keys=["platform:x"])
        api.enqueue(name)
        assert run() == 3

    def test_the_longest_pattern_counts_and_an_exact_key_before_it(
        self, register: Register, run: Run, settings: Any
    ) -> None:
        settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"account:*": "1/h", "account:7*": "2/h", "account:7": "3/h"}}
        name = register(lambda context: None)
        for account, allowed in (("account:7", 3), ("account:71", 2), ("account:8", 1)):
            for _ in range(5):
                api.enqueue(name, keys=[account])
            assert run() == allowed

    def test_every_window_of_a_key_holds(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="2/m 3/h")
        name = register(lambda context: None)
        for _ in range(5):
            api.enqueue(name, keys=[KEY])
        assert run() == 2
        later(61)
        gates.open_due()
        assert run() == 1
        later(61)
        gates.open_due()
        assert run() == 0
        later(3600)
        gates.open_due()
        assert run() == 2

    def test_a_type_has_limits_of_its_own(self, register: Register, run: Run) -> None:
        one = register(lambda context: None, name="tests.one", limits="1/h")
        many = register(lambda context: None, name="tests.many", limits={"account:*": "2/h"})
        for _ in range(3):
            api.enqueue(one)
            api.enqueue(many, keys=["account:1"])
            api.enqueue(many, keys=["account:2"])
        assert run() == 1 + 2 + 2

    def test_parked_jobs_leave_in_order_and_no_more_than_may_start(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="2/h")
        order: list[str] = []
        name = register(lambda context, line: order.append(line))
        for number, priority in enumerate([5, 5, 5, 5, 1, 9]):
            api.enqueue(name, {"line": f"{priority}-{number}"}, keys=[KEY], priority=priority)
        run()
        later(3601)
        assert gates.open_due() == 2
        run()
        assert order == ["1-4", "5-0", "5-1", "5-2"]
        assert [job.args["line"] for job in Job.objects.exclude(parked_by="").order_by("id")] == ["5-3", "9-5"]

    def test_jobs_that_come_later_do_not_overtake_those_that_wait(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="1/s")
        order: list[int] = []
        name = register(lambda context, number: order.append(number))
        for number in range(3):
            api.enqueue(name, {"number": number}, keys=[KEY])
        run()
        for number in range(3, 8):
            later(1.01)
            api.enqueue(name, {"number": number}, keys=[KEY])
            run()
            gates.open_due()  # as the broker does when a worker has found nothing
            run()
        assert order == [0, 1, 2, 3, 4, 5]

    def test_a_more_urgent_job_goes_before_those_that_wait(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="1/h")
        name = register(lambda context: None)
        for _ in range(2):
            api.enqueue(name, keys=[KEY])
        run()
        later(3601)
        urgent = api.enqueue(name, keys=[KEY], priority=1)
        assert run() == 1
        assert reloaded(urgent).state == JobState.COMPLETED

    def test_one_that_waits_for_something_else_too_holds_nobody_up(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="1/h")
        name = register(lambda context: None)
        api.enqueue(name, keys=[KEY])
        run()
        stuck = [api.enqueue(name, keys=[KEY, "account:7"]) for _ in range(3)]
        run()
        pauses.pause("account:7")
        later(3601)
        free = api.enqueue(name, keys=[KEY])
        for _ in range(len(stuck) + 1):
            run()
            gates.open_due()
        assert run() == 1
        assert reloaded(free).state == JobState.COMPLETED
        assert {reloaded(job).parked_by for job in stuck} == {"account:7"}
        pauses.resume("account:7")
        assert run() == 0
        later(3601)
        gates.open_due()
        assert run() == 1

    def test_outsiders_alone_are_not_held_up_either(
        self, register: Register, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="1/h")
        name = register(lambda context: None)
        jobs = [api.enqueue(name, keys=[KEY, *own]) for own in ((), ("account:7",), ("account:7",), ())]
        assert api.dequeue() is not None
        assert api.dequeue() is None
        pauses.pause("account:7")
        later(3601)
        late = api.enqueue(name, keys=[KEY])
        lease = api.dequeue()
        assert lease is not None
        assert lease.job_id == jobs[3].pk
        assert api.dequeue() is None
        assert reloaded(late).parked_by == "limit:" + KEY

    def test_whoever_comes_first_never_waits_for_another_however_many_limits_there_are(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        """Each of three limits has somebody in its lot, and everybody is under two of them."""
        limited(**{f"side__{letter}": "1/h" for letter in "abc"})
        name = register(lambda context: None)
        for letter in "abc":
            api.enqueue(name, keys=[f"side:{letter}"])
        assert run() == 3
        jobs = [api.enqueue(name, keys=[f"side:{one}", f"side:{two}"]) for one, two in ("ab", "bc", "ca") * 2]
        for _ in range(2 * len(jobs)):
            run()
            later(3601)
            gates.open_due()
            rescue.rescue()
        assert {reloaded(job).state for job in jobs} == {JobState.COMPLETED}

    def test_ten_thousand_jobs_over_a_limit_cost_a_handful_of_claims(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="3/h")
        name = register(lambda context: None)
        now = clock.now()
        Job.objects.bulk_create(
            Job(type=name, keys=[KEY], run_at=now, created_at=now, updated_at=now) for _ in range(10_000)
        )
        claimed = 0
        while True:
            with atomic():
                taken = claims.claim_next({"default": 1}, None, types=[name], holder="tests")
            if taken is None:
                break
            claimed += isinstance(taken, SetAside)
        assert claimed <= 10_000 / claims.PARK_BATCH + 1
        assert Job.objects.filter(parked_by="limit:" + KEY).count() == 9_997
        with CaptureQueriesContext(queue_connection()) as queries:
            assert run() == 0
        assert len(queries) < 15
        later(3601)
        late = api.enqueue(name, keys=[KEY])
        with CaptureQueriesContext(queue_connection()) as queries:
            assert run() == 0
        assert len(queries) < 20
        assert reloaded(late).parked_by == "limit:" + KEY
        assert gates.open_due() == 3
        assert run() == 3

    def test_a_slot_that_was_given_back_by_time_is_used_at_its_time(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="2/h")
        name = register(lambda context: None)
        api.enqueue(name, keys=[KEY])
        run()
        later(1800)
        for _ in range(3):
            api.enqueue(name, keys=[KEY])
        assert run() == 1
        opens = gates.next_opening()
        assert opens is not None
        assert timedelta(seconds=1795) < opens - clock.now() <= timedelta(seconds=1800)
        later(1801)
        gates.open_due()
        assert run() == 1
        assert limits.remaining(KEY) == 0
        assert limits.remaining(KEY, clock.now() + timedelta(hours=1)) == 2

    def test_a_limit_that_is_gone_lets_everybody_go(
        self, register: Register, run: Run, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="1/h")
        name = register(lambda context: None)
        for _ in range(3):
            api.enqueue(name, keys=[KEY])
        run()
        limited()
        rescue.rescue()
        assert run() == 2
        assert limits.remaining(KEY) is None

    def test_nothing_remains_of_a_limit_that_was_lowered(
        self, register: Register, run: Run, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="5/h")
        name = register(lambda context: None)
        for _ in range(5):
            api.enqueue(name, keys=[KEY])
        assert run() == 5
        limited(platform__linkedin="2/h")
        assert api.remaining(KEY) == 0

    def test_what_remains_of_a_key_heeds_the_limits_of_types(
        self, register: Register, run: Run, limited: Callable[..., None]
    ) -> None:
        limited(account__9="4/h")
        one = register(lambda context: None, name="tests.one", limits={"account:*": "3/h"})
        register(lambda context: None, name="tests.two", limits={"account:*": "5/h", "type:*": "1/h"})
        assert (api.remaining("account:7"), api.remaining("account:9"), api.remaining("platform:x")) == (3, 3, None)
        api.enqueue(one, keys=["account:7"])
        run()
        assert (api.remaining("account:7"), api.remaining("account:9")) == (2, 3)
        assert [api.remaining(f"{name} account:7") for name in ("tests.one", "tests.two")] == [2, 5]
        assert (api.remaining("type:tests.one"), api.remaining("type:tests.two")) == (None, 1)

    def test_nothing_remains_while_a_platform_cools_down(self, limited: Callable[..., None]) -> None:
        limited(platform__linkedin="5/h")
        until = clock.now() + timedelta(minutes=30)
        with atomic():
            blocks.place(KEY, BlockKind.RATE_LIMIT, now=clock.now(), until=until)
            blocks.place("account:7", BlockKind.RATE_LIMIT, now=clock.now(), until=until)
        assert (api.remaining(KEY), api.remaining("account:7"), api.remaining(f"tests.job {KEY}")) == (0, 0, 0)
        assert (api.remaining(KEY, until), api.remaining("account:7", until)) == (5, None)

    def test_what_has_gone_by_remains_as_now(self, limited: Callable[..., None]) -> None:
        limited(platform__linkedin="5/h")
        assert api.remaining(KEY, datetime.min.replace(tzinfo=UTC)) == 5

    @pytest.mark.parametrize("name", [None, 7, ["platform:x"], "", "a\0", "\ud800", "x" * 291])
    def test_what_is_no_name_of_a_limit_is_refused(self, name: Any) -> None:
        with pytest.raises(ValueError, match="a limit's name is 1 to 290 printable characters"):
            api.remaining(name)

    @pytest.mark.parametrize("at", ["tomorrow", 5, datetime(2030, 1, 1)])  # noqa: DTZ001 -- what is refused
    def test_what_is_no_time_is_refused(self, at: Any) -> None:
        with pytest.raises(ValueError, match=r"at is a datetime, not a|at needs a time zone"):
            api.remaining(KEY, at)

    def test_no_more_are_let_go_than_may_start_however_long_they_wait_for_a_worker(
        self, register: Register, run: Run, later: Later
    ) -> None:
        name = register(lambda context: None, limits="5/h")
        for _ in range(20):
            api.enqueue(name)
        assert run() == 5
        later(3601)
        workers.heartbeat("tests")
        assert [gates.open_due(), *(gates.sweep() for _ in range(3))] == [5, 0, 0, 0]
        api.cancel(Job.objects.filter(state=JobState.PENDING, parked_by="").latest("id").pk)
        assert gates.sweep() == 1
        assert run() == 5

    def test_who_was_let_go_for_a_worker_that_is_gone_holds_nobody_up(
        self, register: Register, run: Run, later: Later
    ) -> None:
        name = register(lambda context: None, limits="1/h")
        for _ in range(3):
            api.enqueue(name)
        assert run() == 1
        later(3601)
        assert [gates.sweep(), gates.sweep(), gates.sweep()] == [1, 1, 0]

    def test_who_waits_for_a_busy_worker_of_another_queue_holds_nobody_up(
        self, register: Register, run: Run, later: Later
    ) -> None:
        name = register(lambda context: None, limits="1/h")
        workers.register("slow", {"slow": 1})
        api.enqueue(name)
        waiting = api.enqueue(name)
        assert run() == 1
        later(3601)
        for cluster in ("tests", "slow"):
            workers.heartbeat(cluster)
        api.enqueue(name, queue="slow")
        api.enqueue(name, run_at=clock.now() - timedelta(seconds=1))
        assert gates.open_due() == 1
        assert run() == 1
        assert reloaded(waiting).state == JobState.COMPLETED

    def test_a_hook_that_breaks_keeps_no_gate_shut(self, register: Register, run: Run, later: Later) -> None:
        def hook(job: Job, event: Event) -> None:
            if event.reason == "unparked":
                raise KeyError("delivery_id")

        hooked = register(lambda context: None, name="tests.hooked", limits="1/h", on_transition=hook)
        other = register(lambda context: None, limits="1/h")
        for name in (hooked, other) * 2:
            api.enqueue(name)
        assert run() == 2
        later(3601)
        assert gates.open_due() == 2
        assert run() == 2

    def test_nobody_is_let_go_for_where_a_pause_stops_all(self, register: Register, run: Run, later: Later) -> None:
        name = register(lambda context: None, limits="2/h")
        for _ in range(5):
            api.enqueue(name)
        assert run() == 2
        pauses.pause("all")
        later(3601)
        assert [gates.open_due(), gates.sweep(), run()] == [0, 0, 0]
        assert set(Job.objects.filter(state=JobState.PENDING).values_list("parked_by", flat=True)) == {
            f"limit:type:{name}"
        }
        pauses.resume("all")
        gates.sweep()
        assert run() == 2

    def test_the_end_of_a_pause_that_is_known_is_when_the_limit_lets_go(
        self, register: Register, run: Run, later: Later
    ) -> None:
        name = register(lambda context: None, limits="1/h")
        for _ in range(2):
            api.enqueue(name)
        assert run() == 1
        later(3601)
        until = clock.now() + timedelta(minutes=5)
        pauses.pause("all", until=until)
        gates.sweep()
        assert Limit.objects.get().opens_at == until
        later(301)
        assert run() == 0
        gates.open_due()
        assert run() == 1

    def test_a_sweep_over_full_limits_writes_nothing(self, register: Register, run: Run) -> None:
        name = register(lambda context: None, limits={"account:*": "1/h"})
        for number in range(3):
            for _ in range(2):
                api.enqueue(name, keys=[f"account:{number}"])
        assert run() == 3
        with CaptureQueriesContext(queue_connection()) as queries:
            assert gates.sweep() == 0
        assert all(query["sql"].startswith("SELECT") for query in queries)
        assert not any("FOR UPDATE" in query["sql"] for query in queries)

    @pytest.mark.parametrize("noted", [None, timedelta(hours=-1), timedelta(hours=2)])
    def test_a_sweep_sets_right_when_a_full_limit_opens(
        self, register: Register, run: Run, noted: timedelta | None
    ) -> None:
        name = register(lambda context: None, limits="1/h")
        for _ in range(2):
            api.enqueue(name)
        assert run() == 1
        opens = Limit.objects.get().opens_at
        Limit.objects.update(opens_at=None if noted is None else clock.now() + noted)
        assert gates.sweep() == 0
        assert Limit.objects.get().opens_at == opens

    def test_a_sweep_lets_go_at_once_where_more_is_allowed(
        self, register: Register, run: Run, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="1/h")
        name = register(lambda context: None)
        for _ in range(4):
            api.enqueue(name, keys=[KEY])
        assert run() == 1
        limited(platform__linkedin="3/h")
        assert gates.sweep() == 2
        assert run() == 2

    def test_a_clock_that_was_set_back_does_not_empty_the_window(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="1/h")
        name = register(lambda context: None)
        later(600)
        api.enqueue(name, keys=[KEY])
        assert run() == 1
        later(-600)
        api.enqueue(name, keys=[KEY])
        assert run() == 0

    def test_lifting_a_pause_does_not_burst(self, register: Register, run: Run, limited: Callable[..., None]) -> None:
        limited(platform__linkedin="2/h")
        name = register(lambda context: None)
        with atomic():
            blocks.place("all", BlockKind.PAUSE, now=clock.now())
        for _ in range(6):
            api.enqueue(name, keys=[KEY])
        assert run() == 0
        blocks.lift("all", BlockKind.PAUSE)
        assert run() == 2
        assert parking.lots() == ["limit:" + KEY]

    def test_a_postponed_execution_keeps_its_slot_used(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        """What an execution did before it was postponed counts: a limit is about starts."""
        limited(platform__linkedin="1/h")
        name = register(lambda context: Postpone("busy", until=clock.now()))
        job = api.enqueue(name, keys=[KEY])
        run()
        assert (reloaded(job).attempts, limits.remaining(KEY)) == (0, 0)

    def test_old_uses_are_forgotten(
        self, register: Register, run: Run, later: Later, limited: Callable[..., None]
    ) -> None:
        limited(platform__linkedin="2/h")
        name = register(lambda context: None)
        for _ in range(2):
            api.enqueue(name, keys=[KEY])
        run()
        later(3601)
        assert limits.forget_old_uses(clock.now()) == 1
        assert limits.remaining(KEY) == 2

    def test_uses_under_rates_that_are_not_known_here_are_kept_and_go_in_batches_once_they_are(
        self, register: Register, run: Run, later: Later, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "FORGET_BATCH", 2)
        name = register(lambda context: None, limits="6/d")
        for _ in range(6):
            api.enqueue(name)
        assert run() == 6
        later(3600)
        registry.unregister(name)
        assert limits.forget_old_uses(clock.now()) == 0
        register(lambda context: None, limits="6/d")
        assert limits.remaining(f"type:{name}") == 0
        later(86_400)
        with CaptureQueriesContext(queue_connection()) as queries:
            assert limits.forget_old_uses(clock.now()) == 5
        assert sum(query["sql"].startswith("DELETE") for query in queries) == 3


def claim_all(name: str) -> int:
    """Claim jobs of a type until none is left to claim; return how many were taken."""
    taken = 0
    while True:
        with atomic():
            found = claims.claim_next({"default": 1}, None, types=[name], holder="tests")
        if found is None:
            return taken
        taken += isinstance(found, Claim)


def at_once(number: int, work: Callable[[], int]) -> list[int]:
    """Return what ``work`` answers in threads that begin together, each on a connection of its own."""
    answers: list[int] = []
    ready = threading.Barrier(number)

    def begin() -> None:
        try:
            queue_connection().ensure_connection()
            ready.wait(30)
            answers.append(work())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=begin) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True], ids=["each makes the limits' rows", "the rows are there"])
def test_claims_of_several_connections_at_once_stay_within_every_limit(
    register: Register, settings: Any, known: bool
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {KEY: "7/h", "account:*": "3/h"}}
    name = register(lambda context: None)
    if known:
        Limit.objects.bulk_create(Limit(key=key) for key in (KEY, *(f"account:{number}" for number in range(4))))
    api.enqueue_many(name, [api.NewJob(keys=[KEY, f"account:{number % 4}"]) for number in range(40)])
    taken = at_once(5, lambda: claim_all(name))
    running = Job.objects.filter(state=JobState.RUNNING)
    by_account = Counter(key for job in running for key in job.keys if key != KEY)
    assert (len(taken), sum(taken), running.count(), api.remaining(KEY)) == (5, 7, 7, 0)
    assert max(by_account.values()) <= 3
    assert not Job.objects.filter(state=JobState.PENDING, parked_by="").exists()


@pytest.mark.django_db
@hypothesis.settings(deadline=None, max_examples=50)
@given(
    count=st.integers(1, 4),
    seconds=st.integers(1, 50),
    steps=st.lists(st.integers(0, 30), min_size=5, max_size=40),
)
def test_no_window_ever_holds_more_than_its_count(count: int, seconds: int, steps: list[int]) -> None:
    """Starts are tried again and again at random moments; every window between two of them is counted."""
    rate = Rate(count, seconds)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    starts: list[datetime] = []
    with atomic():
        limit = Limit.objects.create(key="k")
        for step in steps:
            now += timedelta(seconds=step)
            opens = limits.opens_at(limit, (rate,), now)
            within = sum(start > now - rate.window for start in starts)
            assert (opens is None) == (within < count)
            if opens is None:
                limits.record([limit], now)
                starts.append(now)
            else:
                assert sum(start > opens - rate.window for start in starts) < count
        LimitUse.objects.all().delete()
        limit.delete()
    for position in range(len(starts) - count):
        assert starts[position + count] - starts[position] >= rate.window


def queue_connection() -> Any:
    return connections[alias()]
