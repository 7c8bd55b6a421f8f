"""A Bluesky post as records: its key, its text with facets, what it carries, who may answer. Pure; talks to nobody.

Lexicons: app.bsky.feed.post, app.bsky.embed.*, app.bsky.feed.threadgate, app.bsky.feed.postgate
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from posts.publishing.types import Content, Json, MediaFile, Option, Published
from posts.text.entities import Entity, Hashtag, Link, Mention, entities

COLLECTION = "app.bsky.feed.post"
THREADGATE = "app.bsky.feed.threadgate"
POSTGATE = "app.bsky.feed.postgate"
TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
TID_CHARACTERS = 13
CLOCK_IDS = 1024
MAX_IN_IMAGES = 4  # of app.bsky.embed.images; more go into a gallery
MAX_LANGUAGES = 3

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")  # as far as BCP 47 can be told by its form

# Who may answer a thread, beside nobody; not named means everybody.
RULES: Mapping[str, tuple[str, ...]] = {
    "mentioned": ("mentionRule",),
    "following": ("followingRule",),
    "followers": ("followerRule",),
    "nobody": (),
}
OPTIONS = (
    Option(
        "replies",
        "Who may answer",
        kind="choice",
        choices=(
            ("everyone", "Everyone"),
            ("mentioned", "Those the post mentions"),
            ("following", "Those the account follows"),
            ("followers", "Those who follow the account"),
            ("nobody", "Nobody"),
        ),
        default="everyone",
    ),
    Option("no_quotes", "Not to be quoted", kind="bool"),
    Option(
        "warning",
        "Content warning",
        kind="choice",
        choices=(
            ("sexual", "Suggestive"),
            ("nudity", "Nudity"),
            ("porn", "Adult content"),
            ("graphic-media", "Violence or blood"),
        ),
    ),
    Option(
        "languages",
        "Further languages",
        kind="list",
        maximum=MAX_LANGUAGES - 1,
        help="Beside the post's language, one a line: de, pt-BR.",
    ),
    Option(
        "link_card",
        "Link card",
        kind="bool",
        default=True,
        help="Title and picture of the first link's page, which is fetched for that; not on a post with files.",
    ),
)


def record_key(made_at: datetime, key: str) -> str:
    """Return the record key of a post: the TID of ``made_at`` (aware), its clock id derived from ``key``.

    The same arguments give the same key for ever, so that a repeated ``putRecord`` cannot make a second post.
    Format: https://atproto.com/specs/tid
    """
    clock_id = int.from_bytes(hashlib.sha256(key.encode()).digest()[:2]) % CLOCK_IDS
    return tid((made_at - EPOCH) // timedelta(microseconds=1), clock_id)


def tid(microseconds: int, clock_id: int) -> str:
    """Return the TID of a Unix time in microseconds and a clock id of 0 to 1023."""
    value = (microseconds << 10) | clock_id
    return "".join(TID_ALPHABET[value >> (5 * place) & 31] for place in reversed(range(TID_CHARACTERS)))


def mentioned_handles(text: str) -> list[str]:
    """Return the handles that ``text`` mentions, each once, in order."""
    return list(dict.fromkeys(entity.handle for entity in entities(text) if isinstance(entity, Mention)))


def facets(text: str, dids: Mapping[str, str]) -> list[Json]:
    """Return the facets of ``text``: its links, tags and the mentions whose handle is in ``dids``.

    Offsets are UTF-8 bytes, the end exclusive: https://docs.bsky.app/docs/advanced-guides/post-richtext
    """
    found: list[Json] = []
    for entity in entities(text):
        feature = _feature(entity, dids)
        if feature:
            span = entity.span.utf8(text)
            found.append({"index": {"byteStart": span.start, "byteEnd": span.end}, "features": [feature]})
    return found


def post_record(content: Content, embed: Json | None, dids: Mapping[str, str], created_at: datetime) -> Json:
    """Return the record of ``content``, which carries ``embed``; ``created_at`` is UTC.

    The parts of a thread are a millisecond apart, so that they stand in order wherever they are sorted by time. What a
    part answers is known only when that is live: ``answering`` adds it.
    """
    moment = created_at.astimezone(UTC) + timedelta(milliseconds=content.part)
    record: Json = {
        "$type": COLLECTION,
        "text": content.text,
        "createdAt": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if spoken := languages(content.language, content.options):
        record["langs"] = spoken
    if rich_text := facets(content.text, dids):
        record["facets"] = rich_text
    if embed:
        record["embed"] = embed
    if warning := content.options.get("warning"):
        record["labels"] = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": warning}]}
    return record


def answering(record: Json, thread: Sequence[Published], answers: str) -> Json:
    """Return ``record`` as an answer in ``thread``: to its ``last`` post or to its ``first``, the root of both."""
    parent = thread[0] if answers == "first" else thread[-1]
    return {**record, "reply": {"root": _reference(thread[0]), "parent": _reference(parent)}}


def images_embed(media: Sequence[MediaFile], blobs: Iterable[Json]) -> Json:
    """Return pictures as a post carries them: up to four as images, more as a gallery."""
    images = [
        {"image": blob, "alt": each.alt_text, "aspectRatio": {"width": each.width, "height": each.height}}
        for each, blob in zip(media, blobs, strict=True)
    ]
    if len(images) <= MAX_IN_IMAGES:
        return {"$type": "app.bsky.embed.images", "images": images}
    items = [{"$type": "app.bsky.embed.gallery#image", **image} for image in images]
    return {"$type": "app.bsky.embed.gallery", "items": items}


def video_embed(media: MediaFile, blob: Json) -> Json:
    """Return a video as a post carries it; an animated picture is one that plays by itself."""
    embed: Json = {"$type": "app.bsky.embed.video", "video": blob, "alt": media.alt_text}
    if media.width and media.height:
        embed["aspectRatio"] = {"width": media.width, "height": media.height}
    if media.kind == "gif":
        embed["presentation"] = "gif"
    return embed


def gates(uri: str, record: Json, content: Content) -> list[Json]:
    """Return the records that stand beside the post ``uri`` under its key, each with its collection: its gates.

    Who may answer is said of a thread's first post, who may quote of each.
    """
    found = []
    at = {"post": uri, "createdAt": record["createdAt"]}
    rules = RULES.get(str(content.options.get("replies", "")))
    if rules is not None and content.part == 0:
        allow = [{"$type": f"{THREADGATE}#{rule}"} for rule in rules]
        found.append({"$type": THREADGATE, **at, "allow": allow})
    if content.options.get("no_quotes"):
        found.append({"$type": POSTGATE, **at, "embeddingRules": [{"$type": f"{POSTGATE}#disableRule"}]})
    return found


def languages(language: str, options: Mapping[str, Any]) -> list[str]:
    """Return the languages of a post, each once: its own and those that were chosen."""
    spoken = [language, *options.get("languages", ())]
    return list(dict.fromkeys(each for each in spoken if each))[:MAX_LANGUAGES]


def _reference(part: Published) -> Json:
    return {"uri": part.response["uri"], "cid": part.response["cid"]}


def _feature(entity: Entity, dids: Mapping[str, str]) -> Json | None:
    match entity:
        case Link(url=url):
            return {"$type": "app.bsky.richtext.facet#link", "uri": url}
        case Hashtag(tag=tag):
            return {"$type": "app.bsky.richtext.facet#tag", "tag": tag}
        case Mention(handle=handle) if handle in dids:
            return {"$type": "app.bsky.richtext.facet#mention", "did": dids[handle]}
    return None
