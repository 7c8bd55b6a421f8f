"""Refusals of the API as ``application/problem+json`` (RFC 9457): what was refused, where, and what to do next.

Owns which status each error of the queue and of the database has; an app adds its own errors by ``Api``'s handlers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.log import log_response
from django.utils.translation import gettext as _

from queue_app import errors, registry
from queue_app.database import is_away
from queue_app.middleware import RETRY_AFTER_SECONDS, SAFE_METHODS, away_lines
from queue_app.states import IllegalTransition
from queue_app.transitions import LostRace
from queue_app.trouble import trouble_of

CONTENT_TYPE = "application/problem+json"
MOST_ERRORS = 100
# What pydantic's errors call the parts of a body: JSON, the fields of a form, its files.
BODIES = frozenset({"body", "form", "file"})


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong. ``path`` leads to it, as in ``accounts.0``; ``account`` is whom it concerns alone."""

    path: str
    message: str
    account: int | None = None


class Problem(Exception):
    """A request that is refused: with which status, and what to do about it, in words."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def answer(problem: Problem) -> HttpResponse:
    """Return the response that tells of ``problem``; one of 401 names the way to come in."""
    status = problem.status
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": problem.detail,
    }
    if problem.errors:
        told["errors"] = [told_error(error) for error in problem.errors[:MOST_ERRORS]]
    response = JsonResponse(told, status=status.value, content_type=CONTENT_TYPE, headers=problem.headers)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="SocialQ"'
    response["Cache-Control"] = "no-store"
    return response


def told_error(error: FieldError) -> dict[str, Any]:
    """Return one error as JSON: its account only where there is one."""
    return {name: value for name, value in asdict(error).items() if value is not None}


def not_found() -> Problem:
    """Return what is answered for a row that there is not, or that the person may not see: they cannot tell which."""
    return Problem(HTTPStatus.NOT_FOUND, _("There is nothing with this id that you may see."))


def no_address() -> Problem:
    """Return what is answered where there is no such address."""
    return Problem(HTTPStatus.NOT_FOUND, _("The API has no such address; /openapi.json beside it lists all it has."))


def not_allowed(methods: str) -> Problem:
    """Return what is answered to a method that an address does not have; ``methods`` are those it has."""
    detail = _("This address takes %(methods)s.") % {"methods": methods}
    return Problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers={"Allow": methods})


def of_invalid(found: Sequence[Mapping[str, Any]]) -> Problem:
    """Return the problem that pydantic's errors are: each with the place that it was found in, first ``loc`` the part
    of the request. A body that means nothing is 422, a query or header that does 400, an id that can be none 404."""
    sources = {str(each["loc"][0]) for each in found}
    if "path" in sources:
        return not_found()
    listed = [FieldError(_path_of(each["loc"]), _sentence(each)) for each in found]
    status = HTTPStatus.UNPROCESSABLE_ENTITY if sources <= BODIES else HTTPStatus.BAD_REQUEST
    return Problem(status, _detail(listed), errors=listed)


def of_errors(listed: Sequence[FieldError]) -> Problem:
    """Return the problem of a body whose fields are wrong, one by one."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, _detail(listed), errors=listed)


@contextmanager
def understood(status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Iterator[None]:
    """Answer ``status`` where what was given can never be right, in the words of the ValueError that says so."""
    try:
        yield
    except ValueError as error:
        raise Problem(status, str(error)) from None


def of_exception(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the answer to what a service or the database refused; raise what is a bug."""
    if isinstance(error, Problem):
        return answer(error)
    if is_away(error):
        return _away(request, error)
    for kind, status in STATUSES:
        if isinstance(error, kind):
            return answer(Problem(status, str(error) or status.phrase))
    return _bug(request, error)


STATUSES: Sequence[tuple[type[Exception], HTTPStatus]] = (
    (errors.JobNotFound, HTTPStatus.NOT_FOUND),
    (errors.QueueError, HTTPStatus.CONFLICT),
    (IllegalTransition, HTTPStatus.CONFLICT),
    (LostRace, HTTPStatus.CONFLICT),
    (registry.UnknownJobType, HTTPStatus.UNPROCESSABLE_ENTITY),
    (PermissionDenied, HTTPStatus.FORBIDDEN),
    (Http404, HTTPStatus.NOT_FOUND),
)
HANDLED: Sequence[type[Exception]] = (Problem, OperationalError, InterfaceError, *(kind for kind, _ in STATUSES))


def _away(request: HttpRequest, error: Exception) -> HttpResponse:
    lines = away_lines(trouble_of(error), safe=request.method in SAFE_METHODS)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return answer(Problem(HTTPStatus.SERVICE_UNAVAILABLE, " ".join(lines), headers=headers))


def _bug(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer a bug as the rest, and tell of it as Django does of its own: in the log, and to who listens."""
    got_request_exception.send(sender=None, request=request)
    response = answer(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, _("Something went wrong here; it is in the log.")))
    log_response("%s: %s", response.reason_phrase, request.path, response=response, request=request, exception=error)
    return response


def _path_of(location: Sequence[Any]) -> str:
    """Return the path of a field, without the part of the request that it is in, and a body's name in our code."""
    source, *parts = location
    return ".".join(str(part)[:80] for part in parts[source == "body" :])


def _sentence(found: Mapping[str, Any]) -> str:
    if found["type"] == "missing" and not _path_of(found["loc"]):
        return _("Send a body, as JSON.")
    said = {
        "extra_forbidden": _("There is no such field."),
        "missing": _("This is needed."),
        "model_type": _("Send an object here: {…}."),
        "model_attributes_type": _("Send an object here: {…}."),
    }
    return said.get(found["type"]) or str(found["msg"]).removeprefix("Value error, ")


def _detail(listed: Sequence[FieldError]) -> str:
    said = "; ".join(f"{each.path}: {each.message}" if each.path else each.message for each in listed[:3])
    more = len(listed) - 3
    return said if more <= 0 else _("%(said)s; and %(more)d more") % {"said": said, "more": more}
