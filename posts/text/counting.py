"""How long a text is, in each of the units that networks count.

Owns the units and the comparison with a platform's limits. Knows no network's API and makes no sentences. The composer
counts by the same rules in the browser: ``posts/static/posts/counting.js``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import regex

from posts.publishing.capabilities import TextLimit, TextUnit
from posts.text.web_addresses import normalised, web_addresses

LINK_LENGTH = 23  # what every link counts on X and, unless a server says otherwise, on Mastodon

_GRAPHEME = regex.compile(r"\X")

# One emoji as Unicode builds them (UTS #51, 1.4.9): flags, keycaps, and pictures with skin, tags and joined others.
_PICTURE = r"\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier}|[\U000E0020-\U000E007E]+\U000E007F)?"
_EMOJI = regex.compile(rf"\p{{RI}}\p{{RI}}|[#*0-9]\uFE0F?\u20E3|{_PICTURE}(?:\u200D{_PICTURE})*")

# https://github.com/twitter/twitter-text/blob/master/config/v3.json: these count one, everything else two.
_LIGHT = regex.compile("[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")

# Mastodon's Account::MENTION_RE, where it names a server.
_WORD = r"\p{L}\p{M}\p{Nd}\p{Pc}"
_REMOTE_MENTION = regex.compile(
    rf"(?<![=/{_WORD}])(@[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)@[{_WORD}](?:[{_WORD}.-]*[{_WORD}])?"
)


class Violation(NamedTuple):
    """A limit that a text does not keep: it has ``length`` of ``unit``, more than ``maximum``."""

    unit: TextUnit
    length: int
    maximum: int


def count(text: str, unit: TextUnit, link_length: int = LINK_LENGTH) -> int:
    """Return the length of ``text`` in ``unit``; a link counts ``link_length`` where the unit knows links.

    ``graphemes`` are extended grapheme clusters (Unicode UAX #29): a family emoji is one. ``utf16`` are 16-bit code
    units. ``x_weighted`` is X's own measure: one or two a character, two an emoji. ``mastodon`` are graphemes, where a
    person on another server counts without the server. ``threads`` are characters, an emoji counts its UTF-8 bytes.
    ``KeyError`` if the unit is none of ``TextUnit``.
    """
    return _COUNTERS[unit](text, link_length)


def violations(text: str, limits: Iterable[TextLimit]) -> list[Violation]:
    """Return what ``text`` breaks of ``limits``, in their order; nothing if all hold."""
    counted = [Violation(limit.unit, count(text, limit.unit, limit.link_length), limit.maximum) for limit in limits]
    return [violation for violation in counted if violation.length > violation.maximum]


def utf8_length(text: str) -> int:
    """Return the UTF-8 bytes of ``text``; a lone surrogate, which has no encoding, counts as three."""
    return len(text.encode("utf-8", "surrogatepass"))


def utf16_length(text: str) -> int:
    """Return the UTF-16 code units of ``text``."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _graphemes(text: str, _link_length: int = 0) -> int:
    return sum(1 for _ in _GRAPHEME.finditer(text))


def _x_weighted(text: str, link_length: int) -> int:
    """Return X's weighted length. https://docs.x.com/fundamentals/counting-characters"""
    text, at, length = normalised(text), 0, 0
    for address in web_addresses(text):
        length += _weight(text[at : address.start]) + link_length
        at = address.end
    return length + _weight(text[at:])


def _weight(text: str) -> int:
    rest, emoji = _EMOJI.subn("", text)
    return 2 * emoji + 2 * len(rest) - len(_LIGHT.findall(rest))


def _mastodon(text: str, link_length: int) -> int:
    """Return the length as Mastodon's StatusLengthValidator counts it."""
    addresses = web_addresses(text, "mastodon")
    shorter = [(address.start, address.end, "x" * link_length) for address in addresses]
    shorter += [
        (*mention.span(), mention[1])
        for mention in _REMOTE_MENTION.finditer(text)
        if not any(mention.start() < address.end and address.start < mention.end() for address in addresses)
    ]
    pieces, at = [], 0
    for start, end, counted in sorted(shorter):
        pieces += [text[at:start], counted]
        at = end
    return _graphemes("".join([*pieces, text[at:]]))


def _threads(text: str, _link_length: int) -> int:
    rest = _EMOJI.sub("", text)
    return len(rest) + utf8_length("".join(_EMOJI.findall(text)))


_COUNTERS: Mapping[TextUnit, Callable[[str, int], int]] = {
    "x_weighted": _x_weighted,
    "mastodon": _mastodon,
    "threads": _threads,
    "graphemes": _graphemes,
    "code_points": lambda text, _link_length: len(text),
    "utf16": lambda text, _link_length: utf16_length(text),
    "utf8_bytes": lambda text, _link_length: utf8_length(text),
}
