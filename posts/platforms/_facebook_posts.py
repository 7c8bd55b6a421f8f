"""What Facebook's lists say about posts: which one is ours, and where it can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from posts.publishing.types import Json, Published

SITE = "https://www.facebook.com"
CLOCK_SKEW = timedelta(seconds=30)
POST_FIELDS = "id,message,created_time,permalink_url,attachments{media_type,target{id},subattachments{target{id}}}"
COMMENT_FIELDS = "id,message,created_time,permalink_url,from{id}"


def as_published(post_id: str, answer: Json, url: str = "") -> Published:
    """Return a part that is live, with the address that the answer names, else ``url``, else the one by its id."""
    told = answer.get("permalink_url")
    if isinstance(told, str) and told.startswith("/") and not told.startswith("//"):
        told = SITE + told  # as videos have it
    if not isinstance(told, str) or not told.startswith(f"{SITE}/"):
        told = url or f"{SITE}/{post_id}"
    kept = {"post_id": str(answer["post_id"])} if answer.get("post_id") else {}  # a video is not its post
    return Published(post_id, told, {"id": post_id, **kept})


def matching(listed: Sequence[Json], snapshot: Json, page_id: str, marked_at: datetime) -> list[Json]:
    """Return what may be the part of ``snapshot``: by its photos surely, else by its text and time."""
    photos = {photo["id"] for photo in snapshot.get("photos", ())}
    if photos:
        return [item for item in listed if photos & set(_targets(item))]
    if snapshot["kind"] == "comment":
        listed = [item for item in listed if id_of(item.get("from")) == page_id]
    return [item for item in listed if _says(item, snapshot["text"], marked_at)]


def id_of(item: object) -> str:
    """Return the id of a foreign object, "" if it has none."""
    value = item.get("id") if isinstance(item, dict) else None
    return str(value) if isinstance(value, str | int) else ""


def _says(item: Json, text: str, marked_at: datetime) -> bool:
    """Return whether a listed post says ``text`` and is no older than the mark."""
    try:
        created = datetime.fromisoformat(str(item.get("created_time")))
    except ValueError:
        return False
    created = created if created.tzinfo else created.replace(tzinfo=UTC)
    said = str(item.get("message", "")).replace("\r\n", "\n").strip()
    return bool(said) and said == text.replace("\r\n", "\n").strip() and created >= marked_at - CLOCK_SKEW


def _targets(item: Json) -> Iterator[str]:
    """Yield the ids of what is attached to a post, those of an album's photos with them."""
    attachments = item.get("attachments")
    data = attachments.get("data") if isinstance(attachments, dict) else None
    for attached in data if isinstance(data, list) else ():
        if isinstance(attached, dict):
            yield id_of(attached.get("target"))
            yield from _targets({"attachments": attached.get("subattachments")})
