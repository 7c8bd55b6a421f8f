from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posts.platforms._facebook_rows import ROWS
from posts.platforms.facebook import PLATFORM
from posts.publishing.errors import (
    ContentRejected,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
)
from posts.publishing.oauth import Callback
from posts.publishing.platform import Session
from posts.publishing.types import CannotTell, Content, Found, MediaFile, Published
from tests.posts.platforms.contract import MemoryCheckpoints, PlatformContract, an_http, content, picture
from tests.posts.platforms.fake_facebook import (
    CODE,
    LONG_TOKEN,
    OTHER_PAGE,
    PAGE,
    PAGE_TOKEN,
    USER_TOKEN,
    VERSION,
    FakeFacebook,
    graph_error,
)

CALLBACK = Callback("https://socialq.example/callback", "state-1", "v" * 43)


class _Contract(PlatformContract):
    platform = PLATFORM
    commit_path = "/feed"
    picture_path = "/photos"
    login_path = "/oauth/access_token"
    secret_in_address = "a login is traded for one that lasts by parameters of a GET, as Meta documents it"

    @pytest.fixture
    def server(self) -> Iterator[FakeFacebook]:
        with FakeFacebook() as server:
            yield server

    def tokens(self, server: FakeFacebook) -> dict[str, Any]:
        return {"access_token": USER_TOKEN}

    def prepared(self, session: Session, post: Content) -> tuple[Any, MemoryCheckpoints]:
        kept = MemoryCheckpoints()
        return PLATFORM.prepare(session, post, kept), kept

    def calls(self, server: FakeFacebook, path: str) -> int:
        return len([seen for seen in server.seen if path in seen.path])


class TestFacebook(_Contract):
    def check_text_request(self, server: FakeFacebook, text: str) -> None:
        seen = server.seen[-1]
        assert (seen.method, seen.path) == ("POST", f"/{VERSION}/{PAGE}/feed")
        assert seen.headers["authorization"] == f"Bearer {PAGE_TOKEN}"
        assert seen.form() == {"message": text}
        assert seen.query == {"fields": "id,permalink_url"}

    def check_picture_request(self, server: FakeFacebook, media: MediaFile) -> None:
        staged, posted = server.seen[-2:]
        assert staged.path == f"/{VERSION}/{PAGE}/photos"
        assert staged.parts() == {
            "published": ("", b"false"),
            "alt_text_custom": ("", media.alt_text.encode()),
            "source": (media.filename, media.read()),
        }
        assert posted.form() == {"message": "Look", "attached_media": json.dumps([{"media_fbid": "101"}])}

    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        return graph_error(32, "Page request limit reached", is_transient=True)

    def end_login(self, server: FakeFacebook) -> None:
        server.tokens.clear()

    # Logging in

    def test_the_dialog_asks_for_the_rights(self, server: FakeFacebook) -> None:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.app(server))
        url = PLATFORM.authorize(session, {}, CALLBACK, {}).url
        assert url.startswith(f"{server.url}/{VERSION}/dialog/oauth?response_type=code&client_id=client-1&")
        asked = "pages_show_list%2Cpages_read_engagement%2Cpages_manage_posts%2Cpages_manage_engagement"
        assert f"scope={asked}&state=state-1&auth_type=rerequest" in url
        assert "code_challenge" not in url

    def test_an_app_for_business_sends_its_configuration_in_place_of_rights(self, server: FakeFacebook) -> None:
        app = replace(self.app(server), settings={"config_id": "789"})
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=app)
        url = PLATFORM.authorize(session, {}, CALLBACK, {}).url
        assert "config_id=789" in url
        assert "scope=" not in url

    @pytest.mark.parametrize("tells_expiry", [True, False])
    def test_a_code_becomes_pages_whose_tokens_do_not_end(self, server: FakeFacebook, tells_expiry: bool) -> None:
        server.tells_expiry = tells_expiry
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.app(server))
        tokens = PLATFORM.exchange(session, CODE, {}, CALLBACK, {})
        found = PLATFORM.connections(session, tokens, {})
        assert [seen.path.removeprefix(f"/{VERSION}/") for seen in server.seen] == [
            "oauth/access_token",
            "oauth/access_token",
            "me",
            "me/permissions",
            "me/accounts",
            "me/accounts",
        ]
        assert server.seen[0].query["redirect_uri"] == CALLBACK.redirect_uri
        assert server.seen[1].query["grant_type"] == "fb_exchange_token"
        assert server.seen[4].headers["authorization"] == f"Bearer {LONG_TOKEN}"
        assert "access_token" not in server.seen[5].query  # as ``paging.next`` has it
        assert [(each.identity.id, each.identity.name) for each in found] == [
            (PAGE, "Metricsaurus"),
            (OTHER_PAGE, "Bakery"),
        ]
        first = found[0]
        assert first.credentials == {"access_token": PAGE_TOKEN}
        assert first.config == {"page_id": PAGE, "username": "metrics", "person_id": "42", "comments": True}
        assert first.expires_at is None
        assert "pages_manage_posts" in first.scopes

    def test_tokens_of_ones_own_need_no_app(self, server: FakeFacebook) -> None:
        app = replace(self.app(server), client_id="", client_secret="")
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=app)
        assert len(PLATFORM.connections(session, {"access_token": LONG_TOKEN}, {})) == 2
        assert not self.calls(server, "oauth")

    def test_a_declined_right_is_named(self, server: FakeFacebook) -> None:
        server.declined.add("pages_manage_posts")
        with self.refused(ReconnectNeeded, "oauth.scope_missing") as caught:
            self.connect(server)
        assert caught.value.params == {"scopes": "pages_manage_posts"}

    def test_without_the_right_to_comment_there_are_no_comments(self, server: FakeFacebook) -> None:
        server.declined.add("pages_manage_engagement")
        config = self.connect(server).config
        assert config["comments"] is False
        assert PLATFORM.capabilities_for(config).comment == ()
        assert PLATFORM.capabilities_for({}).comment

    def test_a_login_without_a_page_to_post_to_has_nothing_to_connect(self, server: FakeFacebook) -> None:
        server.tasks = {page: ["ANALYZE"] for page in server.tasks}
        with self.refused(ReconnectNeeded, "oauth.nothing_to_connect"):
            self.connect(server)
        server.names.clear()
        with self.refused(ReconnectNeeded, "oauth.nothing_to_connect"):
            self.connect(server)

    def test_a_used_code_and_a_wrong_secret_are_told_apart(self, server: FakeFacebook) -> None:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.app(server))
        used, secret = CODE + "-used", self.app(server).client_secret + "-other"
        with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(used,)):
            PLATFORM.exchange(session, used, {}, CALLBACK, {})
        wrong = replace(session, app=replace(session.app, client_secret=secret))
        with self.refused(ReconnectNeeded, "oauth.client_refused", secrets=(secret,)):
            PLATFORM.exchange(wrong, CODE, {}, CALLBACK, {})

    def test_checking_asks_whose_token_it_is(self, server: FakeFacebook) -> None:
        session = self.session(server)
        assert PLATFORM.check(session).identity.id == PAGE
        with self.refused(ReconnectNeeded, "facebook.page_changed"):
            PLATFORM.check(replace(session, config={**session.config, "page_id": OTHER_PAGE}))
        server.tokens.clear()
        with self.refused(ReconnectNeeded):
            PLATFORM.check(session)

    # Posts

    def test_a_link_has_a_preview_and_the_answer_an_address(self, server: FakeFacebook) -> None:
        session = self.session(server)
        post = replace(content("Read"), options={"link": " https://a.example/b "})
        published = PLATFORM.commit(session, self.prepared(session, post)[0])
        assert server.seen[-1].form() == {"message": "Read", "link": "https://a.example/b"}
        assert published == Published(
            f"{PAGE}_101", f"https://www.facebook.com/{PAGE}/posts/101", {"id": f"{PAGE}_101"}
        )

    def test_a_link_alone_is_a_post(self, server: FakeFacebook) -> None:
        session = self.session(server)
        PLATFORM.commit(session, self.prepared(session, replace(content(""), options={"link": "https://a.example"}))[0])
        assert server.seen[-1].form() == {"link": "https://a.example"}

    @pytest.mark.parametrize("address", ["", "https://evil.example/x", "//evil.example", 7])
    def test_an_address_that_is_not_facebooks_is_not_kept(self, server: FakeFacebook, address: Any) -> None:
        session = self.session(server)
        server.fault("/feed", status=200, body={"id": "1_2", "permalink_url": address})
        assert self.commit(session).url == "https://www.facebook.com/1_2"

    def test_photos_are_staged_once_and_attached_in_order(self, server: FakeFacebook) -> None:
        media = (picture("a"), picture("b", alt_text=""), picture("c"))
        session = self.session(server, *media)
        server.fault("/photos", status=503, times=1, after=False)
        kept = MemoryCheckpoints()
        with self.refused(Temporary, "server_error"):
            PLATFORM.prepare(session, content("Three", *media), kept)
        PLATFORM.prepare(session, content("Three", *media), kept)
        snapshot = PLATFORM.prepare(session, content("Three", *media), kept)
        assert self.calls(server, "/photos") == 4
        assert not server.accepted
        PLATFORM.commit(session, snapshot)
        assert server.accepted[0]["photos"] == ["101", "102", "103"]
        assert server.accepted[0]["alts"] == ["A red field", "", "A red field"]
        assert server.accepted[0]["sizes"] == [len(each.read()) for each in media]

    def test_photos_that_waited_too_long_are_staged_anew(self, server: FakeFacebook) -> None:
        media = picture()
        session = self.session(server, media)
        snapshot, kept = self.prepared(session, content("Hi", media))
        server.photos.clear()
        later = replace(session, now=lambda: datetime.now(UTC) + timedelta(hours=21))
        with self.refused(Temporary, "facebook.photos_gone") as caught:
            PLATFORM.commit(later, snapshot)
        assert caught.value.restart
        PLATFORM.commit(later, PLATFORM.prepare(later, content("Hi", media), kept))
        assert self.calls(server, "/photos") == 2
        assert server.accepted[0]["photos"] == ["102"]

    def test_photos_that_are_posted_already_are_looked_for(self, server: FakeFacebook) -> None:
        session = self.session(server)
        server.fault("/feed", status=400, body=graph_error(100, "already posted", 1366051))
        with self.refused(OutcomeUnknown, "facebook.photos_used"):
            self.commit(session)

    def test_a_text_like_the_one_before_it_is_refused(self, server: FakeFacebook) -> None:
        session = self.session(server)
        snapshot, _ = self.prepared(session, content("Hello"))
        PLATFORM.commit(session, snapshot)
        with self.refused(ContentRejected, "facebook.duplicate"):
            PLATFORM.commit(session, snapshot)
        with self.refused(OutcomeUnknown, "facebook.duplicate"):  # it may be itself
            PLATFORM.commit(replace(session, sent_before=True), snapshot)
        assert len(server.accepted) == 1

    def test_a_photo_that_cannot_be_read_is_noticed_before_sending(self, server: FakeFacebook) -> None:
        def gone() -> Any:
            raise FileNotFoundError("p1.jpg")

        media = replace(picture(), open=gone)
        session = self.session(server, media)
        before = len(server.seen)
        with self.refused(Temporary, "media_unreadable"):
            self.prepared(session, content("Hi", media))
        assert len(server.seen) == before

    # First comments

    def test_a_first_comment_goes_below_the_post(self, server: FakeFacebook) -> None:
        session = self.session(server)
        post = self.commit(session)
        below = replace(session, thread=(post,))
        snapshot, _ = self.prepared(below, replace(content("More: https://a.example"), kind="comment", part=1, parts=2))
        marked = datetime.now(UTC)
        assert isinstance(PLATFORM.find(below, snapshot, marked), CannotTell)
        comment = PLATFORM.commit(below, snapshot)
        assert server.seen[-1].path == f"/{VERSION}/{post.id}/comments"
        assert server.seen[-1].form() == {"message": "More: https://a.example"}
        assert server.accepted[-1]["below"] == post.id
        found = PLATFORM.find(below, snapshot, marked)
        assert isinstance(found, Found)
        assert found.published.id == comment.id
        server.comments[post.id][0]["from"] = {"id": "someone"}
        assert isinstance(PLATFORM.find(below, snapshot, marked), CannotTell)

    def test_a_post_that_is_not_readable_yet_is_commented_later(self, server: FakeFacebook) -> None:
        session = replace(self.session(server), thread=(Published("1_2", ""),))
        snapshot, _ = self.prepared(session, replace(content("More"), kind="comment"))
        with self.refused(Temporary, "facebook.unreadable"):
            PLATFORM.commit(session, snapshot)

    # Looking up

    @pytest.mark.parametrize(("status", "code"), [(500, 1), (500, 2), (400, 1), (400, 2)])
    @pytest.mark.parametrize("media", [(), (picture(),), (picture("a"), picture("b"))], ids=["text", "photo", "album"])
    def test_a_post_that_is_live_behind_an_error_is_found(
        self, server: FakeFacebook, status: int, code: int, media: tuple[MediaFile, ...]
    ) -> None:
        session = self.session(server, *media)
        snapshot, _ = self.prepared(session, content("Hello\r\nthere ", *media))
        marked = datetime.now(UTC)
        server.fault("/feed", status=status, body=graph_error(code, "An unknown error"), after=True)
        with self.refused(OutcomeUnknown, "server_error"):
            PLATFORM.commit(session, snapshot)
        server.hidden = 1
        assert PLATFORM.find(session, snapshot, marked) == CannotTell("facebook.no_match", look_again=True)
        found = PLATFORM.find(session, snapshot, marked)
        assert isinstance(found, Found)
        assert found.published.id == server.accepted[0]["key"]
        assert found.published.url == f"https://www.facebook.com/{PAGE}/posts/{found.published.id.split('_')[1]}"
        assert len(server.accepted) == 1

    def test_a_text_is_found_only_if_it_is_new_and_the_only_one(self, server: FakeFacebook) -> None:
        session = self.session(server)
        snapshot, _ = self.prepared(session, content("Hello"))
        marked = datetime.now(UTC)
        PLATFORM.commit(session, snapshot)
        assert isinstance(PLATFORM.find(session, snapshot, marked), Found)
        assert isinstance(PLATFORM.find(session, snapshot, marked + timedelta(minutes=2)), CannotTell)
        assert isinstance(PLATFORM.find(session, {**snapshot, "text": "Hell"}, marked), CannotTell)
        self.commit(session, "Another")
        PLATFORM.commit(session, snapshot)
        assert isinstance(PLATFORM.find(session, snapshot, marked), CannotTell)

    def test_photos_are_found_whatever_the_text_and_time(self, server: FakeFacebook) -> None:
        media = picture()
        session = self.session(server, media)
        snapshot, _ = self.prepared(session, content("", media))
        self.commit(session, "Another")
        assert isinstance(PLATFORM.find(session, snapshot, datetime.now(UTC)), CannotTell)
        PLATFORM.commit(session, snapshot)
        assert isinstance(PLATFORM.find(session, snapshot, datetime.now(UTC) + timedelta(days=1)), Found)

    def test_absence_proves_nothing(self) -> None:
        assert PLATFORM.settle_seconds is None
        assert not PLATFORM.repeat_is_safe

    # Refusals

    @pytest.mark.parametrize(
        ("status", "body", "kind", "code", "field"),
        [
            (400, graph_error(190, "gone", 458), ReconnectNeeded, "facebook.app_removed", ""),
            (400, graph_error(190, "confirm", 459), ReconnectNeeded, "facebook.checkpoint", ""),
            (401, graph_error(190, "changed", 460), ReconnectNeeded, "facebook.password_changed", ""),
            (400, graph_error(190, "expired", 463), ReconnectNeeded, "facebook.login_over", ""),
            (401, graph_error(190, "unconfirmed", 464), ReconnectNeeded, "facebook.checkpoint", ""),
            (400, graph_error(190, "invalid", 467), ReconnectNeeded, "facebook.login_invalid", ""),
            (400, graph_error(190), ReconnectNeeded, "facebook.login_over", ""),
            (400, graph_error(102), ReconnectNeeded, "facebook.login_over", ""),
            (403, graph_error(10), ReconnectNeeded, "facebook.permission_missing", ""),
            (403, graph_error(200), ReconnectNeeded, "facebook.permission_missing", ""),
            (403, graph_error(299), ReconnectNeeded, "facebook.permission_missing", ""),
            (400, graph_error(200, "authorise", 1404078), ReconnectNeeded, "facebook.page_not_authorized", ""),
            (400, graph_error(368, "confirm", 4854002), ReconnectNeeded, "facebook.identity_unconfirmed", ""),
            (400, graph_error(100, "gone", 33), Temporary, "facebook.unreadable", ""),
            (400, graph_error(100), ContentRejected, "facebook.invalid_parameter", "post"),
            (400, graph_error(1346003), ContentRejected, "facebook.standards", "post"),
            (400, graph_error(368, "abuse", 1346003), ContentRejected, "facebook.standards", "post"),
            (400, graph_error(1404102), ContentRejected, "facebook.standards", "post"),
            (400, graph_error(100, "photo", 1366046), ContentRejected, "facebook.photo_refused", "media"),
            (400, graph_error(324), ContentRejected, "facebook.photo_refused", "media"),
            (400, graph_error(6000), ContentRejected, "facebook.video_refused", "media"),
            (400, graph_error(100, "format", 1349125), ContentRejected, "facebook.file_refused", "media"),
            (400, graph_error(100, "file", 2069019), ContentRejected, "facebook.file_refused", "media"),
            (400, graph_error(100, "url", 2061006), ContentRejected, "facebook.link_refused", "link"),
            (400, graph_error(100, "scrape", 1609005), ContentRejected, "facebook.link_refused", "link"),
            (400, graph_error(100, "own", 1609008), ContentRejected, "facebook.link_to_facebook", "link"),
            (400, graph_error(506), ContentRejected, "facebook.duplicate", "post"),
            (400, graph_error(1, "unknown", 99), OutcomeUnknown, "server_error", ""),
            (400, graph_error(7, is_transient=True), OutcomeUnknown, "server_error", ""),
            (400, graph_error(7), OutcomeUnknown, "unexpected_answer", ""),
            (400, graph_error(100, "later", 1363047), OutcomeUnknown, "server_error", ""),
            (400, graph_error(100, "later", 1609010), OutcomeUnknown, "server_error", ""),
            (502, "<html>490 bad gateway</html>", OutcomeUnknown, "server_error", ""),
        ],
    )
    def test_documented_refusals(
        self, server: FakeFacebook, status: int, body: Any, kind: type[PublishError], code: str, field: str
    ) -> None:
        session = self.session(server)
        server.fault("/feed", status=status, body=body)
        with self.refused(kind, code) as caught:
            self.commit(session)
        assert getattr(caught.value, "field", "") == field
        assert not server.accepted

    @pytest.mark.parametrize("status", [400, 403])
    @pytest.mark.parametrize(
        ("code", "subcode", "scope", "word", "seconds"),
        [
            (4, 1349210, "app", "rate_limited", 600),
            (341, 0, "app", "rate_limited", 600),
            (17, 0, "account", "rate_limited", 600),
            (32, 0, "account", "rate_limited", 600),
            (613, 0, "account", "rate_limited", 600),
            (80001, 0, "account", "rate_limited", 600),
            (1390008, 0, "account", "facebook.too_fast", 3600),
            (368, 0, "account", "facebook.blocked", 21_600),
        ],
    )
    def test_limits(
        self, server: FakeFacebook, status: int, code: int, subcode: int, scope: str, word: str, seconds: int
    ) -> None:
        session = self.session(server)
        for headers, expected in (
            ({}, seconds),
            ({"X-Business-Use-Case-Usage": "{not json"}, seconds),
            ({"X-Business-Use-Case-Usage": business_usage(100, 42)}, 42 * 60),
        ):
            body = graph_error(code, "limit", subcode, is_transient=True)
            server.fault("/feed", status=status, body=body, headers=headers)
            with self.refused(RateLimited, word) as caught:
                self.commit(session)
            assert caught.value.scope == scope
            assert abs((caught.value.until - datetime.now(UTC)).total_seconds() - expected) < 5
        assert not server.accepted

    @pytest.mark.parametrize(
        ("header", "value", "told"),
        [
            ("X-Business-Use-Case-Usage", lambda: business_usage(79, 0), []),
            ("X-Business-Use-Case-Usage", lambda: business_usage(96, 0), [("account", 600)]),
            ("X-Business-Use-Case-Usage", lambda: business_usage(20, 3), [("account", 180)]),
            (
                "X-App-Usage",
                lambda: json.dumps({"call_count": 97, "total_time": 2, "total_cputime": 2}),
                [("app", 600)],
            ),
            ("X-Page-Usage", lambda: json.dumps({"call_count": 1, "total_time": 99}), [("account", 600)]),
        ],
    )
    def test_a_success_may_say_that_the_limit_is_used_up(
        self, server: FakeFacebook, header: str, value: Any, told: list[Any]
    ) -> None:
        heard: list[Any] = []

        def exhausted(until: datetime, scope: str) -> None:
            heard.append((scope, round((until - datetime.now(UTC)).total_seconds())))

        session = replace(self.session(server), exhausted=exhausted)
        server.headers[header] = value()
        self.commit(session)
        assert heard == told

    def test_no_address_carries_the_token(self, server: FakeFacebook) -> None:
        media = picture()
        session = self.session(server, media)
        server.seen.clear()
        self.commit(session, "Hi", media)
        PLATFORM.check(session)
        assert all(PAGE_TOKEN not in str(seen.query) + seen.path for seen in server.seen)


def business_usage(percent: int, minutes: int) -> str:
    used = {"type": "pages", "call_count": percent, "total_cputime": 3, "total_time": 3}
    calm = {"type": "messenger", "call_count": 1, "total_cputime": 1, "total_time": 1}
    return json.dumps({PAGE: [calm, used | {"estimated_time_to_regain_access": minutes}]})


def test_every_row_has_words() -> None:
    for row in ROWS.values():
        error = row(detail="") if callable(row) and not isinstance(row, tuple) else None
        code = error.code if error else row if isinstance(row, str) else row.code  # type: ignore[union-attr]
        assert code in PLATFORM.words or "." not in code
