"""The pictures of docs/control-room.md and the README, from a running site: ``make screenshots``.

Fills a site with a newsroom's rows, runs it with one cluster, takes each page of SHOTS and writes the document, so that
its pictures and sentences agree. Another page is another line of SHOTS.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import PASSWORD, Served, open_context, serve, sign_in
from tests.site import ROOT, SqliteDatabases, open_site

IMAGES, DOCUMENT = ROOT / "docs" / "images", ROOT / "docs" / "control-room.md"
MOST_BYTES, MOST_PIXELS_HIGH = 150_000, 1_600
COLOURS = (192, 128, 96, 64, 32)
Scheme = Literal["light", "dark"]
WIDE, NARROW = 1280, 360
HEAD = """\
# The control room

What people see of SocialQ are pages of the Django admin. Each picture is of a running site with made-up posts; `make
screenshots` takes them anew. All pages follow the system's light or dark colours and fit a phone.
"""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: of ``path``, where ``{…}`` is the id that a query of IDS finds; ``sentence`` says what it shows."""

    name: str
    heading: str
    path: str
    sentence: str
    scheme: Scheme = "light"
    width: int = WIDE


IDS = {
    "draft": "SELECT MIN(id) FROM posts_post WHERE status = 'draft'",
    "review": "SELECT MIN(id) FROM posts_delivery WHERE status = 'needs_review'",
    "failed": "SELECT MIN(id) FROM posts_delivery WHERE status = 'failed'",
    "live": "SELECT MIN(id) FROM posts_delivery WHERE status = 'published'",
    "failed_job": "SELECT MIN(id) FROM queue_app_job WHERE state = 'failed'",
    "account": "SELECT MIN(id) FROM posts_account WHERE platform = 'outbox'",
    "held": "SELECT MIN(id) FROM posts_account WHERE platform = 'bluesky'",
    "media": "SELECT MIN(id) FROM posts_media",
    "source": "SELECT MIN(id) FROM posts_telegramsource",
    "webhook": "SELECT MIN(id) FROM posts_webhookendpoint",
}
SHOTS: tuple[Shot, ...] = (
    Shot(
        "dashboard", "Dashboard", "queue_app/job/dashboard/", "What needs a person stands first, then what happens now."
    ),
    Shot("dashboard-dark", "", "queue_app/job/dashboard/", "The same in dark colours.", "dark"),
    Shot("dashboard-phone", "", "queue_app/job/dashboard/", "And on a phone.", "light", NARROW),
    Shot(
        "composer",
        "Writing",
        "posts/post/{draft}/change/",
        "One text, or one for each account, counted as the network counts.",
    ),
    Shot("composer-phone", "", "posts/post/add/", "A new post on a phone.", "dark", NARROW),
    Shot(
        "calendar-month",
        "Calendar",
        "posts/post/calendar/?view=month",
        "A month; cards are moved by mouse or by keyboard.",
    ),
    Shot("calendar-week", "", "posts/post/calendar/?view=week", "A week, with the accounts' free slots.", "dark"),
    Shot(
        "calendar-phone", "", "posts/post/calendar/?view=list", "The list is what a phone shows best.", "light", NARROW
    ),
    Shot("posts", "Posts", "posts/post/", "Each post with its state on every account; filters live in the address."),
    Shot(
        "delivery",
        "Deliveries",
        "posts/delivery/{review}/change/",
        "What may already be live is never repeated without being asked.",
    ),
    Shot(
        "delivery-failed",
        "",
        "posts/delivery/{failed}/change/",
        "A refusal has the network's words, a reason and a next step.",
    ),
    Shot(
        "jobs",
        "Jobs",
        "queue_app/job/",
        "The queue itself: every job, what it waits for, bulk actions over all that match.",
    ),
    Shot("job", "", "queue_app/job/{failed_job}/change/", "A job's timeline, and each attempt with its own error."),
    Shot(
        "library",
        "Media library",
        "posts/media/",
        "Pictures and films with their alt text, tags and where they are used.",
    ),
    Shot("media", "", "posts/media/{media}/change/", "One file."),
    Shot("accounts", "Accounts", "posts/account/", "Which can be posted to, and which must be reconnected."),
    Shot("account", "", "posts/account/{held}/change/", "An account that is held, and what waits for it.", "dark"),
    Shot("slots", "", "posts/account/{account}/slots/", "The times of a week at which an account posts."),
    Shot("connect", "", "posts/account/add/", "The networks that can be connected."),
    Shot("repeating", "Repeating posts", "posts/recurrence/", "Posts that come round, by their rule."),
    Shot(
        "import",
        "Import and export",
        "posts/post/import/",
        "A file of posts is judged row by row before anything is stored.",
    ),
    Shot(
        "telegram-source",
        "Telegram sources",
        "posts/telegramsource/{source}/change/",
        "A bot that feeds posts: who may write to it, and what becomes of that.",
    ),
    Shot(
        "webhook",
        "Webhooks",
        "posts/webhookendpoint/{webhook}/change/",
        "A program that is told what happens, and how it answered last.",
    ),
    Shot(
        "notifications",
        "Notifications",
        "queue_app/notice/mine/",
        "Everybody chooses what to be told of, and by which way.",
    ),
    Shot("history", "History", "admin/logentry/", "Who did what, and when."),
)


def take(page: Page, shot: Shot, ids: dict[str, int]) -> bytes | None:
    """Return the picture as a small PNG, ``None`` where the site has no such page."""
    page.emulate_media(color_scheme=shot.scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": shot.width, "height": 800})
    answer = page.goto(f"/admin/{shot.path.format(**ids)}")
    if answer is None or not answer.ok:
        return None
    page.wait_for_load_state("networkidle")
    height = min(page.evaluate("document.documentElement.scrollHeight"), MOST_PIXELS_HIGH)
    page.set_viewport_size({"width": shot.width, "height": height})
    return small(page.screenshot())


def small(png: bytes) -> bytes:
    """Return ``png`` with a palette, of as many colours as MOST_BYTES has room for."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    stream = io.BytesIO()
    for colours in COLOURS:
        stream = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
        if stream.tell() <= MOST_BYTES:
            break
    return stream.getvalue()


def document(taken: Sequence[Shot]) -> str:
    """Return the page that shows the pictures."""
    parts = [HEAD]
    for shot in taken:
        heading = f"## {shot.heading}\n\n" if shot.heading else ""
        parts.append(f"{heading}{shot.sentence}\n\n![{shot.sentence}](images/{shot.name}.png)\n")
    return "\n".join(parts)


def main() -> None:
    """Take them all, or those whose names are given; the document is written when all were taken."""
    wanted = [shot for shot in SHOTS if not sys.argv[1:] or shot.name in sys.argv[1:]]
    IMAGES.mkdir(exist_ok=True)
    taken = []
    with _newsroom() as served, _chromium() as browser, open_context(browser, served) as context:
        context.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
        page = sign_in(context)
        ids = {name: served.site.sql(query)[0][0] for name, query in IDS.items()}
        for shot in wanted:
            picture = take(page, shot, ids)
            if picture is None:
                sys.stderr.write(f"{shot.name}: there is no page at {shot.path}\n")
                continue
            (IMAGES / f"{shot.name}.png").write_bytes(picture)
            sys.stdout.write(f"{shot.name}: {len(picture) // 1000} kB\n")
            taken.append(shot)
    if not sys.argv[1:]:
        DOCUMENT.write_text(document(taken), encoding="utf-8")


@contextmanager
def _newsroom() -> Iterator[Served]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="socialq-screenshots-")))
        site = stack.enter_context(open_site(SqliteDatabases(folder), "newsroom", folder))
        site.env |= {"SOCIALQ_ADMIN_PASSWORD": PASSWORD, "TIME_ZONE": "Europe/Berlin"}
        site.python("from tests.filled import fill; fill(hostile='')")
        yield serve(site)


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


if __name__ == "__main__":
    main()
