from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from posts.models import Account, Slot
from posts.selectors.slots import FreeSlot, coming_slots, free_slots, next_free_slot, shared_slots, slots_of
from posts.services.errors import NotAllowed, ValidationFailed
from posts.services.posts import schedule_post
from posts.services.slots import add_slot, copy_day, remove_slot, set_slots_timezone
from tests.posts.calendar_clock import set_to
from tests.posts.making import account, draft, user, with_slots

pytestmark = pytest.mark.django_db

FRIDAY = datetime(2026, 11, 27, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def planned(name: str, *slots: tuple[int, str], zone: str = "UTC") -> Account:
    return with_slots(account(name), zone, *((day, time.fromisoformat(found)) for day, found in slots))


def test_adds_removes_and_copies() -> None:
    ada = planned("Ada", (0, "09:00"), (0, "18:30"), (2, "12:00"))
    add_slot(ada, 0, time(12, 0, 30))
    add_slot(ada, 0, time(12))
    remove_slot(ada, 0, time(18, 30))
    remove_slot(ada, 5, time(18, 30))
    copy_day(ada, 0, [0, 2, 4])
    week = [[f"{slot.wall_time:%H:%M}" for slot in day] for day in slots_of(ada)]
    assert week == [["09:00", "12:00"], [], ["09:00", "12:00"], [], ["09:00", "12:00"], [], []]
    assert set_slots_timezone(ada, "Asia/Tokyo").slots_timezone == "Asia/Tokyo"


def test_refuses_what_is_no_plan_and_who_may_not() -> None:
    ada = planned("Ada", *((0, f"09:{minute:02}") for minute in range(24)))
    for refused in (
        lambda: set_slots_timezone(ada, "Mars/Base"),
        lambda: add_slot(ada, 7, time(9)),
        lambda: add_slot(ada, 0, time(9, 24)),
    ):
        with pytest.raises(ValidationFailed):
            refused()
    with pytest.raises(NotAllowed):
        add_slot(ada, 1, time(9), actor=user())
    assert Slot.objects.count() == 24


def test_follows_the_clocks_of_its_zone_through_a_gap_and_a_fold() -> None:
    ada = planned("Ada", (6, "02:30"), (6, "03:30"), zone="Europe/Berlin")
    spring = free_slots([ada], at("2027-03-28T00:00"), at("2027-03-29T00:00"))
    autumn = free_slots([ada], at("2026-10-25T00:00"), at("2026-10-26T00:00"))
    assert [slot.at for slot in spring] == [at("2027-03-28T01:30")]
    assert [slot.at for slot in autumn] == [at("2026-10-25T00:30"), at("2026-10-25T02:30")]


@set_to(FRIDAY)
def test_a_slot_is_taken_by_what_waits_in_its_minute_on_that_account() -> None:
    ada, bob = planned("Ada", (4, "18:00"), (5, "09:00")), planned("Bob", (4, "18:00"))
    schedule_post(draft(ada), at=at("2026-11-27T18:00:41"))
    coming = coming_slots(ada, FRIDAY, FRIDAY + timedelta(days=2))
    assert [(slot.at, slot.is_taken) for slot in coming] == [
        (at("2026-11-27T18:00"), True),
        (at("2026-11-28T09:00"), False),
    ]
    found = next_free_slot([ada], FRIDAY)
    assert found is not None
    assert found.at == at("2026-11-28T09:00")
    assert free_slots([ada, bob], FRIDAY, FRIDAY + timedelta(hours=8)) == [FreeSlot(at("2026-11-27T18:00"), bob)]


def test_several_accounts_take_the_next_slot_that_is_free_on_each_of_them() -> None:
    ada = planned("Ada", (4, "18:00"), (0, "09:00"))
    bob = planned("Bob", (5, "10:00"), (0, "10:00"), zone="Europe/Berlin")
    found = next_free_slot([ada, bob, account("Cleo")], FRIDAY)
    assert found is not None
    assert (found.at, found.of, found.without) == (at("2026-11-30T09:00"), (ada, bob), ())
    with set_to(FRIDAY):
        for weeks in range(4):
            schedule_post(draft(bob), at=at("2026-11-30T09:00") + timedelta(weeks=weeks))
    found = next_free_slot([ada, bob], FRIDAY)
    assert found is not None
    assert (found.at, found.of, found.without) == (at("2026-11-27T18:00"), (ada,), (bob,))


def test_without_slots_there_is_no_next_one() -> None:
    assert next_free_slot([account("Ada")], FRIDAY) is None
    assert next_free_slot([], FRIDAY) is None


@set_to(FRIDAY)
def test_two_posts_in_one_slot_are_said_and_two_at_another_time_are_not() -> None:
    ada = planned("Ada", (4, "18:00"))
    first = schedule_post(draft(ada), at=at("2026-11-27T18:00"))
    assert shared_slots(first.pk) == []
    second = schedule_post(draft(ada), at=at("2026-11-27T18:00:30"))
    assert shared_slots(second.pk) == [(ada, [first.pk])]
    for _ in range(2):
        other = schedule_post(draft(ada), at=at("2026-11-27T17:00"))
    assert shared_slots(other.pk) == []


def test_looking_asks_the_database_a_few_times_however_full_it_is(django_assert_max_num_queries: object) -> None:
    ada, bob = (planned(name, *((day, "18:00") for day in range(7))) for name in ("Ada", "Bob"))
    with set_to(FRIDAY):
        for days in range(10):
            schedule_post(draft(ada, bob), at=at("2026-11-27T18:00") + timedelta(days=days))
    with django_assert_max_num_queries(3):  # type: ignore[operator]
        found = next_free_slot([ada, bob], FRIDAY)
    assert found is not None
    assert found.at == at("2026-12-07T18:00")
