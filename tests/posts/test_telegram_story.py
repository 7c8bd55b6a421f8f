"""The story of a message: an album is sent to the bot, the posts go out one after the other, its files are gone."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.posts.feeding import photo
from tests.posts.media.pictures import encoded, quarters
from tests.posts.platforms.fake_bot_api import CHANNEL, PERSON, FakeBotApi
from tests.site import Site

DELAY_SECONDS, INTERVAL_SECONDS = 1.2, 2.4
SET_UP = """
from posts.services.accounts import connect_account
from tests.posts.feeding import source
from tests.posts.platforms.fake_bot_api import TOKEN
connect_account("outbox", {{"name": "Demo"}})
connect_account("telegram", {{"token": TOKEN, "chat": "@news_channel", "api_url": "{api}"}})
source("{api}", action="queue", start_delay_minutes={delay} / 60, interval_minutes={interval} / 60)
"""
CLEAN_UP_NOW = """
from queue_app import api, clock
from queue_app.models import Job
api.reschedule(Job.objects.get(type="posts.media_retention", state="pending").pk, clock.now())
"""


@pytest.fixture
def telegram() -> Iterator[FakeBotApi]:
    with FakeBotApi() as fake:
        fake.files = {f"cat{number}": encoded(quarters(80 + number, 40), "PNG") for number in range(3)}
        yield fake


def served(site: Site) -> None:
    """Serve the site, with one cluster, at SITE_URL."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    site.env |= {"PORT": str(port), "SITE_URL": f"http://127.0.0.1:{port}", "SOCIALQ_ALLOW_PRIVATE_NETWORKS": "true"}
    site.env |= {"SOCIALQ_WORKERS": "2", "TIME_ZONE": "UTC"}
    site.spawn("serve", "--web-workers", "1")
    site.wait_until(lambda: site.log.exists() and "SocialQ is at" in site.log.read_text())


def told(telegram: FakeBotApi, update: dict[str, Any]) -> int:
    """Send an update where the bot was told to, as Telegram does."""
    headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": telegram.webhook["secret_token"]}
    request = urllib.request.Request(telegram.webhook["url"], json.dumps(update).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return int(answer.status)


def published(site: Site) -> list[tuple[Any, ...]]:
    return site.sql(
        "SELECT a.platform, d.published_at, p.scheduled_at FROM posts_delivery d JOIN posts_account a "
        "ON a.id = d.account_id JOIN posts_post p ON p.id = d.post_id WHERE d.status = 'published' ORDER BY p.id"
    )


def moments(rows: list[tuple[Any, ...]], place: int) -> list[Any]:
    return [datetime.fromisoformat(str(row[place])) for row in rows]


def test_an_album_goes_out_spaced_as_told_and_its_files_are_gone(site: Site, telegram: FakeBotApi) -> None:
    served(site)
    site.python(SET_UP.format(api=telegram.url, delay=DELAY_SECONDS, interval=INTERVAL_SECONDS))
    site.manage("telegram_webhook", "set", "News desk")

    said: dict[str, Any] = {"media_group_id": "a1", "date": int(time.time())}
    parts = [photo("cat0", caption="Our cats 🐈", **said), *(photo(f"cat{number}", **said) for number in (1, 2))]
    assert [told(telegram, part) for part in (*parts, parts[0])] == [200] * 4

    rows = site.wait_until(lambda: len(found := published(site)) == 2 and found)
    assert [row[0] for row in rows] == ["outbox", "telegram"]
    (out, second), (due, later) = moments(rows, 1), moments(rows, 2)
    assert (later - due).total_seconds() == pytest.approx(INTERVAL_SECONDS, abs=0.001)
    assert out >= due
    assert second >= later

    ((text, pictures),) = site.sql("SELECT text, pictures FROM posts_outboxpost")
    assert "Our cats 🐈" in text
    assert len(json.loads(pictures) if isinstance(pictures, str) else pictures) == 3
    in_channel = [entry for entry in telegram.accepted if entry["account"] == str(CHANNEL)]
    answers = [entry["text"] for entry in telegram.accepted if entry["account"] == str(PERSON)]
    assert [len(entry["messages"]) for entry in in_channel] == [3]
    assert len(answers) == 1
    assert answers[0].startswith("Queued:\n• Outbox: ")

    files = [Path(site.env["VAR_DIR"], "media", name) for (name,) in site.sql("SELECT file FROM posts_media")]
    assert [file.exists() for file in files] == [True] * 3
    site.python(CLEAN_UP_NOW)
    site.wait_until(lambda: not any(file.exists() for file in files))
    assert site.sql("SELECT COUNT(*) FROM posts_media WHERE file_deleted_at IS NULL") == [(0,)]
