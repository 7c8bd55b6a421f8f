"""The database has no room: nothing is sent whose mark was not committed, and all goes on when there is room again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.clusters import Clusters
from tests.faults.conftest import Injected
from tests.faults.full_disk import Disk, LimitedProcesses, small_disk

pytestmark = [pytest.mark.faults, pytest.mark.row(7)]


@pytest.fixture
def disk(clusters: Clusters, pytestconfig: pytest.Config) -> Iterator[Disk]:
    if pytestconfig.getoption("--db") == "sqlite":
        yield LimitedProcesses(clusters)
    else:
        with small_disk(clusters) as disk:
            yield disk


def send(clusters: Clusters, step: str, lines: int) -> tuple[int, Path]:
    """Start a job that sends and have it wait at ``step``, until the returned file exists."""
    go = clusters.site.directory / "go"
    job = clusters.enqueue("testapp.send", args={"file": str(clusters.notes), step: str(go)})
    clusters.site.wait_until(lambda: len(clusters.lines()) == lines)
    return job, go


def test_nothing_is_sent_whose_mark_found_no_room(clusters: Clusters, disk: Disk, injected: Injected) -> None:
    main = clusters.start()
    job, go = send(clusters, "before_mark", 1)
    disk.fill(main.pid)
    injected("no room for the database before the mark")
    go.touch()
    clusters.site.wait_until(lambda: "not marked OperationalError" in clusters.lines())
    assert clusters.site.sql("SELECT state, marked_at FROM queue_app_job WHERE id = %s", [job]) == [("running", None)]
    assert "sent" not in clusters.lines()
    disk.make_room(main.pid)
    clusters.wait_for_state(job, "completed")
    assert clusters.lines().count("sent") == 1


def test_what_was_sent_is_saved_when_there_is_room_again(clusters: Clusters, disk: Disk, injected: Injected) -> None:
    main = clusters.start()
    job, go = send(clusters, "after_mark", 2)
    disk.fill(main.pid)
    injected("no room for the database after the mark")
    go.touch()
    clusters.site.wait_until(lambda: "sent" in clusters.lines())
    assert clusters.state(job) == "running"
    disk.make_room(main.pid)
    clusters.wait_for_state(job, "completed")
    assert clusters.attempts(job) == ["completed"]
    assert clusters.lines().count("sent") == 1
    clusters.wait_for_state(clusters.note("goes on"), "completed")
