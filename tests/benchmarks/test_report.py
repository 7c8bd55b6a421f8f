from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import BEGIN, END, FIGURES, ReportError, middle, percentile, plain, times_better, write_document

DRAIN = next(figure for figure in FIGURES if figure.measure == "drain")
PICKUP = next(figure for figure in FIGURES if figure.name == "p50_ms")
NOTE = {"version": "1.0", "settings": "as it comes"}


def result(ours: dict[str, Any], peer: dict[str, Any]) -> dict[str, Any]:
    return {
        "commit": "abc1234",
        "measured_at": "2026-01-02T03:04:05+00:00",
        "runs": 3,
        "quick": False,
        "scale": {"crowd": 1_000_000, "kill_patience_seconds": 100.0, "lateness_patience_seconds": 75.0},
        "machine": {"cores": 2, "python": "3.11.7", "sqlite": "3.40", "postgresql": "15.1", "system": "Linux"},
        "queues": {"socialq": NOTE, "peer": NOTE},
        "databases": {"sqlite": {"socialq": ours, "peer": peer}},
        "commits_a_second": {"sqlite": [2000.0, 1900.0]},
        "problems": ["peer on sqlite: in a drain of 100 jobs 3 ran twice"],
    }


def line_of(text: str, title: str) -> str:
    return next(line for line in text.splitlines() if line.removeprefix("| ").startswith(title))


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (90, 9), (99, 10), (0, 1), (100, 10)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], percent) == expected


def test_the_median_is_of_all_runs() -> None:
    assert (
        middle(
            {"drain": [{"jobs_a_second": 3.0}, {"jobs_a_second": 90.0}, {"jobs_a_second": 5.0}]},
            "drain",
            "jobs_a_second",
        )
        == 5
    )


def test_one_run_without_a_figure_leaves_no_median() -> None:
    assert middle({"kill": [{"seconds": 1.0}, {"seconds": None}]}, "kill", "seconds") is None
    assert middle({}, "kill", "seconds") is None


def test_the_share_compares_the_drains_with_and_without_other_jobs() -> None:
    runs = {"drain": [{"jobs_a_second": 1000.0}], "crowd": [{"jobs_a_second": 900.0}]}
    assert middle(runs, "crowd", "share") == pytest.approx(0.9)


def test_better_means_more_a_second_and_less_waiting() -> None:
    assert times_better(DRAIN, 1000, 500) == 2
    assert times_better(PICKUP, 5, 20) == 4
    assert times_better(DRAIN, None, 500) is None
    assert times_better(DRAIN, 1000, 0) is None


def test_a_peer_is_shown_with_how_many_times_better_ours_is() -> None:
    ours = {"drain": [{"jobs_a_second": 1500.0}], "kill": [{"seconds": 0.5}]}
    peer = {"drain": [{"jobs_a_second": 300.0}], "kill": [{"seconds": None}]}
    text = plain(result(ours, peer))
    assert line_of(text, "drain, jobs").split() == ["drain,", "jobs", "a", "second", "1,500", "300", "(5×)"]
    assert line_of(text, "kill -9 of a worker").split()[-2:] == ["0.5", "lost"]
    assert "3 ran twice" in text
    assert "2,000 and 1,900 times a second on SQLite" in text


def test_what_broke_is_not_taken_for_lost() -> None:
    text = plain(result({"kill": [{"seconds": 0.5}]}, {"kill": [{"broken": None}]}))
    assert line_of(text, "kill -9 of a worker").split()[-1] == "broken"


def test_the_document_keeps_its_words_and_gets_the_tables_anew(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{BEGIN}\nold figures\n{END}\nafter\n")
    stored = json.loads(
        json.dumps(result({"drain": [{"jobs_a_second": 1500.0}]}, {"drain": [{"jobs_a_second": 300.0}]}))
    )
    write_document(stored, document)
    once = document.read_text()
    write_document(stored, document)
    assert document.read_text() == once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old figures" not in once
    assert "| drain, jobs a second | 1,500 | 300 (5×) |" in once


def test_a_document_without_markers_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("words")
    with pytest.raises(ReportError, match="needs the lines"):
        write_document(result({}, {}), document)
    assert document.read_text() == "words"
