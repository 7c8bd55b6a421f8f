"""The day's benchmark: its timetable, what it makes of a day, and a tiny day for form; never for time."""

from __future__ import annotations

import pytest

from benchmarks.day import FULL, Plan, document, run
from benchmarks.day_figures import Day, Told, busiest_pace, figures, hours_table, table, timetable
from tests.site import Site

DAY = Day(begin=1000.0, seconds=2400.0, workers=2, revoked=3, revoked_from=2400.0, revoked_until=2510.0)


def told(due: float, begun: float | None = 1.0, out: float | None = 2.0, account: int = 1, key: str = "") -> Told:
    """Return what a delivery says; ``begun`` and ``out`` are seconds after ``due``."""
    status = "published" if out is not None else "failed"
    after = [None if seconds is None else due + seconds for seconds in (begun, out)]
    return Told(account, key or f"k{due:g}", due, *after, status)


def answers(*rows: Told) -> list[str]:
    return [f"{row.account} msg_{row.key} 200" for row in rows]


def test_a_timetable_follows_the_curve_and_is_the_same_in_every_run() -> None:
    moments = timetable(10_000, 2400.0, seed=1)
    assert moments == timetable(10_000, 2400.0, seed=1) == sorted(moments)
    assert 0 <= moments[0] <= moments[-1] < 2400
    night, noon = (sum(hour * 100 <= at < hour * 100 + 100 for at in moments) for hour in (3, 12))
    assert 3 < noon / night < 4.5
    assert busiest_pace(10_000, 86_400) == pytest.approx(10_000 / 86_400 * 1.47, rel=0.01)
    assert FULL.workers * 4 * 0.9 > busiest_pace(FULL.posts, FULL.seconds) * 1.6


def test_a_day_is_told_by_what_its_deliveries_say() -> None:
    rows = [told(1010.0), told(1010.5), told(1011.5, begun=3.0, out=4.0)]
    found = figures(DAY, rows, [(1011.0, 1012.0), (1099.0, 1101.0)], answers(*rows))
    assert (found["posts"], found["published_percent"], found["most_waiting"], found["factor"]) == (3, 100, 2, 36)
    assert (found["begun_p50_seconds"], found["begun_most_seconds"], found["out_most_seconds"]) == (1, 3, 4)
    assert (found["sent_twice"], found["differences"]) == (0, 0)
    assert [hour["busy_percent"] for hour in found["hours"][:3]] == [pytest.approx(1), pytest.approx(0.5), 0]
    assert found["busiest_percent"] == pytest.approx(1)
    assert found["busy_percent"] == pytest.approx(1.5 / 24)


def test_what_the_revoked_account_kept_is_told_by_itself() -> None:
    rows = [told(1010.0), told(2450.0, begun=70.0, out=72.0, account=3), told(2450.0, account=4)]
    found = figures(DAY, rows, [], answers(*rows))
    assert (found["held_posts"], found["held_out_seconds"], found["out_most_seconds"]) == (1, 12, 2)
    assert found["hours"][14]["posts"] == 2
    assert found["hours"][14]["most_waiting"] == 1


def test_what_was_not_published_taken_twice_or_is_known_to_one_side_is_told() -> None:
    rows = [told(1010.0), told(1020.0), told(1030.0, out=None)]
    log = [*answers(rows[0], rows[0]), "1 msg_k1020 503", "1 msg_unknown 200"]
    found = figures(DAY, rows, [], log)
    assert (found["sent_twice"], found["differences"], found["refused"]) == (1, 2, 1)
    assert found["published_percent"] == pytest.approx(66.67, abs=0.01)
    with pytest.raises(SystemExit, match="nothing was published"):
        figures(DAY, [told(1030.0, out=None)], [], [])


@pytest.mark.one_database
def test_a_tiny_day_has_all_figures_and_the_document_names_where_they_are_from(site: Site) -> None:
    found = run(site, Plan(posts=24, seconds=4.0, given_workers=1, answer_seconds=(0.0, 0.05), transient=0.0))
    assert (found["posts"], found["published_percent"]) == (24, 100)
    assert (found["sent_twice"], found["differences"]) == (0, 0)
    kind = "sqlite" if site.database_url.startswith("sqlite:") else "postgresql"
    machine = {"cores": 2, "python": "3.11.7", "sqlite": "3.40", "postgresql": "15.1", "system": "Linux"}
    where_from = {
        "database": kind,
        "commit": "abc1234",
        "measured_at": "2026-01-02T03:04:05+00:00",
        "load": 0.25,
        "machine": machine,
    }
    runs = [{**where_from, **found}]
    assert len(hours_table(runs[0])) == 25
    assert ["posts", "10,000", "24"] in table(runs)
    said = document(runs)
    assert "the day took 4 s: its timetable was 21,600 times as fast. Measured at commit abc1234, 2026-01-02" in said
    assert "| 23:00 |" in said
