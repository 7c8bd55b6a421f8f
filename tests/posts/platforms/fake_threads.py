"""Threads' API: containers of every kind, replies, both quotas, its race at publishing.

As a process: ``python -m tests.posts.platforms.fake_threads --port 0``. TOKEN is of the profile USER_ID.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.posts.platforms.fake_containers import FakeContainers, Refused, shape_of
from tests.posts.platforms.fake_server import Answer, Seen, serve

TOKEN = "THAAtoken-of-sixty-days-1"
USER_ID = "9876543210987654"
CODE = "AQBthreads-code-1"
LARGEST_PICTURE = 8 << 20
LIMIT = "limit-of-publishing"
FIELDS = {
    "media_type", "text", "image_url", "video_url", "is_carousel_item", "children", "alt_text", "reply_to_id",
    "reply_control", "link_attachment", "topic_tag", "poll_attachment",
}  # fmt: skip
REPLY_CONTROLS = {"everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only"}


class FakeThreads(FakeContainers):
    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.give_token(TOKEN)
        self.controls = {"end_tokens": self.end_tokens}
        self.quota = {"used": 0, "total": 250}
        self.replies = {"used": 0, "total": 1000}
        self.races = 0  # so many publishings do not see their container yet
        self.unreadable_parents = 0
        self.publish_refusals: list[Refused] = []

    def answer(self, seen: Seen) -> tuple[Answer, str]:
        """Faults are armed by parts of paths: that of publishing is no part of the limit's here."""
        return super().answer(replace(seen, path=seen.path.replace("threads_publishing_limit", LIMIT)))

    def route(self, seen: Seen) -> dict[str, Any]:
        if seen.path.endswith("access_token"):
            return self._token(seen)
        self.bearer(seen)
        path, fields = seen.path.removeprefix("/v1.0/"), seen.query.get("fields", "")
        known = {
            ("GET", "me"): lambda: {"id": USER_ID, "username": self.username},
            ("POST", "me/threads"): lambda: self._create(seen.form()),
            ("POST", "me/threads_publish"): lambda: self._publish(seen.form()["creation_id"]),
            ("GET", "me/threads"): lambda: self.listed([each for each in self.posts if not each["parent"]], fields),
            ("GET", "me/replies"): lambda: self.listed([each for each in self.posts if each["parent"]], fields),
            ("GET", f"me/{LIMIT}"): lambda: self._limit(fields.split(",")),
        }
        if (seen.method, path) in known:
            return known[seen.method, path]()
        if seen.method == "GET" and path in self.containers:
            assert fields == "status,error_message"
            made = self.container(path)
            reason = {"error_message": made.failed} if made.status() == "ERROR" else {}
            return {"id": path, "status": made.status(), **reason}
        post = next((each for each in self.posts if each["id"] == path), None)
        if post is None:
            raise not_found(path)
        if "status" in fields.split(","):
            raise Refused(100, 0, "Tried accessing nonexisting field (status)", 400, type="THApiException")
        return {"id": path, **({"permalink": post["permalink"]} if "permalink" in post else {})}

    # Tokens

    def _token(self, seen: Seen) -> dict[str, Any]:
        asked = seen.form() if seen.method == "POST" else seen.query
        grant = asked["grant_type"]
        if grant != "th_refresh_token" and asked["client_secret"] != "client-secret-1":
            raise Refused(1, 0, "Error validating client secret.")
        if grant == "authorization_code":
            if asked["code"] != CODE:
                raise Refused(100, 36009, "This authorization code has been used.")
            return {"access_token": self.give_token("THAAshort-token-1"), "user_id": int(USER_ID)}
        facts = self.owner(asked["access_token"])
        if grant == "th_exchange_token":
            return {"access_token": TOKEN, "token_type": "bearer", "expires_in": 5_184_000}
        assert grant == "th_refresh_token"
        if datetime.now(UTC) - facts["since"] < timedelta(hours=24):
            raise Refused(100, 0, "The token must be at least 24 hours old")
        fresh = self.give_token("THAAtoken-of-sixty-days-2", since=datetime.now(UTC))
        return {"access_token": fresh, "token_type": "bearer", "expires_in": 5_184_000}

    # Publishing

    def _create(self, fields: dict[str, str]) -> dict[str, Any]:
        assert set(fields) <= FIELDS, set(fields) - FIELDS
        assert fields.get("reply_control", "everyone") in REPLY_CONTROLS
        text, kind = fields.get("text", ""), fields["media_type"]
        if length(text) > 500:
            raise Refused(100, 0, "Param text must be at most 500 characters long.")
        if len(set(re.findall(r"https?://\S+", text)) | {fields.get("link_attachment", "")} - {""}) > 5:
            raise Refused(100, 0, "THREADS_API__LINK_LIMIT_EXCEEDED")
        if kind == "TEXT" and not text:
            raise Refused(100, 0, "Param text is required")
        if kind != "TEXT" and {"poll_attachment", "link_attachment"} & set(fields):
            raise Refused(100, 0, "Attachments are for text posts")
        if "poll_attachment" in fields:
            answers = json.loads(fields["poll_attachment"])
            assert 2 <= len(answers) <= 4
            assert all(1 <= len(answer) <= 25 for answer in answers.values())
        if kind == "CAROUSEL":
            assert 2 <= len(fields["children"].split(",")) <= 20
        parent = fields.get("reply_to_id")
        if parent and self.unreadable_parents:
            self.unreadable_parents -= 1
            raise not_found(parent)
        if parent and parent not in {post["id"] for post in self.posts}:
            raise not_found(parent)
        return self.make(fields)

    def check_file(self, name: str, fields: dict[str, str]) -> None:
        fetched = self.fetch(fields[name])
        if fetched is None:
            raise Refused(1, 2207052, "The media could not be fetched from this URI")
        kind, body = fetched
        if name == "video_url":
            assert kind in ("video/mp4", "video/quicktime")
        elif shape_of(body)[0] not in ("JPEG", "PNG") or len(body) > LARGEST_PICTURE:
            raise Refused(100, 0, "The image format is not supported")

    def _publish(self, number: str) -> dict[str, Any]:
        if self.publish_refusals:
            raise self.publish_refusals.pop(0)
        made = self.containers.get(number)
        children = made.fields.get("children", "") if made else ""
        unfinished = any(self.containers[child].status() != "FINISHED" for child in filter(None, children.split(",")))
        if made is None or made.status() != "FINISHED" or unfinished or self.races > 0:
            self.races -= 1
            raise not_found(number)
        parent, text = made.fields.get("reply_to_id", ""), made.fields.get("text", "")
        if parent:
            self.replies["used"] += 1
            self.quota["used"] -= 1  # the base counts every post
        kinds = {"TEXT": "TEXT_POST", "CAROUSEL": "CAROUSEL_ALBUM"}
        kind = made.fields["media_type"]
        facts = {"media_type": kinds.get(kind, kind), "parent": parent, **({"text": text} if text else {})}
        return self.publish(made, said=text, account=USER_ID, **facts)

    def _limit(self, fields: list[str]) -> dict[str, Any]:
        numbers: dict[str, Any] = {}
        for prefix, quota in (("", self.quota), ("reply_", self.replies)):
            numbers[f"{prefix}quota_usage"] = quota["used"]
            numbers[f"{prefix}config"] = {"quota_total": quota["total"], "quota_duration": 86_400}
        return {"data": [{name: numbers[name] for name in fields}]}


def not_found(number: str) -> Refused:
    """The answer to what is not there, and to what is not there yet."""
    said = f"The media with id {number} cannot be found."
    return Refused(24, 4279009, "The requested resource does not exist", error_user_msg=said, is_transient=False)


def length(text: str) -> int:
    """Emoji count as their UTF-8 bytes."""
    return sum(len(sign.encode()) if ord(sign) > 0x1F000 else 1 for sign in text)


if __name__ == "__main__":
    serve(FakeThreads)
