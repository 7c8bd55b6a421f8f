"""Who owns here what somebody owned on the site that an archive is of: by the same name, or by what a person says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.utils.translation import gettext

from posts.services.errors import Refused

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Owners:
    """The users here by the names in one archive; ``named`` says whom else than the one of the same name."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = dict(named)
        self._found: dict[str, User | None] = {"": None}
        self._unknown: set[str] = set()

    def note(self, name: str) -> None:
        """Look for ``name`` here; ``require_all`` says whether all were found."""
        if name in self._found or name in self._unknown:
            return
        here = self._named.get(name, self._named.get("*", name))
        user = user_named(here) if here else None
        if user is None and here:
            self._unknown.add(name)
        else:
            self._found[name] = user

    def knows(self, name: str) -> bool:
        """Say whether ``name`` was found."""
        return name in self._found

    def of(self, name: str) -> User | None:
        """Return the user for a name that was noted and found."""
        return self._found[name]

    def require_all(self) -> None:
        """Raise Refused with every name that has no user here."""
        if self._unknown:
            names = ", ".join(sorted(self._unknown)[:20])
            raise Refused(
                gettext(
                    "There is no user %(names)s here: make one, or say who takes over with --owner-map OLD=NEW "
                    "(OLD= for nobody, *=NEW for all others)"
                )
                % {"names": names}
            )


def user_named(name: str) -> User | None:
    """Return the user who signs in as ``name``."""
    users = get_user_model()
    return users.objects.filter(**{users.USERNAME_FIELD: name}).first()
