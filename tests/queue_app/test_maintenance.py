"""Maintenance windows: when they hold, and that their blocks are always there in time and never doubled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_app import api, blocks, clock, gates, maintenance
from queue_app.models import Block, BlockKind, MaintenanceWindow
from tests.faults.clusters import Clusters
from tests.queue_app.jobs import Later, Register, Run, reloaded
from tests.site import Site

ZONES = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})
DAILY = list(range(7))
MONDAY, SUNDAY = 0, 6
database = pytest.mark.django_db(transaction=True)


def window(**fields: Any) -> MaintenanceWindow:
    values = {"name": "Backup", "key": "all", "weekdays": [SUNDAY], "starts": time(2, 30), "duration_minutes": 60}
    return MaintenanceWindow(**values | {"timezone": "Europe/Berlin"} | fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- When it holds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "now", "starts_at", "until"),
    [
        ({}, "2026-01-05 12:00", "2026-01-11 01:30", "2026-01-11 02:30"),
        ({}, "2026-01-11 01:29", "2026-01-11 01:30", "2026-01-11 02:30"),  # a minute before
        ({}, "2026-01-11 02:29", "2026-01-11 01:30", "2026-01-11 02:30"),  # in progress
        ({}, "2026-01-11 02:30", "2026-01-18 01:30", "2026-01-18 02:30"),  # over
        ({}, "2026-03-28 12:00", "2026-03-29 01:00", "2026-03-29 02:00"),  # 02:30 is skipped: the clocks show 03:00
        ({}, "2026-10-24 12:00", "2026-10-25 00:30", "2026-10-25 01:30"),  # 02:30 comes twice: the first
        ({"starts": time(23), "duration_minutes": 180}, "2026-01-12 00:30", "2026-01-11 22:00", "2026-01-12 01:00"),
        ({"weekdays": [SUNDAY, MONDAY]}, "2026-01-11 03:00", "2026-01-12 01:30", "2026-01-12 02:30"),
        ({"timezone": "UTC", "duration_minutes": 10079}, "2026-01-11 02:28", "2026-01-04 02:30", "2026-01-11 02:29"),
        # A Friday that Samoa skipped: the first moment after it.
        ({"timezone": "Pacific/Apia", "weekdays": [4]}, "2011-12-29 12:00", "2011-12-30 10:00", "2011-12-30 11:00"),
        # The day of 23 hours: the second begins before the first is over, and both are one.
        (
            {"weekdays": DAILY, "starts": time(12), "duration_minutes": 23 * 60 + 30},
            "2026-03-28 12:00", "2026-03-28 11:00", "2026-03-30 09:30",
        ),
        # The start is in the gap: it touches the one before and the one after.
        (
            {"weekdays": DAILY, "duration_minutes": 23 * 60 + 55},
            "2026-03-28 12:00", "2026-03-28 01:30", "2026-03-31 00:25",
        ),
    ],
)  # fmt: skip
def test_the_next_occurrence(fields: dict[str, Any], now: str, starts_at: str, until: str) -> None:
    assert maintenance.next_occurrence(window(**fields), at(now)) == (at(starts_at), at(until))


def wall(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def first_at_or_past(target: datetime, zone: str) -> datetime:
    """Return the first moment at which the clocks show ``target`` or, where they skip it, later; found by trying."""
    naive = target.replace(tzinfo=UTC)
    around = [naive + timedelta(hours=hours) for hours in range(-40, 41)]
    offsets = {moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta() for moment in around}
    shown = [naive - offset for offset in offsets if wall(naive - offset, zone) == target]
    if shown:
        return min(shown)
    moment = min(naive - offset for offset in offsets)
    while wall(moment, zone) < target:
        moment += timedelta(seconds=1)
    return moment


def occurrences(found: MaintenanceWindow, around: datetime) -> Iterator[tuple[datetime, datetime]]:
    first = wall(around, found.timezone).date() - timedelta(days=9)
    for day in (first + timedelta(days=number) for number in range(28)):
        if day.weekday() in found.weekdays:
            starts_at = first_at_or_past(datetime.combine(day, found.starts), found.timezone)
            yield starts_at, starts_at + timedelta(minutes=found.duration_minutes)


def changes(zone: str, year: int) -> list[datetime]:
    """Return the moments of a year, to the minute, at which the clocks of ``zone`` are changed."""

    def offset(moment: datetime) -> timedelta | None:
        return moment.astimezone(ZoneInfo(zone)).utcoffset()

    found = []
    for number in range(366 * 4):
        begin = datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=6 * number)
        if offset(begin) != offset(begin + timedelta(hours=6)):
            minutes = (begin + timedelta(minutes=minute) for minute in range(361))
            found.append(next(minute for minute in minutes if offset(minute) != offset(begin)))
    return found


@st.composite
def windows_and_moments(draw: st.DrawFn) -> tuple[MaintenanceWindow, datetime]:
    """Any window at any moment; where a zone changes its clocks, mostly at about the hour and day when it does."""
    zone, year = draw(st.sampled_from(ZONES)), draw(st.integers(1975, 2040))
    days = draw(st.sets(st.integers(0, 6), min_size=1))
    starts, begin = draw(st.times()), datetime(year, 1, 1, tzinfo=UTC)
    if changed := changes(zone, year):
        begin = draw(st.sampled_from(changed))
        about = wall(begin - timedelta(minutes=1), zone) + timedelta(minutes=draw(st.integers(-90, 90)))
        starts = about.time()
        days |= {about.weekday()}
    most = min((b - a - 1) % 7 + 1 for a in days for b in days) * 1440 - 1
    found = window(
        weekdays=sorted(days),
        starts=starts.replace(second=0, microsecond=0),
        duration_minutes=draw(st.integers(1, 600) | st.integers(1, most) | st.just(most)),
        timezone=zone,
    )
    return found, begin + timedelta(minutes=draw(st.integers(-1440, 1440)))


@settings(deadline=None, max_examples=60)
@given(windows_and_moments())
def test_in_every_zone_it_is_the_first_occurrence_that_is_not_over(drawn: tuple[MaintenanceWindow, datetime]) -> None:
    found, now = drawn
    starts_at, until = maintenance.next_occurrence(found, now)
    coming = [(start, end) for start, end in occurrences(found, now) if end > now]
    assert starts_at == coming[0][0]
    end = coming[0][1]
    for start, following in coming[1:]:
        end = following if start <= end else end
    assert until == end
    for moment in (starts_at, until - timedelta(seconds=1)):
        if moment >= now:
            assert maintenance.next_occurrence(found, moment)[1] == until


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"weekdays": []}, "weekdays", "at least one"),
        ({"weekdays": [7]}, "weekdays", "at least one"),
        ({"weekdays": ["0"]}, "weekdays", "at least one"),
        ({"weekdays": [True]}, "weekdays", "at least one"),
        ({"weekdays": "012"}, "weekdays", "at least one"),
        ({"timezone": "Europe/Atlantis"}, "timezone", "not a time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone", "not a time zone"),
        ({"key": "everything"}, "key", "A key is"),
        ({"duration_minutes": 0}, "duration_minutes", "1 to 10079"),
        ({"duration_minutes": 7 * 1440}, "duration_minutes", "1 to 10079"),
        ({"weekdays": DAILY, "duration_minutes": 1440}, "duration_minutes", "1 to 1439"),
        ({"weekdays": [0, 5], "duration_minutes": 2 * 1440}, "duration_minutes", "1 to 2879"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(fields: dict[str, Any], field: str, words: str) -> None:
    for use in (maintenance.validate, lambda found: maintenance.next_occurrence(found, at("2026-01-01 00:00"))):
        with pytest.raises(ValidationError) as refusal:
            use(window(**fields))
        assert list(refusal.value.message_dict) == [field]
        assert words in refusal.value.message_dict[field][0]


# --- Its blocks ----------------------------------------------------------------------------------------------------


def saved(**fields: Any) -> MaintenanceWindow:
    found = window(**fields)
    found.save()
    return found


def from_now(seconds: float, minutes: int = 10, **fields: Any) -> MaintenanceWindow:
    """Save a daily window that begins in ``seconds``."""
    begin = (clock.now() + timedelta(seconds=seconds)).replace(microsecond=0)
    return saved(weekdays=DAILY, starts=begin.time(), duration_minutes=minutes, timezone="UTC", **fields)


def planned() -> list[tuple[str, str, str]]:
    return list(Block.objects.order_by("source").values_list("source", "key", "kind"))


@database
def test_an_occurrence_is_placed_ahead_once_and_holds_from_its_start(
    register: Register, run: Run, later: Later
) -> None:
    found = from_now(60, name="Backup")
    assert maintenance.plan(clock.now()) == 1
    assert maintenance.plan(clock.now()) == 0
    block = Block.objects.get()
    assert (block.key, block.kind, block.source) == ("all", BlockKind.MAINTENANCE, f"window:{found.pk}")
    assert (block.reason, block.starts_at, block.until) == (
        "Backup",
        *maintenance.next_occurrence(found, clock.now()),
    )
    name = register(lambda context: None)
    api.enqueue(name)
    assert run() == 1
    later(61)
    job = api.enqueue(name)
    assert run() == 0
    assert reloaded(job).parked_by == "all"
    assert maintenance.plan(clock.now()) == 0


@database
def test_when_one_is_over_the_next_takes_its_place_and_its_jobs_are_let_go(
    register: Register, run: Run, later: Later
) -> None:
    from_now(-60)
    maintenance.plan(clock.now())
    first = Block.objects.get()
    api.enqueue(register(lambda context: None))
    assert run() == 0
    later(9 * 60 + 1)
    assert maintenance.plan(clock.now()) == 2
    second = Block.objects.get()
    assert first.starts_at is not None
    assert second.starts_at == first.starts_at + timedelta(days=1)
    assert run() == 1


@database
def test_between_windows_that_follow_each_other_there_is_no_gap(register: Register, run: Run, later: Later) -> None:
    from_now(-60, name="First")
    from_now(9 * 60, name="Second")
    maintenance.plan(clock.now())
    job = api.enqueue(register(lambda context: None))
    end = Block.objects.get(reason="First").until
    assert end is not None
    assert Block.objects.get(reason="Second").starts_at == end
    assert list(blocks.active(["all"], end).values_list("reason", flat=True)) == ["Second"]
    assert run() == 0
    later(9 * 60 + 1)
    maintenance.plan(clock.now())
    blocks.lift_elapsed()
    assert run() == 0
    assert reloaded(job).parked_by == "all"


@database
def test_a_window_whose_block_elapsed_while_nothing_ran_is_planned_again_before_that_is_removed(
    register: Register, run: Run, later: Later
) -> None:
    from_now(-60)
    maintenance.plan(clock.now())
    api.enqueue(register(lambda context: None))
    later(24 * 3600)  # a day later, in the next occurrence
    maintenance.plan(clock.now())
    assert blocks.lift_elapsed() == 0
    assert run() == 0


@database
@pytest.mark.parametrize("change", ["deleted", "disabled", "moved", "of another key"])
def test_what_a_changed_window_has_placed_is_removed(register: Register, run: Run, change: str) -> None:
    found = from_now(-60)
    maintenance.plan(clock.now())
    api.enqueue(register(lambda context: None))
    assert run() == 0
    if change == "deleted":
        found.delete()
    else:
        found.enabled = change != "disabled"
        if change == "moved":
            found.starts = (clock.now() + timedelta(hours=2)).time()
        if change == "of another key":
            found.key = "account:7"
        found.save()
    assert maintenance.plan(clock.now()) > 0
    assert Block.objects.count() == (0 if change in ("deleted", "disabled") else 1)
    assert run() == 1


@database
def test_pauses_and_other_blocks_are_left_alone(register: Register) -> None:
    Block.objects.create(key="all", kind=BlockKind.PAUSE, created_at=clock.now())
    assert maintenance.plan(clock.now()) == 0
    found = from_now(-60)
    maintenance.plan(clock.now())
    assert planned() == [("", "all", "pause"), (f"window:{found.pk}", "all", "maintenance")]


@database
def test_a_window_that_this_host_cannot_read_keeps_the_block_that_another_placed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found, good = from_now(-60, name="Foreign"), from_now(60, name="Good")
    maintenance.plan(clock.now())
    MaintenanceWindow.objects.filter(pk=found.pk).update(timezone="Moon/Tranquility")
    good.delete()
    maintenance.plan(clock.now())
    assert planned() == [(f"window:{found.pk}", "all", "maintenance")]
    assert "maintenance window=Foreign cannot be read: “Moon/Tranquility” is not a time zone" in caplog.text


@database
def test_many_clusters_that_plan_at_once_place_one_block() -> None:
    count = 6
    from_now(60)
    ready = threading.Barrier(count)
    done: list[int] = []

    def go() -> None:
        try:
            connections["default"].ensure_connection()
            ready.wait(30)
            done.append(maintenance.plan(clock.now()))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == count
    assert Block.objects.count() == 1


@database
def test_gates_plan_windows_before_they_lift_what_has_elapsed(register: Register, run: Run, later: Later) -> None:
    from_now(-60)
    maintenance.plan(clock.now())
    job = api.enqueue(register(lambda context: None))
    assert run() == 0
    later(24 * 3600)
    assert gates.open_due() == 0
    assert run() == 0
    assert reloaded(job).parked_by == "all"


def test_a_running_cluster_places_the_blocks_of_its_windows(site: Site) -> None:
    clusters = Clusters(site)
    site.env["SOCIALQ_HEARTBEAT_SECONDS"] = "1"
    clusters.start()
    save = "from datetime import time; from queue_app.models import MaintenanceWindow as W; "
    save += "W.objects.create(name='Backup', weekdays=[0, 1, 2, 3, 4, 5, 6], starts=time(0), duration_minutes=1439)"
    site.python(save)
    site.wait_until(lambda: site.sql("SELECT reason FROM queue_app_block WHERE kind = 'maintenance'") == [("Backup",)])
    site.sql("DELETE FROM queue_app_maintenancewindow")
    site.wait_until(lambda: clusters.count("SELECT COUNT(*) FROM queue_app_block") == 0)
