"""Who has signed a request from outside. Pure: compares in constant time, reads no setting."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any


def signed_request(text: str, secret: str) -> dict[str, Any] | None:
    """Return what Meta's ``signed_request`` says if ``secret`` has signed it, else ``None``.

    ``<signature>.<payload>``, both base64url without padding; the payload is JSON, and what is signed is its text.
    https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback
    """
    signature, _, payload = text.partition(".")
    if not secret or not payload.isascii():
        return None
    expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest()
    try:
        if not hmac.compare_digest(_decoded(signature), expected):
            return None
        said = json.loads(_decoded(payload))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return said if isinstance(said, dict) and str(said.get("algorithm", "")).upper() == "HMAC-SHA256" else None


def signed_by_hub(body: bytes, header: str, secret: str) -> bool:
    """Return whether ``X-Hub-Signature-256`` (``sha256=<hex>``) is that of ``body``.

    https://developers.facebook.com/docs/graph-api/webhooks/getting-started
    """
    kind, _, signature = header.partition("=")
    return kind == "sha256" and _is(signature, body, secret)


def tiktok_signed_at(body: bytes, header: str, secret: str) -> datetime | None:
    """Return when ``body`` was signed if ``TikTok-Signature`` (``t=<seconds>,s=<hex>``) is right, else ``None``.

    https://developers.tiktok.com/doc/webhooks-verification
    """
    fields = dict(part.strip().partition("=")[::2] for part in header.split(","))
    seconds = fields.get("t", "")
    if not seconds.isascii() or not _is(fields.get("s", ""), f"{seconds}.".encode() + body, secret):
        return None
    return moment(seconds)


def moment(seconds: object) -> datetime | None:
    """Return a time given in Unix seconds, ``None`` if it is none."""
    try:
        return datetime.fromtimestamp(int(str(seconds)), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _is(signature: str, signed: bytes, secret: str) -> bool:
    if not secret or not signature.isascii():
        return False
    return hmac.compare_digest(signature.lower(), hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest())


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.rstrip("=").encode("ascii") + b"=" * (-len(text.rstrip("=")) % 4))
