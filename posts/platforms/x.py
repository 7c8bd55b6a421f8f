"""X: posts with pictures, an animation or a film, polls, threads, first comments.

X takes no key of ours. It refuses the same text within a short time, which is evidence after a lost answer, and the
account's own posts can be read back. Every call costs the site's app money. https://docs.x.com/x-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from posts.platforms._x_media import API, ask, data_of, made, read, uploaded
from posts.platforms._x_post import OPTIONS, body_of, cost_of, matches, problems_of, published, tells_itself
from posts.platforms._x_refusals import DUPLICATE, MEDIA_IDS_INVALID, refusal, says, used_up
from posts.platforms._x_words import WORDS
from posts.publishing import oauth as logins
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    PublishError,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.http import Response
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
    Published,
    Remark,
)

CLOCK_SKEW = timedelta(seconds=5)  # between this machine and X's stamps
FRESH_MEDIA = timedelta(minutes=2)  # for so long X may not yet know a media id everywhere
FRESH_MEDIA_WAIT_SECONDS = 10
LOOKED_THROUGH = 100  # posts since the send, the most of one call
# The guides and recorded answers say tweet.fields, the API's description of 2026 says post.fields: what X takes holds.
FIELDS = {
    "tweet.fields": "created_at,conversation_id,attachments,entities,note_tweet",
    "post.fields": "created_at,conversation_id,attachments,entities,note_post",
}
USERNAME = re.compile(r"[A-Za-z0-9_]{1,50}")
YES = frozenset({"yes", "y", "true", "1", "on"})

TEXT = (TextLimit("x_weighted", 280),)
LONG_TEXT = (TextLimit("x_weighted", 25_000),)
VIDEOS = VideoLimits(
    max_bytes=512_000_000,
    formats=("video/mp4", "video/quicktime"),
    min_seconds=0.5,
    max_seconds=140,
    min_side_pixels=32,
    max_side_pixels=1280,
    max_frames_per_second=60,
    min_aspect=1 / 3,
    max_aspect=3,
    codecs=("h264",),
)


class X(Platform):
    """Publishes to an account on X, through the site's own app."""

    name = "x"
    label = "X"
    api_server = API
    capabilities = Capabilities(
        text=TEXT,
        max_images=4,
        images=ImageLimits(max_bytes=5_000_000, max_side_pixels=4096),
        alt_text=(TextLimit("code_points", 1000),),
        max_videos=1,
        videos=VIDEOS,
        max_gifs=1,
        gifs=VideoLimits(max_bytes=15_000_000, formats=("image/gif",), max_side_pixels=1280, max_pixels=1280 * 1080),
        threads=True,
        comment=TEXT,
    )
    options = OPTIONS
    words = WORDS
    windows = (Window(100, 900), Window(300, 10_800), Window(10_000, 86_400, "app"))
    connect_fields = (
        Field(
            "longform",
            "X Premium",
            required=False,
            default="no",
            help="yes if the account has Premium: texts of up to 25,000 characters, longer and larger videos.",
        ),
    )
    oauth = logins.OAuth(
        "https://x.com",
        "/i/oauth2/authorize",
        API,
        "/2/oauth2/token",
        scopes=("tweet.read", "tweet.write", "users.read", "media.write", "offline.access"),
        client_auth="basic",
        token_at_api=True,
        # A refresh token is good for once; a spent one is answered with this name, with invalid_grant at times.
        refusals={"invalid_request": "oauth.grant_refused"},
    )
    setup = (
        "Make an app at developer.x.com (X charges for each post), allow it to read and write, make it a web app and "
        "enter this site's callback address. Its OAuth 2.0 client id goes into SOCIALQ_X_CLIENT_ID, the client secret "
        "into SOCIALQ_X_CLIENT_SECRET; a native app has no secret."
    )
    refreshes = True
    # X shows a post of one's own within seconds, and would refuse its text a second time for longer than this.
    settle_seconds = 600

    def capabilities_for(self, config: Config) -> Capabilities:
        """Return the limits; those of Premium where the account's owner has said that it has it."""
        if config.get("longform") is not True:
            return self.capabilities
        videos = replace(VIDEOS, max_seconds=None, max_side_pixels=1920)
        return replace(self.capabilities, text=LONG_TEXT, comment=LONG_TEXT, videos=videos)

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what X would refuse: two cashtags, forbidden characters, a poll that is none."""
        return tuple(problems_of(draft))

    def notes(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what the post will cost."""
        return (cost_of(draft),)

    # Connecting

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Return the one account that the tokens belong to; raises ReconnectNeeded if X does not take them."""
        access, renewal = tokens.get("access_token"), tokens.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise ReconnectNeeded("oauth.no_tokens")
        scopes = logins.granted(tokens)
        logins.require_scopes(self.oauth, scopes)
        credentials = {"access_token": access} | ({"refresh_token": renewal} if renewal else {})
        session.http.hide(*map(str, credentials.values()))
        try:
            identity, config = _me(replace(session, credentials=credentials))
        except TokenExpired as error:
            raise ReconnectNeeded("x.login_refused", detail=error.detail, status_code=error.status_code) from None
        config["longform"] = answers.get("longform", "").strip().lower() in YES
        ends_at = logins.expiry(tokens, session.now())
        return (Connection(identity, credentials, config, expires_at=ends_at, scopes=scopes),)

    def refresh(self, session: Session) -> Connection:
        """Trade the refresh token, which is used up by that, for a new pair."""
        renewal = session.credentials.get("refresh_token")
        if not renewal:
            raise ReconnectNeeded("oauth.grant_refused")
        tokens = logins.refreshed(session.http, self.oauth, session.app, str(renewal))
        # Nothing is asked between this and storing the pair: whatever fails then would lose the new refresh token.
        config = session.config
        return Connection(
            Identity(config["user_id"], f"@{config['username'] or config['user_id']}"),
            {name: tokens[name] for name in ("access_token", "refresh_token") if tokens.get(name)},
            expires_at=logins.expiry(tokens, session.now()),
            scopes=logins.granted(tokens),
        )

    def check(self, session: Session) -> Connection:
        """Ask X who the stored token belongs to."""
        identity, config = _me(session)
        return Connection(identity, {}, config)

    # Publishing

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Upload the files with their alt texts and freeze the body."""
        if not content.text.strip() and not content.media:
            raise ContentRejected("post_empty", field="text")
        files = [uploaded(session, media, checkpoints) for media in content.media]
        return {
            "kind": content.kind,
            "body": body_of(content, [str(file["id"]) for file in files]),
            "media_at": max((str(file["at"]) for file in files), default=""),
            "at": session.now().isoformat(),
        }

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Create the post; a later part answers the one before it, a comment the first."""
        body = dict(snapshot["body"])
        parent = _parent(session, snapshot)
        if parent:
            body["reply"] = {"in_reply_to_tweet_id": parent}
        response = ask(session, "POST", "/2/tweets", irreversible=True, json=body)
        if response.status not in (200, 201):
            return self._refused(session, snapshot, response)
        post_id = data_of(response)["id"]
        for until, scope in used_up(response, session.now()):
            session.exhausted(until, "app" if scope == "app" else "account")
        return published(session.config, post_id)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Look through the account's posts since the snapshot was frozen: an earlier send of it counts as well."""
        since = min(marked_at, datetime.fromisoformat(snapshot["at"])) - CLOCK_SKEW
        posts, is_all = _own_posts(session, since)
        if posts is None:
            return CannotTell("bad_answer", look_again=True)
        root = session.thread[0].id if session.thread else ""
        alike = [post for post in posts if matches(post, snapshot, since, root)]
        if len(alike) == 1:
            return Found(published(session.config, alike[0]["id"]))
        if alike:
            return CannotTell("x.several_alike")
        return Absent() if is_all else CannotTell("x.too_many_to_look_through")

    def _refused(self, session: Session, snapshot: Json, response: Response) -> Published:
        """Raise what a refusal means; return the post where X refuses it because it is there already."""
        error, answer = refusal(session, response, "/tweets"), response.json_or_empty()
        known: Json = {"detail": error.detail, "status_code": response.status}
        if response.status == 403 and says(answer, DUPLICATE):
            if not session.sent_before:
                raise ContentRejected("x.duplicate", field="text", **known)
            return self._already_there(session, snapshot)
        if response.status == 400 and says(answer, MEDIA_IDS_INVALID):
            at = datetime.fromisoformat(snapshot["media_at"]) if snapshot["media_at"] else session.now()
            is_fresh = session.now() - at < FRESH_MEDIA
            raise Temporary(
                "x.media_not_usable_yet" if is_fresh else "x.upload_gone",
                retry_after_seconds=FRESH_MEDIA_WAIT_SECONDS,
                restart=not is_fresh,
                **known,
            )
        raise error

    def _already_there(self, session: Session, snapshot: Json) -> Published:
        try:
            finding = self.find(session, snapshot, session.now())
        except PublishError:
            finding = CannotTell("x.duplicate_unclear")
        if isinstance(finding, Found):
            return finding.published
        raise OutcomeUnknown("x.duplicate_unclear")


PLATFORM = X()


def _me(session: Session) -> tuple[Identity, Json]:
    """Ask X whose token it is; return identity and public values."""
    data = made(session, "GET", "/2/users/me", params={"user.fields": "username,name"})
    username = str(data.get("username", ""))
    username = username if USERNAME.fullmatch(username) else ""  # it becomes part of links
    return Identity(data["id"], f"@{username or data['id']}"), {"user_id": data["id"], "username": username}


def _own_posts(session: Session, since: datetime) -> tuple[list[Json] | None, bool]:
    """Return the account's posts since then, ``None`` if X does not say what is asked, and whether these are all."""
    asked = {
        "max_results": str(LOOKED_THROUGH),
        "start_time": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "exclude": "retweets",
    }
    path = f"/2/users/{session.config['user_id']}/tweets"
    for name, fields in FIELDS.items():
        try:
            answer = read(session, "GET", path, place="/timeline", params=asked | {name: fields})
        except Temporary as error:
            if error.status_code != 400:
                raise
            continue
        posts, meta = answer.get("data", []), answer.get("meta")
        if isinstance(meta, dict) and isinstance(posts, list) and all(map(tells_itself, posts)):
            return posts, not meta.get("next_token")
    return None, False


def _parent(session: Session, snapshot: Json) -> str:
    """Return the id of the post that this part answers, "" for the first part."""
    if not session.thread:
        return ""
    return session.thread[0 if snapshot["kind"] == "comment" else -1].id
