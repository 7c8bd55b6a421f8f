"""The base of every platform: the steps to publish, and what the kit has to know to call them safely.

    prepare   everything repeatable: uploads, containers, look-ups; each result is checkpointed
    follow    of a later part, what can only be prepared once the part before it is live
    commit    the one call that makes a part public
    settle    where the platform took the part but still works on it: what became of it
    find      after silence: is the part live

A platform knows one network's API. It gets everything as arguments, keeps nothing between calls, and knows nothing of
Django, the database or the queue. A thread is published part by part: the steps are called for each part, and
``Session.thread`` holds the parts that are live already, first one first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from posts.publishing import oauth as logins
from posts.publishing.capabilities import Capabilities, Window
from posts.publishing.errors import ReconnectNeeded, Scope
from posts.publishing.http import Http
from posts.publishing.types import (
    App,
    Config,
    Connection,
    Content,
    Draft,
    Field,
    Finding,
    Json,
    MediaFile,
    Option,
    Published,
    Remark,
)
from posts.publishing.words import Words

T = TypeVar("T")


def _as_it_is(text: str) -> str:
    return text


def _unheard(until: datetime, scope: Scope) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a platform works with during one step.

    ``credentials`` are secret, ``config`` is not (server address, chat). ``now`` is aware UTC. ``media`` are the
    rendered files by ``MediaFile.key``, so that ``commit`` can send bytes that a snapshot only names. ``thread`` are
    the parts that are live already. ``sent_before`` says that this very snapshot was sent once, so that a duplicate
    which the network names may be the post itself. ``seal`` and ``unseal`` make a secret fit for a checkpoint or a
    snapshot (an upload address that needs no login). ``exhausted`` is told until when a success's headers say that
    nothing more goes through.
    """

    http: Http
    credentials: Json = field(repr=False)
    config: Config
    now: Callable[[], datetime]
    media: Mapping[str, MediaFile] = field(default_factory=dict)
    app: App = field(default_factory=App)
    thread: tuple[Published, ...] = ()
    sent_before: bool = False
    seal: Callable[[str], str] = field(default=_as_it_is, repr=False)
    unseal: Callable[[str], str] = field(default=_as_it_is, repr=False)
    exhausted: Callable[[datetime, Scope], None] = field(default=_unheard, repr=False)


class Checkpoints(ABC):
    """Results of ``prepare`` that survive a crash. They are dropped when the content changes.

    No secret may be in one; ``Session.seal`` makes it unreadable. Every write may leave ``prepare`` by ``NotReady``
    where an execution has lasted long: the next one goes on from what is stored.
    """

    @abstractmethod
    def once(self, name: str, make: Callable[[], Json]) -> Json:
        """Return the stored result called ``name``, or make it, store it durably and return it."""

    @abstractmethod
    def get(self, name: str) -> Json | None:
        """Return the stored result called ``name``, ``None`` if there is none."""

    @abstractmethod
    def put(self, name: str, value: Json) -> None:
        """Store ``value`` durably under ``name``, in place of what was there."""

    @abstractmethod
    def forget(self, *names: str) -> None:
        """Remove results that the platform no longer knows, so that they are made anew."""

    @abstractmethod
    def progress(self, done: int, total: int, what: str) -> None:
        """Tell people how far long work is: ``what`` is a word such as "uploaded", the numbers are bytes or pieces."""


class Platform(ABC):
    """One network. Subclasses set the class attributes and implement the steps.

    ``repeat_is_safe``: ``commit`` with the same snapshot cannot make a second post, because the network refuses or
    absorbs our own key. ``settle_seconds``: how long after a lost answer ``find`` may be believed when it sees
    nothing; ``None`` if never. Where neither holds, an unknown outcome is decided by a person, and so is one with a
    code of ``never_repeated``.

    ``connect_fields`` are asked in a form; with ``oauth`` the person logs in at the network first, and the fields are
    asked before that (a server's address); ``needs_app`` is false where the app registers itself. ``app_settings`` are
    settings of the site besides the app's id and secret;
    ``setup`` says in a sentence or two how to get those. ``windows`` are the documented limits, ``words`` the
    sentences for the platform's own codes, which begin with its name. ``api_server`` is where the API usually is;
    ``server_setting`` names what ``config`` has instead, where accounts are on servers of their own.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    connect_fields: ClassVar[tuple[Field, ...]] = ()
    options: ClassVar[tuple[Option, ...]] = ()
    app_settings: ClassVar[tuple[Field, ...]] = ()
    oauth: ClassVar[logins.OAuth | None] = None
    needs_app: ClassVar[bool] = True
    setup: ClassVar[str] = ""
    windows: ClassVar[tuple[Window, ...]] = ()
    words: ClassVar[Mapping[str, Words]] = {}
    repeat_is_safe: ClassVar[bool] = False
    settle_seconds: ClassVar[int | None] = None
    never_repeated: ClassVar[frozenset[str]] = frozenset()
    refreshes: ClassVar[bool] = False
    api_server: ClassVar[str] = ""
    server_setting: ClassVar[str] = ""

    # What the account with ``config`` can do

    def capabilities_for(self, config: Config) -> Capabilities:
        """Return the limits of the account with ``config``; ``capabilities`` unless servers or accounts differ."""
        return self.capabilities

    def capabilities_with(self, options: Mapping[str, Any], config: Config) -> Capabilities:
        """Return the limits of a post with ``options``: those of the account, unless a choice changes them."""
        return self.capabilities_for(config)

    def options_for(self, config: Config) -> tuple[Option, ...]:
        """Return what a person may choose for a post on the account; ``options`` unless accounts differ."""
        return self.options

    def reserved(self, options: Mapping[str, Any], config: Config) -> int:
        """Return how much of the text's limit ``options`` use up in each part: a content warning counts on Mastodon."""
        return 0

    def repeats_safely(self, config: Config) -> bool:
        """Return whether a repeat is safe on the account with ``config``; ``repeat_is_safe`` unless servers differ."""
        return self.repeat_is_safe

    def server(self, app: App, config: Config) -> str:
        """Return where the API of the account with ``config`` is; "" where nothing, or what only its owner may know."""
        return str(config.get(self.server_setting) or "").rstrip("/") or app.api(self.api_server)

    def problems(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what keeps ``draft`` from being published that limits as data do not say."""
        return ()

    def notes(self, draft: Draft, config: Config) -> Sequence[Remark]:
        """Return what a person should know before scheduling ``draft``: what it costs, who will see it."""
        return ()

    # Connecting

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Verify what a person entered (``connect_fields`` by name) at the network; raise a PublishError if refused."""
        raise ReconnectNeeded("oauth.needs_browser")

    def authorize(
        self, session: Session, answers: Mapping[str, str], callback: logins.Callback, known: Json
    ) -> logins.Authorization:
        """Return where the person logs in. ``known`` is a registration that an earlier call has kept."""
        return logins.authorization(_required(self), session.app, callback)

    def exchange(
        self, session: Session, code: str, answers: Mapping[str, str], callback: logins.Callback, registration: Json
    ) -> Json:
        """Trade the code that came back for tokens: at least ``access_token``; raises ReconnectNeeded if refused."""
        return logins.exchange(session.http, _required(self), session.app, code, callback)

    def connections(self, session: Session, tokens: Json, answers: Mapping[str, str]) -> Sequence[Connection]:
        """Return what can be connected with ``tokens``, as ``exchange`` or a person's own program gave them.

        One connection for most networks; several where a login has several Pages, organisations or channels.
        ``expires_at`` in ``tokens`` may be ISO 8601. A platform with a form takes ``access_token`` for the first secret
        that the form asks for, and other secrets by their names. Raises ReconnectNeeded where there is nothing to
        connect.
        """
        secret = next((field.name for field in self.connect_fields if field.secret and field.required), None)
        if secret is None:
            raise ReconnectNeeded("oauth.no_tokens")
        brought = {field.name: str(tokens[field.name]) for field in self.connect_fields if tokens.get(field.name)}
        return [self.connect(session, {**answers, secret: tokens["access_token"], **brought})]

    def refresh(self, session: Session) -> Connection:
        """Return fresh credentials for ``session``; only called where ``refreshes`` is true."""
        raise NotImplementedError(f"{self.name} has nothing to refresh")

    @abstractmethod
    def check(self, session: Session) -> Connection:
        """Ask the network who the stored credentials belong to and what they may do. Posts nothing.

        The answer's credentials are not stored, its ``config`` is: values that change there (limits, choices).
        """

    # Publishing

    @abstractmethod
    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Do everything repeatable (uploads, look-ups); return the snapshot: plain JSON, all that ``commit`` needs."""

    def follow(self, session: Session, snapshot: Json, checkpoints: Checkpoints) -> Json:
        """Prepare what needs the parts before to be live (``session.thread``); return the snapshot, completed.

        Called before each later part is marked, and again with what it returned if that part was sent already.
        """
        return snapshot

    @abstractmethod
    def commit(self, session: Session, snapshot: Json) -> Published:
        """Make the part public with one call. Called once after the mark, never repeated without ``find``."""

    def settle(self, session: Session, snapshot: Json, published: Published) -> Published:
        """Return what became of a part that was taken unsettled; raise NotReady while the platform works on it.

        ContentRejected says that the platform has refused it in the end and it is not live; Temporary with ``restart``
        that it is not live either, for a reason that passes, so that it is prepared and sent anew.
        """
        return published

    @abstractmethod
    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Look the part up after silence. Never publishes."""


def _required(platform: Platform) -> logins.OAuth:
    if platform.oauth is None:
        raise NotImplementedError(f"{platform.name} has no login in the browser")
    return platform.oauth
