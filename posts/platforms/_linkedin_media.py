"""Files on their way to LinkedIn: pictures and documents in one go, videos in the parts that it asks for.

Repeatable; every finished step is a checkpoint, and the signed addresses of a video's parts are sealed in theirs.
https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/videos-api and images-api
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from posts.platforms._linkedin_api import call, is_own, of_urn, refusal
from posts.publishing.errors import ContentRejected, NotReady, Temporary
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Session
from posts.publishing.types import Body, Json, MediaFile, MediaKind

UPLOAD_MARGIN = timedelta(minutes=1)  # an address that ends sooner is not begun with


class Shelf(NamedTuple):
    """Where files of a kind go, the name of their URN in answers, how often to look, and how long to wait blindly.

    ``member_may_look``: LinkedIn shows the state to members too; else only organisations can read it.
    """

    path: str
    name: str
    check_seconds: float
    blind_seconds: float
    member_may_look: bool = False


PICTURES = Shelf("/rest/images", "image", 10, 10)
SHELVES: dict[MediaKind, Shelf] = {
    "image": PICTURES,
    "gif": PICTURES,
    "document": Shelf("/rest/documents", "document", 15, 20),
    "video": Shelf("/rest/videos", "video", 15, 60, member_may_look=True),
}
STILL_AT_WORK = ("WAITING_UPLOAD", "PROCESSING")


def uploaded(session: Session, files: Sequence[MediaFile], checkpoints: Checkpoints) -> list[str]:
    """Return the URNs of ``files`` once LinkedIn can show all of them; raises NotReady while it cannot."""
    stored = []
    for media in files:
        send = _video if media.kind == "video" else _whole
        stored.append(checkpoints.once(_name(media), partial(send, session, media, checkpoints)))
    waiting = [
        SHELVES[media.kind].check_seconds
        for media, upload in zip(files, stored, strict=True)
        if not _is_ready(session, media, upload, checkpoints)
    ]
    if waiting:
        raise NotReady("media_processing", check_after_seconds=max(waiting))
    return [str(upload["urn"]) for upload in stored]


def _is_ready(session: Session, media: MediaFile, upload: Json, checkpoints: Checkpoints) -> bool:
    shelf, name = SHELVES[media.kind], _name(media)
    if checkpoints.get(f"{name}:ready"):
        return True
    state, reason = "", ""
    if shelf.member_may_look or session.config.get("kind") == "organization":
        state, reason = _state(session, shelf, str(upload["urn"]))
    if state == "PROCESSING_FAILED":
        checkpoints.forget(name, f"{name}:begun", f"{name}:parts")
        raise ContentRejected("linkedin.media_failed", field="media", detail=reason)
    since = session.now() - datetime.fromisoformat(str(upload["at"]))
    if state in STILL_AT_WORK or (not state and since < timedelta(seconds=shelf.blind_seconds)):
        return False
    checkpoints.put(f"{name}:ready", {"state": state})
    return True


def _state(session: Session, shelf: Shelf, urn: str) -> tuple[str, str]:
    """Return a file's state and why it failed; "" where the account may not look."""
    response = call(session, "GET", of_urn(shelf.path, urn))
    if response.status == 403:
        return "", ""
    if response.status != 200:
        raise refusal(session, response)
    answer = response.json()
    return str(answer.get("status", "")), session.http.redact(str(answer.get("processingFailureReason") or ""))


def _whole(session: Session, media: MediaFile, checkpoints: Checkpoints) -> Json:
    """Send a picture or a document with one PUT, which unlike a video's parts needs the login."""
    shelf = SHELVES[media.kind]
    response, value = _begin(session, shelf, {})
    urn, url = value.get(shelf.name), value.get("uploadUrl")
    if not isinstance(urn, str) or not is_own(session, url):
        raise response.unusable("bad_answer")
    headers = {"Content-Type": media.mime_type, "Authorization": f"Bearer {session.credentials['access_token']}"}
    _put(session, str(url), Body(media.open, media.size_bytes), headers)
    checkpoints.progress(media.size_bytes, media.size_bytes, "uploaded")
    return {"urn": urn, "at": session.now().isoformat()}


def _video(session: Session, media: MediaFile, checkpoints: Checkpoints) -> Json:
    name = _name(media)
    begun = checkpoints.get(f"{name}:begun")
    if begun is None or session.now() > datetime.fromisoformat(str(begun["until"])) - UPLOAD_MARGIN:
        begun = _begin_video(session, media)
        checkpoints.forget(f"{name}:parts")
        checkpoints.put(f"{name}:begun", begun)
    plan = json.loads(session.unseal(begun["plan"]))
    etags = list((checkpoints.get(f"{name}:parts") or {"etags": []})["etags"])
    for url, first, last in plan["parts"][len(etags) :]:
        piece = Body(media.open, last - first + 1, first)
        answer = _put(session, url, piece, {"Content-Type": "application/octet-stream"})
        etag = answer.headers.get("etag", "").strip('"')
        if not etag:
            raise answer.unusable("bad_answer")
        etags.append(etag)
        checkpoints.put(f"{name}:parts", {"etags": etags})
        checkpoints.progress(last + 1, media.size_bytes, "uploaded")
    finished = {"video": begun["urn"], "uploadToken": plan["token"], "uploadedPartIds": etags}
    shelf = SHELVES[media.kind]
    body = {"finalizeUploadRequest": finished}
    response = call(session, "POST", shelf.path, params={"action": "finalizeUpload"}, json=body)
    if not 200 <= response.status < 300:
        raise refusal(session, response)
    return {"urn": begun["urn"], "at": session.now().isoformat()}


def _begin_video(session: Session, media: MediaFile) -> Json:
    """Ask for an upload; keep its URN, its sealed addresses and their end."""
    asked = {"fileSizeBytes": media.size_bytes, "uploadCaptions": False, "uploadThumbnail": False}
    response, value = _begin(session, SHELVES[media.kind], asked)
    parts = _parts(session, value.get("uploadInstructions"), media.size_bytes)
    urn = value.get("video")
    if not isinstance(urn, str) or not parts:
        raise response.unusable("bad_answer")
    session.http.hide(*(url for url, _first, _last in parts))
    plan = {"token": str(value.get("uploadToken") or ""), "parts": parts}
    ends_at = session.now() + timedelta(hours=1)  # where no end is given
    milliseconds = value.get("uploadUrlsExpireAt")
    if isinstance(milliseconds, int) and 0 < milliseconds < 1 << 43:
        ends_at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return {"urn": urn, "plan": session.seal(json.dumps(plan)), "until": ends_at.isoformat()}


def _parts(session: Session, instructions: object, size_bytes: int) -> list[tuple[str, int, int]]:
    """Return (address, first byte, last byte) of each part, nothing if they are not the whole file in order."""
    parts: list[tuple[str, int, int]] = []
    expected = 0
    for each in instructions if isinstance(instructions, list) else ():
        url, first, last = (each.get(key) for key in ("uploadUrl", "firstByte", "lastByte"))
        if not is_own(session, url) or first != expected or not isinstance(last, int) or last < first:
            return []
        parts.append((str(url), expected, last))
        expected = last + 1
    return parts if expected == size_bytes else []


def _begin(session: Session, shelf: Shelf, asked: Json) -> tuple[Response, Json]:
    body = {"initializeUploadRequest": {"owner": session.config["author"], **asked}}
    response = call(session, "POST", shelf.path, params={"action": "initializeUpload"}, json=body)
    if response.status != 200:
        raise refusal(session, response)
    value = response.json().get("value")
    if not isinstance(value, dict):
        raise response.unusable("bad_answer")
    return response, value


def _put(session: Session, url: str, body: Body, headers: dict[str, str]) -> Response:
    """Send bytes to an address that LinkedIn handed out. It ends some day; then the upload is begun anew."""
    session.http.hide(url)
    response = session.http.request("PUT", url, headers=headers, content=body)
    if 200 <= response.status < 300:
        return response
    if response.status in (400, 403, 404, 410):
        raise Temporary("linkedin.upload_over", restart=True, status_code=response.status)
    raise refusal(session, response)


def _name(media: MediaFile) -> str:
    return f"{media.kind}:{media.key}"
