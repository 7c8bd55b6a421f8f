from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from posts.platforms._x_media import SEGMENT_BYTES
from posts.platforms._x_refusals import DUPLICATE, FORBIDDEN, MEDIA_IDS_INVALID
from posts.platforms.x import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.oauth import Callback
from posts.publishing.platform import Session
from posts.publishing.types import Absent, CannotTell, Draft, Found, Json, MediaFile, Published, Remark
from posts.publishing.words import WORDS
from tests.posts.platforms.contract import MemoryCheckpoints, PlatformContract, an_http, content, picture, video
from tests.posts.platforms.fake_x import (
    ACCESS,
    CLIENT_ID,
    CLIENT_SECRET,
    INVALID_TOKEN,
    PROBLEMS,
    REFRESH,
    SCOPE,
    USER_ID,
    FakeX,
)

CALLBACK = Callback("https://socialq.example/connect/x/", "state-1", "verifier-verifier-verifier-verifier-verifier")
INVALID_REQUEST = {
    "errors": [{"parameters": {"text": ["x"]}, "message": "that is wrong"}],
    "title": "Invalid Request",
    "detail": "One or more parameters to your request was invalid.",
    "type": PROBLEMS + "invalid-request",
}


def problem(status: int, title: str, detail: str, kind: str = "about:blank") -> dict[str, Any]:
    return {"title": title, "detail": detail, "type": kind, "status": status}


def gif() -> MediaFile:
    return replace(video("g1", 900, "image/gif"), filename="g1.gif", kind="gif", alt_text="It turns")


class Crash(Exception):
    """The process is gone right after a checkpoint was stored."""


class CrashingCheckpoints(MemoryCheckpoints):
    def once(self, name: str, make: Callable[[], Json]) -> Json:
        if name in self.stored:
            return self.stored[name]
        self.put(name, make())
        raise AssertionError("put has crashed")

    def put(self, name: str, value: Json) -> None:
        super().put(name, value)
        raise Crash


class TestX(PlatformContract):
    platform = PLATFORM
    commit_path = "/2/tweets"
    picture_path = "/2/media/upload"
    login_path = "/2/users/me"

    @pytest.fixture
    def server(self) -> Iterator[FakeX]:
        with FakeX() as server:
            yield server

    def tokens(self, server: FakeX) -> dict[str, Any]:
        return {"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 7200, "scope": SCOPE}

    def check_text_request(self, server: FakeX, text: str) -> None:
        seen = server.seen[-1]
        assert (seen.method, seen.path) == ("POST", "/2/tweets")
        assert seen.headers["authorization"] == f"Bearer {ACCESS}"
        assert seen.json() == {"text": text}

    def check_picture_request(self, server: FakeX, media: MediaFile) -> None:
        upload, described, created = server.seen[-3:]
        assert upload.parts() == {"media": (media.filename, media.read()), "media_category": ("", b"tweet_image")}
        media_id = next(iter(server.uploads))
        assert described.json() == {"id": media_id, "metadata": {"alt_text": {"text": media.alt_text}}}
        assert created.json() == {"text": "Look", "media": {"media_ids": [media_id]}}

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return problem(429, "Too Many Requests", "Too Many Requests")

    def end_login(self, server: FakeX) -> None:
        server.access_tokens.clear()

    def refuse(self, server: FakeX, status: int, body: Any, **headers: str) -> None:
        server.fault("/2/tweets", status=status, body=body, headers=headers)

    def prepared(self, session: Session, text: str = "Hello", *media: MediaFile, **more: Any) -> Any:
        return PLATFORM.prepare(session, replace(content(text, *media), **more), MemoryCheckpoints())

    # Connecting

    def test_the_login_asks_with_pkce_at_the_settings_address(self, server: FakeX) -> None:
        session = self.session(server)
        url = urlsplit(PLATFORM.authorize(session, {}, CALLBACK, {}).url)
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{server.url}/i/oauth2/authorize"
        assert parse_qs(url.query) == {
            "response_type": ["code"],
            "client_id": [CLIENT_ID],
            "redirect_uri": [CALLBACK.redirect_uri],
            "scope": [SCOPE],
            "state": ["state-1"],
            "code_challenge": [CALLBACK.challenge],
            "code_challenge_method": ["S256"],
        }

    @pytest.mark.parametrize("public", [False, True], ids=["with secret", "without"])
    def test_a_code_is_traded_as_the_kind_of_app_needs(self, server: FakeX, public: bool) -> None:
        server.public = public
        app = replace(self.app(server), client_secret="" if public else CLIENT_SECRET)
        server.codes["code-1"] = time.time()
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=app)
        tokens = PLATFORM.exchange(session, "code-1", {}, CALLBACK, {})
        form = {
            "grant_type": "authorization_code",
            "code": "code-1",
            "redirect_uri": CALLBACK.redirect_uri,
            "code_verifier": CALLBACK.verifier,
        }
        assert server.seen[-1].form() == form | ({"client_id": CLIENT_ID} if public else {})
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        assert server.seen[-1].headers.get("authorization") == (None if public else f"Basic {pair}")
        (connection,) = PLATFORM.connections(session, tokens, {})
        assert connection.identity.name == "@ada"

    def test_a_code_that_is_too_old_is_refused(self, server: FakeX) -> None:
        server.codes["code-1"] = time.time() - 31
        with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(CALLBACK.verifier,)):
            PLATFORM.exchange(self.session(server), "code-1", {}, CALLBACK, {})

    def test_an_app_that_x_does_not_know_is_told_apart(self, server: FakeX) -> None:
        session = self.session(server)
        session = replace(session, app=replace(session.app, client_secret="another"))
        with self.refused(ReconnectNeeded, "oauth.client_refused"):
            PLATFORM.refresh(session)

    def test_identity_expiry_and_scopes(self, server: FakeX) -> None:
        connection = self.connect(server)
        assert (connection.identity.id, connection.identity.name) == (USER_ID, "@ada")
        assert connection.config == {"user_id": USER_ID, "username": "ada", "longform": False}
        assert connection.credentials == {"access_token": ACCESS, "refresh_token": REFRESH}
        assert connection.scopes == tuple(SCOPE.split())
        assert connection.expires_at is not None
        assert 7190 < (connection.expires_at - datetime.now(UTC)).total_seconds() <= 7200

    def test_a_missing_right_is_named(self, server: FakeX) -> None:
        with self.refused(ReconnectNeeded, "oauth.scope_missing") as caught:
            self.connect(server, scope="tweet.read users.read")
        assert caught.value.params["scopes"] == "tweet.write, media.write, offline.access"

    def test_nothing_can_be_connected_without_a_token(self, server: FakeX) -> None:
        with self.refused(ReconnectNeeded, "oauth.no_tokens"):
            PLATFORM.connections(self.session(server), {}, {})

    @pytest.mark.parametrize(("answer", "longest"), [("yes", 25_000), ("Yes ", 25_000), ("no", 280), ("", 280)])
    def test_premium_is_what_the_owner_says(self, server: FakeX, answer: str, longest: int) -> None:
        config = self.connect(server, longform=answer).config
        able = PLATFORM.capabilities_for(config)
        assert [limits[0].maximum for limits in (able.text, able.comment)] == [longest, longest]
        assert able.videos is not None
        assert able.videos.max_seconds == (140 if longest == 280 else None)

    def test_check_tells_whose_token_it_is_and_keeps_what_was_chosen(self, server: FakeX) -> None:
        connection = PLATFORM.check(self.session(server))
        assert (connection.identity.id, connection.credentials) == (USER_ID, {})
        assert connection.config == {"user_id": USER_ID, "username": "ada"}

    def test_a_name_that_is_none_becomes_no_part_of_links(self, server: FakeX) -> None:
        body = {"data": {"id": USER_ID, "username": "a/../b"}}
        server.fault("/2/users/me", status=200, body=body)
        session = self.session(server)
        assert session.config["username"] == ""
        assert self.commit(session).url.startswith("https://x.com/i/web/status/")

    # Refreshing

    def test_a_refresh_token_is_good_for_once(self, server: FakeX) -> None:
        session = self.session(server)
        fresh = PLATFORM.refresh(session)
        assert server.seen[-1].form() == {"grant_type": "refresh_token", "refresh_token": REFRESH}
        assert fresh.credentials == {"access_token": "ada-access-2", "refresh_token": "ada-refresh-2"}
        assert fresh.identity == self.connect(server).identity
        for error in ("invalid_request", "invalid_grant"):
            server.spent_error = error
            with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(REFRESH,)) as caught:
                PLATFORM.refresh(session)
            assert caught.value.detail == f"{error}: {INVALID_TOKEN}"

    def test_nothing_is_asked_between_a_refresh_and_storing_it(self, server: FakeX) -> None:
        session = self.session(server)
        before = len(server.seen)
        PLATFORM.refresh(session)
        assert server.paths()[before:] == ["/2/oauth2/token"]

    def test_an_answer_without_refresh_token_keeps_the_old_one(self, server: FakeX) -> None:
        session = self.session(server)
        server.fault("/2/oauth2/token", status=200, body={"access_token": "ada-access-9", "expires_in": 7200})
        assert PLATFORM.refresh(session).credentials == {"access_token": "ada-access-9"}

    def test_without_refresh_token_only_the_owner_helps(self, server: FakeX) -> None:
        session = self.session(server)
        session = replace(session, credentials={"access_token": ACCESS})
        before = len(server.seen)
        with self.refused(ReconnectNeeded, "oauth.grant_refused"):
            PLATFORM.refresh(session)
        assert len(server.seen) == before

    def test_a_refresh_may_be_asked_to_wait(self, server: FakeX) -> None:
        session = self.session(server)
        server.fault("/2/oauth2/token", status=429, body="")
        with self.refused(RateLimited, "rate_limited"):
            PLATFORM.refresh(session)

    # Text, options, threads

    def test_options_are_sent_with_the_first_part_only(self, server: FakeX) -> None:
        options = {
            "reply_settings": "mentionedUsers",
            "poll": ["Yes", "No"],
            "poll_minutes": 60,
            "made_with_ai": True,
            "paid_partnership": False,
        }
        session = self.session(server)
        assert self.prepared(session, "Well?", options=options)["body"] == {
            "text": "Well?",
            "poll": {"options": ["Yes", "No"], "duration_minutes": 60},
            "reply_settings": "mentionedUsers",
            "made_with_ai": True,
        }
        assert self.prepared(session, "More", options=options, part=1, parts=2)["body"] == {"text": "More"}
        everybody = {"reply_settings": "everyone", "poll_minutes": 1440}
        assert self.prepared(session, "Hi", options=everybody)["body"] == {"text": "Hi"}

    def test_a_part_answers_the_one_before_and_a_comment_the_first(self, server: FakeX) -> None:
        session = self.session(server)
        live: list[Published] = []
        for part, (text, kind) in enumerate(
            [("One", "post"), ("Two", "post"), ("Three", "post"), ("Below", "comment")]
        ):
            snapshot = self.prepared(session, text, part=part, parts=4, kind=kind)
            live.append(PLATFORM.commit(replace(session, thread=tuple(live)), snapshot))
        answered = [post["body"].get("reply") for post in server.accepted]
        ids = [post.id for post in live]
        assert answered == [None, *({"in_reply_to_tweet_id": ids[n]} for n in (0, 1, 0))]

    def test_the_address_has_the_name(self, server: FakeX) -> None:
        published = self.commit(self.session(server))
        assert published.url == f"https://x.com/ada/status/{published.id}"
        assert published.id == server.accepted[0]["key"]

    @pytest.mark.parametrize(
        ("draft", "expected"),
        [
            (Draft(("$ABC and $DEF.A",)), [("x.too_many_cashtags", "text")]),
            (Draft(("$ABC for $20", "$DEF")), []),
            (Draft(("a\ufeffb",)), [("x.forbidden_characters", "text")]),
            (Draft(("Well?",), options={"poll": ["Yes"], "poll_minutes": 60}), [("x.poll_choices", "poll")]),
            (Draft(("Well?",), options={"poll": ["Yes", "N" * 26]}), [("x.poll_choices", "poll")]),
            (
                Draft(("Well?",), options={"poll": ["Yes", "No"], "poll_minutes": 4}),
                [("x.poll_minutes", "poll_minutes")],
            ),
            (
                Draft((), (picture(),), {"poll": ["Yes", "No"]}),
                [("x.poll_with_media", "poll"), ("x.poll_without_text", "text")],
            ),
            (Draft(("Well?",), options={"poll": ["Yes", "N" * 25], "poll_minutes": 10_080}), []),
        ],
    )
    def test_what_x_would_refuse_is_said_before(self, draft: Draft, expected: list[tuple[str, str]]) -> None:
        remarks = PLATFORM.problems(draft, {})
        assert [(remark.code, remark.field) for remark in remarks] == expected
        assert all(remark.code in WORDS for remark in remarks)

    @pytest.mark.parametrize(
        ("draft", "cost", "links"),
        [
            (Draft(("Hello",)), "$0.015", 0),
            (Draft(("See readme.md",)), "$0.20", 1),
            (Draft(("One", "Two https://a.example", "Three")), "$0.23", 1),
            (Draft(("Look",), (picture("a"), picture("b", alt_text=""), gif())), "$0.025", 0),
            (Draft((), (video(),)), "$0.015", 0),
        ],
    )
    def test_the_cost_is_told_before(self, draft: Draft, cost: str, links: int) -> None:
        params = {"cost": cost, "posts": max(1, len(draft.texts)), "links": links}
        assert PLATFORM.notes(draft, {}) == (Remark("x.cost_with_links" if links else "x.cost", params),)

    def test_the_cost_told_is_the_cost_charged(self, server: FakeX) -> None:
        media = (picture("a"), picture("b"))
        self.commit(self.session(server, *media), "See https://example.com", *media)
        (note,) = PLATFORM.notes(Draft(("See https://example.com",), media), {})
        assert note.params["cost"] == f"${sum(server.charged) / 1000:.3f}".removesuffix("0")

    # Files

    def test_a_film_goes_in_segments_and_is_waited_for(self, server: FakeX) -> None:
        film, checkpoints = video(size_bytes=2 * SEGMENT_BYTES + 5), MemoryCheckpoints()
        session = self.session(server, film)
        before = len(server.seen)
        for wait in (1, 7):
            with self.refused(NotReady, "media_processing") as caught:
                PLATFORM.prepare(session, content("Film", film), checkpoints)
            assert caught.value.check_after_seconds == wait
        snapshot = PLATFORM.prepare(session, content("Film", film), checkpoints)
        begin, *segments, finish, first, second = server.seen[before:]
        media_id, upload = next(iter(server.uploads.items()))
        assert begin.json() == {
            "media_type": "video/mp4",
            "total_bytes": film.size_bytes,
            "media_category": "tweet_video",
        }
        assert [seen.parts()["segment_index"] for seen in segments] == [("", b"0"), ("", b"1"), ("", b"2")]
        assert [len(seen.parts()["media"][1]) for seen in segments] == [SEGMENT_BYTES, SEGMENT_BYTES, 5]
        assert upload.body == film.read()
        assert (finish.path, finish.body) == (f"/2/media/upload/{media_id}/finalize", b"")
        assert [seen.query for seen in (first, second)] == [{"command": "STATUS", "media_id": media_id}] * 2
        assert checkpoints.told == (film.size_bytes, film.size_bytes, "uploaded")
        PLATFORM.commit(session, snapshot)
        assert server.accepted[0]["body"] == {"text": "Film", "media": {"media_ids": [media_id]}}

    def test_a_ready_film_is_not_asked_about_again(self, server: FakeX) -> None:
        film, checkpoints = video(), MemoryCheckpoints()
        server.film_states = [{"state": "succeeded"}]
        session = self.session(server, film)
        first = PLATFORM.prepare(session, content("Film", film), checkpoints)
        before = len(server.seen)
        assert PLATFORM.prepare(session, content("Film", film), checkpoints)["body"] == first["body"]
        assert len(server.seen) == before

    def test_an_upload_goes_on_at_its_next_segment(self, server: FakeX) -> None:
        film, checkpoints = video(size_bytes=3 * SEGMENT_BYTES), MemoryCheckpoints()
        server.film_states = [{"state": "succeeded"}]
        server.append_is_empty = True
        session = self.session(server, film)
        server.fault("/append", status=204, after=True)  # the first arrives, the second's answer is lost
        server.fault("/append", kind="cut", after=True)
        with self.refused(Temporary, "connection_lost"):
            PLATFORM.prepare(session, content("Film", film), checkpoints)
        snapshot = PLATFORM.prepare(session, content("Film", film), checkpoints)
        sent = [seen.parts()["segment_index"][1] for seen in server.seen if seen.path.endswith("/append")]
        assert sent == [b"0", b"1", b"1", b"2"]
        assert sum("initialize" in path for path in server.paths()) == 1
        assert server.uploads[snapshot["body"]["media"]["media_ids"][0]].body == film.read()

    @pytest.mark.parametrize("kind", ["pictures", "film"])
    def test_a_crash_after_any_checkpoint_repeats_nothing(self, server: FakeX, kind: str) -> None:
        server.film_states = [{"state": "succeeded"}]
        film = (video(size_bytes=2 * SEGMENT_BYTES),)
        media = film if kind == "film" else (picture("a"), picture("b"))
        session = self.session(server, *media)
        before, crashes, checkpoints = len(server.seen), 0, CrashingCheckpoints()
        while True:
            try:
                PLATFORM.prepare(session, content("Here", *media), checkpoints)
                break
            except Crash:
                crashes += 1
        film_calls = ["initialize", "append", "append", "finalize", "upload"]  # the last one asks for the state
        expected = film_calls if kind == "film" else ["upload", "metadata"] * 2
        assert [path.rpartition("/")[2] for path in server.paths()[before:]] == expected
        assert crashes == len(checkpoints.stored) + (kind == "film")  # the segments share one

    def test_a_login_that_ends_between_two_segments_loses_nothing(self, server: FakeX) -> None:
        film, checkpoints = video(size_bytes=2 * SEGMENT_BYTES), MemoryCheckpoints()
        server.film_states = [{"state": "succeeded"}]
        session = self.session(server, film)
        server.fault("/append", status=401, body=problem(401, "Unauthorized", "Unauthorized"))
        with self.refused(TokenExpired, "x.token_expired"):
            PLATFORM.prepare(session, content("Film", film), checkpoints)
        session = replace(session, credentials=PLATFORM.refresh(session).credentials)
        PLATFORM.prepare(session, content("Film", film), checkpoints)
        assert sum("initialize" in path for path in server.paths()) == 1

    def test_a_film_that_x_cannot_process_is_refused_and_forgotten(self, server: FakeX) -> None:
        film, checkpoints = video(), MemoryCheckpoints()
        error = {"code": 1, "name": "InvalidMedia", "message": "Unsupported video format"}
        server.film_states = [{"state": "pending", "check_after_secs": 1}, {"state": "failed", "error": error}]
        session = self.session(server, film)
        with self.refused(NotReady):
            PLATFORM.prepare(session, content("Film", film), checkpoints)
        with self.refused(ContentRejected, "x.media_failed") as caught:
            PLATFORM.prepare(session, content("Film", film), checkpoints)
        assert (caught.value.field, caught.value.detail) == ("media", "Unsupported video format")
        assert checkpoints.stored == {}

    def test_an_animation_is_described_and_not_waited_for(self, server: FakeX) -> None:
        media = gif()
        self.commit(self.session(server, media), "It moves", media)
        upload = next(iter(server.uploads.values()))
        assert (upload.category, upload.mime_type, upload.alt_text) == ("tweet_gif", "image/gif", "It turns")
        assert upload.body == media.read()

    def test_files_that_x_has_forgotten_meanwhile_are_uploaded_anew(self, server: FakeX) -> None:
        media, checkpoints = picture(), MemoryCheckpoints()
        session = self.session(server, media)
        first = PLATFORM.prepare(session, content("Look", media), checkpoints)
        later = replace(session, now=lambda: datetime.now(UTC) + timedelta(hours=23, minutes=1))
        second = PLATFORM.prepare(later, content("Look", media), checkpoints)
        assert first["body"] != second["body"]
        assert len(server.uploads) == 2

    def test_files_that_x_does_not_know_yet_are_tried_again(self, server: FakeX) -> None:
        media, checkpoints = picture(), MemoryCheckpoints()
        session = self.session(server, media)
        server.media_lag = 1
        snapshot = PLATFORM.prepare(session, content("Look", media), checkpoints)
        with self.refused(Temporary, "x.media_not_usable_yet") as caught:
            PLATFORM.commit(session, snapshot)
        assert (caught.value.restart, caught.value.retry_after_seconds) == (False, 10)
        PLATFORM.commit(session, PLATFORM.prepare(session, content("Look", media), checkpoints))
        assert len(server.uploads) == len(server.accepted) == 1

    def test_files_that_x_should_know_by_now_are_uploaded_anew(self, server: FakeX) -> None:
        media = picture()
        session = self.session(server, media)
        snapshot = self.prepared(session, "Look", media)
        server.uploads.clear()
        later = replace(session, now=lambda: datetime.now(UTC) + timedelta(minutes=3))
        with self.refused(Temporary, "x.upload_gone") as caught:
            PLATFORM.commit(later, snapshot)
        assert caught.value.restart

    @pytest.mark.parametrize(
        ("path", "kind", "code"),
        [
            ("/2/media/upload/initialize", ContentRejected, "x.media_refused"),
            ("/append", Temporary, "x.upload_gone"),
            ("/finalize", Temporary, "x.upload_gone"),
        ],
    )
    @pytest.mark.parametrize("status", [400, 413])
    def test_refusals_of_a_film(
        self, server: FakeX, status: int, path: str, kind: type[PublishError], code: str
    ) -> None:
        film = video()
        session = self.session(server, film)
        server.fault(path, status=status, body=INVALID_REQUEST)
        with self.refused(kind, code) as caught:
            self.prepared(session, "Film", film)
        assert getattr(caught.value, "restart", True)

    def test_refusals_of_a_picture_and_its_alt_text(self, server: FakeX) -> None:
        media = picture()
        session = self.session(server, media)
        server.fault("/2/media/upload", status=400, body=INVALID_REQUEST)
        with self.refused(ContentRejected, "x.media_refused"):
            self.prepared(session, "Look", media)
        server.fault("/2/media/metadata", status=400, body=INVALID_REQUEST)
        with self.refused(Temporary, "x.upload_gone"):
            self.prepared(session, "Look", media)

    def test_a_status_that_says_nothing_of_processing_is_ready(self, server: FakeX) -> None:
        film, checkpoints = video(), MemoryCheckpoints()
        session = self.session(server, film)
        with self.refused(NotReady):
            PLATFORM.prepare(session, content("Film", film), checkpoints)
        media_id = next(iter(server.uploads))
        server.fault("/2/media/upload", status=200, body={"data": {"id": media_id}})
        assert PLATFORM.prepare(session, content("Film", film), checkpoints)["body"]["media"]["media_ids"] == [media_id]

    # Limits and money

    @pytest.mark.parametrize(
        ("mode", "status"), [("depleted", 402), ("capped", 403)], ids=["no credits", "the operator's own cap"]
    )
    def test_an_app_without_money_waits_and_tells(self, server: FakeX, mode: str, status: int) -> None:
        media = picture()
        session = self.session(server, media)
        snapshot = self.prepared(session)
        server.credits = mode
        server.reset_date = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}"
        for call in (lambda: PLATFORM.commit(session, snapshot), lambda: self.prepared(session, "Hi", media)):
            with self.refused(RateLimited, "x.out_of_credits") as caught:
                call()
            error = caught.value
            assert (error.scope, error.tell, error.status_code) == ("app", True, status)
            wait = (error.until - datetime.now(UTC)).total_seconds()
            assert 3590 < wait <= 3600 if mode == "depleted" else 86_400 < wait <= 3 * 86_400
        assert not server.accepted

    @pytest.mark.parametrize(
        ("headers", "seconds", "scope"),
        [
            ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "{+600}"}, 600, "account"),
            ({"x-rate-limit-reset": "{+600}"}, 600, "account"),
            (
                {
                    "x-rate-limit-remaining": "40",
                    "x-rate-limit-reset": "{+600}",
                    "x-user-limit-24hour-remaining": "0",
                    "x-user-limit-24hour-reset": "{+9000}",
                },
                9000,
                "account",
            ),
            (
                {
                    "x-rate-limit-remaining": "0",
                    "x-rate-limit-reset": "{+600}",
                    "x-app-limit-24hour-remaining": "0",
                    "x-app-limit-24hour-reset": "{+7000}",
                },
                7000,
                "app",
            ),
            ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "{-60}"}, 300, "account"),
            ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "soon"}, 300, "account"),
            ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "99999999999"}, 86_400, "account"),
        ],
    )
    def test_how_long_a_429_lasts_and_for_whom(
        self, server: FakeX, headers: dict[str, str], seconds: int, scope: str
    ) -> None:
        session, now = self.session(server), int(time.time())
        self.refuse(server, 429, problem(429, "Too Many Requests", "Too Many Requests"), **absolute(headers, now))
        with self.refused(RateLimited, "rate_limited") as caught:
            self.commit(session)
        assert abs((caught.value.until - datetime.now(UTC)).total_seconds() - seconds) < 5
        assert caught.value.scope == scope
        assert not caught.value.tell

    @pytest.mark.parametrize(
        ("status", "body", "scope"),
        [
            (429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, "account"),
            (403, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, "account"),
            (403, problem(403, "Nope", "Nope", PROBLEMS + "rate-limit-exceeded"), "account"),
            (429, problem(429, "UsageCapExceeded", "Usage cap", "https://api.x.com/2/problems/usage-capped"), "app"),
            (429, "<html>slow down</html>", "account"),
        ],
    )
    def test_the_bodies_of_a_rate_limit(self, server: FakeX, status: int, body: Any, scope: str) -> None:
        session = self.session(server)
        self.refuse(server, status, body)
        with self.refused(RateLimited, "rate_limited") as caught:
            self.commit(session)
        assert caught.value.scope == scope

    def test_a_success_that_leaves_nothing_is_passed_on(self, server: FakeX) -> None:
        told: list[tuple[datetime, str]] = []
        session = replace(self.session(server), exhausted=lambda until, scope: told.append((until, scope)))
        now = int(time.time())
        both = {
            "x-rate-limit-remaining": "0",
            "x-rate-limit-reset": "{+600}",
            "x-app-limit-24hour-remaining": "0",
            "x-app-limit-24hour-reset": "{+7000}",
            "x-user-limit-24hour-remaining": "17",
            "x-user-limit-24hour-reset": "{+7000}",
        }
        server.headers = absolute(both, now)
        self.commit(session)
        assert told == [
            (datetime.fromtimestamp(now + 7000, UTC), "app"),
            (datetime.fromtimestamp(now + 600, UTC), "account"),
        ]
        server.headers = absolute(both | {"x-rate-limit-remaining": "1", "x-app-limit-24hour-remaining": "9"}, now)
        self.commit(session, "Another")
        assert len(told) == 2

    # Refusals of a post

    @pytest.mark.parametrize(
        ("status", "body", "kind", "code"),
        [
            (400, INVALID_REQUEST, ContentRejected, "x.invalid_request"),
            (401, problem(401, "Unauthorized", "Unauthorized"), TokenExpired, "x.token_expired"),
            (401, "", TokenExpired, "x.token_expired"),
            (
                403,
                problem(
                    403, "Unsupported Authentication", "Application-Only", PROBLEMS + "unsupported-authentication"
                ),
                ReconnectNeeded,
                "x.wrong_token_kind",
            ),
            (
                403,
                problem(403, "Unsupported Authentication", "Application-Only"),
                ReconnectNeeded,
                "x.wrong_token_kind",
            ),
            (
                403,
                problem(403, "Client Forbidden", "not enrolled", PROBLEMS + "client-forbidden"),
                RateLimited,
                "x.app_not_enrolled",
            ),
            (
                403,
                problem(403, "Forbidden", "You are not permitted to perform this action."),
                ContentRejected,
                "x.not_permitted",
            ),
            (403, {"errors": [{"code": 1, "message": "The Tweet contains an invalid URL."}]}, ContentRejected,
             "x.invalid_url"),
            (403, problem(403, "Forbidden", "The stars are wrong."), ContentRejected, "x.refused"),
            (403, "<html>Cloudflare</html>", OutcomeUnknown, "unexpected_answer"),
            (403, {"error": "proxy"}, OutcomeUnknown, "unexpected_answer"),
            (400, "<html>bad</html>", OutcomeUnknown, "unexpected_answer"),
            (404, "", OutcomeUnknown, "unexpected_answer"),
            (418, INVALID_REQUEST, OutcomeUnknown, "unexpected_answer"),
            (503, "<html>over capacity</html>", OutcomeUnknown, "server_error"),
        ],
    )  # fmt: skip
    def test_what_a_refusal_means(
        self, server: FakeX, status: int, body: Any, kind: type[PublishError], code: str
    ) -> None:
        session = self.session(server)
        self.refuse(server, status, body)
        with self.refused(kind, code) as caught:
            self.commit(session)
        assert caught.value.status_code == status
        assert not server.accepted

    @pytest.mark.parametrize("texts", FORBIDDEN)
    def test_each_known_sentence_is_told_apart(self, server: FakeX, texts: Any) -> None:
        expected = texts.refusal()
        for text in texts.texts:
            session = self.session(server)
            self.refuse(server, 403, problem(403, "Forbidden", f"Sorry: {text.capitalize()}."))
            with self.refused(type(expected), expected.code) as caught:
                self.commit(session)
            assert text in caught.value.detail.lower()

    def test_a_text_that_is_too_long_is_refused_unless_the_account_has_premium(self, server: FakeX) -> None:
        session = self.session(server)
        with self.refused(ContentRejected, "x.not_permitted"):
            self.commit(session, "日" * 141)
        server.premium = True
        self.commit(session, "日" * 141)

    def test_a_forbidden_look_at_the_account_needs_its_owner(self, server: FakeX) -> None:
        session = self.session(server)
        server.fault("/2/users/me", status=403, body=problem(403, "Forbidden", "Nope"))
        with self.refused(ReconnectNeeded, "x.login_refused"):
            PLATFORM.check(session)

    # The same text again

    def test_the_same_text_again_is_refused(self, server: FakeX) -> None:
        session = self.session(server)
        self.commit(session)
        with self.refused(ContentRejected, "x.duplicate") as caught:
            self.commit(session)
        assert (caught.value.field, len(server.accepted)) == ("text", 1)

    def test_a_duplicate_of_what_was_sent_once_is_the_post_itself(self, server: FakeX) -> None:
        session = self.session(server)
        snapshot = self.prepared(session, "See example.com & <more>")
        server.fault("/2/tweets", kind="cut", after=True)
        with self.refused(OutcomeUnknown, "connection_lost"):
            PLATFORM.commit(session, snapshot)
        published = PLATFORM.commit(replace(session, sent_before=True), snapshot)
        assert published.id == server.accepted[0]["key"]
        assert len(server.accepted) == 1

    @pytest.mark.parametrize("trouble", ["hidden", "fault"])
    def test_a_duplicate_that_is_not_found_stays_unknown(self, server: FakeX, trouble: str) -> None:
        session = self.session(server)
        snapshot = self.prepared(session)
        PLATFORM.commit(session, snapshot)
        if trouble == "hidden":
            server.hidden = True
        else:
            server.fault(f"/2/users/{USER_ID}/tweets", status=503)
        with self.refused(OutcomeUnknown, "x.duplicate_unclear"):
            PLATFORM.commit(replace(session, sent_before=True), snapshot)

    # Looking a post up

    def test_what_was_posted_is_found_by_its_text(self, server: FakeX) -> None:
        media = picture()
        session = self.session(server, media)
        text = "Tom & Jerry <3 see example.com/a, https://example.org/X?y=1 and www.example.net!\n\nBye  "
        for files in ((), (media,)):
            snapshot = self.prepared(session, text, *files)
            published = PLATFORM.commit(session, snapshot)
            assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == Found(published)
        query = server.seen[-1].query
        assert query["exclude"] == "retweets"
        assert datetime.fromisoformat(query["start_time"]) < datetime.now(UTC)

    def test_what_was_not_posted_is_absent(self, server: FakeX) -> None:
        session = self.session(server)
        self.commit(session, "Something else")
        assert PLATFORM.find(session, self.prepared(session), datetime.now(UTC)) == Absent()
        server.posts.clear()
        assert PLATFORM.find(session, self.prepared(session), datetime.now(UTC)) == Absent()

    def test_an_older_post_with_the_same_text_is_not_ours(self, server: FakeX) -> None:
        session = self.session(server)
        self.commit(session)
        later = replace(session, now=lambda: datetime.now(UTC) + timedelta(minutes=1))
        snapshot = self.prepared(later)
        assert PLATFORM.find(later, snapshot, later.now()) == Absent()

    def test_a_list_that_goes_further_back_than_asked_proves_nothing_more(self, server: FakeX) -> None:
        session = self.session(server)
        snapshot = self.prepared(session)
        old = {"id": "7", "text": "Hello", "created_at": "2026-11-22T07:00:00.000Z", "conversation_id": "7"}
        for created_at in (old["created_at"], "yesterday"):
            body = {"data": [old | {"created_at": created_at}], "meta": {"result_count": 1}}
            server.fault(f"/2/users/{USER_ID}/tweets", status=200, body=body)
            assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == Absent()

    def test_a_part_is_told_apart_by_its_conversation(self, server: FakeX) -> None:
        media = picture()
        session = self.session(server, media)
        first = PLATFORM.commit(session, self.prepared(session, "One"))
        thread = replace(session, thread=(first,))
        snapshot = self.prepared(thread, "One", part=1, parts=2)
        assert PLATFORM.find(thread, snapshot, datetime.now(UTC)) == Absent()
        server.posts[0]["_text"] = ""
        second = PLATFORM.commit(thread, snapshot)
        assert PLATFORM.find(thread, snapshot, datetime.now(UTC)) == Found(second)

    def test_the_newer_name_of_the_fields_is_tried_as_well(self, server: FakeX) -> None:
        server.fields_name = "post.fields"
        session = self.session(server)
        snapshot = self.prepared(session)
        published = PLATFORM.commit(session, snapshot)
        assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == Found(published)

    def test_fields_that_x_leaves_out_prove_no_absence(self, server: FakeX) -> None:
        session = self.session(server)
        snapshot = self.prepared(session)
        PLATFORM.commit(session, snapshot)
        del server.posts[0]["conversation_id"]
        assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == CannotTell("bad_answer", look_again=True)

    def test_two_posts_alike_are_for_a_person_to_tell_apart(self, server: FakeX) -> None:
        session = self.session(server)
        snapshot = self.prepared(session)
        PLATFORM.commit(session, snapshot)
        server.posts.insert(0, server.posts[0] | {"id": "99", "conversation_id": "99"})
        assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == CannotTell("x.several_alike")

    def test_a_long_post_is_compared_as_a_whole(self, server: FakeX) -> None:
        server.premium = True
        session = self.session(server)
        text = "long & " * 100 + "see https://example.com/b"
        snapshot = self.prepared(session, text)
        published = PLATFORM.commit(session, snapshot)
        whole = {"text": server.posts[0]["text"], "entities": server.posts[0].pop("entities")}
        server.posts[0] |= {"text": "long &amp; long… https://t.co/more", "note_tweet": whole}
        assert PLATFORM.find(session, snapshot, datetime.now(UTC)) == Found(published)

    @pytest.mark.parametrize(
        ("body", "finding"),
        [
            ({"meta": {"result_count": 100, "next_token": "x"}}, CannotTell("x.too_many_to_look_through")),
            ({"data": [1], "meta": {"result_count": 1}}, CannotTell("bad_answer", look_again=True)),
            ({"data": [{"id": 7, "text": None}], "meta": {}}, CannotTell("bad_answer", look_again=True)),
            ({"data": {}, "meta": {}}, CannotTell("bad_answer", look_again=True)),
            ({}, CannotTell("bad_answer", look_again=True)),
        ],
    )
    def test_odd_lists(self, server: FakeX, body: Any, finding: Any) -> None:
        session = self.session(server)
        server.fault(f"/2/users/{USER_ID}/tweets", status=200, body=body, times=2)
        assert PLATFORM.find(session, self.prepared(session), datetime.now(UTC)) == finding

    def test_a_look_up_that_fails_says_so(self, server: FakeX) -> None:
        session = self.session(server)
        for status, kind in ((403, Temporary), (503, Temporary), (401, TokenExpired), (429, RateLimited)):
            server.fault(f"/2/users/{USER_ID}/tweets", status=status, body=problem(status, "No", "No"))
            with self.refused(kind):
                PLATFORM.find(session, self.prepared(session), datetime.now(UTC))


def absolute(headers: dict[str, str], now: int) -> dict[str, str]:
    """Return ``headers`` with times such as "{+600}" counted from ``now``."""
    return {name: str(now + int(value[1:-1])) if value.startswith("{") else value for name, value in headers.items()}


def test_the_sentences_are_in_lower_case() -> None:
    texts = [text for case in FORBIDDEN for text in case.texts]
    assert [DUPLICATE, MEDIA_IDS_INVALID, *texts] == [text.lower() for text in (DUPLICATE, MEDIA_IDS_INVALID, *texts)]


def test_every_own_code_begins_with_the_name() -> None:
    assert all(code.startswith("x.") for code in PLATFORM.words)
