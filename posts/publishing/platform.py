"""The base of every platform: three steps to publish, and what the kit has to know to call them safely.

A platform knows one network's API. It gets everything as arguments, keeps nothing between calls, and knows nothing of
Django, the database or the queue.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, TypeVar

from posts.publishing.capabilities import Capabilities
from posts.publishing.http import Http
from posts.publishing.types import Config, Connection, Content, Field, Finding, Json, MediaFile, Published

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """What a platform works with during one step.

    ``credentials`` are secret, ``config`` is not (server address, chat). ``now`` is aware UTC. ``media`` are the
    rendered pictures by ``MediaFile.key``, so that ``commit`` can send bytes that a snapshot only names.
    """

    http: Http
    credentials: Json = field(repr=False)
    config: Config
    now: Callable[[], datetime]
    media: Mapping[str, MediaFile] = field(default_factory=dict)


class Checkpoints(ABC):
    """Results of ``prepare`` that survive a crash. They are dropped when the content changes."""

    @abstractmethod
    def once(self, name: str, make: Callable[[], Json]) -> Json:
        """Return the stored result called ``name``, or make it, store it durably and return it."""


class Platform(ABC):
    """One network. Subclasses set the class attributes and implement the steps.

    ``repeat_is_safe``: ``commit`` with the same snapshot cannot make a second post, because the network refuses or
    absorbs our own key. ``settle_seconds``: how long after a lost answer ``find`` may be believed when it sees
    nothing; ``None`` if never. Where neither holds, an unknown outcome is decided by a person.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    connect_fields: ClassVar[tuple[Field, ...]] = ()
    repeat_is_safe: ClassVar[bool] = False
    settle_seconds: ClassVar[int | None] = None
    refreshes: ClassVar[bool] = False

    def repeats_safely(self, config: Config) -> bool:
        """Return whether a repeat is safe on the account with ``config``; ``repeat_is_safe`` unless servers differ."""
        return self.repeat_is_safe

    @abstractmethod
    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        """Verify what a person entered (``connect_fields`` by name) at the network; raise a PublishError if refused."""

    def refresh(self, session: Session) -> Connection:
        """Return fresh credentials for ``session``; only called where ``refreshes`` is true."""
        raise NotImplementedError(f"{self.name} has nothing to refresh")

    @abstractmethod
    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        """Do everything repeatable (uploads, look-ups); return the snapshot: plain JSON, all that ``commit`` needs."""

    @abstractmethod
    def commit(self, session: Session, snapshot: Json) -> Published:
        """Make the post public with one call. Called once after the mark, never repeated without ``find``."""

    @abstractmethod
    def find(self, session: Session, snapshot: Json, marked_at: datetime) -> Finding:
        """Look the post up after silence. Never publishes."""
