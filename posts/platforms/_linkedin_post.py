"""A LinkedIn post as the Posts API takes it, its options, and what of it does not go together. Pure.

https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from posts.platforms._linkedin_text import little_text
from posts.publishing.types import Content, Draft, Json, MediaFile, Option, Remark
from posts.text.entities import links

POLL_OPTIONS_LEAST, POLL_OPTIONS_MOST, POLL_OPTION_CHARACTERS = 2, 4, 30

VISIBILITY = Option(
    "visibility",
    "Visible to",
    "choice",
    choices=(("PUBLIC", "Anyone"), ("CONNECTIONS", "Connections only")),
    default="PUBLIC",
)
OPTIONS = (
    Option("title", "Title of the video or document", maximum=400, help="Empty: the name of the file."),
    Option("link_url", "Link to show as a card", help="https://…; one picture of the post becomes the card's."),
    Option("link_title", "Title of the card", maximum=400),
    Option("link_description", "Description of the card", "long_text", maximum=4086),
    Option("poll_question", "Question of a poll", maximum=140),
    Option("poll_options", "Answers of the poll", "list", maximum=POLL_OPTIONS_MOST, help="Two to four, one a line."),
    Option(
        "poll_duration",
        "The poll lasts",
        "choice",
        choices=(
            ("ONE_DAY", "One day"),
            ("THREE_DAYS", "Three days"),
            ("SEVEN_DAYS", "A week"),
            ("FOURTEEN_DAYS", "Two weeks"),
        ),
        default="THREE_DAYS",
    ),
)


def post_body(author: str, content: Content, urns: Sequence[str]) -> Json:
    """Return what ``POST /rest/posts`` takes; ``urns`` are the uploaded files in order. Empty values are left out,
    because LinkedIn refuses them."""
    body: Json = {
        "author": author,
        "commentary": little_text(content.text),
        "visibility": content.options.get("visibility", "PUBLIC"),
        "distribution": {
            "feedDistribution": "MAIN_FEED",
            "targetEntities": [],
            "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }
    if not content.text.strip():
        del body["commentary"]
    shown = _shown(content, urns)
    return body | ({"content": shown} if shown else {})


def media_urns(body: Json) -> list[str]:
    """Return the URNs of the files of a post as it was sent, or as LinkedIn lists it."""
    content = body.get("content")
    content = content if isinstance(content, dict) else {}
    media, several = content.get("media"), content.get("multiImage")
    images = several.get("images") if isinstance(several, dict) else None
    files = [media, *(images if isinstance(images, list) else ())]
    return [str(file["id"]) for file in files if isinstance(file, dict) and file.get("id")]


def problems_of(draft: Draft) -> Iterator[Remark]:
    """Yield what of a draft does not go together: a card, files and a poll exclude one another."""
    chosen = draft.options
    url, question = str(chosen.get("link_url", "")), chosen.get("poll_question")
    if url:
        if not url.startswith(("https://", "http://")):
            yield Remark("linkedin.link_unusable", field="link_url")
        if not chosen.get("link_title"):
            yield Remark("linkedin.link_without_title", field="link_title")
        if len(draft.media) > 1 or any(media.kind != "image" for media in draft.media):
            yield Remark("linkedin.link_with_files", field="link_url")
    answers = chosen.get("poll_options") or []
    if question or answers:
        fits = all(len(answer) <= POLL_OPTION_CHARACTERS for answer in answers)
        if not (question and fits and POLL_OPTIONS_LEAST <= len(answers) <= POLL_OPTIONS_MOST):
            yield Remark("linkedin.poll_incomplete", field="poll_options")
        if url or draft.media:
            yield Remark("linkedin.poll_with_more", field="poll_question")


def notes_of(draft: Draft) -> Iterator[Remark]:
    """Yield what a person may not expect: LinkedIn makes no card of a link that only stands in the text."""
    bare = not draft.media and not draft.options.get("link_url") and not draft.options.get("poll_question")
    if bare and draft.texts and links(draft.texts[0]):
        yield Remark("linkedin.link_without_card")


def _shown(content: Content, urns: Sequence[str]) -> Json:
    chosen = content.options
    if chosen.get("link_url"):
        card = {
            "source": chosen["link_url"],
            "title": chosen.get("link_title"),
            "description": chosen.get("link_description"),
            "thumbnail": urns[0] if urns else None,
        }
        return {"article": {name: value for name, value in card.items() if value}}
    if chosen.get("poll_question"):
        return {"poll": _poll(chosen)}
    files = [_file(media, urn, chosen) for media, urn in zip(content.media, urns, strict=True)]
    if len(files) > 1:
        return {"multiImage": {"images": files}}
    return {"media": files[0]} if files else {}


def _file(media: MediaFile, urn: str, chosen: Mapping[str, Any]) -> Json:
    if media.kind in ("video", "document"):
        return {"id": urn, "title": chosen.get("title") or media.filename}
    alt_text = media.alt_text.strip()
    return {"id": urn, "altText": alt_text} if alt_text else {"id": urn}


def _poll(chosen: Mapping[str, Any]) -> Json:
    return {
        "question": chosen["poll_question"],
        "options": [{"text": answer} for answer in chosen.get("poll_options") or []],
        "settings": {"duration": chosen.get("poll_duration", "THREE_DAYS")},
    }
