"""How soon a job runs again whose worker, or whose whole machine, was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from queue_app import conf
from tests import unavailable
from tests.faults.clusters import Clusters
from tests.faults.conftest import Injected

pytestmark = [pytest.mark.faults, pytest.mark.row(1)]

# A namespace of its own makes a cluster one of another machine: neither can judge the other's processes.
ELSEWHERE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
# The promises; what was measured is in docs/clusters.md.
WORKER_SECONDS = 3
MACHINE_SECONDS = 20
HEARTBEAT_SECONDS = conf.SETTINGS["HEARTBEAT_SECONDS"].default
LEASE_SECONDS = conf.SETTINGS["LEASE_SECONDS"].default


@pytest.fixture
def elsewhere(clusters: Clusters) -> Iterator[subprocess.Popen[bytes]]:
    """A cluster on a machine of its own, ready for work; killed with all its processes."""
    if shutil.which("unshare") is None or subprocess.run([*ELSEWHERE, "true"], check=False).returncode:
        unavailable("process namespaces are not permitted here")
    process = subprocess.Popen(
        [*ELSEWHERE, sys.executable, clusters.site.manage_py, "qcluster"],
        cwd=clusters.site.directory,
        env=clusters.site.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    clusters.site.wait_until(lambda: len(clusters.worker_pids()) == 2)
    yield process
    process.kill()
    process.wait()


def begin_job(clusters: Clusters) -> int:
    """Start a job that ends when the file ``go`` is there; return its id once it runs."""
    until = str(clusters.site.directory / "go")
    job = clusters.enqueue("testapp.wait", args={"file": str(clusters.notes), "until": until})
    clusters.site.wait_until(clusters.lines)
    return job


def seconds_until_it_runs_again(clusters: Clusters, job: int) -> float:
    """Wait for the second start, which lets the job end; return how long that took."""
    killed_at = time.monotonic()
    clusters.site.wait_until(lambda: len(clusters.lines()) == 2)
    seconds = time.monotonic() - killed_at
    (clusters.site.directory / "go").touch()
    clusters.wait_for_state(job, "completed")
    assert clusters.attempts(job) == ["lost", "completed"]
    return seconds


def test_the_job_of_a_killed_worker_runs_again_at_once(clusters: Clusters, injected: Injected) -> None:
    clusters.start()
    job = begin_job(clusters)
    os.kill(int(clusters.lines()[0]), signal.SIGKILL)
    injected("kill -9 of a worker, unmarked job")
    assert seconds_until_it_runs_again(clusters, job) < WORKER_SECONDS


def test_the_job_of_a_killed_machine_runs_again_on_another(
    clusters: Clusters, injected: Injected, elsewhere: subprocess.Popen[bytes]
) -> None:
    job = begin_job(clusters)
    clusters.start()
    elsewhere.kill()
    injected("kill -9 of everything on another machine")
    elsewhere.wait()
    assert seconds_until_it_runs_again(clusters, job) < MACHINE_SECONDS


def test_a_machine_that_lives_keeps_its_job(clusters: Clusters, elsewhere: subprocess.Popen[bytes]) -> None:
    job = begin_job(clusters)
    clusters.start()
    own = f"SELECT heartbeat_at FROM queue_app_worker WHERE id = (SELECT worker_id FROM queue_app_job WHERE id = {job})"
    heard: set[object] = set()

    def lease_is_over() -> bool:
        heard.update(clusters.site.sql(own))
        return len(heard) * HEARTBEAT_SECONDS > 1.5 * LEASE_SECONDS

    clusters.site.wait_until(lease_is_over)
    assert clusters.state(job) == "running"
    assert len(clusters.lines()) == 1
