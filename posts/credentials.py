"""Sealing credentials: encrypted JSON that opens only for the account it was sealed for.

Keys come from ``SOCIALQ_ENCRYPTION_KEYS`` (Fernet, newest first), the last one from SECRET_KEY. Nothing here logs or
prints.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from posts import conf


class CannotOpen(Exception):
    """The credentials were sealed with a key this site does not have, or for another account."""


def seal(account: UUID, credentials: dict[str, Any]) -> str:
    """Return ``credentials`` as ciphertext bound to ``account``."""
    payload = json.dumps({"account": account.hex, "credentials": credentials})
    return MultiFernet(_fernets()).encrypt(payload.encode()).decode()


def unseal(account: UUID, sealed: str) -> dict[str, Any]:
    """Return the credentials sealed for ``account``; raise CannotOpen, which says what to do."""
    try:
        payload = json.loads(MultiFernet(_fernets()).decrypt(sealed.encode()))
    except InvalidToken:
        raise CannotOpen(
            "the stored credentials cannot be opened: put the key they were sealed with back into "
            "SOCIALQ_ENCRYPTION_KEYS, or reconnect the account"
        ) from None
    if payload["account"] != account.hex:
        raise CannotOpen("the stored credentials belong to another account: reconnect this one")
    credentials: dict[str, Any] = payload["credentials"]
    return credentials


def is_newest(sealed: str) -> bool:
    """Return whether ``sealed`` was sealed with the newest key."""
    try:
        _fernets()[0].decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def fingerprint() -> str:
    """Return 16 hex digits that name the newest key without telling it."""
    return fingerprints()[0]


def fingerprints() -> list[str]:
    """Return what names each key that this site has, the newest first."""
    return [hashlib.sha256(b"socialq key:" + key).hexdigest()[:16] for key in _keys()]


def _fernets() -> list[Fernet]:
    return [Fernet(key) for key in _keys()]


def _keys() -> list[bytes]:
    """Return the keys, newest first. SECRET_KEY's is the last: it opens what was sealed before there were others."""
    keys = [key.encode() for key in conf.get("ENCRYPTION_KEYS")]
    digest = hashlib.sha256(b"socialq credentials:" + settings.SECRET_KEY.encode()).digest()
    return [*keys, base64.urlsafe_b64encode(digest)]
