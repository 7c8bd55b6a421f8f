from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from queue_app.cluster import Count, JobCluster
from queue_app.status_line import StatusLine, line
from tests.faults.clusters import Clusters, descendants, living
from tests.site import Site

CONFIG = "facebook=2,instagram=1"


@pytest.fixture
def clusters(site: Site) -> Clusters:
    return Clusters(site)


def note(clusters: Clusters, queue: str) -> int:
    return clusters.enqueue("testapp.note", args={"file": str(clusters.notes), "line": queue}, queue=queue)


def test_one_command_serves_several_queues_and_stops_them_together(clusters: Clusters) -> None:
    site = clusters.site
    main = site.spawn("workers", "--config", CONFIG)
    for queue in ("facebook", "instagram"):
        clusters.wait_for_state(note(clusters, queue), "completed")
    told = rb"workers: facebook 2/2 busy \d.* \| instagram 1/1 busy \d"
    site.wait_until(lambda: re.search(told, site.log.read_bytes()))
    assert len(clusters.worker_pids()) == 3
    go = site.directory / "go"
    running = clusters.enqueue("testapp.wait", args={"file": str(clusters.notes), "until": str(go)}, queue="instagram")
    site.wait_until(lambda: len(clusters.lines()) == 3)
    pids = descendants(main.pid)
    main.send_signal(signal.SIGINT)
    site.wait_until(lambda: site.log.read_bytes().count(b"stopped pushing") == 2)
    go.touch()
    assert main.wait(15) == 0
    assert not living(pids)
    assert clusters.state(running) == "completed"
    assert clusters.worker_pids() == []


def test_a_cluster_that_dies_is_replaced_and_the_other_goes_on(clusters: Clusters) -> None:
    site = clusters.site
    main = site.spawn("workers", "--config", CONFIG)
    site.wait_until(lambda: len(clusters.worker_pids()) == 3)
    first, second = (pid for pid in descendants(main.pid) if len(descendants(pid)) > 1)
    kept = descendants(second)
    os.kill(first, signal.SIGKILL)
    for queue in ("facebook", "instagram"):
        clusters.wait_for_state(note(clusters, queue), "completed", 15)
    assert living(kept) == kept


def test_run_once_drains_all_queues_one_of_which_feeds_the_other(clusters: Clusters) -> None:
    script = clusters.enqueue(
        "testapp.pass_on", args={"file": str(clusters.notes), "line": "fed", "queue": "instagram"}, queue="facebook"
    )
    done = [note(clusters, "facebook"), note(clusters, "instagram"), script]
    assert clusters.site.manage("workers", "--config", CONFIG, "--run-once").returncode == 0
    assert [clusters.state(job) for job in done] == ["completed"] * 3
    assert sorted(clusters.lines()) == ["facebook", "fed", "instagram"]
    assert clusters.worker_pids() == []


def test_a_terminal_shows_one_line(clusters: Clusters) -> None:
    site = clusters.site
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, site.manage_py, "workers", "--config", CONFIG],
        env=site.env,
        cwd=site.directory,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    try:
        shown = b""
        while b"facebook 2/2 busy 0 waiting 0 | instagram 1/1 busy 0 waiting 0" not in shown:
            shown += os.read(ours, 4096)
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
        os.close(theirs)
        os.close(ours)
    assert b"\r\x1b[K" in shown
    assert b"\n" not in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "facebook=0"], "facebook can have 1 to 100 workers, not 0"),
        (["--config", "facebook=10000"], "facebook can have 1 to 100 workers, not 10000"),
        (["--config", "facebook=25", "--autoscale"], "facebook can have 1 to 20 workers, not 25"),
        (["--config", "facebook"], "'facebook' is not one"),
        (["--config", ""], "'' is not one"),
        (["--config", "facebook=2,"], "'' is not one"),
        (["--config", "=2"], "'=2' is not one"),
        (["--config", "facebook=-1"], "'facebook=-1' is not one"),
        (["--config", f"facebook={'9' * 5000}"], "is not one"),
        (["--config", "facebook=1,instagram=1,facebook=2"], "names facebook twice"),
        (["--config", f"{'x' * 101}=1"], "100 printable characters"),
        (["--config", "a\x1b[2J=1"], "100 printable characters"),
        (["--config", "facebook=1", "--queue", "default"], "leave --queue and --workers out"),
        (["--config", "facebook=1", "--workers", "3"], "leave --queue and --workers out"),
        (["--workers", "0"], "default can have 1 to 100 workers, not 0"),
    ],
)
def test_a_wrong_request_is_one_clear_line(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("workers", *arguments)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 250
    assert str(refused.value).isprintable()


COUNTS = [Count("facebook", 3, 3, 1, 12), Count("instagram", 1, 2, 0, 501), Count("youtube", 0, 1, 0, None)]


def test_the_line_tells_workers_those_busy_and_what_waits() -> None:
    assert line(COUNTS, 500) == (
        "facebook 3/3 busy 1 waiting 12 | instagram 1/2 busy 0 waiting over 500 | youtube 0/1 busy 0"
    )


def test_the_log_gets_a_line_only_when_workers_come_or_go(caplog: pytest.LogCaptureFixture) -> None:
    status = StatusLine(OutputWrapper(io.StringIO()), 500)
    with caplog.at_level("INFO", logger="socialq.queue"):
        status(COUNTS)
        status([Count("facebook", 3, 3, 2, 9), *COUNTS[1:]])
        assert len(caplog.records) == 1
        status([Count("facebook", 2, 3, 2, 9), *COUNTS[1:]])
        assert len(caplog.records) == 2


@pytest.mark.parametrize("name", ["x" * 101, "a\nb", "\udc80"])
def test_a_cluster_for_what_can_be_no_queue_does_not_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobCluster, "run", lambda cluster, once: pytest.fail("it started"))
    with pytest.raises(CommandError, match="a queue's name is 1 to 100 printable characters"):
        call_command("qcluster", "--run-once", "--name", name)
