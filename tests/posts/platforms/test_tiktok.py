from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from posts.platforms.tiktok import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.oauth import Callback
from posts.publishing.platform import Session
from posts.publishing.types import App, Content, MediaFile, Published
from tests.posts.platforms.contract import MemoryCheckpoints, PlatformContract, an_http, picture, video
from tests.posts.platforms.fake_tiktok import (
    ACCESS_TOKEN,
    LEVELS_OF_PUBLIC,
    OPEN_ID,
    REFRESH_TOKEN,
    STATUSES,
    TOKENS,
    VERIFIED_HOST,
    FakeTikTok,
    error_body,
)

CREATOR = "/v2/post/publish/creator_info/query/"
VIDEO_INIT = "/v2/post/publish/video/init/"
PHOTOS_INIT = "/v2/post/publish/content/init/"
STATUS = "/v2/post/publish/status/fetch/"
CHUNK = "/upload/video/"
CALLBACK = Callback("https://socialq.example/callback", "state-1", "verifier-" + "v" * 40)


class TestTikTok(PlatformContract):
    platform = PLATFORM
    commit_path = CHUNK
    picture_path = PHOTOS_INIT
    login_path = "/v2/user/info/"
    repeats_end_with_snapshot = "one upload makes one post; a new upload makes another"

    @pytest.fixture
    def server(self) -> Iterator[FakeTikTok]:
        with FakeTikTok() as server:
            yield server

    def app(self, server: FakeTikTok) -> App:
        return replace(super().app(server), settings={"audited": "yes"})

    def tokens(self, server: FakeTikTok) -> dict[str, Any]:
        return dict(TOKENS)

    def usual_media(self) -> tuple[MediaFile, ...]:
        return (video(),)

    def usual_options(self) -> dict[str, Any]:
        return {"privacy": "PUBLIC_TO_EVERYONE"}

    def session(self, server: FakeTikTok, *media: MediaFile, timeout_seconds: float = 5) -> Session:
        return super().session(server, *map(public, media), timeout_seconds=timeout_seconds)

    def content(self, text: str = "Hello", *media: MediaFile, **options: Any) -> Content:
        made = super().content(text, *map(public, media))
        return replace(made, options={**made.options, **options})

    def commit(self, session: Session, text: str = "Hello", *media: MediaFile) -> Published:
        """TikTok names a post only once it is live."""
        snapshot = PLATFORM.prepare(session, self.content(text, *media), MemoryCheckpoints())
        return PLATFORM.settle(session, snapshot, PLATFORM.commit(session, snapshot))

    def taken(self, server: FakeTikTok, *media: MediaFile, **options: Any) -> tuple[Session, Any, Published]:
        """What is known right after the commit."""
        session = self.session(server, *media)
        snapshot = PLATFORM.prepare(session, self.content("Hello", *media, **options), MemoryCheckpoints())
        return session, snapshot, PLATFORM.commit(session, snapshot)

    def check_text_request(self, server: FakeTikTok, text: str) -> None:
        creator, init, chunk, status = server.seen[-4:]
        assert (creator.path, creator.body) == (CREATOR, b"")
        assert init.path == VIDEO_INIT
        assert init.headers["authorization"] == f"Bearer {ACCESS_TOKEN}"
        assert init.headers["content-type"] == "application/json; charset=UTF-8"
        assert init.json() == {
            "post_info": {
                "title": text,
                "privacy_level": "PUBLIC_TO_EVERYONE",
                "disable_comment": True,
                "disable_duet": True,
                "disable_stitch": True,
                "brand_content_toggle": False,
                "brand_organic_toggle": False,
                "is_aigc": False,
            },
            "source_info": {"source": "FILE_UPLOAD", "video_size": 4096, "chunk_size": 4096, "total_chunk_count": 1},
        }
        assert (chunk.method, chunk.path) == ("PUT", CHUNK)
        assert chunk.query == {"upload_id": "1", "upload_token": "secret-upload-token-1"}
        assert chunk.headers["content-range"] == "bytes 0-4095/4096"
        assert chunk.headers["content-type"] == "video/mp4"
        assert "authorization" not in chunk.headers
        assert chunk.body == video().read()
        assert (status.path, status.json()) == (STATUS, {"publish_id": "v_pub_file~v2-1.1"})

    def check_picture_request(self, server: FakeTikTok, media: MediaFile) -> None:
        creator, init = server.seen[-3:-1]
        assert creator.path == CREATOR
        assert init.path == PHOTOS_INIT
        assert init.json() == {
            "media_type": "PHOTO",
            "post_mode": "DIRECT_POST",
            "post_info": {
                "description": "Look",
                "privacy_level": "PUBLIC_TO_EVERYONE",
                "disable_comment": True,
                "brand_content_toggle": False,
                "brand_organic_toggle": False,
                "auto_add_music": False,
            },
            "source_info": {
                "source": "PULL_FROM_URL",
                "photo_cover_index": 0,
                "photo_images": [f"https://{VERIFIED_HOST}/{media.key}.jpg"],
            },
        }

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return error_body("rate_limit_exceeded", "The API rate limit was exceeded.")

    def end_login(self, server: FakeTikTok) -> None:
        server.expire_access_tokens()

    def test_a_login_that_ended_is_told_apart(self, server: FakeTikTok) -> None:
        """The upload of a video needs no login any more; photos do."""
        session = self.session(server, picture())
        snapshot = PLATFORM.prepare(session, self.content("Hi", picture()), MemoryCheckpoints())
        self.end_login(server)
        with self.refused(TokenExpired, "token_expired"):
            PLATFORM.commit(session, snapshot)
        assert not server.accepted

    # Logging in

    def test_the_address_to_log_in_at_has_tiktoks_own_names(self) -> None:
        app = App("client-1", "client-secret-1")
        url = PLATFORM.authorize(Session(an_http(), {}, {}, now, app=app), {}, CALLBACK, {}).url
        assert url.startswith("https://www.tiktok.com/v2/auth/authorize/?")
        assert {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()} == {
            "response_type": "code",
            "client_key": "client-1",
            "redirect_uri": CALLBACK.redirect_uri,
            "scope": "user.info.basic,video.publish,video.list",
            "state": "state-1",
        }

    def test_a_code_is_traded_for_tokens(self, server: FakeTikTok) -> None:
        session = Session(an_http(), {}, {}, now, app=self.app(server))
        tokens = PLATFORM.exchange(session, "code-1", {}, CALLBACK, {})
        assert server.seen[-1].form() == {
            "grant_type": "authorization_code",
            "code": "code-1",
            "redirect_uri": CALLBACK.redirect_uri,
            "client_key": "client-1",
            "client_secret": "client-secret-1",
        }
        assert tokens["open_id"] == OPEN_ID

    @pytest.mark.parametrize("with_200", [False, True])
    def test_a_refused_code_is_told_whatever_the_status(self, server: FakeTikTok, with_200: bool) -> None:
        server.with_status_200 = with_200
        session = Session(an_http(), {}, {}, now, app=self.app(server))
        with self.refused(ReconnectNeeded, "oauth.grant_refused"):
            PLATFORM.exchange(session, "code-2", {}, CALLBACK, {})

    def test_identity_is_the_creator_with_what_it_may_choose(self, server: FakeTikTok) -> None:
        server.creator["duet_disabled"] = True
        connection = self.connect(server)
        assert server.seen[-2].query == {"fields": "open_id,display_name"}
        assert (connection.identity.id, connection.identity.name) == (OPEN_ID, "Ada's films")
        assert connection.credentials == {"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN}
        assert connection.config == {
            "open_id": OPEN_ID,
            "username": "ada.films",
            "nickname": "Ada",
            "privacy_levels": LEVELS_OF_PUBLIC,
            "max_seconds": 300,
            "comment_disabled": False,
            "duet_disabled": True,
            "stitch_disabled": False,
            "can_list": True,
            "audited": True,
            "site_reachable": True,
        }
        assert connection.expires_at is not None
        assert connection.renewable_until is not None
        assert timedelta(days=364) < connection.renewable_until - now() <= timedelta(days=365)

    def test_a_check_brings_the_creators_choices_up_to_date(self, server: FakeTikTok) -> None:
        session = self.session(server)
        levels = ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
        server.creator |= {"privacy_level_options": levels, "max_video_post_duration_sec": 600}
        checked = PLATFORM.check(session)
        assert (checked.identity.id, checked.credentials) == (OPEN_ID, {})
        assert (checked.config["privacy_levels"], checked.config["max_seconds"]) == (levels, 600)
        assert checked.config["can_list"] is True

    def test_a_right_that_was_not_given_is_named(self, server: FakeTikTok) -> None:
        session = Session(an_http(), {}, {}, now, app=self.app(server))
        with self.refused(ReconnectNeeded, "oauth.scope_missing") as caught:
            PLATFORM.connections(session, {**TOKENS, "scope": "user.info.basic"}, {})
        assert caught.value.params["scopes"] == "video.publish"

    def test_refreshing_takes_the_new_refresh_token(self, server: FakeTikTok) -> None:
        session = self.session(server)
        fresh = PLATFORM.refresh(session)
        assert server.seen[-1].form() == {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH_TOKEN,
            "client_key": "client-1",
            "client_secret": "client-secret-1",
        }
        assert fresh.identity.id == OPEN_ID
        assert fresh.credentials == {
            "access_token": "act.fake-access-token-0002",
            "refresh_token": "rft.fake-refresh-token-0002",
        }
        with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(REFRESH_TOKEN,)):
            PLATFORM.refresh(session)  # the old one is used up

    def test_a_refresh_without_a_new_refresh_token_leaves_it_out(self, server: FakeTikTok) -> None:
        session = self.session(server)
        server.rotates = False
        assert PLATFORM.refresh(session).credentials == {"access_token": "act.fake-access-token-0002"}

    def test_a_refresh_names_whose_tokens_came(self, server: FakeTikTok) -> None:
        session = self.session(server)
        server.fault("/oauth/token/", status=200, body={**TOKENS, "open_id": "other"})
        assert PLATFORM.refresh(session).identity.id == "other"

    # What the creator allows

    def test_what_a_person_chose_reaches_the_video(self, server: FakeTikTok) -> None:
        self.taken(
            server,
            privacy="MUTUAL_FOLLOW_FRIENDS",
            allow_comment=True,
            allow_duet=True,
            allow_stitch=True,
            brand_content=True,
            brand_organic=True,
            is_aigc=True,
            cover_ms=1500,
        )
        assert server.accepted[0]["info"] == {
            "title": "Hello",
            "privacy_level": "MUTUAL_FOLLOW_FRIENDS",
            "disable_comment": False,
            "disable_duet": False,
            "disable_stitch": False,
            "brand_content_toggle": True,
            "brand_organic_toggle": True,
            "is_aigc": True,
            "video_cover_timestamp_ms": 1500,
        }

    def test_what_the_creator_has_switched_off_stays_off(self, server: FakeTikTok) -> None:
        server.creator |= {"comment_disabled": True, "duet_disabled": True, "stitch_disabled": True}
        self.taken(server, allow_comment=True, allow_duet=True, allow_stitch=True)
        info = server.accepted[0]["info"]
        assert [info[f"disable_{what}"] for what in ("comment", "duet", "stitch")] == [True, True, True]

    def test_what_a_person_chose_reaches_photos(self, server: FakeTikTok) -> None:
        media = (picture("a"), picture("b"))
        self.taken(server, *media, title="Two", auto_add_music=True, allow_comment=True)
        assert server.accepted[0]["info"] == {
            "title": "Two",
            "description": "Hello",
            "privacy_level": "PUBLIC_TO_EVERYONE",
            "disable_comment": False,
            "brand_content_toggle": False,
            "brand_organic_toggle": False,
            "auto_add_music": True,
        }
        assert len(server.accepted[0]["images"]) == 2

    @pytest.mark.parametrize("media", [(), (picture(),)], ids=["a video", "photos"])
    @pytest.mark.parametrize(
        ("privacy", "code"), [("", "tiktok.privacy_missing"), ("FOLLOWER_OF_CREATOR", "tiktok.privacy_refused")]
    )
    def test_who_can_see_it_is_chosen_among_what_is_offered_now(
        self, server: FakeTikTok, media: tuple[MediaFile, ...], privacy: str, code: str
    ) -> None:
        session = self.session(server, *media)
        with self.refused(ContentRejected, code) as caught:
            PLATFORM.prepare(session, self.content("Hi", *media, privacy=privacy), MemoryCheckpoints())
        assert caught.value.field == "privacy"
        assert server.paths()[-1] == CREATOR

    def test_a_video_that_is_longer_than_the_creator_may_post_is_not_announced(self, server: FakeTikTok) -> None:
        film = video(seconds=301)
        with self.refused(ContentRejected, "tiktok.video_too_long") as caught:
            PLATFORM.prepare(self.session(server, film), self.content("Hi", film), MemoryCheckpoints())
        assert caught.value.params["seconds"] == 300
        assert server.paths()[-1] == CREATOR

    def test_a_post_without_media_is_refused(self, server: FakeTikTok) -> None:
        session = self.session(server)
        with self.refused(ContentRejected, "tiktok.media_missing"):
            PLATFORM.prepare(session, replace(self.content(), media=()), MemoryCheckpoints())

    def test_photos_that_have_no_address_are_refused_before_the_call(self, server: FakeTikTok) -> None:
        session = self.session(server, picture())
        snapshot = PLATFORM.prepare(session, self.content("Hi", picture()), MemoryCheckpoints())
        before = len(server.seen)
        with self.refused(ContentRejected, "media_address_missing"):
            PLATFORM.commit(replace(session, media={"p1": picture()}), snapshot)
        with self.refused(Temporary, "media_unreadable"):
            PLATFORM.commit(replace(session, media={}), snapshot)
        assert len(server.seen) == before

    def test_an_app_without_audit_posts_for_private_accounts_only(self, server: FakeTikTok) -> None:
        server.audited = False
        with self.refused(ContentRejected, "tiktok.unaudited") as caught:
            self.taken(server, privacy="SELF_ONLY")
        assert caught.value.field == "privacy"
        server.creator["privacy_level_options"] = ["FOLLOWER_OF_CREATOR", "SELF_ONLY"]
        self.taken(server, privacy="SELF_ONLY")
        assert len(server.accepted) == 1

    # Refusals

    @pytest.mark.parametrize("with_200", [False, True], ids=["own status", "status 200"])
    @pytest.mark.parametrize("path", [CREATOR, VIDEO_INIT, PHOTOS_INIT])
    @pytest.mark.parametrize(
        ("refused", "kind", "code"),
        [
            ("access_token_invalid", TokenExpired, "token_expired"),
            ("scope_not_authorized", ReconnectNeeded, "tiktok.scope_missing"),
            ("scope_permission_missed", ReconnectNeeded, "tiktok.scope_missing"),
            ("spam_risk_user_banned_from_posting", ReconnectNeeded, "tiktok.banned"),
            ("spam_risk_too_many_posts", RateLimited, "tiktok.too_many_posts"),
            ("spam_risk_too_many_pending_share", RateLimited, "tiktok.too_many_pending"),
            ("reached_active_user_cap", RateLimited, "tiktok.user_cap"),
            ("rate_limit_exceeded", RateLimited, "rate_limited"),
            ("invalid_param", ContentRejected, "tiktok.refused"),
            ("invalid_params", ContentRejected, "tiktok.refused"),
            ("privacy_level_option_mismatch", ContentRejected, "tiktok.privacy_refused"),
            ("unaudited_client_can_only_post_to_private_accounts", ContentRejected, "tiktok.unaudited"),
            ("url_ownership_unverified", ContentRejected, "tiktok.domain_unverified"),
            ("spam_risk", ContentRejected, "tiktok.spam"),
            ("spam_risk_text", ContentRejected, "tiktok.text_spam"),
            ("internal_error", None, "server_error"),
            ("something_else", None, ""),
        ],
    )
    def test_documented_refusals(
        self, server: FakeTikTok, path: str, refused: str, kind: type[PublishError] | None, code: str, with_200: bool
    ) -> None:
        media = (picture(),) if path == PHOTOS_INIT else (video(),)
        session = self.session(server, *media)
        server.refuses[path] = refused
        server.with_status_200 = with_200
        unexplained = OutcomeUnknown if path == PHOTOS_INIT else Temporary
        code = code or ("bad_answer" if with_200 else "unexpected_answer")
        with self.refused(kind or unexplained, code) as caught:
            PLATFORM.commit(session, PLATFORM.prepare(session, self.content("Hi", *media), MemoryCheckpoints()))
        assert caught.value.detail == f"{refused}: refused"
        assert caught.value.status_code == (200 if with_200 else STATUSES.get(refused, 403))
        assert not server.accepted


def public(media: MediaFile) -> MediaFile:
    """The file at an address that TikTok downloads from."""
    return replace(media, url=lambda: f"https://{VERIFIED_HOST}/{media.key}.jpg")


def now() -> datetime:
    return datetime.now(UTC)
