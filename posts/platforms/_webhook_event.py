"""What the webhook's receiver learns of a post's files, and how large an event may be. Pure; talks to nobody."""

from __future__ import annotations

from posts.publishing.types import Json, MediaFile

MAX_BODY_BYTES = 20_000  # the specification asks for small events; files go as addresses


def facts(media: MediaFile) -> Json:
    """Return what a receiver learns about a file beside its address, which goes out of date and is added last."""
    known: Json = {
        "kind": media.kind,
        "mime": media.mime_type,
        "size": media.size_bytes,
        "alt": media.alt_text,
        "width": media.width,
        "height": media.height,
    }
    if media.duration_seconds:
        known["duration"] = media.duration_seconds
    return known
