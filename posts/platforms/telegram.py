"""Telegram channels and groups, through a bot that may post there.

The Bot API has no idempotency key and no way to read a chat back, so an unknown outcome stays unknown and a person
decides. An album can fail in part without saying which part, so after its upload only refusals of the input count as
"not sent". Methods and error texts: https://core.telegram.org/bots/api and github.com/tdlib/telegram-bot-api
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from posts.platforms._telegram_words import WORDS
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit
from posts.publishing.errors import ContentRejected, PublishError, RateLimited, ReconnectNeeded, Temporary
from posts.publishing.http import Files, Response, base_url
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import CannotTell, Connection, Content, Field, Finding, Identity, Json, Published

DEFAULT_API_URL = "https://api.telegram.org"

TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
CHAT_LINK = re.compile(r"(?:https?://)?(?:www\.)?t\.me/([A-Za-z0-9_]+)/?")
USERNAME = re.compile(r"[A-Za-z0-9_]{1,64}")
CLASS_PREFIX = re.compile(r"(?:Bad Request|Forbidden|Unauthorized|Not Found): ")
RETRY_AFTER_SECONDS = 60  # assumed where a 429 names no time; the server's own overload answers this
RETRY_AFTER_LONGEST_SECONDS = 86_400


class Texts(NamedTuple):
    """How descriptions of one case begin, after "Bad Request: " or "Forbidden: ", in lower case."""

    code: str
    beginnings: tuple[str, ...]
    field: str = ""
    before_upload: bool = False  # answered before any item of an album was sent


ACCESS_TEXTS = (
    Texts("telegram.kicked", ("bot was kicked from the ",)),
    Texts("telegram.not_a_member", ("bot is not a member of the ",)),
    Texts("telegram.blocked", ("bot was blocked by the user", "bot can't initiate conversation with a user")),
    Texts("telegram.chat_gone", ("the group chat was deleted", "user is deactivated")),
    Texts("telegram.chat_not_found", ("chat not found",), before_upload=True),
    Texts(
        "telegram.no_right_to_post",
        (
            "not enough rights to send",
            "need administrator rights in the channel chat",
            "have no rights to send a message",
            "chat_write_forbidden",
        ),
    ),
)
CONTENT_TEXTS = (
    Texts("telegram.text_refused", ("message is too long", "text is too long"), "text", before_upload=True),
    Texts("telegram.text_refused", ("message caption is too long",), "text", before_upload=True),
    Texts("telegram.text_refused", ("message text is empty", "can't parse entities"), "text", before_upload=True),
    Texts("telegram.album_refused", ("can't use the media of the specified type",), "media", before_upload=True),
    Texts("telegram.album_refused", ("too many messages to send as an album",), "media", before_upload=True),
    Texts("telegram.image_refused", ("photo_invalid_dimensions", "photo has unsupported extension"), "media"),
    Texts("telegram.image_refused", ("wrong file identifier/http url specified",), "media"),
)


class Telegram(Platform):
    """Publishes to one chat (a channel, a group) as a bot."""

    name = "telegram"
    label = "Telegram"
    capabilities = Capabilities(
        text=(TextLimit("utf16", 4096),),  # the server counts code points; UTF-16 units are never fewer
        caption=(TextLimit("utf16", 1024),),
        max_images=10,
        images=ImageLimits(max_bytes=10_000_000, max_side_pixels=9_999, max_sides_sum_pixels=10_000, max_ratio=20),
        supports_alt_text=False,
    )
    words = WORDS
    connect_fields = (
        Field("token", "Bot token", secret=True, help="From @BotFather, for example 123456:ABC-DEF."),
        Field("chat", "Chat", help="@channelname, its t.me address, or the number of a private chat (-100…)."),
        Field("api_url", "Bot API server", required=False, default=DEFAULT_API_URL, help="Your own, if you run one."),
    )

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Check the token, the chat and the bot's right to post there; raises ReconnectNeeded if one is wrong."""
        token = answers["token"].strip()
        session.http.hide(token)
        if not TOKEN.fullmatch(token):
            raise ReconnectNeeded("telegram.wrong_token")
        api_url = base_url(answers.get("api_url", "")) or DEFAULT_API_URL
        asking = _Bot(session, api_url, token)
        bot = asking.read("getMe", {})
        chat = asking.read("getChat", {"chat_id": _chat_id(answers["chat"])})
        if chat.get("type") != "private":
            member = asking.read("getChatMember", {"chat_id": chat.get("id"), "user_id": bot.get("id")})
            _require_right_to_post(chat, member)
        username = str(chat.get("username", ""))
        username = username if USERNAME.fullmatch(username) else ""  # it becomes part of links
        name = str(chat.get("title") or chat.get("first_name") or username or chat.get("id"))
        return Connection(
            identity=Identity(str(chat.get("id")), name),
            credentials={"token": token},
            config={
                "api_url": api_url,
                "chat_id": chat.get("id"),
                "username": username,
                "chat_type": str(chat.get("type", "")),
                "bot": str(bot.get("username", "")),
            },
        )

    def check(self, session: Session) -> Connection:
        """Check the token, the chat and the bot's right to post there, as ``connect`` does."""
        config = session.config
        token = session.credentials["token"]
        return self.connect(session, {"token": token, "chat": str(config["chat_id"]), "api_url": config["api_url"]})

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Freeze what to send. Telegram takes no file ahead of its message, so pictures are only named."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        return {"text": content.text, "media": [media.key for media in content.media]}

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Send the message, the photo or the album; links, names and tags are found by the server."""
        bot = _Bot(session, session.config["api_url"], session.credentials["token"])
        text, keys = snapshot["text"], snapshot["media"]
        files = _files(session, keys)
        if not keys:
            messages = bot.send("sendMessage", {"text": text})
        elif len(keys) == 1:
            messages = bot.send("sendPhoto", {"caption": text} if text else {}, {"photo": files["f0"]})
        else:
            album: list[Json] = [{"type": "photo", "media": f"attach://{part}"} for part in files]
            if text:
                album[0]["caption"] = text
            messages = bot.send("sendMediaGroup", {"media": json.dumps(album)}, files)
        return _published(session, messages)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Answer that nobody can tell: a bot cannot read a chat's messages."""
        return CannotTell("no_read_back")


PLATFORM = Telegram()


class _Bot(NamedTuple):
    """One bot at one server. Its address contains the token."""

    session: Session
    api_url: str
    token: str

    def __repr__(self) -> str:
        return "_Bot()"

    def read(self, method: str, params: Json) -> Json:
        """Call a method that changes nothing and return its result."""
        response = self.session.http.request("POST", self._url(method), json=params)
        result = self._result(response, album=False)
        if not isinstance(result, dict):
            raise response.unusable("bad_answer")
        return result

    def send(self, method: str, params: Json, files: Files | None = None) -> list[Json]:
        """Call a method that publishes; return its messages: at least one, each with its id."""
        params = {"chat_id": self.session.config["chat_id"], **params}
        url = self._url(method)
        if files:
            data = {name: str(value) for name, value in params.items()}
            response = self.session.http.request("POST", url, irreversible=True, data=data, files=files)
        else:
            response = self.session.http.request("POST", url, irreversible=True, json=params)
        result = self._result(response, album=method == "sendMediaGroup")
        answered = result if isinstance(result, list) else [result]
        messages = [sent for sent in answered if isinstance(sent, dict) and isinstance(sent.get("message_id"), int)]
        if not messages or len(messages) < len(answered):
            raise response.unusable("bad_answer")
        return messages

    def _url(self, method: str) -> str:
        return f"{self.api_url}/bot{self.token}/{method}"

    def _result(self, response: Response, *, album: bool) -> object:
        answer = response.json_or_empty()
        if response.status == 200 and answer.get("ok") is True:
            return answer.get("result")
        raise self._refusal(response, answer, album=album)

    def _refusal(self, response: Response, answer: Json, *, album: bool) -> PublishError:
        """Sort a refusal: by status where that is enough, else by how the description begins."""
        http, now = self.session.http, self.session.now()
        detail, status = http.redact(str(answer.get("description", ""))), response.status
        parameters = answer.get("parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        if status == 200:
            return response.unusable("bad_answer", detail=detail)
        if status == 413:  # from the server or, as HTML, from a proxy in front of it
            return ContentRejected("telegram.image_refused", field="media", detail=detail, status_code=status)
        wait = parameters.get("retry_after", response.retry_after_seconds(now))
        wait = float(min(wait, RETRY_AFTER_LONGEST_SECONDS)) if isinstance(wait, int | float) else None
        if status >= 500 or status == 408:
            return response.unusable("server_error", detail=detail, retry_after_seconds=wait)
        if not answer:
            return response.unusable("unexpected_answer")
        if status == 429 and album:
            return response.unusable("telegram.album_unknown", detail=detail)
        if status == 429:
            seconds = RETRY_AFTER_SECONDS if wait is None else max(1.0, wait)
            until = now + timedelta(seconds=seconds)
            return RateLimited("rate_limited", until=until, detail=detail, status_code=status)
        if status == 401 or detail == "Not Found":
            return ReconnectNeeded("telegram.wrong_token", detail=detail, status_code=status)
        new_id = parameters.get("migrate_to_chat_id")
        if status == 400 and isinstance(new_id, int):
            return _moved(new_id, detail)
        return _described(detail, response, album=album)


def _described(detail: str, response: Response, *, album: bool) -> PublishError:
    text = CLASS_PREFIX.sub("", detail, count=1).lower()
    for case in ACCESS_TEXTS + CONTENT_TEXTS:
        if not text.startswith(case.beginnings):
            continue
        if album and not case.before_upload:
            break
        if case.field:
            return ContentRejected(case.code, field=case.field, detail=detail, status_code=response.status)
        return ReconnectNeeded(case.code, detail=detail, status_code=response.status)
    if response.status == 403 and not album:
        return ReconnectNeeded("telegram.forbidden", detail=detail, status_code=403)
    return response.unusable("telegram.album_unknown" if album else "unexpected_answer", detail=detail)


def _moved(new_id: int, detail: str) -> Temporary:
    """The group became a supergroup: nothing was sent, the next try goes to the new number."""
    return Temporary(
        "telegram.chat_moved",
        detail=detail,
        status_code=400,
        retry_after_seconds=0,
        new_config={"chat_id": new_id, "chat_type": "supergroup"},
        new_identity_id=str(new_id),
    )


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


def _files(session: Session, keys: list[str]) -> Files:
    """Read the pictures before anything is sent; parts are called f0, f1, … in order."""
    try:
        found = [session.media[key] for key in keys]
        return {f"f{n}": (media.filename, media.read(), media.mime_type) for n, media in enumerate(found)}
    except (KeyError, OSError):
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
