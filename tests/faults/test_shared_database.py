"""Three clusters on one database, as if on three machines: no job twice, no housekeeping twice."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.faults.clusters import Clusters
from tests.faults.conftest import Injected
from tests.faults.rounds import LONG

pytestmark = [pytest.mark.faults, pytest.mark.row(14)]

JOBS = 1000 if LONG else 300
TICKS = 4


def test_three_clusters_run_no_job_twice_and_keep_house_once(clusters: Clusters, injected: Injected) -> None:
    ticks = clusters.site.directory / "ticks"
    clusters.site.env["TESTAPP_TICKS"] = str(ticks)
    started = time.monotonic()
    for _ in range(3):
        clusters.start()
    jobs = clusters.enqueue_many("testapp.trace", JOBS, args={"file": str(clusters.notes)})
    injected(f"three clusters on one database with {JOBS} jobs")
    clusters.wait_for_all("testapp.trace", 120)
    clusters.site.wait_until(lambda: len(ticks.read_text().splitlines()) >= TICKS)
    most = time.monotonic() - started + 1
    assert sorted(clusters.lines()) == sorted(f"{job}/1" for job in jobs)
    ran = Counter(ticks.read_text().splitlines())
    assert set(ran.values()) == {1}
    assert len(ran) <= most, "each second once, however many clusters there are"
    assert clusters.count("SELECT COUNT(*) FROM queue_app_job WHERE type = 'testapp.tick' AND state = 'pending'") <= 1
    purges = "SELECT COUNT(*) FROM queue_app_job WHERE type = 'queue_app.purge'"
    assert clusters.count(f"{purges} AND state = 'completed'") == 1
    assert clusters.count(f"{purges} AND state = 'pending'") == 1
    busy = "SELECT COUNT(DISTINCT w.cluster) FROM queue_app_worker w JOIN queue_app_attempt a ON a.worker = w.name"
    assert clusters.count(busy) == 3
