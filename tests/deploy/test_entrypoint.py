"""What a container runs, run in a bare environment: tables, the site and a cluster, ended as a container is."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.site import ROOT, Site

ENTRYPOINT = ROOT / "deploy" / "entrypoint"
# What a container has in its environment; all else is given as settings.
BARE = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
GIVEN = ("DATABASE_URL", "SECRET_KEY", "SOCIALQ_ENCRYPTION_KEYS")


@pytest.fixture
def bare(site: Site) -> Iterator[Site]:
    """A site on an empty folder, whose secrets lie in files; whatever it starts is ended."""
    folder = site.directory / "secrets"
    folder.mkdir()
    env = {**BARE, "VAR_DIR": str(site.directory / "data"), "ENV_FILE": "/dev/null", "SOCIALQ_WORKERS": "1"}
    for name in GIVEN:
        (folder / name).write_text(site.env[name])
        env[f"{name}_FILE"] = str(folder / name)
    site.env = env
    yield site
    for process in site._processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def start(site: Site, *words: str) -> subprocess.Popen[bytes]:
    with site.log.open("ab") as log:
        process = subprocess.Popen(
            [ENTRYPOINT, *words],
            cwd="/",
            env=site.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    site._processes.append(process)
    return process


def asked(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
    except OSError:
        return 0, b""


def test_tables_site_and_cluster_from_nothing_to_their_orderly_end(bare: Site) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bare.env |= {"HOST": "127.0.0.1", "PORT": str(port), "WEB_WORKERS": "1"}
    assert start(bare, "migrate").wait(90) == 0
    assert start(bare, "manage", "migrate", "--check").wait(60) == 0
    web, worker = start(bare, "web"), start(bare, "worker", "--queue", "default")
    site = f"http://127.0.0.1:{port}"
    bare.wait_until(lambda: asked(f"{site}/health") == (200, b"ok\n"), 60)
    bare.wait_until(lambda: asked(f"{site}/ready")[0] == 200, 60)
    assert set(json.loads(asked(f"{site}/ready")[1])["checks"]) == {"database", "migrations", "workers", "due"}
    assert b"socialq_database_up 1.0" in asked(f"{site}/metrics")[1]
    for process in (web, worker):
        process.terminate()
    assert web.wait(20) == 0
    assert worker.wait(45) == 0
    assert bare.sql("SELECT COUNT(*) FROM queue_app_worker WHERE stopped_at IS NULL") == [(0,)]


@pytest.mark.one_database
@pytest.mark.parametrize("words", [[], ["dance"]])
def test_whoever_says_nothing_known_is_told_what_there_is(words: list[str]) -> None:
    done = subprocess.run([ENTRYPOINT, *words], env=BARE, capture_output=True, text=True, check=False)
    assert (done.returncode, "web, worker" in done.stderr) == (64, True)
