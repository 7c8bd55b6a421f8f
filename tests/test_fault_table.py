"""The table of ``make faults`` says what the tests wrote down, and stands between its markers."""

from __future__ import annotations

import pytest

from tests.faults.__main__ import BEGIN, DOCUMENT, END, gather, table, with_table

LINES = [
    {"database": "postgresql", "row": 2, "injected": "kill", "times": 1},
    {"database": "sqlite", "row": 10, "injected": "refusal", "times": 1},
    {"database": "sqlite", "row": 10, "ended": "failed", "seconds": 1.4},
    {"database": "sqlite", "row": 2, "injected": "kill", "times": 1},
    {"database": "sqlite", "row": 2, "injected": "kill", "times": 1},
    {"database": "sqlite", "row": 2, "ended": "passed", "seconds": 3.2},
    {"database": "sqlite", "row": 2, "ended": "passed", "seconds": 3.2},
    {"database": "sqlite", "row": "any order", "injected": "operations", "times": 1200},
    {"database": "sqlite", "row": None, "ended": "passed", "seconds": 1},
]


def test_each_row_and_database_has_a_line_in_the_order_of_the_rows() -> None:
    assert table(gather(LINES))[2:] == [
        "| 2 | SQLite | kill: 2 | 2 | 0 | 6 |",
        "| 2 | PostgreSQL | kill: 1 | 0 | 0 | 0 |",
        "| 10 | SQLite | refusal: 1 | 1 | 1 | 1 |",
        "| any order | SQLite | operations: 1,200 | 0 | 0 | 0 |",
        "| – | SQLite | – | 1 | 0 | 1 |",
    ]


def test_a_new_table_replaces_the_old_one_and_nothing_else() -> None:
    once = with_table(f"before\n{BEGIN}\n{END}\nafter\n", "| first |", "abc")
    twice = with_table(once, "| second |", "def")
    assert twice == f"before\n{BEGIN}\nMeasured at commit def.\n\n| second |\n{END}\nafter\n"


def test_the_document_has_a_place_for_the_table() -> None:
    assert BEGIN in with_table(DOCUMENT.read_text(), "", "abc")
    with pytest.raises(ValueError, match="has lost its markers"):
        with_table("no markers", "", "abc")
