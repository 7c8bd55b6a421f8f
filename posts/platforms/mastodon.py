"""Mastodon, and every other server with its API: GoToSocial, Akkoma, Pixelfed, Hollo and more.

Each server has an app of its own for this site, registered when somebody first logs in there. A status carries an
Idempotency-Key, which Mastodon keeps for an hour and others ignore; what an account has posted can be read back, so a
lost answer is looked up there first. API: https://docs.joinmastodon.org/methods/statuses/ and ../media/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import Any, BinaryIO

from posts.platforms import _mastodon_instance as instances
from posts.platforms import _mastodon_login as login
from posts.platforms._mastodon_calls import (
    MEDIA_TAKEN,
    REFUSED,
    THUMBNAIL_FAILED,
    accepted,
    call,
    error_text,
    moment,
    refusal,
    used_up_until,
)
from posts.platforms._mastodon_draft import draft_problems, warning_length
from posts.platforms._mastodon_status import idempotency_key, likeness, status_body
from posts.platforms._mastodon_words import WORDS
from posts.publishing import oauth as logins
from posts.publishing.capabilities import Capabilities, Window
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    OutcomeUnknown,
    PublishError,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.http import Files, Response
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
    Option,
    Published,
    Remark,
)

CLOCK_SKEW = timedelta(minutes=2)
# For so long after an upload a status that used it may be missing in the account's list.
LIST_MAY_LAG = timedelta(minutes=10)
STATUSES_READ = 40  # the most that one look gives
SMALLEST_PAGE = 20  # fewer than that are all there are, whatever the server's own maximum
LOCKS_REPEATS = (4, 6, 0)  # mastodon#37879: before, two requests at once with one key were two posts


class Mastodon(Platform):
    """Publishes to an account on a server with Mastodon's API."""

    name = "mastodon"
    label = "Mastodon"
    server_setting = "instance"
    capabilities = instances.capabilities_of({})
    options = instances.options_of({})
    connect_fields = (
        Field("instance", "Server", help="The address of the account's server, for example mastodon.social."),
    )
    oauth = login.OAUTH
    needs_app = False
    setup = "Nothing is to be set up: SocialQ registers itself as an app at each server when somebody logs in there."
    windows = (Window(count=300, seconds=3 * 3600),)
    words = WORDS
    refreshes = True
    # The list that ``find`` reads is the server's own record. What may be missing for a while is a post whose request
    # still waits at the server; by then every proxy has given it up.
    settle_seconds = 300

    def capabilities_for(self, config: Config) -> Capabilities:
        """Return the limits that the account's server has told."""
        return instances.capabilities_of(config)

    def options_for(self, config: Config) -> tuple[Option, ...]:
        """Return the choices with the limits that the account's server has told."""
        return instances.options_of(config)

    def repeats_safely(self, config: Config) -> bool:
        """Return whether the server absorbs a repeat even while it stores the first one: Mastodon from 4.6 on.

        4.6.0 to 4.7.1 answer it with 500 instead of the post (mastodon#40399), which ``find`` then sees.
        """
        return instances.is_at_least(config, *LOCKS_REPEATS)

    def reserved(self, options: Mapping[str, Any], config: Config) -> int:
        """Return the length of the content warning: a server counts it with every text."""
        return warning_length(options)

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what the server would refuse: a poll that is none, a text too long with its warning."""
        return draft_problems(draft, config)

    def notes(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Say whom a direct post reaches."""
        return [Remark("mastodon.direct", field="visibility")] if draft.options.get("visibility") == "direct" else []

    # Connecting

    def authorize(
        self, session: Session, answers: Mapping[str, str], callback: logins.Callback, known: Json
    ) -> logins.Authorization:
        """Return where to log in, for an app registered before or now; raises ReconnectNeeded without such a server."""
        return login.authorize(session, instances.server_address(answers["instance"]), callback, known)

    def exchange(
        self, session: Session, code: str, answers: Mapping[str, str], callback: logins.Callback, registration: Json
    ) -> Json:
        """Trade the code for a token; what refreshing needs of the registration goes with it."""
        return login.exchange(session, code, callback, registration)

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Return the account that a token belongs to, with what its server takes."""
        instance = instances.server_address(answers["instance"])
        credentials = login.credentials_of(session, tokens)
        scopes = login.required_scopes(tokens)
        try:
            identity, config = _who(session, instance, credentials["access_token"])
        except TokenExpired as error:
            raise ReconnectNeeded(error.code, detail=error.detail, status_code=error.status_code) from None
        config |= instances.config_of(instances.read_instance(session, instance, credentials["access_token"]))
        config["application"] = str(tokens.get("application") or "")
        return [Connection(identity, credentials, config, logins.expiry(tokens, session.now()), scopes=scopes)]

    def refresh(self, session: Session) -> Connection:
        """Renew the login where the server's tokens end. Asks for nothing else: a new token must not be lost."""
        tokens = login.refresh(session)
        config = session.config
        identity = Identity(_identity_id(config["instance"], config["account_id"]), str(config.get("handle", "")))
        expires_at = logins.expiry(tokens, session.now())
        return Connection(
            identity, login.credentials_of(session, tokens), {}, expires_at, scopes=logins.granted(tokens)
        )

    def check(self, session: Session) -> Connection:
        """Ask the server whose token this is, and what it takes by now."""
        instance, token = session.config["instance"], session.credentials["access_token"]
        identity, config = _who(session, instance, token)
        told = instances.read_instance(session, instance, token)
        return Connection(identity, {}, config | (instances.config_of(told) if told else {}))

    # Publishing

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Upload the files, wait for those that the server still works on, and freeze the status under its key."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        uploads = self._uploads(session, content.media, checkpoints)
        for media, upload in zip(content.media, uploads, strict=True):
            if not upload["is_ready"]:
                self._await_processing(session, media, upload["id"], checkpoints)
        body = status_body(content, [upload["id"] for upload in uploads])
        now = session.now().isoformat()
        salt = now if session.config.get("software") in instances.REPLAYS_REFUSALS else ""
        return {
            "key": idempotency_key(content, body, salt),
            "kind": content.kind,
            "prepared_at": now,
            "body": body,
        }

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Post the status. Where its files are said to be used up, the account's list decides what that means."""
        reply_to = _reply_to(session, snapshot)
        body = snapshot["body"] | ({"in_reply_to_id": reply_to} if reply_to else {})
        headers = {"Idempotency-Key": snapshot["key"]}
        response = call(session, "POST", "/api/v1/statuses", irreversible=True, headers=headers, json=body)
        if response.status != 200:
            return self._not_taken(session, snapshot, response)
        published = _published(response.json())
        if published is None:
            raise response.unusable("bad_answer")
        until = used_up_until(response, session.now())
        if until is not None:
            session.exhausted(until, "account")
        return published

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Look among what the account has posted since: by files, else by text where exactly one has it."""
        params = {"limit": str(STATUSES_READ), "exclude_reblogs": "true"}
        response = call(session, "GET", f"/api/v1/accounts/{session.config['account_id']}/statuses", params=params)
        if response.status == 403:
            return CannotTell("mastodon.cannot_read")
        if response.status != 200:
            raise refusal(session, "account", response)
        listed = [status for status in response.json_list() if isinstance(status, dict)]
        made = [(moment(status.get("created_at")), status) for status in listed]
        since = marked_at - CLOCK_SKEW
        recent = [status for at, status in made if at is None or at >= since]
        if len(recent) == len(listed) >= SMALLEST_PAGE:
            return CannotTell("mastodon.too_many_posts")
        reply_to, application = _reply_to(session, snapshot), str(session.config.get("application", ""))
        alike = [likeness(snapshot, status, reply_to=reply_to, application=application) for status in recent]
        same = [_published(status) for status, how in zip(recent, alike, strict=True) if how == "same"]
        if len(same) == 1 and same[0] is not None:
            return Found(same[0])
        if same:
            return CannotTell("mastodon.several_alike")
        if "alike" in alike:
            return CannotTell("mastodon.similar_post")
        # Mastodon lists an author's own direct posts; of others that is not known.
        is_hidden = snapshot["body"].get("visibility") == "direct" and session.config.get("software") != "mastodon"
        return CannotTell("mastodon.direct_unseen") if is_hidden else Absent()

    def _uploads(self, session: Session, files: Sequence[MediaFile], checkpoints: Checkpoints) -> list[Json]:
        done, total, uploads = 0, sum(media.size_bytes for media in files), []
        for media in files:
            uploads.append(checkpoints.once(_name(media), partial(self._upload, session, media, checkpoints)))
            done += media.size_bytes
            checkpoints.progress(done, total, "uploaded")
        return uploads

    def _upload(self, session: Session, media: MediaFile, checkpoints: Checkpoints) -> Json:
        """Send one file, in pieces; the answer says whether the server still works on it (202)."""
        with ExitStack() as streams:
            files: Files = {
                part: (each.filename, streams.enter_context(_opened(each)), each.mime_type)
                for part, each in (("file", media), ("thumbnail", media.cover))
                if each is not None
            }
            data = {"description": media.alt_text} if media.alt_text else None
            response = call(session, "POST", "/api/v2/media", data=data, files=files)
        if response.status == 500 and error_text(response).lower().startswith(THUMBNAIL_FAILED):
            raise _faulty(session, media, response, checkpoints)
        answer = accepted(session, "media", response)
        if not isinstance(answer.get("id"), str | int) or not answer["id"]:
            raise response.unusable("bad_answer")
        return {"id": str(answer["id"]), "is_ready": response.status == 200}

    def _await_processing(self, session: Session, media: MediaFile, media_id: str, checkpoints: Checkpoints) -> None:
        response = call(session, "GET", f"/api/v1/media/{media_id}")
        if response.status == 404:
            checkpoints.forget(_name(media))
            raise Temporary("mastodon.media_gone", status_code=404)
        try:
            accepted(session, "media", response)
        except ContentRejected:
            checkpoints.forget(_name(media))
            raise
        if response.status != 200:
            raise NotReady("media_processing", status_code=response.status)
        checkpoints.put(_name(media), {"id": media_id, "is_ready": True})

    def _not_taken(self, session: Session, snapshot: Json, response: Response) -> Published:
        """Raise what a refusal means, unless it hides that this snapshot went through when it was sent before."""
        if response.status == 404 and _reply_to(session, snapshot):
            detail = session.http.redact(error_text(response))
            raise ContentRejected("mastodon.reply_gone", detail=detail, status_code=404)
        error = refusal(session, "status", response)
        is_about_files = bool(snapshot["body"].get("media_ids")) and error.code in (MEDIA_TAKEN, REFUSED)
        if not session.sent_before or not is_about_files:
            raise error
        prepared_at = datetime.fromisoformat(snapshot["prepared_at"])
        try:
            finding = self.find(session, snapshot, prepared_at)
        except PublishError:
            finding = CannotTell(MEDIA_TAKEN, look_again=True)
        if isinstance(finding, Found):
            return finding.published
        if isinstance(finding, CannotTell) or session.now() < prepared_at + LIST_MAY_LAG:
            raise OutcomeUnknown(MEDIA_TAKEN, detail=error.detail, status_code=error.status_code)
        raise error


PLATFORM = Mastodon()


def _who(session: Session, instance: str, token: str) -> tuple[Identity, Json]:
    """Return whose token this is. Ids are those of one server, so the identity names it."""
    response = call(session, "GET", "/api/v1/accounts/verify_credentials", base=instance, token=token)
    answer = accepted(session, "account", response)
    account_id, username = answer.get("id"), answer.get("username")
    if not isinstance(account_id, str | int) or not account_id or not isinstance(username, str) or not username:
        raise response.unusable("bad_answer")
    handle = session.http.redact(f"@{username}@{instances.host_of(instance)}")
    identity = Identity(_identity_id(instance, str(account_id)), handle)
    return identity, {"instance": instance, "account_id": str(account_id), "handle": handle}


def _identity_id(instance: str, account_id: str) -> str:
    return f"{account_id}@{instances.host_of(instance)}"


def _reply_to(session: Session, snapshot: Json) -> str:
    """Return the id of what a part answers: the part before it, a comment the first one; "" for the first part."""
    if not session.thread:
        return ""
    return session.thread[0 if snapshot["kind"] == "comment" else -1].id


def _published(status: Json) -> Published | None:
    """Return a status as published, ``None`` if it has no id. Some servers give its address only as ``uri``."""
    status_id = status.get("id")
    if not isinstance(status_id, str | int) or not status_id:
        return None
    addresses = (status.get("url"), status.get("uri"))
    url = next((each for each in addresses if isinstance(each, str) and each.startswith(("https://", "http://"))), "")
    kept = {name: status.get(name) for name in ("created_at", "visibility", "uri")}
    return Published(str(status_id), url, kept)


def _opened(media: MediaFile) -> BinaryIO:
    try:
        return media.open()
    except OSError:
        failure = Temporary("media_unreadable")
    raise failure


def _name(media: MediaFile) -> str:
    return f"media:{media.key}"


def _faulty(session: Session, media: MediaFile, response: Response, checkpoints: Checkpoints) -> PublishError:
    """A file that the server cannot process is tried twice: it may have been the server's own trouble."""
    detail = session.http.redact(error_text(response))
    if checkpoints.get(f"faulty:{media.key}") is not None:
        checkpoints.forget(f"faulty:{media.key}")
        return ContentRejected("mastodon.media_refused", field="media", detail=detail, status_code=response.status)
    checkpoints.put(f"faulty:{media.key}", {})
    return Temporary("mastodon.media_faulty", detail=detail, status_code=response.status)
