"""Checks of connecting, checking and refreshing an account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from posts.publishing.errors import PublishError, RateLimited, ReconnectNeeded, Temporary, TokenExpired
from posts.publishing.platform import Session
from posts.publishing.testing.base import Steps
from posts.publishing.testing.rules import rule
from posts.publishing.testing.server import Answer, Seen
from posts.publishing.testing.stand_ins import shown
from posts.publishing.types import Connection, Json


def without_refresh_tokens(value: Any) -> Any:
    """Return an answer without anything that a login could be refreshed with."""
    if isinstance(value, dict):
        return {name: without_refresh_tokens(part) for name, part in value.items() if "refresh" not in name.lower()}
    return [without_refresh_tokens(part) for part in value] if isinstance(value, list) else value


def merged(session: Session, connection: Connection) -> Json:
    """Return the credentials as the site keeps them: what an answer left out stays as it was."""
    fresh = {name: value for name, value in connection.credentials.items() if value not in (None, "")}
    return dict(session.credentials) | fresh


class ConnectingChecks(Steps):
    """Identity, login, refreshing."""

    @rule("identity")
    def test_connecting_gives_identity_and_credentials_that_no_repr_shows(self, server: Any) -> None:
        connection = self.connect(server)
        assert connection.identity.id
        assert connection.identity.name
        if self.server_config:
            assert connection.config[self.server_config] == server.url
        for secret in (*filter(None, map(str, connection.credentials.values())), self.entered(server)):
            assert secret not in repr(connection)
            assert secret not in repr(connection.config)

    @rule("identity")
    def test_the_identity_is_that_of_the_account_that_posts(self, server: Any) -> None:
        connection = self.connect(server)
        self._publish(self.session(server), self._numbered(1))
        assert server.accepted[-1]["account"] == self.account_of(connection)

    @rule("identity")
    def test_checking_says_the_same_as_connecting_and_posts_nothing(self, server: Any) -> None:
        connection = self.connect(server)
        before = len(server.accepted)
        checked = self.platform.check(self.session(server))
        assert checked.identity.id == connection.identity.id
        assert len(server.accepted) == before

    @rule("login")
    def test_a_wrong_secret_is_refused_without_being_quoted(self, server: Any) -> None:
        wrong = self.entered(server) + "x"
        with self.refused(ReconnectNeeded, secrets=(wrong,)):
            self.connect(server, **{self.secret_field: wrong})

    @rule("login")
    def test_a_login_that_ended_is_told_apart(self, server: Any) -> None:
        session = self.session(server)
        snapshot = self._ready(session, self.content())
        self.end_login(server)
        with self.refused(TokenExpired if self.platform.refreshes else ReconnectNeeded):
            self.platform.commit(session, snapshot)
        assert not server.accepted

    # Refreshing

    @rule("refresh")
    def test_a_refreshed_login_works(self, server: Any) -> None:
        session = self._refreshable(server)
        before = self.connect(server).identity
        connection = self.platform.refresh(session)
        assert connection.identity.id == before.id
        assert connection.credentials, "refreshing gave no credentials"
        credentials = merged(session, connection)
        fresh = replace(session, credentials=credentials, config={**session.config, **connection.config})
        self._publish(replace(fresh, http=self._http(credentials)), self._numbered(1))
        assert len(server.accepted) == 1

    @rule("refresh")
    def test_an_answer_without_a_refresh_token_keeps_the_old_one(self, server: Any) -> None:
        session = self._refreshable(server)

        def rewrite(seen: Seen, answer: Answer) -> Answer:
            return replace(answer, body=without_refresh_tokens(answer.body))

        server.rewrite = rewrite
        try:
            connection = self.platform.refresh(session)
        except PublishError:
            return  # that is an answer too: nothing is stored
        kept = merged(session, connection)
        lost = [name for name, value in session.credentials.items() if value and not kept.get(name)]
        assert not lost, "refreshing lost a credential"
        for name, value in session.credentials.items():
            if "refresh" in name:
                assert kept[name] == value, f"{name} was replaced by something that is no refresh token"

    @rule("refresh")
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_fault_while_refreshing_is_not_the_end_of_a_login(self, server: Any, status: int) -> None:
        session = self._refreshable(server)
        server.fault("", status=status, body="<html>busy</html>")
        with pytest.raises(PublishError) as caught:
            self.platform.refresh(session)
        assert isinstance(caught.value, Temporary | RateLimited), repr(caught.value)

    @rule("refresh")
    def test_a_login_that_cannot_be_refreshed_needs_its_owner(self, server: Any) -> None:
        session = self._refreshable(server)
        if not self.end_renewal(server):
            wrong = {name: f"{value}x" for name, value in session.credentials.items() if "refresh" in name}
            if not wrong:
                pytest.skip("end_renewal of the test class does not say how")
            session = replace(session, credentials={**session.credentials, **wrong})
            session.http.hide(*wrong.values())
        with pytest.raises(PublishError) as caught:
            self.platform.refresh(session)
        assert isinstance(caught.value, ReconnectNeeded), repr(caught.value)
        for secret in self.secrets(server, session):
            assert secret not in shown(caught.value)

    def _refreshable(self, server: Any) -> Session:
        if not self.platform.refreshes:
            pytest.skip("the platform's logins are not refreshed")
        return self.renewable(server, self.session(server))
