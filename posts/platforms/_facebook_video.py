"""Videos and reels of Facebook: uploads that can be taken up again, and what became of them.

Both are named by a video id from the first call on, so that nothing about them has to be guessed later. A video goes in
pieces whose bounds the server says; a reel in one body from an offset on, which is short only where the line broke.
https://developers.facebook.com/docs/video-api/guides/reels-publishing and …/docs/graph-api/reference/page/videos
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, BinaryIO, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from posts.platforms._facebook_posts import SITE
from posts.platforms._graph import Graph, fault_of
from posts.publishing.errors import PublishError, Temporary
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Session
from posts.publishing.types import Body, Json, MediaFile, Published

VIDEO_HOST = "https://graph-video.facebook.com"
UPLOAD_HOSTS = (".facebook.com", ".fbcdn.net")
CHECKPOINT = "video"
WRONG_OFFSET = 1363037  # the answer says where to go on; Meta's own SDK does so
# Words in which documentation and live answers differ.
COMPLETE = ("complete", "completed")
BYTES_SENT = ("bytes_transfered", "bytes_transferred")
FAILED = ("error", "upload_failed", "expired")
PHASES = ("uploading_phase", "processing_phase", "publishing_phase")
STATUS_FIELDS = "status,published,permalink_url,post_id"

State = Literal["uploading", "working", "live", "failed"]


class Video(NamedTuple):
    """What Facebook says of a video. ``uploading`` may also be one that waits to be finished."""

    state: State
    answer: Json
    detail: str = ""
    sent_bytes: int = 0


def upload(graph: Graph, session: Session, media: MediaFile, checkpoints: Checkpoints, *, reel: bool) -> Json:
    """Send a video whole; return its ``id`` and, for an ordinary one, the upload's ``session``."""
    return (_reel if reel else _video)(graph, session, media, checkpoints)


def finish(graph: Graph, session: Session, snapshot: Json) -> Published:
    """Publish what was sent, with the one call that ends its upload. Facebook goes on working on it."""
    page, video = session.config["page_id"], snapshot["video"]
    sent = {"upload_phase": "finish", "description": snapshot["text"], "title": snapshot["title"]}
    if snapshot["kind"] == "reel":
        url = graph.url(session, f"{page}/video_reels")
        sent |= {"video_id": video["id"], "video_state": "PUBLISHED"}
    else:
        url = _videos_url(graph, session)
        sent |= {"upload_session_id": video["session"]}
    sent = {name: value for name, value in sent.items() if value}
    response = graph.call(session, "POST", "", url=url, data=sent, irreversible=True)
    if response.json().get("success") is not True:
        raise response.unusable("bad_answer")
    return taken(session, snapshot)


def taken(session: Session, snapshot: Json) -> Published:
    """Return the video of ``snapshot`` as one that Facebook has and still works on."""
    page, video = session.config["page_id"], snapshot["video"]["id"]
    url = f"{SITE}/reel/{video}" if snapshot["kind"] == "reel" else f"{SITE}/{page}/videos/{video}"
    return Published(video, url, {"id": video}, settled=False)


def look(graph: Graph, session: Session, video_id: str) -> Video:
    """Ask what became of a video."""
    answer = graph.get(session, video_id, {"fields": STATUS_FIELDS}).json()
    status = _object(answer.get("status"))
    phases = {name: _object(status.get(name)) for name in PHASES}
    publishing = phases["publishing_phase"]
    sent = next((phases["uploading_phase"][name] for name in BYTES_SENT if name in phases["uploading_phase"]), 0)
    wrong = [phase for phase in phases.values() if phase.get("status") == "error"]
    if wrong or status.get("video_status") in FAILED:
        return Video("failed", answer, session.http.redact(_reason(wrong)))
    if publishing:
        live = publishing.get("status") in COMPLETE and publishing.get("publish_status", "published") == "published"
        taken = publishing.get("status") not in (None, "not_started")
    else:
        live, taken = status.get("video_status") == "ready" and answer.get("published") is not False, False
    return Video("live" if live else "working" if taken else "uploading", answer, "", _whole(sent) or 0)


def _reel(graph: Graph, session: Session, media: MediaFile, checkpoints: Checkpoints) -> Json:
    started, sent = checkpoints.get(CHECKPOINT), 0
    if started is None:
        answer = graph.post(session, f"{session.config['page_id']}/video_reels", {"upload_phase": "start"})
        started = {"id": _text(answer, "video_id"), "url": _upload_url(session, answer), "sent": False}
        checkpoints.put(CHECKPOINT, started)
    elif not started["sent"]:
        sent = _sent_bytes(graph, session, started["id"])
    while not started["sent"] and sent < media.size_bytes:
        try:
            _send_rest(graph, session, started["url"], media, sent)
            break
        except Temporary as fault:
            now = sent if fault.restart else _sent_bytes(graph, session, started["id"])
            if now == sent:
                raise
            sent = now  # the line is poor, but the file gets on
            checkpoints.progress(sent, media.size_bytes, "uploaded")
    checkpoints.progress(media.size_bytes, media.size_bytes, "uploaded")
    checkpoints.put(CHECKPOINT, {**started, "sent": True})
    return {"id": started["id"]}


def _send_rest(graph: Graph, session: Session, url: str, media: MediaFile, offset: int) -> None:
    """Send a reel's bytes from ``offset`` to the end."""
    headers = {
        "Authorization": f"OAuth {session.credentials['access_token']}",
        "offset": str(offset),
        "file_size": str(media.size_bytes),
        "Content-Type": "application/octet-stream",
    }
    body = Body(media.open, media.size_bytes - offset, offset)
    response = session.http.request("POST", url, headers=headers, content=body)
    trouble = _object(response.json_or_empty().get("debug_info"))
    detail = session.http.redact(f"{trouble.get('type')}: {trouble.get('message')}")
    if trouble.get("type") in ("ProcessingFailedError", "ParameterValidationError"):
        raise Temporary("facebook.upload_failed", restart=True, detail=detail, status_code=response.status)
    if trouble:
        raise response.unusable("facebook.upload_cut", detail=detail)
    if response.status != 200:
        raise graph.refusal(session, response)
    if response.json().get("success") is not True:
        raise response.unusable("bad_answer")


def _sent_bytes(graph: Graph, session: Session, video_id: str) -> int:
    """Return how much of a reel has arrived. Where its upload is over or unknown there, it begins anew."""
    try:
        video = look(graph, session, video_id)
    except Temporary as fault:
        if fault.code != "facebook.unreadable":
            raise
        video = Video("failed", {}, fault.detail)
    if video.state == "failed":
        raise Temporary("facebook.upload_failed", restart=True, detail=video.detail)
    return video.sent_bytes


def _video(graph: Graph, session: Session, media: MediaFile, checkpoints: Checkpoints) -> Json:
    url = _videos_url(graph, session)
    state = checkpoints.get(CHECKPOINT)
    if state is None:
        asked = {"upload_phase": "start", "file_size": str(media.size_bytes)}
        answer = graph.call(session, "POST", "", url=url, data=asked)
        start, end = _window(answer, answer.json())
        state = {"id": _text(answer, "video_id"), "session": _text(answer, "upload_session_id")}
        state |= {"start": start, "end": end}
        checkpoints.put(CHECKPOINT, state)
    while state["start"] < state["end"]:
        start, end = _send_piece(graph, session, url, media, state)
        state = {**state, "start": start, "end": end}
        checkpoints.put(CHECKPOINT, state)
        checkpoints.progress(start, media.size_bytes, "uploaded")
    return {"id": state["id"], "session": state["session"]}


def _send_piece(graph: Graph, session: Session, url: str, media: MediaFile, state: Json) -> tuple[int, int]:
    """Send the bytes that the server wants next; return which it wants after them."""
    data = {
        "upload_phase": "transfer",
        "upload_session_id": state["session"],
        "start_offset": str(state["start"]),
    }
    headers = {"Authorization": f"Bearer {session.credentials['access_token']}"}
    with _Piece(opened(media), state["start"], state["end"] - state["start"]) as piece:
        files = {"video_file_chunk": (media.filename, cast(BinaryIO, piece), "application/octet-stream")}
        response = session.http.request("POST", url, headers=headers, data=data, files=files)
    fault = fault_of(response)
    if fault is not None and fault.subcode == WRONG_OFFSET:
        window = _window(response, _error_data(response))
    elif response.status == 200:
        window = _window(response, response.json())
    else:
        raise _upload_refusal(graph, session, response)
    if window[0] == state["start"]:
        raise response.unusable("bad_answer")  # it would go round for ever
    return window


def _upload_refusal(graph: Graph, session: Session, response: Response) -> PublishError:
    """Sort a refusal of a piece. A problem with the file is here one with the upload: the session may be over."""
    error = graph.refusal(session, response)
    if error.code != "facebook.video_refused":
        return error
    return Temporary("facebook.upload_failed", restart=True, detail=error.detail, status_code=error.status_code)


def opened(media: MediaFile) -> BinaryIO:
    """Open a file to be sent in a form."""
    try:
        return media.open()
    except OSError:
        failure = Temporary("media_unreadable")
    raise failure


class _Piece(io.RawIOBase):
    """``size_bytes`` of a stream from ``start``, as a file of its own, which closes the stream with it."""

    def __init__(self, stream: BinaryIO, start: int, size_bytes: int) -> None:
        self._stream, self._start, self._size_bytes, self._at = stream, start, size_bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._stream.seek(self._start + self._at)
        read = self._stream.read(min(len(buffer), max(0, self._size_bytes - self._at)))
        buffer[: len(read)] = read
        self._at += len(read)
        return len(read)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _videos_url(graph: Graph, session: Session) -> str:
    return f"{session.app.api(VIDEO_HOST)}/{graph.version}/{session.config['page_id']}/videos"


def _upload_url(session: Session, response: Response) -> str:
    """Return where a reel's bytes go, if that is Facebook's: the Page's token goes there too."""
    url = _text(response, "upload_url")
    parts = urlsplit(url)
    if session.app.api_base:
        mine = urlsplit(session.app.api_base)
        known = (parts.scheme, parts.netloc) == (mine.scheme, mine.netloc)
    else:
        known = parts.scheme == "https" and f".{parts.hostname}".endswith(UPLOAD_HOSTS)
    if not known:
        raise response.unusable("bad_answer")
    return url


def _window(response: Response, answer: Mapping[str, Any]) -> tuple[int, int]:
    start, end = _whole(answer.get("start_offset")), _whole(answer.get("end_offset"))
    if start is None or end is None or start > end:
        raise response.unusable("bad_answer")
    return start, end


def _error_data(response: Response) -> Json:
    """Return ``error_data`` of a refusal, which is JSON or a text of JSON."""
    data = _object(response.json_or_empty().get("error")).get("error_data")
    try:
        return _object(json.loads(data) if isinstance(data, str) else data)
    except (ValueError, RecursionError):
        return {}


def _reason(phases: list[Json]) -> str:
    errors = [phase.get("error") or phase.get("errors") for phase in phases]
    first = [error[0] if isinstance(error, list) and error else error for error in errors]
    return "; ".join(str(_object(error).get("message", "")) for error in first if error)


def _text(response: Response, name: str) -> str:
    value = response.json().get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        raise response.unusable("bad_answer")
    return str(value)


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    """Return a number of bytes, which the API writes as a number or as text."""
    return int(value) if isinstance(value, int | str) and str(value).isascii() and str(value).isdigit() else None
