"""The whole story, as a person lives it: log in, write, attach, schedule, see it published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served, open_context, sign_in
from tests.browser.looking import widths
from tests.posts.media.pictures import encoded, quarters

pytestmark = [pytest.mark.browser, pytest.mark.story, pytest.mark.xdist_group("browser_story")]

ZONE = "Asia/Kolkata"  # no hour of it comes twice or never


@pytest.fixture
def phone(browser: Browser, served: Served) -> Iterator[Page]:
    with open_context(browser, served, width=360) as context:
        yield sign_in(context)


@pytest.fixture
def plain(browser: Browser, served: Served) -> Iterator[Page]:
    """A phone whose browser runs no scripts."""
    with open_context(browser, served, width=360, scripts=False) as context:
        yield sign_in(context)


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    return path


def in_seconds(seconds: float) -> str:
    return (
        (datetime.now(ZoneInfo(ZONE)) + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat(timespec="seconds")
    )


def write(page: Page, text: str) -> None:
    page.goto("/admin/posts/post/add/")
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("checkbox", name="Demo").check()


def schedule(page: Page, seconds: float) -> None:
    page.get_by_label("Time zone").select_option(ZONE)
    page.get_by_label("Goes out").fill(in_seconds(seconds))
    page.get_by_role("button", name="Schedule").click()


def test_writes_attaches_schedules_and_sees_it_published(page: Page, cat: Path) -> None:
    write(page, "Our new cat 👩‍👩‍👧 says hello")
    expect(page.locator("#counters")).to_contain_text("24 of 5000 characters")
    page.get_by_label("Add files").set_input_files(cat)
    page.get_by_label("Alt text").fill("A cat of four colours")
    schedule(page, 2)
    expect(page.locator(".messagelist")).to_contain_text("is scheduled")
    expect(page.locator("#deliveries")).to_contain_text("Published")  # without a reload by hand
    page.get_by_role("link", name="Open the live post").click()
    expect(page).to_have_url(re.compile(r"/outbox/\d+/$"))
    expect(page.get_by_text("Our new cat")).to_be_visible()
    picture = page.get_by_alt_text("A cat of four colours")
    expect(picture).to_be_visible()
    expect(picture).not_to_have_js_property("naturalWidth", 0)
    page.goto("/outbox/")
    expect(page.get_by_text("Our new cat")).to_have_count(1)


def test_does_the_same_without_scripts(served: Served, plain: Page, cat: Path) -> None:
    page = plain
    write(page, "Written without scripts")
    page.get_by_label("Add files").set_input_files(cat)
    page.get_by_role("button", name="Attach").click()
    expect(page.get_by_label("Text", exact=True)).to_have_value("Written without scripts")
    page.get_by_label("Alt text").fill("A cat")
    schedule(page, 2)
    expect(page.locator(".messagelist")).to_contain_text("is scheduled")  # no reload while the answer is under way

    def published() -> bool:
        page.reload()
        return page.get_by_role("link", name="Open the live post").count() == 1

    served.site.wait_until(published)
    page.get_by_role("link", name="Open the live post").click()
    expect(page.get_by_alt_text("A cat")).to_be_visible()


def test_publishes_now_after_one_question(page: Page) -> None:
    write(page, "At once")
    page.get_by_role("button", name="Publish now…").click()
    page.get_by_role("button", name="Yes, publish now").click()
    expect(page.locator("#deliveries")).to_contain_text("Published")


def test_a_double_click_makes_one_post(served: Served, page: Page) -> None:
    write(page, "Clicked twice")
    page.get_by_label("Time zone").select_option(ZONE)
    page.get_by_label("Goes out").fill(in_seconds(3600))
    page.get_by_role("button", name="Schedule").dblclick()
    expect(page.locator("#deliveries")).to_contain_text("Scheduled")
    assert served.site.sql("SELECT COUNT(*) FROM posts_post WHERE text = 'Clicked twice'") == [(1,)]


def test_what_needs_review_is_settled_in_the_admin(served: Served, page: Page) -> None:
    page.goto("/admin/posts/account/add/?platform=outbox")
    page.get_by_label("Name").fill("Silent")
    page.get_by_label("Recognise repeats").fill("no")
    page.get_by_role("button", name="Connect").click()
    page.get_by_role("link", name="Let it fail").click()
    page.get_by_label("It should").select_option("no_answer")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".messagelist")).to_contain_text("will now:")
    page.goto("/admin/posts/post/add/")
    page.get_by_label("Text", exact=True).fill("Is it there?")
    page.get_by_role("checkbox", name="Silent").check()
    page.get_by_role("button", name="Publish now…").click()
    page.get_by_role("button", name="Yes, publish now").click()
    expect(page.locator("#deliveries")).to_contain_text("a person must decide")
    page.locator("#deliveries").get_by_role("link", name="Silent").click()
    page.get_by_role("button", name="Retry…").click()
    expect(page.get_by_text("could publish twice")).to_be_visible()
    page.get_by_role("link", name="No, go back").click()
    page.get_by_role("button", name="Mark as published…").click()
    arrived = "SELECT id FROM posts_outboxarrival WHERE mailbox = 'Silent'"
    ((number,),) = served.site.sql(arrived)
    page.get_by_label("Link of the live post").fill(f"{served.url}/outbox/{number}/")
    page.get_by_role("button", name="Yes, mark as published").click()
    expect(page.get_by_role("link", name=f"{served.url}/outbox/{number}/")).to_be_visible()
    assert served.site.sql(arrived) == [(number,)]


def test_fits_a_phone_in_light_and_dark(phone: Page) -> None:
    page = phone
    write(page, "word " * 30 + "https://example.org/" + "a" * 200)
    page.get_by_role("button", name="Publish now…").click()
    page.get_by_role("button", name="Yes, publish now").click()
    expect(page.locator("#deliveries")).to_contain_text("Published")
    post = page.url.split("/")[-3]
    paths: list[Any] = [
        "",
        "posts/post/",
        f"posts/post/{post}/change/",
        "posts/post/add/",
        "posts/delivery/",
        "posts/delivery/1/change/",
    ]
    paths += [
        "posts/account/",
        "posts/account/1/change/",
        "posts/account/add/",
        "posts/account/add/?platform=bluesky",
        "posts/media/",
    ]
    paths += [f"queue_app/{name}/" for name in ("job", "attempt", "worker", "block", "maintenancewindow", "notice")]
    paths += ["queue_app/job/1/change/", "queue_app/worker/1/change/", "queue_app/block/add/"]
    paths += ["queue_app/limit/", "queue_app/breaker/", "queue_app/event/", "queue_app/event/1/change/"]
    paths += ["queue_app/job/?state__exact=failed"]
    paths += ["queue_app/maintenancewindow/add/"]
    for path in paths:
        page.goto(f"/admin/{path}")
        assert max(widths(page).values()) <= 360, (path, widths(page))
