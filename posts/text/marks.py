"""A text cut into plain stretches and those that a network shows as links: addresses, hashtags, people. Pure.

For previews alone: what is really linked is the network's to decide. Which kinds it links is in its capabilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import regex

from posts.publishing.capabilities import Mark
from posts.text.entities import hashtags, links, mentions

_PERSON = regex.compile(r"(?<![\w@./:#&-])@(?>\w+(?:[.-]\w+)*)(?:@(?>\w+(?:[.-]\w+)*))?(?![\w@])")
# Most networks end a tag at the first sign that is no letter, digit or underscore, and take none of digits alone.
_HASHTAG = regex.compile(r"(?<![\w&/#\uFF03])[#\uFF03](?=[\p{Nd}_]*[\p{L}\p{M}])\w+")


class Piece(NamedTuple):
    """A stretch of a text. ``kind`` is ``plain`` or what it is marked as."""

    kind: Literal["plain"] | Mark
    text: str


def marked(text: str, kinds: Sequence[Mark]) -> list[Piece]:
    """Return ``text`` in pieces, in order and complete; of two that overlap the first to begin is marked."""
    pieces, at = [], 0
    for start, end, kind in sorted(_spans(text, kinds)):
        if start < at:
            continue
        if start > at:
            pieces.append(Piece("plain", text[at:start]))
        pieces.append(Piece(kind, text[start:end]))
        at = end
    return [*pieces, Piece("plain", text[at:])] if at < len(text) else pieces


def _spans(text: str, kinds: Sequence[Mark]) -> Iterator[tuple[int, int, Mark]]:
    if "link" in kinds:
        yield from ((found.span.start, found.span.end, "link") for found in links(text))
    if "hashtag" in kinds:
        yield from ((*found.span(), "hashtag") for found in _HASHTAG.finditer(text))
    if "tag" in kinds:
        yield from ((found.span.start, found.span.end, "tag") for found in hashtags(text))
    if "handle" in kinds:
        yield from ((found.span.start, found.span.end, "handle") for found in mentions(text))
    if "mention" in kinds:
        yield from ((*found.span(), "mention") for found in _PERSON.finditer(text))
