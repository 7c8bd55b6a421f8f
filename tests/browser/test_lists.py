"""The lists: filters in the URL, actions on all that match, what an empty list says, the history of everything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Served, add_person, open_context, open_served, sign_in
from tests.browser.seeding import delivery_page, seed, status_of
from tests.site import Databases

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_lists")]

POSTS, DELIVERIES, JOBS = "/admin/posts/post/", "/admin/posts/delivery/", "/admin/queue_app/job/"
HISTORY = "/admin/admin/logentry/"
MANY, WRONG = 201, 51  # in parts; beyond one page
SEED = f"""
from queue_app.database import atomic
good, refuses, other = outbox("Good"), outbox("Refuses", "content_rejected"), outbox("Other")
for begin in range(0, {MANY}, 50):  # a commit for each would wait for the disk hundreds of times
    with atomic():
        for number in range(begin, min(begin + 50, {MANY})):
            scheduled(f"Batch {{number}}", good, hours=48)
with atomic():
    for number in range({WRONG}):
        now(f"Wrong {{number}}", refuses)
scheduled("Fresh bread", other, hours=24 * 20, tags=["bakery"])
scheduled("Kept by hand", good, hours=72)
draft("Not ready", other)
cancel_post(scheduled("Called off", other), actor=boss)
facts = {{"mime_type": "application/pdf", "kind": "document", "sha256": "0" * 64, "width": 0, "height": 0}}
Media.objects.create(file="media/aa/plan", original_name="plan.pdf", size_bytes=1000, **facts)
"""
PAGES = [
    *("posts/post", "posts/delivery", "posts/account", "posts/media", "auth/user", "auth/group", "admin/logentry"),
    *(f"queue_app/{name}" for name in ("job", "attempt", "event", "worker", "block", "limit", "breaker", "notice")),
    "queue_app/maintenancewindow",
]


@pytest.fixture(scope="module")
def running(site_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with open_served(site_databases, tmp_path_factory, "lists") as served:
        seed(served, SEED)
        yield served


def rows(page: Page) -> Locator:
    return page.locator("#result_list tbody tr")


def choose(page: Page, name: str, choice: str) -> None:
    menu_name = page.locator(".sq-menu-name", has_text=re.compile(f"^{name}$"))
    page.get_by_role("group", name="Filters").locator("summary", has=menu_name).click()
    with page.expect_navigation():  # or the next menu would be opened on the page that is left
        page.locator("details[open]").get_by_role("link", name=choice, exact=True).click()


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def failed(served: Served) -> int:
    query = "SELECT COUNT(*) FROM posts_post WHERE status = 'failed' AND text LIKE %s"
    return int(served.site.sql(query, ["Wrong %"])[0][0])


def test_20_filters_live_in_the_url(page: Page, browser: Browser, served: Served) -> None:
    page.goto(POSTS)
    choose(page, "Status", "Scheduled")
    choose(page, "Account", "Other (Outbox)")
    choose(page, "Platform", "Outbox")
    choose(page, "Tag", "bakery")
    page.locator("summary", has_text="Scheduled for").click()
    page.get_by_label("From", exact=True).fill("2020-01-01")
    page.get_by_label("To", exact=True).fill("2090-01-01")
    with page.expect_navigation():
        page.get_by_role("button", name="Show these days").click()
    page.get_by_role("searchbox", name="Search").fill("bread")
    with page.expect_navigation():
        page.get_by_role("button", name="Search").click()
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("Fresh bread")
    asked = query_of(page)
    assert asked["status__exact"] == ["scheduled"]
    assert asked["q"] == ["bread"]
    assert (asked["platform"], asked["tag"]) == (["outbox"], ["bakery"])
    assert asked["scheduled_at_from"] == ["2020-01-01"]
    with open_context(browser, served) as other:  # the address is enough, for somebody else as well
        again = sign_in(other)
        again.goto(page.url)
        expect(rows(again)).to_have_count(1)
    choose(page, "Scheduled for", "Today")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.goto(DELIVERIES)
    for name, choice in (("Status", "Cancelled"), ("Account", "Other (Outbox)"), ("Platform", "Outbox")):
        choose(page, name, choice)
    expect(rows(page)).to_have_count(1)
    page.goto(JOBS)
    for name, choice in (("State", "Cancelled"), ("Account", "Other (Outbox)"), ("Type", "posts.publish")):
        choose(page, name, choice)
    choose(page, "Queue", "default")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("“Called off” on Other (Outbox)")


def test_21_all_matching_works_beyond_one_page(page: Page, served: Served) -> None:
    arrived = "SELECT COUNT(*) FROM posts_outboxarrival WHERE mailbox = 'Refuses'"
    served.site.wait_until(lambda: failed(served) == WRONG, 120)
    ((before,),) = served.site.sql(arrived)
    page.goto(f"{POSTS}?status__exact=failed")
    expect(rows(page)).to_have_count(50)
    page.get_by_label(f"Select all {WRONG} matching").check()
    expect(page.get_by_text(f"All {WRONG} that match are selected")).to_be_visible()
    page.get_by_role("button", name="Retry…").click()
    expect(page.get_by_role("heading", name=f"Retry: {WRONG} posts")).to_be_visible()
    page.get_by_role("button", name=f"Yes, retry these {WRONG}").click()
    expect(page.locator(".messagelist")).to_contain_text(f"{WRONG} posts to be tried again now.")
    served.site.wait_until(lambda: served.site.sql(arrived) == [(before + WRONG,)], 120)
    # More than a page should take: the queue does it in parts, the list says how far it is.
    page.goto(f"{POSTS}?q=Batch")
    page.get_by_label(f"Select all {MANY} matching").check()
    page.get_by_role("button", name="Reschedule with spacing…").click()
    page.get_by_label("Goes out").fill("2031-05-01T08:00")
    page.get_by_label("Minutes between two").fill("10")
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.get_by_role("button", name=f"Yes, reschedule with spacing these {MANY}").click()
    expect(page.locator(".messagelist")).to_contain_text(f"{MANY} posts, in 3 parts")
    expect(page.locator(".sq-progress")).to_have_count(0, timeout=60_000)  # goes by itself once it is done
    times = [row[0] for row in served.site.sql("SELECT DISTINCT wall_time FROM posts_post WHERE wall_time >= '2031'")]
    assert len(times) == MANY
    assert (min(times), max(times)) == ("2031-05-01T08:00:00", "2031-05-02T17:20:00")
    page.goto(f"{DELIVERIES}?q=Batch")
    page.get_by_label(f"Select all {MANY} matching").check()
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name=f"Yes, cancel these {MANY}").click()
    expect(page.locator(".messagelist")).to_contain_text(f"{MANY} deliveries, in 3 parts")
    cancelled = "SELECT COUNT(*) FROM posts_post WHERE status = 'cancelled' AND wall_time >= '2031'"
    served.site.wait_until(lambda: served.site.sql(cancelled) == [(MANY,)], 60)


def test_22_the_question_counts_exactly_and_names_what_is_skipped(page: Page, served: Served) -> None:
    served.site.wait_until(lambda: failed(served) == WRONG, 120)
    page.goto(f"{POSTS}?account={account_id(served, 'Other')}")
    page.get_by_label("Select all objects on this page").check()
    expect(page.get_by_text("3 selected")).to_be_visible()
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("heading", name="Cancel: 1 post")).to_be_visible()
    expect(page.get_by_role("heading", name="Skipped: 2")).to_be_visible()
    expect(page.locator("li", has_text="Called off")).to_contain_text("it is cancelled, nothing of it waits")
    expect(page.locator("li", has_text="Not ready")).to_contain_text("it is draft, nothing of it waits")
    page.get_by_role("link", name="No, go back").click()
    assert status_of(served, "Fresh bread") == "scheduled"
    # Of very many they are counted by state.
    page.goto(POSTS)
    page.locator("[data-bulk-all]").check()
    page.get_by_role("button", name="Retry…").click()
    expect(page.get_by_role("heading", name=f"Retry: {WRONG} posts")).to_be_visible()
    rest = served.site.sql("SELECT COUNT(*) FROM posts_post")[0][0] - WRONG
    expect(page.get_by_role("heading", name=f"Skipped: {rest}")).to_be_visible()
    expect(page.locator("li", has_text="1 posts – Draft")).to_contain_text("there is nothing to do")


def test_23_with_nothing_selected_the_buttons_explain_themselves(page: Page, browser: Browser, served: Served) -> None:
    said = "Nothing is selected, so nothing was done. Tick the rows that you mean"
    for path in (POSTS, DELIVERIES, JOBS):
        page.goto(path)
        button = page.get_by_role("button", name="Cancel…")
        expect(button).to_be_enabled()
        expect(page.get_by_role("alert")).to_have_count(0)
        button.click()
        expect(page.get_by_role("alert")).to_contain_text(said)
        rows(page).first.get_by_role("checkbox").check()
        expect(page.get_by_role("alert")).to_have_count(0)
    with open_context(browser, served, scripts=False) as context:
        plain = sign_in(context)
        plain.goto(POSTS)
        plain.get_by_role("button", name="Cancel…").click()
        expect(plain.locator(".messagelist")).to_contain_text(said)


def test_56_empty_lists_say_what_to_do_next(page: Page, browser: Browser, served: Served) -> None:
    for path in PAGES:
        page.goto(f"/admin/{path}/?q=nothing-like-this")
        if page.locator("#result_list").count():
            continue
        empty = page.locator(".sq-empty")
        expect(empty).to_be_visible()
        if "?" in page.url:
            empty.get_by_role("link", name="Clear filters").click()
            expect(page).to_have_url(re.compile(r"^[^?]+\??$"))
    add_person(served, "newcomer", ["posts.view_post", "posts.add_post", "posts.view_media", "queue_app.view_block"])
    with open_context(browser, served) as context:
        hers = sign_in(context, "newcomer")
        for path, said in (
            ("posts/post", "Press “Add post” above to write the first one."),
            ("posts/delivery", "Write a post"),
            ("queue_app/block", "Nothing is paused"),
            ("admin/logentry", "What people do here is written down by itself."),
        ):
            hers.goto(f"/admin/{path}/")
            expect(hers.locator(".sq-empty")).to_contain_text(said)


def test_57_every_action_is_in_the_history(page: Page, browser: Browser, served: Served) -> None:
    page.goto(delivery_page(served, "Kept by hand"))
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Yes, cancel this one").click()
    page.locator(".object-tools").get_by_role("link", name="History").click()
    lines = page.locator("#change-history li")
    expect(lines.filter(has_text="Cancelled.")).to_contain_text("admin")
    expect(lines.filter(has_text="pending → cancelled")).to_contain_text("admin")  # what the queue knows of it
    expect(lines.locator("time").first).to_have_attribute("datetime", re.compile(r"^\d{4}-\d\d-\d\dT"))
    post = served.site.sql("SELECT id FROM posts_post WHERE text = 'Kept by hand'")[0][0]
    page.goto(f"/admin/posts/post/{post}/history/")
    expect(lines.filter(has_text="pending → cancelled")).to_contain_text("admin")
    page.goto(HISTORY)
    line = rows(page).filter(has_text="Kept by hand → Good (Outbox)")
    expect(line).to_contain_text("admin")
    expect(line).to_contain_text("Cancelled.")
    expect(line.locator("time")).to_be_visible()
    choose(page, "Person", "admin")
    choose(page, "About", "Delivery")
    rows(page).filter(has_text="Kept by hand").get_by_role("link").click()
    expect(page.get_by_role("region", name="Where it stands")).to_contain_text("Cancelled")
    add_person(served, "looker", ["posts.view_post"])
    with open_context(browser, served) as context:  # others see what they did themselves
        hers = sign_in(context, "looker")
        hers.goto(HISTORY)
        expect(hers.locator(".sq-empty")).to_be_visible()


def test_59_lists_retry_and_cancel_work_without_scripts(browser: Browser, served: Served) -> None:
    served.site.wait_until(lambda: failed(served) == WRONG, 120)
    seed(served, "scheduled('Cancelled by a click', Account.objects.get(name='Good'), hours=50)")
    with open_context(browser, served, width=360, scripts=False) as context:
        page = sign_in(context)
        page.goto(f"{POSTS}?q=Cancelled+by+a+click")
        rows(page).first.get_by_role("checkbox").check()
        page.get_by_role("button", name="Cancel…").click()
        page.get_by_role("button", name="Yes, cancel this one").click()
        expect(page.locator(".messagelist")).to_contain_text("1 post cancelled.")
        expect(rows(page).first).to_contain_text("Cancelled")
        choose(page, "Status", "Cancelled")
        page.goto(f"{POSTS}?status__exact=failed")
        page.get_by_label(f"Select all {WRONG} matching").check()  # no row is ticked
        page.get_by_role("button", name="Retry…").click()
        page.get_by_role("button", name=f"Yes, retry these {WRONG}").click()
        expect(page.locator(".messagelist")).to_contain_text(f"{WRONG} posts to be tried again now.")
        for path in PAGES:
            page.goto(f"/admin/{path}/")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def account_id(served: Served, name: str) -> int:
    return int(served.site.sql("SELECT id FROM posts_account WHERE name = %s", [name])[0][0])
