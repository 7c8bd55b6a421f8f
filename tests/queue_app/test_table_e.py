"""The rows of requirements table E, 1,000 to 10,000 posts a day, that belong to the queue: one test a row at least.

What its benchmark shows is in docs/performance.md; importing an older system and containers are not the queue's.
"""

from __future__ import annotations

import io
import json
import signal
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from queue_app import api, autoscale, clock, workers
from queue_app.autoscale import Bounds
from queue_app.context import JobContext
from queue_app.models import Worker
from queue_app.outcomes import Fail, Failure
from queue_app.retry import RetryPolicy
from tests.faults.clusters import Clusters, descendants, living
from tests.queue_app.jobs import Later, Register, Run, reloaded
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True)

HOUR, DAY = 3600, 86_400
LIMITS = {
    "platform:facebook": "200/h",
    "platform:instagram": "100/h",
    "platform:linkedin": "20/day",
    "platform:youtube": "100/h",
}
QUICKLY = {"UP_OVER": "5", "DOWN_UNDER": "2", "MAX_WORKERS": "3", "SECONDS": "0.2"}
WORKERS = {"facebook": 3, "instagram": 2, "linkedin": 1, "youtube": 2}


def post(context: JobContext, month: int = 1) -> Any:
    """Stand for a platform that takes the months of a year."""
    if month > 12:
        return Fail(Failure("Rejected", f"no month {month}"))
    return month


def serving(site: Site) -> Counter[str]:
    """Return how many workers serve each queue."""
    listed = site.sql("SELECT queues FROM queue_app_worker WHERE stopped_at IS NULL")
    return Counter(queue for (row,) in listed for queue in (json.loads(row) if isinstance(row, str) else row))


@pytest.fixture
def limited(settings: Any) -> None:
    """Set the limits of the table."""
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": LIMITS}


def enqueue_for(name: str, platform: str, number: int) -> list[int]:
    return api.enqueue_many(name, [api.NewJob(keys=[f"platform:{platform}"])] * number)


def drain(run: Run) -> int:
    """Run what is due, a worker's second after the other; return how many jobs ran."""
    ran = 0
    while more := run():
        ran += more
    return ran


# --- Queues ----------------------------------------------------------------------------------------------------------


def test_high_normal_and_low_run_in_that_order_and_a_retry_waits_its_delay(
    register: Register, run: Run, later: Later
) -> None:
    order: list[int] = []

    def fail_once(context: JobContext) -> None:
        order.append(context.job.priority)
        if context.job.attempts == 1 and context.job.priority == 2:
            raise OSError("no network")

    name = register(fail_once, retry=RetryPolicy.fixed(max_attempts=2, delay_seconds=600))
    low, high, normal = (api.enqueue(name, priority=priority) for priority in ("low", "high", "normal"))
    run()
    assert order == [2, 5, 8]
    assert [api.get_status(job.pk) for job in (high, normal, low)] == ["pending", "completed", "completed"]
    later(599)
    assert run() == 0
    later(2)
    assert run() == 1
    assert api.get_status(high.pk) == "completed"


def test_an_outside_worker_requeues_with_a_delay(register: Register, later: Later) -> None:
    job = api.enqueue(register(post))
    lease = api.dequeue()
    assert lease is not None
    api.fail(lease, "busy", requeue=True, delay_seconds=900)
    later(899)
    assert api.dequeue() is None
    later(2)
    again = api.dequeue()
    assert again is not None
    assert (again.job_id, again.attempt) == (job.pk, 2)


def test_a_dead_letter_keeps_reason_and_time_and_many_are_listed_edited_retried_and_discarded(
    register: Register, run: Run
) -> None:
    name = register(post)
    before = clock.now()
    jobs = [api.enqueue(name, {"month": 13}) for _ in range(4)]
    run()
    dead = list(api.dead_letters(search="no month 13", type=name))
    assert {letter.pk for letter in dead} == {job.pk for job in jobs}
    assert all(letter.reason and letter.last_error == "no month 13" for letter in dead)
    assert all(letter.finished_at and before <= letter.finished_at <= clock.now() for letter in dead)
    edited, again, *given_up = jobs
    api.retry(edited.pk, args={"month": 12}, actor="ada")
    assert api.retry_many([again.pk], actor="ada").done == 1
    assert api.discard_all("not wanted", actor="ada").done == 2
    run()
    assert [api.get_status(job.pk) for job in jobs] == ["completed", "failed", "cancelled", "cancelled"]
    for job in given_up:
        told = list(api.subscribe(after=0, job_id=job.pk, timeout_seconds=0))[-1]
        assert (told["event"], told["data"]["why"], told["data"]["actor"]) == ("job_cancelled", "not wanted", "ada")
    assert list(api.dead_letters().values_list("pk", flat=True)) == [again.pk]


# --- Limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    ("platform", "count", "seconds"),
    [("facebook", 200, HOUR), ("instagram", 100, HOUR), ("linkedin", 20, DAY), ("youtube", 100, HOUR)],
)
def test_a_platforms_limit_holds_in_any_window_and_says_what_remains(
    register: Register, run: Run, later: Later, platform: str, count: int, seconds: int
) -> None:
    name, key, half = register(post), f"platform:{platform}", count // 2
    assert api.remaining(key) == count
    enqueue_for(name, platform, half)
    assert drain(run) == half
    assert api.remaining(key) == half
    later(seconds / 2)
    second = enqueue_for(name, platform, count)
    assert drain(run) == half
    assert api.remaining(key) == 0
    waiting = api.get(second[-1])
    assert (waiting.state, waiting.parked_by, waiting.attempts) == ("pending", f"limit:{key}", 0)
    assert api.remaining(key, clock.now() + timedelta(seconds=seconds)) == count
    later(seconds / 2)
    call_command("rescue_jobs", stdout=io.StringIO())  # as a cluster does every few seconds
    assert drain(run) == half, "only the first half has left the window"
    later(seconds / 2)
    assert Counter(api.get_status(job) for job in second) == {"completed": count}
    assert api.remaining(key) == half


def test_a_running_cluster_keeps_to_a_limit_and_uses_all_of_it(site: Site) -> None:
    site.env["SOCIALQ_LIMITS"] = "platform:linkedin=3/2s"
    clusters = Clusters(site)
    args = {"file": str(clusters.notes), "line": "ran"}
    clusters.enqueue_many("testapp.note", 9, args=args, keys=["platform:linkedin"])
    clusters.start()
    clusters.wait_for_all("testapp.note")
    starts = site.python(
        "from queue_app.models import Attempt\n"
        "for attempt in Attempt.objects.filter(job__type='testapp.note').order_by('started_at'):\n"
        "    print(attempt.started_at.timestamp())"
    )
    began_at = [float(line) for line in starts.split()]
    assert clusters.lines() == ["ran"] * len(began_at) == ["ran"] * 9
    waits = [later - earlier for earlier, later in zip(began_at, began_at[3:], strict=False)]
    assert 1.95 < min(waits) <= max(waits) < 10


@pytest.mark.usefixtures("limited")
def test_a_platforms_limit_keeps_no_other_platform_waiting(register: Register, run: Run) -> None:
    name = register(post)
    enqueue_for(name, "linkedin", 25)
    others = enqueue_for(name, "youtube", 5)
    assert drain(run) == 20 + 5
    assert {api.get_status(job) for job in others} == {"completed"}


def test_each_user_has_a_limit_beside_the_platforms(register: Register, run: Run, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {**LIMITS, "platform:linkedin": "5/day", "account:*": "3/h"}}
    name = register(post)
    for account in (1, 2):
        for _ in range(4):
            api.enqueue(name, keys=["platform:linkedin", f"account:{account}"])
    assert drain(run) == 5
    assert (api.remaining("account:1"), api.remaining("account:2")) == (0, 1)
    assert (api.remaining("platform:linkedin"), api.remaining("platform:tiktok")) == (0, None)


# --- Workers ---------------------------------------------------------------------------------------------------------


def test_workers_per_platform_are_started_stopped_and_counted_together(site: Site) -> None:
    clusters = Clusters(site)
    main = site.spawn("workers", "--config", ",".join(f"{queue}={number}" for queue, number in WORKERS.items()))
    site.wait_until(lambda: len(clusters.worker_pids()) == 8)
    assert json.loads(site.manage("queue_status", "--json").stdout)["workers_active"] == 8
    assert serving(site) == WORKERS
    pids = descendants(main.pid)
    main.send_signal(signal.SIGTERM)
    assert main.wait(20) == 0
    assert not living(pids)
    assert clusters.worker_pids() == []


def test_autoscaling_goes_up_over_500_waiting_down_under_50_and_from_1_to_20_workers() -> None:
    assert autoscale.bounds() == Bounds(up_over=500, down_under=50, least=1, most=20)


def test_each_queue_of_a_config_is_scaled_by_what_waits_in_it(site: Site) -> None:
    clusters, go = Clusters(site), site.directory / "go"
    site.env |= {f"SOCIALQ_AUTOSCALE_{name}": value for name, value in QUICKLY.items()}
    clusters.enqueue_many("testapp.wait", 30, args={"file": str(clusters.notes), "until": str(go)}, queue="facebook")
    main = site.spawn("workers", "--config", "facebook=1,linkedin=1", "--autoscale")
    site.wait_until(lambda: serving(site) == {"facebook": 3, "linkedin": 1})
    site.wait_until(lambda: len(clusters.lines()) == 3)
    go.touch()
    clusters.wait_for_all("testapp.wait")
    site.wait_until(lambda: serving(site) == {"facebook": 1, "linkedin": 1})
    assert clusters.count("SELECT COUNT(*) FROM queue_app_attempt WHERE outcome <> 'completed'") == 0
    main.send_signal(signal.SIGTERM)
    assert main.wait(20) == 0


# --- Time ------------------------------------------------------------------------------------------------------------


def test_a_due_time_has_a_zone_and_is_kept_as_that_moment(register: Register, run: Run, later: Later) -> None:
    name = register(post)
    due = (clock.now() + timedelta(hours=1)).astimezone(ZoneInfo("Asia/Kathmandu"))
    job = api.enqueue(name, run_at=due)
    assert reloaded(job).run_at == due
    with pytest.raises(ValueError, match="run_at needs a time zone"):
        api.enqueue(name, run_at=datetime(2030, 1, 1, 9))  # noqa: DTZ001 -- what is refused
    later(HOUR - 1)
    assert run() == 0
    later(2)
    assert run() == 1


def test_what_has_expired_is_dropped_instead_of_published_late(register: Register, run: Run, later: Later) -> None:
    ran: list[int] = []
    name = register(lambda context: ran.append(context.job.pk))
    stale = api.enqueue(name, expires_at=clock.now() + timedelta(minutes=5))
    fresh = api.enqueue(name, expires_at=clock.now() + timedelta(minutes=15))
    later(600)
    run()
    assert ran == [fresh.pk]
    assert (reloaded(stale).state, reloaded(stale).reason, reloaded(stale).attempts) == ("cancelled", "expired", 0)


# --- Health ----------------------------------------------------------------------------------------------------------


def problems() -> list[str]:
    """Return what ``manage.py check_health`` reports."""
    out = io.StringIO()
    with suppress(SystemExit):
        call_command("check_health", "--json", stdout=out)
    found: list[str] = json.loads(out.getvalue())["problems"]
    return found


def test_health_alerts_when_under_80_percent_of_workers_live() -> None:
    rows = [workers.register("one", {"default": 1}) for _ in range(10)]
    silent_since = clock.now() - timedelta(minutes=5)
    Worker.objects.update(started_at=silent_since)
    for lost, told in ((2, []), (3, ["7 of 10 workers live; under 80% is too few: see why the others fell silent"])):
        Worker.objects.filter(pk__in=[row.pk for row in rows[:lost]]).update(heartbeat_at=silent_since)
        assert problems() == told


def test_health_alerts_when_over_1000_wait(register: Register) -> None:
    name = register(post)
    workers.register("one", {"default": 1})
    api.enqueue_many(name, [api.NewJob()] * 1000)
    assert problems() == []
    api.enqueue(name)
    assert problems() == ["1,001 jobs are due and wait; over 1,000 is too many: start more workers"]


def test_health_alerts_when_over_5_percent_fail(register: Register, run: Run) -> None:
    name = register(post)
    api.enqueue_many(name, [api.NewJob({"month": month}) for month in [1] * 19 + [13]])
    run()
    assert problems() == []
    api.enqueue(name, {"month": 13})
    run()
    assert problems() == ["2 of the 21 jobs of the last hour failed (9.5%; over 5.0% is too many)"]
