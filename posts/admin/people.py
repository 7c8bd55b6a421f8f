"""Who is signed in, and which rows of the admin are theirs to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def person_of(request: HttpRequest) -> User:
    """Return the signed-in person; the admin lets nobody else in."""
    return cast("User", request.user)
