"""Moving posts on the calendar: the time of day stays, in every zone; what may not be moved; versions and series."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posts.models import Post, PostStatus, Recurrence
from posts.services.errors import Conflict, NotAllowed, Refused, ValidationFailed
from posts.services.moves import Landing, at_time, move_post, on_day, why_not_movable
from posts.services.posts import reschedule_post, schedule_post
from posts.text.wall_time import AmbiguousError, Fold, GapError, first_instant
from queue_app import clock
from tests.posts.making import account, begin, delivery, draft, sent, unsettled, user

ZONES = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})
YEAR = datetime.now(UTC).year + 1
# Around these days some clocks of the world are changed: Europe's and America's in spring and autumn, and the south's.
TURNS = [date(YEAR, month, day) for month in (3, 4, 9, 10, 11) for day in range(1, 29)]
BERLIN = "Europe/Berlin"
FOLDS: tuple[Fold, Fold] = (0, 1)


def landing(at: datetime, zone: str = BERLIN) -> Landing:
    return Landing(at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(timespec="seconds"), zone)


def soon(hours: float = 24) -> datetime:
    return (clock.now() + timedelta(hours=hours)).replace(microsecond=0)


def scheduled(*accounts: Any, at: datetime | None = None, **fields: Any) -> Post:
    return schedule_post(draft(*(accounts or [account()]), **fields), at=at or soon(), timezone=BERLIN)


@given(
    zone=st.sampled_from(ZONES),
    seen_in=st.sampled_from(ZONES),
    start=st.sampled_from(TURNS),
    clock_time=st.times(),
    days=st.integers(-40, 40),
)
def test_a_day_keeps_the_time_of_day_in_every_zone(
    zone: str, seen_in: str, start: date, clock_time: time, days: int
) -> None:
    wall = datetime.combine(start, clock_time.replace(microsecond=0, fold=0))
    at = first_instant(wall, zone)
    wall = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)  # a gap was left behind
    post = Post(scheduled_at=at, wall_time=wall.isoformat(timespec="seconds"), timezone=zone)
    seen = at.astimezone(ZoneInfo(seen_in)).date()
    target = wall + timedelta(days=days)
    day = seen + timedelta(days=days)
    # By the zone's own rules: the clocks skip it, show it once, or show it twice.
    instants = [target.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)]
    if instants[0] > instants[1]:
        with pytest.raises(GapError):
            on_day(post, day, seen_in=seen_in, fold=0)
        return
    if instants[0] < instants[1]:
        with pytest.raises(AmbiguousError):
            on_day(post, day, seen_in=seen_in)
    for fold in FOLDS:
        landed = on_day(post, day, seen_in=seen_in, fold=fold)
        shown = landed.at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        assert (landed.at, landed.timezone, shown.time()) == (instants[fold], zone, wall.time())
        assert datetime.fromisoformat(landed.wall_time) == shown == target


@given(zone=st.sampled_from(ZONES), day=st.sampled_from(TURNS), hour=st.integers(0, 23))
def test_an_hour_is_that_of_the_calendar_and_the_post_keeps_its_zone(zone: str, day: date, hour: int) -> None:
    wall = datetime.combine(day, time(hour))
    post = Post(timezone=BERLIN)
    try:
        landed = at_time(post, wall, seen_in=zone, fold=1)
    except GapError:
        return
    assert landed.at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) == wall
    assert landed.timezone == BERLIN
    assert datetime.fromisoformat(landed.wall_time) == landed.at.astimezone(ZoneInfo(BERLIN)).replace(tzinfo=None)


@given(zone=st.sampled_from(ZONES), day=st.sampled_from(TURNS))
def test_days_and_hours_follow_each_other_without_holes(zone: str, day: date) -> None:
    walls = [datetime.combine(day, time(hour)) for hour in range(24)]
    walls.append(datetime.combine(day + timedelta(days=1), time()))
    bounds = [first_instant(wall, zone) for wall in walls]
    assert bounds == sorted(bounds)
    for wall, start, end in zip(walls, bounds, bounds[1:], strict=False):
        if start < end:
            assert start.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) >= wall


def test_a_post_without_a_time_has_none_to_keep() -> None:
    with pytest.raises(ValueError, match="no time of day"):
        on_day(Post(), date(YEAR, 1, 1), seen_in=BERLIN)


@pytest.mark.django_db
def test_moves_what_waits_and_schedules_drafts() -> None:
    grace, at = user(), soon(48)
    post = scheduled(owner=grace)
    moved = move_post(post, landing(at), expected_version=post.version, actor=grace)
    assert (moved.scheduled_at, moved.timezone, moved.version) == (at, BERLIN, post.version + 1)
    job = delivery(moved).job
    assert job is not None
    assert job.run_at == at
    new = draft(account("Bob"), owner=grace)
    new = move_post(new, landing(at), expected_version=new.version, actor=grace)
    assert (new.status, new.scheduled_at) == (PostStatus.SCHEDULED, at)


@pytest.mark.django_db
def test_a_draft_that_no_account_takes_stays_one() -> None:
    post = draft(account(), text="")
    with pytest.raises(ValidationFailed):
        move_post(post, landing(soon()), expected_version=post.version, actor=None)
    post.refresh_from_db()
    assert post.status == PostStatus.DRAFT


@pytest.mark.django_db
def test_a_post_that_was_changed_meanwhile_is_not_moved() -> None:
    post, at = scheduled(), soon(30)
    reschedule_post(post, at=at)
    for again in (reschedule_post, schedule_post):
        with pytest.raises(Conflict, match="changed by somebody else"):
            again(post, at=soon(60), expected_version=post.version)
    with pytest.raises(Conflict, match="changed by somebody else"):
        move_post(post, landing(soon(60)), expected_version=post.version, actor=None)
    assert Post.objects.get().scheduled_at == at


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "why"), [("running", "right now"), ("published", "published"), ("unsure", "live")])
def test_what_is_under_way_or_out_cannot_be_moved(kind: str, why: str) -> None:
    if kind == "running":
        post = scheduled(account("Ada"), account("Bob"))  # one of the two waits still
        begin(delivery(post, post.deliveries.first().account))  # type: ignore[union-attr] # it has two
    else:
        post = sent(account()) if kind == "published" else unsettled(account())
    post.refresh_from_db()
    assert why in why_not_movable(post)
    with pytest.raises(Refused, match=why):
        move_post(post, landing(soon(60)), expected_version=post.version, actor=None)


@pytest.mark.django_db
def test_needs_the_permission_and_to_see_the_post() -> None:
    grace = user()
    for other in (user("may not", may=["schedule_post"]), user("elsewhere")):
        with pytest.raises(NotAllowed):
            move_post(scheduled(owner=grace), landing(soon(60)), expected_version=None, actor=other)


@pytest.mark.django_db
def test_one_of_a_series_goes_its_own_way_and_comes_back_by_an_undo() -> None:
    grace = user()
    post = scheduled(owner=grace)
    series = Recurrence.objects.create(rule="FREQ=DAILY", first_wall_time=post.wall_time, timezone=BERLIN)
    Post.objects.update(recurrence=series, occurrence=post.wall_time)
    moved = move_post(post, landing(soon(60)), expected_version=post.version, actor=grace)
    assert Post.objects.get().is_exception
    move_post(moved, landing(soon()), expected_version=moved.version, actor=grace, is_exception=False)
    assert not Post.objects.get().is_exception
