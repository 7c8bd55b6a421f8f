"""SIGTERM while a picture goes up to a slow server: finished within the grace or handed back, and published once."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.faults.conftest import Injected
from tests.faults.publishing import connect_bluesky, schedule_posts
from tests.posts.platforms.fake_pds import FakePds
from tests.posts.platforms.fake_server import Answer, Seen
from tests.site import Site

pytestmark = [pytest.mark.faults, pytest.mark.row(4), pytest.mark.xdist_group("clusters")]

HOLD_SECONDS = 60


class SlowPds(FakePds):
    """Answers no upload before it is told to; ``uploading`` is set once one has come."""

    def __init__(self) -> None:
        super().__init__()
        self.uploading, self.go_on = threading.Event(), threading.Event()

    def answer(self, seen: Seen) -> tuple[Answer, str]:
        if seen.path.endswith("uploadBlob"):
            self.uploading.set()
            self.go_on.wait(HOLD_SECONDS)
        return super().answer(seen)


@pytest.fixture
def slow() -> Iterator[SlowPds]:
    with SlowPds() as server:
        yield server


def begin_upload(site: Site, slow: SlowPds) -> subprocess.Popen[bytes]:
    """Start a cluster and let it come to the upload of a post's picture."""
    schedule_posts(site, [connect_bluesky(site, slow, "alice.test")], 1)
    main = site.spawn("qcluster")
    site.wait_until(slow.uploading.is_set)
    return main


def delivery(site: Site) -> tuple[str, str, int]:
    """Return the status of the one delivery, the state of its job and the attempts that count."""
    query = "SELECT d.status, j.state, j.attempts FROM posts_delivery d JOIN queue_app_job j ON j.id = d.job_id"
    ((status, state, attempts),) = site.sql(query)
    return status, state, attempts


def test_an_upload_within_the_grace_is_finished_and_its_post_published(
    site: Site, injected: Injected, slow: SlowPds
) -> None:
    main = begin_upload(site, slow)
    main.terminate()
    injected("SIGTERM in the middle of an upload")
    site.wait_until(lambda: b"stopped pushing" in site.log.read_bytes())
    slow.go_on.set()
    assert main.wait(15) == 0
    assert delivery(site) == ("published", "completed", 1)
    assert len(slow.accepted) == 1


def test_an_upload_longer_than_the_grace_is_handed_back_and_published_by_the_next_cluster(
    site: Site, injected: Injected, slow: SlowPds
) -> None:
    site.env["SOCIALQ_STOP_GRACE_SECONDS"] = "2"
    main = begin_upload(site, slow)
    main.terminate()
    injected("SIGTERM in the middle of an upload longer than the grace")
    assert main.wait(10) == 0
    assert delivery(site) == ("scheduled", "pending", 0)
    slow.go_on.set()
    site.spawn("qcluster")
    site.wait_until(lambda: delivery(site) == ("published", "completed", 1))
    outcomes = "SELECT a.outcome FROM queue_app_attempt a JOIN posts_delivery d ON d.job_id = a.job_id ORDER BY a.id"
    assert site.sql(outcomes) == [("handed_back",), ("completed",)]
    assert len(slow.accepted) == 1
