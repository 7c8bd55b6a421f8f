"""Splitting a long text into the parts of a thread: by hand at lines of three dashes, else where the text allows.

Pure. Knows no network: the caller says what fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import regex

MARKER = re.compile(r"^[ \t]*-{3}[ \t]*(?:\n|\Z)", re.MULTILINE)
GRAPHEME = regex.compile(r"\X")
# Where a part may end, the best place first: after a paragraph, a line, a sentence, a word.
PLACES = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n\s*"),
    re.compile(r"[.!?\u2026\u3002\uff01\uff1f]['\"\u201d\u2019)\]]*\s+"),
    re.compile(r"\s+"),
)
# Within how much the end of a part is looked for: enough for most limits, then twice what the last part took.
LOOK_AHEAD_CHARACTERS, SHORTEST_LOOK_CHARACTERS = 1000, 50
LEAST_SHARE = 0.4  # a better place further ahead than this is not worth the short part

Fits = Callable[[str], bool]


def without_marks(text: str) -> str:
    """Return ``text`` as one post: the lines that split it by hand are gone."""
    return "\n".join(section.strip("\n") for section in MARKER.split(text)).strip("\n") if MARKER.search(text) else text


def split_thread(text: str, fits: Fits, *, numbered: bool = False) -> list[str]:
    """Return the parts of ``text``, each of which ``fits`` with its number; at least one, and none of them blank
    unless nothing is said at all.

    ``numbered`` puts "(2/5)" at the end of each part where there are several. A part that fits nowhere, because even
    one character is too much, stays too long and is for validation to refuse.
    """
    sections = [section.strip() for section in MARKER.split(text) if section.strip()]
    if not sections:
        return [""]  # files alone
    parts = list(_split(sections, fits))
    if not numbered or len(parts) == 1:
        return parts
    for digits in range(len(str(len(parts))), 5):
        room = f" ({'9' * digits}/{'9' * digits})"
        parts = list(_split(sections, lambda part, room=room: fits(part + room)))  # type: ignore[misc]  # room is bound now
        if len(str(len(parts))) <= digits:
            break
    return [f"{part} ({number}/{len(parts)})" for number, part in enumerate(parts, 1)]


def _split(sections: list[str], fits: Fits) -> Iterator[str]:
    for section in sections:
        rest, ahead = section, LOOK_AHEAD_CHARACTERS
        while rest:
            cut = _cut(rest, fits, ahead)
            yield rest[:cut].rstrip()
            rest, ahead = rest[cut:].lstrip(), max(2 * cut, SHORTEST_LOOK_CHARACTERS)


def _cut(text: str, fits: Fits, ahead: int) -> int:
    """Return where the first part of ``text`` ends: the best place among those that fit, its end where all of it does.

    Looks no further than ``ahead``, or twice as often as needed to see too much: a long text would else be counted
    whole for each of its parts.
    """
    while ahead < len(text) and fits(text[:ahead].rstrip()):
        ahead *= 2
    if ahead >= len(text) and fits(text):
        return len(text)
    longest = _longest(text, fits, ahead)
    for place in PLACES:
        found = [match.end() for match in place.finditer(text, 0, longest + 1) if match.start() <= longest]
        if found and min(found[-1], longest) >= longest * LEAST_SHARE:
            return found[-1]
    words = [match.end() for match in PLACES[-1].finditer(text, 0, longest + 1)]
    return words[-1] if words else longest


def _longest(text: str, fits: Fits, ahead: int) -> int:
    """Return the end of the most whole characters that fit, of which the first ``ahead`` code points have too many."""
    ends = [match.end() for match in GRAPHEME.finditer(text, 0, ahead)]
    if ahead < len(text):
        ends.pop()  # it may go on
    first = GRAPHEME.match(text)
    if not ends and first is not None:
        return int(first.end())
    low, high = 1, len(ends)  # the first `low` characters are taken even where they do not fit
    while low < high:
        middle = (low + high + 1) // 2
        if fits(text[: ends[middle - 1]].rstrip()):
            low = middle
        else:
            high = middle - 1
    return int(ends[low - 1])
