"""Instagram's professional accounts: pictures, carousels, reels and stories, in two steps through a container.

The container is the handle: it is published once, and its state tells after silence whether it was. It does not name
its post, so that is matched by text and time, never by being the newest. Instagram fetches all files from this site.
https://developers.facebook.com/docs/instagram-platform/content-publishing
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from posts.platforms import _instagram_login as login
from posts.platforms._graph import created_id, too_young
from posts.platforms._graph_containers import SKEW, Containers, created_since, media_url
from posts.platforms._graph_rows import Rows
from posts.platforms._instagram_rows import CODE_IN_STATUS
from posts.platforms._instagram_words import WORDS
from posts.publishing import oauth as logins
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import ContentRejected, PublishError, ReconnectNeeded
from posts.publishing.http import Response
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    Absent,
    App,
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

FEED, REEL, STORY = "feed", "reel", "story"
MOST_FILES = 10
MOST_WIDE_PIXELS = 1920
STORY_MAX_SECONDS = 60
STORY_MAX_BYTES = 100_000_000
RECENT = {"fields": "id,caption,timestamp,permalink,media_type", "limit": "25"}
PICTURE_CHECK_SECONDS, VIDEO_CHECK_SECONDS = 10, 30
NO_ROWS: Rows = {}


VIDEOS = VideoLimits(
    max_bytes=300_000_000,
    formats=("video/mp4", "video/quicktime"),
    min_seconds=3,
    max_seconds=900,
    max_frames_per_second=60,
    min_aspect=0.01,
    max_aspect=10,
    codecs=("h264", "hevc"),
)


class Instagram(Platform):
    """Publishes to one professional account."""

    name = "instagram"
    label = "Instagram"
    api_server = login.GRAPHS[login.INSTAGRAM].host
    capabilities = Capabilities(
        # Characters are not defined; UTF-16 units are never fewer than what may be meant.
        text=(TextLimit("utf16", 2200),),
        comment=(TextLimit("utf16", 2200),),
        marks=("hashtag", "mention"),  # addresses stay plain in captions
        alt_text=(TextLimit("utf16", 1000),),
        max_images=MOST_FILES,
        images=ImageLimits(
            max_bytes=8_000_000,
            max_side_pixels=1440,
            formats=("image/jpeg",),
            min_side_pixels=320,
            min_aspect=0.8,
            max_aspect=1.91,
        ),
        max_videos=MOST_FILES,
        videos=VIDEOS,
        mixes=True,
        needs_media=True,
        fetches_media=True,
        max_hashtags=30,
        max_mentions=20,
    )
    options = (
        Option(
            "placement",
            "Place",
            "choice",
            choices=((FEED, "Feed"), (REEL, "Reel"), (STORY, "Story")),
            default=FEED,
            help="A single video in the feed is a reel too.",
        ),
        Option("share_to_feed", "Show the reel in the feed", "bool", default=True),
        Option("collaborators", "Collaborators", "list", maximum=3, help="User names, one a line."),
        Option(
            "cover_offset_ms",
            "Cover at (milliseconds)",
            "integer",
            default=None,
            help="Which moment of the video is its cover, if it has no picture of its own.",
        ),
    )
    app_settings = (
        Field(
            "login",
            "Login",
            required=False,
            default=login.INSTAGRAM,
            help="instagram, or facebook where accounts are linked to Pages and the app is a Facebook app.",
        ),
    )
    oauth = login.LOGINS[login.INSTAGRAM]
    setup = (
        "Make an app at developers.facebook.com and add Instagram with Instagram login; its settings there show the "
        "Instagram app id and secret. Enter this site's callback address there as an OAuth redirect URI."
    )
    windows = (Window(50, 86_400),)  # the guide says 100, the answers of the limit's own edge 50
    words = WORDS
    settle_seconds = 300
    never_repeated = frozenset({"instagram.action_blocked"})  # to go on after that is taken for spam
    refreshes = True

    def server(self, app: App, config: Config) -> str:
        """Return where the product is that the account logs in with."""
        return app.api(login.GRAPHS[config.get("login", login.INSTAGRAM)].host)

    def capabilities_with(self, options: Mapping[str, Any], config: Config) -> Capabilities:
        """Return the limits of a story where one is chosen: any shape, and short films."""
        return STORY_CAPABILITIES if _placement(options) == STORY else self.capabilities_for(config)

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what a placement does not take."""
        return tuple(_problems(draft))

    def notes(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Say that a story shows no text."""
        silent = _placement(draft.options) == STORY and any(text.strip() for text in draft.texts)
        return (Remark("instagram.story_without_text"),) if silent else ()

    # Connecting

    def authorize(
        self, session: Session, answers: Mapping[str, str], callback: logins.Callback, known: Json
    ) -> logins.Authorization:
        """Return where the person logs in: at Instagram, or at Facebook where the site's setting says so."""
        return logins.authorization(login.LOGINS[login.login_of(session)], session.app, callback)

    def exchange(
        self, session: Session, code: str, answers: Mapping[str, str], callback: logins.Callback, registration: Json
    ) -> Json:
        """Trade the code for a token of 60 days."""
        return login.trade_code(session, code, callback)

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Return the account of an Instagram token, or those of a Facebook token's Pages."""
        if tokens.get("login", login.login_of(session)) == login.FACEBOOK:
            return login.page_connections(session, tokens)
        return [login.own_connection(session, tokens)]

    def refresh(self, session: Session) -> Connection:
        """Renew an Instagram token. One of a Page does not end, so where it was refused nothing can be renewed."""
        if session.config.get("login") == login.FACEBOOK:
            raise ReconnectNeeded("instagram.wrong_login")
        if too_young(session):
            identity, _config = login.profile(session, connecting=True)
            return Connection(identity, dict(session.credentials))
        tokens = login.graph_of(session).renewed(session, "ig_refresh_token")
        now, config = session.now(), session.config
        return Connection(
            identity=Identity(str(config["ig_id"]), str(config.get("username") or config["ig_id"])),
            credentials={"access_token": tokens["access_token"]},
            config={"token_since": now.isoformat()},
            expires_at=logins.expiry(tokens, now),
            scopes=logins.granted(tokens),
        )

    def check(self, session: Session) -> Connection:
        """Ask whose token this is."""
        if session.config.get("login") != login.FACEBOOK:
            identity, config = login.profile(session)
            return Connection(identity, {}, config)
        number = str(session.config["ig_id"])
        answer = login.graph_of(session).get(session, number, {"fields": "id,username"}).json()
        username = str(answer.get("username") or "")
        return Connection(Identity(str(answer.get("id", "")), username or number), {}, {"username": username})

    # Publishing

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Make the container, of a carousel one for each file before it, and wait until it is finished."""
        if content.kind == "comment":
            return {"kind": "comment", "text": content.text}
        if not content.media:
            raise ContentRejected("instagram.media_needed", field="media")
        work = _containers(session, any(media.kind == "video" for media in content.media))
        items = [f"item{place}" for place in range(len(content.media))] if len(content.media) > 1 else []
        if checkpoints.get("container") is None:
            for name, media in zip(items, content.media, strict=False):
                work.made(checkpoints, name, lambda media=media: _item_fields(media))  # type: ignore[misc]  # bound now
            work.finish_items(checkpoints, items)
        children = [str((checkpoints.get(name) or {}).get("id", "")) for name in items]
        container = work.made(checkpoints, "container", lambda: _post_fields(content, children))
        work.finish(checkpoints, "container", *items)
        work.require_slot(f"{session.config['ig_id']}/content_publishing_limit", "quota_usage", "config")
        story = _placement(content.options) == STORY
        return {"kind": STORY if story else "post", "container": container, "text": "" if story else content.text}

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Publish the container, or write the comment below the post."""
        if snapshot["kind"] != "comment":
            return _containers(session).publish(snapshot["container"])
        post = session.thread[0]
        message = {"message": snapshot["text"]}
        response = login.graph_of(session).post(session, f"{post.id}/comments", message, irreversible=True)
        return Published(created_id(response), post.url)

    def settle(self, session: Session, snapshot: Json, published: Published) -> Published:
        """Read the address of a post that did not tell it at once. The post is live, whatever comes of that."""
        linked = _containers(session).linked(published)
        return Published(linked.id, linked.url, linked.response)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Ask the container, and look for its text among the recent posts."""
        if snapshot["kind"] == "comment":
            return _find_comment(session, snapshot["text"], marked_at)
        edge = "stories" if snapshot["kind"] == STORY else "media"

        def recent() -> list[Json]:
            path = f"{session.config['ig_id']}/{edge}"
            return list(login.graph_of(session).items(session, path, RECENT, max_pages=1))

        return _containers(session).find(snapshot["container"], recent, snapshot["text"], "caption", marked_at)


# https://developers.facebook.com/docs/instagram-platform/content-publishing: one file, its shape is free.
STORY_CAPABILITIES = replace(
    Instagram.capabilities,
    max_images=1,
    images=replace(Instagram.capabilities.images, min_aspect=None, max_aspect=None),
    max_videos=1,
    videos=replace(VIDEOS, max_bytes=100_000_000, max_seconds=60),
)

PLATFORM = Instagram()


def _containers(session: Session, video: bool = False) -> Containers:
    graph, account = login.graph_of(session), session.config["ig_id"]

    def failure(response: Response, status: str) -> PublishError:
        """Sort a failed container by the number in its status."""
        number = CODE_IN_STATUS.search(status)
        row = graph.rows.get((None, int(number[1]))) if number else None
        return graph.meaning(session, row or "instagram.upload_failed", response, session.http.redact(status))

    return Containers(
        graph=graph,
        session=session,
        edge=f"{account}/media",
        publish_edge=f"{account}/media_publish",
        status_name="status_code",
        reason_name="status",
        failure=failure,
        publish_rows=NO_ROWS,
        check_after_seconds=VIDEO_CHECK_SECONDS if video else PICTURE_CHECK_SECONDS,
    )


def _placement(options: Mapping[str, Any]) -> str:
    return str(options.get("placement") or FEED)


def _problems(draft: Draft) -> Iterator[Remark]:
    media, placement = draft.media, _placement(draft.options)
    videos = [file for file in media if file.kind == "video"]
    if len(media) > MOST_FILES:
        yield Remark("instagram.too_many_files", {"count": len(media), "most": MOST_FILES}, "media")
    if placement == REEL and (len(media), len(videos)) != (1, 1):
        yield Remark("instagram.reel_one_video", field="media")
    if placement == STORY:
        if len(media) != 1:
            yield Remark("instagram.story_one_file", field="media")
        if any(file.duration_seconds > STORY_MAX_SECONDS for file in videos):
            yield Remark("instagram.story_too_long", field="media")
        if any(file.size_bytes > STORY_MAX_BYTES for file in videos):
            yield Remark("instagram.story_too_large", field="media")
    if any(file.width > MOST_WIDE_PIXELS for file in videos):
        yield Remark("instagram.video_too_wide", field="media")
    if len(media) > 1 and draft.options.get("collaborators"):
        yield Remark("instagram.collaborators_on_carousel", field="collaborators")


def _file_fields(media: MediaFile) -> dict[str, str]:
    return {"video_url" if media.kind == "video" else "image_url": media_url(media)}


def _item_fields(media: MediaFile) -> dict[str, str]:
    """Return the fields of one container of a carousel, which has no text of its own."""
    kind = {"media_type": "VIDEO"} if media.kind == "video" else _alt_text(media)
    return {**_file_fields(media), **kind, "is_carousel_item": "true"}


def _post_fields(content: Content, children: list[str]) -> dict[str, str]:
    """Return the fields of the container that is published."""
    media, options = content.media[0], content.options
    if children:
        return {"media_type": "CAROUSEL", "children": ",".join(children), "caption": content.text}
    if _placement(options) == STORY:
        return {"media_type": "STORIES", **_file_fields(media)}
    fields = {**_file_fields(media), "caption": content.text}
    fields |= _reel_fields(media, options) if media.kind == "video" else _alt_text(media)
    if options.get("collaborators"):
        fields["collaborators"] = json.dumps([name.lstrip("@") for name in options["collaborators"]])
    return fields


def _reel_fields(media: MediaFile, options: Mapping[str, Any]) -> dict[str, str]:
    fields = {"media_type": "REELS", "share_to_feed": "true" if options.get("share_to_feed", True) else "false"}
    if media.cover is not None:
        fields["cover_url"] = media_url(media.cover)
    elif options.get("cover_offset_ms") is not None:
        fields["thumb_offset"] = str(options["cover_offset_ms"])
    return fields


def _alt_text(media: MediaFile) -> dict[str, str]:
    return {"alt_text": media.alt_text} if media.alt_text else {}


def _find_comment(session: Session, text: str, marked_at: datetime) -> Finding:
    """Look for a comment of this text by this account below the post."""
    path, fields = f"{session.thread[0].id}/comments", {"fields": "id,text,timestamp,username", "limit": "50"}
    comments = login.graph_of(session).items(session, path, fields, max_pages=2)
    mine = {session.config.get("username"), None, ""}  # the name is left out where a right is missing
    same = [
        comment
        for comment in comments
        if created_since(comment, marked_at - SKEW)
        and str(comment.get("text", "")).strip() == text.strip()
        and comment.get("username") in mine
    ]
    if len(same) == 1:
        return Found(Published(str(same[0]["id"]), session.thread[0].url))
    return CannotTell("several_match") if same else Absent()
