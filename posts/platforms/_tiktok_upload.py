"""One upload of a video to TikTok in chunks. What has begun an upload posts nothing; the last chunk does.

https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from posts.platforms._pieces import going_on
from posts.platforms._tiktok_api import HOSTS, STATUS, post, refusal
from posts.publishing.errors import PublishError, Temporary
from posts.publishing.http import Response, handed_out
from posts.publishing.platform import Checkpoints, Session
from posts.publishing.types import Body, Json, MediaFile

INIT = "/v2/post/publish/video/init/"

# Chunks have 5 to 64 MB, whether those are decimal or binary; the last one takes the remainder, up to 128 MB.
CHUNK_BYTES = 10_000_000
CHECKPOINT = "upload"
UNKNOWN = "tiktok.publish_unknown"
LIFETIME = timedelta(hours=1)
LIFETIME_MARGIN = timedelta(minutes=2)

COMPLETE = 201
INCOMPLETE = 206
GONE = (403, 404)  # the address has expired; there is no such upload
REFUSED = (400, 416)  # the chunk, or its place, is not what TikTok waits for


class Chunks(NamedTuple):
    """How a video is cut: ``number`` chunks of ``size_bytes``, the last one with what is left over."""

    size_bytes: int
    number: int

    @property
    def last_at(self) -> int:
        """Where the last chunk begins."""
        return self.size_bytes * (self.number - 1)


def chunks_of(total_bytes: int) -> Chunks:
    """Return how to cut a video: the number is the whole part of total by chunk, as TikTok reckons."""
    number = total_bytes // CHUNK_BYTES
    return Chunks(CHUNK_BYTES, number) if number > 1 else Chunks(total_bytes, 1)


def begin(session: Session, media: MediaFile, post_info: Json) -> Json:
    """Announce a video; return its publish id, the sealed address of its upload and when that ends."""
    chunks = chunks_of(media.size_bytes)
    source = {
        "source": "FILE_UPLOAD",
        "video_size": media.size_bytes,
        "chunk_size": chunks.size_bytes,
        "total_chunk_count": chunks.number,
    }
    ends_at = session.now() + LIFETIME - LIFETIME_MARGIN
    data, response = post(session, INIT, {"post_info": post_info, "source_info": source})
    publish_id, address = data.get("publish_id"), data.get("upload_url")
    if not (isinstance(publish_id, str) and publish_id and isinstance(address, str)):
        raise response.unusable("bad_answer")
    session.http.hide(address)
    if not handed_out(session.app, address, HOSTS):
        raise response.unusable("bad_answer")
    return {"publish_id": publish_id, "address": session.seal(address), "ends_at": ends_at.isoformat()}


def send_all_but_last(session: Session, media: MediaFile, start: Callable[[], Json], checkpoints: Checkpoints) -> Json:
    """Bring the upload to where only the last chunk is missing; return its publish id, address and what has arrived."""
    kept, offset = checkpoints.get(CHECKPOINT), 0
    if kept is not None:
        arrived = _resumed(session, kept, media.size_bytes)
        if arrived is None:
            checkpoints.forget(CHECKPOINT)
            kept = None
        else:
            offset = arrived
    if kept is None:
        kept = start()
        checkpoints.put(CHECKPOINT, kept)
    chunks, began_at = chunks_of(media.size_bytes), offset
    while offset < chunks.last_at:
        try:
            _send_chunk(session, kept["address"], media, offset, chunks.size_bytes)
        except PublishError as error:
            failure = going_on(error, progressed=offset > began_at)
        else:
            offset += chunks.size_bytes
            checkpoints.progress(offset, media.size_bytes, "uploaded")
            checkpoints.put(CHECKPOINT, {**kept, "offset": offset})
            continue
        raise failure
    return {"publish_id": kept["publish_id"], "address": kept["address"], "offset": offset}


def send(
    session: Session, sealed: str, media: MediaFile, offset: int, size_bytes: int, *, irreversible: bool = False
) -> Response:
    """Send ``size_bytes`` from ``offset``. The address is the login here: no token goes along."""
    url = handed_out(session.app, session.unseal(sealed), HOSTS)
    if not url:  # the site's settings have moved the API back
        raise Temporary("tiktok.upload_gone", restart=True)
    session.http.hide(url)
    headers = {
        "Content-Type": media.mime_type,
        "Content-Range": f"bytes {offset}-{offset + size_bytes - 1}/{media.size_bytes}",
    }
    body = Body(media.open, size_bytes, offset)
    return session.http.request("PUT", url, irreversible=irreversible, headers=headers, content=body)


def not_taken(session: Session, response: Response) -> PublishError:
    """Return what an answer to a chunk means that did not complete the upload."""
    if response.status == INCOMPLETE:
        return Temporary("tiktok.upload_incomplete", status_code=response.status)
    if response.status in GONE:
        return Temporary("tiktok.upload_gone", status_code=response.status, restart=True)
    if response.status in REFUSED:
        return Temporary("tiktok.upload_refused", status_code=response.status)
    return refusal(session, response)


def status_of(session: Session, publish_id: str) -> Json | None:
    """Ask what became of a publish id; ``None`` where TikTok does not know it, or not for this login."""
    try:
        return post(session, STATUS, {"publish_id": publish_id})[0]
    except Temporary as error:
        if error.code != UNKNOWN:
            raise
    return None


def arrived_of(status: Json, size_bytes: int) -> int | None:
    """Return how many bytes a status says have arrived: all, once TikTok works on them; ``None`` if it does not say.

    What is short of a whole chunk does not count, for a chunk is taken or not.
    """
    if status.get("status") != "PROCESSING_UPLOAD":
        return size_bytes
    uploaded = status.get("uploaded_bytes")
    if not isinstance(uploaded, int) or uploaded < 0:
        return None
    chunks = chunks_of(size_bytes)
    whole = uploaded // chunks.size_bytes * chunks.size_bytes
    return size_bytes if uploaded >= size_bytes else min(whole, chunks.last_at)


def _resumed(session: Session, kept: Json, size_bytes: int) -> int | None:
    """Return how much of an upload has arrived, ``None`` where it has to be begun anew."""
    if session.now() >= datetime.fromisoformat(kept["ends_at"]):
        return None
    status = status_of(session, kept["publish_id"])
    if status is None:
        return None
    arrived = arrived_of(status, size_bytes)
    return int(kept.get("offset", 0)) if arrived is None else arrived


def _send_chunk(session: Session, sealed: str, media: MediaFile, offset: int, size_bytes: int) -> None:
    """Send a chunk that is not the last one."""
    response = send(session, sealed, media, offset, size_bytes)
    if response.status != INCOMPLETE:
        raise not_taken(session, response)
