"""The first minutes of a new site: one command serves it and runs its worker, and the first page says what to do."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served, add_person, open_context, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_first_run")]

ZONE = "Asia/Kolkata"  # neither the browser's nor the site's, and no hour of it comes twice or never
STEPS = ["Connect an account.", "Write a post", "Schedule it.", "See it live."]
MAY = [f"posts.{what}" for what in ("view_post", "add_post", "change_post", "schedule_post", "publish_post")]
MAY += ["posts.view_account", "posts.add_account"]


def ticked(page: Page, number: int) -> None:
    """Wait until the first ``number`` steps are ticked, and no other."""
    expect(page.locator("#first-steps .sq-done")).to_have_count(number)
    for step in STEPS[:number]:
        expect(page.locator("#first-steps .sq-done", has_text=step)).to_contain_text("Done:")


def test_01_one_command_serves_admin_and_worker_and_the_first_page_ticks_off_connect_write_schedule(
    page: Page, served: Served, browser: Browser
) -> None:
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    expect(page.locator("#first-steps strong")).to_contain_text(STEPS)
    ticked(page, 4)  # the sample account and the demo post are there, and the command's own worker has sent it
    served.site.sql("UPDATE posts_account SET owner_id = (SELECT MIN(id) FROM auth_user)")
    add_person(served, "newcomer", MAY)
    with open_context(browser, served) as context:
        first = sign_in(context, "newcomer")
        ticked(first, 0)
        other = context.new_page()  # in another tab; the first page is not touched again
        other.goto("/admin/")
        other.get_by_role("link", name="Connect one").click()
        other.get_by_role("link", name="Outbox").click()
        other.get_by_label("Name").fill("My first outbox")
        other.get_by_role("button", name="Connect").click()
        expect(other.locator(".messagelist")).to_contain_text("is connected")
        first.bring_to_front()
        ticked(first, 1)
        other.bring_to_front()
        other.goto("/admin/")
        other.get_by_role("link", name="Write one").click()
        other.get_by_label("Text", exact=True).fill("My first post")
        other.get_by_role("checkbox", name="My first outbox").check()
        other.get_by_role("button", name="Save draft").click()
        expect(other.locator(".messagelist")).to_contain_text("is saved")
        first.bring_to_front()
        ticked(first, 2)
        other.bring_to_front()
        other.get_by_label("Time zone").select_option(ZONE)
        other.get_by_label("Goes out").fill(f"{datetime.now(ZoneInfo(ZONE)) + timedelta(seconds=3):%Y-%m-%dT%H:%M:%S}")
        other.get_by_role("button", name="Schedule").click()
        expect(other.locator("#deliveries")).to_contain_text("Published")
        first.bring_to_front()
        ticked(first, 4)


def test_55_the_built_in_outbox_publishes_a_demo_post_with_no_credentials(served: Served, browser: Browser) -> None:
    with open_context(browser, served) as context:
        page = sign_in(context)
        page.goto("/admin/posts/post/")
        page.get_by_role("link", name="Hello! This is the demo post").first.click()
        expect(page.locator("#deliveries")).to_contain_text("Published")
        page.get_by_role("link", name="Open the live post").click()
        expect(page).to_have_url(re.compile(r"/outbox/\d+/$"))
        expect(page.get_by_text("This is the demo post of your new SocialQ.")).to_be_visible()
        page.goto("/outbox/")
        expect(page.get_by_text("This is the demo post of your new SocialQ.")).to_be_visible()


def test_the_apis_page_is_read_and_tried_by_who_is_signed_in_and_asks_nobody_outside(page: Page) -> None:
    page.goto("/api/docs")
    create = page.locator("#operations-posts-create_post")
    create.locator(".opblock-summary-control").click()
    create.get_by_role("button", name="Try it out").click()
    create.get_by_role("button", name="Execute").click()
    expect(create.locator(".live-responses-table")).to_contain_text('"status": "DRAFT"')
