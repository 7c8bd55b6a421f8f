"""Threads: texts, pictures, videos, carousels and chains of replies, in two steps through a container.

A reply's container names the post before it, so it is made once that is live. Publishing answers with errors behind
which posts went live, so the container is asked before anything is sent again. Files are fetched from this site.
https://developers.facebook.com/documentation/threads
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from posts.platforms._graph import Graph, only, too_young
from posts.platforms._graph_containers import Containers, media_url
from posts.platforms._threads_rows import FAILURES, PUBLISH_ROWS, ROWS
from posts.platforms._threads_words import WORDS
from posts.publishing import oauth as logins
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import ContentRejected, PublishError, Temporary
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    Config,
    Connection,
    Content,
    Draft,
    Finding,
    Identity,
    Json,
    MediaFile,
    Option,
    Published,
    Remark,
)
from posts.text.entities import Link, entities

GRAPH = Graph("threads", "https://graph.threads.net", "v1.0", ROWS, refreshes=True, app_limits="account")
MOST_FILES = 20
MOST_LINKS = 5
MOST_WIDE_PIXELS = 1920
POLL_ANSWERS = ("option_a", "option_b", "option_c", "option_d")
POLL_ANSWER_CHARACTERS = 25
GRANT = timedelta(days=90)
# A container that was published so often in vain is given up for a new one.
MOST_TRIES = 4
RECENT = {"fields": "id,text,timestamp,permalink,media_type", "limit": "25"}


class Threads(Platform):
    """Publishes to one profile."""

    name = "threads"
    label = "Threads"
    api_server = GRAPH.host
    capabilities = Capabilities(
        text=(TextLimit("threads", 500),),
        comment=(TextLimit("threads", 500),),
        alt_text=(TextLimit("utf16", 1000),),
        max_images=MOST_FILES,
        images=ImageLimits(max_bytes=8_000_000, max_side_pixels=1440, min_side_pixels=320, max_ratio=10),
        max_videos=MOST_FILES,
        videos=VideoLimits(
            max_bytes=1_000_000_000,
            formats=("video/mp4", "video/quicktime"),
            max_seconds=300,
            max_frames_per_second=60,
            min_aspect=0.01,
            max_aspect=10,
            codecs=("h264", "hevc"),
        ),
        mixes=True,
        fetches_media=True,
        threads=True,
        max_links=MOST_LINKS,
    )
    options = (
        Option("topic_tag", "Topic", maximum=50, help="One topic, without “#”."),
        Option(
            "reply_control",
            "Who may reply",
            "choice",
            choices=(
                ("everyone", "Everyone"),
                ("accounts_you_follow", "Profiles you follow"),
                ("mentioned_only", "Only who is mentioned"),
                ("parent_post_author_only", "Only the author of the post above"),
                ("followers_only", "Followers"),
            ),
            default="everyone",
        ),
        Option("link_attachment", "Link card", maximum=2000, help="An address to show as a card below the text."),
        Option("poll", "Poll", "list", maximum=4, help="Two to four answers, one a line."),
    )
    oauth = logins.OAuth(
        auth_base="https://threads.net",
        authorize_path="/oauth/authorize",
        token_base="https://graph.threads.net",  # noqa: S106 - an address
        token_path="/oauth/access_token",  # noqa: S106 - an address
        scopes=("threads_basic", "threads_content_publish"),
        optional_scopes=("threads_manage_replies", "threads_read_replies"),
        scope_separator=",",
        pkce=False,
        token_at_api=True,
    )
    setup = (
        "Make an app at developers.facebook.com with the use case “Access the Threads API”; its settings there show "
        "the Threads app id and secret. Enter this site's https:// callback address there."
    )
    windows = (Window(250, 86_400),)
    words = WORDS
    settle_seconds = 300
    never_repeated = frozenset({"threads.action_blocked"})  # to go on after that is taken for spam
    refreshes = True

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what does not go together."""
        return tuple(_problems(draft))

    # Connecting

    def exchange(
        self, session: Session, code: str, answers: Mapping[str, str], callback: logins.Callback, registration: Json
    ) -> Json:
        """Trade the code for a token of an hour, and that for one of 60 days."""
        app, code = session.app, code.removesuffix("#_")
        session.http.hide(app.client_secret, code)
        form = {
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "grant_type": "authorization_code",
            "redirect_uri": callback.redirect_uri,
            "code": code,
        }
        short = GRAPH.token_answer(session, session.http.request("POST", self.oauth.token_url(app), data=form))
        grant = {"grant_type": "th_exchange_token", "access_token": short["access_token"]}
        return GRAPH.long_token(session, "access_token", {**grant, "client_secret": app.client_secret})

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Return the profile of a token. What it may do was granted for 90 days."""
        identity = _profile(session, str(tokens["access_token"]), connecting=True)
        return [_renewed(session, identity, tokens)]

    def refresh(self, session: Session) -> Connection:
        """Renew the token; one that is too young for that is kept if it still works.

        Renewing extends the grant for another 90 days where the profile is public, which nothing tells.
        """
        if too_young(session):
            return Connection(_profile(session, connecting=True), dict(session.credentials))
        config = session.config
        identity = Identity(str(config["user_id"]), str(config.get("username") or config["user_id"]))
        return _renewed(session, identity, GRAPH.renewed(session, "th_refresh_token"))

    def check(self, session: Session) -> Connection:
        """Ask whose token this is."""
        identity = _profile(session)
        return Connection(identity, {}, {"username": identity.name})

    # Publishing

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Make the container of the first part, of a carousel one for each file before it, and wait until it is
        finished. Later parts are only written down: theirs name the post before them."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        if content.part:
            return {"kind": content.kind, "text": content.text}
        work = _containers(session)
        items = [f"item{place}" for place in range(len(content.media))] if len(content.media) > 1 else []
        if checkpoints.get("container") is None:
            for name, media in zip(items, content.media, strict=False):
                work.made(checkpoints, name, lambda media=media: _item_fields(media))  # type: ignore[misc]  # bound now
            work.finish_items(checkpoints, items)
        children = [str((checkpoints.get(name) or {}).get("id", "")) for name in items]
        container = work.made(checkpoints, "container", lambda: _post_fields(content, children))
        work.finish(checkpoints, "container", *items)
        work.require_slot("me/threads_publishing_limit", "quota_usage", "config")
        _count_try(checkpoints)
        return {"kind": "first", "text": content.text, "container": container}

    def follow(self, session: Session, snapshot: Json, checkpoints: Checkpoints) -> Json:
        """Make the container of a reply to the part before it, or of a first comment to the first part."""
        if "container" in snapshot:
            return snapshot
        work = _containers(session)
        above = session.thread[0] if snapshot["kind"] == "comment" else session.thread[-1]
        fields = {"media_type": "TEXT", "text": snapshot["text"], "reply_to_id": above.id}
        container = work.made(checkpoints, "container", lambda: fields)
        work.finish(checkpoints, "container")
        work.require_slot("me/threads_publishing_limit", "reply_quota_usage", "reply_config")
        _count_try(checkpoints)
        return {**snapshot, "container": container}

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Publish the container."""
        return _containers(session).publish(snapshot["container"])

    def settle(self, session: Session, snapshot: Json, published: Published) -> Published:
        """Read the address of a post that did not tell it at once. The post is live, whatever comes of that."""
        linked = _containers(session).linked(published)
        return Published(linked.id, linked.url, linked.response)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Ask the container, and look for its text among the recent posts or replies."""
        path = "me/threads" if snapshot["kind"] == "first" else "me/replies"
        live = {part.id for part in session.thread}

        def recent() -> list[Json]:
            posts = GRAPH.items(session, path, RECENT, max_pages=1)
            return [post for post in posts if str(post.get("id")) not in live]

        return _containers(session).find(snapshot["container"], recent, snapshot["text"], "text", marked_at)


PLATFORM = Threads()


def _containers(session: Session) -> Containers:
    def failure(response: Response, reason: str) -> PublishError:
        """Sort a failed container by its reason."""
        row = FAILURES.get(reason, "threads.upload_failed")
        return GRAPH.meaning(session, row, response, session.http.redact(reason))

    # "me" and not the number: with a number, publishing was answered by "not found".
    return Containers(
        graph=GRAPH,
        session=session,
        edge="me/threads",
        publish_edge="me/threads_publish",
        status_name="status",
        reason_name="error_message",
        failure=failure,
        publish_rows=PUBLISH_ROWS,
    )


def _count_try(checkpoints: Checkpoints) -> None:
    """Count how often a container goes to be published; one that is never seen there is made anew."""
    made = checkpoints.get("container") or {}
    tries = int(made.get("tries", 0))
    if tries >= MOST_TRIES:
        checkpoints.forget("container")
        raise Temporary("threads.container_unseen")
    checkpoints.put("container", {**made, "tries": tries + 1})


def _profile(session: Session, token: str = "", *, connecting: bool = False) -> Identity:
    response = GRAPH.get(session, "me", {"fields": "id,username"}, token=token, connecting=connecting)
    me = only(response.json())
    if not me.get("id"):
        raise response.unusable("bad_answer")
    return Identity(str(me["id"]), str(me.get("username") or me["id"]))


def _renewed(session: Session, identity: Identity, tokens: Json) -> Connection:
    now = session.now()
    return Connection(
        identity=identity,
        credentials={"access_token": str(tokens["access_token"])},
        config={"user_id": identity.id, "username": identity.name, "token_since": now.isoformat()},
        expires_at=logins.expiry(tokens, now),
        renewable_until=now + GRANT,
        scopes=logins.granted(tokens),
    )


def _problems(draft: Draft) -> Iterator[Remark]:
    media, options = draft.media, draft.options
    poll, link, topic = options.get("poll") or [], str(options.get("link_attachment") or ""), options.get("topic_tag")
    if len(media) > MOST_FILES:
        yield Remark("threads.too_many_files", {"count": len(media), "most": MOST_FILES}, "media")
    if any(file.kind == "video" and file.width > MOST_WIDE_PIXELS for file in media):
        yield Remark("threads.video_too_wide", field="media")
    if topic and set(".&") & set(str(topic)):
        yield Remark("threads.topic_sign", field="topic_tag")
    yield from _poll_problems(poll)
    for name, chosen in (("poll", bool(poll)), ("link_attachment", bool(link))):
        if chosen and media:
            yield Remark("threads.poll_with_media" if name == "poll" else "threads.link_with_media", field=name)
        elif chosen and not any(text.strip() for text in draft.texts):
            yield Remark("threads.text_needed", field=name)
    if link:
        if not link.startswith(("https://", "http://")):
            yield Remark("threads.link_invalid", field="link_attachment")
        text = draft.texts[0] if draft.texts else ""
        links = {found.url for found in entities(text) if isinstance(found, Link)} | {link}
        if len(links) > MOST_LINKS:
            yield Remark("threads.too_many_links", {"count": len(links), "most": MOST_LINKS}, "link_attachment")


def _poll_problems(poll: Sequence[str]) -> Iterator[Remark]:
    if len(poll) == 1 or len(poll) > len(POLL_ANSWERS):
        yield Remark("threads.poll_size", field="poll")
    if any(len(answer) > POLL_ANSWER_CHARACTERS for answer in poll):
        yield Remark("threads.poll_answer_long", field="poll")


def _file_fields(media: MediaFile) -> dict[str, str]:
    kind = "VIDEO" if media.kind == "video" else "IMAGE"
    fields = {"media_type": kind, f"{kind.lower()}_url": media_url(media)}
    return fields | ({"alt_text": media.alt_text} if media.alt_text else {})


def _item_fields(media: MediaFile) -> dict[str, str]:
    return {**_file_fields(media), "is_carousel_item": "true"}


def _post_fields(content: Content, children: list[str]) -> dict[str, str]:
    """Return the fields of the container that is published first."""
    fields: dict[str, Any] = {"text": content.text} if content.text.strip() else {}
    if children:
        fields |= {"media_type": "CAROUSEL", "children": ",".join(children)}
    elif content.media:
        fields |= _file_fields(content.media[0])
    else:
        fields |= {"media_type": "TEXT", **_text_fields(content.options)}
    for name in ("topic_tag", "reply_control"):
        if content.options.get(name):
            fields[name] = str(content.options[name])
    return fields


def _text_fields(options: Mapping[str, Any]) -> dict[str, str]:
    """Return what goes with a text alone."""
    fields = {"link_attachment": str(options["link_attachment"])} if options.get("link_attachment") else {}
    if options.get("poll"):
        fields["poll_attachment"] = json.dumps(dict(zip(POLL_ANSWERS, options["poll"], strict=False)))
    return fields
