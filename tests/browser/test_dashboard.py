"""The dashboard as an operator uses it: what needs somebody, what is now, switches, the day; all of it kept up to date.

One site serves all tests. Its cluster is started and killed by the tests themselves.
"""

from __future__ import annotations

import email
import os
import re
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.conftest import Served, begin, open_context, serve, sign_in
from tests.site import Databases, Site, open_site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_dashboard")]

URL = "/admin/queue_app/job/dashboard/"
NO_WORKER = "No worker is alive"
CONNECT = """
from posts.services.accounts import connect_account
print(*[connect_account("outbox", {"name": name}).pk for name in ("Slow", "Revoked", "Busy")])
"""
PUBLISH = """
from datetime import timedelta
from posts.models import Account
from posts.services.drafts import save_draft
from posts.services.outbox import set_outbox_failure
from posts.services.schedule import schedule_post
from django.contrib.auth.models import User
from queue_app import clock
owner = User.objects.get(username="admin")
account = Account.objects.get(name={name!r})
if {failure!r}:
    set_outbox_failure(account, {failure!r})
for number in range({number}):
    post = save_draft(post=None, owner=owner, text=f"{name} {{number}}", account_ids=[account.pk], media=[])
    schedule_post(post, at=clock.now() + timedelta(seconds={seconds}), actor=owner)
"""
# What other tests have left to be done is put off, while no worker lives.
PUT_OFF = "UPDATE queue_app_job SET run_at = '2099-01-01 00:00:00' WHERE type = 'posts.publish' AND state = 'pending'"
WORKERS = "SELECT COUNT(*) FROM queue_app_worker"
LAST_JOB = "SELECT MAX(id) FROM queue_app_job WHERE type = 'posts.publish'"


class Cluster:
    """The site's one cluster, or none."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, failpoints: str = "") -> None:
        """Start it, unless it runs."""
        if self._process is None:
            self._site.env["SOCIALQ_FAILPOINTS"] = failpoints
            self._process = self._site.spawn("qcluster")

    def kill(self) -> None:
        """Kill it with its workers, as a power cut does."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mails")


@pytest.fixture(scope="module")
def served(site_databases: Databases, tmp_path_factory: pytest.TempPathFactory, mails: Path) -> Iterator[Served]:
    name = f"site_{uuid.uuid4().hex[:12]}"
    with open_site(site_databases, name, tmp_path_factory.mktemp("dashboard")) as site:
        slow = site.do(CONNECT).split()[0]
        site.env |= {
            "SOCIALQ_LIMITS": f"account:{slow}=2/h",
            "EMAIL_URL": f"filemail:///{mails}",
            "ADMINS": "Ada <ada@example.org>",
        }
        begin(site)
        yield serve(site, "--clusters", "0")


@pytest.fixture(scope="module")
def cluster(served: Served) -> Cluster:
    return Cluster(served.site)


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    served.complaints.clear()
    with open_context(browser, served) as context:
        yield sign_in(context)
    assert served.complaints == []


def publish(served: Served, name: str, number: int = 1, *, seconds: float = 0, failure: str = "") -> None:
    """Have posts of an account go out in so many seconds."""
    served.site.do(PUBLISH.format(name=name, number=number, seconds=seconds, failure=failure))


def number_of(served: Served, sql: str) -> int:
    return int(served.site.sql(sql)[0][0])


def listed(page: Page) -> int:
    """Return how many rows a list says that it has; an empty one says what to do instead."""
    expect(page.locator(".paginator, .sq-empty").last).to_be_visible()
    if page.locator(".paginator").count() == 0:
        return 0
    found = re.search(
        r"(\d[\d,]*)(?: or more)? (?:job|post|deliver|account)", page.locator(".paginator").last.inner_text()
    )
    assert found is not None
    return int(found[1].replace(",", ""))


def numbers_on(page: Page) -> dict[str, int]:
    """Return the dashboard's counts, each by the address that it leads to."""
    links = page.locator(".sq-counts a, .sq-needs a")
    said = links.evaluate_all("links => links.map(link => [link.href, link.innerText])")
    return {url: number_in(words) for url, words in said}


def number_in(words: str) -> int:
    (number,) = re.findall(r"\d[\d,]*", words)
    return int(number.replace(",", ""))


def stay(page: Page) -> None:
    """Remember that the page has not been loaded anew."""
    page.evaluate("window.stayed = true")


def stop_refreshing(page: Page) -> None:
    """Have the dashboard stand still; what it has asked for is there."""
    page.get_by_role("button", name="Pause refreshing").click()
    expect(page.locator("[data-live].htmx-request")).to_have_count(0)


def has_stayed(page: Page) -> bool:
    return bool(page.evaluate("window.stayed === true"))


def test_07_a_missing_worker_is_told_in_red_and_over_once_one_is_back(
    page: Page, served: Served, cluster: Cluster
) -> None:
    banner = page.get_by_role("region", name="What needs attention")
    cluster.start()
    page.goto(URL)
    expect(page.get_by_text("Alive", exact=True).first).to_be_visible()
    expect(banner.get_by_text(NO_WORKER)).to_have_count(0)
    stay(page)
    cluster.kill()
    expect(banner).to_contain_text(
        f"{NO_WORKER}: nothing is published. Start one with python manage.py qcluster", timeout=60_000
    )
    expect(banner).to_have_class(re.compile("sq-banner-bad"))
    workers = number_of(served, WORKERS)
    cluster.start()
    served.site.wait_until(lambda: number_of(served, WORKERS) > workers)
    expect(banner.get_by_text(NO_WORKER)).to_have_count(0, timeout=15_000)
    assert has_stayed(page)


def test_19_every_count_leads_to_a_list_of_that_number(page: Page, served: Served, cluster: Cluster) -> None:
    cluster.kill()
    publish(served, "Busy", 3)
    page.goto(URL)
    expect(page.get_by_text("The oldest due item is")).to_be_visible()
    stop_refreshing(page)
    counts = numbers_on(page)
    assert len(counts) >= 10

    def agrees(url: str) -> bool:
        page.goto(url)
        rows = listed(page)
        page.goto(URL)
        return rows == numbers_on(page).get(url)

    for url, number in counts.items():
        page.goto(url)
        if listed(page) != number:  # what comes due meanwhile is in both, once both have been read after it
            served.site.wait_until(lambda url=url: agrees(url))
    assert any(url.endswith("status__exact=scheduled") for url in counts)


def test_34_pauses_and_resumes_all_a_queue_and_an_account_without_a_burst(
    page: Page, served: Served, cluster: Cluster
) -> None:
    sent = "SELECT COUNT(*) FROM posts_outboxarrival WHERE mailbox = 'Slow'"
    parked = (
        "SELECT COUNT(*) FROM queue_app_job JOIN posts_delivery ON posts_delivery.job_id = queue_app_job.id "
        "JOIN posts_account ON posts_account.id = posts_delivery.account_id "
        "WHERE posts_account.name = 'Slow' AND parked_by "
    )
    names = ("Everything", "Queue default", "Slow (Outbox)")
    page.goto(URL)
    for name in names:
        page.get_by_role("link", name=f"Pause… {name}").click()
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Yes, pause it").click()
        expect(page.get_by_role("button", name=f"Resume… {name}")).to_be_visible()
    page.goto("/admin/posts/post/")
    badge = page.get_by_role("link", name="Paused:")
    expect(badge).to_have_text(re.compile("Slow.*Everything|Everything.*Slow"))
    publish(served, "Slow", 5)
    cluster.start()
    served.site.wait_until(lambda: number_of(served, parked + "<> ''") == 5)
    assert number_of(served, sent) == 0
    badge.click()
    # Each is under one of the pauses that hold; once that is lifted it meets the next, and in the end the limit.
    for name, others in zip(names, ("NOT IN ('', 'all')", "LIKE 'account:%'", "LIKE 'limit:account:%'"), strict=True):
        stop_refreshing(page)  # else the button may be exchanged while it is being pressed
        page.get_by_role("button", name=f"Resume… {name}").click()
        expect(page.get_by_role("button", name="Yes, lift this one")).to_be_visible()
        page.get_by_role("button", name="Yes, lift this one").click()
        expect(page.get_by_role("link", name=f"Pause… {name}")).to_be_visible()
        left = 3 if name.startswith("Slow") else 5
        served.site.wait_until(lambda others=others, left=left: number_of(served, parked + others) == left)
        served.site.wait_until(lambda left=left: number_of(served, sent) == 5 - left)
    expect(badge).to_have_count(0)
    assert number_of(served, sent) == 2


def test_35_the_oldest_due_item_turns_amber_and_then_red(page: Page, served: Served, cluster: Cluster) -> None:
    cluster.kill()
    postgres = served.site.database_url.startswith("postgres")
    served.site.sql(PUT_OFF)
    publish(served, "Busy", seconds=2)
    job = number_of(served, LAST_JOB)
    page.goto(URL)
    stay(page)
    said = page.locator(".sq-oldest .sq-badge")
    expect(said).to_have_text(re.compile(r"The oldest due item is \d+ s late\."))
    expect(said).to_have_class("sq-badge sq-ok")
    for seconds, look in ((90, "sq-warn"), (600, "sq-bad")):
        at = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=seconds)
        served.site.sql(
            "UPDATE queue_app_job SET run_at = %s WHERE id = %s", [f"{at}+00:00" if postgres else str(at), job]
        )
        expect(said).to_have_class(f"sq-badge {look}")
        expect(said).to_have_text(re.compile(r"The oldest due item is (9\d|1[0-2]\d) s late|is 1\d min \d+ s late"))
    assert has_stayed(page)
    served.site.sql(PUT_OFF)


def test_36_workers_stand_with_host_pid_version_heartbeat_and_job(
    page: Page, served: Served, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.kill()
    served.site.sql(PUT_OFF)
    publish(served, "Busy")
    job = number_of(served, LAST_JOB)
    cluster.start(f"before_prepare=sleep:600@{tmp_path / 'slept'}")
    page.goto(URL)
    table = page.get_by_role("region", name="Table of workers").get_by_role("table")
    for column in ("Host", "PID", "Version", "Last heartbeat", "Current job"):
        expect(table.get_by_role("columnheader", name=column, exact=True)).to_be_visible()
    row = table.get_by_role("row").filter(has=page.get_by_role("link", name=f"posts.publish #{job}", exact=True))
    expect(row).to_have_count(1)
    pid = row.get_by_role("cell").nth(2).inner_text()
    (found,) = served.site.sql(
        "SELECT host, version FROM queue_app_worker WHERE pid = %s AND stopped_at IS NULL", [int(pid)]
    )
    expect(row).to_contain_text(str(found[0]).partition("/")[0])
    expect(row).to_contain_text(socket.gethostname())
    expect(row).to_contain_text(str(found[1]))
    expect(row).to_contain_text(re.compile(r"\d+(\.\d)? m?s ago"))
    row.get_by_role("link", name=re.compile(r"posts\.publish")).click()
    expect(page.get_by_text("Running").first).to_be_visible()
    cluster.kill()


def test_37_refreshes_every_five_seconds_until_paused_or_hidden(page: Page) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith(URL) and "x-live" in request.headers:
            asked.append(request.url)

    def passes(seconds: int) -> int:
        before = len(asked)
        page.clock.run_for(seconds * 1000)
        return len(asked) - before

    def is_read_again(last: str) -> str:
        expect(when).not_to_have_attribute("datetime", last)
        return str(when.get_attribute("datetime"))

    def hide(hidden: bool) -> None:
        value = "true" if hidden else "false"
        page.evaluate(f"Object.defineProperty(document, 'hidden', {{value: {value}, configurable: true}})")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    begun = datetime.now(UTC)
    page.clock.install(time=begun)
    page.clock.pause_at(begun + timedelta(seconds=1))  # from here on the page's clock goes by what it is told alone
    page.goto(URL)
    page.on("request", note)
    when = page.locator(".sq-dash-read time")
    expect(page.locator(".sq-dash-read")).to_have_text(re.compile(r"Refreshed at \d\d:\d\d:\d\d\s+UTC"))
    first = str(when.get_attribute("datetime"))
    assert passes(4) == 0
    assert passes(1) == 1
    second = is_read_again(first)
    pause = page.get_by_role("button", name="Pause refreshing")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    assert passes(30) == 0
    pause.click()
    third = is_read_again(second)
    hide(True)
    assert passes(30) == 0
    hide(False)
    is_read_again(third)


def test_38_one_incident_is_told_once_with_a_link(page: Page, served: Served, cluster: Cluster, mails: Path) -> None:
    def told() -> list[str]:
        texts = [
            str(part.get_payload(decode=True).decode())
            for path in mails.iterdir()
            for part in email.message_from_bytes(path.read_bytes()).walk()
            if part.get_content_type() == "text/plain"
        ]
        return [text for text in texts if "Revoked (Outbox): must be reconnected" in text]

    cluster.kill()
    publish(served, "Revoked", 4, failure="reconnect_needed")
    cluster.start()
    parked = "SELECT COUNT(*) FROM queue_app_job WHERE parked_by = 'account:%s'"
    revoked = number_of(served, "SELECT id FROM posts_account WHERE name = 'Revoked'")
    served.site.wait_until(lambda: number_of(served, parked % revoked) == 4)
    served.site.wait_until(told, 60)
    (text,) = told()
    assert text.count("must be reconnected") == 1
    assert number_of(served, "SELECT COUNT(*) FROM queue_app_notice WHERE subject LIKE 'Revoked%'") == 1
    (link,) = re.findall(r"https?://\S+(/admin/posts/account/\d+/change/)", text)
    page.goto(link)
    expect(page.get_by_role("heading", name="Revoked (Outbox)")).to_be_visible()
    line = (
        page.get_by_role("region", name="What needs attention")
        .get_by_role("listitem")
        .filter(has_text="must be reconnected")
    )
    expect(line).to_have_count(1)
    line.get_by_role("link", name="1 account").click()
    expect(page.locator("#result_list").get_by_role("link", name="Revoked")).to_be_visible()
    expect(page.locator(".paginator").last).to_contain_text("1 account")


def test_58_charts_are_drawn_without_a_network_and_are_tables_too(page: Page, served: Served, cluster: Cluster) -> None:
    cluster.kill()
    served.site.sql(PUT_OFF)
    publish(served, "Busy", 2)
    done = "SELECT COUNT(*) FROM posts_delivery WHERE status = 'published'"
    under_way = "SELECT COUNT(*) FROM queue_app_job WHERE type = 'posts.publish' AND state = 'running'"
    both = number_of(served, done) + 2
    cluster.start()
    served.site.wait_until(lambda: number_of(served, done) >= both and number_of(served, under_way) == 0)
    cluster.kill()
    page.goto(URL)
    stop_refreshing(page)
    page.context.set_offline(True)
    panel = page.get_by_role("region", name="The last 24 hours", exact=True)
    for name in ("Published by the hour; below the line failed", "Mean duration, by the hour"):
        chart = panel.get_by_role("img", name=name)
        expect(chart).to_be_visible()
        assert chart.locator("rect").count() >= 1
    panel.get_by_text("The charts as a table").click()
    table = panel.get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_text(["Hour from", "Published", "Failed", "Mean duration"])
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(24)
    published = sum(int(text) for text in rows.locator("td:nth-child(2)").all_inner_texts())
    assert panel.locator("dt", has_text="Published").locator("xpath=following-sibling::dd").inner_text() == str(
        published
    )
    assert published == number_of(served, done)
    page.context.set_offline(False)
