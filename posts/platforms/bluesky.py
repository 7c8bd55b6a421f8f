"""Bluesky, and any other server of the AT Protocol: app passwords, one record a post.

The record's key is ours. ``putRecord`` with ``swapRecord: null`` takes the same record again without a second post and
refuses another one under its key. Where gates say who may answer or quote, post and gates are created by one
``applyWrites``, which stores all or nothing and fails as a whole where the key is taken: gates written ahead would be
lost on the AppView, which marks the post they name and so needs it first, and gates written afterwards would leave the
post open for a while. Either way repeating a commit is safe. The app password is used once, to log in, and not kept.
Lexicons: https://github.com/bluesky-social/atproto/tree/main/lexicons
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from posts.platforms._bluesky_api import (
    APPLY_WRITES,
    CREATE_SESSION,
    GET_RECORD,
    GET_SESSION,
    PUT_RECORD,
    REFRESH_SESSION,
    RESOLVE_HANDLE,
    UPLOAD_BLOB,
    accepted,
    call,
    error_name,
    refusal,
    told_exhausted,
)
from posts.platforms._bluesky_card import link_card
from posts.platforms._bluesky_record import (
    COLLECTION,
    LANGUAGE,
    OPTIONS,
    answering,
    gates,
    images_embed,
    mentioned_handles,
    post_record,
    record_key,
    video_embed,
)
from posts.platforms._bluesky_video import video_blob
from posts.platforms._bluesky_words import WORDS
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import ContentRejected, OutcomeUnknown, PublishError, ReconnectNeeded, Temporary
from posts.publishing.http import Response, base_url
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    Absent,
    CannotTell,
    Config,
    Connection,
    Content,
    Draft,
    Field,
    Finding,
    Found,
    Identity,
    Json,
    MediaFile,
    Published,
    Remark,
)
from posts.text.entities import links

DEFAULT_SERVICE = "https://bsky.social"
TEXT_LIMITS = (TextLimit("graphemes", 300), TextLimit("utf8_bytes", 3000))
MAX_VIDEO_BYTES = 300_000_000

DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]{1,2000}")  # https://atproto.com/specs/did


class Bluesky(Platform):
    """Publishes to an account on Bluesky or on a PDS of one's own."""

    name = "bluesky"
    label = "Bluesky"
    api_server = DEFAULT_SERVICE
    server_setting = "pds"
    capabilities = Capabilities(
        text=TEXT_LIMITS,
        max_images=10,
        images=ImageLimits(max_bytes=1_000_000, max_side_pixels=4000),  # servers differ; newer ones take twice that
        alt_text=(TextLimit("graphemes", 2000),),
        max_videos=1,
        videos=VideoLimits(
            MAX_VIDEO_BYTES, formats=("video/mp4", "video/quicktime", "video/webm", "video/mpeg"), max_seconds=600
        ),
        gifs=VideoLimits(MAX_VIDEO_BYTES, formats=("image/gif",), max_seconds=600),
        threads=True,
        comment=TEXT_LIMITS,
        marks=("link", "tag", "handle"),
    )
    options = OPTIONS
    # https://docs.bsky.app/docs/advanced-guides/rate-limits: 5,000 points an hour, 35,000 a day, a record costs 3
    windows = (Window(1666, 3600), Window(11_666, 86_400))
    connect_fields = (
        Field("identifier", "Handle", help="For example name.bsky.social; a DID or an e-mail address works too."),
        Field(
            "password",
            "App password",
            secret=True,
            help="Bluesky: Settings, Privacy and security, App passwords. Not the password of the account.",
        ),
        Field("service", "Server", required=False, default=DEFAULT_SERVICE, help="Your own PDS, if you have one."),
    )
    words = WORDS
    repeat_is_safe = True
    refreshes = True

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Say what no language is, and that a video goes alone."""
        return _remarks(draft.media, draft.options)

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Log in with an app password; raises ReconnectNeeded if the server refuses or the account is not active."""
        service = _service(session, answers)
        session.http.hide(answers["password"])
        body = {"identifier": answers["identifier"].strip().removeprefix("@"), "password": answers["password"]}
        response = session.http.request("POST", f"{service}/xrpc/{CREATE_SESSION}", json=body)
        return self._connection(session, accepted(session, CREATE_SESSION, response), response, service, service)

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Take over a session by its refresh token; without one, ``access_token`` is an app password."""
        renewal = tokens.get("refresh_token")
        if not renewal:
            return super().connections(session, tokens, answers)
        service = _service(session, answers)
        credentials = {"access_jwt": tokens["access_token"], "refresh_jwt": renewal}
        return [self.refresh(replace(session, credentials=credentials, config={"service": service, "pds": service}))]

    def refresh(self, session: Session) -> Connection:
        """Trade the refresh token for a new pair. Repeatable: the server answers a lost pair again for two hours."""
        response = call(session, "POST", REFRESH_SESSION, token=session.credentials["refresh_jwt"])
        answer = accepted(session, REFRESH_SESSION, response)
        return self._connection(session, answer, response, session.config["service"], session.config["pds"])

    def check(self, session: Session) -> Connection:
        """Ask the server whose session this is."""
        token = session.credentials["access_jwt"]
        answer = accepted(session, GET_SESSION, call(session, "GET", GET_SESSION, token=token))
        did, handle = str(answer.get("did", "")), str(answer.get("handle", ""))
        return Connection(Identity(did, handle or did), {}, expires_at=_expiry(token))

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Upload the files, fetch the link's card, resolve the mentions and freeze the record under its key."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        for remark in _remarks(content.media, content.options):
            raise ContentRejected(remark.code, field=remark.field, **remark.params)
        embed = self._embed(session, content, checkpoints)
        dids = self._resolve(session, mentioned_handles(content.text))
        rkey = record_key(content.keyed_at, content.key)
        record = post_record(content, embed, dids, session.now())
        answers = "first" if content.kind == "comment" else "last" if content.part else ""
        beside = gates(f"at://{session.config['did']}/{COLLECTION}/{rkey}", record, content)
        return {"rkey": rkey, "record": record, "answers": answers, "gates": beside}

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Put the record, with its gates if it has any. Where its key is taken, the record there decides."""
        nsid = APPLY_WRITES if snapshot.get("gates") else PUT_RECORD
        body = (_creation if snapshot.get("gates") else _put)(session, snapshot)
        token = session.credentials["access_jwt"]
        response = call(session, "POST", nsid, token=token, irreversible=True, json=body)
        taken = response.status == 400 and error_name(response) == "InvalidSwap"
        # applyWrites answers a taken key by a plain 500, or who knows how: what was sent before may be live.
        if taken or (response.status != 200 and nsid == APPLY_WRITES and session.sent_before):
            there = self._already_there(session, snapshot)
            if there:
                return there
        if taken:
            raise OutcomeUnknown("bluesky.key_taken")
        answer = accepted(session, nsid, response)
        if nsid == APPLY_WRITES:
            results = answer.get("results")
            answer = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
        published = _published(session, snapshot, answer, response)
        told_exhausted(session, response)
        return published

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Read the record under our key. Needs no token, so it works while the account waits to be reconnected."""
        params = {"repo": session.config["did"], "collection": COLLECTION, "rkey": snapshot["rkey"]}
        response = call(session, "GET", GET_RECORD, params=params)
        if response.status == 400 and error_name(response) == "RecordNotFound":
            return Absent()
        answer = accepted(session, GET_RECORD, response)
        if answer.get("value") != _record(session, snapshot):
            return CannotTell("bluesky.other_record")
        return Found(_published(session, snapshot, answer, response))

    def _already_there(self, session: Session, snapshot: Json) -> Published | None:
        """Return our record where it is under its key, ``None`` where nothing is; else nobody knows."""
        try:
            finding = self.find(session, snapshot, session.now())
        except PublishError:
            finding = CannotTell("bluesky.key_taken")
        if isinstance(finding, CannotTell):
            raise OutcomeUnknown(finding.code)
        return finding.published if isinstance(finding, Found) else None

    def _embed(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json | None:
        """Return what the post carries, uploaded: pictures, a video, or the card of its first link."""
        media = content.media
        if media and media[0].kind in ("video", "gif"):
            return video_embed(media[0], video_blob(session, media[0], checkpoints))
        if media:
            blobs = [
                checkpoints.once(f"blob:{each.key}", partial(self._upload, session, each.mime_type, each.read))
                for each in media
            ]
            return images_embed(media, blobs)
        found = links(content.text) if content.options.get("link_card") else []
        if not found:
            return None
        fetched = partial(link_card, session, found[0].url, partial(self._thumb, session))
        card: Json | None = checkpoints.once("card", lambda: {"embed": fetched()})["embed"]
        return card

    def _thumb(self, session: Session, body: bytes, mime_type: str) -> Json | None:
        try:
            return self._upload(session, mime_type, lambda: body)
        except (ContentRejected, Temporary):
            return None

    def _upload(self, session: Session, mime_type: str, read: Callable[[], bytes]) -> Json:
        token = session.credentials["access_jwt"]
        headers = {"Content-Type": mime_type}
        response = call(session, "POST", UPLOAD_BLOB, token=token, headers=headers, content=read())
        blob = accepted(session, UPLOAD_BLOB, response).get("blob")
        if not isinstance(blob, dict) or blob.get("mimeType") != mime_type:
            raise response.unusable("bad_answer")
        return blob

    def _resolve(self, session: Session, handles: list[str]) -> dict[str, str]:
        """Return the DIDs of ``handles``. One that nobody can resolve stays plain text and holds nothing up."""
        dids = {}
        for handle in handles:
            response = call(session, "GET", RESOLVE_HANDLE, params={"handle": handle})
            if response.status == 429:
                raise refusal(session, RESOLVE_HANDLE, response)
            did = response.json_or_empty().get("did") if response.status == 200 else None
            if isinstance(did, str) and DID.fullmatch(did):
                dids[handle] = did
        return dids

    def _connection(self, session: Session, answer: Json, response: Response, service: str, pds: str) -> Connection:
        if answer.get("active") is False:
            raise ReconnectNeeded("bluesky.deactivated", detail=session.http.redact(str(answer.get("status", ""))))
        did, handle = str(answer.get("did", "")), str(answer.get("handle", ""))
        access, renewal = answer.get("accessJwt"), answer.get("refreshJwt") or session.credentials.get("refresh_jwt")
        if not DID.fullmatch(did) or not (isinstance(access, str) and isinstance(renewal, str) and access and renewal):
            raise response.unusable("bad_answer")
        session.http.hide(access, renewal)
        return Connection(
            identity=Identity(did, handle or did),
            credentials={"access_jwt": access, "refresh_jwt": renewal},
            config={"service": service, "pds": _pds(answer.get("didDoc")) or pds, "did": did},
            expires_at=_expiry(access),
        )


PLATFORM = Bluesky()


def _service(session: Session, answers: Mapping[str, str]) -> str:
    """Return the server to log in at: the one that was entered, else the usual one, which the settings may move."""
    entered = base_url(answers.get("service", ""))
    usual = session.app.auth(session.app.api(DEFAULT_SERVICE))
    return usual if entered in ("", DEFAULT_SERVICE) else entered


def _pds(did_document: object) -> str:
    """Return the address of the ``#atproto_pds`` service of a DID document, "" if it names none."""
    services = did_document.get("service") if isinstance(did_document, dict) else None
    for service in services if isinstance(services, list) else ():
        if isinstance(service, dict) and str(service.get("id", "")).endswith("#atproto_pds"):
            return base_url(str(service.get("serviceEndpoint", "")))
    return ""


def _expiry(token: str) -> datetime | None:
    """Return the ``exp`` of a JWT, ``None`` if it cannot be read; only the server can check the signature."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError, binascii.Error):
        return None


def _uri(session: Session, snapshot: Json) -> str:
    return f"at://{session.config['did']}/{COLLECTION}/{snapshot['rkey']}"


def _record(session: Session, snapshot: Json) -> Json:
    """Return the record; what it answers is known only now."""
    answers = snapshot.get("answers")
    record: Json = snapshot["record"]
    return answering(record, session.thread, answers) if answers else record


def _put(session: Session, snapshot: Json) -> Json:
    return {
        "repo": session.config["did"],
        "collection": COLLECTION,
        "rkey": snapshot["rkey"],
        "record": _record(session, snapshot),
        "swapRecord": None,  # "must not exist yet": never overwrites
    }


def _creation(session: Session, snapshot: Json) -> Json:
    """Return the post and its gates as one write; the post comes first, since the gates name it."""
    records = [_record(session, snapshot), *snapshot["gates"]]
    kind = f"{APPLY_WRITES}#create"
    writes = [
        {"$type": kind, "collection": record["$type"], "rkey": snapshot["rkey"], "value": record} for record in records
    ]
    return {"repo": session.config["did"], "writes": writes}


def _published(session: Session, snapshot: Json, answer: Json, response: Response) -> Published:
    """Return the post of an answer; its cid is what a later part of the thread needs to answer it."""
    uri, cid = _uri(session, snapshot), answer.get("cid")
    if answer.get("uri") != uri or not isinstance(cid, str) or not cid:
        raise response.unusable("bad_answer")
    url = f"https://bsky.app/profile/{session.config['did']}/post/{snapshot['rkey']}"  # by DID: handles change
    return Published(id=uri, url=url, response={"uri": uri, "cid": cid})


def _remarks(media: Sequence[MediaFile], options: Mapping[str, Any]) -> list[Remark]:
    """Return what keeps this from being one post, beside the limits."""
    alone = len(media) > 1 and any(each.kind in ("video", "gif") for each in media)
    found = [Remark("bluesky.video_alone", field="media")] if alone else []
    unknown = [each for each in options.get("languages", ()) if not LANGUAGE.fullmatch(each)]
    return found + [Remark("bluesky.language_unknown", {"language": each}, "languages") for each in unknown]
