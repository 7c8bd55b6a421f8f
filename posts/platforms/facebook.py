"""Facebook Pages: texts, link previews, photos, videos, reels and first comments.

There is no idempotency key. Photos are staged unpublished and videos have their id before they are finished, so that
those are found again surely; a text is found only by what it says. A Page's token, made from a long-lived login, does
not end by itself. https://developers.facebook.com/docs/pages-api/posts and …/docs/video-api/guides/reels-publishing
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from posts.platforms import _facebook_drafts as drafts
from posts.platforms import _facebook_video as videos
from posts.platforms._facebook_posts import COMMENT_FIELDS, POST_FIELDS, SITE, as_published, id_of, matching
from posts.platforms._facebook_rows import ROWS, WORDS
from posts.platforms._graph import Graph, created_id
from posts.publishing import oauth as logins
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, VideoLimits, Window
from posts.publishing.errors import ContentRejected, NotReady, OutcomeUnknown, PublishError, ReconnectNeeded, Temporary
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import (
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

GRAPH = Graph("facebook", "https://graph.facebook.com", "v26.0", ROWS)
OAUTH = logins.OAuth(
    auth_base=SITE,
    authorize_path=f"/{GRAPH.version}/dialog/oauth",
    token_base=GRAPH.host,
    token_path=f"/{GRAPH.version}/oauth/access_token",
    token_at_api=True,
    scopes=("pages_show_list", "pages_read_engagement", "pages_manage_posts"),
    optional_scopes=("pages_manage_engagement",),
    scope_separator=",",
    pkce=False,
    extra={"auth_type": "rerequest"},  # or the dialog never again asks for what was declined once
)
COMMENT_SCOPE = "pages_manage_engagement"
PAGE_TASK = "CREATE_CONTENT"
PHOTOS_LAST = timedelta(hours=20)  # a photo that no post uses is deleted after about a day


class Facebook(Platform):
    """Publishes to one Page."""

    name = "facebook"
    label = "Facebook"
    api_server = GRAPH.host
    capabilities = Capabilities(
        text=(TextLimit("code_points", 63_206),),  # as the app has it; the API's documentation names none
        max_images=10,
        images=ImageLimits(max_bytes=4_000_000, max_side_pixels=4096),  # 10 MB documented, a refusal speaks of 4
        max_videos=1,
        videos=VideoLimits(max_bytes=10_000_000_000, formats=("video/mp4", "video/quicktime"), max_seconds=14_400),
        comment=(TextLimit("code_points", 8000),),
        marks=("link", "hashtag"),
    )
    options = (
        Option(
            "placement",
            "Publish a video as",
            "choice",
            choices=(("post", "Video on the Page"), ("reel", "Reel")),
            default="post",
        ),
        Option("title", "Title of the video", maximum=255),
        Option("link", "Link preview", maximum=2000, help="The address whose preview is shown below the text."),
    )
    app_settings = (
        Field(
            "config_id",
            "Login configuration",
            required=False,
            help="Only for apps with Facebook Login for Business, whose configuration replaces the list of rights.",
        ),
        Field(
            "webhook_verify_token",
            "Verify token of webhooks",
            secret=True,
            required=False,
            help="Any text, entered here and beside the address /hooks/meta/ in the app's dashboard.",
        ),
    )
    oauth = OAUTH
    setup = (
        "At developers.facebook.com make an app that manages Pages, add Facebook Login with this site's callback "
        "address, and copy the app's id and secret from its basic settings. Pages of other people need Meta's App "
        "Review for pages_show_list, pages_read_engagement, pages_manage_posts and pages_manage_engagement."
    )
    windows = (Window(30, 86_400, option=("placement", "reel")),)
    words = WORDS

    def capabilities_for(self, config: Config) -> Capabilities:
        """Return the limits; without the right to comment there are no first comments."""
        return self.capabilities if config.get("comments", True) else replace(self.capabilities, comment=())

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what keeps ``draft`` from Facebook: a link beside files or that is none, a reel out of bounds."""
        return tuple(drafts.problems(draft))

    def notes(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return that a reel has an unusual shape."""
        return tuple(drafts.notes(draft))

    # Connecting

    def authorize(
        self, session: Session, answers: Mapping[str, str], callback: logins.Callback, known: Json
    ) -> logins.Authorization:
        """Return Facebook's login dialog, with the app's configuration in place of rights where the site has one."""
        config_id = session.app.settings.get("config_id", "")
        if not config_id:
            return logins.authorization(OAUTH, session.app, callback)
        extra = {**OAUTH.extra, "config_id": config_id}
        return logins.authorization(replace(OAUTH, scopes=(), optional_scopes=(), extra=extra), session.app, callback)

    def exchange(
        self, session: Session, code: str, answers: Mapping[str, str], callback: logins.Callback, registration: Json
    ) -> Json:
        """Trade the code for a login of an hour or two."""
        return self._traded(session, {"code": code, "redirect_uri": callback.redirect_uri})

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Return every Page that the person may post to, with its own token.

        The login is made long-lived first: a Page's token that comes from a short one ends with it.
        """
        token = str(tokens["access_token"])
        session.http.hide(token)
        if session.app.client_id and session.app.client_secret:
            asked = {"grant_type": "fb_exchange_token", "fb_exchange_token": token}
            token = str(self._traded(session, asked)["access_token"])
        person = created_id(GRAPH.get(session, "me", {"fields": "id"}, token=token, connecting=True))
        answer = GRAPH.items(session, "me/permissions", {"limit": "100"}, token=token, connecting=True)
        granted = tuple(str(each.get("permission")) for each in answer if each.get("status") == "granted")
        missing = [scope for scope in OAUTH.scopes if scope not in granted]
        if missing:
            raise ReconnectNeeded("oauth.scope_missing", scopes=", ".join(missing))
        asked = {"fields": "id,name,username,access_token,tasks", "limit": "100"}
        pages = list(GRAPH.items(session, "me/accounts", asked, token=token, connecting=True))
        session.http.hide(*(str(page.get("access_token", "")) for page in pages))
        found = [_connection(page, person, granted) for page in pages if _may_post(page)]
        if not found:
            raise ReconnectNeeded("oauth.nothing_to_connect")
        return found

    def check(self, session: Session) -> Connection:
        """Ask whose token it is: with a Page's own, ``me`` is the Page."""
        answer = GRAPH.get(session, "me", {"fields": "id,name,username"}).json()
        page = str(answer.get("id", ""))
        if page != session.config["page_id"]:
            raise ReconnectNeeded("facebook.page_changed", page=page)
        config = {"username": str(answer.get("username", ""))}
        return Connection(Identity(page, str(answer.get("name") or page)), {}, config)

    # Publishing

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Stage the photos unpublished, or upload the video; return what the call that publishes needs."""
        options, text = content.options, content.text
        link, title = str(options.get("link", "")).strip(), str(options.get("title", "")).strip()
        if not text.strip() and not content.media and not link:
            raise ContentRejected("post_empty", field="text")
        if content.kind == "comment":
            return {"kind": "comment", "text": text}
        if content.media and content.media[0].kind == "video":
            reel = options.get("placement") == "reel"
            sent = videos.upload(GRAPH, session, content.media[0], checkpoints, reel=reel)
            return {"kind": "reel" if reel else "video", "text": text, "title": title, "video": sent}
        photos = [self._staged(session, media, checkpoints) for media in content.media]
        return {"kind": "post", "text": text, "link": link, "photos": photos}

    def commit(self, session: Session, snapshot: Json) -> Published:
        """Publish with one call. Facebook goes on working on a video that it has taken."""
        if snapshot["kind"] in ("video", "reel"):
            return videos.finish(GRAPH, session, snapshot)
        if snapshot["kind"] == "comment":
            path, sent = f"{session.thread[0].id}/comments", {"message": snapshot["text"]}
        else:
            path, sent = f"{session.config['page_id']}/feed", _post(snapshot)
        try:
            fields = {"fields": "id,permalink_url"}
            response = GRAPH.post(session, path, sent, params=fields, irreversible=True)
        except ContentRejected as refused:
            error: PublishError = refused
        else:
            return as_published(created_id(response), response.json())
        if session.sent_before and error.code == "facebook.duplicate":
            # It was sent once already, so what it equals may be itself.
            error = OutcomeUnknown(error.code, detail=error.detail, status_code=error.status_code)
        elif error.code == "facebook.invalid_parameter" and _stale(snapshot.get("photos", ()), session.now()):
            error = Temporary("facebook.photos_gone", restart=True, detail=error.detail, status_code=error.status_code)
        raise error

    def settle(self, session: Session, snapshot: Json, published: Published) -> Published:
        """Return the video once it is live; raises ContentRejected where Facebook gave it up."""
        try:
            video = videos.look(GRAPH, session, published.id)
        except Temporary as fault:
            if fault.code != "facebook.unreadable":
                raise
            raise NotReady("platform_processing") from None  # videos are not readable at once
        if video.state == "failed":
            raise ContentRejected("facebook.video_refused", field="media", detail=video.detail)
        if video.state != "live":
            raise NotReady("platform_processing")
        return as_published(published.id, video.answer, published.url)

    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Look a video up by its id, a post by its photos, a text by what it says.

        A Page's list of posts is not complete, so that nothing is proved by what it lacks.
        """
        if snapshot["kind"] in ("video", "reel"):
            return self._find_video(session, snapshot)
        if snapshot["kind"] == "comment":
            path = f"{session.thread[0].id}/comments"
            asked = {"fields": COMMENT_FIELDS, "filter": "stream", "order": "reverse_chronological", "limit": "100"}
        else:
            path = f"{session.config['page_id']}/published_posts"
            asked = {"fields": POST_FIELDS, "limit": "100"}
        listed = list(GRAPH.items(session, path, asked, max_pages=1))
        found = matching(listed, snapshot, session.config["page_id"], marked_at)
        if len(found) == 1 and id_of(found[0]):
            return Found(as_published(id_of(found[0]), found[0]))
        return CannotTell("facebook.no_match", look_again=True)

    def _traded(self, session: Session, grant: Mapping[str, str]) -> Json:
        app = {"client_id": session.app.client_id, "client_secret": session.app.client_secret}
        return GRAPH.long_token(session, "oauth/access_token", {**app, **grant}, versioned=True)

    def _staged(self, session: Session, media: MediaFile, checkpoints: Checkpoints) -> Json:
        name, now = f"photo:{media.key}", session.now()
        if _stale([checkpoints.get(name) or {}], now):
            checkpoints.forget(name)
        return checkpoints.once(name, partial(self._stage, session, media))

    def _stage(self, session: Session, media: MediaFile) -> Json:
        data = {"published": "false"} | ({"alt_text_custom": media.alt_text} if media.alt_text else {})
        path = f"{session.config['page_id']}/photos"
        with videos.opened(media) as stream:
            files = {"source": (media.filename, stream, media.mime_type)}
            response = GRAPH.post(session, path, data, files=files)
        return {"id": created_id(response), "at": session.now().isoformat()}

    def _find_video(self, session: Session, snapshot: Json) -> Finding:
        video = videos.look(GRAPH, session, snapshot["video"]["id"])
        mine = videos.taken(session, snapshot)
        if video.state == "live":
            return Found(as_published(mine.id, video.answer, mine.url))
        if video.state == "uploading":
            return CannotTell("facebook.video_undecided", look_again=True)
        return Found(mine)  # taken; one that failed is not sent again either


PLATFORM = Facebook()


def _may_post(page: Json) -> bool:
    tasks = page.get("tasks")
    return bool(id_of(page) and page.get("access_token")) and isinstance(tasks, list) and PAGE_TASK in tasks


def _connection(page: Json, person: str, granted: tuple[str, ...]) -> Connection:
    config = {
        "page_id": id_of(page),
        "username": str(page.get("username", "")),
        "person_id": person,  # whose login it is: Meta's call-backs name nobody else
        "comments": COMMENT_SCOPE in granted,
    }
    credentials = {"access_token": str(page["access_token"])}
    return Connection(Identity(id_of(page), str(page.get("name") or id_of(page))), credentials, config, scopes=granted)


def _post(snapshot: Json) -> dict[str, str]:
    sent = {"message": snapshot["text"], "link": snapshot["link"]}
    if snapshot["photos"]:
        sent["attached_media"] = json.dumps([{"media_fbid": photo["id"]} for photo in snapshot["photos"]])
    return {name: value for name, value in sent.items() if value}


def _stale(photos: Sequence[Json], now: datetime) -> bool:
    return any(now - datetime.fromisoformat(photo["at"]) > PHOTOS_LAST for photo in photos if "at" in photo)
