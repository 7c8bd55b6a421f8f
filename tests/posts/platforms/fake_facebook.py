"""Facebook's Graph API for one login with a few Pages: posts, photos, videos, reels, comments.

As a process: ``python -m tests.posts.platforms.fake_facebook --port 0``. USER_TOKEN is a login whose long-lived token
has two Pages that may be posted to; the hosts for videos and for reels' bytes are this one server.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

VERSION = "v26.0"
CLIENT_ID = "client-1"
CLIENT_SECRET = "client-secret-1"
CODE = "code-of-a-login"
USER_TOKEN = "EAAshortUserToken1"
LONG_TOKEN = "EAAlongUserToken2"
PAGE_TOKEN = "EAApageToken3"
OTHER_PAGE_TOKEN = "EAApageToken4"
PAGE = "1755847768034402"
OTHER_PAGE = "1755847768034403"
READ_ONLY_PAGE = "1755847768034404"
SCOPES = ("pages_show_list", "pages_read_engagement", "pages_manage_posts", "pages_manage_engagement")
CHUNK_BYTES = 1000  # what one call of a video's upload carries


class Refused(Exception):
    """An error of the Graph API: ``code`` and ``error_subcode`` say which."""

    def __init__(self, status: int, code: int, message: str = "refused", subcode: int = 0, **rest: Any) -> None:
        self.answer = Answer(status, graph_error(code, message, subcode, **rest))


def graph_error(code: int, message: str = "refused", subcode: int = 0, **rest: Any) -> dict[str, Any]:
    """The body of a refusal, as the Graph API writes it."""
    error: dict[str, Any] = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code}
    if subcode:
        error["error_subcode"] = subcode
    return {"error": error | rest | {"fbtrace_id": "AbCdEf123"}}


class FakeFacebook(FakeServer):
    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.tokens = {PAGE_TOKEN: PAGE, OTHER_PAGE_TOKEN: OTHER_PAGE}
        self.names = {PAGE: "Metricsaurus", OTHER_PAGE: "Bakery", READ_ONLY_PAGE: "Only to look at"}
        self.tasks = {PAGE: ["MANAGE", "CREATE_CONTENT"], OTHER_PAGE: ["CREATE_CONTENT"], READ_ONLY_PAGE: ["ANALYZE"]}
        self.declined: set[str] = set()
        self.tells_expiry = True
        self.headers: dict[str, str] = {}  # of every answer that went well
        self.posts: list[dict[str, Any]] = []
        self.photos: dict[str, dict[str, Any]] = {}
        self.videos: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[dict[str, Any]]] = {}
        self.hidden: int = 0  # so many looks at the posts do not show them yet
        self.polls = 0  # so many looks find a video still processed
        self.failing_phase = ""  # the phase of every video that ends with an error
        self.ends_as = ""  # what a video's status says in the end, if not that it is ready
        self.other_spelling = False  # the live API writes some words otherwise than its documentation
        self.takes_bytes: int | None = None  # the connection breaks after so many bytes of the next upload
        self.cut_piece: bool | None = None  # the second piece of the next upload gets no answer, stored or not
        self._number = 100
        self.controls["end_login"] = self.tokens.clear
        self.controls["forget_photos"] = self.photos.clear

    def handle(self, seen: Seen) -> Answer:
        try:
            answer = self._route(seen)
        except Refused as refused:
            return refused.answer
        return answer if isinstance(answer, Answer) else Answer(200, answer, dict(self.headers))

    def _route(self, seen: Seen) -> Any:
        if seen.path.startswith(f"/video-upload/{VERSION}/"):
            return self._receive(seen, seen.path.rsplit("/", 1)[1])
        path = seen.path.removeprefix(f"/{VERSION}").strip("/")
        asked = seen.query | self._read(seen)
        if path == "oauth/access_token":
            return self._token(asked)
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if path.startswith("me"):
            return self._me(path, token, asked)
        page = self.tokens.get(token)
        if page is None:
            raise Refused(400, 190, "Error validating access token", 463)
        node, _, edge = path.partition("/")
        if edge:
            call: Callable[[str, dict[str, Any]], Any] | None = getattr(self, f"_{seen.method}_{edge}".lower(), None)
            if call is None or (node != page and edge != "comments"):
                raise Refused(400, 100, "Unsupported request", 33)
            return call(node if edge == "comments" else page, asked)
        if node == page:
            return {"id": page, "name": self.names[page], "username": "metrics"}
        if node in self.videos:
            return self._video(node)
        raise Refused(400, 100, "Unsupported get request", 33)

    def _read(self, seen: Seen) -> dict[str, Any]:
        kind = seen.headers.get("content-type", "")
        if "json" in kind:
            return dict(seen.json() or {})
        if "multipart" in kind:
            return {name: body if filename else body.decode() for name, (filename, body) in seen.parts().items()}
        return dict(seen.form())

    # Logging in

    def _token(self, asked: dict[str, Any]) -> Any:
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise Refused(400, 1, "Error validating client secret.")
        if asked.get("grant_type") == "fb_exchange_token":
            if asked["fb_exchange_token"] not in (USER_TOKEN, LONG_TOKEN):
                raise Refused(400, 190, "Error validating access token", 463)
            long = {"access_token": LONG_TOKEN, "token_type": "bearer"}
            return long | ({"expires_in": 5_183_944} if self.tells_expiry else {})
        if asked.get("code") != CODE:
            raise Refused(400, 100, "This authorization code has been used.", 36009)
        return {"access_token": USER_TOKEN, "token_type": "bearer", "expires_in": 5100}

    def _me(self, path: str, token: str, asked: dict[str, Any]) -> Any:
        if path == "me" and token in self.tokens:
            return {"id": self.tokens[token], "name": self.names[self.tokens[token]], "username": "metrics"}
        if token not in (USER_TOKEN, LONG_TOKEN):
            raise Refused(400, 190, "Invalid OAuth access token", 467)
        if path == "me/permissions":
            status = {scope: "declined" if scope in self.declined else "granted" for scope in SCOPES}
            return {"data": [{"permission": scope, "status": given} for scope, given in status.items()]}
        if path == "me/accounts":
            return self._accounts(asked)
        return {"id": "42", "name": "Ada"}

    def _accounts(self, asked: dict[str, Any]) -> Any:
        """Two Pages a page, so that whoever asks must follow ``paging.next``."""
        by_page = {page: token for token, page in self.tokens.items()}
        start = int(asked.get("after", 0))
        pages = list(self.names)[start : start + 2]
        data = [
            {"id": page, "name": self.names[page], "access_token": by_page.get(page, "EAAreadOnly5")}
            | {"tasks": self.tasks[page], "username": "metrics", "category": "Media"}
            for page in pages
        ]
        paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(start + 2)}}
        if start + 2 < len(self.names):
            paging["next"] = f"{self.url}/{VERSION}/me/accounts?access_token={LONG_TOKEN}&limit=100&after={start + 2}"
        return {"data": data, "paging": paging}

    # Posts and photos

    def _post_feed(self, page: str, asked: dict[str, Any]) -> Any:
        attached = _listed(asked.get("attached_media", []))
        ids = [item["media_fbid"] for item in attached]
        unknown = [photo for photo in ids if photo not in self.photos or self.photos[photo]["page"] != page]
        text = str(asked.get("message", ""))
        if unknown:
            raise Refused(400, 100, "Invalid parameter")
        if not text.strip() and not ids and not asked.get("link"):
            raise Refused(400, 100, "Invalid parameter")
        if self.posts and (self.posts[-1]["message"], ids) == (text, []) and self.posts[-1]["page"] == page:
            raise Refused(400, 506, "Duplicate status message")
        post = f"{page}_{self._new()}"
        media = [{"media_type": "photo", "target": {"id": photo}} for photo in ids]
        if len(media) > 1:
            media = [{"media_type": "album", "target": {"id": post}, "subattachments": {"data": media}}]
        self.posts.append(
            {"id": post, "page": page, "message": text, "created_time": _now(), "attachments": {"data": media}}
        )
        alts = [self.photos[photo]["alt"] for photo in ids]
        sizes = [self.photos[photo]["size"] for photo in ids]
        self._accept(page, post, text, photos=ids, alts=alts, sizes=sizes, link=asked.get("link", ""))
        return self._shown(post, asked)

    def _post_photos(self, page: str, asked: dict[str, Any]) -> Any:
        if str(asked.get("published", "true")).lower() != "false":
            raise Refused(400, 100, "This site stages its photos first")
        source = asked.get("source")
        if not isinstance(source, bytes) or not source:
            raise Refused(400, 324, "Missing or invalid image file")
        photo = self._new()
        self.photos[photo] = {"page": page, "alt": asked.get("alt_text_custom", ""), "size": len(source)}
        return {"id": photo}

    def _get_published_posts(self, page: str, asked: dict[str, Any]) -> Any:
        if self.hidden:
            self.hidden -= 1
            return {"data": []}
        shown = [{name: post[name] for name in post if name != "page"} for post in self.posts if post["page"] == page]
        for post in shown:
            post["permalink_url"] = f"https://www.facebook.com/{page}/posts/{post['id'].split('_')[1]}"
        return {"data": shown[::-1][: int(asked.get("limit", 25))]}

    def _post_comments(self, node: str, asked: dict[str, Any]) -> Any:
        if node not in [post["id"] for post in self.posts] and node not in self.videos:
            raise Refused(400, 100, "Object does not exist", 33)
        comment = f"{node.rsplit('_', maxsplit=1)[-1]}_{self._new()}"
        page = PAGE if node in self.videos else node.split("_", maxsplit=1)[0]
        self.comments.setdefault(node, []).append(
            {"id": comment, "message": asked["message"], "created_time": _now(), "from": {"id": page, "name": "Us"}}
        )
        self._accept(page, comment, asked["message"], below=node)
        return {"id": comment}

    def _get_comments(self, node: str, asked: dict[str, Any]) -> Any:
        return {"data": self.comments.get(node, [])[::-1]}

    # Videos and reels

    def _post_videos(self, page: str, asked: dict[str, Any]) -> Any:
        phase = asked.get("upload_phase")
        if phase == "start":
            video, session = self._new(), self._new()
            self.videos[video] = self._started(page, "post", int(asked["file_size"])) | {"session": session}
            return {"upload_session_id": session, "video_id": video} | self._next_window(self.videos[video])
        found = [video for video, each in self.videos.items() if each.get("session") == asked.get("upload_session_id")]
        if not found:
            raise Refused(400, 6000, "There was a problem uploading your video file", 1363019)
        kept = self.videos[found[0]]
        if phase == "transfer":
            if int(asked["start_offset"]) != len(kept["body"]):
                window = self._next_window(kept)
                raise Refused(400, 6001, "Wrong offset", 1363037, error_data=window, is_transient=False)
            cut = self.cut_piece if kept["body"] else None
            if cut is not False:
                kept["body"] += asked["video_file_chunk"]
            if cut is not None:
                self.cut_piece = None
                return Answer(503, "<html>gone</html>")
            return self._next_window(kept)
        return self._finish(found[0], kept, asked)

    def _post_video_reels(self, page: str, asked: dict[str, Any]) -> Any:
        if asked["upload_phase"] == "start":
            video = self._new()
            self.videos[video] = self._started(page, "reel", 0)
            return {"video_id": video, "upload_url": f"{self.url}/video-upload/{VERSION}/{video}"}
        if asked.get("video_id") not in self.videos:
            raise Refused(400, 100, "Object does not exist", 33)
        assert asked["video_state"] == "PUBLISHED"
        return self._finish(asked["video_id"], self.videos[asked["video_id"]], asked)

    def _receive(self, seen: Seen, video: str) -> Any:
        """Take a reel's bytes: all from ``offset`` to the end, in one body."""
        if self.tokens.get(seen.headers.get("authorization", "").removeprefix("OAuth ")) is None:
            raise Refused(401, 190, "Error validating access token", 463)
        kept = self.videos.get(video)
        if kept is None:
            return _upload_fault(404, "ParameterValidationError", retriable=False)
        offset, size = int(seen.headers["offset"]), int(seen.headers["file_size"])
        if offset != len(kept["body"]):
            return _upload_fault(400, "OffsetInvalidError", retriable=True)
        kept["size"] = size
        if self.takes_bytes is not None:
            kept["body"] += seen.body[: self.takes_bytes]
            self.takes_bytes = None
            return _upload_fault(503, "PartialRequestError", retriable=True)
        kept["body"] += seen.body
        if len(kept["body"]) < size:
            return _upload_fault(400, "PartialRequestError", retriable=True)
        return {"success": True}

    def _started(self, page: str, kind: str, size: int) -> dict[str, Any]:
        return {"page": page, "kind": kind, "size": size, "body": b"", "finished": False, "looks": 0}

    def _next_window(self, kept: dict[str, Any]) -> dict[str, str]:
        start = len(kept["body"])
        size = max(CHUNK_BYTES, kept["size"] // 12)
        return {"start_offset": str(start), "end_offset": str(min(start + size, kept["size"]))}

    def _finish(self, video: str, kept: dict[str, Any], asked: dict[str, Any]) -> Any:
        if not kept["size"] or len(kept["body"]) < kept["size"]:
            raise Refused(400, 6000, "There was a problem uploading your video file", 1363019)
        if not kept["finished"]:
            kept["finished"] = True
            text, title = str(asked.get("description", "")), str(asked.get("title", ""))
            self._accept(kept["page"], video, text, video=kept["kind"], title=title, sizes=[kept["size"]])
        return {"success": True}

    def _video(self, video: str) -> dict[str, Any]:
        kept = self.videos[video]
        done = "completed" if self.other_spelling else "complete"
        counted = "bytes_transferred" if self.other_spelling else "bytes_transfered"
        sent = bool(kept["size"]) and len(kept["body"]) >= kept["size"]
        kept["looks"] += kept["finished"]
        ready = kept["finished"] and kept["looks"] > self.polls
        phases: dict[str, dict[str, Any]] = {
            "uploading_phase": {"status": done if sent else "in_progress", counted: len(kept["body"])},
            "processing_phase": {"status": done if ready else "in_progress" if kept["finished"] else "not_started"},
            "publishing_phase": {"status": done if ready else "not_started"},
        }
        if ready:
            phases["publishing_phase"] |= {"publish_status": "published", "publish_time": int(time.time())}
        status = "ready" if ready else "processing" if kept["finished"] else "uploading"
        if ready and self.failing_phase:
            error = {"message": "Video is too small"}
            wrong = {"errors": [error]} if self.other_spelling else {"error": error}
            phases[self.failing_phase] = {"status": "error"} | wrong
            status = "processing"
        if ready and self.ends_as:
            status, phases["publishing_phase"] = self.ends_as, {"status": "not_started"}
        shown: dict[str, Any] = {"id": video, "status": {"video_status": status, **phases}}
        if ready and status == "ready":
            link = f"/reel/{video}/" if kept["kind"] == "reel" else f"/{kept['page']}/videos/{video}/"
            shown.update(permalink_url=link, post_id="555", published=True)
        return shown

    # What all have

    def _new(self) -> str:
        self._number += 1
        return str(self._number)

    def _accept(self, page: str, key: str, text: str, **rest: Any) -> None:
        self.accept(platform="facebook", account=page, key=key, text=text, **rest)

    def _shown(self, post: str, asked: dict[str, Any]) -> dict[str, Any]:
        page, number = post.split("_")
        address = f"https://www.facebook.com/{page}/posts/{number}"
        return {"id": post} | ({"permalink_url": address} if "permalink_url" in asked.get("fields", "") else {})


def _listed(value: Any) -> list[Any]:
    return list(json.loads(value)) if isinstance(value, str) else list(value)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _upload_fault(status: int, kind: str, *, retriable: bool) -> Answer:
    return Answer(status, {"debug_info": {"retriable": retriable, "type": kind, "message": "Header Offset is wrong"}})


if __name__ == "__main__":
    serve(FakeFacebook)
