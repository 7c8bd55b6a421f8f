"""Instagram's two hosts in one: v25.0 is Instagram's own login, v26.0 is Facebook's with two Pages.

As a process: ``python -m tests.posts.platforms.fake_instagram --port 0``. TOKEN is of the account IG_ID.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.posts.platforms.fake_containers import FakeContainers, Refused, shape_of
from tests.posts.platforms.fake_server import Seen, serve

TOKEN = "IGAAtoken-of-sixty-days-1"
FACEBOOK_TOKEN = "EAAtoken-of-sixty-days-1"
PAGE_TOKEN = "EAApage-token-1"
IG_ID = "17841400000000001"
SECOND_IG_ID = "17841400000000002"
CODE = "AQBcode-1"
SCOPES = "instagram_business_basic,instagram_business_content_publish,instagram_business_manage_comments"
PAGE_SCOPES = ("instagram_basic", "instagram_content_publish", "pages_read_engagement", "pages_show_list")
LARGEST_PICTURE = 8 << 20
FIELDS = {
    "image_url", "video_url", "caption", "alt_text", "media_type", "is_carousel_item", "children", "collaborators",
    "share_to_feed", "thumb_offset", "cover_url",
}  # fmt: skip


class FakeInstagram(FakeContainers):
    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.give_token(TOKEN, product="v25.0")
        self.give_token(FACEBOOK_TOKEN, product="v26.0")
        self.give_token(PAGE_TOKEN, product="v26.0")
        self.controls = {"end_tokens": self.end_tokens}
        self.wrapped = True
        self.permissions: Any = SCOPES
        self.declined = ""
        self.pages = [
            {"id": "1", "name": "No Instagram here", "access_token": "EAApage-token-0"},
            {
                "id": "2",
                "name": "Ada's Page",
                "access_token": PAGE_TOKEN,
                "instagram_business_account": {"id": IG_ID, "username": "ada"},
            },
            {
                "id": "3",
                "name": "Second Page",
                "access_token": "EAApage-token-3",
                "instagram_business_account": {"id": SECOND_IG_ID, "username": "second"},
            },
        ]
        self.captions_missing = False
        self.publish_refusals: list[Refused] = []

    def route(self, seen: Seen) -> dict[str, Any]:
        if seen.path.endswith(("access_token",)):
            return self._token(seen)
        _, version, path = seen.path.split("/", 2)
        if self.bearer(seen)["product"] != version:
            raise Refused(190, 0, "Invalid OAuth access token")
        fields = seen.query.get("fields", "")
        known = {
            ("GET", "me"): lambda: {"user_id": IG_ID, "username": self.username, "id": "26000000000000009"},
            ("GET", "me/permissions"): self._permissions,
            ("GET", "me/accounts"): lambda: self._accounts(seen.query),
            ("GET", IG_ID): lambda: {"id": IG_ID, "username": self.username},
            ("POST", f"{IG_ID}/media"): lambda: self._create(seen.form()),
            ("POST", f"{IG_ID}/media_publish"): lambda: self._publish(seen.form()["creation_id"]),
            ("GET", f"{IG_ID}/media"): lambda: self._media(fields, "FEED"),
            ("GET", f"{IG_ID}/stories"): lambda: self._media(fields, "STORY"),
            ("GET", f"{IG_ID}/content_publishing_limit"): self._limit,
        }
        if (seen.method, path) in known:
            return known[seen.method, path]()
        number, _, edge = path.partition("/")
        if edge == "comments":
            return self._comment(number, seen)
        if seen.method == "GET" and number in self.containers and fields == "status_code,status":
            made = self.container(number)
            reason = f"Error: Media upload has failed with error code {made.failed}" if made.failed else made.status()
            return {"id": number, "status_code": made.status(), "status": reason}
        for post in self.posts:
            if post["id"] == number and seen.method == "GET":
                return {"id": number, "permalink": post["permalink"]}
        raise Refused(100, 33, f"Object with ID '{number}' does not exist")

    # Tokens

    def _token(self, seen: Seen) -> dict[str, Any]:
        asked = seen.form() if seen.method == "POST" else seen.query
        grant = asked.get("grant_type", "authorization_code")
        if grant in ("authorization_code", "ig_exchange_token") and asked.get("client_secret") != "client-secret-1":
            raise Refused(1, 0, "Error validating client secret.")
        match grant:
            case "authorization_code":
                if asked["code"] != CODE:
                    raise Refused(100, 36009, "This authorization code has been used.")
                assert asked["redirect_uri"].startswith("https://")
                if seen.path.startswith("/v26.0/"):
                    return {"access_token": self.give_token("EAAshort-token-1", product="v26.0")}
                short = self.give_token("IGAAshort-token-1", product="v25.0")
                answer = {"access_token": short, "user_id": 26000000000000009, "permissions": self.permissions}
                return {"data": [answer]} if self.wrapped else answer
            case "ig_exchange_token":
                self.owner(asked["access_token"])
                return {"access_token": TOKEN, "token_type": "bearer", "expires_in": 5_183_944}
            case "fb_exchange_token":
                self.owner(asked["fb_exchange_token"])
                return {"access_token": FACEBOOK_TOKEN, "token_type": "bearer"}
            case "ig_refresh_token":
                since = self.owner(asked["access_token"])["since"]
                if datetime.now(UTC) - since < timedelta(hours=24):
                    raise Refused(100, 0, "The token must be at least 24 hours old")
                fresh = self.give_token("IGAAtoken-of-sixty-days-2", product="v25.0", since=datetime.now(UTC))
                return {"access_token": fresh, "token_type": "bearer", "expires_in": 5_184_000, "permissions": SCOPES}
        raise Refused(100)

    def _permissions(self) -> dict[str, Any]:
        state = {scope: "declined" if scope == self.declined else "granted" for scope in PAGE_SCOPES}
        return {"data": [{"permission": scope, "status": status} for scope, status in state.items()]}

    def _accounts(self, asked: dict[str, str]) -> dict[str, Any]:
        """Two pages of Pages; the address of the next has the token, as Facebook's has."""
        place = int(asked.get("after", "0"))
        more = place + 2 < len(self.pages)
        link = {"next": f"{self.url}/v26.0/me/accounts?access_token={FACEBOOK_TOKEN}&after={place + 2}"} if more else {}
        return {"data": self.pages[place : place + 2], "paging": {"cursors": {"after": str(place + 2)}, **link}}

    # Publishing

    def _create(self, fields: dict[str, str]) -> dict[str, Any]:
        assert set(fields) <= FIELDS, set(fields) - FIELDS
        if len(fields.get("caption", "").encode("utf-16-le")) > 4400:
            raise Refused(36004, 2207010, "The caption was too long.")
        item = fields.get("is_carousel_item") == "true"
        assert not (item and {"caption", "collaborators"} & set(fields))
        if fields.get("media_type") == "CAROUSEL":
            children = fields["children"].split(",")
            if not 2 <= len(children) <= 10:
                raise Refused(100, 2207028, "Your post needs between 2 and 10 photos or videos.")
            if any(self.containers[child].status() != "FINISHED" for child in children):
                raise Refused(9007, 2207027, "Media ID is not available")
        elif not {"image_url", "video_url"} & set(fields):
            raise Refused(9004, 2207052, "Only photo or video can be accepted as media type.")
        return self.make(fields)

    def check_file(self, name: str, fields: dict[str, str]) -> None:
        fetched = self.fetch(fields[name])
        if fetched is None:
            raise Refused(9004, 2207052, "Only photo or video can be accepted as media type.")
        kind, body = fetched
        if name == "video_url":
            if kind not in ("video/mp4", "video/quicktime"):
                raise Refused(352, 2207026, "Unsupported video format")
            return
        form, ratio = shape_of(body)
        if len(body) > LARGEST_PICTURE:
            raise Refused(36000, 2207004, "Image is too large")
        if form != "JPEG":
            raise Refused(36001, 2207005, "Image format is not supported")
        if fields.get("media_type") != "STORIES" and not 0.8 <= ratio <= 1.91:
            raise Refused(36003, 2207009, "The submitted image with aspect ratio cannot be published")

    def _publish(self, number: str) -> dict[str, Any]:
        if self.publish_refusals:
            raise self.publish_refusals.pop(0)
        made = self.containers.get(number)
        if made is None or made.status() in ("EXPIRED", "PUBLISHED"):
            raise Refused(24, 2207008, "The media container does not exist or has expired")
        if made.status() != "FINISHED":
            raise Refused(9007, 2207027, "Media ID is not available")
        if self.quota["used"] >= self.quota["total"]:
            raise Refused(9, 2207042, "You reached the maximum number of posts that is allowed")
        caption, story = made.fields.get("caption", ""), made.fields.get("media_type") == "STORIES"
        facts = {"media_type": "IMAGE", "product": "STORY" if story else "FEED"}
        if caption and not self.captions_missing:
            facts["caption"] = caption
        return self.publish(made, said=caption, account=IG_ID, **facts)

    def _media(self, fields: str, product: str) -> dict[str, Any]:
        return self.listed([post for post in self.posts if post["product"] == product], fields)

    def _limit(self) -> dict[str, Any]:
        config = {"quota_total": self.quota["total"], "quota_duration": 86_400}
        return {"data": [{"quota_usage": self.quota["used"], "config": config}]}

    def _comment(self, number: str, seen: Seen) -> dict[str, Any]:
        if number not in {post["id"] for post in self.posts}:
            raise Refused(100, 33, "Object does not exist")
        if seen.method == "GET":
            return self.listed([each for each in self.comments if each["post"] == number], seen.query["fields"])
        text = seen.form()["message"]
        made = {
            "id": self.new_id(),
            "post": number,
            "text": text,
            "username": self.username,
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"),
        }
        self.comments.append(made)
        self.accept(account=IG_ID, text=text, key=made["id"], comment_on=number)
        return {"id": made["id"]}


def sent(seen: Seen) -> dict[str, Any]:
    """Return the fields of a request, the lists among them parsed."""
    return {name: json.loads(value) if re.match(r"[\[{]", value) else value for name, value in seen.form().items()}


if __name__ == "__main__":
    serve(FakeInstagram)
