"""The YouTube Data API: one Google account with one channel, resumable uploads, comments, quotas.

As a process: ``python -m tests.posts.platforms.fake_youtube --port 0``. The channel is CHANNEL, the login TOKENS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

ACCESS_TOKEN = "ya29.fake-access-token-0001"
REFRESH_TOKEN = "1//fake-refresh-token-0001"
CHANNEL = "UCfakefakefakefakefakefa"
UPLOADS = "UUfakefakefakefakefakefa"
UPLOAD, READ, COMMENT = (
    f"https://www.googleapis.com/auth/{name}" for name in ("youtube.upload", "youtube.readonly", "youtube.force-ssl")
)
TOKENS = {
    "access_token": ACCESS_TOKEN,
    "refresh_token": REFRESH_TOKEN,
    "expires_in": 3599,
    "scope": f"{UPLOAD} {READ} {COMMENT}",
    "token_type": "Bearer",
}
PIECES = 262_144
KEPT_AS_A_PROCESS = 65_536


class Refused(Exception):
    def __init__(self, code: int, reason: str, message: str = "", *, domain: str = "youtube", **rest: Any) -> None:
        self.answer = Answer(code, error_body(code, reason, message, domain=domain, **rest))


def error_body(code: int, reason: str, message: str = "", *, domain: str = "youtube", **rest: Any) -> dict[str, Any]:
    first = {"domain": domain, "reason": reason, "message": message}
    return {"error": {"code": code, "message": message, "errors": [first], **rest}}


@dataclass
class Session:
    """A resumable session: its video, how many bytes have arrived, its final answer."""

    video: dict[str, Any]
    size: int
    arrived: int = 0
    data: bytes = b""
    final: Answer | None = None


@dataclass
class FakeChannel:
    title: str = "Ada's films"
    long_uploads: str = "allowed"
    items: list[dict[str, Any]] | None = field(default=None)


class FakeYouTube(FakeServer):
    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.controls = {"expire_access_tokens": self.expire_access_tokens}
        self.access_tokens = {ACCESS_TOKEN}
        self.scopes = {UPLOAD, READ, COMMENT}
        self.channel: FakeChannel | None = FakeChannel()
        self.refusal_of_tokens: dict[str, Any] | None = None
        self.audited = True
        self.created_status = 201
        self.stores_only: int | None = None  # of the next piece
        self.refuses_last_piece: Answer | None = None  # and repeats that when asked
        self.sessions: dict[str, Session] = {}
        self.gone_status = 404
        self.videos: dict[str, dict[str, Any]] = {}
        self.uploads_hide = False
        self.states: list[dict[str, Any]] = []  # what videos.list says next; then that it is processed
        self.comments: list[dict[str, Any]] = []
        self.thumbnails: dict[str, tuple[str, bytes]] = {}
        self.units = 0
        self.tokens_made = 1

    def expire_access_tokens(self) -> None:
        self.access_tokens = set()

    def forget_sessions(self) -> None:
        self.sessions = {}

    def handle(self, seen: Seen) -> Answer:
        calls = {
            ("POST", "/token"): self._token,
            ("GET", "/youtube/v3/channels"): self._channels,
            ("GET", "/youtube/v3/videos"): self._videos,
            ("GET", "/youtube/v3/playlistItems"): self._playlist_items,
            ("GET", "/youtube/v3/commentThreads"): self._comment_list,
            ("POST", "/youtube/v3/commentThreads"): self._comment,
            ("POST", "/upload/youtube/v3/videos"): self._start,
            ("POST", "/upload/youtube/v3/thumbnails/set"): self._thumbnail,
            ("PUT", "/resumable/youtube/v3/videos"): self._piece,
        }
        try:
            call = calls.get((seen.method, seen.path))
            if call is None:
                raise Refused(404, "notFound")
            return call(seen)
        except Refused as refused:
            return refused.answer

    # The login

    def _token(self, seen: Seen) -> Answer:
        form = seen.form()
        if self.refusal_of_tokens is not None:
            return Answer(400, self.refusal_of_tokens)
        if form["client_secret"] != "client-secret-1":
            return Answer(401, {"error": "invalid_client", "error_description": "Unauthorized"})
        given = form.get("refresh_token") if form["grant_type"] == "refresh_token" else form.get("code")
        if given not in (REFRESH_TOKEN, "4/code-1"):
            return Answer(400, {"error": "invalid_grant", "error_description": "Bad Request"})
        self.tokens_made += 1
        fresh = f"ya29.fake-access-token-{self.tokens_made:04}"
        self.access_tokens = {fresh}
        answer: dict[str, Any] = {**TOKENS, "access_token": fresh, "scope": " ".join(sorted(self.scopes))}
        if form["grant_type"] == "refresh_token":
            del answer["refresh_token"]
        return Answer(200, answer)

    def _allow(self, seen: Seen, units: int, *scopes: str) -> None:
        self.units += units
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.access_tokens:
            raise Refused(401, "authError", "Invalid Credentials", domain="global", status="UNAUTHENTICATED")
        if not set(scopes) & self.scopes:
            message = "Request had insufficient authentication scopes."
            raise Refused(403, "insufficientPermissions", message, domain="global", status="PERMISSION_DENIED")
        if self.channel is None:
            raise Refused(401, "youtubeSignupRequired", "Unauthorized", domain="youtube.header")

    # Reading

    def _channels(self, seen: Seen) -> Answer:
        self._allow(seen, 1, READ, COMMENT)
        assert seen.query["mine"] == "true"
        channel = self.channel
        assert channel is not None
        mine = {
            "kind": "youtube#channel",
            "id": CHANNEL,
            "snippet": {"title": channel.title, "customUrl": "@ada"},
            "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": UPLOADS}},
            "status": {"privacyStatus": "public", "longUploadsStatus": channel.long_uploads},
        }
        items = [mine] if channel.items is None else channel.items
        return Answer(
            200, {"kind": "youtube#channelListResponse", "pageInfo": {}} | ({"items": items} if items else {})
        )

    def _videos(self, seen: Seen) -> Answer:
        self._allow(seen, 1, READ, COMMENT)
        video = self.videos.get(seen.query["id"])
        state = self.states.pop(0) if self.states else {"uploadStatus": "processed"}
        items = []
        if video is not None and "items" not in state:
            processing = state.pop("processing", {"processingStatus": "processing"})
            status = {**video["status"], **state}
            items = [{"kind": "youtube#video", "id": video["id"], "status": status, "processingDetails": processing}]
        return Answer(200, {"kind": "youtube#videoListResponse", "items": items})

    def _playlist_items(self, seen: Seen) -> Answer:
        self._allow(seen, 1, READ, COMMENT)
        assert seen.query["playlistId"] == UPLOADS
        items = [
            {
                "kind": "youtube#playlistItem",
                "snippet": {"title": video["snippet"]["title"], "publishedAt": video["snippet"]["publishedAt"]},
                "contentDetails": {"videoId": video["id"]},
            }
            for video in reversed(self.videos.values())
        ]
        return Answer(200, {"kind": "youtube#playlistItemListResponse", "items": [] if self.uploads_hide else items})

    # Comments

    def _comment_list(self, seen: Seen) -> Answer:
        self._allow(seen, 1, COMMENT)
        found = [each for each in self.comments if each["snippet"]["videoId"] == seen.query["videoId"]]
        return Answer(200, {"kind": "youtube#commentThreadListResponse", "items": found[::-1]})

    def _comment(self, seen: Seen) -> Answer:
        self._allow(seen, 50, COMMENT)
        snippet = seen.json()["snippet"]
        text = snippet["topLevelComment"]["snippet"]["textOriginal"]
        if snippet["videoId"] not in self.videos:
            raise Refused(404, "videoNotFound")
        number = f"Ugx{len(self.comments) + 1}"
        top = {
            "textOriginal": text,
            "textDisplay": text,
            "authorChannelId": {"value": CHANNEL},
            "publishedAt": _now(),
        }
        thread = {
            "kind": "youtube#commentThread",
            "id": number,
            "snippet": {"videoId": snippet["videoId"], "topLevelComment": {"id": number, "snippet": top}},
        }
        self.comments.append(thread)
        self.accept(platform="youtube", account=CHANNEL, key=number, text=text, below=snippet["videoId"])
        return Answer(200, thread)

    # Uploads

    def _start(self, seen: Seen) -> Answer:
        self._allow(seen, 1, UPLOAD, COMMENT)
        video = seen.json()
        assert seen.query["uploadType"] == "resumable"
        assert set(seen.query["part"].split(",")) == set(video)
        _check(video["snippet"], video["status"])
        number = f"upload-{len(self.sessions) + 1}-secret"
        video["notify"] = seen.query.get("notifySubscribers", "true")
        self.sessions[number] = Session(video, int(seen.headers["x-upload-content-length"]))
        return Answer(200, "", {"Location": f"{self.url}/resumable/youtube/v3/videos?upload_id={number}"})

    def _piece(self, seen: Seen) -> Answer:
        self._allow(seen, 0, UPLOAD, COMMENT)
        session = self.sessions.get(seen.query["upload_id"])
        if session is None:
            raise Refused(self.gone_status, "notFound")
        if session.final is not None:
            return session.final
        asked = seen.headers["content-range"]
        if asked == f"bytes */{session.size}":
            return _incomplete(session)
        first, last, total = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", asked).groups())  # type: ignore[union-attr]
        if total != session.size or last - first + 1 != seen.size_bytes:
            raise Refused(400, "badRequest", "Content-Range does not match")
        if last + 1 < total and seen.size_bytes % PIECES:
            raise Refused(400, "badRequest", "not a multiple of 256 KiB")
        if first != session.arrived:
            return _incomplete(session)  # nothing of such a block is stored
        takes = seen.size_bytes if self.stores_only is None else self.stores_only
        self.stores_only = None
        session.arrived += takes
        session.data += seen.body[:takes]
        if session.arrived < total:
            return _incomplete(session)
        session.final = self.refuses_last_piece or self._create(session)
        return session.final

    def _create(self, session: Session) -> Answer:
        video_id = f"vid_{len(self.videos) + 1:07}"
        status = {**session.video["status"], "uploadStatus": "uploaded"}
        if not self.audited:
            status = {name: value for name, value in status.items() if name != "publishAt"}
            status["privacyStatus"] = "private"
        snippet = {**session.video["snippet"], "publishedAt": _now(), "channelId": CHANNEL}
        video = {"kind": "youtube#video", "id": video_id, "snippet": snippet, "status": status}
        self.videos[video_id] = video
        self.accept(
            platform="youtube",
            account=CHANNEL,
            key=video_id,
            text=snippet["description"],
            title=snippet["title"],
            size=session.arrived,
            notify=session.video["notify"],
        )
        return Answer(self.created_status, video)

    def _thumbnail(self, seen: Seen) -> Answer:
        self._allow(seen, 50, UPLOAD, COMMENT)
        if seen.query["videoId"] not in self.videos:
            raise Refused(404, "videoNotFound")
        self.thumbnails[seen.query["videoId"]] = (seen.headers["content-type"], seen.body)
        return Answer(200, {"kind": "youtube#thumbnailSetResponse", "items": []})


def _incomplete(session: Session) -> Answer:
    return Answer(308, "", {"Range": f"bytes=0-{session.arrived - 1}"} if session.arrived else {})


def _check(snippet: dict[str, Any], status: dict[str, Any]) -> None:
    title, description, tags = snippet["title"], snippet["description"], snippet.get("tags", [])
    if not title or len(title) > 100 or set(title) & set("<>"):
        raise Refused(400, "invalidTitle")
    if len(description.encode()) > 5000 or set(description) & set("<>"):
        raise Refused(400, "invalidDescription")
    if "" in tags or sum(len(tag) + 2 * (" " in tag) for tag in tags) + len(tags) - 1 > 500:
        raise Refused(400, "invalidTags")
    if "publishAt" in status and status["privacyStatus"] != "private":
        raise Refused(400, "invalidPublishAt")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_a_process(port: int, log: Path | None) -> FakeYouTube:
    """Return one that counts a film's bytes and lets them go."""
    server = FakeYouTube(port, log)
    server.keeps_bytes = KEPT_AS_A_PROCESS
    return server


if __name__ == "__main__":
    serve(as_a_process)
