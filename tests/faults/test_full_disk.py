"""No room for the database: nothing is sent whose mark was not committed. No room for pictures: that is said.

All goes on when there is room again, and meanwhile ``check_health`` says what is the matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.clusters import Clusters
from tests.faults.conftest import Injected
from tests.faults.full_disk import Disk, LimitedProcesses, memory_disk, small_disk
from tests.faults.people import Person
from tests.posts.media.pictures import encoded, quarters

pytestmark = [pytest.mark.faults, pytest.mark.row(7)]

PNG = encoded(quarters(), "PNG")


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


def test_readiness_says_that_the_database_has_no_room(clusters: Clusters, disk: Disk, injected: Injected) -> None:
    main = clusters.start()
    clusters.wait_for_state(clusters.note("first"), "completed")
    disk.fill(main.pid)
    injected("no room for the database, check_health asked")
    assert "The database cannot be written: its disk is full, or fails; make room" in disk.check_health().splitlines()
    disk.make_room(main.pid)
    clusters.site.wait_until(lambda: clusters.site.manage("check_health", check=False).stdout == "healthy\n")


def test_a_picture_without_room_is_refused_in_words_and_nothing_of_it_stays(
    clusters: Clusters, injected: Injected
) -> None:
    with memory_disk({}) as disk:
        var = clusters.site.directory / "var"
        var.mkdir(exist_ok=True)
        (var / "media").symlink_to(disk.space)
        clusters.start()
        with Person(clusters) as person:
            disk.fill()
            injected("no room for an uploaded picture")
            answer = person.upload("cat.png", PNG)
            assert answer.status_code == 507
            assert answer.json()["error"].startswith("cat.png was not stored: the server has no room for files.")
            assert [path for path in disk.space.rglob("*") if path.is_file()] == []
            assert clusters.count("SELECT COUNT(*) FROM posts_media") == 0
            said = clusters.site.manage("check_health", check=False)
            assert said.returncode == 1
            assert said.stdout.startswith("The media folder, ")
            assert said.stdout.endswith(" cannot be written: its disk is full; make room\n")
            disk.make_room()
            assert person.upload("cat.png", PNG).status_code == 201
            assert clusters.site.manage("check_health").stdout == "healthy\n"
