from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from pytest_django import Settings

from posts.management.commands.serve import _WorkerCheck
from tests.faults.clusters import Clusters, descendants, living
from tests.queue_app.jobs import Later
from tests.site import Site, environment

SUPERVISE = """
import django, sys
django.setup()
from queue_app.supervisor import Child, Supervisor
Supervisor([Child("child", [sys.executable, "-c", {child!r}])], grace_seconds={grace}).run()
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({ready!r}, 'w'); time.sleep(600)"


class Supervised:
    """A supervisor of one Python program; each start of that program appends a sign to a file."""

    def __init__(self, folder: Path, child: str, grace: float) -> None:
        self._starts = folder / "starts"
        note = f"open({str(self._starts)!r}, 'a').write('x')\n"
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE.format(child=note + child, grace=grace)],
            env=environment(folder, f"sqlite:///{folder / 'none.sqlite3'}"),
        )

    def wait_for_starts(self, number: int) -> None:
        """Wait until the program has been started so often."""
        wait_until(lambda: self._starts.exists() and len(self._starts.read_text()) >= number)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    """Return a function that starts a ``Supervised``."""
    running: list[Supervised] = []

    def start(child: str, grace: float = 1.0) -> Supervised:
        running.append(Supervised(tmp_path, child, grace))
        return running[-1]

    yield start
    for supervised in running:
        supervised.process.kill()
        supervised.process.wait()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
        return free


def wait_until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_restarts_a_command_that_ends(supervise: Callable[..., Supervised]) -> None:
    supervise("raise SystemExit(3)").wait_for_starts(3)


def test_stops_its_commands_in_order(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise("import time; time.sleep(600)")
    supervised.wait_for_starts(1)
    pids = descendants(supervised.process.pid)
    supervised.process.terminate()
    assert supervised.process.wait(5) == 0
    assert not living(pids)


def test_a_second_signal_kills_a_stubborn_command(supervise: Callable[..., Supervised], tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    supervised = supervise(STUBBORN.format(ready=str(ready)), grace=600)
    wait_until(ready.exists)
    pids = descendants(supervised.process.pid)
    supervised.process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        supervised.process.wait(0.5)
    supervised.process.send_signal(signal.SIGINT)
    assert supervised.process.wait(5) == 0
    assert not living(pids)


def test_commands_die_with_a_killed_supervisor(supervise: Callable[..., Supervised]) -> None:
    supervised = supervise("import time; time.sleep(600)")
    supervised.wait_for_starts(1)
    pids = descendants(supervised.process.pid)
    assert pids
    supervised.process.kill()
    wait_until(lambda: not living(pids), 2)


def said(site: Site) -> list[str]:
    return [line for line in site.log.read_text().splitlines() if line.startswith("SocialQ is at")]


def test_serve_runs_site_and_queue_and_says_once_where(site: Site, port: int) -> None:
    clusters = Clusters(site)
    path = site.env.pop("PYTHONPATH")  # started from a folder that is not the checkout
    served = site.spawn("serve", "--port", str(port), "--web-workers", "1")
    site.env["PYTHONPATH"] = path
    site.wait_until(lambda: site.log.exists() and said(site))
    assert said(site) == [f"SocialQ is at http://127.0.0.1:{port}/admin/ (Ctrl-C stops it)"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/admin/login/", timeout=10) as answer:
        assert answer.status == 200
    clusters.wait_for_state(clusters.note("by serve"), "completed")
    pids = descendants(served.pid)
    served.send_signal(signal.SIGINT)
    assert served.wait(30) == 0
    assert not living(pids)
    assert len(said(site)) == 1


KEY_OF_A_LISTENER = """
from django.contrib.auth.models import User
from queue_app import keys
print(keys.create_key(User.objects.create_superuser("ada"), name="listener", scopes=[keys.READ])[1])
"""


def test_serve_stops_within_seconds_while_somebody_listens(site: Site, port: int) -> None:
    key = site.python(KEY_OF_A_LISTENER).split()[-1]
    served = site.spawn("serve", "--port", str(port), "--web-workers", "1")
    site.wait_until(lambda: site.log.exists() and said(site))
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/events", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=20) as stream:
        assert stream.readline().startswith(b"retry:")
        began = time.monotonic()
        served.terminate()
        stream.read()  # to its end, which is a whole answer's
        assert time.monotonic() - began < 5
    assert served.wait(20) == 0


def test_serve_restarts_a_killed_cluster_and_leaves_nothing_when_killed_itself(site: Site, port: int) -> None:
    clusters = Clusters(site)
    served = site.spawn("serve", "--port", str(port), "--web-workers", "1")
    site.wait_until(lambda: len(clusters.worker_pids()) == 2)
    clustered = next(pid for pid in descendants(served.pid) if "qcluster" in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(clustered, signal.SIGKILL)
    clusters.wait_for_state(clusters.note("by the next"), "completed")
    pids = descendants(served.pid)
    served.kill()
    site.wait_until(lambda: not living(pids), 5)


def test_serve_refuses_a_taken_port_in_one_line(site: Site) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        refused = site.manage("serve", "--port", str(taken), check=False)
    assert refused.returncode == 1
    (line,) = refused.stderr.strip().splitlines()
    assert f"Port {taken} of 127.0.0.1 is in use" in line


@pytest.mark.django_db(transaction=True)
def test_serve_tells_the_admins_once_when_no_worker_lives_for_a_minute(later: Later, settings: Settings) -> None:
    settings.ADMINS = [("Ann", "ann@example.org")]
    check = _WorkerCheck()
    check()
    later(59)
    check()
    assert mail.outbox == []
    later(2)
    check()
    check()
    (told,) = mail.outbox
    assert "no worker" in told.subject
