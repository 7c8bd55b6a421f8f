from __future__ import annotations

import time

import pytest

from posts.text.marks import marked

ALL = ("link", "hashtag", "mention")


@pytest.mark.parametrize(
    ("text", "kinds", "expected"),
    [
        ("", ALL, []),
        ("plain", ALL, [("plain", "plain")]),
        (
            "See https://a.example/x, #tag and @ada",
            ALL,
            [
                ("plain", "See "), ("link", "https://a.example/x"), ("plain", ", "), ("hashtag", "#tag"),
                ("plain", " and "), ("mention", "@ada"),
            ],
        ),
        ("@ada@social.example", ALL, [("mention", "@ada@social.example")]),
        ("mail ada@example.org", ("mention",), [("plain", "mail ada@example.org")]),
        ("@ada.example.com @ada", ("handle",), [("handle", "@ada.example.com"), ("plain", " @ada")]),
        ("https://a.example/#part", ALL, [("link", "https://a.example/#part")]),
        ("https://a.example #tag", ("hashtag",), [("plain", "https://a.example "), ("hashtag", "#tag")]),
        ("#1 #a1 #_b", ("hashtag",), [("plain", "#1 "), ("hashtag", "#a1"), ("plain", " "), ("hashtag", "#_b")]),
        ("#a.b #1", ("tag",), [("tag", "#a.b"), ("plain", " #1")]),
        ("#a #b", (), [("plain", "#a #b")]),
        ("<b>#x</b>", ALL, [("plain", "<b>"), ("hashtag", "#x"), ("plain", "</b>")]),
    ],
)  # fmt: skip
def test_marks_what_the_network_does(text: str, kinds: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    assert marked(text, kinds) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["#a " * 2000, "@a@" * 3000, "@a." * 3000, "a.com/" * 1500, "#" * 6000])
def test_nothing_is_lost_and_hostile_texts_take_a_moment(text: str) -> None:
    started = time.monotonic()
    assert "".join(piece.text for piece in marked(text, ALL)) == text
    assert time.monotonic() - started < 2
