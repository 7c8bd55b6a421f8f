"""A machine that stands still in a transaction: what it had locked is let go, and work goes on elsewhere."""

from __future__ import annotations

import pytest

from tests.faults.clusters import Clusters
from tests.faults.conftest import Injected

pytestmark = [pytest.mark.faults, pytest.mark.row(15), pytest.mark.postgresql]


def test_its_locks_end_its_job_runs_elsewhere_and_it_goes_on_when_it_wakes(
    clusters: Clusters, injected: Injected
) -> None:
    go = clusters.site.directory / "go"
    short = {"IDLE_TRANSACTION_SECONDS": "2", "LEASE_SECONDS": "4", "HEARTBEAT_SECONDS": "1"}
    clusters.site.env |= {f"SOCIALQ_{name}": value for name, value in short.items()}
    still = clusters.start()
    job = clusters.enqueue("testapp.hold", args={"file": str(clusters.notes), "until": str(go)})
    clusters.site.wait_until(lambda: clusters.lines() == ["held"])
    wake = clusters.stop_still(still)
    injected("SIGSTOP in a transaction, SIGCONT")
    go.touch()
    # Needs the control lock alone, which the one that stands still has shared.
    clusters.site.do("from queue_app import pauses\npauses.pause('all')\npauses.resume('all')")
    other = clusters.start()
    clusters.wait_for_state(job, "completed")
    assert clusters.lines() == ["held", "held", "let go"]
    wake()
    other.terminate()
    other.wait(timeout=60)
    clusters.wait_for_state(clusters.note("by who stood still"), "completed")
    assert clusters.lines()[3:] == ["by who stood still"]
    assert clusters.state(job) == "completed"
