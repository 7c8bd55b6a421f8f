"""Who asks, and what they may: a program with ``Authorization: Bearer sq_…``, or whoever is signed in.

What is allowed is what the person may *and* the key's scopes cover, as often as the key may ask; whoever guesses keys
is shut out. A session's unsafe requests need the CSRF token in their header. Knows no django-ninja: a plain view enters
the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.translation import gettext as _

from queue_app import keys, throttle
from queue_app.callers import address_of
from queue_app.middleware import SAFE_METHODS
from queue_app.rest.problems import Problem

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from queue_app.models import ApiKey
    from queue_app.throttle import Allowance


@dataclass(frozen=True, slots=True)
class Access:
    """What an operation asks for: the scope of a key, and of the person one of ``permissions``."""

    scope: str
    permissions: tuple[str, ...]


class Request(HttpRequest):
    """A request that has come in: ``person`` asks, by ``key`` or, where that is ``None``, by a session.

    ``version`` is set by operations on what has one; the answer's ETag is made from it. ``allowance`` is what a key has
    left, where there is one.
    """

    person: User
    key: ApiKey | None
    version: int | None
    json_body: Any
    allowance: Allowance


def leave(_request: HttpRequest) -> None:
    """Leave the body alone."""


def enter(request: HttpRequest, access: Access, read_body: Callable[[HttpRequest], None] = leave) -> None:
    """Let the request in, or raise Problem (401, 403, 429). A body is read, by ``read_body``, once it may be sent."""
    person, key = _who(request)
    request.user = person
    request.person, request.key, request.version = person, key, None  # type: ignore[attr-defined]  # now a Request
    if key is not None:
        request.allowance = allowance = throttle.count_request(key)  # type: ignore[attr-defined]
        if allowance.refused:
            raise _too_many(_("This API key has made all the requests that it may make in a minute."), allowance)
    require_scope(request, access.scope)
    if not any(person.has_perm(permission) for permission in access.permissions):
        raise Problem(HTTPStatus.FORBIDDEN, _("You may not do this; ask an administrator for the permission."))
    read_body(request)
    if key is None and request.method not in SAFE_METHODS and _lacks_token(request):
        raise Problem(HTTPStatus.FORBIDDEN, _("Send the CSRF token of your session in the header X-CSRFToken."))


def require_scope(request: HttpRequest, scope: str) -> None:
    """Raise Problem (403) where a key asks that lacks ``scope``; a session has them all."""
    key: ApiKey | None = request.key  # type: ignore[attr-defined]  # a Request
    if key is not None and scope not in key.scopes:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            _("This API key lacks the scope “%(scope)s”; make one that has it.") % {"scope": scope},
        )


def _who(request: HttpRequest) -> tuple[User, ApiKey | None]:
    """Return who asks. A header is an answer by itself: with a wrong key a session does not count."""
    authorization = request.headers.get("Authorization", "")
    if authorization:
        address = address_of(request)
        shut_out = throttle.shut_out(address)
        if shut_out is not None:
            raise _too_many(
                _("Too many API keys from your address were wrong; for a while none is looked at."), shut_out
            )
        key = keys.find_key(authorization)
        if key is None:
            if keys.is_guess(authorization):
                throttle.count_wrong_key(address)
            detail = _("This API key does not work: it is unknown, revoked or over. Make a new one.")
            raise Problem(HTTPStatus.UNAUTHORIZED, detail)
        return key.user, key
    if request.user.is_authenticated:
        return request.user, None
    raise Problem(HTTPStatus.UNAUTHORIZED, _("Send an API key: Authorization: Bearer sq_…"))


def _too_many(detail: str, allowance: Allowance) -> Problem:
    told = _("%(detail)s Ask again in %(seconds)s seconds.") % {"detail": detail, "seconds": allowance.seconds}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, told, headers=allowance.headers)


def _lacks_token(request: HttpRequest) -> bool:
    """Say whether Django's own check refuses the request. All views of the API are exempt from it before: a key needs
    none."""
    check = CsrfViewMiddleware(lambda _request: HttpResponse())
    request.csrf_processing_done = False  # type: ignore[attr-defined]  # the middleware's mark
    check.process_request(request)
    return check.process_view(request, lambda _request: HttpResponse(), (), {}) is not None
