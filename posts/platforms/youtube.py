"""YouTube: one video a post, uploaded in pieces to a channel of a Google account.

A resumable session makes one video at most, so that repeating is safe for as long as YouTube knows the session; all of
the file but its last piece is sent ahead, and the last piece makes the video. YouTube may still reject what it has
taken (``settle``). API: https://developers.google.com/youtube/v3/docs
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from posts.platforms import _youtube_after as after
from posts.platforms import _youtube_upload as upload
from posts.platforms._youtube_api import API, REFUSALS_OF_COMMENTS, accepted, call, items_of, part, refusal
from posts.platforms._youtube_video import (
    OPTIONS,
    draft_notes,
    draft_problems,
    thumbnail_of,
    video_resource,
)
from posts.platforms._youtube_words import WORDS
from posts.publishing import oauth as logins
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
    Absent,
    Config,
    Connection,
    Content,
    Draft,
    Field,
    Finding,
    Found,
    Identity,
    Json,
    Published,
    Remark,
)

CHANNELS = "/youtube/v3/channels"
VIDEOS = "/youtube/v3/videos"

SCOPES = "https://www.googleapis.com/auth/"
COMMENT_SCOPE = f"{SCOPES}youtube.force-ssl"

UNVERIFIED_SECONDS = 900.0  # longer videos need a verified channel


class YouTube(Platform):
    """Uploads videos to one channel."""

    name = "youtube"
    label = "YouTube"
    api_server = API
    capabilities = Capabilities(
        text=(TextLimit("utf8_bytes", 5000),),
        max_images=1,  # the thumbnail
        images=ImageLimits(max_bytes=2_000_000, max_side_pixels=3840),  # 50 MB since 2026-09, 2 MB in older clients
        supports_alt_text=False,
        max_videos=1,
        videos=VideoLimits(
            max_bytes=274_877_906_944,
            formats=("video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "video/mpeg", "video/x-msvideo"),
            max_seconds=43_200,
        ),
        max_gifs=0,
        mixes=True,
        needs_media=True,
        comment=(TextLimit("code_points", 10_000),),
        marks=("link", "hashtag"),
    )
    options = OPTIONS
    windows = (Window(100, 86_400, "app"),)  # videos.insert, since 2026-06-01
    words = WORDS
    oauth = logins.OAuth(
        auth_base="https://accounts.google.com",
        authorize_path="/o/oauth2/v2/auth",
        token_base="https://oauth2.googleapis.com",  # noqa: S106 - an address
        token_path="/token",  # noqa: S106 - an address
        scopes=(f"{SCOPES}youtube.upload", f"{SCOPES}youtube.readonly"),
        optional_scopes=(COMMENT_SCOPE,),
        extra={"access_type": "offline", "prompt": "consent"},
    )
    app_settings = (
        Field("audited", "Audited", required=False, help="yes once Google has audited the project for public uploads."),
    )
    setup = (
        "In the Google Cloud console make a project, enable the YouTube Data API v3 and create an OAuth client of the "
        "type Web application with this site's callback address. Publish the consent screen: while it is in testing, "
        "logins end after 7 days."
    )
    repeat_is_safe = True  # the session makes one video at most; a comment is never called absent
    refreshes = True

    def capabilities_for(self, config: Config) -> Capabilities:
        """Leave out comments without the right to them, and long videos on channels that are not verified."""
        able = self.capabilities
        if not config.get("can_comment"):
            able = replace(able, comment=())
        if config.get("long_uploads") in ("eligible", "disallowed") and able.videos is not None:
            able = replace(able, videos=replace(able.videos, max_seconds=UNVERIFIED_SECONDS))
        return able

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what YouTube would refuse: no video, no title, angle brackets, too many tags, comments in vain."""
        return tuple(draft_problems(draft))

    def notes(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Say that the uploads of a project without audit are locked to private."""
        return tuple(draft_notes(draft, config))

    # Connecting

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Return the channels of a login: one, for what a person chooses on Google's page."""
        scopes = logins.granted(tokens)
        logins.require_scopes(self.oauth, scopes)
        credentials = _credentials(tokens)
        session.http.hide(*credentials.values())
        asking = replace(session, credentials=credentials)
        try:
            channels = _channels(asking)
        except TokenExpired as error:
            raise ReconnectNeeded("oauth.grant_refused", detail=error.detail, status_code=error.status_code) from None
        return [
            replace(
                _connection(asking, channel, can_comment=COMMENT_SCOPE in scopes),
                credentials=credentials,
                expires_at=logins.expiry(tokens, session.now()),
                renewable_until=logins.expiry(tokens, session.now(), "refresh_token_expires_in"),
                scopes=scopes,
            )
            for channel in channels
        ]

    def refresh(self, session: Session) -> Connection:
        """Trade the refresh token for a new access token; Google keeps the refresh token the same and leaves it out."""
        tokens = logins.refreshed(session.http, self.oauth, session.app, session.credentials.get("refresh_token", ""))
        scopes, config = logins.granted(tokens), session.config
        return Connection(
            Identity(config["channel_id"], config["title"]),
            _credentials(tokens),
            config={"can_comment": COMMENT_SCOPE in scopes} if scopes else {},
            expires_at=logins.expiry(tokens, session.now()),
            renewable_until=logins.expiry(tokens, session.now(), "refresh_token_expires_in"),
            scopes=scopes,
        )

    def check(self, session: Session) -> Connection:
        """Ask YouTube for the login's channel; where it has several, for the one that is connected."""
        channels = _channels(session)
        mine = [channel for channel in channels if channel.get("id") == session.config.get("channel_id")]
        return _connection(session, (mine or channels)[0], can_comment=bool(session.config.get("can_comment")))

    # Publishing

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Start the upload and send all of the video but its last piece; a comment is only frozen."""
        if content.kind == "comment":
            return {"kind": "comment", "text": content.text}
        video = next((file for file in content.media if file.kind == "video"), None)
        if video is None:
            raise ContentRejected("youtube.video_missing", field="media")
        resource = video_resource(content)
        start = partial(upload.begin, session, video, resource, notify=not content.options.get("silent"))
        return {
            "kind": "video",
            "video": video.key,
            "size_bytes": video.size_bytes,
            "title": resource["snippet"]["title"],
            "status": resource["status"],
            **upload.send_all_but_last(session, video, start, checkpoints),
        }

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Send the last piece, which makes the video."""
        if snapshot["kind"] == "comment":
            return self._comment(session, snapshot["text"])
        video = session.media.get(snapshot["video"])
        if video is None:
            raise Temporary("media_unreadable")
        address, size, offset = session.unseal(snapshot["address"]), video.size_bytes, snapshot["offset"]
        if session.sent_before or offset == size:
            response = upload.ask(session, address, size)
            if response.status in upload.CREATED:
                return after.published(session, snapshot, response)
            offset = upload.stored(response, size)
            if response.status != upload.INCOMPLETE or offset == size:
                raise upload.not_taken(session, response)
        response = upload.send(session, address, video, offset, size - offset, irreversible=True)
        if response.status in upload.CREATED:
            return after.published(session, snapshot, response)
        raise upload.not_taken(session, response)

    def settle(self, session: Session, snapshot: Json, published: Published) -> Published:
        """Wait until YouTube has processed the video, then give it its thumbnail."""
        params = {"part": "status,processingDetails", "id": published.id}
        answer = accepted(session, call(session, "GET", VIDEOS, params=params))
        found = next((item for item in items_of(answer) if item.get("id") == published.id), None)
        wait = after.poll_seconds(session, published)
        if found is None:
            raise NotReady("youtube.not_visible", check_after_seconds=wait)
        status = part(found, "status")
        after.refuse_if_dropped(status, part(found, "processingDetails"))
        if status.get("uploadStatus") != "processed":
            raise NotReady("platform_processing", check_after_seconds=wait)
        response = {**published.response, **after.visibility(snapshot, status), "upload_status": "processed"}
        picture = thumbnail_of(tuple(session.media.values()))
        if picture is not None:
            response["thumbnail"] = after.set_thumbnail(session, published.id, picture)
        return replace(published, response=response, settled=True)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Ask the session what became of it; where it is gone, look through the channel's uploads."""
        if snapshot["kind"] == "comment":
            return after.find_comment(session, snapshot["text"], marked_at)
        response = upload.ask(session, session.unseal(snapshot["address"]), snapshot["size_bytes"])
        if response.status in upload.CREATED:
            return Found(after.published(session, snapshot, response))
        if response.status == upload.INCOMPLETE:
            return Absent()
        if response.status in upload.GONE:
            return after.find_in_uploads(session, snapshot, marked_at)
        error = refusal(session, response)
        if isinstance(error, ContentRejected):
            return Absent()  # a session repeats its final answer
        raise error

    def _comment(self, session: Session, text: str) -> Published:
        top = {"snippet": {"textOriginal": text}}
        video = session.thread[0]
        body = {"snippet": {"channelId": session.config["channel_id"], "videoId": video.id, "topLevelComment": top}}
        params = {"part": "snippet"}
        response = call(session, "POST", after.COMMENT_THREADS, irreversible=True, params=params, json=body)
        answer = accepted(session, response, REFUSALS_OF_COMMENTS)
        if not isinstance(answer.get("id"), str):
            raise response.unusable("bad_answer")
        return after.comment_below(video, answer["id"])


PLATFORM = YouTube()


def _credentials(tokens: Json) -> Json:
    """Return what is kept of a token answer; a refresh token only where there is one."""
    names = ("access_token", "refresh_token")
    return {name: tokens[name] for name in names if isinstance(tokens.get(name), str) and tokens[name]}


def _channels(session: Session) -> list[Json]:
    """Return the channels of the login, at least one."""
    params = {"part": "snippet,contentDetails,status", "mine": "true"}
    response = call(session, "GET", CHANNELS, params=params)
    answer = accepted(session, response)
    if answer.get("kind") != "youtube#channelListResponse":
        raise response.unusable("bad_answer")
    channels = [item for item in items_of(answer) if after.ID.fullmatch(str(item.get("id", "")))]
    if not channels:
        raise ReconnectNeeded("youtube.no_channel")
    return channels


def _connection(session: Session, channel: Json, *, can_comment: bool) -> Connection:
    channel_id = str(channel["id"])
    snippet = part(channel, "snippet")
    title = str(snippet.get("title") or channel_id)
    uploads = str(part(channel, "contentDetails", "relatedPlaylists").get("uploads", ""))
    config = {
        "channel_id": channel_id,
        "title": title,
        "handle": str(snippet.get("customUrl", "")),
        "uploads": uploads if after.ID.fullmatch(uploads) else "",
        "long_uploads": str(part(channel, "status").get("longUploadsStatus", "")),
        "can_comment": can_comment,
        "audited": session.app.settings.get("audited", "").lower() in ("yes", "true", "1"),
    }
    return Connection(Identity(channel_id, title), {}, config=config)
