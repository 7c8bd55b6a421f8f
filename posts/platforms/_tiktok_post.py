"""A post as TikTok takes it: what a person may choose, what the creator allows, what is wrong with a draft. Pure.

TikTok wants each choice to be made by a person and nothing ticked beforehand, so who can see a post has no default and
comments, duets and stitches are allowed by ticking them: https://developers.tiktok.com/doc/content-sharing-guidelines
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from posts.publishing.errors import ContentRejected
from posts.publishing.types import Config, Content, Draft, Json, MediaFile, Option, Remark
from posts.text.counting import count

VIDEO_TEXT_UTF16 = 2200
PHOTO_TEXT_UTF16 = 4000
PHOTO_TITLE_UTF16 = 90

PUBLIC = "PUBLIC_TO_EVERYONE"
PRIVATE = "SELF_ONLY"
PRIVACY_LEVELS = (
    (PUBLIC, "Everyone"),
    ("MUTUAL_FOLLOW_FRIENDS", "Friends (followers that the account follows back)"),
    ("FOLLOWER_OF_CREATOR", "Followers"),
    (PRIVATE, "Only the account itself"),
)
OPTIONS = (
    Option("privacy", "Who can see it", "choice", choices=PRIVACY_LEVELS, required=True),
    Option("allow_comment", "Allow comments", "bool"),
    Option("allow_duet", "Allow duets", "bool", help="Videos only."),
    Option("allow_stitch", "Allow stitches", "bool", help="Videos only."),
    Option("brand_organic", "Promotes the account's own business", "bool", help="Labelled “Promotional content”."),
    Option("brand_content", "Paid partnership with a brand", "bool", help="Labelled “Paid partnership”."),
    Option("is_aigc", "Made with AI", "bool", help="Videos only."),
    Option("cover_ms", "Cover: moment in the video", "integer", help="Milliseconds from its beginning. Videos only."),
    Option("title", "Title of photos", maximum=PHOTO_TITLE_UTF16, unit="utf16", help="Photos only."),
    Option("auto_add_music", "Let TikTok add music", "bool", help="Photos only."),
)
# What a creator may have switched off, and the option that would allow it.
SWITCHES = (("comment_disabled", "allow_comment"), ("duet_disabled", "allow_duet"), ("stitch_disabled", "allow_stitch"))


def creator_config(creator: Json) -> Json:
    """Return what the account's config keeps of a creator's own settings."""
    levels, longest = creator.get("privacy_level_options"), creator.get("max_video_post_duration_sec")
    return {
        "username": str(creator.get("creator_username", "")),
        "nickname": str(creator.get("creator_nickname", "")),
        "privacy_levels": [level for level in levels if isinstance(level, str)] if isinstance(levels, list) else [],
        "max_seconds": longest if isinstance(longest, int) and longest > 0 else None,
        **{name: creator.get(name) is True for name, _ in SWITCHES},
    }


def options_of(config: Config) -> tuple[Option, ...]:
    """Return the options that the creator with ``config`` has; an app without audit posts for the account alone."""
    known = config.get("privacy_levels") or [level for level, _ in PRIVACY_LEVELS]
    offered = [level for level in known if config.get("audited") or level == PRIVATE]
    labels = dict(PRIVACY_LEVELS)
    choices = tuple((level, labels.get(level, level)) for level in offered)
    off = {option for name, option in SWITCHES if config.get(name)}
    return tuple(
        replace(option, choices=choices) if option.name == "privacy" else option
        for option in OPTIONS
        if option.name not in off
    )


def require_allowed(content: Content, creator: Json) -> None:
    """Raise ContentRejected where the creator, as TikTok describes it now, would not get the post through."""
    privacy = content.options.get("privacy")
    if not privacy:
        raise ContentRejected("tiktok.privacy_missing", field="privacy")
    if privacy not in creator["privacy_levels"]:
        raise ContentRejected("tiktok.privacy_refused", field="privacy")
    longest = creator["max_seconds"]
    if longest and any(file.kind == "video" and file.duration_seconds > longest for file in content.media):
        raise ContentRejected("tiktok.video_too_long", field="media", seconds=longest)


def video_info(content: Content, creator: Json) -> Json:
    """Return the ``post_info`` of a video."""
    options = content.options
    info = {
        "title": content.text,
        **_common(options, creator),
        "disable_duet": not options.get("allow_duet") or creator["duet_disabled"],
        "disable_stitch": not options.get("allow_stitch") or creator["stitch_disabled"],
        "is_aigc": bool(options.get("is_aigc")),
    }
    if isinstance(options.get("cover_ms"), int):
        info["video_cover_timestamp_ms"] = options["cover_ms"]
    return info


def photos_info(content: Content, creator: Json) -> Json:
    """Return the ``post_info`` of photos."""
    options = content.options
    info = {
        "description": content.text,
        **_common(options, creator),
        "auto_add_music": bool(options.get("auto_add_music")),
    }
    if options.get("title"):
        info["title"] = options["title"]
    return info


def draft_problems(draft: Draft, config: Config) -> Iterator[Remark]:
    """Yield what keeps a draft from being posted."""
    text, options = next(iter(draft.texts), ""), draft.options
    video = next((file for file in draft.media if file.kind == "video"), None)
    if video is not None:
        yield from _video_problems(text, options, video)
    elif draft.media and not config.get("site_reachable"):
        yield Remark("media_address_missing", field="media")
    if options.get("brand_content") and options.get("privacy") == PRIVATE:
        yield Remark("tiktok.branded_private", field="privacy")


def draft_notes(draft: Draft, config: Config) -> Iterator[Remark]:
    """Yield what a person should know about a draft."""
    if not config.get("audited"):
        yield Remark("tiktok.unaudited_note", field="privacy")


def is_reachable(site_url: str) -> bool:
    """Return whether TikTok would download from this site: https, and a host that is a name."""
    parts = urlsplit(site_url)
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return parts.scheme == "https" and "." in host
    return False


def _common(options: Mapping[str, Any], creator: Json) -> Json:
    return {
        "privacy_level": options["privacy"],
        "disable_comment": not options.get("allow_comment") or creator["comment_disabled"],
        "brand_content_toggle": bool(options.get("brand_content")),
        "brand_organic_toggle": bool(options.get("brand_organic")),
    }


def _video_problems(text: str, options: Mapping[str, Any], video: MediaFile) -> Iterator[Remark]:
    length, cover = count(text, "utf16"), options.get("cover_ms")
    if length > VIDEO_TEXT_UTF16:
        yield Remark("tiktok.text_too_long", {"length": length, "maximum": VIDEO_TEXT_UTF16}, field="text")
    if isinstance(cover, int) and not 0 <= cover <= video.duration_seconds * 1000:
        yield Remark("tiktok.cover_outside", field="cover_ms")
