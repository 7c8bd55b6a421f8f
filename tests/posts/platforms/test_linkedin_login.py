from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from posts.platforms import _linkedin_authors
from posts.platforms.linkedin import PLATFORM
from posts.publishing.errors import (
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.oauth import Callback
from posts.publishing.platform import Session
from tests.posts.platforms.contract import MemoryCheckpoints, an_http, content
from tests.posts.platforms.fake_linkedin import (
    CODE,
    MEMBER,
    MEMBER_SCOPES,
    PAGE,
    PAGE_SCOPES,
    PARTNER_TOKEN,
    REFRESH_TOKEN,
    SECOND_PAGE,
    TOKEN,
    FakeLinkedIn,
)
from tests.posts.platforms.linkedin_case import LinkedInCase

CALLBACK = Callback("https://socialq.example/back", "state-1", "verifier-1")


class TestLinkedInLogin(LinkedInCase):
    def test_a_login_gives_the_member_and_each_page_with_a_posting_role(self, server: FakeLinkedIn) -> None:
        server.tokens[TOKEN] |= server.tokens[PARTNER_TOKEN]
        found = self.connected(server, access_token=TOKEN, expires_in=5_184_000)
        assert [(each.identity.id, each.identity.name) for each in found] == [
            (MEMBER, "Ada Example"),
            (PAGE, "Page 1001"),
            (SECOND_PAGE, "Page 1002"),
        ]
        assert [each.config["kind"] for each in found] == ["member", "organization", "organization"]
        assert found[1].config["author"] == PAGE
        assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert server.seen[1].query == {"q": "roleAssignee", "state": "APPROVED", "start": "0", "count": "100"}
        assert server.seen[1].headers["x-restli-method"] == "FINDER"

    def test_pages_stand_on_several_pages_of_the_answer(
        self, server: FakeLinkedIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_linkedin_authors, "ROLES_PER_PAGE", 2)
        found = self.connected(server, access_token=PARTNER_TOKEN, scope=PAGE_SCOPES)
        assert [each.identity.id for each in found] == [PAGE, SECOND_PAGE]
        assert [seen.query["start"] for seen in server.seen if seen.path.endswith("Acls")] == ["0", "2"]

    def test_a_login_without_a_page_or_a_right_has_nothing_to_connect(self, server: FakeLinkedIn) -> None:
        server.roles = []
        with self.refused(ReconnectNeeded, "oauth.nothing_to_connect"):
            self.connected(server, access_token=PARTNER_TOKEN, scope=PAGE_SCOPES)
        server.tokens[PARTNER_TOKEN] = set()
        with self.refused(ReconnectNeeded, "oauth.nothing_to_connect"):
            self.connected(server, access_token=PARTNER_TOKEN)

    def test_a_members_login_asks_for_no_pages(self, server: FakeLinkedIn) -> None:
        found = self.connected(server, access_token=TOKEN, scope=MEMBER_SCOPES)
        assert [each.identity.id for each in found] == [MEMBER]
        assert server.paths() == ["/v2/userinfo"]
        assert found[0].scopes == ("openid", "profile", "w_member_social")

    def test_an_app_without_openid_reads_the_profile_elsewhere(self, server: FakeLinkedIn) -> None:
        scope = "r_basicprofile w_member_social"
        server.tokens[TOKEN] = set(scope.split())
        found = self.connected(server, access_token=TOKEN, scope=scope.replace(" ", ","))
        assert [(each.identity.id, each.identity.name) for each in found] == [(MEMBER, "Ada Example")]
        assert PLATFORM.check(self.opened(server, found[0])).identity.id == MEMBER
        assert server.paths()[-1] == "/v2/me"

    def test_every_login_has_an_end(self, server: FakeLinkedIn) -> None:
        now = datetime.now(UTC)
        member = self.connected(server, access_token=TOKEN, scope=MEMBER_SCOPES)[0]
        assert member.expires_at is not None
        assert timedelta(days=59) < member.expires_at - now < timedelta(days=61)
        assert member.renewable_until == member.expires_at  # no refresh token: it cannot be renewed beyond that
        assert member.credentials == {"access_token": TOKEN}
        given = {"expires_in": 3600, "refresh_token": REFRESH_TOKEN, "refresh_token_expires_in": 7200}
        page = self.connected(server, access_token=PARTNER_TOKEN, scope=PAGE_SCOPES, **given)[0]
        assert page.expires_at is not None
        assert page.renewable_until is not None
        assert timedelta(minutes=59) < page.expires_at - now < timedelta(minutes=61)
        assert timedelta(minutes=119) < page.renewable_until - now < timedelta(minutes=121)

    def test_the_login_page_is_asked_for_the_scopes_of_this_sites_app(self, server: FakeLinkedIn) -> None:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.site(server))
        url = urlsplit(PLATFORM.authorize(session, {}, CALLBACK, {}).url)
        assert url.path == "/oauth/v2/authorization"
        assert {name: value for name, (value,) in parse_qs(url.query).items()} == {
            "response_type": "code",
            "client_id": "client-1",
            "redirect_uri": CALLBACK.redirect_uri,
            "scope": "openid profile w_member_social",
            "state": "state-1",
        }
        app = replace(session.app, settings={"scopes": "w_organization_social  r_organization_social"})
        url = urlsplit(PLATFORM.authorize(replace(session, app=app), {}, CALLBACK, {}).url)
        assert parse_qs(url.query)["scope"] == ["w_organization_social r_organization_social"]

    def test_a_code_is_traded_for_tokens(self, server: FakeLinkedIn) -> None:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.site(server))
        tokens = PLATFORM.exchange(session, CODE, {}, CALLBACK, {})
        assert server.seen[-1].form() == {
            "grant_type": "authorization_code",
            "code": CODE,
            "redirect_uri": CALLBACK.redirect_uri,
            "client_id": "client-1",
            "client_secret": "client-secret-1",
        }
        assert len(PLATFORM.connections(session, tokens, {})) == 3
        with self.refused(ReconnectNeeded, "oauth.grant_refused"):
            PLATFORM.exchange(session, "another-code", {}, CALLBACK, {})

    def test_a_token_that_is_only_just_issued_is_tried_once_more(
        self, server: FakeLinkedIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[float] = []
        monkeypatch.setattr("posts.platforms._linkedin_authors.time.sleep", waits.append)
        server.fresh_answers = 1
        assert self.connected(server, access_token=TOKEN, scope=MEMBER_SCOPES, expires_in=5_184_000)
        assert waits == [5.0]
        server.fresh_answers = 2
        with self.refused(Temporary, "linkedin.login_too_new"):
            self.connected(server, access_token=TOKEN, scope=MEMBER_SCOPES, expires_in=5_184_000)
        server.fresh_answers = 1
        with self.refused(ReconnectNeeded, "oauth.grant_refused"):  # nobody says that this one is new
            self.connected(server, access_token=TOKEN, scope=MEMBER_SCOPES)

    def test_after_a_refresh_the_same_answer_is_waited_out_once(self, server: FakeLinkedIn) -> None:
        session = self.member(server)
        session = replace(session, config={**session.config, "issued_at": datetime.now(UTC).isoformat()})
        snapshot = PLATFORM.prepare(session, content(), MemoryCheckpoints())
        server.fresh_answers = 2
        with self.refused(Temporary, "linkedin.login_too_new") as caught:
            PLATFORM.commit(session, snapshot)
        with self.refused(TokenExpired):
            PLATFORM.commit(self.later(session, caught.value.retry_after_seconds), snapshot)

    def test_a_partners_login_is_renewed_and_keeps_what_the_answer_left_out(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        fresh = PLATFORM.refresh(session)
        assert server.seen[-1].form() == {
            "grant_type": "refresh_token",
            "refresh_token": REFRESH_TOKEN,
            "client_id": "client-1",
            "client_secret": "client-secret-1",
        }
        assert fresh.identity.id == PAGE
        assert fresh.credentials["refresh_token"] == REFRESH_TOKEN
        assert fresh.renewable_until is not None
        assert fresh.renewable_until < datetime.now(UTC) + timedelta(days=365)
        renewed = replace(session, credentials=fresh.credentials, config={**session.config, **fresh.config})
        assert self.publish(renewed).id
        server.gives_refresh_tokens = False
        fresh = PLATFORM.refresh(session)
        assert set(fresh.credentials) == {"access_token"}
        assert fresh.renewable_until is None

    def test_a_refused_refresh_token_needs_the_owner(self, server: FakeLinkedIn) -> None:
        session = self.page(server)
        revoked = replace(session, credentials={**session.credentials, "refresh_token": REFRESH_TOKEN + "x"})
        with self.refused(ReconnectNeeded, "oauth.grant_refused", secrets=(REFRESH_TOKEN,)):
            PLATFORM.refresh(revoked)

    def test_a_login_without_refresh_token_is_over_when_it_is_over(self, server: FakeLinkedIn) -> None:
        session = self.member(server)
        before = len(server.seen)
        with self.refused(ReconnectNeeded, "linkedin.login_over"):
            PLATFORM.refresh(session)
        assert len(server.seen) == before

    def test_checking_asks_who_it_is_and_posts_nothing(self, server: FakeLinkedIn) -> None:
        assert PLATFORM.check(self.member(server)).identity.id == MEMBER
        page = PLATFORM.check(self.page(server))
        assert (page.identity.id, page.config) == (PAGE, {"name": "Page 1001"})
        assert not server.accepted
        server.roles = server.roles[1:]
        with self.refused(ReconnectNeeded, "linkedin.no_role"):
            PLATFORM.check(replace(self.page(server), config={"kind": "organization", "author": PAGE}))

    def test_a_page_cannot_post_to_connections_only(self, server: FakeLinkedIn) -> None:
        names = [option.name for option in PLATFORM.options_for({"kind": "organization"})]
        assert "visibility" not in names
        assert "visibility" in [option.name for option in PLATFORM.options_for({"kind": "member"})]
