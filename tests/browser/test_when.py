"""When a post goes out, as a person says it: zones and offsets, clocks that jump, slots, and posts that repeat."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served, open_context, sign_in
from tests.browser.looking import widths
from tests.browser.seeding import BEFORE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_when")]

BERLIN, KATHMANDU = "Europe/Berlin", "Asia/Kathmandu"
CONNECT = """
from posts.services.accounts import connect_account
print(connect_account("outbox", {"name": "Scriptless"}).pk)
"""
REPEAT = f"""{BEFORE}
from datetime import date
from posts.services.recurrence import repeat_post
post = scheduled("On a phone", outbox("Phone"))
ends_on = date.fromisoformat(post.wall_time[:10]) + timedelta(days=2)
print(repeat_post(post, rule="FREQ=DAILY", ends_on=ends_on).pk)
"""
YEAR = datetime.now(ZoneInfo(BERLIN)).year + 1


def write(page: Page, text: str, *, account: str = "Demo", zone: str = BERLIN) -> None:
    page.goto("/admin/posts/post/add/")
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("checkbox", name=account).check()
    page.get_by_label("Time zone").select_option(zone)


def schedule(page: Page) -> None:
    page.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("is scheduled")


def days_ahead(days: int) -> date:
    return datetime.now(ZoneInfo(BERLIN)).date() + timedelta(days=days)


def last_sunday(month: int) -> date:
    """Return when the clocks of Berlin go forward, in March, or back, in October."""
    day = date(YEAR, month, 31)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def in_words(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def times_of(served: Served, text: str) -> list[str]:
    rows = served.site.sql("SELECT wall_time FROM posts_post WHERE text = %s ORDER BY occurrence, id", [text])
    return [row[0] for row in rows]


def has_made_all(served: Served, text: str) -> bool:
    """Return whether a cluster has made the posts of a series that are due to be made."""
    at_work = served.site.sql("SELECT id FROM queue_app_job WHERE type = %s AND finished_at IS NULL", ["posts.repeat"])
    return not at_work and len(times_of(served, text)) > 50


def test_10_the_time_field_shows_zone_and_offset_and_the_saved_time_agrees_everywhere(
    page: Page, served: Served
) -> None:
    write(page, "Zones")
    when = page.locator("#when-said")
    page.get_by_label("Goes out").fill(f"{YEAR}-01-15T09:00")
    expect(when).to_contain_text(f"Goes out {in_words(date(YEAR, 1, 15))}, 09:00 Europe/Berlin (UTC+01:00), in")
    page.get_by_label("Goes out").fill(f"{YEAR}-07-15T09:00")
    expect(when).to_contain_text(f"15 July {YEAR}, 09:00 Europe/Berlin (UTC+02:00)")
    page.get_by_label("Time zone").select_option(KATHMANDU)
    expect(when).to_contain_text(f"15 July {YEAR}, 09:00 Asia/Kathmandu (UTC+05:45)")
    schedule(page)  # in a browser whose own zone is Tokyo
    instant = datetime(YEAR, 7, 15, 9, tzinfo=ZoneInfo(KATHMANDU))
    expect(page.get_by_label("Goes out")).to_have_value(f"{YEAR}-07-15T09:00")
    page.goto("/admin/posts/post/?q=Zones")
    shown = page.locator("#result_list time")
    expect(shown).to_contain_text(f"{YEAR}-07-15 09:00 Asia/Kathmandu")
    assert datetime.fromisoformat(shown.get_attribute("datetime") or "") == instant
    page.goto(f"/admin/posts/post/calendar/?view=day&date={YEAR}-07-15")
    expect(page.get_by_role("main")).to_contain_text("Asia/Kathmandu")
    card = page.get_by_role("main").locator("time", has_text="09:00").first
    expect(card).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("Zones")


def test_44_a_time_that_does_not_exist_is_refused_and_an_ambiguous_one_asks_which(page: Page, served: Served) -> None:
    spring, autumn = last_sunday(3), last_sunday(10)
    write(page, "Clocks")
    when = page.locator("#when-said")
    page.get_by_label("Goes out").fill(f"{spring}T02:30")
    reason = f"does not exist in Europe/Berlin: the clocks go from {spring} 02:00 straight to {spring} 03:00"
    expect(when).to_contain_text(reason)
    page.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.locator(".errornote")).to_contain_text("Nothing was saved")
    expect(page.locator(".errors", has=page.get_by_label("Goes out"))).to_contain_text(reason)
    page.get_by_label("Goes out").fill(f"{autumn}T02:30")
    expect(when).to_contain_text("happens twice in Europe/Berlin")
    page.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.locator(".errornote")).to_contain_text("Nothing was saved")
    expect(page.locator(".errors", has=page.get_by_label("Goes out"))).to_contain_text("happens twice")
    assert times_of(served, "Clocks") == []
    page.get_by_label("Which of the two").select_option(label="the second")
    expect(when).to_contain_text("02:30 Europe/Berlin (UTC+01:00)")
    page.get_by_label("Which of the two").select_option(label="the first, before the clocks go back")
    expect(when).to_contain_text("02:30 Europe/Berlin (UTC+02:00)")
    page.get_by_label("Which of the two").select_option(label="the second")
    schedule(page)
    ((at,),) = served.site.sql("SELECT scheduled_at FROM posts_post WHERE text = 'Clocks'")
    assert str(at).startswith(f"{autumn} 01:30")


def test_50_next_free_slot_fills_the_accounts_next_slot(page: Page, served: Served) -> None:
    page.goto("/admin/posts/account/1/change/")
    page.get_by_role("link", name="Weekly slots").click()
    page.get_by_label("Clocks of").select_option(BERLIN)
    page.get_by_role("button", name="Use this zone").click()
    expect(page.locator(".messagelist")).to_contain_text(f"on the clocks of {BERLIN}")
    first, second = days_ahead(2), days_ahead(3)
    page.get_by_label(f"New time on {first:%A}").fill("08:15")
    page.get_by_role("button", name=f"Add to {first:%A}").click()
    expect(page.locator(".messagelist")).to_contain_text(f"{first:%A} 08:15 is a slot now")
    page.get_by_text(f"Copy {first:%A}", exact=True).click()
    page.get_by_role("checkbox", name=f"{second:%A}").check()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name=f"Remove {second:%A} 08:15")).to_be_visible()
    for text, day in (("First", first), ("Second", second)):
        write(page, text)
        page.get_by_role("button", name="Next free slot").click()
        expect(page.get_by_label("Goes out")).to_have_value(f"{day}T08:15")
        expect(page.locator("#when-said")).to_contain_text(f"Goes out {in_words(day)}, 08:15 Europe/Berlin")
        expect(page.get_by_text("Slot of Demo, 08:15 Europe/Berlin.")).to_be_visible()
        schedule(page)
    write(page, "In the same")
    page.get_by_label("Goes out").fill(f"{second}T08:15")
    schedule(page)
    expect(page.locator(".messagelist .warning")).to_contain_text("this slot is taken twice, “Second” goes out then")
    page.goto("/admin/posts/account/1/slots/")
    expect(page.get_by_text("taken", exact=True)).to_have_count(2)


def test_the_next_free_slot_and_a_repeating_post_without_scripts(browser: Browser, served: Served) -> None:
    account = served.site.do(CONNECT).strip()
    day = days_ahead(4)
    if (day + timedelta(days=1)).day == 1:  # which is a day of the rule that is refused below
        day = days_ahead(5)
    with open_context(browser, served, width=360, scripts=False) as context:
        page = sign_in(context)
        page.goto(f"/admin/posts/account/{account}/slots/")
        page.get_by_label(f"New time on {day:%A}").fill("07:30")
        page.get_by_role("button", name=f"Add to {day:%A}").click()
        expect(page.get_by_role("button", name=f"Remove {day:%A} 07:30")).to_be_visible()
        write(page, "Plain", account="Scriptless", zone="UTC")
        page.get_by_role("button", name="Next free slot").click()
        expect(page.get_by_label("Goes out")).to_have_value(f"{day}T07:30")
        expect(page.get_by_label("Text", exact=True)).to_have_value("Plain")
        expect(page.locator("#when-said")).to_contain_text("Goes out")
        page.get_by_label("Repeat:", exact=True).select_option("monthly, on the last day")
        page.get_by_role("button", name="Schedule", exact=True).click()
        expect(page.locator(".errors")).to_contain_text("is no day of the rule")
        page.get_by_label("Repeat:", exact=True).select_option("daily")
        schedule(page)
        expect(page.get_by_text("This post repeats: Every day, without an end.")).to_be_visible()
        served.site.wait_until(lambda: has_made_all(served, "Plain"))  # else their number grows, and it asks again
        page.get_by_role("link", name="All its posts").click()
        page.get_by_role("button", name="End now").click()
        expect(page.get_by_text(re.compile("posts that have not been sent are cancelled"))).to_be_visible()
        page.get_by_role("button", name="Yes, end now this one").click()
        expect(page.locator(".messagelist")).to_contain_text("ended")


def test_51_editing_a_repeating_post_asks_this_one_or_all_future(page: Page, served: Served) -> None:
    begins = days_ahead(1)
    write(page, "Weekly")
    page.get_by_label("Goes out").fill(f"{begins}T14:05")
    page.get_by_label("Repeat:", exact=True).select_option("weekly, on the days below")
    dates = page.get_by_role("list", name="The next dates").get_by_role("listitem")
    expect(dates).to_have_count(5)
    expect(dates.nth(1)).to_contain_text(f"{in_words(begins + timedelta(days=7))}, 14:05")
    expect(page.locator("#when-said")).to_contain_text(f"Every week on {begins:%A}, without an end")
    schedule(page)
    served.site.wait_until(lambda: len(times_of(served, "Weekly")) > 5)
    posts = [row[0] for row in served.site.sql("SELECT id FROM posts_post WHERE text = 'Weekly' ORDER BY occurrence")]

    page.goto(f"/admin/posts/post/{posts[1]}/change/")
    expect(page.get_by_text(f"This post repeats: Every week on {begins:%A}, without an end.")).to_be_visible()
    page.get_by_label("Text", exact=True).fill("Only this one")
    page.get_by_role("button", name="Save changes").click()
    asked = page.get_by_role("alertdialog", name="This one or all future ones?")
    expect(asked).to_be_visible()
    assert len(times_of(served, "Only this one")) == 0
    asked.get_by_role("button", name="This one only").click()
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    assert len(times_of(served, "Only this one")) == 1

    page.goto(f"/admin/posts/post/{posts[2]}/change/")
    page.get_by_label("Text", exact=True).fill("From here on")
    page.get_by_label("Goes out").fill(f"{begins + timedelta(days=14)}T16:30")
    page.get_by_role("button", name="Save changes").click()
    asked.get_by_role("button", name="This and all future ones").click()
    expect(page.locator(".messagelist")).to_contain_text("later posts follow")
    later = times_of(served, "From here on")
    assert len(later) > 3
    assert {time[11:16] for time in later} == {"16:30"}
    assert [time[11:16] for time in [*times_of(served, "Weekly"), *times_of(served, "Only this one")]] == ["14:05"] * 2

    page.get_by_role("button", name="Cancel…").click()
    page.get_by_label("this and all future ones; the series ends").check()
    page.get_by_role("button", name="Yes, cancel this one").click()
    waiting = "SELECT COUNT(*) FROM posts_post WHERE text = 'From here on' AND status = 'scheduled'"
    served.site.wait_until(lambda: served.site.sql(waiting) == [(0,)])


def test_the_pages_fit_a_phone(browser: Browser, served: Served) -> None:
    series = served.site.do(REPEAT).strip()
    served.site.wait_until(lambda: len(times_of(served, "On a phone")) == 3)
    with open_context(browser, served, width=360) as context:
        page = sign_in(context)
        for path in ("post/add/", "account/1/slots/", "recurrence/", f"recurrence/{series}/change/"):
            page.goto(f"/admin/posts/{path}")
            expect(page).to_have_url(re.compile(f"/{path}$"))  # a page that is not there leads elsewhere
            page.wait_for_function("document.documentElement.scrollWidth <= 360")
            assert max(widths(page).values()) <= 360, path
