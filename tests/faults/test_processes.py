"""Killed, stopped and misbehaving processes; what must be true is in the name of each test."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.clusters import Clusters, cpu_seconds, descendants, living
from tests.faults.conftest import Injected
from tests.faults.rounds import LONG

pytestmark = pytest.mark.faults

# Row 4 of the faults asks for 200: the long form has them on both databases together.
CYCLES = 100 if LONG else 6
# About what a cycle takes: each meets work that has just become due.
CYCLE_SECONDS = 0.8
# Below the main process of a cluster with two workers: its sentinel, its housekeeper and they.
PROCESSES = 4


@pytest.mark.row(2)
def test_work_goes_on_after_an_idle_worker_was_killed(clusters: Clusters, injected: Injected) -> None:
    clusters.start()
    os.kill(clusters.worker_pids()[0], signal.SIGKILL)
    injected("kill -9 of an idle worker")
    job = clusters.note("arrived later")
    clusters.wait_for_state(job, "completed", seconds=15)
    assert clusters.lines() == ["arrived later"]


@pytest.mark.row(2)
def test_every_idle_worker_killed_at_once_is_replaced(clusters: Clusters, injected: Injected) -> None:
    clusters.start()
    for pid in clusters.worker_pids():
        os.kill(pid, signal.SIGKILL)
        injected("kill -9 of every idle worker at once")
    clusters.wait_for_state(clusters.note("late"), "completed", seconds=15)


@pytest.mark.row(3)
def test_work_goes_on_after_the_housekeeper_was_killed(clusters: Clusters, injected: Injected) -> None:
    main = clusters.start()
    sentinel = descendants(main.pid)[0]
    os.kill(min(descendants(sentinel)), signal.SIGKILL)  # the first that a sentinel starts
    injected("kill -9 of the housekeeper")
    clusters.wait_for_state(clusters.note("late"), "completed", seconds=15)
    clusters.site.wait_until(lambda: len(descendants(main.pid)) == PROCESSES, 15)


@pytest.mark.row(3)
def test_no_process_is_left_when_the_main_process_is_killed(clusters: Clusters, injected: Injected) -> None:
    main = clusters.start()
    pids = descendants(main.pid)
    assert len(pids) == PROCESSES
    main.kill()
    injected("kill -9 of the main process")
    clusters.site.wait_until(lambda: not living(pids), 2)


@pytest.mark.row(3)
def test_a_killed_sentinel_is_replaced_and_leaves_no_process(clusters: Clusters, injected: Injected) -> None:
    main = clusters.start()
    pids = descendants(main.pid)
    os.kill(pids[0], signal.SIGKILL)
    injected("kill -9 of the sentinel")
    clusters.site.wait_until(lambda: not living(pids), 2)
    clusters.wait_for_state(clusters.note("after"), "completed", seconds=15)


@pytest.mark.row(3)
def test_a_sentinel_that_stands_still_is_replaced(clusters: Clusters, injected: Injected) -> None:
    main = clusters.start()
    pids = descendants(main.pid)
    os.kill(pids[0], signal.SIGSTOP)
    injected("SIGSTOP of the sentinel")
    clusters.site.wait_until(lambda: not living(pids), 15)
    clusters.wait_for_state(clusters.note("after"), "completed", seconds=15)


@pytest.mark.row(4)
def test_the_running_job_is_finished_before_the_cluster_stops(clusters: Clusters, injected: Injected) -> None:
    main = clusters.start()
    job = clusters.enqueue(
        "testapp.wait", args={"file": str(clusters.notes), "until": str(clusters.site.directory / "go")}
    )
    waiting = clusters.note("not begun any more")
    clusters.site.wait_until(lambda: len(clusters.lines()) == 2)
    main.terminate()
    injected("SIGTERM while a job runs")
    clusters.site.wait_until(lambda: b"stopped pushing" in clusters.site.log.read_bytes())
    late = clusters.note("left for the next cluster")
    (clusters.site.directory / "go").touch()
    assert main.wait(10) == 0
    assert clusters.state(job) == "completed"
    assert clusters.state(waiting) == "completed"
    assert clusters.state(late) == "pending"
    assert clusters.worker_pids() == []


@pytest.mark.row(4)
@pytest.mark.parametrize(("step", "state"), [("before_mark", "pending"), ("after_mark", "uncertain")])
def test_a_job_longer_than_the_grace_is_handed_back(
    clusters: Clusters, injected: Injected, step: str, state: str
) -> None:
    clusters.site.env["SOCIALQ_STOP_GRACE_SECONDS"] = "2"
    main = clusters.start()
    never = str(clusters.site.directory / "never")
    job = clusters.enqueue("testapp.send", args={"file": str(clusters.notes), step: never})
    clusters.site.wait_until(lambda: len(clusters.lines()) == (2 if step == "after_mark" else 1))
    started = time.monotonic()
    main.terminate()
    injected("SIGTERM while a job runs longer than the grace")
    assert main.wait(10) == 0
    assert time.monotonic() - started < 3
    assert clusters.state(job) == state
    assert clusters.attempts(job) == ["handed_back"]
    refunded = clusters.count(f"SELECT attempts FROM queue_app_job WHERE id = {job}")
    assert refunded == (0 if state == "pending" else 1)
    assert "sent" not in clusters.lines()


@pytest.mark.row(4)
def test_a_second_signal_ends_the_cluster_at_once(clusters: Clusters, injected: Injected) -> None:
    main = clusters.start()
    clusters.enqueue(
        "testapp.wait", args={"file": str(clusters.notes), "until": str(clusters.site.directory / "never")}
    )
    clusters.site.wait_until(clusters.lines)
    pids = descendants(main.pid)
    main.terminate()
    clusters.site.wait_until(lambda: b"stopped pushing" in clusters.site.log.read_bytes())
    main.send_signal(signal.SIGINT)
    injected("SIGTERM, then SIGINT")
    main.wait(2)
    assert not living(pids)


@pytest.mark.row(4)
def test_no_process_is_deaf_to_sigterm(clusters: Clusters, injected: Injected) -> None:
    main = clusters.start()
    for which in ("worker", "housekeeper", "sentinel"):
        clusters.site.wait_until(lambda: len(descendants(main.pid)) == PROCESSES, 15)
        sentinel = descendants(main.pid)[0]
        below = sorted(descendants(sentinel))
        pid = {"housekeeper": below[0], "worker": below[1], "sentinel": sentinel}[which]
        os.kill(pid, signal.SIGTERM)
        injected("SIGTERM to one process of a cluster")
        clusters.site.wait_until(lambda pid=pid: not living([pid]), 10)
        clusters.wait_for_state(clusters.note(f"goes on without the {which}"), "completed", seconds=15)


@pytest.mark.row(4)
def test_every_stop_at_a_random_moment_ends_in_time(clusters: Clusters, injected: Injected) -> None:
    clusters.site.do(
        "from datetime import timedelta\n"
        "from queue_app import api, clock\n"
        f"for cycle in range({CYCLES}):\n"
        f"    args, due = {{'file': {str(clusters.notes)!r}, 'line': str(cycle)}}, cycle * {CYCLE_SECONDS}\n"
        "    api.enqueue('testapp.note', args=args, run_at=clock.now() + timedelta(seconds=due))\n"
    )
    moments = random.Random(4)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(CYCLES // 2):
            # Any moment of the start, and beside it of the first work; not a wait for anything.
            starting = pool.submit(stop_once, clusters, injected, moments.uniform(0.3, 2.0), starting=True)
            working = pool.submit(stop_once, clusters, injected, moments.uniform(0.0, 0.3), starting=False)
            starting.result()
            working.result()
    clusters.start()
    left = CYCLES * CYCLE_SECONDS + 30
    clusters.site.wait_until(lambda: sorted(clusters.lines()) == sorted(map(str, range(CYCLES))), left)


def stop_once(clusters: Clusters, injected: Injected, seconds: float, *, starting: bool) -> None:
    main = clusters.site.spawn("qcluster") if starting else clusters.start()
    with pytest.raises(TimeoutError):
        wait_at_most(main.pid, seconds)
    pids = descendants(main.pid)
    main.terminate()
    injected("SIGTERM at a random moment after the start")
    assert main.wait(15) in (0, -signal.SIGTERM)
    assert not living(pids)


def wait_at_most(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while living([pid]):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


@pytest.mark.row(5)
def test_a_job_that_ends_its_worker_is_failed_after_its_attempts(clusters: Clusters, injected: Injected) -> None:
    main = clusters.start()
    for job_type in ("testapp.kill_worker", "testapp.leave"):
        bad = clusters.enqueue(job_type)
        clusters.wait_for_state(clusters.note("unaffected"), "completed")
        clusters.wait_for_state(bad, "failed")
        injected("a job that ends its worker")
        assert clusters.attempts(bad) == ["lost"] * 3
        clusters.site.wait_until(lambda: len(descendants(main.pid)) == PROCESSES, 15)


@pytest.mark.row(5)
def test_a_job_that_overruns_is_ended_by_its_alarm_and_each_timeout_is_an_attempt(
    clusters: Clusters, injected: Injected
) -> None:
    clusters.start()
    job = clusters.enqueue("testapp.overrun")
    clusters.wait_for_state(job, "failed")
    injected("a job that overruns its timeout")
    assert clusters.attempts(job) == ["retry", "retry", "failed"]


@pytest.mark.row(5)
def test_a_job_that_never_returns_is_killed_and_others_go_on(clusters: Clusters, injected: Injected) -> None:
    clusters.site.env["SOCIALQ_HEARTBEAT_SECONDS"] = "1"
    clusters.start()
    bad = clusters.enqueue("testapp.never_returns")
    clusters.wait_for_state(clusters.note("unaffected"), "completed")
    clusters.wait_for_state(bad, "failed")
    injected("a job that never returns")
    assert clusters.attempts(bad) == ["lost"]


@pytest.mark.row(13)
def test_a_message_delivered_fifty_times_runs_its_job_once(clusters: Clusters, injected: Injected) -> None:
    clusters.site.env["SOCIALQ_WORKERS"] = "4"
    clusters.note("once")
    clusters.site.do(
        "from django_q.tasks import async_task\n"
        "for _ in range(50): async_task('queue_app.runner.run_due', 'default', 'copies')"
    )
    clusters.start()
    clusters.site.wait_until(lambda: clusters.count("SELECT COUNT(*) FROM django_q_ormq") == 0)
    injected("one message delivered 50 times")
    assert clusters.lines() == ["once"]


@pytest.mark.row(15)
def test_a_worker_that_stood_still_past_its_lease_cannot_send(clusters: Clusters, injected: Injected) -> None:
    job, resume = stand_still(clusters, "before_mark")
    clusters.start()
    clusters.wait_for_state(job, "completed")
    resume()
    injected("SIGSTOP past the lease before the mark, SIGCONT")
    clusters.site.wait_until(lambda: b"late answer" in clusters.site.log.read_bytes())
    assert clusters.lines().count("sent") == 1


@pytest.mark.row(15)
def test_a_worker_that_stood_still_after_the_mark_leaves_the_job_uncertain(
    clusters: Clusters, injected: Injected
) -> None:
    job, resume = stand_still(clusters, "after_mark")
    assert clusters.state(job) == "uncertain"
    clusters.start()
    resume()
    injected("SIGSTOP past the lease after the mark, SIGCONT")
    clusters.site.wait_until(lambda: b"late answer" in clusters.site.log.read_bytes())
    assert clusters.lines().count("sent") == 1
    assert clusters.state(job) == "uncertain"


def stand_still(clusters: Clusters, step: str) -> tuple[int, Callable[[], None]]:
    """Stop a cluster in the middle of a job, as if on another host, and have the job taken from it."""
    go = clusters.site.directory / "go"
    clusters.site.env |= {"SOCIALQ_LEASE_SECONDS": "1", "SOCIALQ_IDLE_TRANSACTION_SECONDS": "2"}
    main = clusters.start()
    job = clusters.enqueue("testapp.send", args={"file": str(clusters.notes), step: str(go)})
    clusters.site.wait_until(lambda: len(clusters.lines()) == (2 if step == "after_mark" else 1))
    resume = clusters.stop_still(main)
    # What keeps house may have been stopped, too, so how many jobs are taken back is not known.
    clusters.site.wait_until(lambda: clusters.site.manage("rescue_jobs") and clusters.state(job) != "running")
    go.touch()
    return job, resume


def test_an_idle_cluster_uses_next_to_no_processor(clusters: Clusters) -> None:
    main = clusters.start()
    clusters.wait_for_state(clusters.note("first"), "completed")
    pids = [main.pid, *descendants(main.pid)]
    before, started = cpu_seconds(pids), time.monotonic()
    with pytest.raises(TimeoutError):
        wait_at_most(main.pid, 5)
    share = (cpu_seconds(pids) - before) / (time.monotonic() - started)
    assert share < 0.05
