"""What became of a video or a comment: its answer, its processing, its thumbnail, and looking it up after silence."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from posts.platforms._youtube_api import accepted, call, items_of, moment, part
from posts.publishing.errors import ContentRejected, PublishError
from posts.publishing.http import Response
from posts.publishing.platform import Session
from posts.publishing.types import CannotTell, Finding, Found, Json, MediaFile, Published

PLAYLIST_ITEMS = "/youtube/v3/playlistItems"
COMMENT_THREADS = "/youtube/v3/commentThreads"
SET_THUMBNAIL = "/upload/youtube/v3/thumbnails/set"

ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
CLOCK_SKEW = timedelta(minutes=2)
POLL_SHORTEST_SECONDS, POLL_LONGEST_SECONDS = 15.0, 300.0


def published(session: Session, snapshot: Json, response: Response) -> Published:
    """Return the video that a session's final answer names."""
    answer = response.json()
    video_id = answer.get("id")
    if not isinstance(video_id, str) or not ID.fullmatch(video_id):
        raise response.unusable("bad_answer")
    return video(session, snapshot, video_id, part(answer, "status"))


def video(session: Session, snapshot: Json, video_id: str, status: Json) -> Published:
    """Return a video that YouTube has taken and still works on."""
    kept = {"taken_at": session.now().isoformat(), **visibility(snapshot, status)}
    return Published(video_id, f"https://www.youtube.com/watch?v={video_id}", kept, settled=False)


def visibility(snapshot: Json, status: Json) -> Json:
    """Return who sees the video. A project without audit gets all its uploads locked to private, with a success."""
    asked, given = snapshot.get("status"), status.get("privacyStatus")
    if not isinstance(given, str) or asked is None:
        return {}
    ignored = "publishAt" in asked and "publishAt" not in status and given == "private"
    locked = given != asked["privacyStatus"] and "publishAt" not in asked
    return {"privacy": given} | ({"locked_to_private": True} if locked or ignored else {})


def poll_seconds(session: Session, published: Published) -> float:
    """Return when to look again: rarely for what takes long, for every look costs quota."""
    taken_at = moment(published.response.get("taken_at")) or session.now()
    age = (session.now() - taken_at).total_seconds()
    return min(max(POLL_SHORTEST_SECONDS, age / 5), POLL_LONGEST_SECONDS)


def refuse_if_dropped(status: Json, processing: Json) -> None:
    """Raise ContentRejected where YouTube has not kept the video."""
    state, reason = status.get("uploadStatus"), str(status.get("rejectionReason", ""))
    if state == "rejected" and reason == "duplicate":
        raise ContentRejected("youtube.duplicate", field="media")
    if state == "rejected":
        raise ContentRejected("youtube.rejected", field="media", reason=reason or "no reason given")
    if state == "deleted":
        raise ContentRejected("youtube.deleted", field="media")
    if state == "failed" or processing.get("processingStatus") in ("failed", "terminated"):
        why = status.get("failureReason") or processing.get("processingFailureReason") or "no reason given"
        raise ContentRejected("youtube.processing_failed", field="media", reason=str(why))


def set_thumbnail(session: Session, video_id: str, picture: MediaFile) -> str:
    """Give the video its thumbnail and return how that went; the video is there whatever comes of it."""
    headers, params = {"Content-Type": picture.mime_type}, {"videoId": video_id}
    try:
        accepted(session, call(session, "POST", SET_THUMBNAIL, headers=headers, params=params, content=picture.read()))
    except PublishError as error:
        return error.detail or error.code
    except OSError:
        return "media_unreadable"
    return "set"


def find_in_uploads(session: Session, snapshot: Json, marked_at: datetime) -> Finding:
    """Look for the one video of this title that the channel has got since the mark."""
    uploads = session.config.get("uploads")
    if not uploads:
        return CannotTell("youtube.not_in_uploads")
    params = {"part": "snippet,contentDetails", "playlistId": uploads, "maxResults": "50"}
    found = set()
    for item in items_of(accepted(session, call(session, "GET", PLAYLIST_ITEMS, params=params))):
        at = moment(part(item, "snippet").get("publishedAt"))
        same = part(item, "snippet").get("title") == snapshot["title"]
        if same and at is not None and at >= marked_at - CLOCK_SKEW:
            found.add(str(part(item, "contentDetails").get("videoId", "")))
    if len(found) == 1 and ID.fullmatch(video_id := found.pop()):
        return Found(video(session, snapshot, video_id, {}))
    return CannotTell("youtube.not_in_uploads", look_again=not found)


def find_comment(session: Session, text: str, marked_at: datetime) -> Finding:
    """Look for the one comment of this text that the channel has written below its video since the mark."""
    below = session.thread[0]
    params = {"part": "snippet", "videoId": below.id, "order": "time", "maxResults": "100"}
    found = []
    for item in items_of(accepted(session, call(session, "GET", COMMENT_THREADS, params=params))):
        comment = part(item, "snippet", "topLevelComment", "snippet")
        at = moment(comment.get("publishedAt"))
        mine = part(comment, "authorChannelId").get("value") == session.config["channel_id"]
        same = text.strip() in (str(comment.get(name, "")).strip() for name in ("textOriginal", "textDisplay"))
        if mine and same and at is not None and at >= marked_at - CLOCK_SKEW:
            found.append(str(item.get("id", "")))
    if len(found) == 1:
        return Found(comment_below(below, found[0]))
    return CannotTell("youtube.comment_not_seen", look_again=not found)


def comment_below(parent: Published, comment_id: str) -> Published:
    """Return a comment at its place below the video."""
    return Published(comment_id, f"{parent.url}&lc={comment_id}", {"comment_id": comment_id})
