from __future__ import annotations

import pytest

from benchmarks.day import Told, figures, notes, table

ON_TIME: list[Told] = [
    (100.0 + 10 * number, 100.5 + 10 * number, 101.5 + 10 * number, "published", 1) for number in (0, 1)
]


def test_a_day_is_told_by_what_its_deliveries_say() -> None:
    found = figures([*ON_TIME, (120.0, 121.0, 122.0, "published", 1)])
    assert (found["posts"], found["published_percent"], found["sent_twice"], found["most_waiting"]) == (3, 100, 0, 1)
    assert (found["begun_p50_ms"], found["begun_p99_ms"]) == (500, 1000)
    assert (found["published_p50_ms"], found["published_p99_ms"]) == (1500, 2000)
    assert found["posts_a_day"] == pytest.approx(8640)
    assert found["busy_percent"] == pytest.approx(100 * 3 / 2 / 22)


def test_those_that_are_due_and_not_begun_wait() -> None:
    crowd: list[Told] = [(100.0, 100.0 + number, 101.0 + number, "published", 1) for number in range(5)]
    assert figures([*crowd, (102.5, 107.0, 108.0, "published", 1)])["most_waiting"] == 4
    assert figures([*ON_TIME, (105.0, None, None, "scheduled", 0)])["most_waiting"] == 2


def test_what_was_not_published_or_sent_twice_is_told() -> None:
    found = figures([*ON_TIME, (120.0, 120.1, 121.0, "failed", 0), (130.0, 130.1, 131.0, "published", 2)])
    assert (found["published_percent"], found["sent_twice"]) == (75, 1)
    with pytest.raises(SystemExit, match="nothing was published"):
        figures([(120.0, None, None, "scheduled", 0)])


def test_each_run_has_a_column_and_the_notes_name_the_commit() -> None:
    machine = {"cores": 2, "python": "3.11.7", "sqlite": "3.40", "postgresql": "15.1", "system": "Linux"}
    run = figures(ON_TIME)
    result = {
        "commit": "abc1234",
        "measured_at": "2026-01-02T03:04:05+00:00",
        "seconds": 90.0,
        "load": 0.25,
        "machine": machine,
        "runs": [{"database": "sqlite", "pace": 1.0, **run}, {"database": "postgresql", "pace": 60.0, **run}],
    }
    lines = table(result)
    assert lines[0] == ["", "SQLite, its own pace", "PostgreSQL, 60 times as fast"]
    assert ["due → begun p50, ms", "500", "500"] in lines
    assert "90 s a column at commit abc1234, 2026-01-02, on 2 cores" in notes(result)
