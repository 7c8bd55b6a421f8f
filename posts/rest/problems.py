"""What a service refuses, as the API tells it: the status of each family, the place of each problem in the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from posts.rest.schemas import names_of
from posts.services.errors import (
    Conflict,
    NoRoom,
    NotAllowed,
    Outdated,
    Refused,
    ServiceError,
    ValidationFailed,
)
from posts.services.errors import Problem as Found
from queue_app.rest import etags
from queue_app.rest.problems import FieldError, Problem, answer, of_errors

# The first that fits.
STATUSES: Sequence[tuple[type[ServiceError], HTTPStatus]] = (
    (NotAllowed, HTTPStatus.FORBIDDEN),
    (Conflict, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.CONFLICT),
    (NoRoom, HTTPStatus.INSUFFICIENT_STORAGE),
    (ServiceError, HTTPStatus.CONFLICT),
)
# What of a post an account can refuse; any other field of such a problem is an option of the account's platform.
OF_POSTS = frozenset({"accounts", "expires_at", "first_comment", "media", "post", "scheduled_at", "text"})


def of_service(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the answer to what a service refused."""
    if isinstance(error, ValidationFailed):
        return answer(of_errors(field_errors(error.problems, getattr(request, "json_body", None))))
    if isinstance(error, Outdated) and "If-Match" in request.headers:
        return answer(etags.outdated())
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    return answer(Problem(status, str(error)))


def field_errors(problems: Sequence[Found], body: Any) -> list[FieldError]:
    """Return the problems with their places in ``body``, by the names that it has for them."""
    given: Mapping[str, Any] = body if isinstance(body, dict) else {}
    return [
        FieldError(_path(problem, given), problem.message, problem.account.pk if problem.account is not None else None)
        for problem in problems
    ]


def _path(problem: Found, body: Mapping[str, Any]) -> str:
    field = _named(problem.field, body)
    if problem.place is not None:
        return f"{field}.{problem.place}"
    if problem.account is None:
        return field
    if problem.field == "accounts":
        return _at(field, body.get(field), problem.account.pk)
    overrides = _named("overrides", body)
    listed = [each.get("account") for each in body.get(overrides) or [] if isinstance(each, dict)]
    own = _at(overrides, listed, problem.account.pk)
    if problem.field not in OF_POSTS:
        return f"{own}.options.{problem.field}" if own != overrides else own
    has_own_text = problem.field == "text" and own != overrides
    return f"{own}.text" if has_own_text and _own_text(body[overrides], listed, problem.account.pk) else field


def _own_text(overrides: Sequence[Mapping[str, Any]], listed: list[Any], account_id: int) -> bool:
    return bool(overrides[listed.index(account_id)].get("text"))


def _at(name: str, listed: Any, account_id: int) -> str:
    """Return the path of the account in a list of ids; the list's own where it is not in it."""
    place = listed.index(account_id) if isinstance(listed, list) and account_id in listed else None
    return name if place is None else f"{name}.{place}"


def _named(field: str, body: Mapping[str, Any]) -> str:
    """Return the name by which the body has the field: one of those that it may have, else its own."""
    return next((name for name in names_of(field) if name in body), field)
