"""Networks as a person meets them: what a network offers, options, threads, texts of an account; also on a phone, by
keyboard and without scripts. One site serves all tests; each has a network of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Served, open_context, open_served, sign_in
from tests.browser.looking import widths
from tests.browser.networks import ADD, AskingFacebook, AskingMastodon, connect, publish, write
from tests.posts.platforms.fake_facebook import CLIENT_ID, CLIENT_SECRET
from tests.site import Databases

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_networks")]

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
    env = {
        "SOCIALQ_ALLOW_PRIVATE_NETWORKS": "true",
        "SOCIALQ_FACEBOOK_CLIENT_ID": CLIENT_ID,
        "SOCIALQ_FACEBOOK_CLIENT_SECRET": CLIENT_SECRET,
        "SOCIALQ_FACEBOOK_API_BASE": facebook.url,
        "SOCIALQ_FACEBOOK_AUTH_BASE": facebook.url,
    }
    with open_served(site_databases, tmp_path_factory, "networks", env) as served:
        yield served


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


def test_a_server_that_is_none_is_said_beside_what_was_typed(page: Page) -> None:
    page.goto(f"{ADD}?platform=mastodon")
    page.get_by_label("Server").fill("http://127.0.0.1:9")
    page.get_by_role("button", name="Log in at Mastodon").click()
    expect(page.locator(".errorlist")).to_contain_text("nothing answers at that address and port")
    expect(page.locator(".errorlist")).not_to_contain_text("Errno")
    expect(page.get_by_label("Server")).to_have_value("http://127.0.0.1:9")


def test_chooses_among_several_pages(page: Page) -> None:
    page.goto(ADD)
    expect(page.locator(".sq-networks li", has_text="LinkedIn")).to_contain_text(
        "needs an app of this site there first"
    )
    expect(page.locator(".sq-networks li", has_text="Facebook")).not_to_contain_text("needs an app")
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
        for url in pages:
            page.goto(url)
            assert max(widths(page).values()) <= 360, url
        place = write(page, name, LONG)
        place.get_by_text("Options for Mastodon").click()
        place.get_by_label("Poll", exact=True).fill("One answer only")
        page.get_by_role("button", name="Publish now…").click()
        expect(place.get_by_label("Poll", exact=True)).to_have_attribute("aria-invalid", "true")
        assert max(widths(page).values()) <= 360


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


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until ``wanted`` has the focus."""
    expect(wanted).to_be_visible()
    for _press in range(120):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached by Tab")
