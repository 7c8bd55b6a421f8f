import pytest
from hypothesis import given
from hypothesis import strategies as st

from posts.text.entities import Hashtag, Link, Mention, Span, entities, hashtags, links, mentions


def shown(text: str) -> list[str]:
    """The stretches of the text that are entities."""
    return [text[entity.span.start : entity.span.end] for entity in entities(text)]


def test_gives_the_documented_offsets_of_a_link_after_an_emoji() -> None:
    text = "Hi 👋 see https://a.example"
    (link,) = links(text)
    assert link.span == Span(9, 26)
    assert link.span.utf16(text) == Span(10, 27)
    assert link.span.utf8(text) == Span(12, 29)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See https://a.example.", "https://a.example"),
        ("See https://a.example/x?y=1, then", "https://a.example/x?y=1"),
        ("(https://a.example/x)", "https://a.example/x"),
        ("(see https://a.example/x).", "https://a.example/x"),
        ("https://en.wikipedia.org/wiki/Python_(genus)", "https://en.wikipedia.org/wiki/Python_(genus)"),
        ("(https://en.wikipedia.org/wiki/Python_(genus))", "https://en.wikipedia.org/wiki/Python_(genus)"),
        ("“https://a.example/x”", "https://a.example/x"),
        ("https://a.example/x…", "https://a.example/x"),
        ("\uff08https://a.example/x\uff09", "https://a.example/x"),
        ("https://a.example/x\u3002", "https://a.example/x"),
        ("http://localhost:8000/x", "http://localhost:8000/x"),
        ("HTTPS://A.Example/X!", "HTTPS://A.Example/X"),
        ("https://a.example/#part", "https://a.example/#part"),
    ],
)
def test_a_link_ends_where_a_reader_would_end_it(text: str, expected: str) -> None:
    assert shown(text) == [expected]
    assert links(text)[0].url == expected


def test_a_bare_host_name_is_linked_as_https() -> None:
    assert links("on example.com/x and www.example.org.") == [
        Link(Span(3, 16), "https://example.com/x"),
        Link(Span(21, 36), "https://www.example.org"),
    ]


@pytest.mark.parametrize(
    "text",
    ["setup.py and README.md", "mail bob@example.com", "mailto:bob@example.com", "ftp://a.example/x", "//a.example",
     "version 1.2.3.4", "e.g. this", "javascript:alert(1)", "https://", "https://."],
)  # fmt: skip
def test_does_not_link(text: str) -> None:
    assert links(text) == []


def test_a_file_name_with_a_path_is_a_link() -> None:
    assert shown("get.sh/x") == ["get.sh/x"]


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("@alice.bsky.social", "alice.bsky.social"),
        ("hello @Alice.Example.com.", "alice.example.com"),
        ("(@alice.example.com)", "alice.example.com"),
        ("@alice.example.com's post", "alice.example.com"),
        ("👋@alice.example.com", "alice.example.com"),
        ("@xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_mentions_a_full_handle(text: str, handle: str) -> None:
    assert [entity.handle for entity in mentions(text)] == [handle]


@pytest.mark.parametrize(
    "text",
    ["@alice", "bob@alice.example.com", "@@alice.example.com", "@alice.example.com_x", "@alice.example.com@b.example",
     "@-a.example", "@a..example", "https://a.example/@alice.example.com", f"@{'a.' * 130}example"],
)  # fmt: skip
def test_is_no_mention(text: str) -> None:
    assert [entity for entity in entities(text) if isinstance(entity, Mention)] == []


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#one, #two. (#three)", ["one", "two", "three"]),
        ("#one,#two", ["one", "two"]),
        ("\uff03日本語\u3002", ["日本語"]),
        ("#4you #2026", ["4you"]),
        ("#snake_case_ #C++", ["snake_case", "C++"]),
        ("#👍🏽", ["👍🏽"]),
        ("#️⃣ ## #, a#b &#39; x/#frag", []),
        ("#e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("#zero\u200bwidth", ["zero"]),
    ],
)
def test_finds_hashtags(text: str, tags: list[str]) -> None:
    assert [entity.tag for entity in hashtags(text)] == tags


def test_a_hashtag_has_at_most_64_graphemes() -> None:
    assert [entity.tag for entity in hashtags("#" + "é" * 64)] == ["é" * 64]
    assert hashtags("#" + "é" * 65) == []


def test_gives_entities_in_order_without_overlap() -> None:
    text = "#tag 👨‍👩‍👧 @a.example.com https://a.example/#frag #x@b.example.com"
    assert [type(entity) for entity in entities(text)] == [Hashtag, Mention, Link, Hashtag]
    assert shown(text) == ["#tag", "@a.example.com", "https://a.example/#frag", "#x@b.example.com"]


PIECES = st.sampled_from(
    [
        "https://a.example/ä",
        "@a.example.com",
        "#tag",
        "👋",
        "👨‍👩‍👧",
        " ",
        ".",
        ")",
        "(",
        "é",
        "\n",
        "\uff0c",
        "#",
        "@",
        "a",
    ]
)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_offsets_cut_the_same_stretch_in_every_unit(text: str) -> None:
    last = 0
    for entity in entities(text):
        assert last <= entity.span.start < entity.span.end <= len(text)
        last = entity.span.end
        stretch = text[entity.span.start : entity.span.end]
        utf8, utf16 = entity.span.utf8(text), entity.span.utf16(text)
        assert text.encode()[utf8.start : utf8.end].decode() == stretch
        assert text.encode("utf-16-le")[2 * utf16.start : 2 * utf16.end].decode("utf-16-le") == stretch


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    entities(text)
