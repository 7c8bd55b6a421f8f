"""What a service refuses, in words for people: what happened, to what, and what to do next; one line each.

ServiceError
├── NotAllowed         this person may not do that to this thing
├── Conflict           somebody else was faster; look again
│   └── Outdated       it is no longer the version that the person saw
├── Refused            the state of the thing forbids it
├── NoRoom             the disk for pictures is full
└── ValidationFailed   what was entered cannot be published; ``problems`` says why, one by one
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from posts.models import Account


class ServiceError(Exception):
    """Base of everything that a service refuses; nothing was changed. ``str()`` is fit to be shown."""


class NotAllowed(ServiceError):
    """The person lacks a permission, or the thing is somebody else's."""


class Conflict(ServiceError):
    """Another edit or a worker won; what the caller saw is no longer so."""


class Outdated(Conflict):
    """It is no longer the version that the person saw."""


class Refused(ServiceError):
    """The state forbids it."""


class NoRoom(ServiceError):
    """The disk for pictures is full."""

    def __init__(self, name: str) -> None:
        super().__init__(
            gettext(
                "%(name)s was not stored: the server has no room for files. An administrator must make "
                "room; then upload it again."
            )
            % {"name": name}
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``field`` is the post's (text, media, accounts, scheduled_at, ...); ``account`` is set
    where it concerns one account only, and ``message`` then names it; ``place`` is the one of several that were
    given, from 0."""

    field: str
    message: str
    account: Account | None = None
    place: int | None = None


class ValidationFailed(ServiceError):
    """What was entered has ``problems``; ``str()`` joins them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = list(problems)
