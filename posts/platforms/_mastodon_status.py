"""A status as it is sent, and how to recognise it among what an account has posted. Sends nothing.

A server turns the text into HTML, shortens links and the names of people, and may mark up what it likes, so texts are
compared without links, without spaces and without the servers of people. Form: https://docs.joinmastodon.org/entities/Status/
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Literal, Self

from posts.publishing.types import Content, Json

LINK = re.compile(r"https?://\S+", re.IGNORECASE)
MENTION = re.compile(r"(@[\w.-]*\w)@[\w.:-]+")
WORD = re.compile(r"\w+")
ALIKE_SHARE = 0.5  # of their words in common: perhaps ours, changed by the server

Likeness = Literal["same", "alike", "other"]


def status_body(content: Content, media_ids: Sequence[str]) -> Json:
    """Return the body of a part's status, but for what it answers. Only the first part has files and a poll."""
    chosen = content.options
    body: Json = {"status": content.text}
    if media_ids:
        body["media_ids"] = list(media_ids)
    if content.language:
        body["language"] = content.language
    if chosen.get("visibility"):
        body["visibility"] = chosen["visibility"]
    if chosen.get("content_warning"):
        body["spoiler_text"] = chosen["content_warning"]
    if chosen.get("sensitive") and media_ids:
        body["sensitive"] = True
    if chosen.get("poll") and not content.part:
        body["poll"] = {
            "options": list(chosen["poll"]),
            "expires_in": int(chosen.get("poll_seconds") or 86_400),
            "multiple": bool(chosen.get("poll_multiple")),
            "hide_totals": bool(chosen.get("poll_hides_totals")),
        }
    return body


def idempotency_key(content: Content, body: Json, salt: str) -> str:
    """Return the key of a part in this wording: the same on every execution, another one once it is edited.

    Under a used key a server answers with the first post whatever the text is. The ids of files are left out: they are
    others after a second upload of the same ones.
    """
    said = {name: value for name, value in body.items() if name != "media_ids"}
    said |= {"files": [media.key for media in content.media], "salt": salt}
    return f"{content.key}-{hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]}"


def likeness(snapshot: Json, status: Json, *, reply_to: str, application: str) -> Likeness:
    """Return whether a status of the account is the one that ``snapshot`` asked for.

    Files have ids that only one status can use. Without them, or where a server numbers them anew, the text decides.
    ``alike`` is what might be it in other words.
    """
    body = snapshot["body"]
    wanted, attached = set(body.get("media_ids", ())), set(_media_ids(status))
    if wanted & attached:
        return "same"
    made_with = status.get("application")
    name = made_with.get("name") if isinstance(made_with, dict) else None
    is_foreign = bool(application and isinstance(name, str) and name != application)
    if is_foreign or str(status.get("in_reply_to_id") or "") != reply_to or len(wanted) != len(attached):
        return "other"
    said, shown = body["status"] or body.get("spoiler_text", ""), _Text.of(str(status.get("content") or ""))
    ours, theirs = _essence(said), _essence(shown.text)
    if wanted and not ours and not theirs:
        return "alike"
    if ours == theirs and (ours or _tidied(LINK.findall(said)) == _tidied(shown.links)):
        return "same"
    return "alike" if _common_share(said, shown.text) >= ALIKE_SHARE else "other"


class _Text(HTMLParser):
    """The text of a status without its links; those of people and tags are text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.links: list[str] = []
        self._inside_link = False

    @classmethod
    def of(cls, content: str) -> Self:
        parser = cls()
        parser.feed(content)
        parser.close()
        return parser

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and not {"mention", "hashtag"} & set((given.get("class") or "").split()):
            self._inside_link = True
            self.links.append(given.get("href") or "")
        if tag in ("br", "p"):
            self.text += " "

    def handle_endtag(self, tag: str) -> None:
        self._inside_link = self._inside_link and tag != "a"

    def handle_data(self, data: str) -> None:
        if not self._inside_link:
            self.text += data


def _essence(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", _shortened(text)).split()).casefold()


def _shortened(text: str) -> str:
    return MENTION.sub(r"\1", LINK.sub(" ", text))


def _tidied(links: Sequence[str]) -> list[str]:
    return [link.rstrip("/").casefold() for link in links]


def _common_share(said: str, shown: str) -> float:
    """Return the share of words that both texts have; 1 where ours has none, since the other may then be anything."""
    ours, theirs = (set(WORD.findall(_shortened(text).casefold())) for text in (said, shown))
    return len(ours & theirs) / len(ours | theirs) if ours else 1.0


def _media_ids(status: Json) -> list[str]:
    attached = status.get("media_attachments")
    return [str(each.get("id")) for each in attached if isinstance(each, dict)] if isinstance(attached, list) else []
