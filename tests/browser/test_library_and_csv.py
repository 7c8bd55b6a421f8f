"""The media library and CSV files of posts as people use them: dropping, describing, finding, deleting, picking files;
trying, importing and exporting a table. Also without scripts, on a phone and in the dark."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served, open_context, sign_in
from tests.posts.media.pictures import encoded, quarters

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_library")]

LIBRARY, IMPORT, POSTS = "/admin/posts/media/", "/admin/posts/post/import/", "/admin/posts/post/"
HOSTILE = "<img src=x onerror=alert(1)>.png"


def png(name: str) -> Any:
    return {"name": name, "mimeType": "image/png", "buffer": encoded(quarters(), "PNG")}


def table(text: str, name: str = "posts.csv") -> Any:
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


def put(page: Page, *names: str) -> None:
    """Upload pictures into the library by the picker."""
    page.goto(LIBRARY)
    page.get_by_label("Add files to the library").set_input_files([png(name) for name in names])
    for name in names:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


def card(page: Page, name: str) -> Any:
    return page.get_by_role("listitem").filter(has=page.get_by_role("link", name=name, exact=True))


def drop(page: Page, name: str, mime_type: str, content: bytes) -> None:
    """Drop a file on the upload form."""
    script = """([name, type, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name, { type }));
        const form = document.getElementById("library-upload");
        for (const kind of ["dragover", "drop"]) {
            form.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }
    }"""
    page.evaluate(script, [name, mime_type, list(content)])


def test_files_go_into_the_library_by_picker_and_by_drop(page: Page) -> None:
    put(page, "picked.png", HOSTILE)
    expect(page.get_by_role("status").filter(has_text="picked.png is in the library")).to_be_visible()
    drop(page, "dropped.png", "image/png", encoded(quarters(), "PNG"))
    expect(card(page, "dropped.png")).to_contain_text("Alt text missing")
    expect(card(page, "dropped.png")).to_contain_text("Kept")
    expect(card(page, "dropped.png")).to_contain_text("In no post yet")
    drop(page, "notes.txt", "text/plain", b"words")
    expect(page.get_by_text("notes.txt is neither a picture, a video nor a PDF document.")).to_be_visible()
    drop(page, "fake.png", "image/png", b"words")
    expect(page.locator(".sq-sendings .sq-refused").filter(has_text="fake.png")).to_be_visible()
    page.reload()
    expect(card(page, HOSTILE)).to_be_visible()
    expect(page.get_by_role("link", name="fake.png")).to_have_count(0)


def test_a_file_keeps_its_alt_text_and_tags_and_is_found_by_them(page: Page) -> None:
    put(page, "harbour.png", "hill.png")
    page.get_by_role("link", name="harbour.png", exact=True).click()
    expect(page.get_by_text("Its alt text is missing")).to_be_visible()
    expect(page.get_by_text("It is kept in the library: it stays")).to_be_visible()
    page.get_by_label("Alt text").fill("Boats at dawn")
    page.get_by_label("Tags").fill("Sea, summer")
    page.get_by_label("Keep in the library").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".messagelist")).to_contain_text("“harbour.png” is saved.")
    expect(page.get_by_label("Tags")).to_have_value("sea, summer")
    expect(page.get_by_text("No post uses it. It is deleted after")).to_be_visible()
    page.goto(LIBRARY)
    page.locator("#searchbar").fill("dawn")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".sq-card")).to_have_count(1)
    expect(card(page, "harbour.png")).to_contain_text("summer")
    page.goto(f"{LIBRARY}?tag=sea")
    expect(page.locator(".sq-card")).to_have_count(1)
    page.goto(f"{LIBRARY}?tag=nothing")
    page.get_by_role("link", name="Clear filters and search").click()
    expect(card(page, "hill.png")).to_be_visible()


def test_deleting_lists_what_it_meets_and_is_refused_where_a_post_needs_the_file(page: Page) -> None:
    put(page, "needed.png", "drafted.png")
    rows = "text,media,accounts,scheduled_at\nneeds it,needed.png,Demo,2031-03-01 09:30\na draft of it,drafted.png,,\n"
    bring(page, rows)
    page.goto(LIBRARY)
    for name in ("needed.png", "drafted.png"):
        page.get_by_role("checkbox", name=f"Choose {name}").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_role("heading", name="Delete: 1 media file")).to_be_visible()
    expect(page.get_by_text("“a draft of it”: draft")).to_be_visible()
    expect(page.get_by_text("1 draft loses a file")).to_be_visible()
    expect(page.get_by_text("needed.png is needed by a post")).to_be_visible()
    expect(page.get_by_role("link", name="“needs it”: scheduled")).to_be_visible()
    page.get_by_role("button", name="Yes, delete this one").click()
    expect(page.locator(".messagelist")).to_contain_text("1 media file deleted.")
    expect(page.get_by_role("link", name="needed.png")).to_be_visible()
    expect(page.get_by_role("link", name="drafted.png")).to_have_count(0)


def test_all_on_a_page_are_chosen_and_tagged_at_once(page: Page) -> None:
    put(page, "one-of-two.png", "two-of-two.png")
    page.goto(f"{LIBRARY}?q=of-two")
    page.get_by_label("Choose all on this page").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Add tags…").click()
    page.get_by_label("Tags to add").fill("pair")
    page.get_by_role("button", name="Add these tags").click()
    expect(page.locator(".messagelist")).to_contain_text("2 media files tagged.")
    page.get_by_role("link", name="Tags", exact=True).click()
    expect(page).to_have_url(re.compile(f"{LIBRARY}tags/$"))  # the cards that are left have the tag as well
    row = page.get_by_role("listitem").filter(has_text="pair")
    expect(row).to_contain_text("2 files")
    row.get_by_label("New name of pair").fill("twosome")
    row.get_by_role("button", name="Rename").click()
    expect(page.locator(".messagelist")).to_contain_text("“pair” is “twosome” now.")


def test_the_picker_searches_as_one_types(page: Page) -> None:
    put(page, "pick-me.png", "leave-me.png")
    page.goto("/admin/posts/post/add/")
    page.get_by_role("button", name="From the library").click()
    expect(page.get_by_role("button", name="leave-me.png")).to_be_visible()
    page.get_by_label("Search the library").press_sequentially("pick-m")
    expect(page.get_by_role("button", name="leave-me.png")).to_have_count(0)
    found = page.get_by_role("button", name="pick-me.png")
    expect(found).to_have_attribute("data-kind", "image")
    expect(found).to_have_attribute("data-name", "pick-me.png")
    expect(page.get_by_label("Search the library")).to_be_focused()


def bring(page: Page, text: str) -> None:
    """Import a table whose rows are all good."""
    page.goto(IMPORT)
    page.get_by_label("CSV file").set_input_files(table(text))
    page.get_by_role("button", name="Try it").click()
    page.get_by_role("button", name="Import the").click()
    expect(page.get_by_text("0 rows were refused")).to_be_visible()


def test_a_table_is_tried_imported_once_and_goes_out_as_it_came(page: Page, tmp_path: Path) -> None:
    text = (
        "text;accounts;scheduled_at;timezone;tags\n"
        "=1+1 opens the shop;Demo;2031-03-01 09:30;Asia/Tokyo;shop\n"
        "Never;Demo;2031-03-30 02:30;Europe/Berlin;\n"
        "Whose;Nobody;;;\n"
    )
    page.goto(POSTS)
    page.get_by_role("link", name="Import from CSV").click()
    with page.expect_download() as example:
        page.get_by_role("link", name="Download an example file").click()
    assert example.value.suggested_filename == "posts-example.csv"
    page.get_by_label("CSV file").set_input_files(table(text))
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("1 row is good")).to_be_visible()
    expect(page.get_by_text("Goes out on Saturday, 1 March 2031, 09:30 (Asia/Tokyo, UTC+09:00)")).to_be_visible()
    expect(page.get_by_text("2031-03-30 02:30 does not exist in Europe/Berlin")).to_be_visible()
    expect(page.get_by_text("There is no account “Nobody” that you can use")).to_be_visible()
    page.get_by_role("button", name="Import the 1 good row").dblclick()
    done = page.get_by_text("1 post was made, 2 rows were refused").or_(page.get_by_text("was imported already"))
    expect(done).to_be_visible()
    page.goto(f"{POSTS}?q=opens+the+shop")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    with page.expect_download() as exported:
        page.get_by_role("link", name="Export as CSV").click()
    exported.value.save_as(tmp_path / "posts.csv")
    content = (tmp_path / "posts.csv").read_bytes().decode("utf-8-sig")
    (row,) = csv.DictReader(StringIO(content, newline=""))
    assert (row["text"], row["scheduled_at"], row["timezone"]) == (
        "'=1+1 opens the shop",
        "2031-03-01T09:30",
        "Asia/Tokyo",
    )


def test_a_long_import_goes_on_by_itself_to_its_report(page: Page) -> None:
    bring(page, "text\n" + "".join(f"Long {number}\n" for number in range(100)))
    expect(page.get_by_text("100 posts were made")).to_be_visible()


def test_library_and_import_work_without_scripts(browser: Browser, served: Served) -> None:
    with open_context(browser, served, scripts=False) as context:
        page = sign_in(context)
        page.goto(LIBRARY)
        page.get_by_label("Add files to the library").set_input_files([png("plain.png")])
        page.get_by_role("button", name="Upload").click()
        expect(page.locator(".messagelist")).to_contain_text("1 file is in the library.")
        page.get_by_role("checkbox", name="Choose plain.png").check()
        page.get_by_role("button", name="Let go…").click()
        page.get_by_role("button", name="Yes, let go this one").click()
        expect(page.locator(".messagelist")).to_contain_text("1 media file no longer kept in the library.")
        expect(card(page, "plain.png").get_by_text("Kept", exact=True)).to_have_count(0)
        bring(page, "text\nPlain\n")  # one row is one portion, however busy the machine is
        expect(page.get_by_text("1 post was made")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_every_page_fits(browser: Browser, served: Served, width: int, scheme: Any) -> None:
    with open_context(browser, served, width=width, scheme=scheme) as context:
        page = sign_in(context)
        put(page, "a-very-long-name-of-a-file-that-nobody-would-think-of-" * 2 + f"{scheme}-{width}.png")
        first = page.locator(".sq-card-name").first.get_attribute("href")
        assert first is not None
        for url in (LIBRARY, first, f"{LIBRARY}tags/", f"{LIBRARY}upload/", IMPORT):
            page.goto(url)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, url
        page.goto(IMPORT)
        page.get_by_label("CSV file").set_input_files(table(f"text,tags\n{'x' * 300},\nshort,{'t' * 80}\n"))
        page.get_by_role("button", name="Try it").click()
        expect(page.get_by_text("1 is refused")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
