"""A Discord message as a webhook takes it, its options, and what of it does not go together. Pure.

https://docs.discord.com/developers/resources/webhook
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from posts.publishing.types import Content, Draft, Json, Option, Remark

MOST_FILES = 10
MOST_BYTES_TOGETHER = 25 * 1024 * 1024
SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS = 1 << 2, 1 << 12
MENTIONS: Mapping[str, list[str]] = {
    "none": [],
    "users": ["users"],
    "roles": ["users", "roles"],
    "everyone": ["users", "roles", "everyone"],
}
COLOR = re.compile(r"#?([0-9A-Fa-f]{6})")
SNOWFLAKE = re.compile(r"[0-9]{15,20}")
FORBIDDEN_NAMES, FORBIDDEN_IN_NAMES = ("everyone", "here"), ("discord", "clyde")

OPTIONS = (
    Option("username", "Shown name", maximum=80, help="Empty: the webhook's own."),
    Option("avatar_url", "Address of the shown picture", maximum=2048, help="https://…; empty: the webhook's own."),
    Option("thread_id", "Id of the thread", help="To post in an existing thread of the channel."),
    Option("thread_name", "Name of a new thread", maximum=100, help="For forums only."),
    Option("applied_tags", "Ids of the forum's tags", "list", maximum=5, help="For a new thread, one a line."),
    Option(
        "mentions",
        "Mentions notify",
        "choice",
        choices=(
            ("none", "Nobody"),
            ("users", "People who are named"),
            ("roles", "People and roles that are named"),
            ("everyone", "Also @everyone and @here"),
        ),
        default="none",
    ),
    Option("silent", "Without a notification", "bool", default=False),
    Option("suppress_embeds", "Without previews of links", "bool", default=False),
    Option("embed_title", "Title of an embed", maximum=256),
    Option("embed_description", "Text of the embed", "long_text", maximum=4096),
    Option("embed_url", "Address of the embed", maximum=2048),
    Option("embed_color", "Color of the embed", help="Like #5865F2."),
)


def message(content: Content) -> Json:
    """Return the body of a message. What belongs to a thread's beginning stands in its first part only.

    ``allowed_mentions`` is always there: without it, Discord would notify whomever the text names.
    """
    chosen = content.options
    body: Json = {"allowed_mentions": {"parse": MENTIONS[chosen.get("mentions", "none")]}}
    if content.text.strip():
        body["content"] = content.text
    body |= {name: chosen[name] for name in ("username", "avatar_url") if chosen.get(name)}
    flags = (SUPPRESS_EMBEDS if chosen.get("suppress_embeds") else 0) | (
        SUPPRESS_NOTIFICATIONS if chosen.get("silent") else 0
    )
    if flags:
        body["flags"] = flags
    if content.part == 0:
        body |= {name: chosen[name] for name in ("thread_name", "applied_tags") if chosen.get(name)}
        embed = _embed(chosen)
        if embed:
            body["embeds"] = [embed]
    if content.media:
        body["attachments"] = [
            {
                "id": str(number),
                "filename": media.filename,
                **({"description": media.alt_text} if media.alt_text else {}),
            }
            for number, media in enumerate(content.media)
        ]
    return body


def problems_of(draft: Draft) -> Iterator[Remark]:
    """Yield what of a draft Discord would not take."""
    chosen = draft.options
    yield from _file_problems(draft)
    if chosen.get("thread_id") and chosen.get("thread_name"):
        yield Remark("discord.thread_twice", field="thread_name")
    if chosen.get("thread_id") and not SNOWFLAKE.fullmatch(str(chosen["thread_id"])):
        yield Remark("discord.id_unusable", field="thread_id")
    if not all(SNOWFLAKE.fullmatch(str(tag)) for tag in chosen.get("applied_tags") or ()):
        yield Remark("discord.id_unusable", field="applied_tags")
    name = str(chosen.get("username", "")).strip().lower()
    if name in FORBIDDEN_NAMES or any(word in name for word in FORBIDDEN_IN_NAMES):
        yield Remark("discord.username_refused", field="username")
    for address in ("avatar_url", "embed_url"):
        if chosen.get(address) and not str(chosen[address]).startswith(("https://", "http://")):
            yield Remark("discord.not_an_address", field=address)
    if chosen.get("embed_color") and not COLOR.fullmatch(str(chosen["embed_color"])):
        yield Remark("discord.color_unusable", field="embed_color")
    has_text = chosen.get("embed_title") or chosen.get("embed_description")
    if not has_text and (chosen.get("embed_url") or chosen.get("embed_color")):
        yield Remark("discord.embed_empty", field="embed_title")


def _file_problems(draft: Draft) -> Iterator[Remark]:
    if len(draft.media) > MOST_FILES:
        yield Remark("discord.too_many_files", field="media")
    # Pictures are made smaller where they must be; the others go as they are.
    if sum(media.size_bytes for media in draft.media if media.kind != "image") > MOST_BYTES_TOGETHER:
        yield Remark("discord.files_too_large", field="media")


def _embed(chosen: Mapping[str, Any]) -> Json:
    embed = {name: chosen[f"embed_{name}"] for name in ("title", "description", "url") if chosen.get(f"embed_{name}")}
    color = COLOR.fullmatch(str(chosen.get("embed_color", "")))
    return embed | ({"color": int(color[1], 16)} if embed and color else {})
