"""A server with Mastodon's API: apps and logins, files that take a while, statuses under idempotency keys.

Behaves as Mastodon 4.7.2 does and its documentation says; ``instance``, ``repeats`` and the other attributes make it an
older one or another software. As a process: ``python -m tests.posts.platforms.fake_mastodon --port 0``. One account:
alice, who has logged in with TOKEN.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import regex

from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

TOKEN = "ZA-Yj3aBD8U8Cm7lKUp-lm9O9BmDgdhHzDeqsY8tlL0"
ACCOUNT_ID = "109348684873218431"
ALL_SCOPES = "read:accounts read:statuses write:media write:statuses"
KEY_LASTS = timedelta(hours=1)
LINK = re.compile(r"https?://[^\s<]+")
MENTION = re.compile(r"@(\w+)@([\w.-]+\w)")
IN_TEXT = re.compile(rf"{LINK.pattern}|{MENTION.pattern}")
MEDIA_TAKEN = "Media {} not found or already attached to another post"
NOT_PROCESSED = "Cannot attach files that have not finished processing. Try again in a moment!"

INSTANCE_V2: dict[str, Any] = {
    "domain": "127.0.0.1",
    "title": "Fake",
    "version": "4.7.2",
    "source_url": "https://github.com/mastodon/mastodon",
    "configuration": {
        "urls": {"streaming": "wss://127.0.0.1", "status": "https://127.0.0.1/status"},
        "statuses": {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23},
        "media_attachments": {
            "supported_mime_types": ["image/jpeg", "image/png", "image/gif", "video/mp4", "video/webm", "audio/mpeg"],
            "description_limit": 10_000,
            "image_size_limit": 16_777_216,
            "image_matrix_limit": 33_177_600,
            "video_size_limit": 103_809_024,
            "video_frame_rate_limit": 120,
            "video_matrix_limit": 8_294_400,
        },
        "polls": {
            "max_options": 4,
            "max_characters_per_option": 50,
            "min_expiration": 300,
            "max_expiration": 2_629_746,
        },
    },
    "api_versions": {"mastodon": 9},
}


class Refused(Exception):
    def __init__(self, status: int, error: Any, **headers: str) -> None:
        self.answer = Answer(status, {"error": error}, headers)


@dataclass
class Upload:
    """A file: how many looks still find it being processed, and the status that has it."""

    kind: str
    description: str
    looks_left: int = 0
    status_id: str = ""
    fails_with: str = ""


@dataclass
class Grant:
    """What an access token may do; ``refresh_token`` only where ``tokens_end_after`` is set."""

    scopes: str
    application: str
    refresh_token: str = ""


@dataclass
class Registered:
    redirect_uri: str
    scopes: list[str]
    secret: str
    name: str
    codes: dict[str, dict[str, str]] = field(default_factory=dict)


class FakeMastodon(FakeServer):
    """``v1_only``: no /api/v2/instance. ``repeats``: what a used key is answered with; ``processing_looks``: how often
    a video is found unfinished. ``list_hides``: how many looks at the account's list do not show the newest status."""

    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.instance: dict[str, Any] = INSTANCE_V2
        self.v1_only = False
        self.repeats: Literal["first", "fails", "posts again"] = "first"
        self.processing_looks = 1
        self.list_hides = 0
        self.tokens_end_after: int | None = None
        self.remaining: dict[str, str] = {}  # headers of a success
        self.known_codes_challenge = True  # PKCE, from 4.3 on
        self.now_offset = timedelta(0)
        self.uploads: dict[str, Upload] = {}
        self.statuses: list[dict[str, Any]] = []
        self.keys: dict[str, tuple[datetime, dict[str, Any]]] = {}
        self.apps: dict[str, Registered] = {}
        self.grants: dict[str, Grant] = {TOKEN: Grant(ALL_SCOPES, "SocialQ")}
        self.login_problem: tuple[int, str] | None = None
        self.gone_replies: set[str] = set()
        self._made = 0
        self.controls = {"expire_access_tokens": self.expire_access_tokens, "vacuum_uploads": self.uploads.clear}

    def expire_access_tokens(self) -> None:
        """Every access token ends; what it is refreshed with stays."""
        self.grants = {f"ended-{token}": grant for token, grant in self.grants.items()}

    def now(self) -> datetime:
        return datetime.now(UTC) + self.now_offset

    def handle(self, seen: Seen) -> Answer:
        calls = {
            "GET /api/v2/instance": self._instance_v2,
            "GET /api/v1/instance": self._instance_v1,
            "POST /api/v1/apps": self._register,
            "GET /oauth/authorize": self._authorize,
            "POST /oauth/token": self._token,
            "GET /api/v1/accounts/verify_credentials": self._verify,
            "POST /api/v2/media": self._upload,
            "POST /api/v1/statuses": self._post,
            f"GET /api/v1/accounts/{ACCOUNT_ID}/statuses": self._list,
        }
        try:
            if seen.headers.get("transfer-encoding"):
                raise Refused(411, "Length Required")
            media = re.fullmatch(r"GET /api/v1/media/(\w+)", f"{seen.method} {seen.path}")
            call = calls.get(f"{seen.method} {seen.path}")
            if call is None and media is None:
                raise Refused(404, "Record not found")
            answer = self._look(seen, media[1]) if media else call(seen) if call else None
            assert answer is not None
            return answer
        except Refused as refused:
            return refused.answer

    # Instance and login

    def _instance_v2(self, seen: Seen) -> Answer:
        if self.v1_only:
            raise Refused(404, "Record not found")
        return Answer(200, self.instance)

    def _instance_v1(self, seen: Seen) -> Answer:
        return Answer(200, {"uri": self.url, **{k: v for k, v in self.instance.items() if k != "api_versions"}})

    def _register(self, seen: Seen) -> Answer:
        form = seen.form()
        client_id = self._secret("client")
        app = Registered(
            form["redirect_uris"],
            form.get("scopes", "read").split(),
            self._secret("secret"),
            form["client_name"],
        )
        self.apps[client_id] = app
        said = {"id": "7", "name": app.name, "website": form.get("website"), "scopes": app.scopes}
        said |= {"redirect_uri": app.redirect_uri, "redirect_uris": [app.redirect_uri], "vapid_key": "v"}
        return Answer(200, said | {"client_id": client_id, "client_secret": app.secret, "client_secret_expires_at": 0})

    def _authorize(self, seen: Seen) -> Answer:
        """Answer as if alice had agreed at once."""
        app, asked = self.apps.get(seen.query["client_id"]), seen.query
        if app is None or asked["redirect_uri"] != app.redirect_uri or asked["response_type"] != "code":
            raise Refused(400, "invalid_request")
        if set(asked.get("scope", "read").split()) - set(app.scopes):
            raise Refused(400, "invalid_scope")
        code = self._secret("code")
        app.codes[code] = {"scope": asked.get("scope", "read"), "challenge": asked.get("code_challenge", "")}
        location = f"{app.redirect_uri}?{urlencode({'code': code, 'state': asked['state']})}"
        return Answer(302, "", {"Location": location})

    def _token(self, seen: Seen) -> Answer:
        form = seen.form()
        app = self.apps.get(form.get("client_id", ""))
        if app is None or form.get("client_secret") != app.secret:
            return self._oauth_error(401, "invalid_client")
        match form["grant_type"]:
            case "client_credentials":
                if set(form.get("scope", "read").split()) - set(app.scopes):
                    return self._oauth_error(400, "invalid_scope")
                return Answer(200, self._issued(form.get("scope", "read"), app))
            case "refresh_token":
                old = next((t for t, g in self.grants.items() if g.refresh_token == form["refresh_token"]), None)
                if old is None:
                    return self._oauth_error(400, "invalid_grant")
                return Answer(200, self._issued(self.grants.pop(old).scopes, app))
        code = app.codes.pop(form.get("code", ""), None)
        verified = not self.known_codes_challenge or code is None or self._proves(form, code["challenge"])
        if code is None or form.get("redirect_uri") != app.redirect_uri or not verified:
            return self._oauth_error(400, "invalid_grant")
        return Answer(200, self._issued(code["scope"], app))

    def _proves(self, form: dict[str, str], challenge: str) -> bool:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        return not challenge or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge

    def _issued(self, scopes: str, app: Registered) -> dict[str, Any]:
        token, grant = self._secret("token"), Grant(scopes, app.name)
        said: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "scope": scopes}
        said["created_at"] = int(self.now().timestamp())
        if self.tokens_end_after is not None:
            grant.refresh_token = self._secret("renewal")
            said |= {"expires_in": self.tokens_end_after, "refresh_token": grant.refresh_token}
        self.grants[token] = grant
        return said

    def _oauth_error(self, status: int, error: str) -> Answer:
        return Answer(status, {"error": error, "error_description": "Said in a longer way."})

    def _verify(self, seen: Seen) -> Answer:
        self._grant(seen, "read:accounts")
        said = {"id": ACCOUNT_ID, "username": "alice", "acct": "alice", "display_name": "Alice"}
        return Answer(200, said | {"url": f"{self.url}/@alice", "source": {"privacy": "public"}})

    def _grant(self, seen: Seen, scope: str) -> Grant:
        grant = self.grants.get(seen.headers.get("authorization", "").removeprefix("Bearer "))
        if grant is None:
            raise Refused(401, "The access token is invalid")
        if not {scope, scope.partition(":")[0]} & set(grant.scopes.split()):
            raise Refused(403, "This action is outside the authorized scopes")
        if self.login_problem is not None:
            raise Refused(*self.login_problem)
        return grant

    # Files

    def _upload(self, seen: Seen) -> Answer:
        self._grant(seen, "write:media")
        parts = seen.parts()
        filename, body = parts["file"]
        kind = seen.headers["content-type"] and self._kind(seen.body)
        if not filename or not body or not kind:
            raise Refused(422, "Validation failed: File content type is invalid, File is invalid")
        description = parts.get("description", ("", b""))[1].decode()
        if len(description) > self.instance["configuration"]["media_attachments"].get("description_limit", 1500):
            raise Refused(422, "Validation failed: Description is too long")
        is_slow = kind in ("video", "gifv")
        self.uploads[media_id := self._id()] = Upload(kind, description, self.processing_looks if is_slow else 0)
        return Answer(202 if is_slow and self.processing_looks else 200, self._media(media_id))

    def _kind(self, body: bytes) -> str:
        """Return what a file is said to be; its bytes are not looked at."""
        said = re.search(rb'name="file"; filename="[^"]*"\r\nContent-Type: ([a-z]+)/(\w+)', body)
        kind = said[1].decode() if said else ""
        return "gifv" if said and said[2] == b"gif" else kind if kind in ("image", "video") else ""

    def _look(self, seen: Seen, media_id: str) -> Answer:
        self._grant(seen, "write:media")
        upload = self.uploads.get(media_id)
        if upload is None or upload.status_id:
            raise Refused(404, "Record not found")
        if upload.fails_with:
            raise Refused(422, upload.fails_with)
        if upload.looks_left:
            upload.looks_left -= 1
            return Answer(206, self._media(media_id))
        return Answer(200, self._media(media_id))

    def _media(self, media_id: str) -> dict[str, Any]:
        upload = self.uploads[media_id]
        url = None if upload.looks_left else f"https://files.example/{media_id}"
        said = {"id": media_id, "type": upload.kind, "url": url, "preview_url": "https://files.example/p"}
        return said | {"remote_url": None, "meta": None, "description": upload.description or None, "blurhash": None}

    # Statuses

    def _post(self, seen: Seen) -> Answer:
        grant = self._grant(seen, "write:statuses")
        asked, key = seen.json(), seen.headers.get("idempotency-key", "")
        used_at, first = self.keys.get(key, (None, {}))
        if used_at and self.repeats != "posts again" and self.now() < used_at + KEY_LASTS:
            if self.repeats == "fails":
                return Answer(500, {"error": "This page is not correct"})
            return Answer(200, first, self.remaining)
        self._validate(asked)
        status = self._stored(asked, grant)
        self.keys[key] = (self.now(), status)
        self.accept(
            platform="mastodon",
            account=f"{ACCOUNT_ID}@{self.url.removeprefix('http://')}",
            key=key,
            text=asked.get("status", ""),
            status=status["id"],
            asked=asked,
        )
        return Answer(200, status, self.remaining)

    def _validate(self, asked: dict[str, Any]) -> None:
        text, ids = asked.get("status", ""), asked.get("media_ids", [])
        configuration = self.instance["configuration"]["statuses"]
        missing = [each for each in ids if each not in self.uploads or self.uploads[each].status_id]
        if missing:
            raise Refused(422, MEDIA_TAKEN.format(", ".join(missing)))
        if any(self.uploads[each].looks_left for each in ids):
            raise Refused(422, NOT_PROCESSED)
        if len(ids) > configuration["max_media_attachments"]:
            raise Refused(422, "Cannot attach more than 4 files")
        if len(ids) > 1 and any(self.uploads[each].kind == "video" for each in ids):
            raise Refused(422, "Cannot attach a video to a post that already contains images")
        if asked.get("in_reply_to_id") in self.gone_replies:
            raise Refused(404, "The post you are trying to reply to does not appear to exist.")
        if not text.strip() and not ids and not asked.get("spoiler_text"):
            raise Refused(422, "Validation failed: Text can't be blank")
        countable = MENTION.sub(r"@\1", LINK.sub("x" * 23, text)) + asked.get("spoiler_text", "")
        if len(regex.findall(r"\X", countable)) > configuration["max_characters"]:
            raise Refused(422, f"Validation failed: Text character limit of {configuration['max_characters']} exceeded")

    def _stored(self, asked: dict[str, Any], grant: Grant) -> dict[str, Any]:
        status_id = self._id()
        for media_id in asked.get("media_ids", []):
            self.uploads[media_id].status_id = status_id
        status = {
            "id": status_id,
            "url": f"https://fake.example/@alice/{status_id}",
            "uri": f"https://fake.example/users/alice/statuses/{status_id}",
            "created_at": self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "content": as_html(asked.get("status", "")),
            "spoiler_text": asked.get("spoiler_text", ""),
            "visibility": asked.get("visibility", "public"),
            "language": asked.get("language"),
            "sensitive": asked.get("sensitive", False),
            "in_reply_to_id": asked.get("in_reply_to_id"),
            "media_attachments": [self._media(media_id) for media_id in asked.get("media_ids", [])],
            "application": {"name": grant.application, "website": None},
        }
        self.statuses.insert(0, status)
        return status

    def post_by_hand(self, text: str, application: str = "Web", **more: Any) -> dict[str, Any]:
        """Post as alice herself, from another app."""
        status = self._stored({"status": text}, Grant("", application))
        status.update(more)
        return status

    def _list(self, seen: Seen) -> Answer:
        self._grant(seen, "read:statuses")
        assert seen.query["exclude_reblogs"] == "true"
        hidden = 1 if self.list_hides else 0
        self.list_hides -= hidden
        return Answer(200, self.statuses[hidden : hidden + int(seen.query["limit"])])

    def _id(self) -> str:
        self._made += 1
        return str(115_000_000_000_000_000 + self._made)

    def _secret(self, what: str) -> str:
        self._made += 1
        return f"{what}-{self._made}-{'s' * 20}"


def as_html(text: str) -> str:
    """Return a text as Mastodon shows it: paragraphs, links with their ends hidden, people without their server."""
    paragraphs = (_marked(each).replace("\n", "<br />") for each in text.split("\n\n"))
    return "".join(f"<p>{each}</p>" for each in paragraphs) if text else ""


def _marked(text: str) -> str:
    pieces, at = [], 0
    for found in IN_TEXT.finditer(text):
        pieces.append(html.escape(text[at : found.start()], quote=True))
        pieces.append(_link(found[0]) if found[0].startswith("http") else _person(found[1], found[2]))
        at = found.end()
    return "".join(pieces) + html.escape(text[at:], quote=True)


def _link(url: str) -> str:
    scheme, rest = url.split("://", 1)
    shown = f'<span class="ellipsis">{rest[:30]}</span>' if len(rest) > 30 else f"<span>{rest}</span>"
    hidden = f'<span class="invisible">{rest[30:]}</span>'
    start = f'<span class="invisible">{scheme}://</span>'
    return f'<a href="{html.escape(url)}" target="_blank" rel="nofollow noopener">{start}{shown}{hidden}</a>'


def _person(name: str, server: str) -> str:
    link = f'<a href="https://{server}/@{name}" class="u-url mention">@<span>{name}</span></a>'
    return f'<span class="h-card" translate="no">{link}</span>'


if __name__ == "__main__":
    serve(FakeMastodon)
