"""A Telegram message as the Bot API takes it: which method, which fields, which files. Talks to nobody.

Methods and fields: https://core.telegram.org/bots/api
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from posts.publishing.errors import Temporary
from posts.publishing.types import Json, MediaFile, MediaKind, Option, Remark

MAX_ALBUM = 10
MAX_BUTTONS = 10
BUTTON_ADDRESS = re.compile(r"(?:https?|tg)://\S+")

OPTIONS = (
    Option("silent", "Without sound", kind="bool", help="Members are notified without a sound."),
    Option("protected", "Protected", kind="bool", help="The message cannot be forwarded or saved."),
    Option("spoiler", "Hide pictures and videos", kind="bool", help="They are blurred until somebody taps them."),
    Option("no_preview", "Without link preview", kind="bool"),
    Option(
        "buttons",
        "Buttons",
        kind="list",
        maximum=MAX_BUTTONS,
        help="One a line: Label | https://example.com. Not below an album.",
    ),
)


class Kind(NamedTuple):
    """How one kind of file is sent: its method alone, its field there, its type in an album ("" if it goes alone)."""

    method: str
    field: str
    album_type: str


KINDS: Mapping[MediaKind, Kind] = {
    "image": Kind("sendPhoto", "photo", "photo"),
    "video": Kind("sendVideo", "video", "video"),
    "gif": Kind("sendAnimation", "animation", ""),
    "document": Kind("sendDocument", "document", "document"),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One call: its method, its fields but for the chat, and its files as open streams by part."""

    method: str
    params: Json
    files: dict[str, tuple[str | None, bytes | BinaryIO, str]]


def remarks(media: Sequence[MediaFile], options: Mapping[str, Any]) -> list[Remark]:
    """Return what keeps these files and buttons from being one message."""
    kinds = [each.kind for each in media]
    found = []
    if len(media) > MAX_ALBUM:
        found.append(Remark("telegram.too_many_files", {"count": len(media), "limit": MAX_ALBUM}, "media"))
    if len(media) > 1 and "gif" in kinds:
        found.append(Remark("telegram.animation_alone", field="media"))
    if "document" in kinds and set(kinds) != {"document"}:
        found.append(Remark("telegram.documents_apart", field="media"))
    buttons = options.get("buttons") or []
    if buttons and len(media) > 1:
        found.append(Remark("telegram.buttons_on_album", field="buttons"))
    wrong = [line for line in buttons if _button(line) is None]
    return found + [Remark("telegram.button_malformed", {"line": line}, "buttons") for line in wrong]


def keyboard(options: Mapping[str, Any]) -> list[list[Json]]:
    """Return the buttons as rows of one each."""
    found = [_button(line) for line in options.get("buttons") or []]
    return [[button] for button in found if button]


def composed(snapshot: Json, media: Sequence[MediaFile], opened: ExitStack) -> Message:
    """Return the call for ``snapshot``. Its files are open until ``opened`` closes them.

    All are opened before anything is sent: one that cannot be read is Temporary.
    """
    text, options = snapshot["text"], snapshot.get("options", {})
    params: Json = {}
    if options.get("silent"):
        params["disable_notification"] = True
    if options.get("protected"):
        params["protect_content"] = True
    if snapshot.get("keyboard"):
        params["reply_markup"] = {"inline_keyboard": snapshot["keyboard"]}
    if not media:
        preview = {"link_preview_options": {"is_disabled": True}} if options.get("no_preview") else {}
        return Message("sendMessage", {"text": text, **preview, **params}, {})
    caption = {"caption": text} if text else {}
    hidden = bool(options.get("spoiler"))
    if len(media) == 1:
        (only,) = media
        kind = KINDS[only.kind]
        files = {kind.field: _stream(only, opened)}
        if only.cover:
            files["cover"] = _stream(only.cover, opened)
        return Message(kind.method, {**caption, **_facts(only, hidden), **params}, files)
    album, files = [], {}
    for place, each in enumerate(media):
        item = {"type": KINDS[each.kind].album_type, "media": f"attach://f{place}", **_facts(each, hidden)}
        files[f"f{place}"] = _stream(each, opened)
        if each.cover:
            item["cover"] = f"attach://c{place}"
            files[f"c{place}"] = _stream(each.cover, opened)
        album.append(item)
    album[0] |= caption  # that of the first is shown as the album's
    return Message("sendMediaGroup", {"media": album, **params}, files)


def _facts(media: MediaFile, hidden: bool) -> Json:
    """Return what players show before a file is loaded, and whether it is blurred."""
    facts: Json = {"has_spoiler": True} if hidden and media.kind != "document" else {}
    if media.kind in ("video", "gif"):
        known = {"width": media.width, "height": media.height, "duration": round(media.duration_seconds)}
        facts |= {name: value for name, value in known.items() if value}
    if media.kind == "video":
        facts["supports_streaming"] = True
    return facts


def _button(line: str) -> Json | None:
    label, _, address = (part.strip() for part in line.rpartition("|"))
    return {"text": label, "url": address} if label and BUTTON_ADDRESS.fullmatch(address) else None


def _stream(media: MediaFile, opened: ExitStack) -> tuple[str | None, bytes | BinaryIO, str]:
    try:
        return media.filename, opened.enter_context(media.open()), media.mime_type
    except OSError:
        failure = Temporary("media_unreadable")
    raise failure
