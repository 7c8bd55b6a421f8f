"""Networks as a person meets them: fakes with a page that asks for consent, and a site that knows them."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.posts.platforms.fake_facebook import CODE, VERSION, FakeFacebook
from tests.posts.platforms.fake_mastodon import ACCOUNT_ID, FakeMastodon
from tests.posts.platforms.fake_server import Answer, Seen

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
