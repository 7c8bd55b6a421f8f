"""Cells: what is written is read back exactly, and no spreadsheet takes a text for a formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from posts.text.csv_cells import column_named, guarded, joined, own_text_of, split, unguarded


@pytest.mark.parametrize("text", ["=cmd", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=x", "''=x"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["", "Hello", "'quoted'", " =x", "a=b", "'", "''"])
def test_anything_else_stays(text: str) -> None:
    assert guarded(text) == unguarded(text) == text


@given(some.text(alphabet="=+-@\t\r'ab ", max_size=6) | some.text())
def test_guarding_is_undone_exactly_and_leaves_no_formula(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")


@given(some.lists(some.text(alphabet="a;|\\ b", min_size=1).map(str.strip).filter(bool)), some.sampled_from(";|"))
def test_lists_are_read_back(words: list[str], separator: str) -> None:
    assert split(joined(words, separator), separator) == words


def test_lists_as_people_write_them() -> None:
    assert split(" Ada ;Bob; ") == ["Ada", "Bob"]
    assert split("") == []
    assert split("a||c", "|") == ["a", "", "c"]
    assert split(r"C:\files\x; a\;b") == [r"C:\files\x", "a;b"]


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Text", "text"),
        (" Scheduled at", "scheduled_at"),
        ("ALT-TEXT", "alt_text"),
        ("text[Ada]", "text[Ada]"),
        ("Text [ bluesky:Ada ]", "text[bluesky:Ada]"),
        ("text[a[1]]", "text[a[1]]"),
    ],
)
def test_headers_are_known_however_they_are_written(header: str, column: str) -> None:
    assert column_named(header) == column


def test_the_account_of_a_text_of_its_own() -> None:
    assert own_text_of("text[Ada]") == "Ada"
    assert own_text_of("text") is None
