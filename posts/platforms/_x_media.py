"""Getting files to X: pictures in one call, animations and films in segments, alt texts beside them.

Every step is checkpointed; a film is taken up again at its next segment. A media id can be used for a day.
https://docs.x.com/x-api/media/quickstart
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from posts.platforms._x_refusals import refusal
from posts.publishing.errors import ContentRejected, NotReady
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Session
from posts.publishing.types import Json, MediaFile

API = "https://api.x.com"
SEGMENT_BYTES = 4 * 1024 * 1024  # at most 1,000 of them, so four gigabytes
MEDIA_USABLE = timedelta(hours=23)  # X keeps a media id for 24 hours after its upload
CHECK_AFTER_SECONDS = 5.0  # where X names no time
CHECK_AFTER_MOST_SECONDS = 600.0
CATEGORIES = {"image": "tweet_image", "gif": "tweet_gif", "video": "tweet_video"}


def read(session: Session, method: str, path: str, *, place: str = "", **sent: Any) -> Json:
    """Call the API with the account's token; return the answer's JSON, else raise what it means."""
    return _accepted(session, path, place, ask(session, method, path, **sent)).json()


def made(session: Session, method: str, path: str, *, place: str = "", **sent: Any) -> Json:
    """Call the API; return the ``data`` of the answer, which has an ``id``."""
    response = _accepted(session, path, place, ask(session, method, path, **sent))
    return data_of(response)


def data_of(response: Response) -> Json:
    """Return the ``data`` of a success, which has an ``id``; raise ``bad_answer`` where there is none."""
    data = response.json().get("data")
    if not isinstance(data, dict) or not isinstance(data.get("id"), str) or not data["id"].isdecimal():
        raise response.unusable("bad_answer")
    return data


def _accepted(session: Session, path: str, place: str, response: Response) -> Response:
    if response.status not in (200, 201):
        raise refusal(session, response, place or path[path.rindex("/") :])
    return response


def ask(session: Session, method: str, path: str, **sent: Any) -> Response:
    """Send one request with the account's token; return the answer whatever it is."""
    headers = {"Authorization": f"Bearer {session.credentials['access_token']}"}
    return session.http.request(method, session.app.api(API) + path, headers=headers, **sent)


def uploaded(session: Session, media: MediaFile, checkpoints: Checkpoints) -> Json:
    """Upload one file with its alt text, or go on with that; return its ``id`` and ``at``, when X had it whole.

    Raises NotReady while X works on it, ContentRejected where X cannot.
    """
    names = [f"{step}:{media.key}" for step in ("begun", "sent", "media", "ready", "alt")]
    _forget_what_is_old(session, checkpoints, names)
    if media.kind == "image":
        known = checkpoints.once(f"media:{media.key}", partial(_picture, session, media))
    else:
        known = _film(session, media, checkpoints, names)
    if media.alt_text and media.kind != "video":
        checkpoints.once(f"alt:{media.key}", partial(_describe, session, str(known["id"]), media.alt_text))
    return known


def _forget_what_is_old(session: Session, checkpoints: Checkpoints, names: list[str]) -> None:
    known = [checkpoints.get(name) for name in names]
    times = [datetime.fromisoformat(step["at"]) for step in known if step and "at" in step]
    if any(at + MEDIA_USABLE < session.now() for at in times):
        checkpoints.forget(*names)


def _picture(session: Session, media: MediaFile) -> Json:
    data, files = {"media_category": CATEGORIES[media.kind]}, {"media": (media.filename, media.read(), media.mime_type)}
    return _stamped(session, made(session, "POST", "/2/media/upload", data=data, files=files))


def _film(session: Session, media: MediaFile, checkpoints: Checkpoints, names: list[str]) -> Json:
    """Send a film or an animation: begin, one segment after the other, finish, then wait until X has processed it."""
    begun = checkpoints.once(f"begun:{media.key}", partial(_begin, session, media))
    path = f"/2/media/upload/{begun['id']}"
    known = checkpoints.get(f"media:{media.key}")
    if known is None:
        _send_segments(session, media, checkpoints, path)
        finished = made(session, "POST", f"{path}/finalize")
        known = _stamped(session, finished)
        checkpoints.put(f"media:{media.key}", known)
        info = _processing(finished)
    elif checkpoints.get(f"ready:{media.key}") is None:
        asked = {"command": "STATUS", "media_id": str(begun["id"])}
        info = _processing(made(session, "GET", "/2/media/upload", place="/status", params=asked))
    else:
        return known
    _require_ready(session, info, checkpoints, names)
    checkpoints.put(f"ready:{media.key}", {"ready": True})
    return known


def _begin(session: Session, media: MediaFile) -> Json:
    body = {
        "media_type": media.mime_type,
        "total_bytes": media.size_bytes,
        "media_category": CATEGORIES[media.kind],
    }
    return _stamped(session, made(session, "POST", "/2/media/upload/initialize", json=body))


def _send_segments(session: Session, media: MediaFile, checkpoints: Checkpoints, path: str) -> None:
    name = f"sent:{media.key}"
    first = int((checkpoints.get(name) or {}).get("segments", 0))
    segments = -(-media.size_bytes // SEGMENT_BYTES)
    for number in range(first, segments):
        piece = media.piece(number * SEGMENT_BYTES, SEGMENT_BYTES)
        files = {"media": (media.filename, piece, "application/octet-stream")}
        response = ask(session, "POST", f"{path}/append", data={"segment_index": str(number)}, files=files)
        if not 200 <= response.status < 300:  # some answers are empty
            raise refusal(session, response, "/append")
        checkpoints.progress(min((number + 1) * SEGMENT_BYTES, media.size_bytes), media.size_bytes, "uploaded")
        checkpoints.put(name, {"segments": number + 1})


def _require_ready(session: Session, info: Json, checkpoints: Checkpoints, names: list[str]) -> None:
    state = info.get("state")
    if state == "failed":
        checkpoints.forget(*names)
        error = info.get("error")
        said = str(error.get("message", "")) if isinstance(error, dict) else ""
        raise ContentRejected("x.media_failed", field="media", detail=session.http.redact(said))
    if state in ("pending", "in_progress"):
        wait = info.get("check_after_secs")
        seconds = float(wait) if isinstance(wait, int | float) and wait > 0 else CHECK_AFTER_SECONDS
        raise NotReady("media_processing", check_after_seconds=min(seconds, CHECK_AFTER_MOST_SECONDS))


def _describe(session: Session, media_id: str, alt_text: str) -> Json:
    body = {"id": media_id, "metadata": {"alt_text": {"text": alt_text}}}
    read(session, "POST", "/2/media/metadata", json=body)
    return {"described": True}


def _processing(data: Json) -> Json:
    """Return what an answer says of the processing; nothing if there is none, as for what needs none."""
    info = data.get("processing_info")
    return info if isinstance(info, dict) else {}


def _stamped(session: Session, data: Json) -> Json:
    return {"id": data["id"], "at": session.now().isoformat()}
