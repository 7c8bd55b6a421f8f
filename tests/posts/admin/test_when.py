from __future__ import annotations

import html
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from posts.models import Post, PostStatus, Recurrence
from posts.services.posts import schedule_post
from posts.services.recurrence import make_occurrences
from tests.posts.admin.pages import EDITOR, PUBLISHER, VIEWER, browser, edit_form, form, page, person
from tests.posts.calendar_clock import set_to
from tests.posts.making import account, draft, with_slots

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

ADD = "/admin/posts/post/add/"
FRIDAY = datetime(2026, 11, 27, 10, tzinfo=UTC)  # 11:00 in Berlin
WEEKLY = {"repeats": "weekly", "repeat_every": "1", "repeat_until": ""}


@pytest.fixture(autouse=True)
def clock(db: None) -> Any:
    with set_to(FRIDAY) as found:
        yield found


@pytest.fixture
def grace() -> Client:
    return browser(person("grace", PUBLISHER))


def text_of(response: Any) -> str:
    return html.unescape(" ".join(response.content.decode().split()))


def when(client: Client, **asked: Any) -> str:
    asked = {"timezone": "Europe/Berlin", **asked}
    response = client.get(reverse("admin:posts_post_when"), asked)
    assert response.status_code == 200
    return text_of(response)


def repeating(client: Client, *accounts: Any, **fields: Any) -> Recurrence:
    """Schedule a post at 14:05 in Berlin that repeats every week, and make its posts."""
    fields = {"goes_out": "2026-11-27T14:05", **WEEKLY, **fields}
    response = client.post(ADD, form(*(accounts or [account()]), button="_schedule", **fields))
    assert response.status_code == 302, text_of(response)
    found = Recurrence.objects.latest("pk")
    make_occurrences(found.pk)
    return found


def nth(found: Recurrence, place: int) -> Post:
    return found.posts.order_by("occurrence")[place]


def test_says_when_a_time_is_with_zone_offset_and_how_far_away(grace: Client) -> None:
    said = "Goes out Friday 27 November 2026, 14:05 Europe/Berlin (UTC+01:00), in 3 hours"
    assert said in when(grace, goes_out="2026-11-27T14:05")
    assert "14:05 Asia/Kathmandu (UTC+05:45)" in when(grace, goes_out="2026-11-28T14:05", timezone="Asia/Kathmandu")
    assert "was 1 hour ago: choose a later time" in when(grace, goes_out="2026-11-27T10:00")
    assert "No time yet" in when(grace, goes_out="")


def test_says_why_a_time_does_not_exist_and_asks_which_of_two(grace: Client) -> None:
    assert "does not exist in Europe/Berlin" in when(grace, goes_out="2027-03-28T02:30")
    asked = when(grace, goes_out="2027-10-31T02:30")
    assert "happens twice" in asked
    assert "Which of the two" in asked
    first = when(grace, goes_out="2027-10-31T02:30", fold="0")
    assert "(UTC+02:00)" in first
    assert "Which of the two" in first
    assert "(UTC+01:00)" in when(grace, goes_out="2027-10-31T02:30", fold="1")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"repeats": "daily"}, "Every day, without an end"),
        ({"repeats": "daily", "repeat_every": "2"}, "Every 2 days"),
        ({"repeats": "weekly"}, "Every week on Friday, without an end"),
        ({"repeats": "weekly", "repeat_days": ["MO", "FR"], "repeat_until": "2027-01-31"},
         "Every week on Monday and Friday, until 31 January 2027"),
        ({"repeats": "month_day"}, "Every month on day 27"),
        ({"repeats": "last_day", "goes_out": "2026-11-30T09:00"}, "Every month on the last day"),
        ({"repeats": "weekday"}, "Every month on the fourth Friday"),
        ({"repeats": "last_weekday"}, "Every month on the last Friday"),
        ({"repeats": "yearly"}, "Every year on 27 November"),
        ({"repeats": "month_day", "goes_out": "2026-12-31T09:00"},
         "Every month on day 31 (months without it are left out)"),
        ({"repeats": "yearly", "goes_out": "2028-02-29T09:00"}, "Every year on 29 February (in leap years only)"),
        ({"repeats": "own", "repeat_rule": "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
          "goes_out": "2026-11-30T09:00"}, "only the last of these days"),
        ({"repeats": "own", "repeat_rule": "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "goes_out": "2027-08-13T09:00"},
         "Every month on day 13, where that is Friday"),
        ({"repeats": "own", "repeat_rule": "FREQ=YEARLY;BYMONTH=1,7;BYDAY=-1SU", "goes_out": "2027-01-31T09:00"},
         "Every year in January and July on the last Sunday"),
    ],
)  # fmt: skip
def test_says_how_it_repeats_in_words_with_the_next_five_dates(
    grace: Client, fields: dict[str, Any], said: str
) -> None:
    text = when(grace, **{"goes_out": "2026-11-27T14:05", **fields})
    assert said in text
    assert 1 < text.count("<li>") <= 5


def test_the_dates_of_the_31st_leave_months_out_and_those_of_a_gap_say_so(grace: Client) -> None:
    text = when(grace, goes_out="2027-01-31T09:00", repeats="month_day")
    assert "Sunday 31 January 2027, 09:00" in text
    assert "Wednesday 31 March 2027, 09:00" in text
    assert "February" not in text
    text = when(grace, goes_out="2027-03-27T02:30", repeats="daily")
    assert "28 March 2027, 03:30 (UTC+02:00) – the clocks skip 02:30" in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"repeats": "own", "repeat_rule": "FREQ=SECONDLY"}, "A rule needs FREQ"),
        ({"repeats": "own", "repeat_rule": "<script>"}, "is no part of a rule"),
        ({"repeats": "own", "repeat_rule": ""}, "is no part of a rule"),
        ({"repeats": "own", "repeat_rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "no day in the next ten years"),
        ({"repeats": "weekly", "repeat_days": ["MO"]}, "the first is 2026-11-30"),
        ({"repeats": "weekly", "repeat_days": ["XX"]}, "no day of the week"),
        ({"repeats": "daily", "repeat_until": "2026-01-01"}, "is before the post itself"),
        ({"repeats": "daily", "goes_out": ""}, "Choose when it goes out first"),
        ({"repeats": "daily", "repeat_every": "9999999999999999999999"}, "Every day"),
        ({"repeats": "nonsense"}, "no part of a rule"),
        ({"repeats": "daily", "goes_out": "9999-12-31T23:59"}, ""),
        ({"goes_out": "0001-01-01T00:00"}, ""),
        ({"goes_out": "junk", "timezone": "../../etc/passwd"}, "is not a date and time"),
        ({"timezone": "Mars/Base", "goes_out": "2026-12-01T10:00"}, "is not a time zone"),
        ({"fold": "7", "goes_out": "2027-10-31T02:30"}, "happens twice"),
        ({"repeat_until": "31.12.2026", "repeats": "daily"}, "without an end"),
    ],
)
def test_whatever_is_asked_is_answered(grace: Client, fields: dict[str, Any], said: str) -> None:
    text = when(grace, **{"goes_out": "2026-11-27T14:05", **fields})
    assert said in text
    assert "<script>" not in text


def test_the_next_free_slot_fills_the_time_and_saves_nothing(grace: Client) -> None:
    ada = with_slots(account("Ada"), "Asia/Tokyo", (5, time(9)))
    response = grace.post(ADD, form(ada, button="_next_slot", text="kept"))
    text = text_of(response)
    assert 'name="goes_out" value="2026-11-28T01:00"' in text
    assert "kept" in text
    assert "Slot of Ada, 09:00 Asia/Tokyo." in text
    assert not Post.objects.exists()
    url = reverse("admin:posts_post_next_slot")
    text = text_of(grace.get(url, {"accounts": ada.pk, "timezone": "Europe/Berlin"}))
    assert 'value="2026-11-28T01:00"' in text
    assert "Goes out Saturday 28 November 2026, 01:00 Europe/Berlin" in text
    assert "Choose an account first" in text_of(grace.get(url))
    bob = account("Bob")
    text = text_of(grace.get(url, {"accounts": [bob.pk, "x", "99999999999999999999"], "timezone": "Europe/Berlin"}))
    assert "None of the chosen accounts has a free slot." in text
    assert reverse("admin:posts_account_changelist") in text


def test_a_slot_that_is_shown_twice_by_the_clocks_is_filled_with_which(grace: Client, clock: Any) -> None:
    clock.move_to(datetime(2027, 10, 30, 12, tzinfo=UTC))
    ada = with_slots(account("Ada"), "UTC", (6, time(1, 30)))
    text = text_of(grace.post(ADD, form(ada, button="_next_slot")))
    assert 'value="2027-10-31T02:30"' in text
    assert "02:30 Europe/Berlin (UTC+01:00)" in text
    assert '<option value="1" selected>' in text


def test_somebody_elses_account_gives_no_slot(grace: Client) -> None:
    hers = with_slots(account("Hers", owner=person("her")), "UTC", (5, time(9)))
    url = reverse("admin:posts_post_next_slot")
    assert "Choose an account first" in text_of(grace.get(url, {"accounts": hers.pk, "timezone": "UTC"}))


def test_two_in_one_slot_are_told(grace: Client) -> None:
    ada = with_slots(account("Ada"), "Europe/Berlin", (4, time(18)))
    grace.post(ADD, form(ada, button="_schedule", goes_out="2026-11-27T18:00", text="the quick one"))
    other = browser(person("other", PUBLISHER))
    response = other.post(ADD, form(ada, button="_schedule", goes_out="2026-11-27T18:00", text="second"), follow=True)
    text = text_of(response)
    assert "“second” is scheduled" in text
    assert "this slot is taken twice, a post of somebody else goes out then, too" in text
    assert "the quick one" not in text


def test_a_post_repeats(grace: Client) -> None:
    found = repeating(grace, repeat_days=["FR", "MO"], repeat_until="2026-12-07")
    assert (found.rule, found.timezone) == ("FREQ=WEEKLY;BYDAY=MO,FR", "Europe/Berlin")
    days = [post.wall_time[:16] for post in found.posts.order_by("occurrence")]
    assert days == ["2026-11-27T14:05", "2026-11-30T14:05", "2026-12-04T14:05", "2026-12-07T14:05"]
    text = text_of(grace.get(page(nth(found, 1))))
    assert "This post repeats: Every week on Monday and Friday, until 7 December 2026." in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"repeats": "own", "repeat_rule": "FREQ=HOURLY"}, "A rule needs FREQ"),
        ({"repeats": "weekly", "repeat_days": ["TU"]}, "is no day of the rule"),
        ({"repeats": "weekly", "repeat_every": "53"}, "INTERVAL is 1 to 52"),
        ({"repeats": "daily", "repeat_until": "2020-01-01"}, "is before the post itself"),
        ({"repeats": "daily", "repeat_every": "-1"}, "greater than or equal to 1"),
        ({"repeats": "hourly"}, "Select a valid choice"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_beside_its_field(grace: Client, fields: dict[str, Any], said: str) -> None:
    response = grace.post(ADD, form(account(), button="_schedule", goes_out="2026-11-27T14:05", **fields))
    assert response.status_code == 200
    assert said in text_of(response)
    assert not Post.objects.exists()


def test_a_draft_does_not_repeat_and_says_so(grace: Client) -> None:
    response = grace.post(ADD, form(account(), repeats="daily"), follow=True)
    assert "It does not repeat yet" in text_of(response)
    assert not Recurrence.objects.exists()


def test_asks_whether_this_one_or_all_future_are_meant_before_anything_is_saved(grace: Client) -> None:
    ada = account()
    found = repeating(grace, ada)
    post = nth(found, 1)
    sent = edit_form(grace, post, ada, text="new", goes_out="2026-12-04T14:05", **WEEKLY)
    asked = grace.post(page(post), sent)
    assert asked.status_code == 200
    text = text_of(asked)
    assert "This one only" in text
    assert '<input type="hidden" name="scope_for" value="_save">' in text
    assert nth(found, 1).text == "Hello"
    grace.post(page(post), {**sent, "scope": "this"})
    assert [post.text for post in found.posts.order_by("occurrence")[:3]] == ["Hello", "new", "Hello"]
    assert nth(found, 1).is_exception
    third = nth(found, 2)
    sent = edit_form(grace, third, ada, text="for all", goes_out="2026-12-11T14:05", scope="future", **WEEKLY)
    answer = text_of(grace.post(page(third), sent, follow=True))
    assert "6 later posts follow." in answer
    texts = [post.text for post in found.posts.order_by("occurrence")]
    assert texts == ["Hello", "new", *["for all"] * 7]


def test_a_new_time_for_all_future_ones_moves_them_and_names_what_stays(grace: Client) -> None:
    ada = account()
    found = repeating(grace, ada)
    alone = nth(found, 3)
    grace.post(page(alone), edit_form(grace, alone, ada, goes_out="2026-12-18T08:00", scope="this", **WEEKLY))
    second = nth(found, 1)
    sent = edit_form(grace, second, ada, goes_out="2026-12-04T09:30", scope="future", **WEEKLY)
    answer = text_of(grace.post(page(second), sent, follow=True))
    assert "1 was changed by itself before and stays as it is: <a" in answer
    times = [post.wall_time[5:16] for post in found.posts.order_by("occurrence")[:5]]
    assert times == ["11-27T14:05", "12-04T09:30", "12-11T09:30", "12-18T08:00", "12-25T09:30"]
    assert Post.objects.filter(status=PostStatus.SCHEDULED).count() == 9


def test_never_again_ends_it_after_this_one(grace: Client) -> None:
    ada = account()
    found = repeating(grace, ada)
    second = nth(found, 1)
    sent = edit_form(grace, second, ada, goes_out="2026-12-04T14:05", scope="future", repeats="")
    grace.post(page(second), sent)
    found.refresh_from_db()
    assert found.ended_at is not None
    assert Post.objects.filter(status=PostStatus.SCHEDULED).count() == 2
    assert "This post repeats" not in text_of(grace.get(page(second)))


def test_a_post_of_a_series_that_has_ended_can_begin_a_new_one(grace: Client) -> None:
    test_never_again_ends_it_after_this_one(grace)
    post = Post.objects.filter(status=PostStatus.SCHEDULED).latest("occurrence")
    ada = post.deliveries.get().account
    sent = edit_form(grace, post, ada, goes_out="2026-12-04T14:05", repeats="daily", repeat_every="3")
    assert grace.post(page(post), sent).status_code == 302
    post.refresh_from_db()
    assert post.recurrence is not None
    assert post.recurrence.rule == "FREQ=DAILY;INTERVAL=3"


def test_who_may_not_write_is_told_nothing() -> None:
    for name in ("posts_post_when", "posts_post_next_slot"):
        url = reverse(f"admin:{name}")
        assert browser(None).get(url).status_code == 302
        assert browser(person(f"viewer_{name}", VIEWER)).get(url).status_code == 403
        assert browser(person(f"editor_{name}", EDITOR)).get(url).status_code == 200


def test_the_plan_of_an_account_is_changed_without_scripts() -> None:
    ada = account("Ada", owner=(owner := person("keeper", (*VIEWER, "posts.change_account"))))
    client, url = browser(owner), reverse("admin:posts_account_slots", args=[ada.pk])
    for sent in (
        {"do": "zone", "timezone": "Europe/Berlin"},
        {"do": "add", "day": "0", "time": "09:00"},
        {"do": "add", "day": "0", "time": "18:30"},
        {"do": "copy", "day": "0", "to": ["2", "4"]},
        {"do": "remove", "day": "2", "time": "18:30"},
    ):
        assert client.post(url, sent).status_code == 302
    schedule_post(draft(ada), at=datetime(2026, 11, 27, 17, 30, tzinfo=UTC))
    text = text_of(client.get(url))
    slots = [f"{slot.weekday} {slot.wall_time:%H:%M}" for slot in ada.slots.all()]
    assert slots == ["0 09:00", "0 18:30", "2 09:00", "4 09:00", "4 18:30"]
    assert text.count("taken") == 1
    assert text.count(">free<") == 9
    assert "Wednesday 18:30 is no slot any more; what is scheduled then stays." in text
    assert LogEntry.objects.filter(object_id=str(ada.pk)).count() == 5
    assert url in text_of(client.get(page(ada)))


def test_a_plan_takes_no_nonsense_and_nobody_elses_hand() -> None:
    ada = account("Ada")
    url = reverse("admin:posts_account_slots", args=[ada.pk])
    keeper = browser(person("keeper", (*VIEWER, "posts.change_account")))
    viewer = browser(person("viewer", VIEWER))
    boss = browser(person("boss", is_superuser=True))
    assert 'name="do"' not in text_of(viewer.get(url))
    assert 'name="do"' in text_of(boss.get(url))
    for client in (viewer, keeper):
        assert client.post(url, {"do": "add", "day": "0", "time": "09:00"}).status_code == 403
    assert browser(None).get(url).status_code == 302
    assert browser(person("nobody")).get(url).status_code == 403
    hers = account("Hers", owner=person("her"))
    assert viewer.get(reverse("admin:posts_account_slots", args=[hers.pk])).status_code == 404
    for sent in ({}, {"do": "add"}, {"do": "add", "day": "7", "time": "09:00"}, {"do": "add", "day": "0", "time": "x"},
                 {"do": "copy", "day": "0", "to": ["٣"]}, {"do": "explode", "day": "0", "time": "09:00"}):  # fmt: skip
        assert boss.post(url, sent).status_code == 400, sent
    assert "is not a time zone" in text_of(boss.post(url, {"do": "zone", "timezone": "/etc/passwd"}, follow=True))
    assert boss.post(url, {"do": "copy", "day": "0"}).status_code == 302
    csrf = browser(person("csrf", is_superuser=True), enforce_csrf_checks=True)
    assert csrf.post(url, {"do": "add", "day": "0", "time": "09:00"}).status_code == 403
    assert not ada.slots.exists()


def test_the_page_of_slots_asks_the_same_few_questions_however_many_there_are(
    django_assert_max_num_queries: Any,
) -> None:
    ada = with_slots(account("Ada"), "UTC", *((day, time(hour)) for day in range(7) for hour in range(24)))
    client = browser(person("boss", is_superuser=True))
    with django_assert_max_num_queries(20):
        client.get(reverse("admin:posts_account_slots", args=[ada.pk]))


def test_the_zone_of_a_new_post_is_that_of_the_last(grace: Client) -> None:
    grace.post(ADD, form(account(), timezone="Asia/Kathmandu"))
    local = FRIDAY.astimezone(ZoneInfo("Asia/Kathmandu")) + timedelta(hours=2)
    text = when(grace, timezone="Asia/Kathmandu", goes_out=local.replace(tzinfo=None).isoformat(timespec="minutes"))
    assert "in 2 hours" in text or "in 1 hour" in text
    assert '<option value="Asia/Kathmandu" selected>' in text_of(grace.get(ADD))


@pytest.mark.parametrize("at", ["9999-12-31T23:00+00:00", "0001-01-01T02:00+00:00"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_a_time_at_the_ends_of_the_calendar_is_refused_in_words(grace: Client, at: str, zone: str) -> None:
    when(grace, goes_out=at, timezone=zone, repeats="daily", repeat_every="1")
    for button in ("_schedule", "_check"):
        response = grace.post(ADD, form(account(), button=button, goes_out=at, timezone=zone, repeats="daily"))
        assert response.status_code == 200
    assert not Post.objects.exists()
