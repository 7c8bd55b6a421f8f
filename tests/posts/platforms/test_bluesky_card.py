"""Link cards on Bluesky: a stranger's page is fetched, and nothing that it does holds the post up."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from posts.platforms._bluesky_card import DESCRIPTION_CHARACTERS, TITLE_CHARACTERS, meta_of
from posts.platforms.bluesky import PLATFORM
from posts.publishing.errors import RateLimited, TokenExpired
from posts.publishing.http import Http
from posts.publishing.platform import Session
from posts.publishing.types import Content, Json, MediaFile
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, closed_port, content, picture
from tests.posts.platforms.fake_pds import PASSWORD, FakePds
from tests.posts.platforms.fake_server import Answer, FakeServer, Seen

HEAD = """<!doctype html><html><head><title>The plain  title</title>
<meta property="og:title" content="Cheese &amp; wine"><meta name="description" content="plain">
<meta property="og:description" content="All about
 cheese"><meta property="og:image" content="/cheese.png"></head>
<body><meta property="og:title" content="not this one"></body></html>"""


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "yellow").save(buffer, "PNG")
    return buffer.getvalue()


class Pages(FakeServer):
    """A web site: answers by path."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, Answer] = {
            "/post": Answer(200, HEAD, {"Content-Type": "text/html; charset=utf-8"}),
            "/cheese.png": Answer(200, png(), {"Content-Type": "image/png"}),
        }

    def handle(self, seen: Seen) -> Answer:
        return self.pages.get(seen.path, Answer(404, "no"))


@pytest.fixture
def site() -> Iterator[Pages]:
    with Pages() as server:
        yield server


@pytest.fixture
def pds() -> Iterator[FakePds]:
    with FakePds() as server:
        yield server


def open_session(pds: FakePds) -> Session:
    session = Session(an_http(), {}, {}, lambda: datetime.now(UTC))
    connection = PLATFORM.connect(session, {"identifier": "alice.test", "password": PASSWORD, "service": pds.url})
    return replace(session, credentials=connection.credentials, config=connection.config)


def linking(url: str, *media: MediaFile, wanted: bool = True) -> Content:
    return replace(content(f"Read {url} now", *media), options={"link_card": wanted})


def embed_of(pds: FakePds, url: str, session: Session | None = None) -> Json | None:
    """Publish a link; return what the post carries."""
    session = session or open_session(pds)
    PLATFORM.commit(session, PLATFORM.prepare(session, linking(url), MemoryCheckpoints()))
    embed: Json | None = pds.accepted[-1]["record"].get("embed")
    return embed


def test_a_link_gets_title_description_and_picture_of_its_page(pds: FakePds, site: Pages) -> None:
    embed = embed_of(pds, f"{site.url}/post")
    assert embed is not None
    thumb = embed["external"].pop("thumb")
    assert (thumb["mimeType"], thumb["size"]) == ("image/png", len(png()))
    assert embed == {
        "$type": "app.bsky.embed.external",
        "external": {"uri": f"{site.url}/post", "title": "Cheese & wine", "description": "All about cheese"},
    }
    page, image = site.seen
    assert (page.method, page.path, image.path) == ("GET", "/post", "/cheese.png")
    assert page.headers["user-agent"] == "SocialQ"
    assert "authorization" not in page.headers
    assert "cookie" not in page.headers


def test_the_page_is_fetched_once_for_a_delivery(pds: FakePds, site: Pages) -> None:
    session, checkpoints = open_session(pds), MemoryCheckpoints()
    first = PLATFORM.prepare(session, linking(f"{site.url}/post"), checkpoints)
    again = PLATFORM.prepare(session, linking(f"{site.url}/post"), checkpoints)
    assert first["record"]["embed"] == again["record"]["embed"]
    assert len(site.seen) == 2


def test_a_page_without_a_card_is_not_asked_again_either(pds: FakePds, site: Pages) -> None:
    session, checkpoints = open_session(pds), MemoryCheckpoints()
    for _ in range(2):
        assert "embed" not in PLATFORM.prepare(session, linking(f"{site.url}/nowhere"), checkpoints)["record"]
    assert len(site.seen) == 1


def test_no_card_is_made_where_it_is_not_wanted_or_files_are_there(pds: FakePds, site: Pages) -> None:
    session, media = open_session(pds), picture()
    plain = PLATFORM.prepare(session, linking(f"{site.url}/post", wanted=False), MemoryCheckpoints())
    with_file = PLATFORM.prepare(session, linking(f"{site.url}/post", media), MemoryCheckpoints())
    assert "embed" not in plain["record"]
    assert with_file["record"]["embed"]["$type"] == "app.bsky.embed.images"
    assert not site.seen


def test_the_card_is_of_the_first_link(pds: FakePds, site: Pages) -> None:
    embed = embed_of(pds, f"{site.url}/post and {site.url}/other")
    assert embed
    assert embed["external"]["uri"] == f"{site.url}/post"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_and_the_link_stays_as_it_was_written(pds: FakePds, site: Pages, status: int) -> None:
    site.pages["/short"] = Answer(status, "", {"Location": "/longer"})
    site.pages["/longer"] = Answer(status, "", {"Location": f"{site.url}/post"})
    embed = embed_of(pds, f"{site.url}/short")
    assert embed
    assert embed["external"]["uri"] == f"{site.url}/short"
    assert embed["external"]["title"] == "Cheese & wine"


def test_a_circle_of_redirects_ends(pds: FakePds, site: Pages) -> None:
    site.pages["/round"] = Answer(302, "", {"Location": "/round"})
    assert embed_of(pds, f"{site.url}/round") is None
    assert len(site.seen) == 4


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://a.example/x", "http://[", "http://me:pw@a.example/", ""])
def test_a_redirect_elsewhere_is_not_taken(pds: FakePds, site: Pages, to: str) -> None:
    site.pages["/away"] = Answer(302, "", {"Location": to})
    assert embed_of(pds, f"{site.url}/away") is None


def test_a_page_at_a_private_address_is_not_fetched_unless_the_site_allows_it(pds: FakePds, site: Pages) -> None:
    from posts.platforms._bluesky_card import link_card

    closed = Http(allow_private=False, timeout_seconds=5, refuse_when=lambda: False)
    session = replace(open_session(pds), http=closed)
    assert link_card(session, f"{site.url}/post", lambda body, kind: None) is None
    assert not site.seen


@pytest.mark.parametrize(
    "page",
    [
        Answer(404, HEAD, {"Content-Type": "text/html"}),
        Answer(500, "<html>"),
        Answer(200, HEAD, {"Content-Type": "application/pdf"}),
        Answer(200, "", {"Content-Type": "text/html"}),
        Answer(200, "<html><head><title> \n</title></head>", {"Content-Type": "text/html"}),
        Answer(200, b"\xff\xfe\x00" * 50, {"Content-Type": "text/html; charset=base64"}),
        Answer(200, HEAD, {"Content-Type": "text/html", "Content-Encoding": "gzip"}),
        Answer(200, b" " * 3_100_000, {"Content-Type": "text/html"}),
    ],
    ids=["404", "500", "pdf", "empty", "no title", "no text", "packed", "huge"],
)
def test_a_page_that_cannot_be_used_leaves_a_plain_link(pds: FakePds, site: Pages, page: Answer) -> None:
    site.pages["/post"] = page
    assert embed_of(pds, f"{site.url}/post") is None
    assert len(pds.accepted) == 1


@pytest.mark.parametrize("kind", ["cut", "hang", "drip"])
def test_a_page_that_does_not_answer_leaves_a_plain_link(
    pds: FakePds, site: Pages, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posts.platforms._bluesky_card.FETCH_SECONDS", 0.3)
    site.fault("/post", kind=kind, status=200, body=HEAD)
    assert embed_of(pds, f"{site.url}/post") is None


def test_a_site_that_is_down_leaves_a_plain_link(pds: FakePds) -> None:
    with closed_port() as address:
        assert embed_of(pds, f"{address}/post") is None


@pytest.mark.parametrize(
    "image",
    [
        Answer(404, "no"),
        Answer(200, "<svg>", {"Content-Type": "image/svg+xml"}),
        Answer(200, "<html>", {"Content-Type": "image/png"}),
        Answer(200, png() + b" " * 1_000_001, {"Content-Type": "image/png"}),
    ],
    ids=["404", "svg", "no picture", "too large"],
)
def test_a_picture_that_cannot_be_used_is_left_out(pds: FakePds, site: Pages, image: Answer) -> None:
    site.pages["/cheese.png"] = image
    embed = embed_of(pds, f"{site.url}/post")
    assert embed
    assert set(embed["external"]) == {"uri", "title", "description"}


@pytest.mark.parametrize(
    ("status", "body"), [(413, "<html>"), (400, {"error": "InvalidMimeType"}), (502, "<html>"), (200, "<html>")]
)
def test_a_picture_that_the_server_does_not_take_is_left_out(pds: FakePds, site: Pages, status: int, body: Any) -> None:
    session = open_session(pds)
    pds.fault("uploadBlob", status=status, body=body)
    embed = embed_of(pds, f"{site.url}/post", session)
    assert embed
    assert "thumb" not in embed["external"]


def test_a_login_that_ran_out_is_no_reason_to_leave_the_picture_out(pds: FakePds, site: Pages) -> None:
    session, checkpoints = open_session(pds), MemoryCheckpoints()
    pds.fault("uploadBlob", status=400, body={"error": "ExpiredToken"})
    pds.fault("uploadBlob", status=429, body={"error": "RateLimitExceeded"})
    with pytest.raises(TokenExpired):
        PLATFORM.prepare(session, linking(f"{site.url}/post"), checkpoints)
    with pytest.raises(RateLimited):
        PLATFORM.prepare(session, linking(f"{site.url}/post"), checkpoints)
    assert "thumb" in PLATFORM.prepare(session, linking(f"{site.url}/post"), checkpoints)["record"]["embed"]["external"]


@pytest.mark.parametrize(
    ("body", "header", "title"),
    [
        ("<title>Käse</title>".encode(), "text/html", "Käse"),
        ("<title>Käse</title>".encode("latin-1"), "text/html; charset=ISO-8859-1", "Käse"),
        ('<meta charset="windows-1252"><title>Käse €</title>'.encode("cp1252"), "text/html", "Käse €"),
        ("<title>漢字</title>".encode("shift_jis"), 'text/html; charset="Shift_JIS"', "漢字"),
        ("<title>Käse</title>".encode(), "text/html; charset=iso-8859-12", "Käse"),
        ("<title>Käse</title>".encode("latin-1"), "text/html; charset=rot13", "K\ufffdse"),
        (b"<title>a\0b&#0;c&#xD800;d</title>", "text/html", "ab\ufffdc\ufffdd"),
    ],
)
def test_pages_in_many_encodings(pds: FakePds, site: Pages, body: bytes, header: str, title: str) -> None:
    site.pages["/post"] = Answer(200, body, {"Content-Type": header})
    embed = embed_of(pds, f"{site.url}/post")
    assert embed
    assert embed["external"]["title"] == title
    assert embed["external"]["description"] == ""


def test_what_a_page_says_of_itself_is_cut(pds: FakePds, site: Pages) -> None:
    long = "<meta property=og:title content='" + "t" * 9000 + "'><meta name=description content='" + "d" * 9000 + "'>"
    site.pages["/post"] = Answer(200, long, {"Content-Type": "text/html"})
    embed = embed_of(pds, f"{site.url}/post")
    assert embed
    assert len(embed["external"]["title"]) == TITLE_CHARACTERS
    assert len(embed["external"]["description"]) == DESCRIPTION_CHARACTERS


@given(st.text(alphabet="<>!-/[]&;\"'= \nabcmetitlhd#0", max_size=200))
def test_no_markup_breaks_the_reader(page: str) -> None:
    assert all(text == " ".join(text.split()) for text in meta_of(f"<title>x{page}").values())


@pytest.mark.parametrize("piece", ["<!--", "<a ", "<![", "<!", "&", "</", "<meta content='", "<?", "<title>", "<a b='"])
def test_no_markup_takes_the_reader_long(piece: str) -> None:
    started = time.monotonic()
    meta_of(piece * (300_000 // len(piece)))
    assert time.monotonic() - started < 5
