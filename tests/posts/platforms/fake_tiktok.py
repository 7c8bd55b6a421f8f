"""TikTok's API: one creator, direct posts of videos in chunks and of photos by address, statuses, the list of posts.

As a process: ``python -m tests.posts.platforms.fake_tiktok --port 0``. The creator is OPEN_ID, the login TOKENS.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

ACCESS_TOKEN = "act.fake-access-token-0001"
REFRESH_TOKEN = "rft.fake-refresh-token-0001"
OPEN_ID = "723f24d7-e717-40f8-a2b6-cb8464cd23b4"
TOKENS = {
    "open_id": OPEN_ID,
    "scope": "user.info.basic,video.publish,video.list",
    "access_token": ACCESS_TOKEN,
    "expires_in": 86_400,
    "refresh_token": REFRESH_TOKEN,
    "refresh_expires_in": 31_536_000,
    "token_type": "Bearer",
}
LEVELS_OF_PUBLIC = ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
VERIFIED_HOST = "media.socialq.example"
FIRST_ID = 7_298_765_432_109_876_543  # more than a float can tell apart
MEGABYTE = 1_000_000
KEPT_AS_A_PROCESS = 65_536
LOG_ID = "202611220700000102030405060708"
# With which status each refusal comes, at the initialisation of a post.
STATUSES = {
    "invalid_param": 400,
    "invalid_publish_id": 400,
    "token_not_authorized_for_specified_publish_id": 400,
    "access_token_invalid": 401,
    "scope_not_authorized": 401,
    "rate_limit_exceeded": 429,
    "internal_error": 500,
}


class Refused(Exception):
    def __init__(self, code: str, message: str = "") -> None:
        self.code, self.message = code, message


def error_body(code: str, message: str = "") -> dict[str, Any]:
    return {"data": {}, "error": {"code": code, "message": message, "log_id": LOG_ID}}


@dataclass
class Upload:
    """A video that was announced: how it comes, and how much of it has arrived."""

    publish_id: str
    info: dict[str, Any]
    size: int
    chunk: int
    count: int
    arrived: int = 0
    data: bytes = b""
    expired: bool = False
    post_id: int | None = None


class FakeTikTok(FakeServer):
    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.controls = {"expire_access_tokens": self.expire_access_tokens}
        self.access_tokens = {ACCESS_TOKEN}
        self.refresh_token = REFRESH_TOKEN
        self.rotates = True
        self.tokens_made = 1
        self.scopes = {"user.info.basic", "video.publish", "video.list"}
        self.creator: dict[str, Any] = {
            "creator_avatar_url": "https://p16.tiktokcdn.example/a.jpeg",
            "creator_username": "ada.films",
            "creator_nickname": "Ada",
            "privacy_level_options": list(LEVELS_OF_PUBLIC),
            "comment_disabled": False,
            "duet_disabled": False,
            "stitch_disabled": False,
            "max_video_post_duration_sec": 300,
        }
        self.audited = True
        self.refuses: dict[str, str] = {}  # path -> error code, once
        self.with_status_200 = False
        self.inits_at: list[float] = []
        self.uploads: dict[str, Upload] = {}
        self.states: list[dict[str, Any]] = []  # what the status says next; then what is so
        self.posts: list[dict[str, Any]] = []

    def expire_access_tokens(self) -> None:
        self.access_tokens = set()

    def handle(self, seen: Seen) -> Answer:
        calls = {
            "/v2/user/info/": self._user,
            "/v2/post/publish/creator_info/query/": self._creator,
            "/v2/post/publish/video/init/": self._video_init,
            "/v2/post/publish/content/init/": self._photos_init,
            "/v2/post/publish/status/fetch/": self._status,
            "/v2/video/list/": self._list,
        }
        if seen.path == "/v2/oauth/token/":
            return self._token(seen)
        if seen.path == "/upload/video/":
            return self._chunk(seen)
        try:
            if seen.path in self.refuses:
                raise Refused(self.refuses.pop(seen.path), "refused")
            self._allow(seen)
            data = calls[seen.path](seen)
        except Refused as refused:
            status = 200 if self.with_status_200 else STATUSES.get(refused.code, 403)
            return Answer(status, error_body(refused.code, refused.message))
        return Answer(200, {"data": data, "error": {"code": "ok", "message": "", "log_id": LOG_ID}, "extra": 1})

    # The login

    def _token(self, seen: Seen) -> Answer:
        form = seen.form()
        if form["client_key"] != "client-1" or form["client_secret"] != "client-secret-1":
            return self._no_token("invalid_client")
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.refresh_token:
            return self._no_token("invalid_grant")
        if form["grant_type"] == "authorization_code" and form["code"] != "code-1":
            return self._no_token("invalid_grant")
        self.tokens_made += 1
        fresh = f"act.fake-access-token-{self.tokens_made:04}"
        self.access_tokens = {fresh}
        answer = {**TOKENS, "access_token": fresh, "scope": ",".join(sorted(self.scopes))}
        if self.rotates:
            self.refresh_token = f"rft.fake-refresh-token-{self.tokens_made:04}"
            answer["refresh_token"] = self.refresh_token
        else:
            del answer["refresh_token"]
        return Answer(200, answer)

    def _no_token(self, error: str) -> Answer:
        body = {"error": error, "error_description": "Refresh token is invalid or expired.", "log_id": LOG_ID}
        return Answer(200 if self.with_status_200 else 400, body)

    def _allow(self, seen: Seen) -> None:
        if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self.access_tokens:
            raise Refused("access_token_invalid", "The access token is invalid or not found in the request.")
        needs = {"/v2/user/info/": "user.info.basic", "/v2/video/list/": "video.list"}.get(seen.path, "video.publish")
        if needs not in self.scopes:
            raise Refused("scope_not_authorized", "The user did not authorize the scope required.")

    def _user(self, seen: Seen) -> dict[str, Any]:
        assert set(seen.query["fields"].split(",")) <= {"open_id", "union_id", "avatar_url", "display_name"}
        return {"user": {"open_id": OPEN_ID, "display_name": "Ada's films"}}

    def _creator(self, seen: Seen) -> dict[str, Any]:
        assert not seen.body
        return self.creator

    # Posting

    def _count_init(self) -> None:
        minute_ago = time.time() - 60
        self.inits_at = [at for at in self.inits_at if at > minute_ago]
        if len(self.inits_at) >= 6:
            raise Refused("rate_limit_exceeded", "6 per minute")
        self.inits_at.append(time.time())

    def _check_privacy(self, info: dict[str, Any]) -> None:
        level = info["privacy_level"]
        if not self.audited and (level != "SELF_ONLY" or "PUBLIC_TO_EVERYONE" in self.creator["privacy_level_options"]):
            raise Refused("unaudited_client_can_only_post_to_private_accounts")
        if level not in self.creator["privacy_level_options"]:
            raise Refused("privacy_level_option_mismatch")

    def _video_init(self, seen: Seen) -> dict[str, Any]:
        self._count_init()
        asked = seen.json()
        info, source = asked["post_info"], asked["source_info"]
        self._check_privacy(info)
        size, chunk, count = source["video_size"], source["chunk_size"], source["total_chunk_count"]
        last = size - chunk * (count - 1)
        single = count == 1 and chunk == size and size <= 64 * MEGABYTE
        several = 5 * MEGABYTE <= chunk <= 64 * MEGABYTE and count == size // chunk and last <= 128 * MEGABYTE
        if source["source"] != "FILE_UPLOAD" or not (single or several) or not 1 <= count <= 1000:
            raise Refused("invalid_param", "chunks")
        if len(info["title"].encode("utf-16-le")) // 2 > 2200:
            raise Refused("invalid_param", "title")
        number = len(self.uploads) + 1
        publish_id = f"v_pub_file~v2-1.{number}"
        self.uploads[publish_id] = Upload(publish_id, info, size, chunk, count)
        url = f"{self.url}/upload/video/?upload_id={number}&upload_token=secret-upload-token-{number}"
        return {"publish_id": publish_id, "upload_url": url}

    def _chunk(self, seen: Seen) -> Answer:
        number = seen.query["upload_id"]
        upload = self.uploads.get(f"v_pub_file~v2-1.{number}")
        if upload is None or seen.query["upload_token"] != f"secret-upload-token-{number}":
            return Answer(404, "")
        if upload.expired:
            return Answer(403, "")
        assert "authorization" not in seen.headers
        asked = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", seen.headers["content-range"])
        assert asked is not None
        first, last, total = map(int, asked.groups())
        arrived = {"Content-Range": f"bytes 0-{upload.arrived}/{upload.size}"}
        if total != upload.size or last - first + 1 != seen.size_bytes:
            return Answer(400, "")
        is_last = first == upload.chunk * (upload.count - 1)
        right = seen.size_bytes == (upload.size - first if is_last else upload.chunk)
        if first != upload.arrived or not right:
            return Answer(416, "", arrived)
        upload.arrived += seen.size_bytes
        upload.data += seen.body
        arrived = {"Content-Range": f"bytes 0-{upload.arrived}/{upload.size}"}
        if not is_last:
            return Answer(206, "", arrived)
        upload.post_id = self._publish(upload.publish_id, upload.info, upload.info["title"], size=upload.size)
        return Answer(201, "", arrived)

    def _photos_init(self, seen: Seen) -> dict[str, Any]:
        self._count_init()
        asked = seen.json()
        info, source = asked["post_info"], asked["source_info"]
        self._check_privacy(info)
        images = source["photo_images"]
        assert (asked["media_type"], asked["post_mode"], source["source"]) == ("PHOTO", "DIRECT_POST", "PULL_FROM_URL")
        if not 1 <= len(images) <= 35 or len(info.get("title", "")) > 90:
            raise Refused("invalid_param")
        if any(urlsplit(url).scheme != "https" or urlsplit(url).hostname != VERIFIED_HOST for url in images):
            raise Refused("url_ownership_unverified")
        publish_id = f"p_pub_url~v2.{len(self.posts) + 1}"
        upload = Upload(publish_id, info, 0, 0, 0)
        upload.post_id = self._publish(publish_id, info, info["description"], images=images)
        self.uploads[publish_id] = upload
        return {"publish_id": publish_id}

    def _publish(self, publish_id: str, info: dict[str, Any], text: str, **rest: Any) -> int:
        post_id = FIRST_ID + len(self.posts)
        public = info["privacy_level"] == "PUBLIC_TO_EVERYONE"
        kind = "photo" if publish_id.startswith("p_") else "video"
        share_url = f"https://www.tiktok.com/@{self.creator['creator_username']}/{kind}/{post_id}"
        seen = {"id": str(post_id), "title": text[:150], "create_time": int(time.time()), "share_url": share_url}
        self.posts.append({**seen, "public": public})
        self.accept(platform="tiktok", account=OPEN_ID, key=publish_id, text=text, info=info, **rest)
        return post_id

    # Reading

    def _status(self, seen: Seen) -> dict[str, Any]:
        upload = self.uploads.get(seen.json()["publish_id"])
        if upload is None:
            raise Refused("invalid_publish_id")
        if self.states:
            return self.states.pop(0)
        if upload.post_id is None:
            return {"status": "PROCESSING_UPLOAD", "uploaded_bytes": upload.arrived}
        public = upload.info["privacy_level"] == "PUBLIC_TO_EVERYONE"
        ids = [upload.post_id] if public else []
        return {"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": ids, "uploaded_bytes": upload.arrived}

    def _list(self, seen: Seen) -> dict[str, Any]:
        public = [post for post in reversed(self.posts) if post["public"]]
        return {"videos": public[: seen.json()["max_count"]], "cursor": 0, "has_more": False}


def as_a_process(port: int, log: Path | None) -> FakeTikTok:
    """Return one that counts a film's bytes and lets them go."""
    server = FakeTikTok(port, log)
    server.keeps_bytes = KEPT_AS_A_PROCESS
    return server


if __name__ == "__main__":
    serve(as_a_process)
