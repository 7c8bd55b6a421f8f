"""Discord's webhooks: two of one channel, and one of a forum.

As a process: ``python -m tests.posts.platforms.fake_discord --port 0``. WEBHOOK and TOKEN are the first.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

WEBHOOK, SECOND, FORUM = "118000000000000001", "118000000000000002", "118000000000000003"
TOKEN = "Wh-token_1aBcD2eFgH3iJkL4mNoP5qRsT6uVwX7yZ"
URL = f"https://discord.com/api/webhooks/{WEBHOOK}/{TOKEN}"
GUILD, CHANNEL, FORUM_CHANNEL = "117000000000000001", "117500000000000001", "117500000000000003"
FILE_BYTES = 10 * 1024 * 1024


class Refused(Exception):
    def __init__(self, status: int, code: int, message: str, **rest: Any) -> None:
        self.answer = Answer(status, {"message": message, "code": code} | rest)


def form_error(*path: str, code: str = "BASE_TYPE_MAX_LENGTH", message: str = "Too long.") -> Refused:
    errors: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for name in reversed(path):
        errors = {name: errors}
    return Refused(400, 50035, "Invalid Form Body", errors=errors)


class FakeDiscord(FakeServer):
    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.channels = {WEBHOOK: CHANNEL, SECOND: CHANNEL, FORUM: FORUM_CHANNEL}
        self.threads = {"119000000000000009"}  # of CHANNEL
        self.messages: dict[str, dict[str, Any]] = {}
        self.remaining = 5
        self.forum_needs_tag = False
        self.calls_after_gone = 0
        self.pings: list[str] = []
        self.controls["delete_webhook"] = self.channels.clear
        self._number = 120_000_000_000_000_000

    def handle(self, seen: Seen) -> Answer:
        try:
            if not seen.headers.get("user-agent", "").startswith("DiscordBot ("):
                return Answer(403, "<html>error code: 40333</html>")
            _, api, version, kind, webhook, token, *rest = seen.path.split("/")
            assert (api, version, kind) == ("api", "v10", "webhooks")
            if webhook not in self.channels:
                self.calls_after_gone += 1
                raise Refused(404, 10015, "Unknown Webhook")
            if token != TOKEN:
                raise Refused(401, 50027, "Invalid Webhook Token")
            if rest:
                return self._message(seen, rest[1])
            return self._describe(webhook) if seen.method == "GET" else self._execute(seen, webhook)
        except Refused as refused:
            return refused.answer

    def _describe(self, webhook: str) -> Answer:
        body = {"id": webhook, "type": 1, "name": "Captain Hook", "avatar": None, "application_id": None}
        address = f"https://discord.com/api/webhooks/{webhook}/{TOKEN}"
        found = {"channel_id": self.channels[webhook], "guild_id": GUILD, "token": TOKEN, "url": address}
        return Answer(200, body | found)

    def _message(self, seen: Seen, number: str) -> Answer:
        if number not in self.messages:
            raise Refused(404, 10008, "Unknown Message")
        if seen.method == "DELETE":
            del self.messages[number]
            return Answer(204, "")
        if seen.method == "PATCH":
            self.messages[number] |= seen.json()
        return Answer(200, self.messages[number])

    def _execute(self, seen: Seen, webhook: str) -> Answer:
        waits = seen.query.get("wait") == "true"
        try:
            body, files = self._read(seen)
            self._check(body, files)
            channel = self._channel(seen, webhook, body)
        except Refused:
            if waits:
                raise
            return Answer(204, "")  # the client is not told that nothing was saved
        message = self._store(body, files, channel)
        self.remaining = max(0, self.remaining - 1)
        headers = {
            "X-RateLimit-Limit": "5",
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset-After": "1.5",
            "X-RateLimit-Bucket": "b1",
        }
        self.accept(
            platform="discord",
            account=webhook,
            key=message["id"],
            text=message["content"],
            channel=channel,
            files=[file["filename"] for file in message["attachments"]],
            sizes=[file["size"] for file in message["attachments"]],
        )
        return Answer(200, message, headers) if waits else Answer(204, "", headers)

    def _read(self, seen: Seen) -> tuple[dict[str, Any], dict[str, tuple[str, bytes]]]:
        kind = seen.headers.get("content-type", "")
        if kind.startswith("application/json"):
            return seen.json(), {}
        if not kind.startswith("multipart/form-data"):
            raise form_error("_root", code="CONTENT_TYPE_INVALID", message="Expected a Content-Type.")
        parts = seen.parts()
        body = json.loads(parts.pop("payload_json")[1])
        return body, parts

    def _check(self, body: dict[str, Any], files: dict[str, tuple[str, bytes]]) -> None:
        if not (body.get("content", "").strip() or body.get("embeds") or files):
            raise Refused(400, 50006, "Cannot send an empty message")
        if len(body.get("content", "")) > 2000:
            raise form_error("content", message="Must be 2000 or fewer in length.")
        for number, embed in enumerate(body.get("embeds", [])):
            if len(embed.get("description", "")) > 4096:
                raise form_error("embeds", str(number), "description")
        name = body.get("username", "").lower()
        if "discord" in name or "clyde" in name:
            raise form_error("username", code="USERNAME_INVALID_CONTAINS")
        for number, attachment in enumerate(body.get("attachments", [])):
            if len(attachment.get("description", "")) > 1024:
                raise form_error("attachments", str(number), "description")
        if sorted(files) != sorted(f"files[{each['id']}]" for each in body.get("attachments", [])):
            raise form_error("attachments", code="ATTACHMENT_NOT_FOUND")
        if any(len(data) > FILE_BYTES for _name, data in files.values()):
            raise Refused(413, 40005, "Request entity too large")

    def _channel(self, seen: Seen, webhook: str, body: dict[str, Any]) -> str:
        thread, name = seen.query.get("thread_id"), body.get("thread_name")
        if thread and name:
            raise Refused(400, 220002, "Webhooks posted to forum channels cannot have both a thread_name and thread_id")
        if webhook != FORUM:
            if name:
                raise Refused(400, 220003, "Webhooks can only create threads in forum channels")
            if thread and thread not in self.threads:
                raise Refused(400, 10003, "Unknown Channel")
            return thread or self.channels[webhook]
        if not thread and not name:
            raise Refused(400, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id")
        if name and self.forum_needs_tag and not body.get("applied_tags"):
            raise Refused(400, 40067, "A tag is required to create a forum post in this channel")
        if name:
            thread = str(self._number + 500)
            self.threads.add(thread)
        return str(thread)

    def _store(self, body: dict[str, Any], files: dict[str, tuple[str, bytes]], channel: str) -> dict[str, Any]:
        self._number += 1
        text, number = body.get("content", ""), str(self._number)
        parse = body.get("allowed_mentions", {"parse": ["everyone"]})["parse"]
        if "@everyone" in text and "everyone" in parse:
            self.pings.append(number)
        described = {each["id"]: each for each in body.get("attachments", [])}
        attachments = [
            {
                "id": f"{number}{place}",
                "filename": name,
                "size": len(data),
                "url": f"https://cdn.discordapp.com/{number}/{name}?ex=1",
                "proxy_url": f"https://media.discordapp.net/{number}/{name}",
                "description": described[str(place)].get("description"),
            }
            for place, (name, data) in enumerate(files.values())
        ]
        message = {
            "id": number,
            "type": 0,
            "content": text,
            "channel_id": channel,
            "author": {"id": WEBHOOK, "username": body.get("username", "Captain Hook"), "bot": True},
            "attachments": attachments,
            "embeds": body.get("embeds", []),
            "mentions": [],
            "mention_roles": [],
            "mention_everyone": False,
            "pinned": False,
            "tts": False,
            "components": [],
            "flags": body.get("flags", 0),
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
            "edited_timestamp": None,
            "webhook_id": WEBHOOK,
        }
        self.messages[number] = message
        return message


if __name__ == "__main__":
    serve(FakeDiscord)
