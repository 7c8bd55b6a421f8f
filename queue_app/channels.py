"""The ways in which people are told, and the registry of them. Another app adds its own: ``register_channel``.

A channel knows how to reach a person and sends one message at a time; whom, what and when is not its business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: a subject of one line, and plain text. ``is_good`` where it only tells that something is over."""

    subject: str
    body: str
    is_good: bool = False


class NotSent(Exception):
    """The message did not go out; the text says why, in words that the person themselves may read."""


class Channel(Protocol):
    """One way. ``address_label`` names what a person has to give to be reached by it, "" where nothing is asked."""

    name: str
    label: str | _StrPromise
    address_label: str | _StrPromise
    address_help: str | _StrPromise

    def known_address(self, user: User) -> str:
        """Return where the person is reached, as far as it may be shown; "" where they cannot be."""

    def save_address(self, user: User, address: str) -> None:
        """Keep the person's address, or with "" forget it. Raises ValueError with what is wrong with it."""

    def send(self, user: User | None, message: Message) -> None:
        """Send to the person, or without one to the site's ADMINS. Raises NotSent."""


_channels: dict[str, Channel] = {}


def register_channel(channel: Any) -> None:
    """Add a way to tell people, or replace the one of the same name. For the ``jobs.py`` of an app."""
    _channels[channel.name] = channel


def channels() -> Mapping[str, Channel]:
    """Return every channel by its name."""
    return dict(_channels)
