"""The fakes as processes of their own, as tests of whole sites use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from posts.platforms import bluesky, instagram, telegram, threads
from posts.publishing.errors import OutcomeUnknown, TokenExpired
from posts.publishing.platform import Platform, Session
from posts.publishing.types import App, Found
from tests.posts.platforms import fake_instagram, fake_threads
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content, picture
from tests.posts.platforms.fake_bot_api import TOKEN
from tests.posts.platforms.fake_containers import FakeFiles
from tests.posts.platforms.fake_pds import PASSWORD

ROOT = Path(__file__).parents[3]
ANSWERS = {
    "fake_pds": {"identifier": "alice.test", "password": PASSWORD},
    "fake_bot_api": {"token": TOKEN, "chat": "@news_channel"},
}


@contextmanager
def fake_process(name: str, log: Path) -> Iterator[str]:
    command = [sys.executable, "-m", f"tests.posts.platforms.{name}", "--port", "0", "--log", str(log)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("name", "platform", "commit"),
    [("fake_pds", bluesky.PLATFORM, "putRecord"), ("fake_bot_api", telegram.PLATFORM, "sendMessage")],
)
def test_a_fake_as_a_process_keeps_a_log_and_takes_orders(
    name: str, platform: Platform, commit: str, tmp_path: Path
) -> None:
    log = tmp_path / "accepted.jsonl"
    with fake_process(name, log) as url:
        http = an_http()
        session = Session(http, {}, {}, lambda: datetime.now(UTC))
        connection = platform.connect(session, ANSWERS[name] | {"service": url, "api_url": url})
        session = Session(http, connection.credentials, connection.config, lambda: datetime.now(UTC))
        snapshot = platform.prepare(session, content("Hello"), MemoryCheckpoints())
        http.request("POST", f"{url}/_fault", json={"path": commit, "kind": "cut", "after": True})
        with pytest.raises(OutcomeUnknown):
            platform.commit(session, snapshot)
        remembered = http.request("GET", f"{url}/_log").json()
        assert [post["text"] for post in remembered["accepted"]] == ["Hello"]
        assert [json.loads(line) for line in log.read_text().splitlines()] == remembered["accepted"]
        if platform.refreshes:
            http.request("POST", f"{url}/_control", json={"call": "expire_access_tokens"})
            with pytest.raises(TokenExpired):
                platform.commit(session, snapshot)


@pytest.mark.parametrize(
    ("name", "platform", "token", "commit"),
    [
        ("fake_instagram", instagram.PLATFORM, fake_instagram.TOKEN, "media_publish"),
        ("fake_threads", threads.PLATFORM, fake_threads.TOKEN, "threads_publish"),
    ],
)
def test_fakes_of_networks_that_fetch_files_run_as_processes_too(
    name: str, platform: Platform, token: str, commit: str, tmp_path: Path
) -> None:
    with FakeFiles() as files, fake_process(name, tmp_path / "accepted.jsonl") as url:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=App(api_base=url))
        (connection,) = platform.connections(session, {"access_token": token}, {})
        session = replace(session, credentials=connection.credentials, config=connection.config)
        snapshot = platform.prepare(session, content("Hello", files.offer(picture())), MemoryCheckpoints())
        session.http.request("POST", f"{url}/_fault", json={"path": commit, "kind": "cut", "after": True})
        with pytest.raises(OutcomeUnknown):
            platform.commit(session, snapshot)
        assert isinstance(platform.find(session, snapshot, datetime.now(UTC)), Found)
        session.http.request("POST", f"{url}/_control", json={"call": "end_tokens"})
        with pytest.raises(TokenExpired):
            platform.check(session)
    assert [json.loads(line)["text"] for line in (tmp_path / "accepted.jsonl").read_text().splitlines()] == ["Hello"]
