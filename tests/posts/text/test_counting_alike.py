"""Lengths: the same in Python and in Chromium, on the same vectors and on texts that nobody thought of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from django.template import Context, Template
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, sync_playwright

from posts.publishing.capabilities import TextLimit, TextUnit
from posts.text.counting import count, violations
from posts.text.top_domains import TOP_DOMAINS

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
SCRIPT = Path(__file__).parents[3] / "posts" / "static" / "posts" / "counting.js"
UNITS: tuple[TextUnit, ...] = get_args(TextUnit)
COUNT = "(asked) => asked.map(([text, unit, link]) => window.counted(text, unit, link))"

PIECES = st.sampled_from(
    [
        "http://", "https://", "HTTP://", "://", "www.", "example", "com", "t.co/", ".com", ".co.jp", ".рф", ".みんな",
        "xn--", "xn--ls8h", "例え", "пример", "é", "e\u0301", "/", "//", "?", "a=b", "#", "@", "@ada", "@ada@", "$",
        "_", "-", ".", ",", ";", ":", ":80", "!", "(", ")", "[", "]", "'", '"', "*", "~", "+", "&", "%", "|", " ", "\n",
        "\u00a0", "\u3000", "。", "「", "」", "–", "…", "\u200b", "\u200d", "\u200e", "\u202a", "\ufe0f", "\ufe0e",
        "\ufeff", "👋", "👨", "👩", "🏽", "🇩", "🇪", "🏴", "\U000e0067\U000e007f", "❤", "☺", "©", "1", "\u20e3", "क्",
        "षि", "한", "x", "ſ", "İ", "K",
    ]
)  # fmt: skip
ANY_CHARACTERS = st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs", "Cn"])
# What one character is to a person changes with each version of Unicode, and Python and a browser seldom have the same:
# these units are compared on the pieces above alone.
BY_GRAPHEMES = {"graphemes", "mastodon"}
TEXTS = st.one_of(
    st.tuples(st.lists(PIECES, max_size=25).map("".join), st.just(set(UNITS))),
    st.tuples(st.text(ANY_CHARACTERS), st.just(set(UNITS) - BY_GRAPHEMES)),
)


@pytest.fixture(scope="module")
def page(chromium: str) -> Iterator[Page]:
    """A page with the script and the names that the composer's template puts on it."""
    html = Template('{% load posts_admin %}<ul data-top-domains="{% top_domains %}"></ul>').render(Context())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = browser.new_page()
            page.set_content(html)
            page.add_script_tag(content=f"{SCRIPT.read_text()}\nwindow.counted = count;", type="module")
            page.wait_for_function("() => Boolean(window.counted)")
            yield page
        finally:
            browser.close()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['unit']} {vector['text'][:20]!a}")
def test_python_counts_the_vectors(vector: dict[str, Any]) -> None:
    assert count(vector["text"], vector["unit"], vector["link_length"]) == vector["expected"]


@pytest.mark.browser
def test_the_browser_counts_the_vectors(page: Page) -> None:
    counted = page.evaluate(COUNT, [[each["text"], each["unit"], each["link_length"]] for each in VECTORS])
    assert [(each["text"], got) for each, got in zip(VECTORS, counted, strict=True)] == [
        (each["text"], each["expected"]) for each in VECTORS
    ]


@pytest.mark.browser
def test_the_browser_counts_what_nobody_thought_of_as_python_does(page: Page) -> None:
    texts: dict[str, set[TextUnit]] = {}

    @settings(max_examples=2_000, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(TEXTS)
    def collect(made: tuple[str, set[TextUnit]]) -> None:
        texts.setdefault(*made)

    collect()
    asked = [(text, unit, 23) for text in sorted(texts) for unit in UNITS if unit in texts[text]]
    counted = page.evaluate(COUNT, asked)
    differ = [
        (text, unit, got, count(text, unit, link))
        for (text, unit, link), got in zip(asked, counted, strict=True)
        if got != count(text, unit, link)
    ]
    assert len(texts) > 1_000
    assert differ == []


@pytest.mark.browser
def test_the_browser_counts_the_longest_texts_in_a_moment(page: Page) -> None:
    hostile = [
        "あ." * 12_500,
        "a.com/" * 4_000,
        "https://x.com/" + "(a" * 12_000,
        "@a" * 12_500,
        "https://x.com/" + "." * 25_000,
    ]
    seconds = page.evaluate(
        "(texts) => { const start = performance.now();"
        " texts.forEach((text) => window.counted(text, 'x_weighted'));"
        " return (performance.now() - start) / 1000; }",
        hostile,
    )
    assert seconds < 10


def test_every_unit_has_vectors() -> None:
    assert {vector["unit"] for vector in VECTORS} == set(UNITS)


def test_limits_honour_the_length_of_links() -> None:
    text = "see https://example.com/a/long/path"
    for unit in ("x_weighted", "mastodon"):
        assert violations(text, (TextLimit(unit, 27),)) == []
        assert violations(text, (TextLimit(unit, 27, link_length=30),)) == [(unit, 34, 27)]


def test_the_top_domains_are_names_in_lower_case() -> None:
    assert {"com", "рф", "みんな", "vermögensberater"} <= TOP_DOMAINS
    assert all(name == name.lower() and not name.startswith("xn--") for name in TOP_DOMAINS)
