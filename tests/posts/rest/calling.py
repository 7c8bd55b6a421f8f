"""Programs that call the API in tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from queue_app import keys

EVERY_SCOPE = tuple(keys.SCOPES)


class Program:
    """A program with a key of ``user``; each call returns the answer."""

    def __init__(self, user: User, scopes: Sequence[str] = EVERY_SCOPE) -> None:
        self.key = keys.create_key(user, name="Script", scopes=scopes)[1]

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send ``body`` as JSON, bytes as they are; ``If_Match="…"`` and so on are headers."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Authorization", f"Bearer {self.key}")
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = sent.pop("Content-Type", "application/json")
        return Client().generic(method, f"/api/{path}", data, content_type=kind, headers=sent)

    def get(self, path: str, **headers: str) -> Any:
        """Read."""
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Make or act."""
        return self("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        """Change."""
        return self("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        """Delete."""
        return self("DELETE", path, **headers)
