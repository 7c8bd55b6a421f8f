"""Telegram channels and groups, through a bot that may post there.

The Bot API has no idempotency key and no way to read a chat back, so an unknown outcome stays unknown and a person
decides. An album can fail in part without saying which part, so after its upload only refusals of the input count as
"not sent". Methods and error texts: https://core.telegram.org/bots/api and github.com/tdlib/telegram-bot-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

from posts.platforms._telegram_bot import Bot, identity_id
from posts.platforms._telegram_message import OPTIONS, composed, keyboard, remarks
from posts.platforms._telegram_words import WORDS
from posts.publishing.capabilities import (
    Capabilities,
    DocumentLimits,
    ImageLimits,
    TextLimit,
    VideoLimits,
    Window,
)
from posts.publishing.errors import ContentRejected, ReconnectNeeded, Temporary
from posts.publishing.http import base_url
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    CannotTell,
    Config,
    Connection,
    Content,
    Draft,
    Field,
    Finding,
    Identity,
    Json,
    MediaFile,
    Published,
    Remark,
)

DEFAULT_API_URL = "https://api.telegram.org"
MAX_FILE_BYTES = 50_000_000
OWN_SERVER_MAX_FILE_BYTES = 2_000_000_000  # core.telegram.org/bots/api, "Using a Local Bot API Server"

TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
CHAT_LINK = re.compile(r"(?:https?://)?(?:www\.)?t\.me/([A-Za-z0-9_]+)/?")
USERNAME = re.compile(r"[A-Za-z0-9_]{1,64}")
TOPIC = re.compile(r"[1-9][0-9]{0,17}")


class Telegram(Platform):
    """Publishes to one chat (a channel, a group) as a bot."""

    name = "telegram"
    label = "Telegram"
    api_server = DEFAULT_API_URL
    server_setting = "api_url"
    capabilities = Capabilities(
        text=(TextLimit("utf16", 4096),),  # the server counts code points; UTF-16 units are never fewer
        caption=(TextLimit("utf16", 1024),),
        max_images=10,
        images=ImageLimits(max_bytes=10_000_000, max_side_pixels=9_999, max_sides_sum_pixels=10_000, max_ratio=20),
        supports_alt_text=False,
        max_videos=10,
        videos=VideoLimits(MAX_FILE_BYTES),  # of other formats Telegram makes documents
        gifs=VideoLimits(MAX_FILE_BYTES, formats=("image/gif",)),
        max_documents=10,
        documents=DocumentLimits(MAX_FILE_BYTES),
        mixes=True,
        threads=True,
    )
    options = OPTIONS
    windows = (Window(20, 60),)  # core.telegram.org/bots/faq has it for groups; channels are treated alike
    words = WORDS
    connect_fields = (
        Field("token", "Bot token", secret=True, help="From @BotFather, for example 123456:ABC-DEF."),
        Field("chat", "Chat", help="@channelname, its t.me address, or the number of a private chat (-100…)."),
        Field(
            "topic",
            "Topic",
            required=False,
            help="In a group with topics: the number of one, which is the second of t.me/c/1234567890/5/77.",
        ),
        Field("api_url", "Bot API server", required=False, default=DEFAULT_API_URL, help="Your own, if you run one."),
    )

    def capabilities_for(self, config: Config) -> Capabilities:
        """Return the limits: a Bot API server of one's own takes larger files."""
        able = self.capabilities
        if config.get("api_url", DEFAULT_API_URL) == DEFAULT_API_URL or not (able.videos and able.gifs):
            return able
        return replace(
            able,
            videos=replace(able.videos, max_bytes=OWN_SERVER_MAX_FILE_BYTES),
            gifs=replace(able.gifs, max_bytes=OWN_SERVER_MAX_FILE_BYTES),
            documents=DocumentLimits(OWN_SERVER_MAX_FILE_BYTES),
        )

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Say which files do not go together, and what is wrong with the buttons."""
        return remarks(draft.media, draft.options)

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Check the token, the chat and the bot's right to post there; raises ReconnectNeeded if one is wrong."""
        token = answers["token"].strip()
        session.http.hide(token)
        if not TOKEN.fullmatch(token):
            raise ReconnectNeeded("telegram.wrong_token")
        api_url = base_url(answers.get("api_url", ""))
        if api_url in ("", DEFAULT_API_URL):
            api_url = session.app.api(DEFAULT_API_URL)
        topic = answers.get("topic", "").strip()
        if topic and not TOPIC.fullmatch(topic):
            raise ReconnectNeeded("telegram.topic_malformed")
        asking = Bot(session, api_url, token)
        bot = asking.read("getMe", {})
        chat = asking.read("getChat", {"chat_id": _chat_id(answers["chat"])})
        if chat.get("type") != "private":
            member = asking.read("getChatMember", {"chat_id": chat.get("id"), "user_id": bot.get("id")})
            _require_right_to_post(chat, member)
        username = str(chat.get("username", ""))
        username = username if USERNAME.fullmatch(username) else ""  # it becomes part of links
        name = str(chat.get("title") or chat.get("first_name") or username or chat.get("id"))
        return Connection(
            identity=Identity(identity_id(chat.get("id"), topic), f"{name}, topic {topic}" if topic else name),
            credentials={"token": token},
            config={
                "api_url": api_url,
                "chat_id": chat.get("id"),
                "username": username,
                "chat_type": str(chat.get("type", "")),
                "bot": str(bot.get("username", "")),
                **({"topic": topic} if topic else {}),
            },
        )

    def check(self, session: Session) -> Connection:
        """Check the token, the chat and the bot's right to post there, as ``connect`` does."""
        config = session.config
        answers = {"token": session.credentials["token"], "chat": str(config["chat_id"]), "api_url": config["api_url"]}
        return self.connect(session, answers | {"topic": config.get("topic", "")})

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Freeze what to send. Telegram takes no file ahead of its message, so files are only named."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        for remark in remarks(content.media, content.options):
            raise ContentRejected(remark.code, field=remark.field, **remark.params)
        chosen = {option.name: True for option in OPTIONS if content.options.get(option.name) is True}
        return {
            "text": content.text,
            "media": [media.key for media in content.media],
            "options": chosen,
            "keyboard": [] if content.part else keyboard(content.options),
            "reply": content.part > 0,
        }

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Send the message, the file or the album; links, names and tags are found by the server."""
        bot = Bot(session, session.config["api_url"], session.credentials["token"])
        answers_to = session.thread[-1].id if snapshot.get("reply") else ""
        with ExitStack() as opened:
            message = composed(snapshot, _files(session, snapshot["media"]), opened)
            params = {**message.params, **_place(session, answers_to)}
            messages = bot.send(message.method, params, message.files)
        return _published(session, messages)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Answer that nobody can tell: a bot cannot read a chat's messages."""
        return CannotTell("no_read_back")


PLATFORM = Telegram()


def _chat_id(entered: str) -> str:
    """Return a chat as the Bot API takes it: a number, or @name from @name, name or a t.me address."""
    entered = entered.strip()
    link = CHAT_LINK.fullmatch(entered)
    name = link[1] if link else entered
    return name if re.fullmatch(r"-?[0-9]+|@.*", name) else f"@{name}"


def _require_right_to_post(chat: Json, member: Json) -> None:
    status = member.get("status")
    if chat.get("type") == "channel":
        allowed = status == "creator" or (status == "administrator" and member.get("can_post_messages") is True)
    else:
        restricted = status == "restricted" and member.get("can_send_messages") is True
        allowed = status in ("creator", "administrator", "member") or restricted
    if not allowed:
        raise ReconnectNeeded("telegram.no_right_to_post" if status == "administrator" else "telegram.not_a_member")


def _place(session: Session, answers_to: str) -> Json:
    """Return where in the chat the message stands: its topic, the message that it answers."""
    topic = session.config.get("topic")
    place: Json = {"message_thread_id": int(topic)} if topic else {}
    return place | ({"reply_parameters": {"message_id": int(answers_to)}} if answers_to else {})


def _files(session: Session, keys: list[str]) -> list[MediaFile]:
    try:
        return [session.media[key] for key in keys]
    except KeyError:
        failure = Temporary("media_unreadable")
    raise failure


def _published(session: Session, messages: list[Json]) -> Published:
    first = messages[0]["message_id"]
    ids = [message["message_id"] for message in messages]
    return Published(str(first), _public_url(session, first), {"message_ids": ids, "date": messages[0].get("date")})


def _public_url(session: Session, message_id: int) -> str:
    """Return the t.me address: by name, for private channels and supergroups by number, "" for basic groups."""
    username, number = session.config.get("username"), str(session.config["chat_id"])
    if username:
        return f"https://t.me/{username}/{message_id}"
    return f"https://t.me/c/{number.removeprefix('-100')}/{message_id}" if number.startswith("-100") else ""
