"""One resumable upload: its session, its pieces, how much of it has arrived.

The session's address is the key of the upload: one session makes one video at most, however often its last piece is
sent, and asking it tells what became of it. It needs to be kept secret.
https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol
"""

from __future__ import annotations

import re
from collections.abc import Callable

from posts.platforms._pieces import going_on
from posts.platforms._youtube_api import HOSTS, authorized, call, refusal
from posts.publishing.errors import PublishError, Temporary
from posts.publishing.http import Response, handed_out
from posts.publishing.platform import Checkpoints, Session
from posts.publishing.types import Body, Json, MediaFile

START = "/upload/youtube/v3/videos"
PIECE_BYTES = 32 * 262_144  # a multiple of 256 KiB, as all pieces but the last have to be
CHECKPOINT = "upload"

CREATED = (200, 201)
INCOMPLETE = 308  # no redirect here: more bytes are wanted
GONE = (404, 410)
STORED = re.compile(r"bytes=0-([0-9]{1,15})")


def begin(session: Session, media: MediaFile, video: Json, *, notify: bool) -> str:
    """Start a session for ``video`` (the resource) and return its address. Creates nothing that anybody sees."""
    is_video = media.mime_type.startswith("video/")
    headers = {
        "X-Upload-Content-Length": str(media.size_bytes),
        "X-Upload-Content-Type": media.mime_type if is_video else "application/octet-stream",
    }
    params = {"uploadType": "resumable", "part": ",".join(video)}
    if not notify:
        params["notifySubscribers"] = "false"
    response = call(session, "POST", START, headers=headers, params=params, json=video)
    if response.status != 200:
        raise refusal(session, response)
    address = response.headers.get("location", "")
    session.http.hide(address)
    if not handed_out(session.app, address, HOSTS):
        raise response.unusable("bad_answer")
    return address


def send_all_but_last(session: Session, media: MediaFile, start: Callable[[], str], checkpoints: Checkpoints) -> Json:
    """Bring the upload to where only the last piece is missing; return its sealed address and how much has arrived."""
    kept, offset = checkpoints.get(CHECKPOINT), 0
    if kept is not None:
        arrived = _arrived(session, session.unseal(kept["address"]), media.size_bytes)
        if arrived is None:
            checkpoints.forget(CHECKPOINT)
            kept = None
        else:
            offset = arrived
    if kept is None:
        kept = {"address": session.seal(start())}
        checkpoints.put(CHECKPOINT, kept)
    address, began_at = session.unseal(kept["address"]), offset
    while media.size_bytes - offset > PIECE_BYTES:
        try:
            offset = _send_piece(session, address, media, offset)
        except PublishError as error:
            failure = going_on(error, progressed=offset > began_at)
        else:
            checkpoints.progress(offset, media.size_bytes, "uploaded")
            checkpoints.put(CHECKPOINT, {**kept, "offset": offset})
            continue
        raise failure
    return {"address": kept["address"], "offset": offset}


def send(
    session: Session, address: str, media: MediaFile, offset: int, size_bytes: int, *, irreversible: bool = False
) -> Response:
    """Send ``size_bytes`` of the file from ``offset``; at least one."""
    headers = {
        "Content-Type": media.mime_type,
        "Content-Range": f"bytes {offset}-{offset + size_bytes - 1}/{media.size_bytes}",
    }
    body = Body(media.open, size_bytes, offset)
    return _put(session, address, headers, body, irreversible=irreversible)


def ask(session: Session, address: str, size_bytes: int) -> Response:
    """Ask what became of a session: 308 while bytes are missing, else its final answer again, 404 or 410 if gone."""
    return _put(session, address, {"Content-Range": f"bytes */{size_bytes}", "Content-Length": "0"}, b"")


def stored(response: Response, size_bytes: int) -> int:
    """Return how many bytes a 308 says have arrived: none where it has no ``Range``."""
    found = STORED.fullmatch(response.headers.get("range", "").strip())
    return min(int(found[1]) + 1, size_bytes) if found else 0


def not_taken(session: Session, response: Response) -> PublishError:
    """Return what an answer to a piece means that is no video: nothing was published, unless it is unexplained."""
    if response.status == INCOMPLETE:
        return Temporary("youtube.upload_incomplete", status_code=response.status)
    if response.status in GONE:
        return Temporary("youtube.session_gone", status_code=response.status, restart=True)
    return refusal(session, response)


def _send_piece(session: Session, address: str, media: MediaFile, offset: int) -> int:
    """Send a piece that is not the last one; return how much has arrived, more than before."""
    response = send(session, address, media, offset, PIECE_BYTES)
    arrived = stored(response, media.size_bytes) if response.status == INCOMPLETE else offset
    if arrived <= offset:
        raise not_taken(session, response)
    return arrived


def _arrived(session: Session, address: str, size_bytes: int) -> int | None:
    """Return how much of a session's file has arrived, ``None`` where the session takes nothing more."""
    response = ask(session, address, size_bytes)
    if response.status == INCOMPLETE:
        return stored(response, size_bytes)
    if response.status in CREATED:
        return size_bytes  # the video is there; asking again gives its id
    if response.status in (401, 408, 429) or response.status >= 500:
        raise refusal(session, response)
    return None


def _put(
    session: Session, address: str, headers: dict[str, str], body: bytes | Body, *, irreversible: bool = False
) -> Response:
    url = handed_out(session.app, address, HOSTS)
    if not url:  # the site's settings have moved the API back
        raise Temporary("youtube.session_gone", restart=True)
    headers = {**headers, **authorized(session)}
    return session.http.request("PUT", url, irreversible=irreversible, headers=headers, content=body)
