"""What became of a post on TikTok: taken, posted, dropped, or to be looked up after silence."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from posts.platforms import _tiktok_upload as upload
from posts.platforms._tiktok_api import failed, post
from posts.platforms._tiktok_post import PUBLIC
from posts.publishing.errors import NotReady
from posts.publishing.platform import Session
from posts.publishing.types import CannotTell, Finding, Found, Json, Published

VIDEO_LIST = "/v2/video/list/"

USERNAME = re.compile(r"[A-Za-z0-9_.]{1,64}")
CLOCK_SKEW = timedelta(minutes=2)
SHORTEST_PREFIX = 100  # captions come back cut to about 150 characters
ID_WAIT = timedelta(hours=1)  # moderation usually takes a minute; the link is not worth waiting for longer
POLL_SHORTEST_SECONDS, POLL_LONGEST_SECONDS = 10.0, 120.0


def taken(session: Session, snapshot: Json, publish_id: str) -> Published:
    """Return a post that TikTok has taken and still works on; it keeps all that settling it needs."""
    kept = {name: snapshot[name] for name in ("kind", "privacy")}
    kept |= {"publish_id": publish_id, "sent_at": session.now().isoformat()}
    return Published(publish_id, "", kept, settled=False)


def settled(session: Session, published: Published) -> Published:
    """Return the post once it is live; raise NotReady before, and what it means if TikTok has dropped it."""
    kept = published.response
    age = session.now() - datetime.fromisoformat(kept["sent_at"])
    wait = min(max(POLL_SHORTEST_SECONDS, age.total_seconds() / 5), POLL_LONGEST_SECONDS)
    status = upload.status_of(session, kept["publish_id"])
    if status is None:
        raise NotReady(upload.UNKNOWN, check_after_seconds=wait)
    state, post_id = status.get("status"), _post_id(status)
    if state == "FAILED":
        raise failed(session, str(status.get("fail_reason", "")))
    waits_for_id = kept["privacy"] == PUBLIC and not post_id and age < ID_WAIT
    if state != "SEND_TO_USER_INBOX" and (state != "PUBLISH_COMPLETE" or waits_for_id):
        raise NotReady("platform_processing", check_after_seconds=wait)
    return replace(
        published,
        id=post_id or published.id,
        url=_address(session, kept["kind"], post_id),
        response={**kept, "status": state},
        settled=True,
    )


def find_photos(session: Session, snapshot: Json, marked_at: datetime) -> Finding:
    """Look for the one public post since the mark whose caption begins the text, or is it."""
    if not session.config.get("can_list"):
        return CannotTell("tiktok.cannot_list")
    if snapshot["privacy"] != PUBLIC or not snapshot["text"].strip():
        return CannotTell("tiktok.not_listed")
    params = {"fields": "id,title,video_description,create_time,share_url"}
    data, _ = post(session, VIDEO_LIST, {"max_count": 20}, params=params)
    listed = data.get("videos")
    found = [
        video
        for video in (listed if isinstance(listed, list) else [])
        if isinstance(video, dict) and _is_it(video, snapshot["text"], marked_at)
    ]
    if len(found) != 1:
        return CannotTell("tiktok.not_listed", look_again=not found)
    post_id, shared = str(found[0].get("id", "")), str(found[0].get("share_url", ""))
    url = shared if _is_tiktok(shared) else _address(session, "photos", post_id)
    return Found(Published(post_id, url, {"found_in": "video.list"}))


def _post_id(status: Json) -> str:
    """Return the id of the live post, "" where there is none (yet).

    Private posts never get one, public ones once they are moderated. The field's name is spelt so; ids have 64 bits.
    """
    ids = status.get("publicaly_available_post_id")
    first = ids[0] if isinstance(ids, list) and ids else ""
    return str(first) if str(first).isdecimal() else ""


def _address(session: Session, kind: str, post_id: str) -> str:
    username = str(session.config.get("username", ""))
    if not post_id or not USERNAME.fullmatch(username):
        return ""
    return f"https://www.tiktok.com/@{username}/{'photo' if kind == 'photos' else 'video'}/{post_id}"


def _is_tiktok(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and f".{parts.hostname or ''}".endswith(".tiktok.com")


def _is_it(video: Json, text: str, marked_at: datetime) -> bool:
    try:
        made_at = datetime.fromtimestamp(int(video.get("create_time", 0)), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return False
    return made_at >= marked_at - CLOCK_SKEW and any(
        _begins(str(video.get(name) or ""), text) for name in ("title", "video_description")
    )


def _begins(caption: str, text: str) -> bool:
    caption, text = caption.strip().removesuffix("…").removesuffix("..."), text.strip()
    return caption == text or (len(caption) >= SHORTEST_PREFIX and text.startswith(caption))
