"""What the operating system says of a connection, in words for people: no numbers of its own, no names of classes."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

WORDS = {
    errno.ECONNREFUSED: "nothing answers at that address and port",
    errno.EHOSTUNREACH: "no way leads to that machine from here",
    errno.ENETUNREACH: "no way leads to that network from here",
    errno.ECONNRESET: "the other side closed the connection",
    errno.EPIPE: "the other side closed the connection",
    errno.ECONNABORTED: "the connection was broken off",
    errno.ETIMEDOUT: "it took too long",
    errno.EADDRNOTAVAIL: "this machine has no free port left for it",
}
_NUMBER = re.compile(r"\[Errno -?\d+\]\s*")


def said(error: BaseException) -> str:
    """Return what ``error``, or the operating system's error behind it, means; its own words where those are clear."""
    for each in _chain(error):
        if isinstance(each, OSError) and each.errno in WORDS:
            return WORDS[each.errno]
    return _NUMBER.sub("", str(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
