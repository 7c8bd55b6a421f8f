"""Variables, UTM parameters and signatures: the same in Python and in Chromium, on the same vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from posts.models import Account
from posts.services.wording import worded
from posts.text.threads import split_thread, without_marks
from posts.text.variables import fill, unknown_variables, with_utm

VECTORS = json.loads((Path(__file__).parent / "wordings.json").read_text())
SCRIPT = Path(__file__).parents[3] / "posts" / "static" / "posts" / "wording.js"
NAMES = "worded, withoutMarks, isSplitByHand"
MARKS = [
    "a\n---\nb",
    "---\na",
    "a\n --- \n\nb\n---",
    "a --- b",
    "a\n----\nb",
    "a\r---\nb",
    "\na\n",
    "---",
    "a\n\t---\t\nb\u2028---\nc",
]


@contextmanager
def scripted(chromium: str) -> Iterator[Page]:
    """A page with the script's functions."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = browser.new_page()
            page.add_script_tag(content=f"{SCRIPT.read_text()}\nObject.assign(window, {{ {NAMES} }});", type="module")
            page.wait_for_function("() => Boolean(window.worded)")
            yield page
        finally:
            browser.close()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["text"][:20])
def test_python_words_the_vectors(vector: dict[str, Any]) -> None:
    given = {name: vector.get(name, {}) for name in ("variables", "utm")}
    account = Account(name="Ada", signature=vector.get("signature", ""), **given)
    assert worded(vector["text"], account) == vector["out"]


@pytest.mark.browser
def test_the_browser_words_the_vectors(chromium: str) -> None:
    with scripted(chromium) as page:
        said = page.evaluate("(vectors) => vectors.map((each) => window.worded(each.text, each))", VECTORS)
    assert said == [vector["out"] for vector in VECTORS]


@pytest.mark.browser
def test_the_browser_finds_the_lines_that_split_a_thread_where_the_server_does(chromium: str) -> None:
    with scripted(chromium) as page:
        said = page.evaluate("(texts) => texts.map(window.withoutMarks)", MARKS)
        split = page.evaluate("(texts) => texts.map(window.isSplitByHand)", MARKS)
    assert said == [without_marks(text) for text in MARKS]
    assert split == [len(split_thread(text, lambda part: True)) > 1 for text in MARKS]


def test_unknown_variables_are_named_once() -> None:
    assert unknown_variables("{a} {b} {a} {c}", {"b": "1"}) == ["a", "c"]


def test_what_is_filled_in_stays_bounded_however_often_it_is_asked_for() -> None:
    filled = fill("{a}" * 30_000, {"a": "x" * 1000})
    assert len(filled) < 200_000
    assert filled.startswith("x" * 100_000 + "{a}")
    tagged = with_utm("https://a.example " * 5_000, {"utm_source": "\U0001f600" * 200})
    assert len(tagged) < 300_000
