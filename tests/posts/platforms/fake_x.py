"""The X API v2: tokens that are good for once, posts, uploads in segments, credits. As documented, or as recorded.

As a process: ``python -m tests.posts.platforms.fake_x --port 0``. One account, @ada, may post with ACCESS and REFRESH.
"""

from __future__ import annotations

import base64
import html
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from posts.text.counting import count
from posts.text.web_addresses import web_addresses
from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

USER_ID = "1234567890123456789"
ACCESS = "ada-access-1"
REFRESH = "ada-refresh-1"
CLIENT_ID = "client-1"
CLIENT_SECRET = "client-secret-1"
SCOPE = "tweet.read tweet.write users.read media.write offline.access"
CODE_SECONDS = 30
DUPLICATE_SECONDS = 900
PROBLEMS = "https://api.twitter.com/2/problems/"
INVALID_TOKEN = "Value passed for the token was invalid."


class Refused(Exception):
    def __init__(self, status: int, title: str, detail: str = "", kind: str = "about:blank", **more: Any) -> None:
        body = {"title": title, "detail": detail or title, "type": kind, "status": status, **more}
        self.answer = Answer(status, body, {"Content-Type": "application/problem+json"})


def invalid_request(message: str, **parameters: Any) -> Refused:
    detail = "One or more parameters to your request was invalid."
    errors = [{"parameters": parameters, "message": message}]
    return Refused(400, "Invalid Request", detail, PROBLEMS + "invalid-request", errors=errors)


def forbidden(detail: str) -> Refused:
    return Refused(403, "Forbidden", detail)


@dataclass
class Upload:
    category: str
    mime_type: str = ""
    total_bytes: int = 0
    segments: dict[int, bytes] = field(default_factory=dict)
    finalized: bool = False
    states: list[dict[str, Any]] = field(default_factory=list)  # what STATUS says, one after the other
    alt_text: str = ""
    owner: str = USER_ID

    @property
    def body(self) -> bytes:
        return b"".join(self.segments[index] for index in sorted(self.segments))

    @property
    def is_usable(self) -> bool:
        return self.finalized and not (self.states and self.states[-1]["state"] != "succeeded")


class FakeX(FakeServer):
    """``public`` makes the app one without a secret; ``credits`` is how it refuses for want of money."""

    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.public = False
        self.scope = SCOPE
        self.codes: dict[str, float] = {}
        self.refresh_tokens = {REFRESH}
        self.access_tokens = {ACCESS}
        self.spent_error = "invalid_request"
        self.premium = False
        self.posts: list[dict[str, Any]] = []
        self.uploads: dict[str, Upload] = {}
        self.film_states: list[dict[str, Any]] = [
            {"state": "pending", "check_after_secs": 1},
            {"state": "in_progress", "check_after_secs": 7, "progress_percent": 40},
            {"state": "succeeded", "progress_percent": 100},
        ]
        self.append_is_empty = False
        self.media_lag = 0
        self.credits = ""  # "depleted" or "capped"
        self.reset_date = "2026-12-01"
        self.headers: dict[str, str] = {}  # of the next answers to a post
        self.fields_name = "tweet.fields"
        self.hidden = False  # what was posted is not shown yet
        self.charged: list[int] = []  # thousandths of a dollar
        self.tokens_made = 1
        self._last_id = 1_800_000_000_000_000_000
        self.controls = {"end_login": self.access_tokens.clear}

    def handle(self, seen: Seen) -> Answer:
        try:
            if seen.path == "/2/oauth2/token":
                return self._token(seen)
            if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self.access_tokens:
                raise Refused(401, "Unauthorized")
            self._require_credits()
            for pattern, call in (
                (r"/2/users/me", self._me),
                (r"/2/users/(\d+)/tweets", self._timeline),
                (r"/2/tweets", self._create),
                (r"/2/media/upload", self._upload),
                (r"/2/media/upload/initialize", self._initialize),
                (r"/2/media/upload/(\d+)/append", self._append),
                (r"/2/media/upload/(\d+)/finalize", self._finalize),
                (r"/2/media/metadata", self._metadata),
            ):
                match = re.fullmatch(pattern, seen.path)
                if match:
                    return call(seen, *match.groups())
            raise Refused(404, "Not Found")
        except Refused as refused:
            return refused.answer

    def _require_credits(self) -> None:
        if self.credits == "depleted":
            detail = "Your enrolled account [7] does not have any credits to fulfill this request."
            raise Refused(402, "CreditsDepleted", detail, PROBLEMS + "credits", account_id=7)
        if self.credits == "capped":
            detail = "Your enrolled account has reached its billing cycle spend cap."
            raise Refused(403, "SpendCapReached", detail, PROBLEMS + "credits", reset_date=self.reset_date)

    # Tokens

    def _token(self, seen: Seen) -> Answer:
        form = seen.form()
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        basic = seen.headers.get("authorization") == f"Basic {pair}"
        right = (not basic and form.get("client_id") == CLIENT_ID) if self.public else basic and "client_id" not in form
        if not right:
            detail = "Missing valid authorization header"
            return Answer(401, {"error": "unauthorized_client", "error_description": detail})
        if form["grant_type"] == "authorization_code":
            made_at = self.codes.pop(form["code"], 0.0)
            if time.time() - made_at > CODE_SECONDS or not form.get("code_verifier"):
                detail = "Value passed for the authorization code was invalid."
                return Answer(400, {"error": "invalid_request", "error_description": detail})
        elif form.get("refresh_token") in self.refresh_tokens:
            self.refresh_tokens.discard(form["refresh_token"])
        else:
            return Answer(400, {"error": self.spent_error, "error_description": INVALID_TOKEN})
        self.tokens_made += 1
        access, renewal = f"ada-access-{self.tokens_made}", f"ada-refresh-{self.tokens_made}"
        self.access_tokens.add(access)
        self.refresh_tokens.add(renewal)
        body = {"token_type": "bearer", "expires_in": 7200, "access_token": access, "scope": self.scope}
        return Answer(200, body | {"refresh_token": renewal})

    def _me(self, seen: Seen) -> Answer:
        return Answer(200, {"data": {"id": USER_ID, "name": "Ada", "username": "ada", "new_field": 1}})

    # Posts

    def _create(self, seen: Seen) -> Answer:
        body = seen.json()
        text, media = body.get("text", ""), body.get("media", {}).get("media_ids", [])
        self._check(text, media, body)
        self._last_id += 1
        post = {
            "id": str(self._last_id),
            "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")[:-4] + "Z",
            **self._shown(text, media),
            "edit_history_tweet_ids": [str(self._last_id)],
        }
        answered = body.get("reply", {}).get("in_reply_to_tweet_id")
        roots = [other["conversation_id"] for other in self.posts if other["id"] == answered]
        post["conversation_id"] = roots[0] if roots else post["id"]
        self.posts.insert(0, post | {"_text": text, "_media": media, "_at": time.time()})
        self.charged.append(200 if web_addresses(text) else 15)
        self.accept(platform="x", account=USER_ID, key=post["id"], text=text, body=body, media=media)
        return Answer(201, {"data": {"id": post["id"], "text": post["text"], "new_field": {}}}, dict(self.headers))

    def _check(self, text: str, media: list[str], body: dict[str, Any]) -> None:
        if not text and not media:
            raise invalid_request("$.text: is missing but it is required", text=[""])
        if count(text, "x_weighted") > (25_000 if self.premium else 280):
            raise forbidden("You are not permitted to perform this action.")
        for media_id in media:
            upload = self.uploads.get(media_id)
            if upload is None or not upload.is_usable or upload.owner != USER_ID or self.media_lag:
                self.media_lag = max(0, self.media_lag - 1)
                raise invalid_request("Your media IDs are invalid.", **{"media.media_ids": media})
        if media and "poll" in body:
            raise invalid_request("Only one of media, poll is allowed")
        recent = [post for post in self.posts if time.time() - post["_at"] < DUPLICATE_SECONDS]
        if any(post["_text"] == text and post["_media"] == media for post in recent):
            raise forbidden("You are not allowed to create a Tweet with duplicate content.")

    def _shown(self, text: str, media: list[str]) -> dict[str, Any]:
        """Return text and entities as X shows them: short addresses, one more for the files, escaped signs."""
        urls: list[dict[str, Any]] = []
        shown = text
        for number, address in enumerate(reversed(web_addresses(text))):
            url, short = text[address.start : address.end], f"https://t.co/short{number}"
            urls.append({"url": short, "expanded_url": url if "://" in url else f"http://{url}"})
            shown = shown[: address.start] + short + shown[address.end :]
        if media:
            expanded = "https://x.com/ada/status/1/photo/1"
            urls.append({"url": "https://t.co/files", "expanded_url": expanded, "media_key": "3_1"})
            shown = f"{shown} https://t.co/files".strip()
        found: dict[str, Any] = {"text": html.escape(shown, quote=False)}
        for each in urls:
            each["start"] = found["text"].index(each["url"])
            each["end"] = each["start"] + len(each["url"])
        if urls:
            found["entities"] = {"urls": urls}
        if media:
            found["attachments"] = {"media_keys": [f"3_{media_id}" for media_id in media]}
        return found

    def _timeline(self, seen: Seen, user_id: str) -> Answer:
        unknown = [name for name in seen.query if name.endswith(".fields") and name != self.fields_name]
        if unknown:
            raise invalid_request(f"The query parameter [{unknown[0]}] is not one of [...]")
        since = datetime.fromisoformat(seen.query["start_time"])
        shown = [] if self.hidden else self.posts
        listed = [
            {name: value for name, value in post.items() if not name.startswith("_")}
            for post in shown
            if datetime.fromisoformat(post["created_at"]) >= since
        ]
        self.charged += [1] * len(listed)
        return Answer(200, ({"data": listed} if listed else {}) | {"meta": {"result_count": len(listed)}})

    # Media

    def _new_upload(self, upload: Upload) -> str:
        self._last_id += 1
        self.uploads[str(self._last_id)] = upload
        return str(self._last_id)

    def _upload(self, seen: Seen) -> Answer:
        if seen.method == "GET":
            return self._status(seen)
        parts = seen.parts()
        if set(parts) != {"media", "media_category"}:
            raise invalid_request("unexpected or missing field")
        upload = Upload(parts["media_category"][1].decode(), segments={0: parts["media"][1]}, finalized=True)
        body = {"id": self._new_upload(upload), "media_key": "3_1", "expires_after_secs": 86_400, "size": 1}
        return Answer(200, {"data": body})

    def _initialize(self, seen: Seen) -> Answer:
        asked = seen.json()
        upload = Upload(asked["media_category"], asked["media_type"], asked["total_bytes"])
        return Answer(200, {"data": {"id": self._new_upload(upload), "expires_after_secs": 1_295_999}})

    def _append(self, seen: Seen, media_id: str) -> Answer:
        upload, parts = self._known(media_id), seen.parts()
        index = int(parts["segment_index"][1])
        if upload.finalized or not 0 <= index <= 999:
            raise invalid_request("segment_index or state is wrong")
        upload.segments[index] = parts["media"][1]
        return Answer(204, "") if self.append_is_empty else Answer(200, {"data": {"expires_at": 1_900_000_000}})

    def _finalize(self, seen: Seen, media_id: str) -> Answer:
        upload = self._known(media_id)
        missing = sorted(upload.segments) != list(range(len(upload.segments)))
        if upload.finalized or missing or len(upload.body) != upload.total_bytes:
            raise invalid_request("Segments do not add up to provided total file size.")
        upload.finalized = True
        body: dict[str, Any] = {"id": media_id, "size": len(upload.body), "expires_after_secs": 86_400}
        if upload.category == "tweet_video":
            upload.states = self.film_states[:1]
            body["processing_info"] = upload.states[0]
        return Answer(200, {"data": body})

    def _status(self, seen: Seen) -> Answer:
        assert seen.query["command"] == "STATUS"
        upload = self._known(seen.query["media_id"])
        upload.states = self.film_states[: len(upload.states) + 1]
        return Answer(200, {"data": {"id": seen.query["media_id"], "processing_info": upload.states[-1]}})

    def _metadata(self, seen: Seen) -> Answer:
        asked = seen.json()
        text = asked["metadata"]["alt_text"]["text"]
        if len(text) > 1000:
            raise invalid_request("alt text is too long")
        self._known(asked["id"]).alt_text = text
        self.charged.append(5)
        return Answer(200, {"data": {"id": asked["id"], "associated_metadata": asked["metadata"]}})

    def _known(self, media_id: str) -> Upload:
        if media_id not in self.uploads:
            raise invalid_request("media id is unknown")
        return self.uploads[media_id]


if __name__ == "__main__":
    serve(FakeX)
