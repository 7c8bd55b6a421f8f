"""The pages of a delivery and of its job: one state, in words, with its way, its errors and one next step."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Served, open_served
from tests.browser.seeding import delivery_page, make_due, seed, status_of
from tests.posts.platforms.fake_webhook import SECRET, FakeWebhook
from tests.site import Databases

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_jobs_and_deliveries")]

SEED = """
good, refuses = outbox("Good"), outbox("Refuses", "content_rejected")
silent = outbox("Silent", "no_answer", keeps_keys="no")
limited = outbox("Limited")
twice, never = outbox("Twice", "no_answer", keeps_keys="no"), outbox("Never")
now("It went out", good), now("It is refused", refuses)
now("Is it there?", silent), now("Settled by hand", silent), now("Sent twice?", twice)
draft("Not ready", good), scheduled("Called off", good)
cancel_post(Post.objects.get(text="Called off"), actor=boss)
now("First of the day", limited), now("Second of the day", limited)
made = limited.pk
"""
SAID = """
from io import StringIO
from django.core.management import call_command
from queue_app import api
made = {{}}
for text in {texts!r}:
    told = StringIO()
    call_command("show_post", str(Post.objects.get(text=text).pk), json=True, stdout=told)
    job = Delivery.objects.get(post__text=text).job_id
    status = json.loads(told.getvalue())["deliveries"][0]["status"]
    made[text] = [status, api.get_status(job) if job else ""]
"""
BEARER = "bearer-4711-of-nobody"


@pytest.fixture(scope="module")
def receiver() -> Iterator[FakeWebhook]:
    with FakeWebhook() as running:
        running.bearer = BEARER
        yield running


@pytest.fixture(scope="module")
def running(
    site_databases: Databases, tmp_path_factory: pytest.TempPathFactory, receiver: FakeWebhook
) -> Iterator[Served]:
    # The fifth account is Limited: Demo is there from the beginning.
    env = {"SOCIALQ_ALLOW_PRIVATE_NETWORKS": "true", "SOCIALQ_LIMITS": "account:5=1/d"}
    with open_served(site_databases, tmp_path_factory, "deliveries", env) as served:
        assert seed(served, SEED) == 5
        yield served


def outcome(page: Page) -> Locator:
    return page.get_by_role("region", name="Where it stands")


def wait_for(served: Served, text: str, status: str) -> None:
    served.site.wait_until(lambda: status_of(served, text) == status, 60)


def go_to_the_job(page: Page) -> None:
    """Go from the page of a delivery to that of its job, and wait for it."""
    page.get_by_role("link", name="The job in the queue").click()
    page.wait_for_url("**/queue_app/job/**")


def said_by_the_api(served: Served, *texts: str) -> dict[str, tuple[str, str]]:
    """Return the status of each post's delivery, and the state of its job, in one process of the site."""
    return {text: tuple(said) for text, said in seed(served, SAID.format(texts=texts)).items()}


def test_02_one_named_state_that_agrees_with_the_api(page: Page, served: Served) -> None:
    states = {
        "It went out": ("published", "Published", "completed"),
        "It is refused": ("failed", "Failed", "failed"),
        "Is it there?": ("needs_review", "Needs review", "uncertain"),
        "Called off": ("cancelled", "Cancelled", "cancelled"),
        "Not ready": ("draft", "Draft", ""),
    }
    for text, (status, label, state) in states.items():
        wait_for(served, text, status)
        page.goto(delivery_page(served, text))
        badge = outcome(page).locator(".sq-badge")
        for _time in ("first", "reloaded"):
            expect(badge).to_have_count(1)
            expect(badge).to_have_text(label)
            expect(badge.locator("svg use")).to_have_count(1)
            page.reload()
        if state:
            go_to_the_job(page)
            expect(outcome(page).locator(".sq-badge")).to_have_text(state.capitalize())
    said = said_by_the_api(served, *states)
    assert said == {text: (status, state) for text, (status, _label, state) in states.items()}


def test_03_needs_review_offers_the_four_ways_to_settle_it(page: Page, served: Served) -> None:
    wait_for(served, "Settled by hand", "needs_review")
    page.goto(delivery_page(served, "Settled by hand"))
    expect(outcome(page)).to_contain_text("may already be live")
    for name in ("Mark as published…", "Check again…", "Retry…", "Cancel…"):
        expect(outcome(page).get_by_role("button", name=name)).to_be_enabled()
    page.get_by_role("button", name="Mark as published…").click()
    page.get_by_label("Link of the live post").fill("javascript:alert(1)")
    page.get_by_role("button", name="Yes, mark as published").click()
    expect(page.locator(".messagelist")).to_contain_text("is not the link of a post")
    page.goto(delivery_page(served, "Settled by hand"))
    page.get_by_role("button", name="Mark as published…").click()
    page.get_by_label("Link of the live post").fill("https://example.org/posts/7")
    page.get_by_role("button", name="Yes, mark as published").click()
    expect(outcome(page).get_by_text("Published", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="https://example.org/posts/7")).to_be_visible()


def test_04_retrying_it_asks_first_and_backing_out_sends_nothing(page: Page, served: Served) -> None:
    wait_for(served, "Sent twice?", "needs_review")
    count = "SELECT COUNT(*) FROM posts_outboxarrival WHERE mailbox = 'Twice'"
    page.goto(delivery_page(served, "Sent twice?"))
    outcome(page).get_by_role("button", name="Retry…").click()
    expect(page.get_by_text("could publish twice")).to_be_visible()
    page.get_by_role("link", name="No, go back").click()
    expect(outcome(page).locator(".sq-badge")).to_have_text("Needs review")
    assert served.site.sql(count) == [(1,)]
    outcome(page).get_by_role("button", name="Retry…").click()
    page.get_by_role("button", name="Yes, retry this one").click()
    served.site.wait_until(lambda: served.site.sql(count) == [(2,)])


def test_05_what_is_published_links_to_the_live_post(page: Page, served: Served) -> None:
    wait_for(served, "It went out", "published")
    page.goto(delivery_page(served, "It went out"))
    outcome(page).get_by_role("link", name="Open the live post").click()
    expect(page).to_have_url(re.compile("/outbox/"))
    expect(page.get_by_text("It went out")).to_be_visible()


def test_06_what_failed_says_what_why_and_the_next_step_and_no_token(
    page: Page, served: Served, receiver: FakeWebhook
) -> None:
    receiver.status, receiver.answers_with = 422, {"error": "No posts about bread", "token": BEARER}
    hook = {"url": receiver.hook, "secret": SECRET, "bearer": BEARER}
    seed(served, f"now('About bread', connect_account('webhook', {hook!r}, owner=None))")
    wait_for(served, "About bread", "failed")
    page.goto(delivery_page(served, "About bread"))
    facts = outcome(page)
    expect(facts.locator("dt", has_text="What Webhook said")).to_be_visible()
    expect(facts).to_contain_text("No posts about bread")
    expect(facts).to_contain_text("response 422")
    expect(facts.locator("dt", has_text="Next step")).to_have_count(1)
    expect(facts.locator("dt", has_text="Next step").locator("+ dd")).not_to_be_empty()
    go_to_the_job(page)
    for _page in ("job", "delivery"):
        assert BEARER not in page.content()
        assert SECRET not in page.content()
        page.goto(delivery_page(served, "About bread"))
    wait_for(served, "It is refused", "failed")
    page.goto(delivery_page(served, "It is refused"))
    expect(facts).to_contain_text("Outbox refused the post.")
    expect(facts).to_contain_text("this outbox account was told to answer so")
    expect(facts).to_contain_text("Change the post, then retry.")


def test_24_its_way_from_created_to_answered(page: Page, served: Served) -> None:
    wait_for(served, "It went out", "published")
    page.goto(delivery_page(served, "It went out"))
    for shown in ("delivery", "job"):
        steps = page.locator(".sq-course > li")
        expect(steps).to_have_text(
            [re.compile(f"^\\s*{name}") for name in ("Created", "Due", "Started", "Sent", "Answered")]
        )
        times = [steps.nth(place).locator("time").get_attribute("datetime") for place in range(5)]
        created, due, *moments = (str(time) for time in times)
        assert [created, *moments] == sorted([created, *moments])
        assert due <= moments[0]
        whole = page.locator(".sq-course-sum")
        expect(whole).to_contain_text("Attempt 1 of 3")
        expect(whole).to_contain_text(re.compile(r"Duration \d+(\.\d+)? m?s"))
        expect(whole).to_contain_text(re.compile(r"Worker \S+"))
        if shown == "delivery":
            go_to_the_job(page)
    page.goto(delivery_page(served, "Not ready"))
    expect(page.locator(".sq-course")).to_have_count(0)


def test_25_each_attempt_keeps_its_own_error_and_response(page: Page, served: Served, receiver: FakeWebhook) -> None:
    receiver.status, receiver.answers_with = 422, {"error": "First no"}
    hook = {"url": receiver.hook + "?second", "secret": SECRET, "bearer": BEARER}
    seed(served, f"now('Asked twice', connect_account('webhook', {hook!r}, owner=None))")
    wait_for(served, "Asked twice", "failed")
    receiver.status, receiver.answers_with = 413, {"error": "Then too large"}
    page.goto(delivery_page(served, "Asked twice"))
    page.get_by_role("button", name="Retry…").click()
    page.get_by_role("button", name="Yes, retry this one").click()
    attempts = page.locator(".sq-attempts > li")
    expect(attempts).to_have_count(2)  # without a reload by hand
    expect(attempts.nth(1)).to_contain_text("Response 413")
    expect(attempts.nth(0)).to_contain_text("First no")
    expect(attempts.nth(0)).to_contain_text("Response 422")
    expect(attempts.nth(1)).to_contain_text("Then too large")
    expect(attempts.nth(1)).not_to_contain_text("First no")


def test_26_what_waits_says_why_and_until_when(page: Page, served: Served) -> None:
    wait_for(served, "First of the day", "published")
    page.goto(delivery_page(served, "Second of the day"))
    expect(outcome(page)).to_contain_text(
        re.compile(r"Limited \(Outbox\) allows 1 a day; next free \d{4}-\d\d-\d\d \d\d:\d\d \(Europe/Berlin\)\.")
    )
    expect(outcome(page).locator("time")).to_contain_text("Europe/Berlin")


def test_27_cancelling_works_at_once_and_it_never_goes_out(page: Page, served: Served) -> None:
    seed(
        served,
        "first, second = Account.objects.filter(name__in=['Never', 'Good']).order_by('-name')\n"
        "scheduled('Cancelled in time', first), scheduled('Due right after', second)",
    )
    page.goto(delivery_page(served, "Cancelled in time"))
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Yes, cancel this one").click()
    expect(outcome(page).locator(".sq-badge")).to_have_text("Cancelled")
    # What is due right after it goes out, and it does not.
    make_due(served, "Never")
    make_due(served, "Good")
    wait_for(served, "Due right after", "published")
    assert status_of(served, "Cancelled in time") == "cancelled"
    assert served.site.sql("SELECT COUNT(*) FROM posts_outboxarrival WHERE mailbox = 'Never'") == [(0,)]
