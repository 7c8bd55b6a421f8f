"""Charts: every bar lies within the picture, and what its height means is said in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from queue_app.admin import charts
from queue_app.recent import Day, Hour

START = datetime(2026, 3, 1, tzinfo=UTC)


def day(*hours: Hour) -> Day:
    rest = [Hour(START + timedelta(hours=place)) for place in range(len(hours), 24)]
    return Day((*hours, *rest), None)


def test_what_failed_hangs_below_what_went_well() -> None:
    chart = charts.ended(day(Hour(START, 30, 10, 2.0), Hour(START + timedelta(hours=1), 15)), "published", "UTC")
    good, bad, half = chart.bars
    assert good.height == 3 * bad.height == 2 * half.height
    assert (good.y + good.height, bad.y) == (chart.baseline, chart.baseline)
    assert good.title == bad.title == "00:00: 30 published, 10 failed"
    assert half.title == "01:00: 15 published, 0 failed"
    assert all(
        bar.y >= 0 and bar.y + bar.height <= chart.height and bar.x + bar.width <= chart.width for bar in chart.bars
    )


def test_an_empty_day_has_a_line_and_no_bars() -> None:
    for chart in (charts.ended(day(), "published"), charts.durations(day())):
        assert not chart.bars
        assert 0 < chart.baseline <= chart.height


def test_the_longest_duration_is_the_highest_bar_and_words_are_of_the_zone() -> None:
    chart = charts.durations(day(Hour(START, 1, 0, 0.5), Hour(START + timedelta(hours=1), 1, 0, 2.0)), "Asia/Tokyo")
    assert [bar.title for bar in chart.bars] == ["09:00: 500 ms", "10:00: 2.0 s"]
    assert chart.bars[1].height == 4 * chart.bars[0].height
    assert chart.ticks == ["09:00", "13:00", "17:00", "21:00", "01:00", "05:00"]
