"""The calendar's pages without a browser: what is shown, moves and their refusals, permissions, hostile input."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from posts.models import Post, PostStatus, Recurrence, Slot
from posts.services.posts import reschedule_post, schedule_post
from tests.posts.admin.pages import PUBLISHER, VIEWER, browser, messages_of, person, value
from tests.posts.making import account, begin, delivery, draft, picture, sent, unsettled

pytestmark = pytest.mark.django_db

CALENDAR = "/admin/posts/post/calendar/"
DROP, UNDO = f"{CALENDAR}drop/", f"{CALENDAR}undo/"
BERLIN = ZoneInfo("Europe/Berlin")
YEAR = datetime.now(UTC).year + 1
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def client() -> Client:
    return browser(person("grace", (*PUBLISHER, "posts.view_all_posts")))


def at(month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(YEAR, month, day, hour, minute, tzinfo=BERLIN)


def scheduled(when: datetime, *accounts: Any, **fields: Any) -> Post:
    post = draft(*(accounts or [account()]), **fields)
    return schedule_post(post, at=when, timezone="Europe/Berlin")


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return html.unescape(re.sub(r"\s+", " ", answer.content.decode()))


def drop(client: Client, post: Post, day: str, **more: Any) -> Any:
    shown = more.pop("shown", f"view=month&date={day}&zone=Europe/Berlin")
    data = {"post": post.pk, "version": post.version, "day": day, "shown": shown, **more}
    return client.post(DROP, data, **HTMX)


def stored(post: Post) -> Post:
    return Post.objects.get(pk=post.pk)


# --- Showing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["month", "week", "day", "list"])
def test_each_view_shows_a_post_with_all_that_a_card_has(client: Client, view: str) -> None:
    post = scheduled(at(3, 4), account("Ada"), account("Bob", platform="telegram"), text="Hello", media=[picture()])
    text = text_of(client.get(CALENDAR, {"view": view, "date": f"{YEAR}-03-04", "zone": "Asia/Tokyo"}))
    card = text[text.index(f'id="calendar-post-{post.pk}"') :].split("</article>")[0]
    for part in (
        ">17:00</time>",
        "Scheduled",
        "Ada (Outbox), Bob (Telegram)",
        'class="sq-thumbnail"',
        ">Hello</a>",
        "Move to…",
    ):
        assert part in card, part
    assert "Asia/Tokyo" in text


def test_view_and_date_are_remembered_and_the_address_wins(client: Client) -> None:
    client.get(CALENDAR, {"view": "week", "date": "2027-05-03"})
    text = text_of(client.get(CALENDAR))
    assert "3 – 9 May 2027" in text
    assert f'data-url="{CALENDAR}?view=week&date=2027-05-03"' in text
    assert "February 2030" in text_of(client.get(CALENDAR, {"view": "month", "date": "2030-02-28"}))
    assert "January 2030" in text_of(client.get(CALENDAR, {"date": "2030-01-31"}))


def test_steps_to_months_weeks_days_and_lists(client: Client) -> None:
    expected = {
        "month": ("2030-02-28", "2030-04-30"),
        "week": ("2030-03-24", "2030-04-07"),
        "day": ("2030-03-30", "2030-04-01"),
        "list": ("2030-03-17", "2030-04-14"),
    }
    for view, (before, after) in expected.items():
        text = text_of(client.get(CALENDAR, {"view": view, "date": "2030-03-31"}))
        assert f'?view={view}&date={before}" rel="prev"' in text
        assert f'?view={view}&date={after}" rel="next"' in text
    for edge, missing in (("1990-01-01", "prev"), ("2100-12-31", "next")):
        for view in expected:
            assert f'rel="{missing}"' not in text_of(client.get(CALENDAR, {"view": view, "date": edge}))


def test_weeks_start_on_monday_and_titles_name_the_span(client: Client) -> None:
    text = text_of(client.get(CALENDAR, {"view": "month", "date": "2027-02-10"}))
    assert text.index('title="Monday"') < text.index('title="Sunday"')
    assert "28 December 2026 – 3 January 2027" in text_of(client.get(CALENDAR, {"view": "week", "date": "2027-01-01"}))
    assert "Friday, 1 January 2027" in text_of(client.get(CALENDAR, {"view": "day", "date": "2027-01-01"}))


def test_filters_are_in_the_address_and_can_be_cleared(client: Client) -> None:
    ada, bob = account("Ada"), account("Bob", platform="telegram")
    scheduled(at(3, 4), ada, text="For Ada", tags=["launch"])
    scheduled(at(3, 4), bob, text="For Bob")
    asked = {"view": "month", "date": f"{YEAR}-03-04"}
    for name, given in (("account", ada.pk), ("platform", "outbox"), ("tag", "launch")):
        text = text_of(client.get(CALENDAR, {**asked, name: given}))
        assert ("For Ada" in text, "For Bob" in text) == (True, False)
        assert f'href="{CALENDAR}?view=month&date={YEAR}-03-04">Clear filters' in text
    text = text_of(client.get(CALENDAR, {**asked, "state": "failed"}))
    assert "For Ada" not in text
    assert "Nothing here matches." in text
    assert "Clear filters" not in text_of(client.get(CALENDAR, asked))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("view", "year", "There is no view “year”"),
        ("date", "2027-02-30", "“2027-02-30” is no day"),
        ("date", "0001-01-01", "“0001-01-01” is no day"),
        ("date", "9999-12-31", "is no day"),
        ("date", "\x00", "is no day"),
        ("zone", "Mars/Olympus", "“Mars/Olympus” is not a time zone"),
        ("zone", "../../etc/passwd", "is not a time zone"),
        ("account", "9" * 40, "is left out"),
        ("account", "x' OR 1=1", "is left out"),
        ("platform", "<script>", "“<script>” is nothing that can be filtered by"),
        ("tag", "a\x00b", "is left out"),
        ("state", "gone", "is left out"),
    ],
)
def test_what_cannot_be_used_is_said(client: Client, name: str, given: str, said: str) -> None:
    answer = client.get(CALENDAR, {name: given})
    assert said in text_of(answer)
    assert "<script>”" not in answer.content.decode()


def test_a_kept_view_that_no_longer_exists_is_forgotten(client: Client) -> None:
    session = client.session
    session["posts_calendar"] = {"view": "year", "date": "yesterday"}
    session.save()
    text_of(client.get(CALENDAR))


def test_too_many_become_more_with_an_exact_number(client: Client) -> None:
    ada = account("Ada")
    for number in range(9):
        scheduled(at(3, 4, 9, number), ada, text=f"Number {number}")
    for view in ("month", "week"):
        text = text_of(client.get(CALENDAR, {"view": view, "date": f"{YEAR}-03-04", "zone": "Europe/Berlin"}))
        assert text.count('class="cal-card ') == 3
        link = re.search(r'class="cal-more" href="([^"]*)">\+6 more', text)
        assert link is not None
        assert f"view=day&date={YEAR}-03-04" in link[1]
    assert text_of(client.get(link[1])).count('class="cal-card ') == 9


def test_an_hour_that_is_too_full_for_a_day_leads_to_the_list(client: Client) -> None:
    ada = account("Ada")
    for number in range(22):
        scheduled(at(3, 4, 9, number), ada)
    text = text_of(client.get(CALENDAR, {"view": "day", "date": f"{YEAR}-03-04", "zone": "Europe/Berlin"}))
    link = re.search(r'class="cal-more" href="([^"]*)">\+2 more', text)
    assert link is not None
    assert "22 posts" in text_of(client.get(link[1]))


def test_an_empty_place_leads_to_the_composer_at_its_time(client: Client) -> None:
    ada = account("Ada")
    shown = {"date": f"{YEAR}-03-04", "zone": "Europe/Berlin", "account": ada.pk}
    week = text_of(client.get(CALENDAR, {"view": "week", **shown}))
    url = f"/admin/posts/post/add/?at={YEAR}-03-04T14%3A00&timezone=Europe%2FBerlin&account={ada.pk}"
    assert f'href="{url}"' in week
    assert f"at={YEAR}-03-04T09%3A00" in text_of(client.get(CALENDAR, {"view": "month", **shown}))
    text = client.get(url).content.decode()
    assert value(text, "goes_out") == f"{YEAR}-03-04T14:00"
    assert '<option value="Europe/Berlin" selected>' in text
    assert re.search(rf'name="accounts"[^>]*value="{ada.pk}"[^>]*checked', text)


def test_the_composer_takes_nonsense_for_nothing(client: Client) -> None:
    url = "/admin/posts/post/add/"
    asked = {"at": "<b>", "timezone": "Etc/Nowhere", "account": "x"}
    text = client.get(url, asked).content.decode()
    assert "<b>" not in text
    assert "checked" not in text


def test_what_is_past_is_not_offered(client: Client) -> None:
    for view in ("month", "week", "day", "list"):
        text = text_of(client.get(CALENDAR, {"view": view, "date": "2020-05-06"}))
        assert "cal-write" not in text


def test_an_hour_that_the_clocks_skip_is_said(client: Client) -> None:
    day = last_sunday(3)
    text = text_of(client.get(CALENDAR, {"view": "day", "date": day.isoformat(), "zone": "Europe/Berlin"}))
    assert text.count("the clocks skip this hour") == 1
    assert f"{day}T02%3A00" not in text


def test_free_slots_are_shown_with_the_way_to_fill_them(client: Client) -> None:
    ada = account("Ada", slots_timezone="Europe/Berlin")
    day = at(3, 4)
    for minute in (0, 15, 30, 45):
        Slot.objects.create(account=ada, weekday=day.weekday(), wall_time=f"12:{minute:02}")
    text = text_of(client.get(CALENDAR, {"view": "week", "date": f"{day:%Y-%m-%d}", "zone": "Europe/Berlin"}))
    assert "12:00 free slot: Ada" in text
    assert "+2 free slots" in text
    assert f"{YEAR}-03-04T12%3A15&timezone=Europe%2FBerlin&account={ada.pk}" in text


def test_one_of_a_series_says_so(client: Client) -> None:
    post = scheduled(at(3, 4))
    series = Recurrence.objects.create(rule="FREQ=DAILY", first_wall_time=post.wall_time, timezone="Europe/Berlin")
    Post.objects.update(recurrence=series, occurrence=post.wall_time)
    shown = {"view": "day", "date": f"{YEAR}-03-04"}
    assert ">Repeats<" in text_of(client.get(CALENDAR, shown))
    drop(client, post, f"{YEAR}-03-05")
    assert stored(post).is_exception
    shown["date"] = f"{YEAR}-03-05"
    assert "this one was changed by itself" in text_of(client.get(CALENDAR, shown))
    client.post(UNDO, {}, **HTMX)
    assert not stored(post).is_exception


@pytest.mark.parametrize("view", ["month", "week", "day", "list"])
def test_asks_the_database_a_fixed_number_of_times(
    client: Client, view: str, django_assert_max_num_queries: Any
) -> None:
    ada, bob = account("Ada"), account("Bob", platform="telegram")
    Slot.objects.create(account=ada, weekday=3, wall_time="12:00")
    for number in range(40):
        scheduled(at(3, 1 + number % 20, 9, number), ada, bob, media=[picture()], tags=["launch"])
        draft(ada, media=[picture()])
    asked = {"view": view, "date": f"{YEAR}-03-04", "account": ada.pk, "platform": "outbox", "state": ""}
    client.get(CALENDAR, asked)
    with django_assert_max_num_queries(30):
        text_of(client.get(CALENDAR, asked))


# --- Moving ----------------------------------------------------------------------------------------------------------


def last_sunday(month: int) -> date:
    day = date(YEAR, month, 31)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def test_a_drop_on_another_day_keeps_the_time_of_day_over_a_change_of_the_clocks(client: Client) -> None:
    change = last_sunday(3)
    before, after = change - timedelta(days=1), change + timedelta(days=1)
    post = scheduled(datetime(before.year, before.month, before.day, 9, 30, tzinfo=BERLIN), text="Rolls")
    answer = drop(client, post, after.isoformat())
    moved = stored(post)
    assert moved.wall_time == f"{after}T09:30:00"
    assert moved.scheduled_at == datetime(after.year, after.month, after.day, 7, 30, tzinfo=UTC)
    text = text_of(answer)
    assert "“Rolls” is moved to" in text
    assert 'id="calendar-said" hx-swap-oob="innerHTML"' in text
    assert "<html" not in text
    (line,) = LogEntry.objects.filter(object_id=str(post.pk))
    assert "Moved from" in line.change_message
    assert "09:30 (Europe/Berlin)" in line.change_message


def test_a_drop_on_an_hour_changes_the_time_and_keeps_the_minutes(client: Client) -> None:
    post = scheduled(at(3, 4, 9, 20))
    drop(client, post, f"{YEAR}-03-05", hour=14)
    assert stored(post).scheduled_at == at(3, 5, 14, 20)
    again = stored(post)
    drop(client, again, f"{YEAR}-03-06", hour=3, shown="view=week&zone=UTC")  # on the calendar's clocks
    assert stored(post).scheduled_at == datetime(YEAR, 3, 6, 3, 20, tzinfo=UTC)
    assert stored(post).timezone == "Europe/Berlin"


def test_a_time_that_does_not_exist_is_refused_with_the_reason(client: Client) -> None:
    change = last_sunday(3)
    post = scheduled(at(3, 2, 2, 30))
    text = text_of(drop(client, post, change.isoformat()))
    assert f"{change} 02:30 does not exist in Europe/Berlin" in text
    assert "was not moved" in text
    assert stored(post).scheduled_at == at(3, 2, 2, 30)


def test_a_time_that_comes_twice_is_asked(client: Client) -> None:
    change = last_sunday(10)
    post = scheduled(at(10, 2, 2, 30))
    text = text_of(drop(client, post, change.isoformat()))
    assert "happens twice" in text
    assert "The first (UTC+02:00)" in text
    assert "The second (UTC+01:00)" in text
    assert stored(post).scheduled_at == at(10, 2, 2, 30)
    drop(client, post, change.isoformat(), fold="1")
    assert stored(post).scheduled_at == datetime(YEAR, 10, change.day, 1, 30, tzinfo=UTC)


def test_the_past_is_refused(client: Client) -> None:
    post = scheduled(at(3, 2))
    assert "is in the past" in text_of(drop(client, post, "2020-03-02"))
    assert stored(post).scheduled_at == at(3, 2)


def test_what_somebody_else_changed_meanwhile_is_not_moved(client: Client) -> None:
    post = scheduled(at(3, 2))
    reschedule_post(post, at=at(3, 3))
    assert "changed by somebody else" in text_of(drop(client, post, f"{YEAR}-03-08"))
    assert stored(post).scheduled_at == at(3, 3)


@pytest.mark.parametrize("kind", ["running", "published", "unsure"])
def test_what_is_under_way_or_out_has_no_handle_and_a_form_by_hand_is_refused(client: Client, kind: str) -> None:
    if kind == "running":
        post = scheduled(at(3, 2))
        begin(delivery(post))
    else:
        post = sent(account()) if kind == "published" else unsettled(account())
    post = stored(post)
    assert post.scheduled_at is not None
    text = text_of(client.get(CALENDAR, {"view": "day", "date": post.scheduled_at.date().isoformat(), "zone": "UTC"}))
    assert f'id="calendar-post-{post.pk}"' in text
    assert "draggable=" not in text.replace('draggable="false"', "")
    assert "Move to…" not in text
    assert "was not moved" in text_of(drop(client, post, f"{YEAR}-03-08"))
    page = client.get(reverse("admin:posts_calendar_move", args=[post.pk]))
    assert '<form method="post" action="/admin/posts/post/calendar' not in text_of(page)
    data = {"at": f"{YEAR}-03-08T10:00", "timezone": "UTC", "version": post.version}
    client.post(reverse("admin:posts_calendar_move", args=[post.pk]), data)
    assert stored(post).scheduled_at == post.scheduled_at
    assert stored(post).version == post.version


def test_a_draft_is_scheduled_in_the_morning_or_refused_with_what_is_wrong(client: Client) -> None:
    good, empty = draft(account("Ada"), text="Good"), draft(text="Nobody's")
    assert "is scheduled for" in text_of(drop(client, good, f"{YEAR}-03-08"))
    assert (stored(good).status, stored(good).scheduled_at) == (PostStatus.SCHEDULED, at(3, 8))
    text = text_of(drop(client, empty, f"{YEAR}-03-08"))
    assert "was not moved" in text
    assert "account" in text
    assert stored(empty).status == PostStatus.DRAFT
    other = draft(account("Bob"))
    drop(client, other, f"{YEAR}-03-08", hour=17)
    assert stored(other).scheduled_at == at(3, 8, 17)


def test_the_last_move_can_be_undone_once(client: Client) -> None:
    post = scheduled(at(3, 2), text="Rolls")
    assert ">Undo<" in text_of(drop(client, post, f"{YEAR}-03-08"))
    assert ">Undo<" in text_of(client.get(CALENDAR))
    assert "goes out at" in text_of(client.post(UNDO, {"shown": "view=week"}, **HTMX))
    assert (stored(post).scheduled_at, stored(post).wall_time) == (at(3, 2), f"{YEAR}-03-02T09:00:00")
    assert "no move to undo" in text_of(client.post(UNDO, {}, **HTMX))
    assert ">Undo<" not in text_of(client.get(CALENDAR))
    assert LogEntry.objects.filter(change_message__startswith="Moved back").count() == 1


def test_a_draft_that_was_scheduled_is_a_draft_again(client: Client) -> None:
    post = draft(account("Ada"), text="Rolls")
    assert ">Undo<" in text_of(drop(client, post, f"{YEAR}-03-08"))
    assert "is a draft again" in text_of(client.post(UNDO, {}, **HTMX))
    assert (stored(post).status, stored(post).scheduled_at) == (PostStatus.DRAFT, None)
    assert "is scheduled for" in text_of(drop(client, stored(post), f"{YEAR}-03-09"))


def test_an_undo_of_what_was_changed_since_is_refused(client: Client) -> None:
    post = scheduled(at(3, 2))
    drop(client, post, f"{YEAR}-03-08")
    reschedule_post(post, at=at(3, 20))
    assert "changed by somebody else" in text_of(client.post(UNDO, {}, **HTMX))
    assert stored(post).scheduled_at == at(3, 20)


def test_moves_by_a_page_of_its_own(client: Client) -> None:
    post = scheduled(at(3, 2), text="Rolls")
    url = reverse("admin:posts_calendar_move", args=[post.pk])
    text = client.get(url, {"shown": "view=week&date=2027-03-02"}).content.decode()
    assert value(text, "at") == f"{YEAR}-03-02T09:00"
    data = {"at": f"{YEAR}-03-09T08:15", "timezone": "Europe/Berlin", "version": value(text, "version")}
    answer = client.post(url, {**data, "shown": value(text, "shown")})
    assert (answer.status_code, answer["Location"]) == (302, f"{CALENDAR}?view=week&date=2027-03-02")
    assert "“Rolls” is moved to" in text_of(client.get(answer["Location"]))
    assert stored(post).scheduled_at == at(3, 9, 8, 15)


def test_the_page_of_its_own_says_what_is_wrong(client: Client) -> None:
    post = scheduled(at(3, 2))
    url = reverse("admin:posts_calendar_move", args=[post.pk])
    data = {"at": f"{last_sunday(3)}T02:30", "timezone": "Europe/Berlin", "version": post.version}
    assert "does not exist" in text_of(client.post(url, data))
    text = text_of(client.post(url, {**data, "at": f"{last_sunday(10)}T02:30"}))
    assert "Which of the two" in text
    assert "changed by somebody else" in text_of(client.post(url, {**data, "at": f"{YEAR}-04-01T10:00", "version": 0}))
    assert "is in the past" in text_of(client.post(url, {**data, "at": "2020-04-01T10:00"}))
    assert "incomplete" in text_of(client.post(url, {**data, "version": "x"}))
    assert "is not a date and time" in text_of(client.post(url, {**data, "at": "tomorrow"}))
    assert stored(post).scheduled_at == at(3, 2)
    answer = client.post(url, {**data, "at": f"{last_sunday(10)}T02:30", "fold": "1"}, **HTMX)
    assert (answer.status_code, answer["HX-Retarget"]) == (200, "#calendar")
    assert stored(post).scheduled_at == datetime(YEAR, 10, last_sunday(10).day, 1, 30, tzinfo=UTC)


def test_without_scripts_a_drop_leads_back_with_words(client: Client) -> None:
    post = scheduled(at(3, 2, 2, 30))
    data = {"post": post.pk, "version": post.version, "shown": "view=week&zone=Europe/Berlin"}
    answer = client.post(DROP, {**data, "day": "2020-01-01"})
    assert answer.status_code == 302
    assert "is in the past" in messages_of(answer)
    answer = client.post(DROP, {**data, "day": last_sunday(10).isoformat()})
    assert reverse("admin:posts_calendar_move", args=[post.pk]) in answer["Location"]


# --- Who may ---------------------------------------------------------------------------------------------------------


def test_a_viewer_sees_no_handles_and_a_form_by_hand_gets_403() -> None:
    viewer = person("viewer", VIEWER)
    post, idea = scheduled(at(3, 2), owner=viewer, text="Rolls"), draft(account(), owner=viewer)
    client = browser(viewer)
    text = text_of(client.get(CALENDAR, {"view": "month", "date": f"{YEAR}-03-02"}))
    assert "Rolls" in text
    for handle in ('draggable="true"', "Move to…", "cal-write"):
        assert handle not in text
    for row in (post, idea):
        assert drop(client, row, f"{YEAR}-03-08").status_code == 403
        url = reverse("admin:posts_calendar_move", args=[row.pk])
        assert client.get(url).status_code == 403
        data = {"at": f"{YEAR}-03-08T10:00", "timezone": "UTC", "version": row.version}
        assert client.post(url, data).status_code == 403
    assert client.post(UNDO, {}).status_code == 403
    assert stored(post).scheduled_at == at(3, 2)


def test_each_kind_of_move_needs_its_own_permission() -> None:
    mover = person("mover", (*VIEWER, "posts.reschedule_post", "posts.view_all_posts"))
    post, idea = scheduled(at(3, 2)), draft(account())
    assert drop(browser(mover), post, f"{YEAR}-03-08").status_code == 200
    assert drop(browser(mover), idea, f"{YEAR}-03-08").status_code == 403
    planner = person("planner", (*VIEWER, "posts.schedule_post", "posts.view_all_posts"))
    assert drop(browser(planner), stored(post), f"{YEAR}-03-09").status_code == 403
    assert drop(browser(planner), idea, f"{YEAR}-03-08").status_code == 200


def test_posts_of_others_are_neither_seen_nor_moved() -> None:
    post = scheduled(at(3, 2), owner=person("owner"), text="Secret plans")
    other = browser(person("other", PUBLISHER))
    assert "Secret plans" not in text_of(other.get(CALENDAR, {"view": "month", "date": f"{YEAR}-03-02"}))
    answer = drop(other, post, f"{YEAR}-03-08")
    assert "Secret plans" not in text_of(answer)
    url = reverse("admin:posts_calendar_move", args=[post.pk])
    assert other.get(url).status_code == 302
    assert other.post(url, {"at": f"{YEAR}-03-08T10:00", "timezone": "UTC", "version": 1}).status_code == 302
    assert stored(post).scheduled_at == at(3, 2)


def test_is_not_for_strangers_and_changes_nothing_by_reading() -> None:
    post = scheduled(at(3, 2))
    urls = [CALENDAR, DROP, UNDO, reverse("admin:posts_calendar_move", args=[post.pk])]
    boss = person("boss", is_superuser=True)
    nobody = person("nobody")
    for url in urls:
        assert browser(None).get(url).status_code in (302, 405)
        assert browser(nobody).get(url).status_code in (302, 403, 405)
    for url in (DROP, UNDO):
        assert browser(boss).get(url).status_code == 405
        assert browser(None).post(url, {}).status_code == 302
        assert browser(boss, enforce_csrf_checks=True).post(url, {}).status_code == 403
    assert browser(boss, enforce_csrf_checks=True).post(urls[3], {}).status_code == 403
    assert browser(boss).put(urls[3]).status_code == 405
    assert browser(nobody).get(urls[3]).status_code == 403
    assert stored(post).version == post.version


@pytest.mark.parametrize(
    "wrong",
    [
        {"post": "x"}, {"post": "9" * 30}, {"post": ""}, {"version": "-1"}, {"day": "2027-02-30"},
        {"day": "0001-01-01"}, {"day": "9999-12-31"}, {"hour": "24"}, {"hour": "noon"}, {"fold": "2"}, {"day": "\x00"},
    ],
)  # fmt: skip
def test_a_drop_that_no_page_sends_is_a_bad_request(client: Client, wrong: dict[str, str]) -> None:
    post = scheduled(at(3, 2))
    given = {"post": post.pk, "version": post.version, "day": f"{YEAR}-03-08", **wrong}
    assert client.post(DROP, given, **HTMX).status_code == 400
    assert stored(post).scheduled_at == at(3, 2)


def test_a_post_that_is_gone_is_said(client: Client) -> None:
    post = scheduled(at(3, 2))
    gone = {"post": post.pk + 1, "version": 0, "day": f"{YEAR}-03-08", "shown": "view=%00&date=x&account=9999999999999"}
    assert "any more" in text_of(client.post(DROP, gone, **HTMX))


def test_texts_stay_texts(client: Client) -> None:
    post = scheduled(at(3, 2), account("<i>Ada</i>"), text="<script>alert(1)</script>", tags=["<b>"])
    asked = {"view": "month", "date": f"{YEAR}-03-02"}
    pages = [client.get(CALENDAR, asked), client.get(reverse("admin:posts_calendar_move", args=[post.pk]))]
    pages.append(drop(client, post, f"{YEAR}-03-08"))
    for answer in pages:
        text = answer.content.decode()
        assert not re.search(r"<script>alert|<i>Ada|<b>", text)
