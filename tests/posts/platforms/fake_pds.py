"""A Bluesky server: sessions, blobs, records, and the video service that stores on it. Behaves as measured on the
reference PDS, 0.5.35, where that is known.

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
MAX_UPLOAD_BYTES = 5_242_880
MAX_IMAGE_BYTES = 1_000_000  # of older servers; 0.5.35 takes twice as much
MAX_VIDEO_BYTES = 300_000_000
POST = "app.bsky.feed.post"
TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
CREATED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def web_did(address: str) -> str:
    return "did:web:" + address.removeprefix("http://").replace(":", "%3A")


def did_of(handle: str) -> str:
    digest = base64.b32encode(hashlib.sha256(handle.encode()).digest()).decode().lower()
    return f"did:plc:{digest[:24]}"


def cid_of(value: bytes) -> str:
    return "bafyrei" + base64.b32encode(hashlib.sha256(value).digest()).decode().lower().rstrip("=")


class Refused(Exception):
    def __init__(self, status: int, name: str, message: str = "", **headers: str) -> None:
        self.answer = Answer(status, {"error": name, "message": message}, headers)


class FakePds(FakeServer):
    """``pds_url`` makes it an entryway: it logs in and names that other server, and takes no other call.

    ``single_use`` makes it stricter than the reference: a refresh token that was used once is never answered again.
    """

    def __init__(self, port: int = 0, log: Path | None = None, *, pds_url: str = "", single_use: bool = False) -> None:
        super().__init__(port, log)
        self.single_use = single_use
        self.used: set[str] = set()
        self.tokens_made = 0
        self.passwords = {"alice.test": PASSWORD}
        self.status = ""  # "deactivated", "takendown" or "deleted"
        self.records: dict[tuple[str, str], dict[str, Any]] = {}
        self.blobs: dict[str, str] = {}  # what each was said to be
        self.resolvable = {"bob.test": did_of("bob.test")}
        self.generation = 0  # access tokens of an earlier one have expired
        self.sessions_revoked = False
        self.logins = 0
        self.gates: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._pds_url = pds_url
        # As the video service
        self.stores_at: FakePds = self
        self.limits: dict[str, Any] = {"canUpload": True, "remainingDailyVideos": 25, "remainingDailyBytes": 10**10}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.steps = ["JOB_STATE_ENCODING", "JOB_STATE_NEW_AND_UNKNOWN", "JOB_STATE_COMPLETED"]
        self.failure_code = "generic_failure"
        self.bare_answers = False
        self.jobs_are_private = False
        self.videos: dict[bytes, str] = {}
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
            "com.atproto.server.getSession": self._get_session,
            "com.atproto.server.refreshSession": self._refresh_session,
            "com.atproto.identity.resolveHandle": self._resolve_handle,
            "com.atproto.repo.uploadBlob": self._upload_blob,
            "com.atproto.repo.putRecord": self._put_record,
            "com.atproto.repo.getRecord": self._get_record,
            "com.atproto.repo.applyWrites": self._apply_writes,
            "com.atproto.server.getServiceAuth": self._get_service_auth,
            "app.bsky.video.getUploadLimits": self._get_upload_limits,
            "app.bsky.video.uploadVideo": self._upload_video,
            "app.bsky.video.getJobStatus": self._get_job_status,
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
            raise Refused(429, "RateLimitExceeded", "Rate Limit Exceeded", **reset, **{"Retry-After": "300"})
        asked = seen.json()
        locked = self.status in ("takendown", "deleted")  # an app password opens no account that was taken down
        if locked or self.passwords.get(asked["identifier"]) != asked["password"]:
            raise Refused(401, "AuthenticationRequired", "Invalid identifier or password")
        return self._session(asked["identifier"])

    def _get_session(self, seen: Seen) -> dict[str, Any]:
        handle = self._claims(seen, "access")["handle"]
        return {"did": did_of(handle), "handle": handle, "active": not self.status}

    def _refresh_session(self, seen: Seen) -> dict[str, Any]:
        if seen.body:
            raise Refused(400, "InvalidRequest", "A request body was provided when none was expected")
        claims = self._claims(seen, "refresh")
        if self.status == "deleted":
            raise Refused(400, "InvalidRequest", f"Could not find user info for account: {claims['sub']}")
        if self.status == "takendown":
            raise Refused(401, "AccountTakedown", "Account has been taken down")
        if self.sessions_revoked:
            raise Refused(400, "ExpiredToken", "Token has been revoked")
        token = seen.headers["authorization"]
        if self.single_use and token in self.used:
            raise Refused(400, "ExpiredToken", "Token has been used")
        self.used.add(token)
        return self._session(claims["handle"])

    def _resolve_handle(self, seen: Seen) -> dict[str, Any]:
        handle = seen.query["handle"]
        if handle not in self.resolvable:
            own = handle.endswith(".test")
            raise Refused(400, "HandleNotFound" if own else "InvalidRequest", "Unable to resolve handle")
        return {"did": self.resolvable[handle]}

    def _upload_blob(self, seen: Seen) -> dict[str, Any]:
        self._claims(seen, "access")
        self._check_account(but="deactivated")
        if len(seen.body) > MAX_UPLOAD_BYTES:
            raise Refused(413, "PayloadTooLarge", "request entity too large")
        cid, kind = cid_of(seen.body), seen.headers["content-type"]
        self.blobs[cid] = kind
        return {"blob": {"$type": "blob", "ref": {"$link": cid}, "mimeType": kind, "size": len(seen.body)}}

    def _put_record(self, seen: Seen) -> dict[str, Any]:
        claims = self._claims(seen, "access")
        self._check_account()
        did, asked = claims["sub"], seen.json()
        if asked["repo"] != did:
            raise Refused(401, "AuthenticationRequired", "Authentication Required")
        assert asked["collection"] == POST
        self._check(asked["rkey"], asked["record"])
        place, record = (did, asked["rkey"]), asked["record"]
        answer = {"uri": f"at://{did}/app.bsky.feed.post/{asked['rkey']}", "cid": self._cid(record)}
        if self.records.get(place) == record:  # looked at before swapRecord is
            return answer | {"validationStatus": "valid"}
        if place in self.records and asked.get("swapRecord", "") is None:
            raise Refused(400, "InvalidSwap", "Record was at " + self._cid(self.records[place]))
        self._store(did, asked["rkey"], record)
        commit = {"cid": cid_of(f"{len(self.accepted)}".encode()), "rev": asked["rkey"]}
        return answer | {"commit": commit, "validationStatus": "valid"}

    def _apply_writes(self, seen: Seen) -> dict[str, Any]:
        """Create several records or none; a key that is taken is a plain 500, as measured."""
        claims = self._claims(seen, "access")
        self._check_account()
        did, asked = claims["sub"], seen.json()
        if asked["repo"] != did:
            raise Refused(401, "AuthenticationRequired", "Authentication Required")
        results = []
        for write in asked["writes"]:
            assert write["$type"] == "com.atproto.repo.applyWrites#create"
            collection, rkey, value = write["collection"], write["rkey"], write["value"]
            if collection == POST:
                self._check(rkey, value)
            else:  # the AppView marks the post that a gate names, and so has to know it
                assert value["post"] == f"at://{did}/{POST}/{rkey}"
                assert asked["writes"][0]["collection"] == POST
            if (did, rkey) in self.records or (did, collection, rkey) in self.gates:
                raise Refused(500, "InternalServerError", "Internal Server Error")
            uri = f"at://{did}/{collection}/{rkey}"
            kind = "com.atproto.repo.applyWrites#createResult"
            results.append({"$type": kind, "uri": uri, "cid": self._cid(value), "validationStatus": "valid"})
        for write in asked["writes"]:
            if write["collection"] == POST:
                self._store(did, write["rkey"], write["value"])
            else:
                self.gates[did, write["collection"], write["rkey"]] = write["value"]
        return {"commit": {"cid": cid_of(seen.body), "rev": asked["writes"][0]["rkey"]}, "results": results}

    def _store(self, did: str, rkey: str, record: dict[str, Any]) -> None:
        self.records[did, rkey] = record
        self.accept(platform="bluesky", account=did, key=rkey, text=record["text"], record=record)

    def _get_service_auth(self, seen: Seen) -> dict[str, Any]:
        claims = self._claims(seen, "access")
        now, exp = int(time.time()), seen.query["exp"]
        if not exp.isdigit() or not now < int(exp) <= now + 3600:
            raise Refused(400, "BadExpiration", "expiration is not a number in the coming hour")
        issued = {"kind": "service", "sub": claims["sub"], "aud": seen.query["aud"], "lxm": seen.query["lxm"]}
        return {"token": self._signed(issued | {"exp": int(exp)})}

    # The video service

    def _service_claims(self, seen: Seen, audience: str, lxm: str) -> dict[str, Any]:
        claims = self._claims(seen, "service")
        if (claims["aud"], claims["lxm"]) != (audience, lxm):
            raise Refused(401, "BadJwtAudience", "jwt audience or method does not match")
        return claims

    def _get_upload_limits(self, seen: Seen) -> dict[str, Any]:
        self._service_claims(seen, web_did(self.url), "app.bsky.video.getUploadLimits")
        return self.limits

    def _upload_video(self, seen: Seen) -> dict[str, Any]:
        claims = self._service_claims(seen, web_did(self.stores_at.url), "com.atproto.repo.uploadBlob")
        assert seen.query["did"] == claims["sub"]
        assert seen.query["name"].rpartition(".")[0]
        assert seen.headers["content-length"] == str(seen.size_bytes)
        if seen.size_bytes > MAX_VIDEO_BYTES:
            raise Refused(400, "VideoTooLarge", "video is too large")
        known = self.videos.get(seen.body)
        if known:
            refused = Refused(409, "already_exists", "Video already processed")
            refused.answer.body.update(jobId=known, did=claims["sub"], state="JOB_STATE_COMPLETED")
            raise refused
        job = {"jobId": f"job-{len(self.jobs) + 1}", "did": claims["sub"], "state": "JOB_STATE_CREATED"}
        blob = {"$type": "blob", "ref": {"$link": cid_of(seen.body)}, "mimeType": "video/mp4", "size": seen.size_bytes}
        self.jobs[job["jobId"]] = {"job": job, "steps": list(self.steps), "blob": blob, "body": seen.body}
        return job if self.bare_answers else {"jobStatus": job}

    def _get_job_status(self, seen: Seen) -> dict[str, Any]:
        if self.jobs_are_private:
            self._service_claims(seen, web_did(self.url), "app.bsky.video.getJobStatus")
        if seen.query["jobId"] not in self.jobs:
            raise Refused(400, "InvalidRequest", "Job not found")
        entry = self.jobs[seen.query["jobId"]]
        job: dict[str, Any] = entry["job"]
        if entry["steps"]:
            job["state"] = entry["steps"].pop(0)
        job["progress"] = 100 - 25 * len(entry["steps"])
        if job["state"] == "JOB_STATE_COMPLETED":
            job["blob"] = entry["blob"]
            self.stores_at.blobs[entry["blob"]["ref"]["$link"]] = "video/mp4"
            self.videos[entry["body"]] = job["jobId"]
        if job["state"] == "JOB_STATE_FAILED":
            job |= {"error": "failed", "failureCode": self.failure_code, "message": "no luck"}
        return {"jobStatus": job}

    def _get_record(self, seen: Seen) -> dict[str, Any]:
        place = (seen.query["repo"], seen.query["rkey"])
        uri = f"at://{place[0]}/app.bsky.feed.post/{place[1]}"
        if self.status:
            raise Refused(400, "InvalidRequest", "Could not locate record")
        if place not in self.records:
            raise Refused(400, "RecordNotFound", f"Could not locate record: {uri}")
        record = self.records[place]
        return {"uri": uri, "cid": self._cid(record), "value": record}

    def _check(self, rkey: str, record: dict[str, Any]) -> None:
        """Refuse what the lexicon of a post refuses; a reply must answer what is there."""
        embed = record.get("embed", {})
        images = embed.get("images", [])
        items = embed.get("items", [])
        graphemes, size = len(regex.findall(r"\X", record["text"])), len(record["text"].encode())
        if not TID.fullmatch(rkey):
            why = f'Invalid TID string (got "{rkey}") at $'
            raise Refused(400, "InvalidRequest", f"Invalid record key for app.bsky.feed.post: {why}")
        pictures = [each["image"] for each in (*images, *items)]
        problems = {
            f"string too big (maximum 3000, got {size}) at $.record.text": size > 3000,
            f"grapheme too big (maximum 300, got {graphemes}) at $.record.text": graphemes > 300,
            "Invalid datetime at $.record.createdAt": not CREATED_AT.fullmatch(record["createdAt"]),
            f"array too big (maximum 4, got {len(images)}) at $.record.embed.images": len(images) > 4,
            "array too big at $.record.langs": len(record.get("langs", [])) > 3,
            "blob too big at $.record.embed.images": any(each["size"] > MAX_IMAGE_BYTES for each in pictures),
        }
        for message, broken in problems.items():
            if broken:
                raise Refused(400, "InvalidRequest", f"Invalid app.bsky.feed.post record: {message}")
        for named in record.get("reply", {}).values():
            did, _, key = named["uri"].removeprefix("at://").split("/")
            assert named["cid"] == self._cid(self.records[did, key])
        blobs = [*pictures, embed.get("video"), embed.get("external", {}).get("thumb")]
        for blob in filter(None, blobs):
            cid = blob["ref"]["$link"]
            if cid not in self.blobs:
                raise Refused(400, "BlobNotFound", f"Could not find blob: {cid}")
            if self.blobs[cid] != blob["mimeType"]:
                raise Refused(400, "InvalidMimeType", "Referenced Mimetype does not match stored blob")

    def _session(self, handle: str) -> dict[str, Any]:
        did = did_of(handle)
        service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer"}
        document = {"id": did, "service": [service | {"serviceEndpoint": self._pds_url or self.url}]}
        tokens = {f"{kind}Jwt": self._token(kind, handle) for kind in ("access", "refresh")}
        state = {"active": False, "status": self.status} if self.status else {"active": True}
        return tokens | {"did": did, "handle": handle, "didDoc": document} | state

    def _token(self, kind: str, handle: str) -> str:
        life = ACCESS_SECONDS if kind == "access" else REFRESH_SECONDS
        claims = {"kind": kind, "sub": did_of(handle), "handle": handle, "exp": int(time.time()) + life}
        self.tokens_made += 1
        claims |= {"generation": self.generation, "jti": self.tokens_made}
        return self._signed(claims)

    def _signed(self, claims: dict[str, Any]) -> str:
        payload = _encoded(json.dumps(claims).encode())
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
            raise Refused(400, "InvalidToken", "Token could not be verified")
        if claims["exp"] < time.time() or (kind == "access" and claims["generation"] < self.generation):
            raise Refused(400, "ExpiredToken", "Token has expired")
        return claims

    def _check_account(self, but: str = "") -> None:
        if self.status == "deleted":
            raise Refused(403, "AccountNotFound", "Account not found")
        if self.status and self.status != but:
            takedown = self.status == "takendown"
            name = "AccountTakedown" if takedown else "AccountDeactivated"
            raise Refused(401, name, "Account has been taken down" if takedown else "Account is deactivated")

    def _cid(self, record: dict[str, Any]) -> str:
        return cid_of(json.dumps(record, sort_keys=True).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


if __name__ == "__main__":
    serve(FakePds)
