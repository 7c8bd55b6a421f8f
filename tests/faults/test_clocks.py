"""A host with a wrong clock beside one with the right one, and a clock that is set while jobs run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.clusters import Clusters, descendants

pytestmark = [pytest.mark.faults, pytest.mark.row(11)]

HOST_CLOCK = Path(__file__).parent / "host_clock"
HOUR = 3600
LEASE_SECONDS = 3
DUE = 24


@pytest.fixture(autouse=True)
def quick_heartbeats(clusters: Clusters) -> None:
    clusters.site.env |= {"SOCIALQ_HEARTBEAT_SECONDS": "1", "SOCIALQ_LEASE_SECONDS": str(LEASE_SECONDS)}


def start_host(clusters: Clusters, name: str, *, ahead: int = 0, jump: int = 0) -> subprocess.Popen[bytes]:
    """Start a cluster on a host of that name, whose clock is so many seconds ahead."""
    before = dict(clusters.site.env)
    clusters.site.env |= {
        "PYTHONPATH": f"{HOST_CLOCK}{os.pathsep}{before['PYTHONPATH']}",
        "TESTS_HOST": name,
        "TESTS_CLOCK_AHEAD_SECONDS": str(ahead),
        "TESTS_CLOCK_JUMP_SECONDS": str(jump),
    }
    process = clusters.start()
    clusters.site.env.clear()
    clusters.site.env.update(before)
    return process


def enqueue_notes(clusters: Clusters) -> None:
    """Add notes that are due now, in some seconds, and at times that only a wrong clock shows by now."""
    clusters.site.do(
        "from datetime import timedelta\n"
        "from queue_app import api, clock\n"
        "def note(line, seconds):\n"
        f"    args = {{'file': {str(clusters.notes)!r}, 'line': line}}\n"
        "    api.enqueue('testapp.note', args=args, run_at=clock.now() + timedelta(seconds=seconds))\n"
        f"for number in range({DUE}):\n"
        "    note(f'due {number}', number % 4 * 1.5)\n"
        "for seconds in (90, 110, 1800, 3500):\n"
        "    note(f'early {seconds}', seconds)\n"
    )


def begin_waiting(clusters: Clusters, count: int) -> list[int]:
    """Start jobs that run until the file ``go`` is there, one for each of ``count`` workers."""
    until = str(clusters.site.directory / "go")
    file = str(clusters.site.directory / "waiting")
    jobs = clusters.enqueue_many("testapp.wait", count, args={"file": file, "until": until})
    clusters.site.wait_until(lambda: running(clusters) == count)
    return jobs


def running(clusters: Clusters) -> int:
    return clusters.count("SELECT COUNT(*) FROM queue_app_job WHERE state = 'running' AND type = 'testapp.wait'")


def set_clock(main: subprocess.Popen[bytes]) -> None:
    """Set the clock of a cluster's host by its jump."""
    for pid in [main.pid, *descendants(main.pid)]:
        os.kill(pid, signal.SIGUSR1)


def judged_for(clusters: Clusters, main: subprocess.Popen[bytes], leases: float) -> bool:
    """Say whether a cluster's workers were last heard of so many leases after they began."""
    pids = f"({', '.join(map(str, descendants(main.pid)))})"
    rows = clusters.site.sql(f"SELECT started_at, heartbeat_at FROM queue_app_worker WHERE pid IN {pids}")
    lived = (datetime.fromisoformat(str(heard)) - datetime.fromisoformat(str(began)) for began, heard in rows)
    return min(lived) > timedelta(seconds=leases * LEASE_SECONDS)


def open_incidents(clusters: Clusters) -> list[tuple[str, str]]:
    rows = clusters.site.sql(
        "SELECT kind, subject FROM queue_app_notice WHERE cleared_at IS NULL ORDER BY kind, subject"
    )
    return [(str(kind), str(subject)) for kind, subject in rows]


@pytest.mark.parametrize("ahead", [-HOUR, 120, HOUR])
def test_beside_a_host_with_a_wrong_clock_nothing_runs_twice_or_early(
    clusters: Clusters, injected: Callable[[str], None], ahead: int
) -> None:
    if clusters.site.database_url.startswith("sqlite:"):
        pytest.skip("on SQLite all clusters are on one host and have one clock")
    start_host(clusters, "right")
    start_host(clusters, "wrong", ahead=ahead)
    injected(f"a host's clock at {ahead:+} s")
    waiting = begin_waiting(clusters, 4)
    # Longer than the lease: nobody takes a job from a worker on the other host.
    overdue = "SELECT COUNT(*) FROM queue_app_job j JOIN queue_app_worker w ON w.id = j.worker_id "
    overdue += "WHERE j.state = 'running' AND w.heartbeat_at > j.started_at + interval '5 seconds'"
    clusters.site.wait_until(lambda: clusters.count(overdue) == 4)
    assert running(clusters) == 4
    (clusters.site.directory / "go").touch()
    for job in waiting:
        clusters.wait_for_state(job, "completed")
        assert clusters.attempts(job) == ["completed"]

    enqueue_notes(clusters)
    clusters.site.wait_until(lambda: len(clusters.lines()) >= DUE)
    clusters.site.wait_until(lambda: clusters.count("SELECT COUNT(*) FROM queue_app_job WHERE state = 'running'") == 0)
    assert sorted(clusters.lines()) == sorted(f"due {number}" for number in range(DUE))
    early = "SELECT COUNT(*) FROM queue_app_attempt a JOIN queue_app_job j ON j.id = a.job_id "
    assert clusters.count(early + "WHERE a.started_at < j.run_at") == 0
    assert clusters.count("SELECT COUNT(*) FROM queue_app_attempt WHERE outcome <> 'completed'") == 0

    clusters.site.wait_until(lambda: open_incidents(clusters) == [("clock_skew", "wrong")])
    skews = clusters.site.sql("SELECT host, clock_skew_seconds FROM queue_app_worker")
    for host, skew in skews:
        assert skew == pytest.approx(ahead if host.startswith("wrong/") else 0, abs=2)
    assert len({host for host, _skew in skews}) == 2


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_is_set_takes_no_running_job_from_its_worker_and_is_told(
    clusters: Clusters, injected: Callable[[str], None], jump: int
) -> None:
    main = start_host(clusters, "here", jump=jump)
    (job,) = begin_waiting(clusters, 1)
    workers = clusters.worker_pids()
    set_clock(main)
    injected(f"a host's clock set by {jump:+} s while a job runs")
    kind = "clock_jump" if clusters.site.database_url.startswith("sqlite:") else "clock_skew"
    clusters.site.wait_until(lambda: open_incidents(clusters) == [(kind, "here")])
    # One more round of the housekeeper: by the new clock the lease would have been over.
    heard = "SELECT MAX(heartbeat_at) FROM queue_app_worker"
    before = clusters.site.sql(heard)
    clusters.site.wait_until(lambda: clusters.site.sql(heard) != before)
    assert clusters.state(job) == "running"
    (clusters.site.directory / "go").touch()
    clusters.wait_for_state(job, "completed")
    assert clusters.attempts(job) == ["completed"]
    assert clusters.worker_pids() == workers


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_is_set_takes_no_job_from_the_living_workers_of_another_cluster(
    clusters: Clusters, injected: Callable[[str], None], jump: int
) -> None:
    mains = [start_host(clusters, "here", jump=jump) for _ in range(2)]
    jobs = begin_waiting(clusters, 4)
    # From here on both would judge others by their silence.
    clusters.site.wait_until(lambda: all(judged_for(clusters, main, 2) for main in mains))
    for main in mains:
        set_clock(main)
    injected(f"the clock of a host with two clusters set by {jump:+} s while jobs run")
    kind = "clock_jump" if clusters.site.database_url.startswith("sqlite:") else "clock_skew"
    clusters.site.wait_until(lambda: open_incidents(clusters) == [(kind, "here")])
    # Until both judge again.
    end = time.monotonic() + 2 * LEASE_SECONDS
    clusters.site.wait_until(lambda: time.monotonic() > end)
    assert running(clusters) == 4
    (clusters.site.directory / "go").touch()
    for job in jobs:
        clusters.wait_for_state(job, "completed")
        assert clusters.attempts(job) == ["completed"]
