"""Networks as a person meets them: connecting in the browser, options, threads, texts of an account; also on a phone,
by keyboard and without scripts. One site serves all tests; each has a network of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import Served, open_context, serve, sign_in
from tests.browser.networks import AskingFacebook, AskingMastodon
from tests.posts.platforms.fake_facebook import CLIENT_ID, CLIENT_SECRET
from tests.site import Databases, open_site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ADD = "/admin/posts/account/add/"
LONG = "One sentence that says a little, and then a little more. " * 20


@pytest.fixture(scope="module")
def facebook() -> Iterator[AskingFacebook]:
    with AskingFacebook() as network:
        yield network


@pytest.fixture(scope="module")
def running(
    site_databases: Databases, tmp_path_factory: pytest.TempPathFactory, facebook: AskingFacebook
) -> Iterator[Served]:
    """A site that may reach this machine and has an app at Facebook."""
    folder = tmp_path_factory.mktemp("networks")
    with open_site(site_databases, f"site_{uuid.uuid4().hex[:12]}", folder) as site:
        site.env |= {
            "SOCIALQ_ALLOW_PRIVATE_NETWORKS": "true",
            "SOCIALQ_FACEBOOK_CLIENT_ID": CLIENT_ID,
            "SOCIALQ_FACEBOOK_CLIENT_SECRET": CLIENT_SECRET,
            "SOCIALQ_FACEBOOK_API_BASE": facebook.url,
            "SOCIALQ_FACEBOOK_AUTH_BASE": facebook.url,
        }
        yield serve(site)


@pytest.fixture
def mastodon() -> Iterator[AskingMastodon]:
    with AskingMastodon() as network:
        yield network


@pytest.fixture
def served(running: Served, mastodon: AskingMastodon, facebook: AskingFacebook) -> Iterator[Served]:
    """The site; nothing may complain in the end."""
    fresh = Served(running.site, running.url, networks=[mastodon.url, facebook.url])
    yield fresh
    assert fresh.complaints == []


@pytest.fixture
def context(browser: Browser, served: Served) -> Iterator[BrowserContext]:
    with open_context(browser, served) as opened:
        yield opened


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return sign_in(context)


def leave_for_mastodon(page: Page, mastodon: AskingMastodon) -> None:
    page.goto(ADD)
    page.get_by_role("link", name="Mastodon").click()
    page.get_by_label("Server").fill(mastodon.url)
    page.get_by_role("button", name="Log in at Mastodon").click()
    expect(page.get_by_role("heading", name="Mastodon", exact=True)).to_be_visible()  # the network's own page


def connect(page: Page, mastodon: AskingMastodon) -> str:
    """Connect alice at this server; return the account's name."""
    leave_for_mastodon(page, mastodon)
    page.get_by_role("link", name="Authorise").click()
    expect(page.locator(".messagelist")).to_contain_text("is connected; now it can be posted to")
    return f"@{mastodon.username}@{mastodon.url.removeprefix('http://')}"


def write(page: Page, name: str, text: str) -> Any:
    """Open the composer, write for one account; return its part of the page."""
    page.goto("/admin/posts/post/add/")
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("checkbox", name=name).check()
    return page.locator(".sq-choice", has=page.get_by_role("checkbox", name=name))


def publish(page: Page) -> None:
    page.get_by_role("button", name="Publish now…").click()
    page.get_by_role("button", name="Yes, publish now").click()


def test_connects_in_the_browser_after_refusing_once(page: Page, mastodon: AskingMastodon, served: Served) -> None:
    page.goto(f"{ADD}?platform=mastodon")
    callback = page.locator("#callback-url")
    expect(callback).to_have_text(f"{served.url}/admin/posts/account/callback/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == callback.text_content()
    expect(page.locator(".errornote")).to_have_count(0)
    leave_for_mastodon(page, mastodon)
    page.get_by_role("link", name="Deny").click()
    expect(page).to_have_url(f"{served.url}/admin/posts/account/")
    expect(page.locator(".messagelist .error")).to_contain_text("Mastodon")
    name = connect(page, mastodon)
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator(".sq-facts")).to_contain_text("Connected")
    page.get_by_role("button", name="Test connection").click()
    page.get_by_role("button", name="Yes, test connection this one").click()
    expect(page.locator(".messagelist")).to_contain_text(f"it is {name}; access does not end; granted: read:accounts")
    assert mastodon.accepted == []
    page.get_by_role("link", name="History").click()
    expect(page.locator("#change-history")).to_contain_text("Tested: it is")


def test_warns_where_the_login_would_come_back_to_another_address(browser: Browser, served: Served) -> None:
    other = served.url.replace("127.0.0.1", "localhost")
    with open_context(browser, Served(served.site, other, served.complaints)) as context:
        page = sign_in(context)
        page.goto(f"{ADD}?platform=mastodon")
        expect(page.locator(".errornote")).to_contain_text("under another address")
        expect(page.locator("#callback-url")).to_contain_text(served.url)


def test_a_server_that_is_none_is_said_beside_what_was_typed(page: Page) -> None:
    page.goto(f"{ADD}?platform=mastodon")
    page.get_by_label("Server").fill("http://127.0.0.1:9")
    page.get_by_role("button", name="Log in at Mastodon").click()
    expect(page.locator(".errorlist")).to_contain_text("did not accept a connection")
    expect(page.get_by_label("Server")).to_have_value("http://127.0.0.1:9")


def test_chooses_among_several_pages(page: Page) -> None:
    page.goto(ADD)
    expect(page.locator(".sq-rows li", has_text="LinkedIn")).to_contain_text("needs an app of this site there first")
    expect(page.locator(".sq-rows li", has_text="Facebook")).not_to_contain_text("needs an app")
    page.get_by_role("link", name="Facebook").click()
    page.get_by_role("button", name="Log in at Facebook").click()
    page.get_by_role("link", name="Authorise").click()
    expect(page.get_by_role("heading", name="What should be connected?")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(2)
    page.get_by_role("button", name="Connect").click()
    expect(page.locator(".errorlist")).to_be_visible()  # nothing was ticked
    page.get_by_role("checkbox", name="Bakery").check()
    page.get_by_role("button", name="Connect").click()
    expect(page.locator(".messagelist")).to_contain_text("Connected: Bakery")
    expect(page.locator("#result_list")).not_to_contain_text("Metricsaurus")
    page.goto(f"{ADD}?platform=facebook")
    page.get_by_role("button", name="Log in at Facebook").click()
    page.get_by_role("link", name="Authorise").click()
    expect(page.get_by_label("Bakery (connected already)")).to_be_visible()


def test_reconnects_the_same_and_refuses_another_by_name(page: Page, mastodon: AskingMastodon, served: Served) -> None:
    name = connect(page, mastodon)
    account = page.url
    mastodon.grants.clear()  # the login was taken away at the server
    write(page, name, "Waits for a new login")
    publish(page)
    expect(page.locator("#deliveries")).to_contain_text(f"Waits until {name} on Mastodon is reconnected")
    post = page.url
    page.goto("/admin/posts/account/")
    expect(page.locator("#result_list tr", has_text=name)).to_contain_text("Must be reconnected")
    page.goto(account)
    mastodon.username, mastodon.user_id = "mallory", "7"
    page.get_by_role("link", name="Reconnect").click()
    expect(page.get_by_label("Server")).to_have_value(mastodon.url)
    page.get_by_role("button", name="Log in at Mastodon").click()
    page.get_by_role("link", name="Authorise").click()
    expect(page.locator(".messagelist .error")).to_contain_text(
        f"These credentials belong to @mallory@{mastodon.url[7:]}, but this account is {name}."
    )
    assert mastodon.accepted == []
    del mastodon.username, mastodon.user_id
    page.goto(account)
    page.get_by_role("link", name="Reconnect").click()
    page.get_by_role("button", name="Log in at Mastodon").click()
    page.get_by_role("link", name="Authorise").click()
    expect(page.locator(".messagelist")).to_contain_text("is connected again; what waited for it goes out")
    page.goto(post)
    expect(page.locator("#deliveries")).to_contain_text("Published")
    assert [post["text"] for post in mastodon.accepted] == ["Waits for a new login"]


def test_options_reach_the_network_and_bad_ones_are_said_beside_the_account(
    page: Page, mastodon: AskingMastodon, served: Served
) -> None:
    name = connect(page, mastodon)
    place = write(page, name, "With a warning")
    place.get_by_text("Options for Mastodon").click()
    place.get_by_label("Visibility").select_option("Quiet public")
    place.get_by_label("Content warning").fill("Spoilers")
    expect(page.locator("#counters")).to_contain_text(f"{name}: 22 of 500 characters")  # the warning counts, too
    place.get_by_label("Poll", exact=True).fill("Only one answer")
    page.get_by_role("button", name="Publish now…").click()
    expect(place.locator(".errorlist")).to_contain_text(name)
    expect(place.get_by_label("Content warning")).to_have_value("Spoilers")
    assert served.site.sql("SELECT COUNT(*) FROM posts_post WHERE text = 'With a warning'") == [(0,)]
    place.get_by_label("Poll", exact=True).fill("")
    publish(page)
    expect(page.locator("#deliveries")).to_contain_text("Published")
    asked = mastodon.accepted[0]["asked"]
    assert (asked["visibility"], asked["spoiler_text"], "poll" in asked) == ("unlisted", "Spoilers", False)
    page.locator("#deliveries").get_by_role("link", name=name).click()
    expect(page.locator(".sq-facts")).to_contain_text("Visibility: Quiet public")
    expect(page.locator(".sq-facts")).to_contain_text("Content warning: Spoilers")


def test_a_long_text_goes_out_in_parts_with_a_comment_below(page: Page, mastodon: AskingMastodon) -> None:
    name = connect(page, mastodon)
    place = write(page, name, LONG)
    expect(place).to_contain_text("threads, first comment")
    expect(page.locator("#counters .sq-over")).to_contain_text("too many")
    page.get_by_label("Long text").select_option("A thread, its parts numbered")
    expect(page.locator("#counters .sq-over")).to_have_count(0)
    page.get_by_label("First comment").fill("And here is the link")
    publish(page)
    expect(page.locator("#deliveries")).to_contain_text("Published")
    said = [each["text"] for each in mastodon.accepted]
    assert len(said) == 4
    assert all(text.endswith(f"({place}/3)") for place, text in enumerate(said[:3], 1))
    assert said[3] == "And here is the link"
    page.locator("#deliveries").get_by_role("link", name=name).click()
    parts = page.locator(".sq-parts").get_by_role("link")
    expect(parts).to_have_count(4)
    expect(page.locator(".sq-parts li").last).to_contain_text("(first comment)")
    expect(parts.first).to_have_attribute("href", f"https://fake.example/@alice/{mastodon.accepted[0]['status']}")


def test_texts_of_an_account_are_counted_and_go_out(page: Page, mastodon: AskingMastodon) -> None:
    name = connect(page, mastodon)
    page.locator("dd", has_text="No signature").get_by_role("link", name="Change the texts").click()
    page.get_by_label("Variables").fill("shop")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".errorlist")).to_contain_text("“shop” is not name=value.")
    page.get_by_label("Variables").fill("shop=Corner Shop")
    page.get_by_label("Signature").fill("– the {shop}")
    page.get_by_label("utm_source").fill("social")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".sq-facts")).to_contain_text("1 variable")
    write(page, name, "From {shop}")
    expect(page.locator("#counters")).to_contain_text(f"{name}: 35 of 500 characters")  # with the signature
    page.get_by_label("Text", exact=True).fill("From {shop} https://example.com/a")
    expect(page.locator("#counters")).to_contain_text(f"{name}: 59 of 500 characters")  # a link counts 23
    publish(page)
    expect(page.locator("#deliveries")).to_contain_text("Published")
    assert [each["text"] for each in mastodon.accepted] == [
        "From Corner Shop https://example.com/a?utm_source=social\n\n– the Corner Shop"
    ]


def test_connects_and_schedules_with_an_option_without_scripts(
    browser: Browser, served: Served, mastodon: AskingMastodon
) -> None:
    with open_context(browser, served, width=360, scripts=False) as context:
        page = sign_in(context)
        page.goto(f"{ADD}?platform=mastodon")
        page.get_by_label("Server").fill(mastodon.url)
        page.get_by_role("button", name="Log in at Mastodon").click()
        page.get_by_role("link", name="Continue to Mastodon").click()
        page.get_by_role("link", name="Authorise").click()
        expect(page.locator(".messagelist")).to_contain_text("is connected")
        place = write(page, f"@alice@{mastodon.url.removeprefix('http://')}", "Without scripts")
        place.get_by_text("Options for Mastodon").click()
        place.get_by_label("Visibility").select_option("Followers only")
        page.get_by_label("Goes out").fill("2030-01-01T09:00")
        page.get_by_role("button", name="Schedule").click()
        expect(page.locator(".messagelist")).to_contain_text("is scheduled")
        expect(place.get_by_label("Visibility")).to_be_visible()  # what was chosen is not folded away
        expect(place.get_by_label("Visibility")).to_have_value("private")


def test_deletion_names_the_drafts_first(page: Page, mastodon: AskingMastodon) -> None:
    name = connect(page, mastodon)
    account = page.url
    write(page, name, "Only begun")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    page.goto(account)
    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("link", name="“Only begun”: taken off this draft")).to_be_visible()
    page.get_by_role("button", name="Yes, delete this one").click()
    expect(page.locator(".messagelist")).to_contain_text("1 account deleted")
    expect(page.locator("#content")).not_to_contain_text(name)


def test_fits_a_phone_in_light_and_dark(browser: Browser, served: Served, mastodon: AskingMastodon) -> None:
    with open_context(browser, served, width=360) as context:
        page = sign_in(context)
        name = connect(page, mastodon)
        account = page.url
        page.goto(f"{ADD}?platform=facebook")
        page.get_by_role("button", name="Log in at Facebook").click()
        page.get_by_role("link", name="Authorise").click()
        expect(page.get_by_role("heading", name="What should be connected?")).to_be_visible()
        pages = [page.url, ADD, f"{ADD}?platform=mastodon", f"{ADD}?platform=facebook", account]
        pages += [account.replace("change", own) for own in ("texts", "reconnect")]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            for url in pages:
                page.goto(url)
                assert width(page) <= 360, (scheme, url)
            place = write(page, name, LONG)
            place.get_by_text("Options for Mastodon").click()
            place.get_by_label("Poll", exact=True).fill("One answer only")
            page.get_by_role("button", name="Publish now…").click()
            expect(place.get_by_label("Poll", exact=True)).to_have_attribute("aria-invalid", "true")
            assert width(page) <= 360, scheme


def test_connects_and_chooses_an_option_by_keyboard(page: Page, mastodon: AskingMastodon) -> None:
    page.goto(ADD)
    tab_to(page, page.get_by_role("link", name="Mastodon"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("Server"))
    page.keyboard.type(mastodon.url)
    tab_to(page, page.get_by_role("button", name="Log in at Mastodon"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Authorise"))
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("is connected")
    page.goto("/admin/posts/post/add/")
    box = page.get_by_role("checkbox", name=mastodon.url.removeprefix("http://"))
    place = page.locator(".sq-choice", has=box)
    tab_to(page, page.get_by_label("Text", exact=True))
    page.keyboard.type("By keyboard")
    tab_to(page, box)
    page.keyboard.press("Space")
    tab_to(page, place.locator("summary", has_text="Options for Mastodon"))
    page.keyboard.press("Enter")
    tab_to(page, place.get_by_label("Visibility"))
    page.keyboard.type("Quiet")
    tab_to(page, page.get_by_role("button", name="Save draft"))
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    expect(place.get_by_label("Visibility")).to_have_value("unlisted")


def width(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until ``wanted`` has the focus."""
    expect(wanted).to_be_visible()
    for _press in range(120):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached by Tab")
