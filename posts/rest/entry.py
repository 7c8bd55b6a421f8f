"""Who asks: a program with a key in ``Authorization: Bearer …``, or whoever is signed in. And what they may see."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from posts.rest.problems import Problem, answer
from queue_app import keys

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    View = Callable[[User, int], dict[str, Any]]

LARGEST_ID = 2**63 - 1


def reads(*permissions: str) -> Callable[[View], Callable[..., HttpResponse]]:
    """Make a view of a function that returns what a person may read about one row, by its id.

    They need one of ``permissions``; a key needs the scope ``read`` beside. The function may raise Problem.
    """

    def decorate(view: View) -> Callable[..., HttpResponse]:
        @csrf_exempt  # it changes nothing, and whoever sends a form here is told so as a program is
        @never_cache
        @wraps(view)
        def run(request: HttpRequest, pk: int) -> HttpResponse:
            try:
                if request.method not in ("GET", "HEAD"):
                    raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, _("This address is for reading: send GET."))
                person = _person(request)
                if not any(person.has_perm(permission) for permission in permissions):
                    raise Problem(HTTPStatus.FORBIDDEN, _("You may not read this; ask an administrator."))
                if pk > LARGEST_ID:
                    raise not_found()
                return JsonResponse(view(person, pk))
            except Problem as problem:
                response = answer(problem)
                if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
                    response["Allow"] = "GET, HEAD"
                return response

        return run

    return decorate


def not_found() -> Problem:
    """Return what is answered for a row that there is not, or that the person may not see: they cannot tell which."""
    return Problem(HTTPStatus.NOT_FOUND, _("There is nothing with this id that you may see."))


def _person(request: HttpRequest) -> User:
    """Return who asks. A header is an answer by itself: with a wrong key a session does not count."""
    authorization = request.headers.get("Authorization", "")
    if not authorization:
        if request.user.is_authenticated:
            return request.user
        raise Problem(HTTPStatus.UNAUTHORIZED, _("Send an API key: Authorization: Bearer sq_…"))
    key = keys.find_key(authorization)
    if key is None:
        raise Problem(
            HTTPStatus.UNAUTHORIZED, _("This API key does not work: it is unknown, revoked or over. Make a new one.")
        )
    if keys.READ not in key.scopes:
        raise Problem(HTTPStatus.FORBIDDEN, _("This API key lacks the scope “read”."))
    return key.user
