"""LinkedIn's REST API: a member, two organisations, uploads in parts, little text that is cut, a duplicate check.

As a process: ``python -m tests.posts.platforms.fake_linkedin --port 0``. TOKEN belongs to MEMBER, who administers PAGE
and SECOND_PAGE; PARTNER_TOKEN has the organisations' scopes only.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

TOKEN = "AQX-member-token-1"
PARTNER_TOKEN = "AQX-partner-token-1"
REFRESH_TOKEN = "AQW-refresh-token-1"
CODE = "AQT-code-1"
MEMBER = "urn:li:person:dXNlcjE"
PAGE = "urn:li:organization:1001"
SECOND_PAGE = "urn:li:organization:1002"
MEMBER_SCOPES = "openid,profile,w_member_social"
PAGE_SCOPES = "r_basicprofile,w_organization_social,r_organization_social,rw_organization_admin"
VERSIONS = ("202608", "202609")

RESERVED = "\\|{}@[]()<>#*_~"
TEMPLATE = re.compile(
    r"@\[((?:\\.|[^\]\\])+)\]\(urn:li:(?:person|organization):[\w-]+\)|\{hashtag\|\\#\|((?:\\.|[^}\\])+)\}"
)
BARE_LINK = re.compile(r"https?://[^\s\\]+")
LIMIT = 3000
PART_BYTES = 4_194_304


class Refused(Exception):
    def __init__(self, status: int, code: str = "", message: str = "", **rest: Any) -> None:
        body = {"status": status, "message": message or f"Refused: {code}", **rest}
        self.answer = Answer(status, body | ({"code": code} if code else {}))


def understood(commentary: str) -> str:
    """Return what LinkedIn shows of a commentary: it ends at the first reserved character that is not escaped."""
    shown, at = "", 0
    while at < len(commentary):
        template, link = TEMPLATE.match(commentary, at), BARE_LINK.match(commentary, at)
        if template:
            shown += understood(template[1]) if template[1] else f"#{understood(template[2])}"
            at = template.end()
        elif commentary[at] == "\\":
            shown += commentary[at + 1]
            at += 2
        elif link and not set(RESERVED) - {"_"} & set(link[0]):
            shown += link[0]
            at = link.end()
        elif commentary[at] in RESERVED:
            break
        else:
            shown += commentary[at]
            at += 1
    return shown


class FakeLinkedIn(FakeServer):
    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        super().__init__(port, log)
        self.tokens = {
            TOKEN: set(MEMBER_SCOPES.split(",")),
            PARTNER_TOKEN: set(PAGE_SCOPES.split(",")),
        }
        self.fresh_answers = 0  # how many calls a token that was just issued is still unknown for
        self.refresh_life = 31_536_000
        self.gives_refresh_tokens = True
        self.roles = [
            {"organization": PAGE, "role": "ADMINISTRATOR", "state": "APPROVED"},
            {"organization": "urn:li:organization:1009", "role": "ANALYST", "state": "APPROVED"},
            {"organization": SECOND_PAGE, "role": "CONTENT_ADMINISTRATOR", "state": "APPROVED"},
        ]
        self.roles_per_page = 100
        self.posts: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.assets: dict[str, dict[str, Any]] = {}
        self.urls: dict[str, tuple[str, int]] = {}  # path of an upload address: URN and part
        self.state = "AVAILABLE"  # of what is uploaded from now on
        self.names_duplicates = True
        self.id_header = "x-restli-id"
        self.hidden_posts = 0  # how many of the newest posts the list does not show yet
        self.checks_images = True
        self.part_bytes = PART_BYTES
        self.upload_seconds = 3600
        self.controls["expire_access_tokens"] = self.expire_access_tokens
        self._number = 7_000_000_000_000_000_000

    def expire_access_tokens(self) -> None:
        self.tokens.clear()

    def handle(self, seen: Seen) -> Answer:
        try:
            if seen.path.startswith("/oauth/v2/accessToken"):
                return self._token(seen)
            if seen.path.startswith("/dms-uploads/"):
                return self._upload(seen)
            self._log_in(seen)
            if seen.path.startswith("/rest/"):
                self._check_headers(seen)
            return self._route(seen)
        except Refused as refused:
            return refused.answer

    def _route(self, seen: Seen) -> Answer:
        collection = "/".join(seen.path.split("/")[:3])
        call = {
            "/v2/userinfo": self._userinfo,
            "/v2/me": self._me,
            "/rest/organizationAcls": self._acls,
            "/rest/organizations": self._organization,
            "/rest/images": self._assets,
            "/rest/documents": self._assets,
            "/rest/videos": self._assets,
            "/rest/posts": self._posts,
            "/rest/socialActions": self._comments,
        }.get(collection)
        if call is None:
            raise Refused(404, "NOT_FOUND")
        return call(seen)

    # Logging in

    def _token(self, seen: Seen) -> Answer:
        form = seen.form()
        if form.get("client_id") != "client-1" or form.get("client_secret") != "client-secret-1":
            return Answer(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        given = form.get("code" if form["grant_type"] == "authorization_code" else "refresh_token")
        if given not in (CODE, REFRESH_TOKEN):
            return Answer(400, {"error": "invalid_request", "error_description": "authorization code not found"})
        if given == REFRESH_TOKEN:
            self.refresh_life -= 1000
        token = f"AQX-issued-{len(self.tokens) + 1}"
        self.tokens[token] = {*MEMBER_SCOPES.split(","), *PAGE_SCOPES.split(",")}
        answer: dict[str, Any] = {"access_token": token, "expires_in": 5_184_000}
        answer["scope"] = ",".join(sorted(self.tokens[token]))
        if self.gives_refresh_tokens:
            answer |= {"refresh_token": REFRESH_TOKEN, "refresh_token_expires_in": self.refresh_life}
        return Answer(200, answer)

    def _log_in(self, seen: Seen) -> None:
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            raise Refused(401, "EMPTY_ACCESS_TOKEN", "Empty oauth2_access_token", serviceErrorCode=65604)
        if self.fresh_answers:
            self.fresh_answers -= 1
            message = "The token used in the request has been revoked by the user"
            raise Refused(401, "REVOKED_ACCESS_TOKEN", message, serviceErrorCode=65601)
        if token not in self.tokens:
            raise Refused(401, "INVALID_ACCESS_TOKEN", "Invalid access token", serviceErrorCode=65600)
        self.scopes = self.tokens[token]

    def _need(self, *scopes: str, what: str) -> None:
        if not self.scopes & set(scopes):
            message = f"Not enough permissions to access: {what}"
            raise Refused(403, "ACCESS_DENIED", message, serviceErrorCode=100)

    def _check_headers(self, seen: Seen) -> None:
        version = seen.headers.get("linkedin-version")
        if not version:
            raise Refused(400, "VERSION_MISSING", "A version must be present. Please specify a version")
        if version not in VERSIONS:
            raise Refused(426, "NONEXISTENT_VERSION", f"Requested version {version}01 is not active")
        if seen.headers.get("x-restli-protocol-version") != "2.0.0":
            raise Refused(400, "", "Invalid Rest.li protocol version")
        if ":" in seen.path:
            raise Refused(400, "ILLEGAL_ARGUMENT", "Syntax exception in path variables")

    def _userinfo(self, seen: Seen) -> Answer:
        self._need("openid", what="userinfo.GET")
        return Answer(200, {"sub": MEMBER.rpartition(":")[2], "name": "Ada Example", "locale": {"country": "DE"}})

    def _me(self, seen: Seen) -> Answer:
        self._need("r_basicprofile", what="me.GET")
        name = {"localizedFirstName": "Ada", "localizedLastName": "Example"}
        return Answer(200, {"id": MEMBER.rpartition(":")[2], **name})

    def _acls(self, seen: Seen) -> Answer:
        self._need("rw_organization_admin", what="organizationAcls.FINDER-roleAssignee")
        start, count = int(seen.query["start"]), min(int(seen.query["count"]), self.roles_per_page)
        assert seen.query["q"] == "roleAssignee"
        return Answer(200, {"elements": self.roles[start : start + count], "paging": {"start": start, "count": count}})

    def _organization(self, seen: Seen) -> Answer:
        number = seen.path.rpartition("/")[2]
        return Answer(200, {"id": int(number), "localizedName": f"Page {number}", "vanityName": f"page-{number}"})

    # Files

    def _assets(self, seen: Seen) -> Answer:
        kind = seen.path.split("/")[2].removesuffix("s")
        if seen.method == "GET":
            return self._asset(seen, kind)
        asked = seen.json()
        if seen.query["action"] == "finalizeUpload":
            return self._finalize(asked["finalizeUploadRequest"])
        asked = asked["initializeUploadRequest"]
        self._require_author(asked["owner"], f"{kind}s.ACTION-initializeUpload")
        urn = f"urn:li:{kind}:C{len(self.assets) + 1}"
        asset = {"owner": asked["owner"], "kind": kind, "state": "WAITING_UPLOAD", "parts": {}}
        self.assets[urn] = asset
        if kind != "video":
            value = {"uploadUrl": self._address(urn, 0), kind: urn, "uploadUrlExpiresAt": self._soon()}
            return Answer(200, {"value": value})
        asset |= {"size": asked["fileSizeBytes"], "token": f"token {urn}"}
        starts = range(0, asset["size"], self.part_bytes)
        parts = [
            {
                "uploadUrl": self._address(urn, number),
                "firstByte": start,
                "lastByte": min(start + self.part_bytes, asset["size"]) - 1,
            }
            for number, start in enumerate(starts)
        ]
        asset["sizes"] = [part["lastByte"] - part["firstByte"] + 1 for part in parts]
        value = {"video": urn, "uploadToken": asset["token"], "uploadUrlsExpireAt": self._soon()}
        return Answer(200, {"value": {**value, "uploadInstructions": parts}})

    def _soon(self) -> int:
        return int((time.time() + self.upload_seconds) * 1000)

    def _address(self, urn: str, part: int) -> str:
        path = f"/dms-uploads/{len(self.urls) + 1}-signed"
        self.urls[path] = (urn, part)
        return f"{self.url}{path}?sig=s3cret{len(self.urls)}"

    def _upload(self, seen: Seen) -> Answer:
        urn, part = self.urls[seen.path]
        if not seen.query.get("sig"):
            raise Refused(403, "", "no signature")
        asset = self.assets[urn]
        if asset["kind"] != "video":
            self._log_in(seen)
            asset |= {"body": seen.body, "type": seen.headers["content-type"], "state": self.state}
            return Answer(201, "")
        if asset.get("expired"):
            raise Refused(400, "EXPIRED_UPLOAD_URL")
        if len(seen.body) != asset["sizes"][part]:
            raise Refused(400, "", "part of a wrong size")
        asset["parts"][part] = seen.body
        return Answer(200, "", {"ETag": f"etag-{urn[-2:]}-{part}"})

    def _finalize(self, asked: dict[str, Any]) -> Answer:
        urn, asset = asked["video"], self.assets[asked["video"]]
        etags = [f"etag-{urn[-2:]}-{part}" for part in range(len(asset["sizes"]))]
        if asked["uploadToken"] != asset["token"] or asked["uploadedPartIds"] != etags:
            raise Refused(400, "UPDATING_ASSET_FAILED")
        asset |= {"body": b"".join(asset["parts"][part] for part in range(len(etags))), "state": self.state}
        return Answer(200, "")

    def _asset(self, seen: Seen, kind: str) -> Answer:
        urn = unquote(seen.path.rpartition("/")[2])
        if kind != "video" or not self.scopes & {"w_member_social"}:
            self._need("r_organization_social", "rw_organization_admin", what=f"{kind}s.GET")
        asset = self.assets[urn]
        failed = {"processingFailureReason": "codec"} if asset["state"] == "PROCESSING_FAILED" else {}
        return Answer(200, {"id": urn, "owner": asset["owner"], "status": asset["state"], **failed})

    # Posts

    def _posts(self, seen: Seen) -> Answer:
        if seen.method == "GET":
            self._need("r_organization_social", what="posts.FINDER-author")
            assert seen.headers["x-restli-method"] == "FINDER"
            shown = self.posts[: len(self.posts) - self.hidden_posts]
            mine = [post for post in shown if post["author"] == seen.query["author"]]
            return Answer(200, {"elements": mine[::-1][: int(seen.query["count"])], "paging": {}})
        body = seen.json()
        self._require_author(body["author"], "posts.CREATE")
        self._check_post(body)
        same = [
            post
            for post in self.posts
            if (post["author"], post["commentary"]) == (body["author"], body.get("commentary", ""))
        ]
        if same and body.get("commentary"):
            raise self._duplicate(str(same[0]["id"]))
        self._number += 1
        urn = f"urn:li:{'share' if 'content' not in body else 'ugcPost'}:{self._number}"
        post = {**body, "id": urn, "commentary": body.get("commentary", ""), "createdAt": int(time.time() * 1000)}
        self.posts.append(post)
        self.accept(
            platform="linkedin",
            account=body["author"],
            key=urn,
            text=understood(post["commentary"]),
            content=body.get("content"),
            visibility=body["visibility"],
        )
        return Answer(201, "", {self.id_header: urn} if self.id_header else {})

    def _duplicate(self, urn: str) -> Refused:
        named = urn if self.names_duplicates else "urn:li:person:dXNlcjE"
        message = "com.linkedin.content.common.exception.BadRequestResponseException: Content is a duplicate of "
        given = {"description": "Duplicate post is detected", "input": {}, "code": "DUPLICATE_POST"}
        details = {"errorDetailType": "com.linkedin.common.error.BadRequest", "errorDetails": {"inputErrors": [given]}}
        return Refused(422, "", message + named, **details)

    def _check_post(self, body: dict[str, Any]) -> None:
        for name in ("author", "visibility", "distribution", "lifecycleState"):
            if name not in body:
                raise Refused(400, "MISSING_FIELD", f"{name} is missing")
        if "commentary" in body and not body["commentary"].strip():
            raise Refused(400, "INVALID_VALUE_BLANK_FIELD")
        if len(understood(body.get("commentary", ""))) > LIMIT:
            raise Refused(400, "FIELD_LENGTH_TOO_LONG")
        content = body.get("content", {})
        if len(content) > 1:
            raise Refused(400, "INVALID_VALUE_FOR_FIELD", "more than one kind of content")
        images = content.get("multiImage", {}).get("images", [])
        if "multiImage" in content and not 2 <= len(images) <= 20:
            raise Refused(400, "INVALID_VALUE_FOR_FIELD", "multiImage takes 2 to 20 images")
        files = [*images, *([content["media"]] if "media" in content else [])]
        thumbnail = content.get("article", {}).get("thumbnail")
        for file in [*files, *([{"id": thumbnail}] if thumbnail else [])]:
            self._check_file(file)
        self._check_poll(content.get("poll"))

    def _check_file(self, file: dict[str, Any]) -> None:
        asset = self.assets.get(file["id"])
        if asset is None:
            raise Refused(400, "INVALID_IMAGE_ID")
        if "altText" in file and (not file["altText"].strip() or asset["kind"] != "image"):
            raise Refused(400, "INVALID_VALUE_BLANK_FIELD")
        if asset["kind"] == "document" and not file.get("title"):
            raise Refused(400, "MISSING_FIELD", "title")
        if asset["state"] != "AVAILABLE":
            raise Refused(400, "MEDIA_ASSET_WAITING_UPLOAD")

    def _check_poll(self, poll: dict[str, Any] | None) -> None:
        if poll is None:
            return
        texts = [option["text"] for option in poll["options"]]
        fits = len(poll["question"]) <= 140 and 2 <= len(texts) <= 4 and all(len(text) <= 30 for text in texts)
        if not fits or poll["settings"]["duration"] not in ("ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS"):
            raise Refused(400, "INVALID_VALUE_FOR_FIELD", "poll")

    def _require_author(self, author: str, what: str) -> None:
        self._need("w_member_social" if author == MEMBER else "w_organization_social", what=what)
        if author not in (MEMBER, *(role["organization"] for role in self.roles)):
            message = "Unpermitted fields present in REQUEST_BODY: Data Processing Exception, fields [/author]"
            raise Refused(403, "", message)

    def _comments(self, seen: Seen) -> Answer:
        post = unquote(seen.path.split("/")[3])
        if seen.method == "GET":
            self._need("r_organization_social", what="partnerApiSocialActions.GET_ALL")
            return Answer(200, {"elements": [each for each in self.comments if each["object"] == post]})
        body = seen.json()
        if post not in [each["id"] for each in self.posts]:
            raise Refused(404, "NOT_FOUND", "Not found")
        self._require_author(body["actor"], "socialActions.CREATE")
        assert body["object"] == post
        number = str(6_600_000_000_000_000_000 + len(self.comments))
        comment = {**body, "id": number, "created": {"actor": body["actor"], "time": int(time.time() * 1000)}}
        self.comments.append(comment)
        self.accept(
            platform="linkedin", account=body["actor"], key=number, text=body["message"]["text"], comment_of=post
        )
        return Answer(201, comment, {"x-restli-id": number})


if __name__ == "__main__":
    serve(FakeLinkedIn)
