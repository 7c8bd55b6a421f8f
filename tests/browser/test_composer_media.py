"""Files in the composer: by picker, drop, paste and from the library; in order, described, removed and put back."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import JSHandle, Locator, Page, Route, expect

from tests.browser.conftest import Served, open_served
from tests.posts.media.pictures import encoded, noise, quarters
from tests.site import Databases

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_composer_media")]

ADD = "/admin/posts/post/add/"
MOST_BYTES = 300_000
TRANSFER = """([name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  return transfer;
}"""
PASTE = """(transfer) => document.dispatchEvent(
  new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }))"""


@pytest.fixture(scope="module")
def running(site_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    env = {"SOCIALQ_MEDIA_MAX_BYTES": str(MOST_BYTES)}
    with open_served(site_databases, tmp_path_factory, "composer_media", env) as served:
        yield served


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    path.write_bytes(encoded(quarters(), "PNG"))
    return path


def brought(page: Page, name: str, content: bytes, mime_type: str) -> JSHandle:
    """Return what a drop or a paste brings along."""
    return page.evaluate_handle(TRANSFER, [name, mime_type, base64.b64encode(content).decode()])


def card(page: Page, name: str) -> Locator:
    return page.locator(".sq-picture", has=page.get_by_text(name, exact=True))


def names(page: Page) -> Locator:
    return page.locator(".sq-picture-name")


def test_47_files_come_by_picker_drop_and_paste_and_what_cannot_be_taken_is_said_before_it_is_sent(
    page: Page, served: Served, cat: Path, tmp_path: Path
) -> None:
    text, held, uploads = f"With files {uuid.uuid4()}", [], []
    page.on("request", lambda request: uploads.append(request.url) if request.url.endswith("/media/upload/") else None)
    page.goto(ADD)
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("checkbox", name="Demo").check()

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/media/upload/", hold)
    page.get_by_label("Add files").set_input_files(cat)
    expect(page.get_by_role("progressbar", name="cat.png")).to_be_visible()
    served.site.wait_until(lambda: page.evaluate("1") and held)
    held[0].continue_()
    page.unroute("**/media/upload/")
    expect(card(page, "cat.png").get_by_role("img")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    card(page, "cat.png").get_by_label("Alt text").fill("A cat of four colours")

    dropped = brought(page, "dropped.png", encoded(quarters(60, 60), "PNG"), "image/png")
    page.dispatch_event("#media", "dragover", {"dataTransfer": dropped})
    page.dispatch_event("#media", "drop", {"dataTransfer": dropped})
    expect(card(page, "dropped.png")).to_be_visible()
    page.evaluate(PASTE, brought(page, "pasted.png", encoded(quarters(40, 80), "PNG"), "image/png"))
    expect(card(page, "pasted.png").get_by_label("Alt text")).to_be_visible()
    assert len(uploads) == 3

    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "large.png").write_bytes(encoded(noise(500, 500), "PNG"))
    page.get_by_label("Add files").set_input_files([tmp_path / "notes.txt", tmp_path / "large.png"])
    refused = page.locator("#uploads li")
    expect(refused.filter(has_text="notes.txt")).to_contain_text("neither a picture, a video nor a PDF document")
    expect(refused.filter(has_text="large.png")).to_contain_text("is too large: it has 0.8 MB, at most 0.3 MB")
    assert len(uploads) == 3
    refused.filter(has_text="large.png").get_by_role("button", name="Dismiss").click()
    expect(refused).to_have_count(1)

    expect(names(page)).to_have_text(["cat.png", "dropped.png", "pasted.png"])
    card(page, "pasted.png").get_by_role("button", name="Move up").press("Enter")  # by keyboard
    expect(names(page)).to_have_text(["cat.png", "pasted.png", "dropped.png"])
    expect(page.locator("#pictures-said")).to_have_text("pasted.png is now number 2 of 3.")
    expect(card(page, "pasted.png").get_by_role("button", name="Move up")).to_be_focused()
    card(page, "pasted.png").evaluate("card => card.scrollIntoView({ block: 'center' })")  # nothing under the bar
    handle = card(page, "dropped.png").locator(".sq-picture-seen")
    handle.drag_to(card(page, "cat.png"), target_position={"x": 40, "y": 5})
    expect(names(page)).to_have_text(["dropped.png", "cat.png", "pasted.png"])
    card(page, "cat.png").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("cat.png is removed.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(card(page, "cat.png").get_by_label("Alt text")).to_have_value("A cat of four colours")
    card(page, "pasted.png").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("article", name="Demo on Outbox").locator("svg[role=img]")).to_have_count(2)
    page.get_by_role("button", name="Save draft", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("is saved")
    expect(names(page)).to_have_text(["dropped.png", "cat.png"])
    rows = served.site.sql(
        "SELECT original_name, posts_postmedia.alt_text FROM posts_postmedia "
        "JOIN posts_media ON posts_media.id = media_id "
        "WHERE post_id = (SELECT id FROM posts_post WHERE text = %s) ORDER BY position",
        [text],
    )
    assert rows == [("dropped.png", ""), ("cat.png", "A cat of four colours")]


def test_a_file_of_the_library_is_attached_with_its_alt_text(page: Page, served: Served, cat: Path) -> None:
    page.goto(ADD)
    page.get_by_label("Add files").set_input_files(cat)
    expect(card(page, "cat.png")).to_be_visible()
    served.site.sql("UPDATE posts_media SET alt_text = 'From the library', is_in_library = %s", [True])
    page.once("dialog", lambda dialog: dialog.accept())
    page.goto(ADD)
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("button", name="From the library").click()
    dialog = page.get_by_role("dialog", name="From the library")
    dialog.get_by_role("button", name="cat.png").first.click()
    expect(dialog.get_by_role("status")).to_have_text("cat.png is attached.")
    dialog.get_by_role("button", name="Done").click()
    expect(card(page, "cat.png").get_by_label("Alt text")).to_have_value("From the library")
