# ruff: noqa: DTZ001 - a wall time has no zone
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from posts.text.wall_time import (
    AmbiguousError,
    GapError,
    NotATime,
    UnknownZone,
    parse_wall_time,
    resolve_wall_time,
)

ZONES = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})
WALLS = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2060, 1, 1))


def test_turns_a_wall_time_into_utc() -> None:
    assert parse_wall_time("2026-07-01T14:30", "Europe/Berlin") == datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    assert parse_wall_time("2026-12-01 14:30:05", "Europe/Berlin") == datetime(2026, 12, 1, 13, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-07-01T14:30+05:30", "2026-07-01T09:00Z", "2026-03-29T02:30-06:30"])
def test_takes_an_offset_as_given(text: str) -> None:
    instant = parse_wall_time(text, "Europe/Berlin")
    assert instant == datetime.fromisoformat(text)
    assert instant.tzinfo is UTC


def test_refuses_a_time_in_the_gap_and_names_the_gap() -> None:
    with pytest.raises(GapError) as caught:
        parse_wall_time("2026-03-29T02:30", "Europe/Berlin", fold=1)
    assert (caught.value.gap_start, caught.value.gap_end) == (datetime(2026, 3, 29, 2), datetime(2026, 3, 29, 3))
    assert "2026-03-29 02:30 does not exist in Europe/Berlin" in str(caught.value)
    assert "from 2026-03-29 02:00 straight to 2026-03-29 03:00" in str(caught.value)


def test_knows_gaps_of_half_an_hour_and_of_a_whole_day() -> None:
    with pytest.raises(GapError) as half_hour:
        parse_wall_time("2026-10-04T02:15:30.5", "Australia/Lord_Howe")
    assert half_hour.value.gap_end == datetime(2026, 10, 4, 2, 30)
    with pytest.raises(GapError) as day:
        parse_wall_time("2011-12-30T12:00", "Pacific/Apia")
    assert (day.value.gap_start, day.value.gap_end) == (datetime(2011, 12, 30), datetime(2011, 12, 31))


def test_the_edges_of_a_gap_exist() -> None:
    last = parse_wall_time("2026-03-29T01:59:59", "Europe/Berlin")
    assert parse_wall_time("2026-03-29T03:00:00", "Europe/Berlin") - last == timedelta(seconds=1)


def test_asks_about_a_time_that_comes_twice() -> None:
    with pytest.raises(AmbiguousError) as caught:
        parse_wall_time("2026-10-25T02:30", "Europe/Berlin")
    earlier, later = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert (caught.value.earlier, caught.value.later) == (earlier, later)
    assert "happens twice" in str(caught.value)
    assert parse_wall_time("2026-10-25T02:30", "Europe/Berlin", fold=0) == earlier
    assert parse_wall_time("2026-10-25T02:30", "Europe/Berlin", fold=1) == later


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "Europe", "localtime", "Europe/Berlin\0"])
def test_refuses_an_unknown_zone(zone: str) -> None:
    with pytest.raises(UnknownZone):
        parse_wall_time("2026-07-01T14:30", zone)


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-07-01", "20260701T1430", "2026-02-30T10:00", "2026-07-01+01:00", "2026-07-01T25:00"]
)
def test_refuses_what_is_no_date_and_time(text: str) -> None:
    with pytest.raises(NotATime):
        parse_wall_time(text, "UTC")


@pytest.mark.parametrize("text", ["0001-01-01T00:00", "9999-12-31T23:59", "0001-01-01T00:00+14:00"])
def test_the_ends_of_the_calendar_are_refused_not_crashed_on(text: str) -> None:
    zone = "Asia/Tokyo" if text.startswith("0001") else "Pacific/Pago_Pago"
    with pytest.raises(NotATime):
        parse_wall_time(text, zone)


@example(datetime(2026, 3, 29, 2, 30), "Europe/Berlin")
@example(datetime(2026, 10, 25, 2, 30), "Europe/Berlin")
@example(datetime(2011, 12, 30, 12), "Pacific/Apia")
@example(datetime(2026, 10, 4, 2, 15), "Australia/Lord_Howe")
@given(WALLS, st.sampled_from(ZONES))
def test_the_clocks_of_every_zone_show_the_time_that_was_meant(wall: datetime, zone: str) -> None:
    rules = ZoneInfo(zone)

    def clock(instant: datetime) -> datetime:
        return instant.astimezone(rules).replace(tzinfo=None, fold=0)

    try:
        meant: datetime | AmbiguousError | GapError = resolve_wall_time(wall, zone)
    except (AmbiguousError, GapError) as error:
        meant = error
    match meant:
        case datetime():
            assert clock(meant) == wall
        case AmbiguousError(earlier=earlier, later=later):
            assert clock(earlier) == clock(later) == wall
            assert earlier < later
            assert (resolve_wall_time(wall, zone, fold=0), resolve_wall_time(wall, zone, fold=1)) == (earlier, later)
        case GapError(gap_start=gap_start, gap_end=gap_end):
            assert gap_start <= wall < gap_end
            last = resolve_wall_time(gap_start - timedelta(seconds=1), zone, fold=1)
            assert resolve_wall_time(gap_end, zone, fold=1) - last == timedelta(seconds=1)
