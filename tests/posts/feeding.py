"""A bot that feeds posts, and what Telegram sends to its webhook, for tests."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from posts.models import TelegramSource
from posts.services.telegram_sources import address_of, save_source, secret_of
from queue_app import clock
from tests.posts.making import user
from tests.posts.platforms.fake_bot_api import PERSON, TOKEN

_numbers = count(5000)
PRIVATE = {"id": PERSON, "type": "private", "first_name": "Ada"}
MAY_FEED = ("add_post", "schedule_post", "add_media")


def source(api_url: str = "", *, owner: User | None = None, **fields: Any) -> TelegramSource:
    """Return a source of the fake's bot, fed by PERSON."""
    owner = owner or user("feeder", may=MAY_FEED)
    given = {"name": "News desk", "senders": [PERSON], "timezone": "Europe/Vienna", "api_url": api_url} | fields
    return save_source(TelegramSource(owner=owner, **given), token=TOKEN)


def update(*, kind: str = "message", update_id: int | None = None, **message: Any) -> dict[str, Any]:
    """Return an update with one message, from PERSON in their chat with the bot."""
    number = next(_numbers)
    said: dict[str, Any] = {"message_id": number, "chat": PRIVATE}
    if "date" not in message:
        said["date"] = int(clock.now().timestamp())
    if kind == "message":
        said["from"] = {"id": PERSON, "is_bot": False, "first_name": "Ada"}
    return {"update_id": number if update_id is None else update_id, kind: said | message}


def photo(file_id: str = "cat", **message: Any) -> dict[str, Any]:
    """Return an update with a picture in two sizes."""
    sizes = [
        {"file_id": f"{file_id}-small", "file_unique_id": "s", "width": 90, "height": 45, "file_size": 900},
        {"file_id": file_id, "file_unique_id": "u", "width": 800, "height": 400, "file_size": 9000},
    ]
    return update(photo=sizes, **message)


def send(to: TelegramSource, said: Any, *, secret: str | None = None, address: str | None = None) -> int:
    """Send an update as Telegram does; return the status of the answer."""
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret_of(to) if secret is None else secret}
    path = "/hooks/telegram/" + (address_of(to).rpartition("/")[2] if address is None else address)
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    client = Client(enforce_csrf_checks=True)
    return client.post(path, body, content_type="application/json", headers=headers).status_code
