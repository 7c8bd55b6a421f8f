"""What a bot that feeds posts asks of the Bot API: fetching files, its webhook, answers. Knows no database.

https://core.telegram.org/bots/api#getfile, #setwebhook
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from posts.platforms._telegram_bot import Bot
from posts.platforms._telegram_updates import ALLOWED_UPDATES, clean
from posts.publishing.errors import ContentRejected
from posts.publishing.platform import Session
from posts.publishing.types import Json

# Of a server that does not run with --local, which would name paths on its own disk instead.
MAX_DOWNLOAD_BYTES = 20 << 20
DOWNLOAD_SECONDS = 300.0
ANSWER_MAX_CHARACTERS = 4000  # of 4096
_PATH = re.compile(r"(?!.*\.\.)[\w.-]+(?:/[\w.-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class WebhookInfo:
    """What Telegram says of a bot's webhook. ``url`` is "" where none is set."""

    url: str
    pending: int
    error: str = ""
    error_at: datetime | None = None


def bot_of(session: Session) -> Bot:
    """Return the bot that the credentials and settings of ``session`` speak of."""
    return Bot(session, session.config["api_url"], session.credentials["token"])


def fetch(session: Session, file_id: str, into: BinaryIO) -> None:
    """Write a file that was sent to the bot to ``into``, as it comes.

    Raises ContentRejected where no bot may fetch it (more than 20 MB), what a call raises, and OSError of ``into``.
    """
    bot = bot_of(session)
    told = bot.read("getFile", {"file_id": file_id})
    path = told.get("file_path")
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ContentRejected("telegram.file_out_of_reach", field="media")
    url = f"{bot.api_url}/file/bot{bot.token}/{path}"
    response = session.http.download(url, into, max_bytes=MAX_DOWNLOAD_BYTES, timeout_seconds=DOWNLOAD_SECONDS)
    if response.status != 200:
        raise response.unusable("unexpected_answer")


def name_of(session: Session) -> str:
    """Return the bot's user name, which shows that the token works."""
    return clean(bot_of(session).read("getMe", {}).get("username"), 100)


def set_webhook(session: Session, url: str, secret: str) -> None:
    """Have messages sent to ``url``, with ``secret``; those that wait come then, too."""
    params: Json = {"url": url, "secret_token": secret, "allowed_updates": ALLOWED_UPDATES}
    bot_of(session).ask("setWebhook", {**params, "drop_pending_updates": False})


def delete_webhook(session: Session) -> None:
    """Have messages sent nowhere; Telegram keeps them for a day."""
    bot_of(session).ask("deleteWebhook", {"drop_pending_updates": False})


def webhook_info(session: Session) -> WebhookInfo:
    """Return how the bot's webhook stands."""
    told = bot_of(session).read("getWebhookInfo", {})
    pending, at = told.get("pending_update_count"), told.get("last_error_date")
    try:
        error_at = datetime.fromtimestamp(at, UTC) if isinstance(at, int) else None
    except (ValueError, OverflowError, OSError):
        error_at = None
    return WebhookInfo(
        clean(told.get("url"), 1000),
        pending if isinstance(pending, int) else 0,
        session.http.redact(clean(told.get("last_error_message"), 300)),
        error_at,
    )


def answer(session: Session, text: str, *, to_message: int, thread_id: int) -> None:
    """Answer a message in its chat, once: raises OutcomeUnknown where nobody knows whether it arrived."""
    params: Json = {
        "text": text[:ANSWER_MAX_CHARACTERS],
        "reply_parameters": {"message_id": to_message, "allow_sending_without_reply": True},
        "link_preview_options": {"is_disabled": True},
    }
    bot_of(session).send("sendMessage", params | ({"message_thread_id": thread_id} if thread_id else {}))
