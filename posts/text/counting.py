"""How long a text is, in each of the units that networks count.

Owns the four units and the comparison with a platform's limits. Knows no network and makes no sentences; X's weighted
length is its platform's own business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import regex

from posts.publishing.capabilities import TextLimit, TextUnit

_GRAPHEME = regex.compile(r"\X")


class Violation(NamedTuple):
    """A limit that a text does not keep: it has ``length`` of ``unit``, more than ``maximum``."""

    unit: TextUnit
    length: int
    maximum: int


def count(text: str, unit: TextUnit) -> int:
    """Return the length of ``text`` in ``unit``.

    ``graphemes`` are extended grapheme clusters (Unicode UAX #29): a family emoji is one. ``utf16`` are 16-bit code
    units. ``KeyError`` if the unit is none of ``TextUnit``.
    """
    return _COUNTERS[unit](text)


def violations(text: str, limits: Iterable[TextLimit]) -> list[Violation]:
    """Return what ``text`` breaks of ``limits``, in their order; nothing if all hold."""
    counted = [Violation(limit.unit, count(text, limit.unit), limit.maximum) for limit in limits]
    return [violation for violation in counted if violation.length > violation.maximum]


def utf8_length(text: str) -> int:
    """Return the UTF-8 bytes of ``text``; a lone surrogate, which has no encoding, counts as three."""
    return len(text.encode("utf-8", "surrogatepass"))


def utf16_length(text: str) -> int:
    """Return the UTF-16 code units of ``text``."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _graphemes(text: str) -> int:
    return sum(1 for _ in _GRAPHEME.finditer(text))


_COUNTERS: Mapping[TextUnit, Callable[[str], int]] = {
    "x_weighted": _graphemes,
    "mastodon": _graphemes,
    "threads": _graphemes,
    "graphemes": _graphemes,
    "code_points": len,
    "utf16": utf16_length,
    "utf8_bytes": utf8_length,
}
