"""Links, mentions and hashtags in a text, and where they stand in code points, UTF-8 bytes and UTF-16 units.

Owns what counts as a link, a mention or a hashtag, and the arithmetic of offsets. Resolves nothing: no network, no
check that a host or a handle exists. Mentions are full handles (``@name.domain``), as Bluesky writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import linkify_it
import regex

from posts.text.counting import count, utf8_length, utf16_length

HASHTAG_MAX_GRAPHEMES = 64  # app.bsky.richtext.facet#tag
HANDLE_MAX_CHARACTERS = 253  # atproto specs/handle, as for a host name

# Endings that are countries and also files: "setup.py" and "README.md" are links only with a scheme, "www." or a path.
FILE_ENDINGS = frozenset({"cc", "md", "pl", "ps", "py", "rs", "sh", "so"})

# linkify-it leaves out closing ASCII marks; a closing mark of any other script ends no address either.
_NOT_AT_THE_END = regex.compile(r"[\p{P}--\p{ASCII}]+$", regex.V1)

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TOP_LABEL = r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MENTION = regex.compile(rf"(?<![\w@./:#-])@((?>(?:{_LABEL}\.)+{_TOP_LABEL}))(?![\w@-])")

# Invisible joiners and spaces end a tag, a variation selector right after "#" makes it the keycap emoji.
_HASHTAG = regex.compile(r"(?<![\w&/#\uFF03])[#\uFF03](?![\uFE0F\u20E3])([^\s#\uFF03\u00AD\u200A-\u200D\u2060\u20E2]+)")
_TRAILING_PUNCTUATION = regex.compile(r"\p{P}+$")
_SAYS_SOMETHING = regex.compile(r"[^\d\p{P}\p{M}]")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a text in code points; ``end`` is exclusive."""

    start: int
    end: int

    def utf8(self, text: str) -> Span:
        """Return the same stretch of ``text`` in UTF-8 bytes (Bluesky's facets)."""
        start = utf8_length(text[: self.start])
        return Span(start, start + utf8_length(text[self.start : self.end]))

    def utf16(self, text: str) -> Span:
        """Return the same stretch of ``text`` in UTF-16 code units (Telegram's entities)."""
        start = utf16_length(text[: self.start])
        return Span(start, start + utf16_length(text[self.start : self.end]))


@dataclass(frozen=True, slots=True)
class Link:
    """A web address. ``url`` has a scheme even where the text has none."""

    span: Span
    url: str


@dataclass(frozen=True, slots=True)
class Mention:
    """A full handle in lower case, without the ``@``. Whether it belongs to anybody is not known here."""

    span: Span
    handle: str


@dataclass(frozen=True, slots=True)
class Hashtag:
    """A tag without its ``#``; the span includes the sign."""

    span: Span
    tag: str


Entity = Link | Mention | Hashtag


def entities(text: str) -> list[Entity]:
    """Return the links, mentions and hashtags of ``text`` by position, none overlapping another; links go first."""
    candidates: list[Entity] = [*links(text), *mentions(text), *hashtags(text)]
    found: list[Entity] = []
    for entity in candidates:
        if not any(_overlap(entity.span, other.span) for other in found):
            found.append(entity)
    return sorted(found, key=lambda entity: entity.span)


def links(text: str) -> list[Link]:
    """Return the http and https addresses in ``text``, and bare host names ("example.com/x") as https.

    A closing full stop, comma, quote or unbalanced bracket is left out. E-mail addresses are no links.
    """
    return [Link(Span(start, end), url) for start, end, url in _addresses(text)]


def mentions(text: str) -> list[Mention]:
    """Return the handles in ``text`` that have a domain: ``@name.example.com``; a lone ``@name`` is none.

    The syntax is https://atproto.com/specs/handle.
    """
    return [
        Mention(Span(*match.span()), match[1].lower())
        for match in _MENTION.finditer(text)
        if len(match[1]) <= HANDLE_MAX_CHARACTERS
    ]


def hashtags(text: str) -> list[Hashtag]:
    """Return the tags in ``text``. A tag has a letter or an emoji, and at most 64 graphemes."""
    found = []
    for match in _HASHTAG.finditer(text):
        tag = _TRAILING_PUNCTUATION.sub("", match[1])
        if _SAYS_SOMETHING.search(tag) and count(tag, "graphemes") <= HASHTAG_MAX_GRAPHEMES:
            found.append(Hashtag(Span(match.start(), match.start(1) + len(tag)), tag))
    return found


def _addresses(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _linkifier().match(text) or ():
        start: int = match.index
        shown = _NOT_AT_THE_END.sub("", match.raw)
        if match.schema:
            yield start, start + len(shown), shown
        elif not _is_file_name(shown):
            yield start, start + len(shown), f"https://{shown}"


def _is_file_name(address: str) -> bool:
    return "/" not in address and not address.startswith("www.") and address.rpartition(".")[2].lower() in FILE_ENDINGS


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


@cache
def _linkifier() -> linkify_it.LinkifyIt:
    """Only the web: no ``ftp:``, ``mailto:`` or ``//host``, no e-mail addresses, no bare IP numbers (or versions)."""
    linkifier = linkify_it.LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": False, "fuzzy_ip": False})
    for schema in ("ftp:", "mailto:", "//"):
        linkifier.add(schema, None)
    return linkifier
