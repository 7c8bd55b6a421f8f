"""A video as YouTube takes it: what a person may choose, its title, its resource, what is wrong with a draft. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from posts.publishing.errors import ContentRejected
from posts.publishing.types import Config, Content, Draft, Json, MediaFile, Option, Remark

TITLE_CHARACTERS = 100
TAGS_CHARACTERS = 500

# The categories that a video can have everywhere; ``videoCategories.list`` has those of a country.
CATEGORIES = (
    ("1", "Film & animation"),
    ("2", "Autos & vehicles"),
    ("10", "Music"),
    ("15", "Pets & animals"),
    ("17", "Sports"),
    ("19", "Travel & events"),
    ("20", "Gaming"),
    ("22", "People & blogs"),
    ("23", "Comedy"),
    ("24", "Entertainment"),
    ("25", "News & politics"),
    ("26", "How-to & style"),
    ("27", "Education"),
    ("28", "Science & technology"),
    ("29", "Nonprofits & activism"),
)
OPTIONS = (
    Option("title", "Title", maximum=TITLE_CHARACTERS, help="Empty: the first line of the text."),
    Option(
        "privacy",
        "Visibility",
        "choice",
        choices=(("public", "Public"), ("unlisted", "Unlisted"), ("private", "Private")),
        default="public",
    ),
    Option(
        "made_for_kids",
        "Made for children",
        "choice",
        choices=(("no", "No, it is not made for children"), ("yes", "Yes, it is made for children")),
        required=True,
        help="YouTube has to be told (COPPA).",
    ),
    Option("category", "Category", "choice", choices=CATEGORIES, default="22"),
    Option("tags", "Tags", "list", help="One a line; 500 characters together."),
    Option(
        "publish_at",
        "Publish at YouTube at",
        "moment",
        help="Uploaded as private first; YouTube makes it public at this time.",
    ),
    Option("silent", "Do not notify subscribers", "bool"),
    Option("synthetic", "Contains realistic altered or synthetic scenes", "bool"),
)


def title_of(text: str, options: Mapping[str, Any]) -> str:
    """Return the chosen title, else the first line of the text, cut; "" if there is neither."""
    chosen = str(options.get("title", "")).strip()
    return chosen or next(iter(text.strip().splitlines()), "")[:TITLE_CHARACTERS].strip()


def tags_length(tags: Sequence[str]) -> int:
    """Return the length of tags as YouTube counts it: with commas between them and quotes around those with spaces."""
    return sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(len(tags) - 1, 0)


def video_resource(content: Content) -> Json:
    """Return the resource to upload. Raises ContentRejected where title or the choice about children is missing."""
    options = content.options
    title = title_of(content.text, options)
    if not title:
        raise ContentRejected("youtube.title_missing", field="title")
    if options.get("made_for_kids") not in ("yes", "no"):
        raise ContentRejected("youtube.kids_missing", field="made_for_kids")
    snippet: Json = {
        "title": title,
        "description": content.text,
        "categoryId": str(options.get("category", "22")),
        "tags": list(options.get("tags", [])),
    }
    if content.language:
        snippet["defaultLanguage"] = content.language
    status: Json = {
        "privacyStatus": options.get("privacy", "public"),
        "selfDeclaredMadeForKids": options["made_for_kids"] == "yes",
    }
    if options.get("publish_at"):
        at = datetime.fromisoformat(options["publish_at"]).astimezone(UTC)
        status |= {"privacyStatus": "private", "publishAt": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    if options.get("synthetic"):
        status["containsSyntheticMedia"] = True
    return {"snippet": snippet, "status": status}


def thumbnail_of(media: Sequence[MediaFile]) -> MediaFile | None:
    """Return what becomes the thumbnail: the picture beside the video, else the video's own cover."""
    beside = next((file for file in media if file.kind == "image"), None)
    return beside or next((file.cover for file in media if file.kind == "video"), None)


def draft_problems(draft: Draft) -> Iterator[Remark]:
    """Yield what keeps a draft from being uploaded."""
    text, options = next(iter(draft.texts), ""), draft.options
    title, tags = title_of(text, options), options.get("tags", [])
    if not any(file.kind == "video" for file in draft.media):
        yield Remark("youtube.video_missing", field="media")
    if not title:
        yield Remark("youtube.title_missing", field="title")
    for field, written in (("title", title), ("text", text), ("tags", " ".join(tags))):
        if "<" in written or ">" in written:
            yield Remark("youtube.angle_brackets", field=field)
    if tags_length(tags) > TAGS_CHARACTERS:
        yield Remark("youtube.tags_too_long", {"length": tags_length(tags)}, field="tags")
    privacy, scheduled = options.get("privacy", "public"), options.get("publish_at")
    if scheduled and privacy != "public":
        yield Remark("youtube.schedule_needs_public", field="publish_at")
    without_comments = scheduled or privacy == "private" or options.get("made_for_kids") == "yes"
    if len(draft.texts) > 1 and without_comments:
        yield Remark("youtube.comment_impossible")


def draft_notes(draft: Draft, config: Config) -> Iterator[Remark]:
    """Yield what a person should know about a draft."""
    if not config.get("audited") and draft.options.get("privacy", "public") != "private":
        yield Remark("youtube.unaudited", field="privacy")
