"""Every page of the admin, on a site with rows in every state: light and dark, wide and narrow, by keyboard."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from django.contrib import admin
from playwright.sync_api import Browser, Page, expect

from queue_app.admin.actions import ConfirmedActionsMixin
from tests.browser.conftest import PASSWORD, Served, add_person, open_context, serve, sign_in
from tests.browser.looking import judge, judge_keyboard, judge_words
from tests.site import Databases, open_site
from tests.walk import READING, addresses, rows_of

# Two groups, each with a site of its own: one after the other they would be the last to end.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser_every_list")]

MANY, MOST_QUERIES = 3_000, 30
LOOKS: tuple[tuple[Any, int], ...] = (("light", 1280), ("dark", 360))
OURS = ("posts.", "queue_app.")
LISTS = ("_changelist", "_dashboard", "index")
VIEWS = [f"{kind._meta.app_label}.view_{kind._meta.model_name}" for kind in admin.site._registry]
# What axe says of Django's own two-list and date widgets, which only its pages of people have.
DJANGOS = re.compile(r"axe (aria-prohibited-attr|label) ")
# What sends something, but for logging out.
BUTTONS = """() => [...document.querySelectorAll(
  "form[method=post i] button, form[method=post i] input[type=submit], [hx-post], [hx-put], [hx-patch], [hx-delete]")]
  .filter((each) => !each.closest("#logout-form") && each.type !== "button" && each.checkVisibility())
  .map((each) => each.outerHTML.slice(0, 150))"""
OWN = ("password_change", "queue_app_notifications")  # what everybody sets for themselves
LISTED = re.compile(r"/admin/([a-z_]+/[a-z_]+/)?")
# In a process of the site, whose database the browser's process cannot ask.
COUNT = """
import json
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
client, asked = Client(), {{}}
client.force_login(User.objects.get(username="admin"))
for url in {urls!r}:
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200, url
    asked[url] = len(queries)
print(json.dumps(asked))
"""
SEND = """([url, data]) => {
  const form = Object.assign(document.createElement("form"), {method: "post", action: url});
  for (const [name, value] of Object.entries(data))
    form.append(Object.assign(document.createElement("input"), {type: "hidden", name, value}));
  document.body.append(form);
  form.submit();
}"""


@pytest.fixture(scope="module")
def served(site_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A newsroom's site."""
    with open_site(site_databases, f"site_{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("every")) as site:
        site.env["SOCIALQ_ADMIN_PASSWORD"] = PASSWORD
        site.do("from tests.filled import fill; fill()")
        yield serve(site)


@pytest.fixture(scope="module")
def page(browser: Browser, served: Served) -> Iterator[Page]:
    with open_context(browser, served) as context:
        yield sign_in(context)


def test_60_a_list_of_thousands_asks_little_and_fits_a_phone_in_the_dark_by_keyboard(
    page: Page, served: Served
) -> None:
    """Seconds with 100,000 posts are what ``make bench-pages`` measures."""
    served.site.do(f"from tests.filled import fill_many; fill_many({MANY})")
    found = {name: urls for name, urls in addresses(served.site.sql).items() if name.endswith(LISTS)}
    asked = json.loads(served.site.python(COUNT.format(urls=[urls[0] for urls in found.values()])).splitlines()[-1])
    assert {url: number for url, number in asked.items() if number > MOST_QUERIES} == {}
    wrong = look_at(page, served, found)
    for name in ("index", "posts_post_changelist", "queue_app_job_changelist"):
        page.goto(found[name][0])
        wrong += [f"{name}: {each}" for each in judge_keyboard(page)]
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.xdist_group("browser_every_page")
def test_every_other_page_is_in_order_in_light_dark_wide_and_narrow(page: Page, served: Served) -> None:
    found = {name: urls for name, urls in addresses(served.site.sql).items() if not name.endswith(LISTS)}
    # The history of all kinds of rows is one template.
    found = {
        name: urls for name, urls in found.items() if not name.endswith("_history") or name == "posts_post_history"
    }
    wrong = look_at(page, served, found)
    for name in ("posts_post_add", "posts_delivery_change"):
        page.goto(found[name][0])
        wrong += [f"{name}: {each}" for each in judge_keyboard(page)]
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.xdist_group("browser_every_page")
def test_every_question_before_an_action_is_in_order(page: Page, served: Served) -> None:
    found: list[str] = []
    looks = itertools.cycle(LOOKS)  # all are of one template
    for model, kind in actions():
        name = model._meta.label_lower.replace(".", "/")
        for row in rows_of(model, served.site.sql, each_state=False):
            page.goto(f"/admin/{name}/")
            token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
            data = {"csrfmiddlewaretoken": token, "action": kind.name, "index": "0", "_selected_action": str(row)}
            with page.expect_navigation():
                page.evaluate(SEND, [f"/admin/{name}/", data])
            found += [f"{name} {kind.name}: {each}" for each in complaints(page, served, [next(looks)])]
    assert not found, "\n".join(["", *found])


def test_32_a_viewer_sees_data_and_no_buttons_and_a_hand_made_form_is_refused(browser: Browser, served: Served) -> None:
    add_person(served, "vera", [*(may for may in VIEWS if may.startswith(OURS)), "posts.view_all_posts"])
    wrong, pages = [], 0
    with open_context(browser, served) as context:
        page = sign_in(context, "vera")
        token = next(cookie["value"] for cookie in context.cookies() if cookie["name"] == "csrftoken")
        for name, (url, *_rest) in addresses(served.site.sql).items():
            if name not in OWN and opens(page, served, url):
                pages += 1
                wrong += [f"{url}: {each}" for each in page.evaluate(BUTTONS)]
            sent = page.request.post(url, form={"csrfmiddlewaretoken": token, "text": "x"}, max_redirects=0)
            is_led_away = sent.status == 302 and LISTED.fullmatch(sent.headers["location"])  # she is shown no such row
            if not (name.endswith((*READING, *OWN)) or is_led_away or sent.status in (403, 404, 405)):
                wrong.append(f"{name} answers a form with {sent.status}")
        for model, kind in actions():
            url = f"/admin/{model._meta.label_lower.replace('.', '/')}/"
            data = {"csrfmiddlewaretoken": token, "action": kind.name, "index": "0", "_selected_action": "1"}
            if (status := page.request.post(url, form=data).status) != 403:
                wrong.append(f"{url} {kind.name} is answered with {status}")
        page.goto("/admin/posts/post/?q=rivers")
        expect(page.locator("#result_list tbody tr").first).to_contain_text("Our autumn issue is out")
    assert not wrong, "\n".join(["", *wrong])
    assert pages > 20
    assert served.complaints == []


def look_at(page: Page, served: Served, found: Mapping[str, Sequence[str]]) -> list[str]:
    """Open each page; return what is wrong with any. The first of a name has both looks, its other states by turns."""
    wrong = []
    for urls in found.values():
        for place, url in enumerate(urls):
            if opens(page, served, url):
                said = complaints(page, served, [LOOKS[place % len(LOOKS)]] if place else LOOKS)
                wrong += [
                    f"{url}: {each}" for each in said if not (url.startswith("/admin/auth/") and DJANGOS.search(each))
                ]
    return wrong


def opens(page: Page, served: Served, url: str) -> bool:
    """Go to ``url``; return whether it answers with a whole page, not with a part of one, a file or a refusal."""
    if "/export/" in url:
        return False
    answer = page.goto(url)
    assert answer is not None
    assert answer.status < 500, url
    is_page = answer.ok and "text/html" in answer.headers.get("content-type", "") and "<html" in answer.text()
    if not is_page:
        served.complaints.clear()  # the console tells of every refusal
    return is_page


def complaints(page: Page, served: Served, looks: Sequence[tuple[Any, int]]) -> list[str]:
    """Return what is wrong with the page that is open, in each of these colours and widths."""
    found = [*judge_words(page), *served.complaints]
    for scheme, width in looks:
        found += [f"{scheme} {width} px: {each}" for each in judge(page, scheme, width)]
    served.complaints.clear()  # axe itself writes styles into the page, which its policy forbids
    page.set_viewport_size({"width": 1280, "height": 900})
    return found


def actions() -> Iterator[tuple[type[Any], type[Any]]]:
    for model, page_of in admin.site._registry.items():
        if isinstance(page_of, ConfirmedActionsMixin):
            for kind in page_of.confirmed_actions:
                yield model, kind
