"""A webhook's event as bytes, and its signature by Standard Webhooks. Pure; talks to nobody.

Specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Iterable

from posts.publishing.types import Json, MediaFile

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
KEY_BYTES = range(24, 65)
MAX_BODY_BYTES = 20_000  # the specification asks for small events; files go as addresses


def key_of(secret: str) -> bytes:
    """Return the key that ``secret`` ("whsec_" and base64) stands for; ``ValueError`` if it has not that form."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in KEY_BYTES:
        raise ValueError("a secret is whsec_ and base64 of 24 to 64 bytes")
    return key


def signature(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature``: one entry a secret, separated by one space, the newest first.

    While a secret is replaced there are two, and the receiver takes either. ``timestamp`` is Unix seconds.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(key_of(secret), signed, "sha256") for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def encoded(event_type: str, timestamp: str, data: Json) -> bytes:
    """Return the body of an event. What is signed is these bytes, so they are made once for each attempt."""
    event = {"type": event_type, "timestamp": timestamp, "data": data}
    # A lone surrogate has no UTF-8; JSON can still name it.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


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
