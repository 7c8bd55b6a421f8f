"""Networks as a person meets them: fakes with a page that asks for consent, and the way there and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from tests.posts.platforms.fake_facebook import CODE, VERSION, FakeFacebook
from tests.posts.platforms.fake_mastodon import ACCOUNT_ID, FakeMastodon
from tests.posts.platforms.fake_server import Answer, Seen

ADD = "/admin/posts/account/add/"
PAGE = """\
<!doctype html><html lang="en"><head><title>{name}</title><link rel="icon" href="data:,"></head>
<body><h1>{name}</h1><a href="{yes}">Authorise</a> <a href="{no}">Deny</a></body></html>"""


class AskingMastodon(FakeMastodon):
    """Asks before it sends anybody back; whoever has logged in there is ``username`` with ``user_id``."""

    username, user_id = "alice", ACCOUNT_ID

    def _authorize(self, seen: Seen) -> Answer:
        agreed = super()._authorize(seen).headers["Location"]
        return _consent("Mastodon", agreed, seen)

    def _verify(self, seen: Seen) -> Answer:
        said = super()._verify(seen).body
        return Answer(200, said | {"id": self.user_id, "username": self.username, "acct": self.username})


class AskingFacebook(FakeFacebook):
    """Has the dialog to log in, too."""

    def handle(self, seen: Seen) -> Answer:
        if seen.path == f"/{VERSION}/dialog/oauth":
            back = urlencode({"code": CODE, "state": seen.query["state"]})
            return _consent("Facebook", f"{seen.query['redirect_uri']}?{back}", seen)
        return super().handle(seen)


def _consent(name: str, agreed: str, seen: Seen) -> Answer:
    refused = {"error": "access_denied", "error_description": "Not today", "state": seen.query["state"]}
    back = f"{seen.query['redirect_uri']}?{urlencode(refused)}"
    yes, no = (address.replace("&", "&amp;") for address in (agreed, back))
    return Answer(200, PAGE.format(name=name, yes=yes, no=no))


def leave_for_mastodon(page: Page, mastodon: AskingMastodon) -> None:
    """Ask for a login there, and end on the network's own page."""
    page.goto(ADD)
    page.get_by_role("link", name="Mastodon").click()
    page.get_by_label("Server").fill(mastodon.url)
    page.get_by_role("button", name="Log in at Mastodon").click()
    expect(page.get_by_role("heading", name="Mastodon", exact=True)).to_be_visible()


def connect(page: Page, mastodon: AskingMastodon) -> str:
    """Connect alice at this server; return the account's name."""
    leave_for_mastodon(page, mastodon)
    page.get_by_role("link", name="Authorise").click()
    expect(page.locator(".messagelist")).to_contain_text("is connected; now it can be posted to")
    return name_at(mastodon)


def name_at(mastodon: AskingMastodon) -> str:
    """Return the name of whoever has logged in at this server."""
    return f"@{mastodon.username}@{mastodon.url.removeprefix('http://')}"


def write(page: Page, name: str, text: str) -> Any:
    """Open the composer, write for one account; return its part of the page."""
    page.goto("/admin/posts/post/add/")
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("checkbox", name=name).check()
    return page.locator(".sq-choice", has=page.get_by_role("checkbox", name=name))


def publish(page: Page) -> None:
    """Publish now, after the question."""
    page.get_by_role("button", name="Publish now…").click()
    page.get_by_role("button", name="Yes, publish now").click()
