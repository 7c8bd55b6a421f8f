"""Variables, UTM parameters and signatures: the same in Python and in Chromium, on the same vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from posts.models import Account
from posts.services.wording import worded
from posts.text.variables import fill, unknown_variables, with_utm

VECTORS = json.loads((Path(__file__).parent / "wordings.json").read_text())
SCRIPT = Path(__file__).parents[3] / "posts" / "static" / "posts" / "wording.js"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["text"][:20])
def test_python_words_the_vectors(vector: dict[str, Any]) -> None:
    given = {name: vector.get(name, {}) for name in ("variables", "utm")}
    account = Account(name="Ada", signature=vector.get("signature", ""), **given)
    assert worded(vector["text"], account) == vector["out"]


@pytest.mark.browser
def test_the_browser_words_the_vectors(chromium: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = browser.new_page()
            page.add_script_tag(path=str(SCRIPT))
            said = page.evaluate("(vectors) => vectors.map((each) => window.socialqWording(each.text, each))", VECTORS)
        finally:
            browser.close()
    assert said == [vector["out"] for vector in VECTORS]


def test_unknown_variables_are_named_once() -> None:
    assert unknown_variables("{a} {b} {a} {c}", {"b": "1"}) == ["a", "c"]


def test_what_is_filled_in_stays_bounded_however_often_it_is_asked_for() -> None:
    filled = fill("{a}" * 30_000, {"a": "x" * 1000})
    assert len(filled) < 200_000
    assert filled.startswith("x" * 100_000 + "{a}")
    tagged = with_utm("https://a.example " * 5_000, {"utm_source": "\U0001f600" * 200})
    assert len(tagged) < 300_000
