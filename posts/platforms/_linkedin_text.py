"""LinkedIn's "little text": what of a text must be escaped, and what a person sees of it. Pure.

An unescaped reserved character makes LinkedIn drop the rest of the post while it answers 201. Grammar:
https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from posts.text.entities import Hashtag, Link, entities

RESERVED = re.compile(r"[\\|{}@\[\]()<>#*_~]")
# Links keep their underscores: LinkedIn takes them bare, and escaped ones have broken addresses (utm_source).
RESERVED_IN_LINKS = re.compile(r"[\\|{}@\[\]()<>#*~]")

# What a person may write as it is: a mention with its URN, a hashtag in braces.
TEMPLATE = re.compile(
    r"@\[(?P<name>[^\[\]\\\n]+)\]\((?P<urn>urn:li:(?:person|organization):[A-Za-z0-9_-]+)\)"
    r"|\{hashtag\|\\?[#\uFF03]\|(?P<tag>[^\s|{}\\]+)\}"
)
# The same in what LinkedIn stores, where names and tags are escaped; an escaped character stands for itself.
STORED = re.compile(
    r"\\(?P<escaped>.)"
    r"|@\[(?P<name>(?:\\.|[^\]\\])+)\]\(urn:li:(?:person|organization):[A-Za-z0-9_-]+\)"
    r"|\{hashtag\|\\?[#\uFF03]\|(?P<tag>(?:\\.|[^}\\])+)\}",
    re.DOTALL,
)


def little_text(text: str) -> str:
    """Return ``text`` as LinkedIn's commentary: hashtags as templates, mentions kept, all else escaped."""
    return "".join(_pieces(text))


def seen_text(text: str) -> str:
    """Return what a person sees of a text as it was written: the names of mentions, plain hashtags."""
    return TEMPLATE.sub(lambda match: match["name"] or f"#{match['tag']}", text)


def plain_text(commentary: str) -> str:
    """Return what a person sees of a commentary as it was sent, or as LinkedIn gives it back."""
    return STORED.sub(_shown, commentary)


def _shown(match: re.Match[str]) -> str:
    if match["escaped"] is not None:
        return match["escaped"]
    return plain_text(match["name"]) if match["name"] is not None else f"#{plain_text(match['tag'])}"


def _pieces(text: str) -> Iterator[str]:
    done = 0
    for match in TEMPLATE.finditer(text):
        yield from _plain_pieces(text[done : match.start()])
        yield f"@[{_escaped(match['name'])}]({match['urn']})" if match["name"] else _hashtag(match["tag"])
        done = match.end()
    yield from _plain_pieces(text[done:])


def _plain_pieces(text: str) -> Iterator[str]:
    done = 0
    for entity in entities(text):
        start, end = entity.span.start, entity.span.end
        yield _escaped(text[done:start])
        match entity:
            case Hashtag(tag=tag):
                yield _hashtag(tag)
            case Link():
                yield _escaped(text[start:end], RESERVED_IN_LINKS)
            case _:
                yield _escaped(text[start:end])
        done = end
    yield _escaped(text[done:])


def _hashtag(tag: str) -> str:
    return rf"{{hashtag|\#|{_escaped(tag)}}}"


def _escaped(text: str, reserved: re.Pattern[str] = RESERVED) -> str:
    return reserved.sub(r"\\\g<0>", text)
