"""Accounts as a person meets them: how they stand, connecting and reconnecting, secrets, testing, disabling, deleting.
One site serves all tests; each has a network of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served, open_context, open_served, sign_in
from tests.browser.looking import widths
from tests.browser.networks import ADD, AskingMastodon, connect, leave_for_mastodon, name_at, publish, write
from tests.browser.seeding import make_due
from tests.site import Databases

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_accounts")]

LIST = "/admin/posts/account/"
SECRET = "xxxx-canary-yyyy"
END_LOGIN = """
from datetime import timedelta
from posts.jobs.upkeep import renew_logins
from posts.models import Account
from queue_app import clock
from queue_app.context import JobContext
from queue_app.models import Job
past = clock.now() - timedelta(minutes=1)
Account.objects.filter(name={name!r}).update(credentials_expire_at=past, renewable_until=past)
renew_logins(JobContext(Job(), "tests"))
"""


@pytest.fixture(scope="module")
def running(site_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A site that may reach this machine, and keeps to a limit of its own."""
    env = {"SOCIALQ_ALLOW_PRIVATE_NETWORKS": "true", "SOCIALQ_LIMITS": "account:*=25/15m"}
    with open_served(site_databases, tmp_path_factory, "accounts", env) as served:
        yield served


@pytest.fixture
def mastodon() -> Iterator[AskingMastodon]:
    with AskingMastodon() as network:
        yield network


@pytest.fixture
def served(running: Served, mastodon: AskingMastodon) -> Iterator[Served]:
    """The site; nothing may complain in the end."""
    fresh = Served(running.site, running.url, networks=[mastodon.url])
    yield fresh
    assert fresh.complaints == []


def log_in_again(page: Page) -> None:
    page.get_by_role("button", name="Log in at Mastodon").click()
    page.get_by_role("link", name="Authorise").click()


def schedule(page: Page, name: str, text: str, when: str = "2030-01-01T09:00") -> str:
    """Write and schedule a post; return its address."""
    write(page, name, text)
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.get_by_label("Goes out").fill(when)
    page.get_by_role("button", name="Schedule").click()
    expect(page.locator(".messagelist")).to_contain_text("is scheduled")
    return page.url


def wait_until_held(served: Served, name: str, number: int) -> None:
    """Wait until so many posts of the account have met what keeps them."""
    key = "'account:' || (SELECT id FROM posts_account WHERE name = %s)"
    count = f"SELECT COUNT(*) FROM queue_app_job WHERE parked_by = {key}"
    served.site.wait_until(lambda: served.site.sql(count, [name]) == [(number,)], 60)


def test_14_an_expired_account_is_marked_everywhere_and_each_mark_leads_to_reconnect(
    page: Page, mastodon: AskingMastodon, served: Served
) -> None:
    name = connect(page, mastodon)
    account = page.url
    post = schedule(page, name, "For an account that expires")
    served.site.do(END_LOGIN.format(name=name))
    page.goto("/admin/")
    marks = page.get_by_label("What needs attention")
    expect(marks).to_contain_text("must be reconnected")
    marks.get_by_role("link", name=re.compile(r"\baccount")).click()
    listed = page.locator("#result_list tr", has_text=name)
    expect(listed).to_contain_text("Access has ended")
    page.goto(post)
    page.locator("#deliveries").get_by_role("link", name=name).click()
    expect(page.locator("#delivery")).to_be_visible()
    delivery = page.url
    for url, place in ((LIST, f"#result_list tr:has-text('{name}')"), (account, "#content"), (post, "#deliveries")):
        page.goto(url)
        expect(page.locator(place)).to_contain_text("Access has ended")
        page.locator(place).get_by_role("link", name="Reconnect").click()
        expect(page.get_by_role("heading", name=f"Reconnect {name}")).to_be_visible()
    page.goto(delivery)
    expect(page.locator("#delivery")).to_contain_text("Access has ended")
    page.locator("#delivery").get_by_role("link", name="Reconnect").click()
    log_in_again(page)
    expect(page.locator(".messagelist")).to_contain_text("is connected again")
    page.goto(post)
    expect(page.locator("#deliveries")).not_to_contain_text("Access has ended")


def test_15_reconnecting_as_another_is_refused_by_name_and_as_the_same_keeps_all_posts(
    page: Page, mastodon: AskingMastodon
) -> None:
    name = connect(page, mastodon)
    account = page.url
    post = schedule(page, name, "Kept through it all")
    mastodon.username, mastodon.user_id = "mallory", "7"
    page.goto(account)
    page.get_by_role("link", name="Reconnect").click()
    expect(page.get_by_label("Server")).to_have_value(mastodon.url)
    log_in_again(page)
    refusal = page.locator(".messagelist .error")
    expect(refusal).to_contain_text(f"These credentials belong to {name_at(mastodon)}, but this account is {name}")
    expect(refusal).to_contain_text(f"connect {name_at(mastodon)} as an account of its own")
    expect(page.get_by_role("heading", name=f"Reconnect {name}")).to_be_visible()  # ready for the next try
    del mastodon.username, mastodon.user_id
    log_in_again(page)
    expect(page.locator(".messagelist")).to_contain_text(f"{name} (Mastodon) is connected again.")
    assert page.url == account
    expect(page.locator("#content")).to_contain_text("Kept through it all")
    page.goto(post)
    expect(page.locator("#deliveries")).to_contain_text("Scheduled")


def test_16_after_reconnecting_resume_held_posts_sends_them(
    page: Page, mastodon: AskingMastodon, served: Served
) -> None:
    name = connect(page, mastodon)
    account = page.url
    for text in ("First held", "Second held"):
        schedule(page, name, text)
    mastodon.grants.clear()  # the login was taken away at the server
    make_due(served, name)
    wait_until_held(served, name, 2)
    page.goto(account)
    expect(page.locator(".sq-held")).to_contain_text("2 posts are due and held. Reconnect first")
    page.get_by_role("link", name="Reconnect", exact=True).click()
    log_in_again(page)
    expect(page.locator(".messagelist")).to_contain_text("2 posts are held: look below, then resume them.")
    assert mastodon.accepted == []  # nothing goes out before somebody says so
    page.get_by_role("button", name="Resume 2 held posts").click()
    expect(page.locator(".messagelist")).to_contain_text("2 held posts go out now")
    expect(page.locator(".sq-health")).to_contain_text("Works")
    page.get_by_role("link", name="Its deliveries").click()
    for text in ("First held", "Second held"):
        page.locator("#result_list tr", has_text=text).get_by_role("link").first.click()
        expect(page.locator("#delivery")).to_contain_text("Published")
        page.go_back()
    assert sorted(post["text"] for post in mastodon.accepted) == ["First held", "Second held"]


def test_17_the_connect_page_shows_the_callback_url_to_copy_and_warns_where_the_browsers_differs(
    page: Page, browser: Browser, served: Served
) -> None:
    page.goto(f"{ADD}?platform=mastodon")
    callback = page.locator("#callback-url")
    expect(callback).to_have_text(f"{served.url}/admin/posts/account/callback/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == callback.text_content()
    expect(page.locator(".errornote")).to_have_count(0)
    other = served.url.replace("127.0.0.1", "localhost")
    with open_context(browser, Served(served.site, other, served.complaints)) as context:
        page = sign_in(context)
        page.goto(f"{ADD}?platform=mastodon")
        warning = page.locator(".errornote")
        expect(warning).to_contain_text(f"under another address: {other}")
        expect(warning).to_contain_text("SITE_URL")
        expect(warning.get_by_role("link", name=served.url)).to_have_attribute(
            "href", f"{served.url}{ADD}?platform=mastodon"
        )
        expect(page.locator("#callback-url")).to_contain_text(served.url)


def test_18_refusing_consent_comes_back_to_the_list_with_a_message(
    page: Page, mastodon: AskingMastodon, served: Served
) -> None:
    before = served.site.sql("SELECT COUNT(*) FROM posts_account")
    leave_for_mastodon(page, mastodon)
    page.get_by_role("link", name="Deny").click()
    expect(page).to_have_url(f"{served.url}{LIST}")
    refusal = page.locator(".messagelist .error")
    expect(refusal).to_contain_text(
        "The login at Mastodon was not allowed on the network's page; nothing was connected."
    )
    expect(refusal).to_contain_text("Not today")
    assert served.site.sql("SELECT COUNT(*) FROM posts_account") == before


def test_33_secrets_are_masked_and_a_new_api_key_is_shown_once(
    page: Page, mastodon: AskingMastodon, served: Served
) -> None:
    page.goto(f"{ADD}?platform=bluesky")
    page.get_by_label("Handle").fill("ada.example")
    page.get_by_label("App password").fill(SECRET)
    page.get_by_label("Server").fill("http://127.0.0.1:9")
    page.get_by_role("button", name="Connect").click()
    expect(page.locator(".errorlist")).to_contain_text("nothing answers at that address and port")
    expect(page.get_by_label("Handle")).to_have_value("ada.example")
    expect(page.get_by_label("App password")).to_have_value("")
    expect(page.get_by_label("App password")).to_have_attribute("type", "password")
    assert SECRET not in page.content()
    connect(page, mastodon)
    expect(page.locator(".sq-facts")).to_contain_text("•••••••• stored encrypted, never shown")
    account = page.url
    for url in (account, LIST, account.replace("change", "reconnect"), account.replace("change", "history")):
        page.goto(url)
        assert not any(token in page.content() for token in mastodon.grants)
    shows_a_new_key_once(page, served)


def shows_a_new_key_once(page: Page, served: Served) -> None:
    page.goto("/admin/queue_app/apikey/")
    page.get_by_role("link", name="Add API key").click()
    page.get_by_label("Name").fill("Reports at night")
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator(".sq-warning")).to_contain_text("it is shown this once")
    key = page.locator("#new-secret").inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key
    header = {"Authorization": f"Bearer {key}"}
    # The demo post, which the worker sends on its own time.
    served.site.wait_until(lambda: page.request.get("/api/posts/1", headers=header).json()["label"] == "Published")
    page.reload()
    expect(page.locator(".messagelist")).to_contain_text("was shown once")
    expect(page.get_by_role("heading", name="Reports at night")).to_be_visible()
    assert key not in page.content()
    assert served.site.sql("SELECT COUNT(*) FROM queue_app_apikey WHERE name = 'Reports at night'") == [(1,)]
    page.goto("/admin/queue_app/apikey/")
    assert key not in page.content()
    page.get_by_role("link", name="Reports at night").click()
    page.get_by_role("button", name="Revoke…").click()
    page.get_by_role("button", name="Yes, revoke this one").click()
    expect(page.locator(".sq-facts")).to_contain_text("Revoked")
    assert page.request.get("/api/posts/1", headers=header).status == 401


def test_53_test_connection_reports_identity_scopes_and_expiry_and_posts_nothing(
    page: Page, mastodon: AskingMastodon
) -> None:
    name = connect(page, mastodon)
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator(".messagelist")).to_contain_text(f"it is {name}; access does not end; granted: read:accounts")
    expect(page.locator(".messagelist")).to_contain_text("Nothing was posted.")
    expect(page.locator("dt:text-is('Granted') + dd")).to_contain_text("write:statuses")
    expect(page.locator("dt:text-is('Tested') + dd")).not_to_contain_text("not yet")
    page.goto(LIST)
    page.locator("#result_list tr", has_text=name).get_by_role("button", name="Test").click()
    expect(page.locator(".messagelist")).to_contain_text(f"it is {name}")
    assert mastodon.accepted == []
    page.locator("#result_list").get_by_role("link", name=name).click()
    page.locator(".object-tools").get_by_role("link", name="History").click()
    expect(page.locator("#change-history")).to_contain_text("Tested: it is")


def test_54_disable_keeps_the_history_and_holds_posts_and_delete_lists_what_is_affected_first(
    page: Page, mastodon: AskingMastodon, served: Served
) -> None:
    name = connect(page, mastodon)
    account = page.url
    write(page, name, "Went out before")
    publish(page)
    expect(page.locator("#deliveries")).to_contain_text("Published")
    went_out = page.url
    waits = schedule(page, name, "Due while it is disabled")
    page.goto(account)
    page.get_by_role("button", name="Disable…").click()
    page.get_by_role("button", name="Yes, disable this one").click()
    expect(page.locator(".sq-health")).to_contain_text("Disabled")
    make_due(served, name)
    page.goto(waits)
    expect(page.locator("#deliveries")).to_contain_text(f"{name} on Mastodon is disabled")
    wait_until_held(served, name, 1)
    assert len(mastodon.accepted) == 1
    page.goto(went_out)
    expect(page.locator("#deliveries")).to_contain_text("Published")  # the history stays
    page.goto(account)
    page.get_by_role("button", name="Delete…").click()
    expect(page.locator("#content")).to_contain_text(
        "2 posts went out to it or will; disable it, or delete those first"
    )
    expect(page.get_by_role("link", name="“Went out before”: published")).to_be_visible()
    expect(page.get_by_role("button", name="Yes, delete")).to_have_count(0)
    deletes_after_naming_the_drafts(page)


def deletes_after_naming_the_drafts(page: Page) -> None:
    page.goto(f"{ADD}?platform=outbox")
    page.get_by_label("Name").fill("Only drafts")
    page.get_by_role("button", name="Connect").click()
    expect(page.locator(".messagelist")).to_contain_text("is connected")
    account = page.url
    write(page, "Only drafts", "Only begun")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    page.goto(account)
    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("link", name="“Only begun”: taken off this draft")).to_be_visible()
    expect(page.locator(".sq-warning")).to_contain_text("Its credentials are deleted. 1 draft loses it.")
    page.get_by_role("button", name="Yes, delete this one").click()
    expect(page.locator(".messagelist")).to_contain_text("1 account deleted")
    expect(page.locator("#content")).not_to_contain_text("Only drafts")


def test_the_page_tells_what_the_limits_take_now_and_at_a_time(page: Page, mastodon: AskingMastodon) -> None:
    name = connect(page, mastodon)
    account = page.url
    write(page, name, "Takes a place")
    publish(page)
    expect(page.locator("#deliveries")).to_contain_text("Published")
    for minute in (0, 5):
        schedule(page, name, f"Planned at {minute}", f"2030-01-01T09:0{minute}")
    page.goto(account)
    limits = page.locator("#capacity")
    expect(limits).to_contain_text("24 of 25 left in 15 minutes; next free")
    expect(limits).to_contain_text("299 of 300 left in 3 hours; next free")
    page.get_by_label("Look at another time").fill("2030-01-01T09:07")
    page.get_by_role("button", name="Look").click()
    expect(limits).to_contain_text("At 2030-01-01 09:07 Europe/Berlin")
    expect(limits).to_contain_text("23 of 25 left in 15 minutes; next free 2030-01-01 09:15")
    expect(limits).to_contain_text("2 scheduled posts take places until then.")
    expect(page).to_have_url(re.compile("at=2030"))
    page.reload()
    expect(limits).to_contain_text("23 of 25 left")


def test_the_list_and_a_page_fit_a_phone_in_light_and_dark(browser: Browser, served: Served) -> None:
    with open_context(browser, served, width=360) as context:
        page = sign_in(context)
        for url in (LIST, f"{LIST}1/change/", ADD, "/admin/queue_app/apikey/", "/admin/queue_app/apikey/add/"):
            page.goto(url)
            assert max(widths(page).values()) <= 360, url
