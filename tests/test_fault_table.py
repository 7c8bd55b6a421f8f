"""The table of ``make faults`` says what the tests wrote down, and stands between its markers."""

from __future__ import annotations

import pytest

from tests.faults.__main__ import BEGIN, DOCUMENT, END, Run, gather, head, main, runs, table, with_table

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
    {"database": "sqlite", "row": 7, "left_out": True, "round": 3, "long": False},
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
    once = with_table(f"before\n{BEGIN}\n{END}\nafter\n", "| first |")
    twice = with_table(once, "| second |")
    assert twice == f"before\n{BEGIN}\n| second |\n{END}\nafter\n"


def test_the_long_form_comes_first_on_both_databases() -> None:
    long = [Run("sqlite", long=True), Run("postgresql", long=True)]
    assert runs(1, short=False) == long
    assert runs(4, short=False) == [*long, Run("sqlite", long=False, rounds=3), Run("postgresql", long=False, rounds=3)]
    assert runs(1, short=True) == [Run("sqlite", long=False), Run("postgresql", long=False)]


def test_the_head_says_commit_minutes_form_and_whole_rounds() -> None:
    def ended(database: str, number: int, *, long: bool = False, **more: object) -> dict[str, object]:
        return {"database": database, "row": 1, "round": number, "long": long, **more}

    lines = [
        ended("sqlite", 0, long=True),
        *(ended("sqlite", number) for number in range(3)),
        ended("sqlite", 2, left_out=True),
        ended("postgresql", 0, long=True),
    ]
    assert head(lines, "abc", 28.6) == (
        "Measured at commit abc, in 29 minutes. SQLite: the long form once, then 2 whole rounds of the short form. "
        "PostgreSQL: the long form once, then 0 whole rounds of the short form."
    )


def test_the_short_form_alone_makes_no_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["faults", "--short", "--rounds", "1"])
    with pytest.raises(SystemExit):
        main()
    assert "the table needs the long form" in capsys.readouterr().err


def test_the_document_has_a_place_for_the_table() -> None:
    assert BEGIN in with_table(DOCUMENT.read_text(), "")
    with pytest.raises(ValueError, match="has lost its markers"):
        with_table("no markers", "")
