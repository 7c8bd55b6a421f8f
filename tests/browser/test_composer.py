"""The composer, as a person meets it: previews, counters, warnings, conflicts, and text that is never lost."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, expect

from posts.platforms.bluesky import Bluesky
from posts.platforms.mastodon import Mastodon
from posts.platforms.x import X
from posts.publishing.capabilities import TextLimit
from posts.text.counting import count
from tests.browser.conftest import PASSWORD, Served, open_context, open_served, sign_in
from tests.site import Databases

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_composer")]

ADD = "/admin/posts/post/add/"
ZONE = "Asia/Kathmandu"  # whose clocks never jump: an hour from now there is always such a time, and one
BLUESKY, X_NAME, MASTODON, INSTAGRAM = "@ada.example.com", "Ada on X", "@ada@social.example", "ada.bakes"
MAKE_ACCOUNTS = f"""
from posts.models import Account
from posts.services.accounts import connect_account
connect_account("outbox", {{"name": "Second"}})
for name, platform in (
    ({BLUESKY!r}, "bluesky"), ({X_NAME!r}, "x"), ({MASTODON!r}, "mastodon"), ({INSTAGRAM!r}, "instagram"),
):
    Account.objects.create(name=name, platform=platform, identity_id=name)
"""


@pytest.fixture(scope="module")
def running(site_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with open_served(site_databases, tmp_path_factory, "composer") as served:
        served.site.do(MAKE_ACCOUNTS)
        yield served


def text_of(page: Page) -> Locator:
    return page.get_by_label("Text", exact=True)


def write(page: Page, text: str, *accounts: str) -> None:
    page.goto(ADD)
    text_of(page).fill(text)
    for name in accounts:
        page.get_by_role("checkbox", name=name).check()


def choice(page: Page, name: str) -> Locator:
    """Return the account's part of the form."""
    return page.locator(".sq-choice", has=page.get_by_role("checkbox", name=name))


def preview(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=f"{name} on ")


def set_time(page: Page, **ahead: float) -> None:
    moment = (datetime.now(ZoneInfo(ZONE)) + timedelta(**ahead)).replace(tzinfo=None)
    page.get_by_label("Time zone").select_option(ZONE)
    page.get_by_label("Goes out").fill(moment.isoformat(timespec="minutes"))


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def stored(served: Served, text: str) -> list[tuple[str]]:
    """Return the states of the posts with ``text``."""
    return served.site.sql("SELECT status FROM posts_post WHERE text = %s", [text])


def test_08_an_invalid_post_is_refused_beside_its_account_and_nothing_is_scheduled(page: Page, served: Served) -> None:
    text = f"{uuid.uuid4()} " + "x" * 300
    write(page, text, BLUESKY, "Demo")
    expect(choice(page, BLUESKY).locator(".errorlist")).to_contain_text("characters, the limit is 300")  # while typing
    set_time(page, hours=1)
    press(page, "Schedule")
    expect(page.locator(".errornote")).to_contain_text("Nothing was saved")
    expect(choice(page, BLUESKY).locator(".errorlist")).to_contain_text(
        f"{BLUESKY} on Bluesky: text has 337 characters"
    )
    expect(choice(page, "Demo").locator(".errorlist")).to_have_count(0)
    expect(text_of(page)).to_have_value(text)
    assert stored(served, text) == []
    page.get_by_role("checkbox", name=BLUESKY).uncheck()
    press(page, "Schedule")
    expect(page.locator(".messagelist")).to_contain_text("is scheduled")
    assert stored(served, text) == [("scheduled",)]


def test_09_a_double_click_and_going_back_make_one_post(page: Page, served: Served) -> None:
    text = f"Once {uuid.uuid4()}"
    write(page, text, "Demo")
    set_time(page, hours=1)
    page.get_by_role("button", name="Schedule", exact=True).dblclick()
    expect(page.locator("#deliveries")).to_contain_text("Scheduled")
    assert stored(served, text) == [("scheduled",)]
    page.go_back()
    expect(text_of(page)).to_be_visible()
    if text_of(page).input_value() == text:  # a browser that shows the old form again may send it again
        page.get_by_role("button", name="Schedule", exact=True).click()
        expect(page.locator(".messagelist")).to_contain_text("taken already")
    assert stored(served, text) == [("scheduled",)]


def test_28_what_is_being_sent_is_not_edited_and_two_tabs_see_a_conflict(
    context: BrowserContext, page: Page, served: Served
) -> None:
    text = f"Two tabs {uuid.uuid4()}"
    write(page, text, "Demo")
    press(page, "Save draft")
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    other = context.new_page()
    other.goto(page.url)
    text_of(other).fill(f"{text} – theirs")
    other.get_by_role("checkbox", name="Second").check()
    other.get_by_role("button", name="Save draft", exact=True).click()
    expect(other.locator(".messagelist")).to_contain_text("is saved")
    text_of(page).fill(f"{text} – mine")
    press(page, "Save draft")
    conflict = page.get_by_role("region", name="This post was saved while you were writing")
    expect(conflict).to_contain_text("admin saved it last")
    expect(conflict.get_by_role("row", name="Text")).to_contain_text("– mine")
    expect(conflict.get_by_role("row", name="Text")).to_contain_text("– theirs")
    expect(conflict.get_by_role("row", name="Accounts")).to_contain_text("Second")
    expect(text_of(page)).to_have_value(f"{text} – mine")
    assert stored(served, f"{text} – theirs") == [("draft",)]
    press(page, "Take the other")
    expect(text_of(page)).to_have_value(f"{text} – theirs")
    expect(page.get_by_role("region", name="What you had typed")).to_contain_text(f"{text} – mine")
    text_of(page).fill(f"{text} – both")
    press(page, "Save draft")
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    text_of(other).fill(f"{text} – last")
    other.get_by_role("button", name="Save draft", exact=True).click()
    other.get_by_role("button", name="Keep mine and save it").click()
    expect(other.locator(".messagelist")).to_contain_text("is saved")
    assert stored(served, f"{text} – last") == [("draft",)]
    served.site.sql(
        "UPDATE posts_delivery SET status = 'publishing' WHERE post_id = (SELECT id FROM posts_post WHERE text = %s)",
        [f"{text} – last"],
    )
    text_of(other).fill(f"{text} – too late")
    other.get_by_role("button", name="Save draft", exact=True).click()
    expect(other.get_by_text("cannot be changed any more")).to_be_visible()
    expect(other.get_by_label("Text", exact=True)).to_have_value(f"{text} – too late")  # to be copied
    assert stored(served, f"{text} – too late") == []


def test_29_a_draft_never_publishes(page: Page, served: Served) -> None:
    text, marker = f"Draft {uuid.uuid4()}", f"Out {uuid.uuid4()}"
    write(page, text, "Demo")
    set_time(page, minutes=-1)
    press(page, "Save draft")
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    write(page, marker, "Demo")  # published later than the draft's time, on the same account
    press(page, "Publish now…")
    press(page, "Yes, publish now")
    expect(page.locator("#deliveries")).to_contain_text("Published")
    assert stored(served, text) == [("draft",)]
    assert served.site.sql("SELECT COUNT(*) FROM posts_outboxpost WHERE text = %s", [text]) == [(0,)]
    query = "SELECT COUNT(job_id) FROM posts_delivery JOIN posts_post ON posts_post.id = post_id WHERE text = %s"
    assert served.site.sql(query, [text]) == [(0,)]


def test_30_publish_now_asks_once_and_reaches_its_end_without_a_reload(page: Page, served: Served) -> None:
    text = f"At once {uuid.uuid4()}"
    write(page, text, "Demo")
    press(page, "Publish now…")
    dialog = page.get_by_role("alertdialog", name="Publish now?")
    expect(dialog).to_contain_text("Demo")
    expect(dialog).to_contain_text("cannot be taken back")
    dialog.get_by_role("button", name="No, go back").click()
    expect(dialog).to_have_count(0)
    expect(text_of(page)).to_have_value(text)
    assert stored(served, text) == []
    press(page, "Publish now…")
    dialog.get_by_role("button", name="Yes, publish now").click()
    expect(page.locator("#deliveries")).to_contain_text("Published")
    expect(page.get_by_role("link", name="Open the live post")).to_be_visible()
    assert stored(served, text) == [("published",)]


COUNTED = [
    "A family 👩‍👩‍👧‍👦 and two flags 🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "Combining e\u0301 n\u0303 क्षि ก็ and 👍🏽",
    "https://example.com/a/very/long/way?with=a&query=too and example.org, done. 見て例え.みんな",
    "@ada@social.example says hi",
]


def tightest(text: str, limits: tuple[TextLimit, ...]) -> tuple[int, int]:
    found = [(count(text, limit.unit, limit.link_length), limit.maximum) for limit in limits]
    return max(found, key=lambda each: each[0] / each[1])


def test_31_the_live_counter_of_each_account_equals_the_servers_and_is_red_over_the_limit(page: Page) -> None:
    limits = {
        BLUESKY: Bluesky().capabilities_for({}).text,
        X_NAME: X().capabilities_for({}).text,
        MASTODON: Mastodon().capabilities_for({}).text,
    }
    write(page, "", *limits)
    counters = page.locator("#counters li")
    for text in [*COUNTED, "👩‍👩‍👧" * 290]:
        text_of(page).fill(text)
        for name, known in limits.items():
            length, most = tightest(text, known)
            line = counters.filter(has_text=f"{name}:")
            expect(line).to_contain_text(f"{name}: {length} of {most}")  # counted in the browser
            expect(preview(page, name).locator(".sq-length")).to_have_text(
                f"{length} / {most}"
            )  # counted by the server
    over = counters.filter(has_text=f"{BLUESKY}:")
    expect(over).to_contain_text("too many")
    quiet, red = (
        counters.filter(has_text=f"{name}:").evaluate("e => getComputedStyle(e).color") for name in (MASTODON, BLUESKY)
    )
    assert quiet != red
    assert int(red[4:].partition(",")[0]) > 150
    text_of(page).fill("Short")
    expect(page.locator("#counters .sq-over")).to_have_count(0)
    place = choice(page, BLUESKY)
    place.get_by_text("Own text for this account").click()
    place.get_by_label(f"Own text for {BLUESKY}").fill("👍🏽 e\u0301")
    expect(place.locator(".sq-counters li")).to_have_text(f"{BLUESKY}: 3 of 300 characters")
    page.get_by_label("First comment").fill("🇩🇪🇩🇪")
    expect(page.locator("#comment-counters")).to_contain_text(f"{X_NAME}: 4 of 280 characters")
    expect(page.locator("#comment-counters")).to_contain_text(f"{BLUESKY}: 2 of 300 characters")


HOSTILE = '<script>window.hacked = 1</script><img src=x onerror="window.hacked=1"> {{ 7|add:7 }} \u202ereversed'


def test_45_a_preview_for_each_platform_shows_lines_links_parts_and_keeps_hostile_text_as_text(page: Page) -> None:
    write(page, "One\nTwo https://a.example/way #bread @ada.example.com", BLUESKY, INSTAGRAM, MASTODON)
    bluesky, instagram, mastodon = (preview(page, name) for name in (BLUESKY, INSTAGRAM, MASTODON))
    expect(bluesky.locator(".sq-preview-text")).to_have_text("One\nTwo https://a.example/way #bread @ada.example.com")
    expect(bluesky.locator(".sq-preview-text")).to_have_text(re.compile("^One\n"), use_inner_text=True)
    expect(bluesky.locator(".sq-marked")).to_have_text(["https://a.example/way", "#bread", "@ada.example.com"])
    expect(instagram.locator(".sq-marked")).to_have_text(["#bread", "@ada.example.com"])  # no links in captions there
    expect(instagram.locator(".sq-length")).to_have_text("53 / 2200")
    text_of(page).fill("First part.\n---\n" + "One sentence that says a little. " * 12)
    page.get_by_label("Long text").select_option("numbered")
    expect(bluesky).to_contain_text("3 parts")
    expect(bluesky.locator(".sq-preview-text").first).to_have_text("First part. (1/3)")
    expect(mastodon).to_contain_text("Part 2 of 2")
    expect(instagram).not_to_contain_text("parts")
    page.get_by_label("First comment").fill("Order at https://a.example/order")
    expect(bluesky.locator(".sq-preview-comment .sq-marked")).to_have_text("https://a.example/order")
    page.get_by_label("Long text").select_option("")
    text_of(page).fill(HOSTILE)
    expect(mastodon.locator(".sq-preview-text").first).to_have_text(HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert page.locator("#previews :is(script, img)").count() == 0


def test_46_an_accounts_own_text_overrides_the_shared_one_and_survives_its_edits(page: Page, served: Served) -> None:
    shared, own = f"Shared {uuid.uuid4()}", f"For the second {uuid.uuid4()}"
    write(page, shared, "Demo", "Second")
    choice(page, "Second").get_by_text("Own text for this account").click()
    page.get_by_label("Own text for Second").fill(own)
    expect(preview(page, "Second")).to_contain_text(own)
    expect(preview(page, "Demo")).to_contain_text(shared)
    press(page, "Save draft")
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    text_of(page).fill(f"{shared}, edited")
    expect(preview(page, "Demo")).to_contain_text(f"{shared}, edited")
    expect(preview(page, "Second")).to_contain_text(own)
    press(page, "Publish now…")
    press(page, "Yes, publish now")
    expect(page.get_by_role("link", name="Open the live post")).to_have_count(2)
    query = "SELECT text FROM posts_outboxpost WHERE text IN (%s, %s, %s) ORDER BY text"
    texts = served.site.sql(query, [own, shared, f"{shared}, edited"])
    assert texts == [(own,), (f"{shared}, edited",)]


def test_48_leaving_warns_and_what_was_typed_survives_an_expired_session(context: BrowserContext, page: Page) -> None:
    text, asked = f"Not lost {uuid.uuid4()}", []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    write(page, text, "Demo")
    expect(preview(page, "Demo")).to_contain_text(text)
    page.once("dialog", stay)
    with page.expect_event("dialog"):
        page.get_by_role("link", name="Home").click(no_wait_after=True)
    expect(text_of(page)).to_have_value(text)
    assert asked == ["beforeunload"]
    context.clear_cookies(name="sessionid")
    text_of(page).press_sequentially(" !")
    expect(page.locator("#previews-said")).to_contain_text("You are not signed in any more")
    press(page, "Save draft")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#kept")).to_contain_text("was not saved. It is here again.")
    expect(text_of(page)).to_have_value(f"{text} !")
    expect(page.get_by_role("checkbox", name="Demo")).to_be_checked()
    press(page, "Save draft")
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    expect(page.locator("#kept")).to_be_hidden()
    page.goto(ADD)  # what is saved is not offered again
    expect(text_of(page)).to_have_value("")
    expect(page.locator("#kept")).to_be_hidden()
    text_of(page).fill(f"{text} closed")
    page.wait_for_function("key => localStorage.getItem(key)?.includes('closed')", arg=f"sq-composer:1:{ADD}")
    page.once("dialog", lambda dialog: dialog.accept())
    page.goto(ADD)
    expect(page.locator("#kept")).to_contain_text("Something that you typed here at")
    press(page, "Restore what you typed")
    expect(text_of(page)).to_have_value(f"{text} closed")
    page.once("dialog", lambda dialog: dialog.accept())
    page.goto(ADD)
    press(page, "Discard")
    page.goto(ADD)
    expect(page.locator("#kept")).to_be_hidden()


def test_a_form_that_was_taken_is_not_offered_again_though_its_answer_was_left_at_once(
    browser: Browser, served: Served
) -> None:
    first, second = f"First {uuid.uuid4()}", f"Second {uuid.uuid4()}"
    with open_context(browser, Served(served.site, served.url)) as context:  # whose console tells of missing scripts
        page = sign_in(context)
        write(page, first, "Demo")
        expect(preview(page, "Demo")).to_contain_text(first)
        page.route("**/*.js", lambda route: route.abort())
        press(page, "Save draft")
        expect(page.locator(".messagelist")).to_contain_text("is saved")
        page.unroute("**/*.js")
        page.goto(ADD)
        expect(preview(page, "Demo")).to_have_count(0)
        expect(page.locator("#kept")).to_be_hidden()
        write(page, second, "Demo")
        press(page, "Save draft")
        expect(page.locator(".messagelist")).to_contain_text("is saved")
    assert stored(served, first) == stored(served, second) == [("draft",)]


def test_49_the_same_text_to_the_same_account_within_a_day_warns_before_it_is_saved(page: Page, served: Served) -> None:
    text = f"Fresh bread {uuid.uuid4()}"
    write(page, text, "Demo")
    set_time(page, hours=3)
    press(page, "Schedule")
    expect(page.locator(".messagelist")).to_contain_text("is scheduled")
    first = page.url
    write(page, text.upper(), "Demo")
    warning = choice(page, "Demo").locator(".sq-repeats")
    expect(warning).to_contain_text("Demo is to publish the same text:")  # while typing
    assert f"{served.url}{warning.get_by_role('link').get_attribute('href')}" == first
    set_time(page, hours=9)
    press(page, "Schedule")
    dialog = page.get_by_role("alertdialog", name="The same text, twice within a day?")
    expect(dialog).to_contain_text("Demo is to publish the same text:")
    assert stored(served, text.upper()) == []
    dialog.get_by_role("button", name="No, go back").click()
    set_time(page, hours=40)
    expect(warning).to_have_count(0)
    set_time(page, hours=9)
    press(page, "Schedule")
    press(page, "Schedule anyway")
    expect(page.locator(".messagelist")).to_contain_text("is scheduled")
    assert stored(served, text.upper()) == [("scheduled",)]


def test_ctrl_enter_presses_the_highlighted_button_and_a_phone_has_no_sideways_scroll(
    browser: Browser, served: Served
) -> None:
    for scheme in ("light", "dark"):
        with open_context(browser, served, width=360, scheme="dark" if scheme == "dark" else "light") as context:
            page = sign_in(context)
            write(page, f"{scheme} " + "word " * 30 + "https://example.org/" + "a" * 200, "Demo", BLUESKY)
            expect(preview(page, BLUESKY)).to_contain_text("word")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            page.keyboard.press("Control+Enter")
            expect(page.locator(".errorlist", has_text="Say when the post goes out")).to_be_visible()
            press(page, "Publish now…")
            expect(page.locator(".errorlist", has_text="Say when the post goes out")).to_have_count(0)
            expect(page.locator(".errornote")).to_be_visible()  # it is too long
            assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_asks_and_warns_without_scripts(browser: Browser, served: Served) -> None:
    text = f"Unscripted {uuid.uuid4()}"
    with open_context(browser, served, scripts=False) as context:
        page = sign_in(context)
        question = page.get_by_text("The same text, twice within a day?")
        for hours, answer in ((1, page.locator(".messagelist", has_text="is scheduled")), (2, question)):
            write(page, text, "Demo")
            press(page, "Check")
            expect(preview(page, "Demo")).to_contain_text(text)
            set_time(page, hours=hours)
            press(page, "Schedule")
            expect(answer).to_be_visible()
        assert stored(served, text) == [("scheduled",)]
        press(page, "Schedule anyway")
        expect(page.locator(".messagelist")).to_contain_text("is scheduled")
