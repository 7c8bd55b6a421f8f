"""What a post on X is: its body, what it costs, what is wrong with it, and how it is told apart among others. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from posts.publishing.types import Content, Draft, Json, Option, Published, Remark
from posts.text.entities import links
from posts.text.web_addresses import normalised, web_addresses

# https://docs.x.com/x-api/getting-started/pricing (2026-08-22), in thousandths of a dollar
POST_COST = 15
POST_WITH_LINK_COST = 200
ALT_TEXT_COST = 5

POLL_CHOICES = range(2, 5)
POLL_CHOICE_CHARACTERS = 25
POLL_MINUTES = range(5, 10_081)
POLL_MINUTES_USUAL = 1440
EVERYBODY = "everyone"

CASHTAG = re.compile(r"(?<![\w$])\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?(?!\w)")
FORBIDDEN_CHARACTERS = re.compile("[\ufffe\ufeff\uffff]")
SHORT_LINK = re.compile(r"https?://t\.co/[A-Za-z0-9]+")

OPTIONS = (
    Option(
        "reply_settings",
        "Who may reply",
        "choice",
        choices=(
            (EVERYBODY, "Everybody"),
            ("following", "People whom the account follows"),
            ("mentionedUsers", "People who are mentioned"),
            ("subscribers", "Subscribers"),
            ("verified", "Verified accounts"),
        ),
        default=EVERYBODY,
    ),
    Option("poll", "Poll", "list", maximum=4, help="Two to four answers, one a line, at most 25 characters each."),
    Option(
        "poll_minutes",
        "Poll runs (minutes)",
        "integer",
        default=POLL_MINUTES_USUAL,
        maximum=POLL_MINUTES[-1],
        help="5 to 10,080, which is a week.",
    ),
    Option("made_with_ai", "Contains media made with AI", "bool", default=False),
    Option("paid_partnership", "Paid partnership", "bool", default=False),
)


def body_of(content: Content, media_ids: list[str]) -> Json:
    """Return the body of a post but for what it answers. Options belong to the first part of a thread."""
    body: Json = {"text": content.text}
    if media_ids:
        body["media"] = {"media_ids": media_ids}
    if content.part or content.kind == "comment":
        return body
    options = content.options
    if options.get("poll"):
        minutes = int(options.get("poll_minutes") or POLL_MINUTES_USUAL)
        body["poll"] = {"options": list(options["poll"]), "duration_minutes": minutes}
    if options.get("reply_settings", EVERYBODY) != EVERYBODY:
        body["reply_settings"] = options["reply_settings"]
    return body | {name: True for name in ("made_with_ai", "paid_partnership") if options.get(name) is True}


def problems_of(draft: Draft) -> Iterator[Remark]:
    """Yield what X would refuse of ``draft``."""
    for text in draft.texts:
        cashtags = len(CASHTAG.findall(text))
        if cashtags > 1:
            yield Remark("x.too_many_cashtags", {"count": cashtags}, "text")
        if FORBIDDEN_CHARACTERS.search(text):
            yield Remark("x.forbidden_characters", field="text")
    choices = draft.options.get("poll")
    if not isinstance(choices, list) or not choices:
        return
    if len(choices) not in POLL_CHOICES or any(len(str(each)) > POLL_CHOICE_CHARACTERS for each in choices):
        yield Remark("x.poll_choices", field="poll")
    if draft.options.get("poll_minutes", POLL_MINUTES_USUAL) not in POLL_MINUTES:
        yield Remark("x.poll_minutes", field="poll_minutes")
    if draft.media:
        yield Remark("x.poll_with_media", field="poll")
    if not draft.texts:
        yield Remark("x.poll_without_text", field="text")


def cost_of(draft: Draft) -> Remark:
    """Return what X will charge the site's app for ``draft``."""
    texts = draft.texts or ("",)
    # Which addresses X charges for is not documented: all that it shortens, and any other that is one, are counted.
    linked = sum(bool(web_addresses(normalised(text)) or links(text)) for text in texts)
    described = sum(bool(media.alt_text) and media.kind != "video" for media in draft.media)
    cost = POST_COST * (len(texts) - linked) + POST_WITH_LINK_COST * linked + ALT_TEXT_COST * described
    params = {"cost": f"${cost / 1000:.3f}".removesuffix("0"), "posts": len(texts), "links": linked}
    return Remark("x.cost_with_links" if linked else "x.cost", params)


def tells_itself(post: Any) -> bool:
    """Return whether a post of X's list has what it is told apart by."""
    names = ("id", "text", "created_at", "conversation_id")
    return isinstance(post, dict) and all(isinstance(post.get(name), str) for name in names)


def matches(post: Json, snapshot: Json, since: datetime, root: str) -> bool:
    """Return whether a post of X's list is the one in ``snapshot``: its text, its files, its time, its conversation.

    ``root`` is the post that the conversation began with, "" where this one begins it.
    """
    try:
        created_at = datetime.fromisoformat(post["created_at"])
    except ValueError:
        return False
    if created_at.astimezone(UTC) < since or post["conversation_id"] != (root or post["id"]) or post["id"] == root:
        return False
    attached = _part(post, "attachments").get("media_keys")
    files = len(attached) if isinstance(attached, list) else 0
    return files == len(_media_ids(snapshot["body"])) and _comparable(snapshot["body"]["text"]) == _shown_text(post)


def published(config: Mapping[str, Any], post_id: str) -> Published:
    """Return a live post with its public address."""
    name = str(config.get("username") or "i/web")
    return Published(post_id, f"https://x.com/{name}/status/{post_id}", {"id": post_id})


def _media_ids(body: Json) -> list[str]:
    return list(body["media"]["media_ids"]) if "media" in body else []


def _shown_text(post: Json) -> str:
    """Return a post's text as it was written, to be compared: X shortens addresses, adds its files', escapes signs."""
    longer = _part(post, "note_tweet") or _part(post, "note_post")
    whole = longer if isinstance(longer.get("text"), str) else post
    text = html.unescape(str(whole.get("text", "")))
    listed = [*_urls(post), *_urls(longer)]
    addresses = {url.get("url"): "" if "media_key" in url else str(url.get("expanded_url", "")) for url in listed}
    return _comparable(SHORT_LINK.sub(lambda link: addresses.get(link[0], link[0]), text))


def _comparable(text: str) -> str:
    """Return ``text`` with one form of each address (X adds schemes and end slashes) and of white space."""
    text, pieces, at = normalised(text), [], 0
    for address in web_addresses(text):
        url = text[address.start : address.end]
        pieces += [text[at : address.start], re.sub(r"^https?://", "", url, flags=re.IGNORECASE).rstrip("/").lower()]
        at = address.end
    return " ".join("".join([*pieces, text[at:]]).split())


def _urls(post: Json) -> list[Json]:
    urls = _part(post, "entities").get("urls")
    return [url for url in urls if isinstance(url, dict)] if isinstance(urls, list) else []


def _part(value: Json, name: str) -> Json:
    part = value.get(name)
    return part if isinstance(part, dict) else {}
