"""What every platform must do, asserted at the socket: the request first, then the typed result.

A platform's test inherits ``PlatformContract``, says how its fake is reached and adds its quirks.
"""

from __future__ import annotations

import gzip
import io
import socket
import traceback
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from PIL import Image

from posts.publishing.errors import (
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
    Unreachable,
)
from posts.publishing.http import Http
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import App, Connection, Content, Json, MediaFile
from posts.publishing.words import WORDS
from tests.posts.platforms.fake_server import FakeServer

KEY = "0f8fad5bd9cb469fa16570867728950e"
KEYED_AT = datetime(2026, 11, 22, 7, 0, 0, 123456, tzinfo=UTC)


class MemoryCheckpoints(Checkpoints):
    def __init__(self) -> None:
        self.stored: dict[str, Json] = {}

    def once(self, name: str, make: Callable[[], Json]) -> Json:
        if name not in self.stored:
            self.stored[name] = make()
        return self.stored[name]

    def get(self, name: str) -> Json | None:
        return self.stored.get(name)

    def put(self, name: str, value: Json) -> None:
        self.stored[name] = value

    def forget(self, *names: str) -> None:
        for name in names:
            self.stored.pop(name, None)

    def progress(self, done: int, total: int, what: str) -> None:
        self.told = (done, total, what)


def picture(key: str = "p1", width: int = 8, height: int = 6, alt_text: str = "A red field") -> MediaFile:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "JPEG")
    body = buffer.getvalue()
    return MediaFile(key, f"{key}.jpg", "image/jpeg", width, height, len(body), alt_text, lambda: io.BytesIO(body))


def video(key: str = "v1", size_bytes: int = 4096, mime_type: str = "video/mp4", seconds: float = 5) -> MediaFile:
    """A file that is a video to whoever asks for its facts; its bytes tell its pieces apart."""
    body = (bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes]
    return MediaFile(
        key, f"{key}.mp4", mime_type, 640, 360, size_bytes, "A short film", lambda: io.BytesIO(body), "video", seconds
    )


def content(text: str = "Hello", *media: MediaFile, language: str = "") -> Content:
    return Content(KEY, KEYED_AT, text, language, media)


def an_http(timeout_seconds: float = 5) -> Http:
    return Http(allow_private=True, timeout_seconds=timeout_seconds, refuse_when=lambda: False)


@contextmanager
def closed_port() -> Iterator[str]:
    """An address of this machine where nobody listens, kept free of others meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def refused(kind: type[PublishError], code: str = "", secrets: tuple[str, ...] = ()) -> Iterator[Any]:
    """Expect one error; whatever it is, it has words and no secret is in it."""
    with pytest.raises(PublishError) as caught:
        yield caught
    error = caught.value
    assert type(error) is kind, repr(error)
    assert error.code in WORDS, error.code
    assert not code or error.code == code
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    for secret in secrets:
        assert secret not in shown


class PlatformContract:
    platform: ClassVar[Platform]
    commit_path: ClassVar[str]  # part of the path of the call that makes a text public
    picture_path: ClassVar[str]  # part of the path of the first call that carries a picture
    login_path: ClassVar[str]  # part of the path of the first call of connecting
    server_config: ClassVar[str] = ""  # the key of ``config`` that holds the server's address; "" where it is the app's
    secret_field: ClassVar[str] = "access_token"

    @pytest.fixture
    @abstractmethod
    def server(self) -> Iterator[FakeServer]:
        """A fake of this platform."""

    def answers(self, server: Any) -> dict[str, str]:
        """What a person enters to connect; for a platform without ``tokens`` all of it."""
        return {}

    def tokens(self, server: Any) -> dict[str, Any]:
        """What a login in the browser gives, for platforms that connect so; empty for those with a form."""
        return {}

    def usual_media(self) -> tuple[MediaFile, ...]:
        """What a post must carry on a platform that takes no text alone."""
        return ()

    def usual_options(self) -> dict[str, Any]:
        """What a person must choose."""
        return {}

    @abstractmethod
    def check_text_request(self, server: Any, text: str) -> None:
        """Assert the last request: how a text is sent."""

    @abstractmethod
    def check_picture_request(self, server: Any, media: MediaFile) -> None:
        """Assert how a picture was sent."""

    @abstractmethod
    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        """The body of a 429."""

    @abstractmethod
    def end_login(self, server: Any) -> None:
        """Make the server refuse the credentials in use."""

    # Helpers

    refused = staticmethod(refused)

    def app(self, server: Any) -> App:
        """What the site's settings say: every address is the fake's."""
        return App("client-1", "client-secret-1", server.url, server.url, {}, "https://socialq.example")

    def connect(self, server: Any, **answers: str) -> Connection:
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.app(server))
        tokens = self.tokens(server)
        if tokens:
            given = {name: answer for name, answer in answers.items() if name in tokens}
            rest = {name: answer for name, answer in answers.items() if name not in tokens}
            session.http.hide(*(value for value in (tokens | given).values() if isinstance(value, str)))
            return self.platform.connections(session, tokens | given, self.answers(server) | rest)[0]
        return self.platform.connect(session, self.answers(server) | answers)

    def session(self, server: Any, *media: MediaFile, timeout_seconds: float = 5) -> Session:
        connection = self.connect(server)
        http = an_http(timeout_seconds)
        http.hide(*(secret for secret in connection.credentials.values() if isinstance(secret, str)))
        files = {each.key: each for each in media or self.usual_media()}
        now = lambda: datetime.now(UTC)  # noqa: E731 - short
        return Session(http, connection.credentials, connection.config, now, files, self.app(server))

    def elsewhere(self, session: Session, address: str) -> Session:
        """The session with the network's address moved to ``address``."""
        if self.server_config:
            return replace(session, config={**session.config, self.server_config: address})
        return replace(session, app=replace(session.app, api_base=address, auth_base=address))

    def content(self, text: str = "Hello", *media: MediaFile) -> Content:
        return replace(content(text, *(media or self.usual_media())), options=self.usual_options())

    def commit(self, session: Session, text: str = "Hello", *media: MediaFile) -> Any:
        snapshot = self.platform.prepare(session, self.content(text, *media), MemoryCheckpoints())
        return self.platform.commit(session, snapshot)

    def secrets(self, server: Any, session: Session) -> tuple[str, ...]:
        return (self.entered(server), *(each for each in session.credentials.values() if isinstance(each, str)))

    def entered(self, server: Any) -> str:
        """The secret that connecting begins with."""
        return str((self.answers(server) | self.tokens(server))[self.secret_field])

    # Connecting

    def test_connecting_gives_identity_and_credentials_that_no_repr_shows(self, server: Any) -> None:
        connection = self.connect(server)
        assert connection.identity.id
        assert connection.identity.name
        if self.server_config:
            assert connection.config[self.server_config] == server.url
        for secret in (*filter(None, map(str, connection.credentials.values())), self.entered(server)):
            assert secret not in repr(connection)
            assert secret not in repr(connection.config)

    def test_the_reprs_of_a_session_show_no_secret(self, server: Any) -> None:
        session = self.session(server)
        for secret in self.secrets(server, session):
            assert secret not in repr(session) + repr(session.http)

    def test_a_wrong_secret_is_refused_without_being_quoted(self, server: Any) -> None:
        wrong = self.entered(server) + "x"
        with self.refused(ReconnectNeeded, secrets=(wrong,)):
            self.connect(server, **{self.secret_field: wrong})

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
    def test_a_server_that_quotes_what_was_entered_gives_nothing_away(self, server: Any, status: int) -> None:
        secret = self.entered(server)
        body = {"ok": False, "error": secret, "message": f"no {secret}", "description": f"no {secret}"}
        server.fault(self.login_path, status=status, body=body)
        with pytest.raises(PublishError) as caught:
            self.connect(server)
        assert secret not in "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))

    def test_a_fault_while_connecting_is_temporary(self, server: Any) -> None:
        server.fault(self.login_path, status=503, body="<html>busy</html>", headers={"Retry-After": "9"})
        with self.refused(Temporary, "server_error") as caught:
            self.connect(server)
        assert caught.value.retry_after_seconds == 9

    def test_a_page_instead_of_an_answer_while_connecting_is_temporary(self, server: Any) -> None:
        server.fault(self.login_path, status=200, body="<html>welcome</html>")
        with self.refused(Temporary, "bad_answer"):
            self.connect(server)

    # Publishing

    def test_publishes_a_text(self, server: Any) -> None:
        published = self.commit(self.session(server), "Hello 👋 see https://a.example")
        self.check_text_request(server, "Hello 👋 see https://a.example")
        assert [post["text"] for post in server.accepted] == ["Hello 👋 see https://a.example"]
        assert published.id
        assert published.url.startswith("https://")

    def test_publishes_a_picture(self, server: Any) -> None:
        media = picture()
        self.commit(self.session(server, media), "Look", media)
        self.check_picture_request(server, media)
        assert len(server.accepted) == 1

    def test_a_post_without_text_and_picture_is_refused_before_anything_is_sent(self, server: Any) -> None:
        if self.usual_media():
            pytest.skip("a post there always has media")
        session = self.session(server)
        before = len(server.seen)
        with pytest.raises(PublishError, match="post_empty"):
            self.commit(session, " \n")
        assert len(server.seen) == before

    def test_the_snapshot_is_plain_json(self, server: Any) -> None:
        import json

        media = picture()
        session = self.session(server, media)
        snapshot = self.platform.prepare(session, self.content("Hi", media), MemoryCheckpoints())
        assert json.loads(json.dumps(snapshot)) == snapshot

    # After the body of commit left, only a documented refusal is believed

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_server_fault_after_the_post_was_taken_is_unknown(self, server: Any, status: int) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=status, body="<html>oops</html>", after=True)
        with self.refused(OutcomeUnknown, "server_error"):
            self.commit(session)
        assert len(server.accepted) == 1

    @pytest.mark.parametrize("body", ["<html>welcome</html>", "", "[]", "{", "null", '{"error": "x"}'])
    def test_an_unreadable_success_is_unknown(self, server: Any, body: str) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=200, body=body, after=True)
        with self.refused(OutcomeUnknown, "bad_answer"):
            self.commit(session)

    @pytest.mark.parametrize("after", [False, True], ids=["not stored", "stored"])
    def test_a_connection_cut_after_the_request_was_read_is_unknown(self, server: Any, after: bool) -> None:
        session = self.session(server)
        server.fault(self.commit_path, kind="cut", after=after)
        with self.refused(OutcomeUnknown, "connection_lost"):
            self.commit(session)
        assert len(server.accepted) == after

    @pytest.mark.parametrize("kind", ["hang", "drip"])
    def test_a_commit_that_is_not_answered_in_time_is_unknown_and_sent_once(self, server: Any, kind: str) -> None:
        session = replace(self.session(server), http=an_http(timeout_seconds=0.3))
        server.fault(self.commit_path, kind=kind, status=200, after=True)
        with self.refused(OutcomeUnknown, "no_answer_in_time"):
            self.commit(session)
        assert len([seen for seen in server.seen if self.commit_path in seen.path and seen.method != "GET"]) == 1

    def test_a_packed_answer_is_not_unpacked(self, server: Any) -> None:
        session = self.session(server)
        bomb = gzip.compress(b"0" * 1_000_000)
        server.fault(self.commit_path, status=200, body=bomb, headers={"Content-Encoding": "gzip"}, after=True)
        with self.refused(OutcomeUnknown, "encoded_answer"):
            self.commit(session)

    def test_an_endless_answer_is_not_read_to_its_end(self, server: Any) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=200, body=b" " * 3_000_000, after=True)
        with self.refused(OutcomeUnknown, "answer_too_large"):
            self.commit(session)

    def test_a_redirect_is_not_followed(self, server: Any) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=307, headers={"Location": f"{server.url}/elsewhere"})
        with self.refused(OutcomeUnknown, "unexpected_answer"):
            self.commit(session)
        assert "/elsewhere" not in server.paths()

    # Documented refusals

    def test_a_server_that_does_not_listen_is_unreachable(self, server: Any) -> None:
        session = self.session(server)
        snapshot = self.platform.prepare(session, self.content(), MemoryCheckpoints())
        with closed_port() as address, self.refused(Unreachable, "connect_failed"):
            self.platform.commit(self.elsewhere(session, address), snapshot)

    def test_a_rate_limit_with_a_time_waits_until_then(self, server: Any) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=429, body=self.rate_limit_body(17), headers={"Retry-After": "17"})
        with self.refused(RateLimited, "rate_limited") as caught:
            self.commit(session)
        assert abs(caught.value.until - datetime.now(UTC) - timedelta(seconds=17)) < timedelta(seconds=3)
        assert caught.value.scope == "account"

    def test_a_rate_limit_without_a_time_waits_a_while(self, server: Any) -> None:
        session = self.session(server)
        server.fault(self.commit_path, status=429, body=self.rate_limit_body(None))
        with self.refused(RateLimited, "rate_limited") as caught:
            self.commit(session)
        assert timedelta(seconds=20) < caught.value.until - datetime.now(UTC) < timedelta(minutes=15)

    def test_a_login_that_ended_is_told_apart(self, server: Any) -> None:
        session = self.session(server)
        snapshot = self.platform.prepare(session, self.content(), MemoryCheckpoints())
        self.end_login(server)
        with self.refused(TokenExpired if self.platform.refreshes else ReconnectNeeded):
            self.platform.commit(session, snapshot)
        assert not server.accepted

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 418, 429, 500])
    def test_no_error_quotes_a_secret(self, server: Any, status: int) -> None:
        media = picture()
        session = self.session(server, media)
        secrets = self.secrets(server, session)
        quoting = " ".join(secrets)
        body = {"ok": False, "error": quoting, "message": quoting, "description": quoting}
        for path, call in ((self.commit_path, ()), (self.picture_path, (media,))):
            server.fault(path, status=status, body=body)
            with pytest.raises(PublishError) as caught:
                self.commit(session, "Hi", *call)
            shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
            assert not [secret for secret in secrets[1:] if secret in shown]
