from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from posts.platforms.youtube import PLATFORM
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
from tests.posts.platforms.contract import KEY, KEYED_AT, MemoryCheckpoints, PlatformContract, an_http, picture, video
from tests.posts.platforms.fake_server import Answer
from tests.posts.platforms.fake_youtube import (
    ACCESS_TOKEN,
    CHANNEL,
    COMMENT,
    READ,
    REFRESH_TOKEN,
    TOKENS,
    UPLOAD,
    UPLOADS,
    FakeYouTube,
    error_body,
)

START = "/upload/youtube/v3/videos"
SESSION = "/resumable/youtube/v3/videos"
CALLBACK = Callback("https://socialq.example/callback", "state-1", "verifier-" + "v" * 40)
DAILY = (
    "Quota exceeded for quota metric 'Video Uploads' and limit 'Video Uploads per day' of service "
    "'youtube.googleapis.com' for consumer 'project_number:1'"
)


class TestYouTube(PlatformContract):
    platform = PLATFORM
    commit_path = "/resumable/"
    picture_path = START  # a picture is the thumbnail of a video, which is begun first
    login_path = "/youtube/v3/channels"
    repeats_end_with_snapshot = "one upload makes one video; a new upload makes another"

    @pytest.fixture
    def server(self) -> Iterator[FakeYouTube]:
        with FakeYouTube() as server:
            yield server

    def tokens(self, server: FakeYouTube) -> dict[str, Any]:
        return dict(TOKENS)

    def usual_media(self) -> tuple[MediaFile, ...]:
        return (video(),)

    def usual_options(self) -> dict[str, Any]:
        return {"made_for_kids": "no"}

    def session(self, server: FakeYouTube, *media: MediaFile, timeout_seconds: float = 5) -> Session:
        return super().session(server, *with_a_video(media), timeout_seconds=timeout_seconds)

    def content(self, text: str = "Hello", *media: MediaFile, **options: Any) -> Content:
        made = super().content(text, *with_a_video(media))
        return replace(made, options={**made.options, **options})

    def check_text_request(self, server: FakeYouTube, text: str) -> None:
        start, piece = server.seen[-2:]
        assert (start.method, start.path) == ("POST", START)
        assert start.query == {"uploadType": "resumable", "part": "snippet,status"}
        assert start.headers["authorization"] == f"Bearer {ACCESS_TOKEN}"
        assert start.headers["x-upload-content-length"] == "4096"
        assert start.headers["x-upload-content-type"] == "video/mp4"
        assert start.json() == {
            "snippet": {"title": text, "description": text, "categoryId": "22", "tags": []},
            "status": {"privacyStatus": "public", "selfDeclaredMadeForKids": False},
        }
        assert (piece.method, piece.path) == ("PUT", SESSION)
        assert piece.headers["authorization"] == f"Bearer {ACCESS_TOKEN}"
        assert piece.headers["content-type"] == "video/mp4"
        assert piece.headers["content-range"] == "bytes 0-4095/4096"
        assert piece.body == video().read()

    def check_picture_request(self, server: FakeYouTube, media: MediaFile) -> None:
        assert server.paths()[-2:] == [START, SESSION]  # the thumbnail comes when the video is processed

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return error_body(429, "rateLimitExceeded", "Too many requests", status="RESOURCE_EXHAUSTED")

    def end_login(self, server: FakeYouTube) -> None:
        server.expire_access_tokens()

    def prepared(self, server: FakeYouTube, content: Content | None = None) -> tuple[Session, Any]:
        session = self.session(server)
        return session, PLATFORM.prepare(session, content or self.content(), MemoryCheckpoints())

    def uploaded(self, server: FakeYouTube, *media: MediaFile, **options: Any) -> tuple[Session, Any, Published]:
        session = self.session(server, *media)
        snapshot = PLATFORM.prepare(session, self.content("Hello", *media, **options), MemoryCheckpoints())
        return session, snapshot, PLATFORM.commit(session, snapshot)

    # Logging in

    def test_the_address_to_log_in_at_asks_for_a_lasting_login(self) -> None:
        app = App("client-1", "client-secret-1")
        url = PLATFORM.authorize(Session(an_http(), {}, {}, now, app=app), {}, CALLBACK, {}).url
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
        assert asked["scope"] == f"{UPLOAD} {READ} {COMMENT}"
        assert (asked["access_type"], asked["prompt"], asked["response_type"]) == ("offline", "consent", "code")
        assert asked["code_challenge_method"] == "S256"

    def test_a_code_is_traded_for_tokens(self, server: FakeYouTube) -> None:
        session = Session(an_http(), {}, {}, now, app=self.app(server))
        tokens = PLATFORM.exchange(session, "4/code-1", {}, CALLBACK, {})
        assert server.seen[-1].form() == {
            "grant_type": "authorization_code",
            "code": "4/code-1",
            "redirect_uri": CALLBACK.redirect_uri,
            "code_verifier": CALLBACK.verifier,
            "client_id": "client-1",
            "client_secret": "client-secret-1",
        }
        assert tokens["refresh_token"] == REFRESH_TOKEN

    def test_identity_is_the_channel(self, server: FakeYouTube) -> None:
        connection = self.connect(server)
        assert server.seen[-1].query == {"part": "snippet,contentDetails,status", "mine": "true"}
        assert (connection.identity.id, connection.identity.name) == (CHANNEL, "Ada's films")
        assert connection.credentials == {"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN}
        assert connection.config == {
            "channel_id": CHANNEL,
            "title": "Ada's films",
            "handle": "@ada",
            "uploads": UPLOADS,
            "long_uploads": "allowed",
            "can_comment": True,
            "audited": False,
        }
        assert connection.scopes == (UPLOAD, READ, COMMENT)
        assert connection.expires_at is not None
        assert timedelta(minutes=59) < connection.expires_at - now() < timedelta(hours=1)
        assert connection.renewable_until is None

    def test_a_login_that_lasts_only_a_while_says_so(self, server: FakeYouTube) -> None:
        tokens = {**TOKENS, "refresh_token_expires_in": 604_800}
        session = Session(an_http(), {}, {}, now, app=self.app(server))
        (connection,) = PLATFORM.connections(session, tokens, {})
        assert connection.renewable_until is not None
        assert timedelta(days=6) < connection.renewable_until - now() <= timedelta(days=7)

    def test_several_channels_are_several_connections(self, server: FakeYouTube) -> None:
        assert server.channel is not None
        server.channel.items = [{"id": "UC1", "snippet": {"title": "One"}}, {"id": "UC2", "snippet": {"title": "Two"}}]
        session = Session(an_http(), {}, {}, now, app=self.app(server))
        found = PLATFORM.connections(session, TOKENS, {})
        assert [each.identity.name for each in found] == ["One", "Two"]

    def test_a_right_that_was_unticked_is_named(self, server: FakeYouTube) -> None:
        session = Session(an_http(), {}, {}, now, app=self.app(server))
        with self.refused(ReconnectNeeded, "oauth.scope_missing") as caught:
            PLATFORM.connections(session, {**TOKENS, "scope": UPLOAD}, {})
        assert caught.value.params["scopes"] == READ
        assert not server.seen

    def test_without_the_right_to_comment_there_are_no_comments(self, server: FakeYouTube) -> None:
        session = Session(an_http(), {}, {}, now, app=self.app(server))
        (connection,) = PLATFORM.connections(session, {**TOKENS, "scope": f"{UPLOAD} {READ}"}, {})
        assert PLATFORM.capabilities_for(connection.config).comment == ()
        assert PLATFORM.capabilities_for(self.connect(server).config).comment

    def test_tokens_without_scopes_that_lack_one_are_told_apart(self, server: FakeYouTube) -> None:
        server.scopes = {UPLOAD}
        session = Session(an_http(), {}, {}, now, app=self.app(server))
        with self.refused(ReconnectNeeded, "youtube.scope_missing"):
            PLATFORM.connections(session, {"access_token": ACCESS_TOKEN}, {})

    @pytest.mark.parametrize("empty", [True, False], ids=["an empty list", "401"])
    def test_an_account_without_a_channel_is_no_dead_login(self, server: FakeYouTube, empty: bool) -> None:
        if empty:
            assert server.channel is not None
            server.channel.items = []
        else:
            server.channel = None
        with self.refused(ReconnectNeeded, "youtube.no_channel"):
            self.connect(server)

    @pytest.mark.parametrize("long_uploads", ["eligible", "disallowed"])
    def test_a_channel_that_is_not_verified_takes_short_videos(self, server: FakeYouTube, long_uploads: str) -> None:
        assert server.channel is not None
        server.channel.long_uploads = long_uploads
        able = PLATFORM.capabilities_for(self.connect(server).config)
        assert able.videos is not None
        assert able.videos.max_seconds == 900

    def test_refreshing_keeps_the_refresh_token_that_the_answer_leaves_out(self, server: FakeYouTube) -> None:
        session = self.session(server)
        server.scopes = {UPLOAD, READ}
        fresh = PLATFORM.refresh(session)
        assert server.seen[-1].form()["refresh_token"] == REFRESH_TOKEN
        assert fresh.credentials == {"access_token": "ya29.fake-access-token-0002"}
        assert fresh.identity.id == CHANNEL
        assert fresh.config == {"can_comment": False}
        assert fresh.expires_at is not None

    @pytest.mark.parametrize("description", ["Token has been expired or revoked.", "Bad Request"])
    def test_a_refresh_token_that_is_dead_asks_for_reconnecting(self, server: FakeYouTube, description: str) -> None:
        session = self.session(server)
        server.refusal_of_tokens = {"error": "invalid_grant", "error_description": description}
        with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(REFRESH_TOKEN, "client-secret-1")):
            PLATFORM.refresh(session)

    def test_a_check_answers_for_the_channel_that_is_connected(self, server: FakeYouTube) -> None:
        session = self.session(server)
        assert server.channel is not None
        server.channel.items = [
            {"id": "UC1", "snippet": {"title": "Other"}},
            {"id": CHANNEL, "snippet": {"title": "A"}},
        ]
        checked = PLATFORM.check(session)
        assert (checked.identity.id, checked.identity.name) == (CHANNEL, "A")
        assert checked.config["can_comment"] is True
        server.channel.items = server.channel.items[:1]
        assert PLATFORM.check(session).identity.id == "UC1"  # which the kit refuses by name

    # The video

    def test_what_a_person_chose_reaches_the_video(self, server: FakeYouTube) -> None:
        options = {
            "title": "A title",
            "privacy": "unlisted",
            "made_for_kids": "yes",
            "category": "27",
            "tags": ["one", "two words"],
            "silent": True,
            "synthetic": True,
        }
        session = self.session(server)
        content = replace(self.content("First line\nSecond", **options), language="pt-BR")
        PLATFORM.prepare(session, content, MemoryCheckpoints())
        assert server.seen[-1].query["notifySubscribers"] == "false"
        assert server.seen[-1].json() == {
            "snippet": {
                "title": "A title",
                "description": "First line\nSecond",
                "categoryId": "27",
                "tags": ["one", "two words"],
                "defaultLanguage": "pt-BR",
            },
            "status": {
                "privacyStatus": "unlisted",
                "selfDeclaredMadeForKids": True,
                "containsSyntheticMedia": True,
            },
        }

    def test_the_title_is_the_first_line_cut(self, server: FakeYouTube) -> None:
        self.prepared(server, self.content("\n" + "ä" * 120 + "\nSecond"))
        assert server.seen[-1].json()["snippet"]["title"] == "ä" * 100

    def test_publishing_later_uploads_as_private_with_the_time_in_utc(self, server: FakeYouTube) -> None:
        _, _, published = self.uploaded(server, publish_at="2030-01-01T09:00:00+01:00")
        assert server.videos[published.id]["status"]["publishAt"] == "2030-01-01T08:00:00Z"
        assert published.response["privacy"] == "private"
        assert "locked_to_private" not in published.response

    @pytest.mark.parametrize(
        ("content", "code", "field"),
        [
            ({"text": " ", "options": {"made_for_kids": "no"}}, "youtube.title_missing", "title"),
            ({"text": "Hi", "options": {}}, "youtube.kids_missing", "made_for_kids"),
            ({"text": "Hi", "media": (picture(),)}, "youtube.video_missing", "media"),
        ],
    )
    def test_what_is_missing_is_said_before_anything_is_sent(
        self, server: FakeYouTube, content: dict[str, Any], code: str, field: str
    ) -> None:
        session = self.session(server)
        before = len(server.seen)
        with self.refused(ContentRejected, code) as caught:
            PLATFORM.prepare(
                session, replace(Content(KEY, KEYED_AT, "", media=(video(),)), **content), MemoryCheckpoints()
            )
        assert caught.value.field == field
        assert len(server.seen) == before

    # Refusals

    @pytest.mark.parametrize(
        ("status", "reason", "kind", "code"),
        [
            (401, "authError", TokenExpired, "token_expired"),
            (401, "expired", TokenExpired, "token_expired"),
            (401, "authorizationRequired", TokenExpired, "token_expired"),
            (401, "somethingElse", TokenExpired, "token_expired"),
            (401, "youtubeSignupRequired", ReconnectNeeded, "youtube.no_channel"),
            (403, "authenticatedUserNotChannel", ReconnectNeeded, "youtube.no_channel"),
            (403, "insufficientPermissions", ReconnectNeeded, "youtube.scope_missing"),
            (403, "forbidden", ReconnectNeeded, "youtube.forbidden"),
            (403, "authenticatedUserAccountClosed", ReconnectNeeded, "youtube.account_closed"),
            (403, "authenticatedUserAccountSuspended", ReconnectNeeded, "youtube.account_suspended"),
            (403, "quotaExceeded", RateLimited, "youtube.quota_used_up"),
            (403, "dailyLimitExceeded", RateLimited, "youtube.quota_used_up"),
            (403, "rateLimitExceeded", RateLimited, "rate_limited"),
            (403, "userRateLimitExceeded", RateLimited, "rate_limited"),
            (429, "rateLimitExceeded", RateLimited, "rate_limited"),
            (400, "uploadLimitExceeded", RateLimited, "youtube.channel_limit"),
            (403, "uploadLimitExceeded", RateLimited, "youtube.channel_limit"),
            (400, "invalidTitle", ContentRejected, "youtube.title_refused"),
            (400, "invalidDescription", ContentRejected, "youtube.description_refused"),
            (400, "invalidTags", ContentRejected, "youtube.tags_refused"),
            (400, "invalidCategoryId", ContentRejected, "youtube.category_refused"),
            (400, "invalidPublishAt", ContentRejected, "youtube.publish_at_refused"),
            (400, "invalidVideoMetadata", ContentRejected, "youtube.details_refused"),
            (400, "defaultLanguageNotSet", ContentRejected, "youtube.details_refused"),
            (400, "invalidFilename", ContentRejected, "youtube.video_refused"),
            (400, "mediaBodyRequired", ContentRejected, "youtube.video_refused"),
            (403, "forbiddenPrivacySetting", ContentRejected, "youtube.privacy_refused"),
            (403, "forbiddenLicenseSetting", ContentRejected, "youtube.details_refused"),
            (500, "internalError", None, "server_error"),
            (503, "backendError", None, "server_error"),
            (400, "somethingElse", None, "unexpected_answer"),
            (403, "somethingElse", None, "unexpected_answer"),
        ],
    )
    @pytest.mark.parametrize("step", ["start", "last piece"])
    def test_documented_refusals(
        self, server: FakeYouTube, step: str, status: int, reason: str, kind: type[PublishError] | None, code: str
    ) -> None:
        session = self.session(server)
        path = START if step == "start" else SESSION
        server.fault(path, status=status, body=error_body(status, reason, "words"))
        unexplained = Temporary if step == "start" else OutcomeUnknown
        with self.refused(kind or unexplained, code) as caught:
            PLATFORM.commit(session, PLATFORM.prepare(session, self.content(), MemoryCheckpoints()))
        assert caught.value.detail == f"{reason}: words"
        assert not server.accepted

    @pytest.mark.parametrize(("status", "reason"), [(429, "rateLimitExceeded"), (403, "quotaExceeded")])
    def test_a_days_quota_stops_the_whole_project_until_midnight_in_california(
        self, server: FakeYouTube, status: int, reason: str
    ) -> None:
        session = replace(self.session(server), now=lambda: datetime(2026, 11, 22, 12, tzinfo=UTC))
        message = DAILY if status == 429 else "The request cannot be completed because you have exceeded your quota."
        server.fault(START, status=status, body=error_body(status, reason, message))
        with self.refused(RateLimited, "youtube.quota_used_up") as caught:
            PLATFORM.prepare(session, self.content(), MemoryCheckpoints())
        assert (caught.value.scope, caught.value.until) == ("app", datetime(2026, 11, 23, 8, tzinfo=UTC))

    def test_the_channels_own_limit_holds_for_a_day_and_the_next_upload_is_a_new_one(self, server: FakeYouTube) -> None:
        session, checkpoints = self.session(server), MemoryCheckpoints()
        message = "The user has exceeded the number of videos they may upload."
        snapshot = PLATFORM.prepare(session, self.content(), checkpoints)
        server.refuses_last_piece = Answer(400, error_body(400, "uploadLimitExceeded", message))
        with self.refused(RateLimited, "youtube.channel_limit") as caught:
            PLATFORM.commit(session, snapshot)
        assert caught.value.scope == "account"
        assert timedelta(hours=23) < caught.value.until - now() <= timedelta(hours=24)
        server.refuses_last_piece = None
        PLATFORM.commit(session, PLATFORM.prepare(session, self.content(), checkpoints))
        assert len(server.sessions) == 2
        assert len(server.accepted) == 1

    def test_what_an_upload_costs_of_the_quota(self, server: FakeYouTube) -> None:
        session, snapshot = self.prepared(server)
        before = server.units
        PLATFORM.settle(session, snapshot, PLATFORM.commit(session, snapshot))
        assert server.units - before == 1


def with_a_video(media: tuple[MediaFile, ...]) -> tuple[MediaFile, ...]:
    return media if any(file.kind == "video" for file in media) else (video(), *media)


def now() -> datetime:
    return datetime.now(UTC)
