"""What Facebook has to say about a draft that limits as data do not: links and files, and what a reel may be.

https://developers.facebook.com/docs/video-api/guides/reels-publishing
"""

from __future__ import annotations

from collections.abc import Iterator

from posts.publishing.types import Draft, MediaFile, Remark

REEL_SECONDS = (3.0, 90.0)
REEL_SIDES = (540, 960)
REEL_ASPECT = 9 / 16
ASPECT_LEEWAY = 0.02


def problems(draft: Draft) -> Iterator[Remark]:
    """Yield what keeps ``draft`` from being published."""
    link = str(draft.options.get("link", "")).strip()
    if link and not link.lower().startswith(("https://", "http://")):
        yield Remark("facebook.link_invalid", field="link")
    if link and draft.media:
        yield Remark("facebook.link_with_media", field="link")
    if draft.options.get("placement") == "reel":
        yield from _reel_problems(_video(draft))


def notes(draft: Draft) -> Iterator[Remark]:
    """Yield that a reel has an unusual shape."""
    video = _video(draft)
    if draft.options.get("placement") != "reel" or video is None or not video.height:
        return
    if abs(video.width / video.height - REEL_ASPECT) > ASPECT_LEEWAY:
        yield Remark("facebook.reel_shape", field="media")


def _reel_problems(video: MediaFile | None) -> Iterator[Remark]:
    if video is None:
        yield Remark("facebook.reel_needs_video", field="placement")
        return
    shortest, longest = REEL_SECONDS
    if video.duration_seconds and not shortest <= video.duration_seconds <= longest:
        yield Remark("facebook.reel_length", {"seconds": round(video.duration_seconds, 1)}, "media")
    if video.width and (video.width < REEL_SIDES[0] or video.height < REEL_SIDES[1]):
        yield Remark("facebook.reel_small", {"size": f"{video.width} × {video.height}"}, "media")


def _video(draft: Draft) -> MediaFile | None:
    return next((media for media in draft.media if media.kind == "video"), None)
