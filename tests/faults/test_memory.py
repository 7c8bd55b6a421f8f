"""A job that eats memory: it is told that there is none, is dead after its attempts, and harms no other."""

from __future__ import annotations

import pytest

from tests.faults.clusters import Clusters
from tests.faults.conftest import Injected

pytestmark = [pytest.mark.faults, pytest.mark.row(5)]


def test_a_job_that_eats_all_memory_is_failed_after_its_attempts_and_harms_no_other(
    clusters: Clusters, injected: Injected
) -> None:
    clusters.start()
    workers = clusters.worker_pids()
    bad = clusters.enqueue("testapp.eat_memory")
    clusters.wait_for_state(clusters.note("beside it"), "completed")
    clusters.wait_for_state(bad, "failed")
    injected("a job that takes memory until there is none")
    assert clusters.attempts(bad) == ["retry", "retry", "failed"]
    classes = clusters.site.sql("SELECT DISTINCT error_class FROM queue_app_attempt WHERE job_id = %s", [bad])
    assert classes == [("MemoryError",)]
    clusters.wait_for_state(clusters.note("after it"), "completed")
    assert clusters.worker_pids() == workers
