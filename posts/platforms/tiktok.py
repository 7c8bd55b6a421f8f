"""TikTok: a video, or up to 35 photos, posted directly to a creator's profile.

A video is announced, sent in chunks, and posted once its last chunk is in; the announcement alone posts nothing, and
its publish id tells what became of it. Photos are downloaded by TikTok from this site, so the one call that names them
posts them. TikTok then works on what it has taken and may still drop it (``settle``).
API: https://developers.tiktok.com/doc/content-posting-api-get-started
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from posts.platforms import _tiktok_after as after
from posts.platforms import _tiktok_upload as upload
from posts.platforms._tiktok_api import API, CREATOR_INFO, USER_INFO, accepted, authorized, post
from posts.platforms._tiktok_post import (
    OPTIONS,
    PHOTO_TEXT_UTF16,
    creator_config,
    draft_notes,
    draft_problems,
    is_reachable,
    options_of,
    photos_info,
    require_allowed,
    video_info,
)
from posts.platforms._tiktok_words import WORDS
from posts.publishing import oauth as logins
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import ContentRejected, ReconnectNeeded, Temporary, TokenExpired
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
    Option,
    Published,
    Remark,
)

PHOTOS_INIT = "/v2/post/publish/content/init/"
LIST_SCOPE = "video.list"


class TikTok(Platform):
    """Posts to one creator's profile."""

    name = "tiktok"
    label = "TikTok"
    api_server = API
    capabilities = Capabilities(
        text=(TextLimit("utf16", PHOTO_TEXT_UTF16),),  # less for a video, see problems
        max_images=35,
        images=ImageLimits(max_bytes=20_000_000, max_side_pixels=1920, max_pixels=1920 * 1080, formats=("image/jpeg",)),
        supports_alt_text=False,
        marks=("hashtag", "mention"),
        max_videos=1,
        videos=VideoLimits(
            max_bytes=4_000_000_000,
            formats=("video/mp4", "video/quicktime", "video/webm"),
            max_seconds=600,
            min_side_pixels=360,
            max_side_pixels=4096,
            max_frames_per_second=60,
            codecs=("h264", "hevc", "vp8", "vp9"),
        ),
        max_gifs=0,
        needs_media=True,
    )
    options = OPTIONS
    windows = (Window(6, 60), Window(15, 86_400))
    words = WORDS
    oauth = logins.OAuth(
        auth_base="https://www.tiktok.com",
        authorize_path="/v2/auth/authorize/",
        token_base=API,
        token_path="/v2/oauth/token/",  # noqa: S106 - an address
        scopes=("user.info.basic", "video.publish"),
        optional_scopes=(LIST_SCOPE,),
        scope_separator=",",
        client_id_name="client_key",
        pkce=False,  # for desktop and mobile apps only, and with a challenge of TikTok's own there
        token_at_api=True,
    )
    app_settings = (Field("audited", "Audited", required=False, help="yes once TikTok has audited the app."),)
    setup = (
        "In the TikTok developer portal make an app, add Login Kit and the Content Posting API with Direct Post, and "
        "register this site's callback address (https). For photos, verify this site's domain there as well; until the "
        "app has passed TikTok's audit its posts are private."
    )
    repeat_is_safe = True  # a publish id takes each chunk once; photos are never called absent
    refreshes = True

    def capabilities_for(self, config: Config) -> Capabilities:
        """Bound a video's length by what TikTok allows the creator."""
        able, longest = self.capabilities, config.get("max_seconds")
        if not longest or able.videos is None:
            return able
        return replace(able, videos=replace(able.videos, max_seconds=min(float(longest), 600.0)))

    def options_for(self, config: Config) -> tuple[Option, ...]:
        """Return the choices that the creator has, without a default for who can see the post."""
        return options_of(config)

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what TikTok would refuse: a long text on a video, photos it cannot download, private brand content."""
        return tuple(draft_problems(draft, config))

    def notes(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Say that an app without audit posts for nobody but the account itself."""
        return tuple(draft_notes(draft, config))

    # Connecting

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Return the one creator of a login, with what TikTok lets that creator choose."""
        scopes = logins.granted(tokens)
        logins.require_scopes(self.oauth, scopes)
        credentials = _credentials(tokens)
        session.http.hide(*credentials.values())
        asking = replace(session, credentials=credentials)
        try:
            connection = _connection(asking, can_list=LIST_SCOPE in scopes)
        except TokenExpired as error:
            raise ReconnectNeeded("oauth.grant_refused", detail=error.detail, status_code=error.status_code) from None
        return [_lasting(replace(connection, credentials=credentials), tokens, session.now())]

    def refresh(self, session: Session) -> Connection:
        """Trade the refresh token for new tokens; a new refresh token replaces it, where one comes."""
        tokens = logins.refreshed(session.http, self.oauth, session.app, session.credentials.get("refresh_token", ""))
        open_id = str(tokens.get("open_id") or session.config["open_id"])
        name = str(session.config.get("nickname") or open_id)
        return _lasting(Connection(Identity(open_id, name), _credentials(tokens)), tokens, session.now())

    def check(self, session: Session) -> Connection:
        """Ask TikTok whose login this is and what that creator may choose now."""
        return _connection(session, can_list=bool(session.config.get("can_list")))

    # Publishing

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Ask what the creator allows; announce a video and send all of it but its last chunk."""
        video = next((file for file in content.media if file.kind == "video"), None)
        if not content.media:
            raise ContentRejected("tiktok.media_missing", field="media")
        snapshot: Json = {"privacy": content.options.get("privacy"), "text": content.text}
        if video is None:
            creator = _creator(session, content)
            photos = [file.key for file in content.media]
            return {**snapshot, "kind": "photos", "photos": photos, "info": photos_info(content, creator)}

        def start() -> Json:
            return upload.begin(session, video, video_info(content, _creator(session, content)))

        sent = upload.send_all_but_last(session, video, start, checkpoints)
        return {**snapshot, "kind": "video", "video": video.key, "size_bytes": video.size_bytes, **sent}

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Send the last chunk of a video, or name the photos: TikTok then posts by itself."""
        if snapshot["kind"] == "photos":
            return self._post_photos(session, snapshot)
        video = session.media.get(snapshot["video"])
        if video is None:
            raise Temporary("media_unreadable")
        size, offset = snapshot["size_bytes"], snapshot["offset"]
        if session.sent_before or offset >= size:
            status = upload.status_of(session, snapshot["publish_id"])
            if status is None:
                raise Temporary("tiktok.upload_gone", restart=True)
            arrived = upload.arrived_of(status, size)
            if arrived == size:
                return after.taken(session, snapshot, snapshot["publish_id"])
            offset = offset if arrived is None else arrived
        if offset != upload.chunks_of(size).last_at:
            raise Temporary("tiktok.upload_incomplete")  # prepared anew, from what has arrived
        rest = size - offset
        response = upload.send(session, snapshot["address"], video, offset, rest, irreversible=True)
        if response.status != upload.COMPLETE:
            raise upload.not_taken(session, response)
        return after.taken(session, snapshot, snapshot["publish_id"])

    def settle(self, session: Session, snapshot: Json, published: Published) -> Published:
        """Wait until TikTok has posted it, and a while for the address of what everybody may see."""
        return after.settled(session, published)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Ask what became of the publish id; photos have none after a lost answer, so look through public posts."""
        if snapshot["kind"] == "photos":
            return after.find_photos(session, snapshot, marked_at)
        status = upload.status_of(session, snapshot["publish_id"])
        if status is None:
            return CannotTell(upload.UNKNOWN)
        arrived = upload.arrived_of(status, snapshot["size_bytes"])
        if arrived is None:
            return CannotTell("tiktok.status_unclear", look_again=True)
        if arrived < snapshot["size_bytes"]:
            return Absent()
        return Found(after.taken(session, snapshot, snapshot["publish_id"]))

    def _post_photos(self, session: Session, snapshot: Json) -> Published:
        addresses = _addresses(session, snapshot["photos"])
        source = {"source": "PULL_FROM_URL", "photo_cover_index": 0, "photo_images": addresses}
        body = {
            "media_type": "PHOTO",
            "post_mode": "DIRECT_POST",
            "post_info": snapshot["info"],
            "source_info": source,
        }
        data, response = post(session, PHOTOS_INIT, body, irreversible=True)
        publish_id = data.get("publish_id")
        if not isinstance(publish_id, str) or not publish_id:
            raise response.unusable("bad_answer")
        return after.taken(session, snapshot, publish_id)


PLATFORM = TikTok()


def _credentials(tokens: Json) -> Json:
    """Return what is kept of a token answer; a refresh token only where there is one."""
    names = ("access_token", "refresh_token")
    return {name: tokens[name] for name in names if isinstance(tokens.get(name), str) and tokens[name]}


def _lasting(connection: Connection, tokens: Json, now: datetime) -> Connection:
    """Return the connection with how long its tokens last."""
    return replace(
        connection,
        expires_at=logins.expiry(tokens, now),
        renewable_until=logins.expiry(tokens, now, "refresh_expires_in"),
        scopes=logins.granted(tokens),
    )


def _connection(session: Session, *, can_list: bool) -> Connection:
    params = {"fields": "open_id,display_name"}
    url = session.app.api(API) + USER_INFO
    response = session.http.request("GET", url, headers=authorized(session), params=params)
    user = accepted(session, response).get("user")
    open_id = user.get("open_id") if isinstance(user, dict) else None
    if not isinstance(user, dict) or not isinstance(open_id, str) or not open_id:
        raise response.unusable("bad_answer")
    creator, _ = post(session, CREATOR_INFO)
    config = {
        "open_id": open_id,
        **creator_config(creator),
        "can_list": can_list,
        "audited": session.app.settings.get("audited", "").lower() in ("yes", "true", "1"),
        "site_reachable": is_reachable(session.app.site_url),
    }
    return Connection(Identity(open_id, str(user.get("display_name") or config["username"] or open_id)), {}, config)


def _creator(session: Session, content: Content) -> Json:
    """Ask what the creator allows at this moment, as TikTok wants it before each post; raise if not this post."""
    data, _ = post(session, CREATOR_INFO)
    creator = creator_config(data)
    require_allowed(content, creator)
    return creator


def _addresses(session: Session, photos: list[str]) -> list[str]:
    """Return where TikTok downloads the photos from."""
    if any(key not in session.media for key in photos):
        raise Temporary("media_unreadable")
    try:
        return [session.media[key].url() for key in photos]
    except LookupError:
        failure = ContentRejected("media_address_missing", field="media")
    raise failure
