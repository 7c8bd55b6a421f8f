"""A Bluesky post as a record: its key, its text with facets, its pictures. Pure; talks to nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from posts.publishing.types import Content, Json
from posts.text.entities import Entity, Hashtag, Link, Mention, entities

COLLECTION = "app.bsky.feed.post"
TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
TID_CHARACTERS = 13
CLOCK_IDS = 1024

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def post_record(content: Content, blobs: Iterable[Json], dids: Mapping[str, str], created_at: datetime) -> Json:
    """Return the record of ``content``; ``blobs`` are the uploaded pictures in its order, ``created_at`` is UTC."""
    record: Json = {
        "$type": COLLECTION,
        "text": content.text,
        "createdAt": created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if content.language:
        record["langs"] = [content.language]
    if rich_text := facets(content.text, dids):
        record["facets"] = rich_text
    images = [
        {"image": blob, "alt": media.alt_text, "aspectRatio": {"width": media.width, "height": media.height}}
        for media, blob in zip(content.media, blobs, strict=True)
    ]
    if images:
        record["embed"] = {"$type": "app.bsky.embed.images", "images": images}
    return record


def _feature(entity: Entity, dids: Mapping[str, str]) -> Json | None:
    match entity:
        case Link(url=url):
            return {"$type": "app.bsky.richtext.facet#link", "uri": url}
        case Hashtag(tag=tag):
            return {"$type": "app.bsky.richtext.facet#tag", "tag": tag}
        case Mention(handle=handle) if handle in dids:
            return {"$type": "app.bsky.richtext.facet#mention", "did": dids[handle]}
    return None
