"""The calendar as a person meets it: views, cards, dragging, the keyboard, filters; on a phone and without scripts.

One site serves all tests; each has a month of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Served, add_person, open_context, sign_in
from tests.browser.looking import judge

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_calendar")]

CALENDAR = "/admin/posts/post/calendar/"
BERLIN = "Europe/Berlin"
YEAR = datetime.now(UTC).year + 1
# Adds posts of the first user; each is [text, wall time in Berlin ("" for a draft), what else].
ADD = """
import io, json
from datetime import datetime
from zoneinfo import ZoneInfo
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from posts.models import Account
from posts.services.media import store_upload
from posts.services.posts import save_draft, schedule_post
from queue_app import clock, finish, transitions
from queue_app.database import atomic
from tests.posts.making import NO_ANSWER, account, begin, delivery, job_of

admin = User.objects.get(username="admin")
demo = Account.objects.get(platform="outbox", name="Demo")
for text, wall, more in json.loads({posts!r}):
    accounts = [demo.pk]
    if "second" in more:
        found = Account.objects.filter(name=more["second"][0]).first()
        accounts.append((found or account(more["second"][0], platform=more["second"][1])).pk)
    if more.get("alone"):
        accounts = accounts[1:]
    media = []
    if more.get("picture"):
        file = io.BytesIO()
        Image.new("RGB", (60, 40), "orange").save(file, "PNG")
        upload = SimpleUploadedFile("sun.png", file.getvalue(), "image/png")
        media = [(store_upload(upload, owner=admin, original_name="sun.png").pk, "A sun")]
    post = save_draft(
        post=None, owner=admin, text=text, account_ids=accounts, media=media, timezone={zone!r}, tags=more.get("tags")
    )
    if wall:
        at = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo({zone!r}))
        schedule_post(post, at=at, timezone={zone!r})
    if more.get("running"):
        begin(delivery(post))
    if more.get("unsure"):
        claim = begin(delivery(post), mark=True)
        with atomic():  # before a worker looks it up
            finish.settle(claim, NO_ANSWER)
            transitions.flag_for_review(job_of(delivery(post)), "no_read_back", now=clock.now())
"""


def add(served: Served, *posts: Sequence[Any]) -> None:
    """Add posts: (text, wall time or "", more)."""
    rows = json.dumps([[text, wall, more[0] if more else {}] for text, wall, *more in posts])
    served.site.do(ADD.format(posts=rows, zone=BERLIN))


def look(page: Page, view: str, day: str, **more: Any) -> None:
    asked = "".join(f"&{name}={value}" for name, value in more.items())
    page.goto(f"{CALENDAR}?view={view}&date={day}&zone={BERLIN}{asked}")


def card(page: Page, text: str) -> Locator:
    return page.get_by_role("article").filter(has=page.get_by_role("link", name=text, exact=True))


def cell(page: Page, day: str, hour: int | None = None) -> Locator:
    at = "" if hour is None else f'[data-hour="{hour}"]'
    return page.locator(f'[data-day="{day}"]{at}')


def drag(found: Locator, target: Locator) -> None:
    """Drag a card, and wait for the server's answer."""
    page = found.page
    page.set_viewport_size({"width": 1280, "height": 1800})  # nothing has to be scrolled while it is dragged
    found.drag_to(target)
    expect(page.locator("#calendar-said.cal-fresh")).to_be_visible()


def wall_time(served: Served, text: str) -> str:
    ((found,),) = served.site.sql("SELECT wall_time FROM posts_post WHERE text = %s", [text])
    return str(found)


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def last_sunday(month: int) -> date:
    day = date(YEAR, month, 31)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def test_11_dragging_to_another_day_keeps_the_time_of_day(page: Page, served: Served) -> None:
    change = last_sunday(3)
    before, after = change - timedelta(days=1), change - timedelta(days=7)
    add(served, ("Rolls over the change", f"{change}T09:30"))  # hours after it; the day after may be another month's
    look(page, "month", change.isoformat())
    expect(card(page, "Rolls over the change")).to_contain_text("09:30")
    for day in (before, after):
        drag(card(page, "Rolls over the change"), cell(page, day.isoformat()))
        expect(page.get_by_role("status")).to_contain_text("“Rolls over the change” is moved to")
        moved = cell(page, day.isoformat()).get_by_role("article")
        expect(moved).to_contain_text("09:30")
        assert wall_time(served, "Rolls over the change") == f"{day}T09:30:00"
    look(page, "week", after.isoformat())
    drag(card(page, "Rolls over the change"), cell(page, f"{after - timedelta(days=3)}", 9))
    expect(page.get_by_role("status")).to_contain_text("is moved to")
    assert wall_time(served, "Rolls over the change") == f"{after - timedelta(days=3)}T09:30:00"
    drag(card(page, "Rolls over the change"), cell(page, f"{after}", 11))  # another hour changes the time
    expect(cell(page, after.isoformat(), 11).get_by_role("article")).to_contain_text("11:30")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("goes out at")
    assert wall_time(served, "Rolls over the change") == f"{after - timedelta(days=3)}T09:30:00"


def test_12_a_refused_drag_snaps_back_and_says_why(page: Page, served: Served) -> None:
    change, twice = last_sunday(3), last_sunday(10)
    home = f"{YEAR}-03-{min(change.day - 2, 26):02}"
    add(served, ("Night owl", f"{home}T02:30"), ("Autumn owl", f"{YEAR}-10-20T02:30"), ("Nobody's", "", {"alone": 1}))
    look(page, "month", home)
    drag(card(page, "Night owl"), cell(page, change.isoformat()))
    said = page.get_by_role("status")
    expect(said).to_contain_text("“Night owl” was not moved.")
    expect(said).to_contain_text(f"{change} 02:30 does not exist in {BERLIN}")
    expect(cell(page, home).get_by_role("article")).to_contain_text("Night owl")
    expect(cell(page, change.isoformat()).get_by_role("article")).to_have_count(0)
    assert wall_time(served, "Night owl") == f"{home}T02:30:00"
    served.site.sql("UPDATE posts_post SET version = version + 1 WHERE text = 'Night owl'")  # somebody else was there
    drag(card(page, "Night owl"), cell(page, f"{YEAR}-03-10"))
    expect(said).to_contain_text("changed by somebody else meanwhile")
    expect(cell(page, home).get_by_role("article")).to_contain_text("Night owl")
    drag(card(page, "Nobody's"), cell(page, f"{YEAR}-03-10"))
    expect(said).to_contain_text("“Nobody's” was not moved.")
    expect(page.get_by_role("region", name="Drafts without a time")).to_contain_text("Nobody's")
    look(page, "month", twice.isoformat())
    drag(card(page, "Autumn owl"), cell(page, twice.isoformat()))
    expect(said).to_contain_text("happens twice")
    expect(cell(page, f"{YEAR}-10-20").get_by_role("article")).to_contain_text("Autumn owl")
    page.get_by_role("button", name="The second (UTC+01:00)").click()
    expect(cell(page, twice.isoformat()).get_by_role("article")).to_contain_text("Autumn owl")


def test_13_published_running_and_uncertain_cards_cannot_be_dragged(page: Page, served: Served) -> None:
    add(
        served,
        ("Running", f"{YEAR}-04-08T10:00", {"running": 1}),
        ("Perhaps live", f"{YEAR}-04-09T10:00", {"unsure": 1}),
    )
    first = "SELECT text, scheduled_at FROM posts_post WHERE status = 'published'"  # a new site's first post
    ((published, at),) = served.site.wait_until(lambda: served.site.sql(first))
    for text, day in (("Running", f"{YEAR}-04-08"), ("Perhaps live", f"{YEAR}-04-09"), (published, str(at)[:10])):
        page.goto(f"{CALENDAR}?view=day&date={day}&zone=UTC")
        found = page.get_by_role("article").filter(has_text=text[:20])
        expect(found).not_to_have_attribute("draggable", "true")
        expect(found.get_by_role("link", name="Move to…")).to_have_count(0)
        ((key, version),) = served.site.sql("SELECT id, version FROM posts_post WHERE text = %s", [text])
        form = {"post": str(key), "version": str(version), "day": f"{YEAR}-04-20", "shown": ""}
        form["csrfmiddlewaretoken"] = page.locator("#calendar-drop [name=csrfmiddlewaretoken]").input_value()
        answer = page.request.post(f"{CALENDAR}drop/", form=form, headers={"HX-Request": "true"})
        assert "was not moved" in answer.text()
        assert served.site.sql("SELECT version FROM posts_post WHERE id = %s", [key]) == [(version,)]
    look(page, "month", f"{YEAR}-04-08")
    found = card(page, "Running")
    found.drag_to(cell(page, f"{YEAR}-04-20"))
    expect(cell(page, f"{YEAR}-04-08").get_by_role("article")).to_contain_text("Running")
    expect(page.get_by_role("status")).to_be_empty()


def test_39_month_week_day_and_list_with_view_and_date_in_the_address_and_remembered(
    page: Page, served: Served
) -> None:
    add(served, ("In May", f"{YEAR}-05-12T15:00"))
    look(page, "month", f"{YEAR}-05-12")
    for view in ("Week", "Day", "List", "Month"):
        page.get_by_role("navigation", name="View").get_by_role("link", name=view).click()
        expect(page.get_by_role("navigation", name="View").locator("[aria-current]")).to_have_text(view)
        assert (asked(page)["view"], asked(page)["date"]) == (view.lower(), f"{YEAR}-05-12")
        expect(card(page, "In May")).to_contain_text("15:00")
        expect(page.get_by_text(f"Times in {BERLIN} (UTC")).to_be_visible()
    page.get_by_role("link", name="Next", exact=True).click()
    expect(page.get_by_role("heading", name=f"June {YEAR}")).to_be_visible()
    page.get_by_role("navigation", name="View").get_by_role("link", name="Week").click()
    expect(page.get_by_role("navigation", name="View").locator("[aria-current]")).to_have_text("Week")
    page.get_by_role("link", name="Previous", exact=True).click()
    page.wait_for_url(f"**view=week&date={YEAR}-06-05**")
    shown = page.get_by_role("heading", level=2).first.text_content()
    kept = asked(page)
    page.goto("/admin/")
    page.goto(CALENDAR)
    expect(page.get_by_role("heading", level=2).first).to_have_text(shown or "")
    assert (asked(page)["view"], asked(page)["date"]) == (kept["view"], kept["date"])
    page.get_by_role("link", name="Today").click()
    expect(page.locator("[aria-current=date]")).to_be_visible()


def test_40_a_card_shows_time_accounts_state_and_thumbnail_never_by_colour_alone(page: Page, served: Served) -> None:
    add(
        served,
        ("With a sun", f"{YEAR}-06-09T08:05", {"picture": 1, "second": ["Bakery", "mastodon"]}),
        ("At work", f"{YEAR}-06-09T09:00", {"running": 1}),
    )
    for view in ("month", "week", "day", "list"):
        look(page, view, f"{YEAR}-06-09")
        found = card(page, "With a sun")
        expect(found.get_by_role("time")).to_have_text("08:05")
        expect(found).to_contain_text("Bakery (Mastodon), Demo (Outbox)")
        picture = found.get_by_role("img", name="sun.png")
        expect(picture).to_be_visible()
        page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
        for text, state in (("With a sun", "Scheduled"), ("At work", "Publishing")):
            badge = card(page, text).locator(".sq-badge")
            expect(badge).to_have_text(state)
            expect(badge.locator("svg")).to_be_visible()


def test_41_two_posts_in_a_minute_are_both_visible_and_too_many_become_more(page: Page, served: Served) -> None:
    full = last_sunday(7)
    quiet = full - timedelta(days=1)  # of the same week
    busy = [(f"Busy {number}", f"{full}T10:{number:02}") for number in range(8)]
    add(served, ("First of two", f"{quiet}T10:00"), ("Second of two", f"{quiet}T10:00"), *busy)
    for view in ("month", "week"):
        look(page, view, f"{full}")
        for text in ("First of two", "Second of two"):
            expect(card(page, text)).to_be_visible()
        boxes = [card(page, text).bounding_box() for text in ("First of two", "Second of two")]
        assert boxes[0] is not None
        assert boxes[1] is not None
        assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
        expect(cell(page, f"{full}").get_by_role("article")).to_have_count(3)
        page.get_by_role("link", name="+5 more").click()
        expect(page.get_by_role("heading", level=2, name=f"{full.day} July {YEAR}")).to_be_visible()
        expect(page.get_by_role("article").filter(has_text="Busy")).to_have_count(8)


def test_42_clicking_an_empty_future_slot_opens_the_composer_at_that_time(page: Page, served: Served) -> None:
    account = served.site.sql("SELECT id FROM posts_account WHERE name = 'Demo'")[0][0]
    look(page, "week", f"{YEAR}-08-12", account=account)
    cell(page, f"{YEAR}-08-12", 14).click()
    expect(page.get_by_label("Goes out")).to_have_value(f"{YEAR}-08-12T14:00")
    expect(page.get_by_label("Time zone")).to_have_value(BERLIN)
    expect(page.get_by_role("checkbox", name="Demo")).to_be_checked()
    page.get_by_label("Text", exact=True).fill("Written from the calendar")
    page.get_by_role("button", name="Schedule", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("is scheduled")
    assert wall_time(served, "Written from the calendar") == f"{YEAR}-08-12T14:00:00"
    look(page, "week", f"{YEAR}-08-12")
    expect(cell(page, f"{YEAR}-08-12", 14).get_by_role("article")).to_contain_text("Written from the calendar")
    look(page, "month", f"{YEAR}-08-11")
    cell(page, f"{YEAR}-08-20").click()
    expect(page.get_by_label("Goes out")).to_have_value(f"{YEAR}-08-20T09:00")
    for view in ("month", "week", "day"):
        look(page, view, "2024-02-07")
        expect(page.get_by_role("link", name="Write for")).to_have_count(0)


def test_43_every_move_can_be_made_by_keyboard_through_move_to(page: Page, served: Served) -> None:
    add(served, ("By keyboard", f"{YEAR}-09-08T09:00"), ("Another", f"{YEAR}-09-09T09:00"), ("Idea to place", ""))
    look(page, "month", f"{YEAR}-09-08")
    movable = page.locator('[draggable="true"]')
    expect(movable.get_by_role("link", name="Move to…")).to_have_count(movable.count())
    expect(page.get_by_role("link", name="Move to… “Idea to place”")).to_have_count(1)
    opener = page.get_by_role("link", name="Move to… “By keyboard”")
    page.get_by_role("link", name="By keyboard", exact=True).focus()
    page.keyboard.press("Tab")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Move a post")
    expect(dialog.get_by_label("Move to")).to_have_value(f"{YEAR}-09-08T09:00")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Move to")).to_be_focused()
    expect(dialog.locator(".htmx-added")).to_have_count(0)
    page.keyboard.type(f"0909{YEAR}")  # whichever of day and month the browser has first
    page.keyboard.press("ArrowRight")
    page.keyboard.type("0815")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("“By keyboard” is moved to")
    expect(dialog).to_be_hidden()
    expect(cell(page, f"{YEAR}-09-09").get_by_role("article").first).to_contain_text("08:15")
    expect(opener).to_be_focused()
    assert wall_time(served, "By keyboard") == f"{YEAR}-09-09T08:15:00"
    opener.press("Enter")
    expect(dialog.get_by_label("Move to")).to_have_value(f"{YEAR}-09-09T08:15")
    expect(dialog.locator(".htmx-added")).to_have_count(0)  # until then the form is sent without its script
    dialog.get_by_label("Move to").fill(f"{last_sunday(3)}T02:30")
    page.keyboard.press("Enter")
    expect(dialog.locator(".errorlist")).to_contain_text("does not exist")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo").press("Enter")
    expect(cell(page, f"{YEAR}-09-08").get_by_role("article")).to_contain_text("By keyboard")


def test_52_filters_by_account_platform_tag_and_state_in_the_address(page: Page, served: Served) -> None:
    add(  # in a year of their own: the month after it is looked at, too
        served,
        ("For all", f"{YEAR + 1}-11-10T09:00", {"tags": ["launch"]}),
        ("For the shop", f"{YEAR + 1}-11-10T10:00", {"second": ["Shop", "mastodon"], "alone": 1}),
        ("At work now", f"{YEAR + 1}-11-11T10:00", {"running": 1}),
    )
    everything = {"For all", "For the shop", "At work now"}
    for label, option, name, left in (
        ("Account", "Shop (Mastodon)", "account", {"For the shop"}),
        ("Platform", "Outbox", "platform", {"For all", "At work now"}),
        ("Tag", "launch", "tag", {"For all"}),
        ("State", "Publishing", "state", {"At work now"}),
    ):
        look(page, "month", f"{YEAR + 1}-11-10")
        filters = page.get_by_role("form", name="Filters")
        filters.get_by_label(label).select_option(label=option)
        filters.get_by_role("button", name="Apply").click()
        expect(page.get_by_role("link", name="Clear filters").first).to_be_visible()
        assert asked(page)[name]
        for text in everything:
            expect(card(page, text)).to_have_count(int(text in left))
        page.reload()
        expect(filters.get_by_label(label).locator("option:checked")).to_have_text(option)
        page.get_by_role("link", name="Next", exact=True).click()
        expect(page.get_by_text("Nothing here matches.")).to_be_visible()
        assert asked(page)[name]  # the filter stays on the way
        page.go_back()
        page.get_by_role("link", name="Clear filters").first.click()
        for text in everything:
            expect(card(page, text)).to_be_visible()


def test_moves_without_scripts(browser: Browser, served: Served) -> None:
    add(served, ("No scripts", f"{YEAR}-12-08T09:00"))
    with open_context(browser, served, width=360, scripts=False) as context:
        page = sign_in(context)
        look(page, "month", f"{YEAR}-12-08")
        page.get_by_role("link", name="Move to… “No scripts”").click()
        page.get_by_label("Move to").fill(f"{YEAR}-12-10T08:00")
        page.get_by_role("button", name="Move", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("is moved to")
        expect(cell(page, f"{YEAR}-12-10").get_by_role("article")).to_contain_text("No scripts")
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".messagelist")).to_contain_text("goes out at")
        expect(cell(page, f"{YEAR}-12-08").get_by_role("article")).to_contain_text("No scripts")


def test_a_move_that_gets_no_answer_snaps_back(browser: Browser, served: Served) -> None:
    add(served, ("Out of reach", f"{YEAR}-01-12T09:00"))
    lost = Served(served.site, served.url)  # the browser itself complains of a lost network
    with open_context(browser, lost) as context:
        page = sign_in(context)
        look(page, "month", f"{YEAR}-01-12")
        context.set_offline(True)
        drag(card(page, "Out of reach"), cell(page, f"{YEAR}-01-14"))
        expect(page.get_by_role("status")).to_contain_text("did not reach the server")
        expect(cell(page, f"{YEAR}-01-12").get_by_role("article")).to_contain_text("Out of reach")


def test_arrow_keys_go_from_day_to_day(page: Page) -> None:
    look(page, "month", f"{YEAR}-02-10")
    page.locator("[data-drop]").first.get_by_role("link").first.focus()
    first = date.fromisoformat(str(page.locator("[data-drop]").first.get_attribute("data-day")))
    for key, days in (("ArrowRight", 1), ("ArrowDown", 8), ("ArrowLeft", 7), ("ArrowUp", 0), ("ArrowUp", 0)):
        page.keyboard.press(key)
        expect(cell(page, f"{first + timedelta(days=days)}").get_by_role("link").first).to_be_focused()


def test_a_viewer_sees_posts_and_no_handles(browser: Browser, served: Served) -> None:
    add(served, ("Only to look at", f"{YEAR}-02-10T09:00"))
    add_person(served, "viewer", ["posts.view_post", "posts.view_account", "posts.view_all_posts"])
    with open_context(browser, served) as context:
        page = sign_in(context, "viewer")
        look(page, "month", f"{YEAR}-02-10")
        expect(card(page, "Only to look at")).to_be_visible()
        expect(page.locator('[draggable="true"]')).to_have_count(0)
        expect(page.get_by_role("link", name="Move to…")).to_have_count(0)
        expect(page.get_by_role("link", name="Write for")).to_have_count(0)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_fits_a_phone_and_everybody(browser: Browser, served: Served, width: int, scheme: Any) -> None:
    long = "Averylongwordwithoutanyplacetobreak" * 4
    add(served, (long, f"{YEAR}-02-17T09:00", {"picture": 1}), *[("Fill", f"{YEAR}-02-17T09:01")] * 4)
    looked_at = Served(served.site, served.url)  # what looks into the page applies styles, which its policy forbids
    with open_context(browser, looked_at, width=width, scheme=scheme) as context:
        page = sign_in(context)
        for view in ("month", "week", "day", "list"):
            look(page, view, f"{YEAR}-02-17")
            assert list(judge(page, scheme, width)) == []
