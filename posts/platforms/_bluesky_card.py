"""The card of a link: title, description and picture of a stranger's page, which Bluesky leaves to clients to fetch.

Everything from there is bounded and distrusted, and no failure holds a post up: without a card it has a plain link.
Names of the fields: https://ogp.me
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from html.parser import HTMLParser
from urllib.parse import urljoin

from posts.publishing.errors import PublishError
from posts.publishing.http import Response
from posts.publishing.platform import Session
from posts.publishing.types import Json

FETCH_SECONDS = 10.0
MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_PAGE_BYTES = 3_000_000
HEAD_CHARACTERS = 300_000
TITLE_CHARACTERS, DESCRIPTION_CHARACTERS = 300, 1000
MAX_THUMB_BYTES = 1_000_000  # app.bsky.embed.external
# How files of the kinds that are taken begin.
PICTURES = {
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/webp": b"RIFF",
    "image/gif": b"GIF8",
}
PAGE = re.compile(r"text/html|application/xhtml\+xml", re.IGNORECASE)
CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
# Python has more codecs than pages have, some of which are none of texts.
KNOWN_CHARSET = re.compile(
    r"utf-?8|utf-?16|us-ascii|iso-?8859-\d+|windows-125\d|koi8-[ru]|shift_jis|euc-(jp|kr)|gb(2312|k|18030)|big5",
    re.IGNORECASE,
)
END_OF_HEAD = re.compile(r"</head|<body", re.IGNORECASE)

Upload = Callable[[bytes, str], Json | None]


def link_card(session: Session, url: str, upload: Upload) -> Json | None:
    """Return the embed for ``url``, ``None`` if its page has no title or cannot be had.

    ``upload`` stores a picture of a type and returns the blob, ``None`` if it is refused.
    """
    page, address = _fetch(session, url, "text/html,application/xhtml+xml", MAX_PAGE_BYTES)
    if page is None or not PAGE.match(page.headers.get("content-type", "")):
        return None
    found = meta_of(_text(page))
    title = found.get("og:title") or found.get("twitter:title") or found.get("title", "")
    if not title:
        return None
    description = found.get("og:description") or found.get("twitter:description") or found.get("description", "")
    external: Json = {
        "uri": url,
        "title": title[:TITLE_CHARACTERS],
        "description": description[:DESCRIPTION_CHARACTERS],
    }
    picture = found.get("og:image") or found.get("twitter:image")
    thumb = _thumb(session, address, picture, upload) if picture else None
    if thumb:
        external["thumb"] = thumb
    return {"$type": "app.bsky.embed.external", "external": external}


def meta_of(page: str) -> dict[str, str]:
    """Return what the head of a page says of itself, by name in lower case; the first of each name holds."""
    end = END_OF_HEAD.search(page, 0, HEAD_CHARACTERS)
    parser = _Head()
    with suppress(AssertionError, ValueError, NotImplementedError):  # html.parser's, for some broken declarations
        parser.feed(page[: end.start() if end else HEAD_CHARACTERS])
    found = parser.found | {"title": "".join(parser.title)}
    return {name: text for name, value in found.items() if (text := _line(value))}


class _Head(HTMLParser):
    """Collects the meta fields and the title."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}
        self.title: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = not self.title
        if tag == "meta":
            given = dict(attrs)
            name = (given.get("property") or given.get("name") or "").strip().lower()
            if name and given.get("content"):
                self.found.setdefault(name, given["content"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)


def _line(text: str) -> str:
    """Return a text from outside as one line that JSON and databases can hold."""
    return " ".join(text.replace("\0", "").encode("utf-8", "ignore").decode().split())


def _text(page: Response) -> str:
    declared = CHARSET.search(page.headers.get("content-type", "")) or CHARSET.search(
        page.body[:2048].decode("latin-1")
    )
    named = declared[1] if declared else "utf-8"
    try:
        return page.body.decode(named if KNOWN_CHARSET.fullmatch(named) else "utf-8", "replace")
    except LookupError:  # ISO 8859-12 does not exist
        return page.body.decode("utf-8", "replace")


def _thumb(session: Session, page_address: str, picture: str, upload: Upload) -> Json | None:
    try:
        address = urljoin(page_address, picture)
    except ValueError:
        return None
    response, _ = _fetch(session, address, ",".join(PICTURES), MAX_THUMB_BYTES)
    if response is None:
        return None
    mime_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    beginning = PICTURES.get(mime_type)
    return upload(response.body, mime_type) if beginning and response.body.startswith(beginning) else None


def _fetch(session: Session, url: str, accept: str, max_bytes: int) -> tuple[Response | None, str]:
    """Return the answer and from where it came. Each redirect is a call of its own, which passes the address guard."""
    for _ in range(MAX_REDIRECTS + 1):
        try:
            response = session.http.request(
                "GET",
                url,
                headers={"Accept": accept},
                timeout_seconds=FETCH_SECONDS,
                max_response_bytes=max_bytes,
            )
            if response.status not in REDIRECTS:
                return (response if response.status == 200 else None), url
            url = urljoin(url, response.headers.get("location", ""))
        except (PublishError, ValueError):
            break
    return None, url
