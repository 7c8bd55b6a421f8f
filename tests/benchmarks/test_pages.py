from __future__ import annotations

from typing import Any

import pytest

from benchmarks.pages import markdown, notes, over, table

MACHINE = {"cores": 2, "python": "3.11.7", "sqlite": "3.40", "postgresql": "15.1", "system": "Linux"}


def page(url: str, *seconds: float, queries: int = 9, stock: dict[str, Any] | None = None) -> dict[str, Any]:
    figures = {"url": url, "status": 200, "seconds": list(seconds), "queries": queries}
    return figures | ({"stock": stock} if stock else {})


@pytest.fixture
def result() -> dict[str, Any]:
    stock = {"seconds": [0.4, 0.5, 0.9], "queries": 11}
    pages = [page("/admin/", 0.1, 0.3, 0.2), page("/admin/posts/post/", 0.2, 0.2, 0.3, stock=stock)]
    told = {"commit": "abc1234", "measured_at": "2026-01-02T03:04:05+00:00", "machine": MACHINE, "load": 0.5}
    return {**told, "posts": 100_000, "jobs": 300_000, "rounds": 3, "databases": {"sqlite": pages}}


def test_each_page_has_a_line_and_a_list_has_the_stock_one_beside_it(result: dict[str, Any]) -> None:
    assert table(result, "sqlite")[1:] == [
        ["index", "0.200", "0.300", "9", "–", "–"],
        ["posts/post/", "0.200", "0.300", "9", "0.500", "11"],
    ]


def test_the_notes_name_scale_commit_and_verdict(result: dict[str, Any]) -> None:
    said = notes(result)
    for part in ("100,000 posts and 300,000 jobs", "abc1234", "Every page is under 1 s and 30 queries"):
        assert part in said
    assert "### SQLite" in markdown(result)


@pytest.mark.parametrize(
    "wrong",
    [page("/admin/x/", 0.1, 1.2, 0.1), page("/admin/x/", 0.1, queries=31), page("/admin/x/", 0.1) | {"status": 500}],
    ids=["slow", "many queries", "broken"],
)
def test_what_is_over_is_named(result: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert over(result) == []
    result["databases"]["sqlite"].append(wrong)
    assert len(over(result)) == 1
    assert "SQLite: /admin/x/" in notes(result)
