"""What Telegram sends to a bot's webhook, as far as a post needs it. Pure: judges nobody, fetches nothing.

Offsets of entities count UTF-16 units. https://core.telegram.org/bots/api#update
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from posts.publishing.types import Json

EDITED = ("edited_message", "edited_channel_post")
POSTS = ("message", "channel_post")
# What setWebhook asks for. Edited ones would come too late for a post that is out.
ALLOWED_UPDATES = list(POSTS)
# A message of one of these is no post, even where it has a caption.
NO_POST = (
    "audio",
    "checklist",
    "contact",
    "dice",
    "game",
    "giveaway",
    "invoice",
    "live_photo",
    "location",
    "paid_media",
    "poll",
    "sticker",
    "story",
    "venue",
    "video_note",
    "voice",
)
EXTENSIONS = {"photo": "jpg", "video": "mp4", "animation": "mp4"}
MOST_ENTITIES = 200
LARGEST_ID = 2**63 - 1
_ALBUM = re.compile(r"[\w-]{1,64}", re.ASCII)
_POSTABLE = re.compile(r"image/.+|video/.+|application/pdf")
_HTTP = re.compile(r"https?://\S+", re.IGNORECASE)

Kind = Literal["post", "command", "edited", "service", "bot", "unsupported"]


class Malformed(ValueError):
    """What came is no update of Telegram's."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a message: by what it is fetched, what it is called, and its size, 0 where that is not told."""

    file_id: str
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message or channel post. ``date`` is in Unix seconds; ``album`` is "" for one that stands by itself.

    ``senders`` are the ids that it may be let in by: the chat, and the person. ``kind`` says whether it can be a post;
    of an unsupported one ``what`` names what it holds.
    """

    update_id: int
    chat_id: int
    chat_name: str
    in_channel: bool
    senders: tuple[int, ...]
    message_id: int
    thread_id: int
    date: int
    album: str
    text: str
    file: File | None
    kind: Kind
    what: str = ""


def message_of(update: Json) -> Message | None:
    """Return the message of an update, ``None`` where it is about something else. Raises Malformed."""
    update_id = _id(update, "update_id")
    for name in POSTS + EDITED:
        if name in update:
            said = _object(update, name)
            return _message(update_id, said, edited=name in EDITED, in_channel=name.endswith("channel_post"))
    return None


def readable(text: str, entities: object) -> str:
    """Return ``text`` without its markup; behind the words of a link its address stands in parentheses."""
    if not isinstance(entities, list):
        return text
    # Where each character begins, and where the text ends, in UTF-16 units.
    starts = [0, *accumulate(2 if sign > "\uffff" else 1 for sign in text)]
    links = []
    for entity in entities[:MOST_ENTITIES]:
        if isinstance(entity, dict) and entity.get("type") == "text_link":
            offset, length, url = entity.get("offset"), entity.get("length"), clean(entity.get("url"))
            if isinstance(offset, int) and isinstance(length, int) and _HTTP.fullmatch(url):
                links.append((bisect_left(starts, offset), bisect_left(starts, offset + length), url))
    for begin, end, url in sorted(links, reverse=True):
        words = text[begin:end].rstrip()
        if words and _bare(words) != _bare(url):
            behind = begin + len(words)
            text = f"{text[:behind]} ({url}){text[behind:]}"
    return text


def clean(value: object, most: int = 10_000) -> str:
    """Return a text without what no database stores, "" for anything else."""
    if not isinstance(value, str):
        return ""
    return value[:most].replace("\0", "").encode("utf-8", "ignore").decode()


def _message(update_id: int, said: Json, *, edited: bool, in_channel: bool) -> Message:
    chat = _object(said, "chat")
    sender = _object(said, "from") if "from" in said else {}
    chat_id, person_id = _id(chat, "id"), _id(sender, "id") if sender else 0
    text, entities = (clean(said.get("text")), "entities") if "text" in said else (clean(said.get("caption")), "")
    file, what = _file_of(said)
    thread_id = said.get("message_thread_id") if said.get("is_topic_message") is True else 0
    album = said.get("media_group_id")
    return Message(
        update_id=update_id,
        chat_id=chat_id,
        chat_name=_name(chat) or _name(sender) or str(chat_id),
        in_channel=in_channel,
        # Who writes in the name of a chat is told as a bot that stands for all who do.
        senders=(chat_id,) if "sender_chat" in said or not person_id else (chat_id, person_id),
        message_id=_id(said, "message_id"),
        thread_id=thread_id if isinstance(thread_id, int) and 0 < thread_id <= LARGEST_ID else 0,
        date=_id(said, "edit_date" if edited and "edit_date" in said else "date"),
        album=album if isinstance(album, str) and _ALBUM.fullmatch(album) else "",
        text=readable(text, said.get(entities or "caption_entities")).strip(),
        file=file,
        kind="edited" if edited else _kind(said, sender, text, file, what),
        what=what,
    )


def _kind(said: Json, sender: Json, text: str, file: File | None, what: str) -> Kind:
    if sender.get("is_bot") is True and "sender_chat" not in said:
        return "bot"
    if what:
        return "unsupported"
    if file is None and not text.strip():
        return "service"
    return "command" if file is None and _is_command(said, text) else "post"


def _is_command(said: Json, text: str) -> bool:
    entities = said.get("entities")
    first = entities[0] if isinstance(entities, list) and entities else {}
    is_marked = isinstance(first, dict) and first.get("type") == "bot_command" and first.get("offset") == 0
    return text.startswith("/") and is_marked


def _file_of(said: Json) -> tuple[File | None, str]:
    """Return the file of a message, or what it holds instead that can be no post."""
    for name in NO_POST:
        if name in said:
            return None, name.replace("_", " ")
    number = said.get("message_id")
    if "photo" in said:
        sizes = [size for size in said["photo"] if isinstance(size, dict)] if isinstance(said["photo"], list) else []
        if not sizes:
            raise Malformed("a photo without sizes")
        return _file(max(sizes, key=_area), "photo", f"photo-{number}.{EXTENSIONS['photo']}"), ""
    # An animation is told a second time as a document, for programs that do not know of animations.
    for name in ("video", "animation", "document"):
        if name in said:
            told = _object(said, name)
            mime = clean(told.get("mime_type"), 100)
            if name == "document" and not _POSTABLE.fullmatch(mime):
                return None, f"document ({mime})" if mime else "document"
            return _file(told, name, f"{name}-{number}.{EXTENSIONS.get(name, 'bin')}"), ""
    return None, ""


def _file(told: Json, kind: str, name: str) -> File:
    file_id, size = clean(told.get("file_id"), 300), told.get("file_size")
    if not file_id:
        raise Malformed(f"a {kind} without file_id")
    return File(file_id, clean(told.get("file_name"), 255) or name, size if isinstance(size, int) and size > 0 else 0)


def _area(size: Mapping[str, Any]) -> int:
    width, height = size.get("width"), size.get("height")
    return width * height if isinstance(width, int) and isinstance(height, int) else 0


def _object(within: Json, name: str) -> Json:
    value = within.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"{name} is no object")
    return value


def _id(within: Json, name: str) -> int:
    value = within.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST_ID:
        raise Malformed(f"{name} is no number")
    return value


def _name(told: Json) -> str:
    names = [clean(told.get(name), 100) for name in ("title", "first_name", "last_name")]
    return " ".join(" ".join(name for name in names if name).split())[:100]


def _bare(url: str) -> str:
    return url.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/")
