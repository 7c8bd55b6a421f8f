from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from posts.models import Post, PostStatus, Recurrence
from posts.services.posts import reschedule_post, schedule_post
from posts.services.recurrence import make_occurrences, repeat_post
from tests.posts.admin.pages import PUBLISHER, VIEWER, act, browser, list_of, messages_of, page, person
from tests.posts.calendar_clock import set_to
from tests.posts.making import account, draft

pytestmark = pytest.mark.django_db

FRIDAY = datetime(2026, 11, 27, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(db: None) -> Any:
    with set_to(FRIDAY) as found:
        yield found


@pytest.fixture
def grace() -> User:
    return person("grace", PUBLISHER)


def series(owner: User | None, text: str = "Weekly news", rule: str = "FREQ=WEEKLY;BYDAY=FR") -> Recurrence:
    post = draft(account(), owner=owner, text=text)
    schedule_post(post, at=datetime(2026, 11, 27, 13, 5, tzinfo=UTC), timezone="Europe/Berlin")
    found = repeat_post(post, rule=rule)
    make_occurrences(found.pk)
    return found


def nth(found: Recurrence, place: int) -> Post:
    return found.posts.order_by("occurrence")[place]


def text_of(response: Any) -> str:
    return html.unescape(" ".join(response.content.decode().split()))


def waiting() -> int:
    return Post.objects.filter(status=PostStatus.SCHEDULED).count()


def test_the_list_has_rules_in_words_and_the_next_dates_in_the_persons_zone(grace: User) -> None:
    series(grace, "<b>Weekly</b> news")
    series(person("other"), "Not hers")
    response = browser(grace).get(list_of(Recurrence))
    text = text_of(response)
    assert "&lt;b&gt;Weekly" in response.content.decode()
    assert "Every week on Friday, without an end" in text
    assert "2026-11-27 14:05" in text
    assert "2026-12-04 14:05" in text
    assert "Not hers" not in text
    assert "Goes on" in text


def test_an_empty_list_says_what_to_do(grace: User) -> None:
    assert "Nothing repeats yet. Choose “Repeat”" in text_of(browser(grace).get(list_of(Recurrence)))


def test_its_page_lists_its_posts_and_marks_those_changed_alone(grace: User) -> None:
    found = series(grace)
    reschedule_post(nth(found, 2), at=datetime(2026, 12, 12, 9, tzinfo=UTC), actor=grace)
    text = text_of(browser(grace).get(page(found)))
    assert text.count("changed by itself") == 1
    assert "Friday 4 December 2026, 14:05" in text
    assert page(nth(found, 3)) in text
    assert "End now" in text
    assert browser(person("other", VIEWER)).get(page(found)).status_code == 302


def test_ending_asks_with_the_number_and_says_what_was_kept(grace: User) -> None:
    found, client = series(grace), browser(grace)
    reschedule_post(nth(found, 2), at=datetime(2026, 12, 12, 9, tzinfo=UTC), actor=grace)
    asked = text_of(act(client, "end", found, sure=False))
    assert "8 posts that have not been sent are cancelled" in asked
    assert waiting() == 9
    act(client, "end", found)
    assert waiting() == 1
    entry = LogEntry.objects.get(object_id=str(found.pk), content_type__model="recurrence")
    assert "Ended: 8 posts; changed by themselves and kept: “Weekly news” 2026-12-12" in entry.change_message
    text = text_of(client.get(page(found)))
    assert "Ended" in text
    assert "End now" not in text


def test_ending_may_take_what_was_changed_alone_with_it(grace: User) -> None:
    found = series(grace)
    reschedule_post(nth(found, 2), at=datetime(2026, 12, 12, 9, tzinfo=UTC), actor=grace)
    act(browser(grace), "end", found, with_exceptions="on")
    assert waiting() == 0


def test_the_end_is_moved(grace: User) -> None:
    found, client = series(grace), browser(grace)
    act(client, "extend", found, ends_on="2026-12-11")
    assert waiting() == 3
    answer = act(client, "extend", found, ends_on="2020-01-01")
    assert "The end is before the series begins" in messages_of(answer)
    act(client, "extend", found, ends_on="")
    make_occurrences(found.pk)
    assert waiting() == 9


@pytest.mark.parametrize(("action", "left"), [("cancel", 9), ("delete", 3)])
def test_cancelling_and_deleting_ask_which_ones(grace: User, action: str, left: int) -> None:
    found, client = series(grace), browser(grace)
    asked = text_of(act(client, action, nth(found, 5), sure=False))
    assert "this one only" in asked
    assert "this and all future ones; the series ends" in asked
    act(client, action, nth(found, 5), scope="this")
    found.refresh_from_db()
    assert (waiting(), found.ended_at) == (8, None)
    act(client, action, nth(found, 3), nth(found, 4), scope="future")
    found.refresh_from_db()
    assert found.ended_at is not None
    assert waiting() == 3
    assert found.posts.count() == left
    alone = draft(account("Bob"), owner=grace)
    assert "this one only" not in text_of(act(client, "delete", alone, sure=False))


def test_the_list_asks_the_same_few_questions_however_long_it_is(
    grace: User, django_assert_max_num_queries: Any
) -> None:
    client = browser(grace)
    for number in range(3):
        series(grace, f"news {number}")
    with django_assert_max_num_queries(20):
        client.get(list_of(Recurrence))
