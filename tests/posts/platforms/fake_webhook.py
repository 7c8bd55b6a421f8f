"""A receiver of webhooks: checks the signature by the specification's letter, keeps one event for each id.

As a process: ``python -m tests.posts.platforms.fake_webhook --port 0``. It takes events at /hook, signed with SECRET.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(100, 140))).decode()
TOLERANCE_SECONDS = 300
BLOCK_BYTES = 64


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 as RFC 2104 writes it, so that no library is the judge of its own work."""
    key = hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key
    padded = key.ljust(BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()


def expected_signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.split("_", 1)[1])
    return "v1," + base64.b64encode(mac(key, b".".join([message_id.encode(), timestamp.encode(), body]))).decode()


class FakeWebhook(FakeServer):
    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.secret = SECRET
        self.bearer = ""
        self.answers_with: Any = {"id": "note-1", "url": "https://reader.example/notes/1"}
        self.status = 200
        self.events: dict[str, dict[str, Any]] = {}
        self.tests = 0
        self.controls = {"change_secret": self.change_secret}

    @property
    def hook(self) -> str:
        return f"{self.url}/hook"

    def change_secret(self) -> None:
        self.secret = OTHER_SECRET

    def handle(self, seen: Seen) -> Answer:
        if seen.path != "/hook" or seen.method != "POST":
            return Answer(404, "no such page")
        why = self._objection(seen)
        if why:
            return Answer(401, {"error": why})
        event, message_id = seen.json(), seen.headers["webhook-id"]
        if event["type"] == "socialq.test":
            self.tests += 1
            return Answer(204, "")
        assert event["type"] == "post.published"
        if message_id not in self.events:
            self.events[message_id] = event
            self.accept(platform="webhook", account="hook", key=message_id, text=event["data"]["text"], event=event)
        return Answer(self.status, self.answers_with)

    def _objection(self, seen: Seen) -> str:
        headers = seen.headers
        timestamp = headers.get("webhook-timestamp", "")
        if not timestamp.isdigit() or abs(int(timestamp) - time.time()) > TOLERANCE_SECONDS:
            return "timestamp"
        wanted = expected_signature(self.secret, headers.get("webhook-id", ""), timestamp, seen.body)
        if wanted not in headers.get("webhook-signature", "").split(" "):
            return "signature"
        if headers.get("authorization", "") != (f"Bearer {self.bearer}" if self.bearer else ""):
            return "authorization"
        json.loads(seen.body)
        return ""


if __name__ == "__main__":
    serve(FakeWebhook)
