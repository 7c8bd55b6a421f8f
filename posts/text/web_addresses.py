"""Where X and Mastodon see a web address in a text: what counts as a link there, whatever its length.

Both find addresses by the rules of X's text library (https://github.com/twitter/twitter-text, conformance/extract.yml),
Mastodon those with a scheme only and with more freedom in the path. Every rule here has its twin in
``posts/static/posts/counting.js``; ``tests/posts/text/vectors.json`` holds both to it. Works in linear time.
"""

from __future__ import annotations

import unicodedata
from typing import Literal, NamedTuple

import regex

from posts.text.top_domains import TOP_DOMAINS

Dialect = Literal["x", "mastodon"]

LONGEST_LABEL = 63  # RFC 1035, of the encoded form
LONGEST_ADDRESS = 4096
LONGEST_SHORT_NAME = 40  # behind https://t.co/

_LONGEST_TOP_DOMAIN = max(map(len, TOP_DOMAINS))
_DIRECTION_MARKS = "\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
_NO_CHARACTERS = "\ufffe\ufeff\uffff"
_SPACES = "\u0009-\u000d\u0020\u0085\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_ACCENTED = (
    "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289\u028b"
    "\u02bb\u0300-\u036f\u1e00-\u1eff"
)
_LETTERS = f"A-Za-z0-9\u0400-\u04ff{_ACCENTED}"

_NOT_IN_HOSTS = rf"!'#%&()*+,\\./:;<=>?@\[\]\^{{|}}~${_SPACES}{_NO_CHARACTERS}{_DIRECTION_MARKS}"
_AT_AN_EDGE = regex.compile(rf"[^_\-{_NOT_IN_HOSTS}]")  # of a label
_INSIDE = regex.compile(rf"[^{_NOT_IN_HOSTS}]")
_LATIN = regex.compile(rf"[-A-Za-z0-9{_ACCENTED}]")

_NOT_BEFORE = regex.compile(rf"[A-Za-z0-9@\uff20$#\uff03{_NO_CHARACTERS}]")
_NOT_BEFORE_BARE = frozenset("-_./")
_SCHEME = regex.compile(r"[Hh][Tt][Tt][Pp][Ss]?://\Z")
_AFTER_TOP_DOMAIN = regex.compile(r"[0-9A-Za-z@+-]")
_ENCODED_TOP_DOMAIN = regex.compile(r"[Xx][Nn]--[-0-9A-Za-z]+")
_DOTS_OF_OTHER_SCRIPTS = regex.compile("[\u3002\uff0e\uff61]")


def _rest(inside: str, at_the_end: str, query: str, query_end: str) -> regex.Pattern[str]:
    """Return the pattern of port, path and query; a path may hold two levels of matching brackets."""
    bracket = rf"\((?:[{inside}]+|[{inside}]*\([{inside}]+\)[{inside}]*)\)"
    path = rf"/(?:(?:[{inside}]|{bracket})*(?:[{at_the_end}]|{bracket}))?"
    return regex.compile(rf"(?::[0-9]+)?(?<path>{path})?(?:\?[{query}]*[{query_end}])?")


_QUERY = r"A-Za-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|"
_QUERY_END = r"A-Za-z0-9\-_&=#/"
_ANY_SCRIPT = "\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\uffef\U00010000-\U0010fffd"
_RESTS = {
    "x": _rest(rf"{_LETTERS}!*';:=+,.$/%#\[\]\-\u2013_~@|&", rf"{_LETTERS}+\-=_#/", _QUERY, _QUERY_END),
    "mastodon": _rest(
        rf"^{_SPACES}<>()?",
        rf"^{_SPACES}()?!*\"'\u300c\u300d<>;:=,.$%\[\]~&|@",
        rf"{_QUERY}\^{_ANY_SCRIPT}",
        rf"{_QUERY_END}{_ANY_SCRIPT}",
    ),
}
_SHORT = regex.compile(rf"[Hh][Tt][Tt][Pp][Ss]?://[Tt]\.[Cc][Oo]/([A-Za-z0-9]+)(?:\?[{_QUERY}]*[{_QUERY_END}])?")


class WebAddress(NamedTuple):
    """One address: ``start`` and ``end`` (exclusive) in code points of the text."""

    start: int
    end: int
    has_scheme: bool


def web_addresses(text: str, dialect: Dialect = "x") -> list[WebAddress]:
    """Return the addresses in ``text`` in order. X normalises a text first: give it ``normalised(text)``."""
    hosts = _Hosts(text, _INSIDE, _AT_AN_EDGE)
    found: list[WebAddress] = []
    at = 0  # what is before has been looked at
    for label in range(len(hosts.dots)):
        if hosts.dots[label] < at:
            continue
        start, host = _start(text, hosts, label, at)
        end_of_host = hosts.end(label, host) if host >= 0 else None
        if end_of_host is None:
            continue
        match = _RESTS[dialect].match(text, end_of_host)
        at = match.end() if match else end_of_host
        scheme = host - start or len("https://")
        if not _is_allowed(text[host:end_of_host], scheme + at - start):
            continue
        if host > start:
            end = _end_of_short(text, start, at)
            if end is not None:
                found.append(WebAddress(start, end, has_scheme=True))
        elif dialect == "x" and not (host and text[host - 1] in _NOT_BEFORE_BARE):
            found += _bare(text[host:end_of_host], host, at if match and match["path"] else end_of_host)
    return found


def normalised(text: str) -> str:
    """Return ``text`` as X counts it (NFC)."""
    return unicodedata.normalize("NFC", text)


class _Hosts:
    """The host names of a text, found from its dots: each is one label after the other up to a top domain.

    Label n is what stands before dot n. Everything is worked out once, from the last dot to the first.
    """

    def __init__(self, text: str, inside: regex.Pattern[str], at_an_edge: regex.Pattern[str]) -> None:
        self.text, self._edge = text, at_an_edge
        self.dots = [place for place, sign in enumerate(text) if sign == "."]
        self.left: list[int] = []  # where label n can begin at the earliest
        self._left_of_last: list[int] = []  # the same without "_", which the label before a top domain may not have
        for dot in self.dots:
            left = dot
            while left and inside.match(text[left - 1]):
                left -= 1
            self.left.append(left)
            self._left_of_last.append(max(left, text.rfind("_", left, dot) + 1))
        self._top = [_top_domain_end(text, dot + 1) for dot in self.dots]
        self._whole: list[int | None] = [None] * (len(self.dots) + 1)  # the end, if label n begins right after a dot
        for label in range(len(self.dots) - 1, 0, -1):
            self._whole[label] = self.end(label, self.dots[label - 1] + 1)

    def end(self, label: int, start: int) -> int | None:
        """Return where the longest host ends whose first label is this one, begun at ``start``; ``None`` if none."""
        dot = self.dots[label]
        if not self.left[label] <= start < dot:
            return None
        if not self._edge.match(self.text[start]) or not self._edge.match(self.text[dot - 1]):
            return None
        further = self._whole[label + 1]
        if further is not None:
            return further
        return self._top[label] if start >= self._left_of_last[label] else None


def _start(text: str, hosts: _Hosts, label: int, at: int) -> tuple[int, int]:
    """Return where the first address begins whose host begins in ``label``, and where the host does; -1 if nowhere."""
    left, dot = hosts.left[label], hosts.dots[label]
    scheme = _SCHEME.search(text, max(at, left - len("https://")), left)
    if scheme and hosts.end(label, left) is not None and _may_begin(text, scheme.start(), at):
        return scheme.start(), left
    for host in range(max(left, at), dot):
        if hosts.end(label, host) is None or not _may_begin(text, host, at):
            continue
        if host == 0 and not _NOT_BEFORE.match(text[0]) and hosts.end(label, 1) is not None:
            continue  # the first character is taken for the one before, where it can be
        return host, host
    return -1, -1


def _may_begin(text: str, place: int, at: int) -> bool:
    """Return whether an address may begin at ``place``: at the beginning, or after a character that allows it."""
    return place == 0 or (place > at and not _NOT_BEFORE.match(text[place - 1]))


def _is_allowed(host: str, length: int) -> bool:
    if host.startswith("xn--") and not _bare(host, 0, len(host)):
        return False
    labels = [_encoded(label) for label in host.split(".")]
    return all(0 < len(label) <= LONGEST_LABEL for label in labels) and length <= LONGEST_ADDRESS


def _encoded(label: str) -> str:
    if len(label) > LONGEST_LABEL:
        return label
    parts = _DOTS_OF_OTHER_SCRIPTS.split(label)
    return ".".join(part if part.isascii() else "xn--" + part.encode("punycode").decode() for part in parts)


def _end_of_short(text: str, start: int, end: int) -> int | None:
    """Return where an address with a scheme ends, X's own short ones with their name; ``None`` if that is too long."""
    short = _SHORT.match(text, start, end)
    if short is None:
        return end
    return short.end() if len(short[1]) <= LONGEST_SHORT_NAME else None


def _bare(host: str, offset: int, end: int) -> list[WebAddress]:
    """Return the addresses in a host without scheme: only its Latin parts; the last one gets path and query."""
    hosts = _Hosts(host, _LATIN, _LATIN)
    found: list[WebAddress] = []
    at = 0
    for label, dot in enumerate(hosts.dots):
        begins = max(hosts.left[label], at)
        stops = hosts.end(label, begins) if dot >= at else None
        if stops is not None:
            found.append(WebAddress(offset + begins, offset + stops, has_scheme=False))
            at = stops
    if found and end > offset + len(host):
        last = found[-1]
        found[-1] = last._replace(end=last.end + end - offset - len(host))
    return found


def _top_domain_end(text: str, start: int) -> int | None:
    """Return where the longest top domain ends that begins at ``start``, ``None`` if there is none."""
    for length in range(min(_LONGEST_TOP_DOMAIN, len(text) - start), 1, -1):
        end = start + length
        after_ok = end >= len(text) or not _AFTER_TOP_DOMAIN.match(text[end])
        if after_ok and text[start:end].lower() in TOP_DOMAINS:
            return end
    encoded = _ENCODED_TOP_DOMAIN.match(text, start)
    return encoded.end() if encoded else None
