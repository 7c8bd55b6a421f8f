"""Served sites, the people who use them, and a browser in front of them."""

from __future__ import annotations

import os
import socket
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Request, expect, sync_playwright

from tests.site import Databases, Site, open_site

PASSWORD = "open-sesame-4711"
FIRST_RUN = "from django.core.management import call_command; call_command('first_run')"
MAKE_PERSON = """
from django.contrib.auth.models import Permission, User
person = User.objects.create_user({name!r}, password={password!r}, is_staff=True)
for wanted in {may!r}:
    app, codename = wanted.split(".")
    person.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
"""
COPY_SESSION = """
INSERT INTO django_session (session_key, session_data, expire_date)
SELECT %s, session_data, expire_date FROM django_session WHERE session_key = %s
"""


@dataclass
class Served:
    """A site that answers at ``url``; ``complaints`` are what the browser's console said of its pages.

    ``networks`` are addresses that a page may lead to, but take nothing from.
    """

    site: Site
    url: str
    complaints: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)


_shown: WeakKeyDictionary[BrowserContext, Served] = WeakKeyDictionary()
# Of each site the sessions of those who have signed in, as they were then: the hash of a password takes a second.
_sessions: WeakKeyDictionary[Site, dict[str, str]] = WeakKeyDictionary()


@contextmanager
def open_served(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, name: str, env: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Yield a served site for the tests of one module, whose own fixture enters this."""
    with open_site(databases, f"site_{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp(name)) as site:
        site.env |= env or {}
        begin(site)
        yield serve(site)


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, site_databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One served site for the tests of a module; one that needs more of it has a fixture of this name itself."""
    with open_served(site_databases, tmp_path_factory, request.module.__name__.rpartition(".")[2]) as opened:
        yield opened


@pytest.fixture
def served(running: Served) -> Iterator[Served]:
    """The site; nothing may complain in the end."""
    fresh = Served(running.site, running.url)
    yield fresh
    assert fresh.complaints == []


@pytest.fixture
def context(browser: Browser, served: Served) -> Iterator[BrowserContext]:
    """A window in front of the site."""
    with open_context(browser, served) as opened:
        yield opened


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """The first page of the window, signed in."""
    return sign_in(context)


def add_person(served: Served, name: str, may: Sequence[str]) -> None:
    """Add a member of staff with these permissions ("app.codename"), who signs in by ``sign_in(context, name)``."""
    served.site.do(MAKE_PERSON.format(name=name, password=PASSWORD, may=tuple(may)))


def begin(site: Site) -> None:
    """Add the first user and account."""
    site.env["SOCIALQ_ADMIN_PASSWORD"] = PASSWORD
    site.do(FIRST_RUN)


def serve(site: Site, *options: str) -> Served:
    """Serve ``site`` on a free port; ``options`` are those of ``serve``."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    site.env |= {"PORT": str(port), "SOCIALQ_WORKERS": "2"}
    site.spawn("serve", "--web-workers", "1", *options)
    url = f"http://127.0.0.1:{port}"
    site.wait_until(lambda: _answers(f"{url}/admin/login/"), 60)
    return Served(site, url)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium, for one module: while Playwright's event loop is there, Django refuses to ask the database."""
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        opened.close()


@contextmanager
def open_context(
    browser: Browser,
    served: Served,
    *,
    width: int = 1280,
    scripts: bool = True,
    scheme: Literal["light", "dark"] = "light",
) -> Iterator[BrowserContext]:
    """Open a window in a zone that is not the site's."""
    context = browser.new_context(
        base_url=served.url,
        viewport={"width": width, "height": 900},
        java_script_enabled=scripts,
        color_scheme=scheme,
        timezone_id="Asia/Tokyo",
        locale="en-GB",
    )
    context.set_default_timeout(30_000)
    _shown[context] = served
    context.on("console", lambda said: served.complaints.append(said.text) if said.type == "error" else None)
    context.on("weberror", lambda said: served.complaints.append(str(said.error)))
    context.on("request", lambda request: _judge(served, request))
    try:
        yield context
    finally:
        complained = len(served.complaints)
        for page in context.pages:
            _bring_to_rest(page)
        context.close()
        del served.complaints[complained:]  # what a page says as it is torn away


def sign_in(context: BrowserContext, name: str = "admin") -> Page:
    """Return this person's first page; who has signed in before gets another session, as it was then."""
    served = _shown[context]
    sessions = _sessions.setdefault(served.site, {})
    is_known = name in sessions
    if is_known:
        key = _copy_session(served.site, sessions[name])
        context.add_cookies([{"name": "sessionid", "value": key, "url": served.url, "httpOnly": True}])
    page = context.new_page()
    page.goto("/admin/")
    if not is_known:
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    if not is_known:
        (begun,) = (each["value"] for each in context.cookies() if each["name"] == "sessionid")
        sessions[name] = _copy_session(served.site, begun)
    return page


def _bring_to_rest(page: Page) -> None:
    """End what the page is about to open: Chromium loses the word to close one whose next document comes just then, and
    Playwright waits for ever (crbug.com/536385539)."""
    for _try in range(5):  # a document that comes meanwhile interrupts it
        with suppress(Error):
            page.goto("about:blank", timeout=5_000)
            return


def _copy_session(site: Site, key: str) -> str:
    copy = uuid.uuid4().hex
    site.sql(COPY_SESSION, [copy, key])
    return copy


def _judge(served: Served, request: Request) -> None:
    is_left = request.is_navigation_request() and request.url.startswith(tuple(served.networks))
    if not is_left and not request.url.startswith((served.url, "data:", "blob:")):
        served.complaints.append(f"asked {request.url}")


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False
