"""Checks that no secret is shown or sent where it does not belong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from posts.publishing.errors import PublishError, Temporary
from posts.publishing.platform import Session
from posts.publishing.testing.base import Steps, said
from posts.publishing.testing.files import picture
from posts.publishing.testing.rules import rule
from posts.publishing.testing.server import Answer, FakeServer, Seen
from posts.publishing.testing.stand_ins import MemoryCheckpoints, shown
from posts.publishing.types import MediaFile


class Stranger(FakeServer):
    """A server that nobody has chosen; it should never hear anything."""

    def handle(self, seen: Seen) -> Answer:
        """Take whatever comes."""
        return Answer(200, {})


class SecretsChecks(Steps):
    """Secrets in errors, snapshots, addresses, and at other hosts."""

    @rule("secrets")
    def test_the_reprs_of_a_session_show_no_secret(self, server: Any) -> None:
        session = self.session(server)
        for secret in self.secrets(server, session):
            assert secret not in repr(session) + repr(session.http)

    @rule("secrets")
    @pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
    def test_a_server_that_quotes_what_was_entered_gives_nothing_away(self, server: Any, status: int) -> None:
        secret = self.entered(server)
        body = {"ok": False, "error": secret, "message": f"no {secret}", "description": f"no {secret}"}
        server.fault(self.login_path, status=status, body=body)
        with pytest.raises(PublishError) as caught:
            self.connect(server)
        assert secret not in shown(caught.value)

    @rule("errors")
    def test_a_fault_while_connecting_is_temporary(self, server: Any) -> None:
        server.fault(self.login_path, status=503, body="<html>busy</html>", headers={"Retry-After": "9"})
        with self.refused(Temporary, "server_error") as caught:
            self.connect(server)
        assert caught.value.retry_after_seconds == 9

    @rule("errors")
    def test_a_page_instead_of_an_answer_while_connecting_is_temporary(self, server: Any) -> None:
        server.fault(self.login_path, status=200, body="<html>welcome</html>")
        with self.refused(Temporary, "bad_answer"):
            self.connect(server)

    @rule("secrets")
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 418, 429, 500])
    def test_no_error_quotes_a_secret(self, server: Any, status: int) -> None:
        media = self._a_picture()
        session = self.session(server, *media)
        secrets = self.secrets(server, session)
        quoting = " ".join(secrets)
        body = {"ok": False, "error": quoting, "message": quoting, "description": quoting}
        headers = dict.fromkeys(("WWW-Authenticate", "X-Error", "Location"), quoting)
        calls = [(self.commit_path, ()), *([(self.picture_path, media)] if media else [])]
        for path, call in calls:
            server.fault(path, status=status, body=body, headers=headers)
            with pytest.raises(PublishError) as caught:
                self.commit(session, "Hi", *call)
            assert not [secret for secret in secrets[1:] if secret in shown(caught.value)]

    @rule("secrets")
    @pytest.mark.parametrize("quoted", [False, True], ids=["a plain server", "a server that quotes them"])
    def test_what_is_stored_holds_no_secret(self, server: Any, quoted: bool) -> None:
        media = self._a_picture()
        session, kept = self.session(server, *media), MemoryCheckpoints()
        secrets = self.secrets(server, session)
        if quoted:
            server.rewrite = _quoting(" ".join(secrets))
        snapshot = self._ready(session, self._numbered(1, "", *media), kept)
        published = self.platform.commit(session, snapshot)
        places = {"snapshot": snapshot, "checkpoints": kept.stored, "answer that is kept": published.response}
        for place, value in places.items():
            stored = json.dumps(value, default=repr)
            assert not [secret for secret in secrets if secret in stored], f"a secret is in the {place}"
            assert session.http.redact(stored) == stored, f"what the platform hid as a secret is in the {place}"
        assert not [secret for secret in secrets if secret in repr(published)]

    @rule("address")
    def test_no_secret_is_in_an_address(self, server: Any) -> None:
        if self.secret_in_address:
            pytest.skip(self.secret_in_address)
        media = self._a_picture()
        session = self.session(server, *media)
        self._publish(session, self._numbered(1, "", *media))
        secrets = self.secrets(server, session)
        for seen in server.seen:
            address = said([replace(seen, body=b"")])
            assert not [secret for secret in secrets if secret in address], f"{seen.method} {seen.path}"

    # Other hosts

    @rule("hosts")
    def test_a_redirect_is_not_followed(self, server: Any) -> None:
        session = self.session(server)
        with self._stranger() as stranger:
            server.fault(self.commit_path, status=307, headers={"Location": f"{stranger.url}/elsewhere"})
            with pytest.raises(PublishError) as caught:
                self.commit(session)
            assert not stranger.seen, "a commit followed a redirect"
        assert caught.value.code == "unexpected_answer", repr(caught.value)

    @rule("hosts")
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_no_call_follows_a_redirect(self, server: Any, status: int) -> None:
        media = self._a_picture()
        session = self.session(server, *media)
        with self._stranger() as stranger:
            server.fault("", status=status, headers={"Location": f"{stranger.url}/elsewhere"}, times=99)
            for run in (
                lambda: self.connect(server),
                lambda: self.platform.check(session),
                lambda: self._ready(session, self._numbered(1, "", *media)),
            ):
                try:
                    run()
                except PublishError:
                    continue
            assert not stranger.seen, f"a call followed a redirect: {stranger.paths()}"

    @rule("hosts")
    def test_an_address_that_the_server_hands_out_leads_to_no_stranger(self, server: Any) -> None:
        media = self._a_picture()
        session = self.session(server, *media)
        with self._stranger() as stranger:
            server.rewrite = _moved(server.url, stranger.url)
            self._publish_or_fail(session, media)
            assert not stranger.seen, f"a server sent the platform elsewhere, and it went: {stranger.paths()}"

    def _publish_or_fail(self, session: Session, media: tuple[MediaFile, ...]) -> None:
        try:
            self._publish(session, self._numbered(1, "", *media))
        except PublishError:
            return

    def _a_picture(self) -> tuple[MediaFile, ...]:
        return (picture(),) if self.platform.capabilities.max_images else ()

    @contextmanager
    def _stranger(self) -> Iterator[Stranger]:
        with Stranger() as stranger:
            yield stranger


def _quoting(secrets: str) -> Any:
    def rewrite(seen: Seen, answer: Answer) -> Answer:
        body = {**answer.body, "x_echo": secrets} if isinstance(answer.body, dict) else answer.body
        return replace(answer, body=body, headers={**answer.headers, "X-Echo": secrets})

    return rewrite


def _moved(address: str, elsewhere: str) -> Any:
    def rewrite(seen: Seen, answer: Answer) -> Answer:
        body = json.loads(json.dumps(answer.body).replace(address, elsewhere)) if _is_json(answer.body) else answer.body
        headers = {name: value.replace(address, elsewhere) for name, value in answer.headers.items()}
        return replace(answer, body=body, headers=headers)

    return rewrite


def _is_json(body: Any) -> bool:
    return isinstance(body, dict | list)
