"""What a platform's test says about its platform and its fake, and the steps that the checks take with both.

The class attributes and the methods above "Steps" are what a test class sets and overrides. The steps call a platform
as the kit does. Holds no checks.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import unquote

import pytest

from posts.publishing.errors import NotReady
from posts.publishing.http import Http
from posts.publishing.platform import Platform, Session
from posts.publishing.testing.server import FakeServer, Seen
from posts.publishing.testing.stand_ins import (
    KEY,
    KEYED_AT,
    MemoryCheckpoints,
    an_http,
    content,
    masked,
    refused,
    unmasked,
)
from posts.publishing.types import App, Connection, Content, Json, MediaFile, Published
from posts.publishing.words import learn

MOST_LOOKS = 20  # a fake that still processes a file after so many looks never ends


class Hooks:
    """What a platform's test class sets."""

    platform: ClassVar[Platform]
    commit_path: ClassVar[str]  # part of the path of the call that makes a text public
    picture_path: ClassVar[str] = ""  # part of the path of the first call that carries a picture
    login_path: ClassVar[str]  # part of the path of the first call of connecting
    server_config: ClassVar[str] = ""  # the key of ``config`` that holds the server's address; "" where it is the app's
    secret_field: ClassVar[str] = "access_token"

    # What is otherwise about the network, each with its reason, which stands where the check is skipped
    secret_in_address: ClassVar[str] = ""  # the network takes a secret nowhere but in the address
    repeats_end_with_snapshot: ClassVar[str] = ""  # what makes a repeat safe was begun by ``prepare``, not by a key
    parts_follow_unsaid: ClassVar[str] = ""  # a part does not name the one before; their order in time is the thread
    absent_means_repeatable: ClassVar[str] = ""  # nobody can be asked, but a second post cannot come of repeating
    every_refusal_counts: ClassVar[str] = ""  # the network documents any status as a refusal

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "platform" in vars(cls):
            learn(cls.platform.words)  # as the registry does for those it finds

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

    def check_picture_request(self, server: Any, media: MediaFile) -> None:
        """Assert how a picture was sent."""
        raise NotImplementedError

    @abstractmethod
    def rate_limit_body(self, wait_seconds: int | None) -> Any:
        """The body of a 429."""

    @abstractmethod
    def end_login(self, server: Any) -> None:
        """Make the server refuse the credentials in use."""

    def end_renewal(self, server: Any) -> bool:
        """Make the server refuse what a login is refreshed with; false where a wrong refresh token does."""
        return False

    def renewable(self, server: Any, session: Session) -> Session:
        """The session at a time when the network refreshes its login."""
        return session

    def account_of(self, connection: Connection) -> str:
        """The ``account`` under which the fake accepts the posts of a connection."""
        return connection.identity.id

    def app(self, server: Any) -> App:
        """What the site's settings say: every address is the fake's."""
        return App("client-1", "client-secret-1", server.url, server.url, {}, "https://socialq.example")

    def elsewhere(self, session: Session, address: str) -> Session:
        """The session with the network's address moved to ``address``."""
        if self.server_config:
            return replace(session, config={**session.config, self.server_config: address})
        return replace(session, app=replace(session.app, api_base=address, auth_base=address))


class Steps(Hooks):
    """The calls that the kit makes, in its order."""

    refused = staticmethod(refused)

    def connect(self, server: Any, **answers: str) -> Connection:
        """Connect with what the hooks give, ``answers`` in place of some of it."""
        session = Session(an_http(), {}, {}, lambda: datetime.now(UTC), app=self.app(server))
        tokens = self.tokens(server)
        if tokens:
            given = {name: answer for name, answer in answers.items() if name in tokens}
            rest = {name: answer for name, answer in answers.items() if name not in tokens}
            session.http.hide(*(value for value in (tokens | given).values() if isinstance(value, str)))
            return self.platform.connections(session, tokens | given, self.answers(server) | rest)[0]
        return self.platform.connect(session, self.answers(server) | answers)

    def session(self, server: Any, *media: MediaFile, timeout_seconds: float = 5) -> Session:
        """Return a session of a new connection that can send ``media``."""
        connection = self.connect(server)
        files = {each.key: each for each in media or self.usual_media()}
        http = self._http(connection.credentials, timeout_seconds)
        now = lambda: datetime.now(UTC)  # noqa: E731 - short
        return Session(
            http,
            connection.credentials,
            connection.config,
            now,
            files,
            self.app(server),
            seal=masked,
            unseal=unmasked,
        )

    def content(self, text: str = "Hello", *media: MediaFile) -> Content:
        """Return a post that the platform takes."""
        return replace(content(text, *(media or self.usual_media())), options=self.usual_options())

    def commit(self, session: Session, text: str = "Hello", *media: MediaFile) -> Any:
        """Prepare and commit one post."""
        return self.platform.commit(session, self._ready(session, self.content(text, *media)))

    def secrets(self, server: Any, session: Session) -> tuple[str, ...]:
        """Return what nothing may show: what was entered, then the credentials."""
        return (self.entered(server), *(each for each in session.credentials.values() if isinstance(each, str)))

    def entered(self, server: Any) -> str:
        """The secret that connecting begins with."""
        return str((self.answers(server) | self.tokens(server))[self.secret_field])

    # What the checks of the kit use; test classes have their own names for such

    def _http(self, credentials: Json, timeout_seconds: float = 5) -> Http:
        http = an_http(timeout_seconds)
        http.hide(*(secret for secret in credentials.values() if isinstance(secret, str)))
        return http

    def _numbered(self, number: int, text: str = "", *media: MediaFile) -> Content:
        """Return a post of its own: no other number has its key, its time or, without ``text``, its text."""
        key = f"{int(KEY, 16) + number:032x}"
        made = self.content(text or f"Hello {number}", *media)
        return replace(made, key=key, keyed_at=KEYED_AT + timedelta(milliseconds=10 * number))

    def _ready(self, session: Session, post: Content, kept: MemoryCheckpoints | None = None) -> Json:
        """Prepare as often as the kit would, without its waiting."""
        kept = MemoryCheckpoints() if kept is None else kept
        for _ in range(MOST_LOOKS):
            try:
                return self.platform.prepare(session, post, kept)
            except NotReady:
                continue
        pytest.fail(f"prepare raised NotReady {MOST_LOOKS} times in a row")

    def _settled(self, session: Session, snapshot: Json, published: Published) -> Published:
        for _ in range(MOST_LOOKS):
            if published.settled:
                break
            try:
                published = self.platform.settle(session, snapshot, published)
            except NotReady:
                continue
        return published

    def _publish(self, session: Session, post: Content) -> Published:
        snapshot = self._ready(session, post)
        return self._settled(session, snapshot, self.platform.commit(session, snapshot))

    def _sends(self, seen: list[Seen]) -> list[Seen]:
        """Return those requests that can make something public."""
        return [each for each in seen if self.commit_path in each.path and each.method != "GET"]

    def _needs_pictures(self) -> None:
        if not self.platform.capabilities.max_images:
            pytest.skip("the platform takes no pictures")


def said(seen: list[Seen]) -> str:
    """Return what requests say, in plain text: addresses decoded, bodies both as sent and with escapes resolved."""
    found = []
    for each in seen:
        body = each.body.decode("utf-8", "replace")
        found += [unquote(each.path), *each.query.values(), body, unquote(body)]
        try:
            found.append(json.dumps(json.loads(body), ensure_ascii=False))
        except ValueError:
            continue
    return "\n".join(found)
