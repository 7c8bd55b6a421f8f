"""What lies in a span: exact counts, the first posts of each cell, filters, whose posts, and free posting slots."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from posts.models import Post, PostStatus, Slot
from posts.selectors.calendar import Filters, cells_between, drafts, filtered_posts
from posts.selectors.slots import free_slots
from posts.services.posts import cancel_post, schedule_post
from tests.posts.making import account, draft, picture, sent, user

pytestmark = pytest.mark.django_db

START = datetime(datetime.now(UTC).year + 1, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def scheduled(at: datetime, *accounts: Any, **fields: Any) -> Post:
    return schedule_post(draft(*(accounts or [account()]), **fields), at=at, timezone="UTC")


def hours(number: int, start: datetime = START) -> list[datetime]:
    return [start + place * HOUR for place in range(number + 1)]


def test_counts_exactly_and_reads_the_first_of_each_cell() -> None:
    chief, ada = user("chief", sees_all=True), account()
    posts = [scheduled(START + timedelta(minutes=minutes), ada) for minutes in (59, 0, 30, 30, 15, 60)]
    scheduled(START - timedelta(seconds=1), ada)
    scheduled(START + 3 * HOUR, ada)
    cells = cells_between(chief, Filters(), hours(3), most=3)
    assert [(cell.count, cell.more) for cell in cells] == [(5, 2), (1, 0), (0, 0)]
    assert cells[0].posts == [posts[1], posts[4], posts[2]]  # two at half past: the older one first
    assert cells[1].posts == [posts[5]]


def test_two_in_a_minute_are_two() -> None:
    chief = user("chief", sees_all=True)
    both = [scheduled(START), scheduled(START)]
    (cell,) = cells_between(chief, Filters(), hours(1), most=3)
    assert cell.posts == both


def test_cells_may_be_empty_and_without_length() -> None:
    chief = user("chief", sees_all=True)
    post = scheduled(START)
    empty, full = cells_between(chief, Filters(), [START, START, START + HOUR], most=3)
    assert (empty.count, full.posts) == (0, [post])


def test_reads_a_fixed_number_of_times(django_assert_num_queries: Any) -> None:
    chief, ada = user("chief", sees_all=True), account()
    chief.has_perm("x")  # permissions are read once
    for minutes in range(0, 360, 20):
        scheduled(START + timedelta(minutes=minutes), ada, media=[picture()])
    with django_assert_num_queries(6):
        cells = cells_between(chief, Filters(), hours(6), most=2)
        for cell in cells:
            for post in cell.posts:
                assert [found.account.name for found in post.deliveries.all()] == ["Ada"]
                assert [found.media.original_name for found in post.post_media.all()] == ["cat.jpg"]


def test_drafts_lie_nowhere_and_what_was_cancelled_stays() -> None:
    chief = user("chief", sees_all=True)
    idea, dropped = draft(account()), scheduled(START)
    cancel_post(dropped)
    Post.objects.filter(pk=idea.pk).update(scheduled_at=START)  # once meant, and no longer
    (cell,) = cells_between(chief, Filters(), hours(1), most=3)
    assert cell.posts == [dropped]
    assert drafts(chief, Filters(), most=5) == [idea]
    assert drafts(chief, Filters(state=PostStatus.DRAFT), most=5) == [idea]
    assert drafts(chief, Filters(state=PostStatus.CANCELLED), most=5) == []


def test_filters_by_account_platform_tag_and_state() -> None:
    ada, bob, chief = account("Ada"), account("Bob", platform="telegram"), user("chief", sees_all=True)
    first = scheduled(START, ada, bob, tags=["launch", "spring"])
    second = scheduled(START, bob)
    live = sent(ada)
    assert set(filtered_posts(chief, Filters(account=ada.pk))) == {first, live}
    assert set(filtered_posts(chief, Filters(platform="telegram"))) == {first, second}
    assert list(filtered_posts(chief, Filters(tag="launch"))) == [first]
    assert set(filtered_posts(chief, Filters(state="scheduled"))) == {first, second}
    assert list(filtered_posts(chief, Filters(ada.pk, "telegram", "spring", "scheduled"))) == [first]
    (cell,) = cells_between(chief, Filters(account=ada.pk, tag="launch"), hours(1), most=3)
    assert (cell.count, cell.posts) == (1, [first])


def test_people_see_their_own() -> None:
    grace = user("grace")
    own = scheduled(START, owner=grace)
    scheduled(START, owner=user("other"))
    (cell,) = cells_between(grace, Filters(), hours(1), most=3)
    assert (cell.count, cell.posts) == (1, [own])


def test_free_slots_are_those_of_the_plan_that_nothing_was_put_in() -> None:
    ada, bob = account("Ada", slots_timezone="Europe/Berlin"), account("Bob")
    for found, hour in ((ada, 9), (ada, 18), (bob, 9)):
        Slot.objects.create(account=found, weekday=START.weekday(), wall_time=time(hour))
    scheduled(START + 8 * HOUR, ada)  # nine in Berlin
    dropped = scheduled(START + 9 * HOUR, bob)
    cancel_post(dropped)
    found = free_slots([ada, bob], START, START + timedelta(days=7))
    assert [(slot.at, slot.account) for slot in found] == [(START + 9 * HOUR, bob), (START + 17 * HOUR, ada)]
    assert len(free_slots([ada, bob], START, START + timedelta(days=8))) == 5
    assert free_slots([ada], START + 18 * HOUR, START + timedelta(days=7)) == []


def test_a_full_view_has_fewer_of_each_cell_and_still_counts_all() -> None:
    chief, ada = user("chief", sees_all=True), account()
    for minutes in (0, 1, 2, 60, 61, 120):
        scheduled(START + timedelta(minutes=minutes), ada)
    cells = cells_between(chief, Filters(), hours(3), most=3, most_in_all=5)
    assert [(len(cell.posts), cell.more) for cell in cells] == [(2, 1), (2, 0), (1, 0)]
    cells = cells_between(chief, Filters(), hours(3), most=3, most_in_all=2)
    assert [(len(cell.posts), cell.more) for cell in cells] == [(1, 2), (1, 1), (1, 0)]
