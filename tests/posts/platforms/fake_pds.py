"""A Bluesky server: sessions, blobs, records. Behaves as measured on the reference PDS where that is known.

As a process: ``python -m tests.posts.platforms.fake_pds --port 0``. One account: alice.test with PASSWORD.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from pathlib import Path
from typing import Any

import regex

from tests.posts.platforms.fake_server import Answer, FakeServer, Seen, serve

PASSWORD = "abcd-efgh-ijkl-mnop"
SIGNING_KEY = b"only for tests"
ACCESS_SECONDS = 7200
REFRESH_SECONDS = 90 * 86_400
LOGINS_IN_FIVE_MINUTES = 30
MAX_IMAGE_BYTES = 1_000_000
TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
CREATED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def did_of(handle: str) -> str:
    digest = base64.b32encode(hashlib.sha256(handle.encode()).digest()).decode().lower()
    return f"did:plc:{digest[:24]}"


def cid_of(value: bytes) -> str:
    return "bafyrei" + base64.b32encode(hashlib.sha256(value).digest()).decode().lower().rstrip("=")


class Refused(Exception):
    def __init__(self, status: int, name: str, message: str = "", **headers: str) -> None:
        self.answer = Answer(status, {"error": name, "message": message}, headers)


class FakePds(FakeServer):
    """``pds_url`` makes it an entryway: it logs in and names that other server, and takes no other call."""

    def __init__(self, port: int = 0, log: Path | None = None, *, pds_url: str = "") -> None:
        super().__init__(port, log)
        self.passwords = {"alice.test": PASSWORD}
        self.status = ""  # "deactivated" or "takendown"
        self.records: dict[tuple[str, str], dict[str, Any]] = {}
        self.blobs: dict[str, int] = {}
        self.resolvable = {"bob.test": did_of("bob.test")}
        self.generation = 0  # access tokens of an earlier one have expired
        self.sessions_revoked = False
        self.logins = 0
        self._pds_url = pds_url
        self.controls = {
            "expire_access_tokens": self.expire_access_tokens,
            "revoke_sessions": self.revoke_sessions,
            "collect_blobs": self.blobs.clear,
        }

    def expire_access_tokens(self) -> None:
        self.generation += 1

    def revoke_sessions(self) -> None:
        """As after deleting the app password: only a refresh shows it, once the access token has run out."""
        self.sessions_revoked = True
        self.expire_access_tokens()

    def handle(self, seen: Seen) -> Answer:
        method = seen.path.removeprefix("/xrpc/")
        calls = {
            "com.atproto.server.createSession": self._create_session,
            "com.atproto.server.refreshSession": self._refresh_session,
            "com.atproto.identity.resolveHandle": self._resolve_handle,
            "com.atproto.repo.uploadBlob": self._upload_blob,
            "com.atproto.repo.putRecord": self._put_record,
            "com.atproto.repo.getRecord": self._get_record,
        }
        try:
            if method not in calls or (self._pds_url and "server" not in method):
                raise Refused(501, "MethodNotImplemented", "Method Not Implemented")
            return Answer(200, calls[method](seen))
        except Refused as refused:
            return refused.answer

    def _create_session(self, seen: Seen) -> dict[str, Any]:
        self.logins += 1
        if self.logins > LOGINS_IN_FIVE_MINUTES:
            reset = {"RateLimit-Reset": str(int(time.time()) + 300), "RateLimit-Policy": "30;w=300"}
            raise Refused(429, "RateLimitExceeded", "Rate Limit Exceeded", **reset)
        asked = seen.json()
        if self.passwords.get(asked["identifier"]) != asked["password"]:
            raise Refused(401, "AuthenticationRequired", "Invalid identifier or password")
        if self.status == "takendown":
            raise Refused(401, "AccountTakedown", "Account has been taken down")
        return self._session(asked["identifier"]) | {"active": not self.status, "status": self.status}

    def _refresh_session(self, seen: Seen) -> dict[str, Any]:
        if seen.body:
            raise Refused(400, "InvalidRequest", "A request body was provided when none was expected")
        claims = self._claims(seen, "refresh")
        if self.sessions_revoked:
            raise Refused(400, "ExpiredToken", "Token has been revoked")
        return self._session(claims["handle"])

    def _resolve_handle(self, seen: Seen) -> dict[str, Any]:
        if seen.query["handle"] not in self.resolvable:
            raise Refused(400, "InvalidRequest", "Unable to resolve handle")
        return {"did": self.resolvable[seen.query["handle"]]}

    def _upload_blob(self, seen: Seen) -> dict[str, Any]:
        self._claims(seen, "access")
        cid = cid_of(seen.body)
        self.blobs[cid] = len(seen.body)
        kind = seen.headers["content-type"]
        return {"blob": {"$type": "blob", "ref": {"$link": cid}, "mimeType": kind, "size": len(seen.body)}}

    def _put_record(self, seen: Seen) -> dict[str, Any]:
        did = self._claims(seen, "access")["sub"]
        asked = seen.json()
        if asked["repo"] != did:
            raise Refused(401, "AuthMissing")
        self._check(asked["rkey"], asked["record"])
        place, record = (did, asked["rkey"]), asked["record"]
        if place in self.records and asked.get("swapRecord", "") is None:
            raise Refused(400, "InvalidSwap", "Record was at " + self._cid(self.records[place]))
        if self.records.get(place) != record:
            self.records[place] = record
            self.accept(platform="bluesky", account=did, key=asked["rkey"], text=record["text"], record=record)
        return {"uri": f"at://{did}/app.bsky.feed.post/{asked['rkey']}", "cid": self._cid(record)}

    def _get_record(self, seen: Seen) -> dict[str, Any]:
        place = (seen.query["repo"], seen.query["rkey"])
        if place not in self.records:
            raise Refused(400, "RecordNotFound", "Could not locate record")
        record = self.records[place]
        return {"uri": f"at://{place[0]}/app.bsky.feed.post/{place[1]}", "cid": self._cid(record), "value": record}

    def _check(self, rkey: str, record: dict[str, Any]) -> None:
        """Refuse what the lexicon of a post refuses."""
        text = record["text"]
        images = record.get("embed", {}).get("images", [])
        problems = {
            "Record/text must not be longer than 300 graphemes": len(regex.findall(r"\X", text)) > 300,
            "Record/text must not be longer than 3000 bytes": len(text.encode()) > 3000,
            "Record/createdAt must be an valid atproto datetime": not CREATED_AT.fullmatch(record["createdAt"]),
            "Record/embed/images must not have more than 4 elements": len(images) > 4,
            "Invalid record key": not TID.fullmatch(rkey),
            "blob too big": any(each["image"]["size"] > MAX_IMAGE_BYTES for each in images),
        }
        for message, broken in problems.items():
            if broken:
                raise Refused(400, "InvalidRequest", f"Invalid app.bsky.feed.post record: {message}")
        if any(each["image"]["ref"]["$link"] not in self.blobs for each in images):
            raise Refused(400, "BlobNotFound", "Could not find blob")

    def _session(self, handle: str) -> dict[str, Any]:
        did = did_of(handle)
        service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer"}
        document = {"id": did, "service": [service | {"serviceEndpoint": self._pds_url or self.url}]}
        tokens = {f"{kind}Jwt": self._token(kind, handle) for kind in ("access", "refresh")}
        return tokens | {"did": did, "handle": handle, "didDoc": document, "active": True}

    def _token(self, kind: str, handle: str) -> str:
        life = ACCESS_SECONDS if kind == "access" else REFRESH_SECONDS
        claims = {"kind": kind, "sub": did_of(handle), "handle": handle, "exp": int(time.time()) + life}
        payload = _encoded(json.dumps(claims | {"generation": self.generation}).encode())
        signature = _encoded(hmac.digest(SIGNING_KEY, payload.encode(), "sha256"))
        return f"{_encoded(b'{}')}.{payload}.{signature}"

    def _claims(self, seen: Seen, kind: str) -> dict[str, Any]:
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            raise Refused(401, "AuthMissing", "Authentication Required")
        _, payload, signature = (token + "..").split(".")[:3]
        if signature != _encoded(hmac.digest(SIGNING_KEY, payload.encode(), "sha256")):
            raise Refused(400, "InvalidToken", "Token could not be verified")
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
        if claims["kind"] != kind:
            raise Refused(400, "InvalidToken", "Invalid token scope")
        if self.status == "takendown":
            raise Refused(401, "AccountTakedown", "Account has been taken down")
        if self.status == "deactivated":
            raise Refused(401, "AccountDeactivated", "Account is deactivated")
        if claims["exp"] < time.time() or (kind == "access" and claims["generation"] < self.generation):
            raise Refused(400, "ExpiredToken", "Token has expired")
        return claims

    def _cid(self, record: dict[str, Any]) -> str:
        return cid_of(json.dumps(record, sort_keys=True).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


if __name__ == "__main__":
    serve(FakePds)
