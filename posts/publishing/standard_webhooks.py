"""An event as bytes, and its signature, by Standard Webhooks. Pure; talks to nobody.

Specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Iterable

from posts.publishing.types import Json

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
KEY_BYTES = range(24, 65)
NEW_KEY_BYTES = 32


def key_of(secret: str) -> bytes:
    """Return the key that ``secret`` ("whsec_" and base64) stands for; ``ValueError`` if it has not that form."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in KEY_BYTES:
        raise ValueError("a secret is whsec_ and base64 of 24 to 64 bytes")
    return key


def secret_of(key: bytes) -> str:
    """Return ``key`` in the form in which people copy secrets, which ``key_of`` reads."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def headers(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a request that brings ``body``: which event it is, when it was sent, who says so."""
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secrets, message_id, timestamp, body),
    }


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
