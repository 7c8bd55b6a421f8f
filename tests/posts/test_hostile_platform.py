"""A hostile platform: whatever it answers, the outcome is the documented one, is stored, and quotes no secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from posts.models import Account, Delivery
from posts.services.accounts import connect_account, reconnect_account
from posts.services.posts import publish_now, save_draft
from posts.services.standing import ask_reconnect
from queue_app import clock, runner
from queue_app.models import Attempt, Job, Notice
from tests.posts.making import delivery
from tests.posts.platforms.fake_bot_api import CHANNEL, TOKEN, FakeBotApi

pytestmark = pytest.mark.django_db(transaction=True)

# NUL and a lone surrogate (legal in JSON, not in a database), a terminal's escape, right-to-left, far too much.
UGLY = "<script>\0\ud800\x1b[31m\u202e\r\nBcc: eve@example.org" + "x" * 100_000


@pytest.fixture
def bot_api(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeBotApi]:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(runner, "_worker", None)
    with FakeBotApi() as server:
        yield server


def connect(server: FakeBotApi) -> Account:
    return connect_account("telegram", {"token": TOKEN, "chat": str(CHANNEL), "api_url": server.url})


def send(account: Account) -> Delivery:
    post = publish_now(save_draft(post=None, owner=None, text="Hello", account_ids=[account.pk], media=[]))
    runner.run_due("default", "tests")
    return delivery(post)


@pytest.mark.parametrize("field", ["title", "username", "type"])
def test_an_ugly_name_is_one_readable_line(bot_api: FakeBotApi, field: str) -> None:
    bot_api.chats[CHANNEL][field] = UGLY
    bot_api.member["status"] = "creator"
    ada = connect(bot_api)
    assert ada.name.isprintable()
    assert 0 < len(ada.name) <= 200
    # Its notice, its block and its failed job carry the name; none of them is too long to be stored.
    assert ask_reconnect(ada, "telegram.kicked")
    reconnect_account(ada, {"token": TOKEN})
    assert Notice.objects.get().cleared_at is not None
    bot_api.fault("sendMessage", status=400, body={"ok": False, "description": "Bad Request: message is too long"})
    assert send(ada).status == "failed"


@pytest.mark.parametrize(
    "message",
    [
        {"message_id": 7, "date": UGLY},
        {"message_id": 7, "date": {UGLY: [UGLY]}},
        {"message_id": 7, "date": float("nan")},
        {"message_id": 7, "date": float("inf")},
        {"message_id": 10**4000, "date": 1},
    ],
    ids=["text", "nested", "nan", "infinite", "long"],
)
def test_a_success_stays_a_success(bot_api: FakeBotApi, message: dict[str, Any]) -> None:
    account = connect(bot_api)
    bot_api.fault("sendMessage", status=200, body={"ok": True, "result": message})
    found = send(account)
    assert (found.status, found.error_message) == ("published", "")
    assert len(found.platform_post_id) <= 300
    assert found.url in ("", "https://t.me/news_channel/7")


@pytest.mark.parametrize(
    ("status", "description", "error", "state"),
    [
        (400, "Bad Request: message is too long", "ContentRejected", "failed"),
        (401, "Unauthorized", "ReconnectNeeded", "pending"),
        (403, "Forbidden: bot was kicked from the channel", "ReconnectNeeded", "pending"),
        (429, "Too Many Requests", "RateLimited", "pending"),
        (500, "Internal", "OutcomeUnknown", "uncertain"),
    ],
)
@pytest.mark.parametrize("wait", [None, 10**400, -5, [], float("nan")], ids=["none", "huge", "negative", "list", "nan"])
def test_a_refusal_keeps_its_meaning(
    bot_api: FakeBotApi, status: int, description: str, error: str, state: str, wait: Any
) -> None:
    account = connect(bot_api)
    body = {"ok": False, "description": f"{description} {TOKEN} {UGLY}", "parameters": {"retry_after": wait}}
    bot_api.fault("sendMessage", status=status, body=body)
    found = send(account)
    attempt, job = Attempt.objects.get(), Job.objects.get(type="posts.publish")
    assert (attempt.error_class, job.state) == (error, state)
    assert (job.run_at - clock.now()).total_seconds() <= 86_400
    told = " ".join(Notice.objects.values_list("text", flat=True))
    assert TOKEN not in attempt.message + attempt.traceback + found.error_message + job.last_error + told
