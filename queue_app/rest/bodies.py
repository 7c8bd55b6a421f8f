"""Bodies and queries of strangers: bounded, JSON, and nothing in them that a database or a parser chokes on."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from http import HTTPStatus
from itertools import islice
from typing import Any

from django.http import HttpRequest, QueryDict
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _

from queue_app.arguments import storable
from queue_app.rest.problems import MOST_ERRORS, FieldError, Problem, of_errors

MAX_BODY_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_WHOLE = 2**63 - 1
JSON = "application/json"
END = object()


def read_json(request: HttpRequest) -> None:
    """Read the body and keep its JSON as ``request.json_body`` (``None`` for an empty one), or raise Problem.

    413 is said by the announced length, before a byte is read.
    """
    require_bounded(request, MAX_BODY_BYTES)
    body = _read(request)
    request._body = body  # noqa: SLF001 -- Django's own place for it: it is read once
    if body and request.content_type != JSON:
        detail = _("Send the body as %(type)s (Content-Type).") % {"type": JSON}
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    request.json_body = parse(body) if body else None  # type: ignore[attr-defined]  # for the parser


def require_bounded(request: HttpRequest, most_bytes: int) -> None:
    """Raise Problem for a body that announces more than ``most_bytes``, no length at all, or is packed."""
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        detail = _("Send the body as it is: packed ones (Content-Encoding) are not taken.")
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length and "Transfer-Encoding" in request.headers:
        raise Problem(HTTPStatus.LENGTH_REQUIRED, _("Say how long the body is (Content-Length), and send it whole."))
    if length and not (length.isascii() and length.isdigit()):
        raise Problem(HTTPStatus.BAD_REQUEST, _("Content-Length is a number of bytes."))
    if len(length) > 18 or int(length or 0) > most_bytes:
        raise too_large(most_bytes)


def parse(body: bytes) -> Any:
    """Return the JSON of ``body``. Raises Problem: 400 where it is none, 422 where it has what nobody can keep."""
    try:
        value = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, _("The body is not JSON that can be read.")) from None
    wrong = [FieldError(path, message) for path, message in islice(_unusable(value), MOST_ERRORS)]
    if wrong:
        raise of_errors(wrong)
    return value


def require_known(query: QueryDict, known: Collection[str]) -> None:
    """Raise Problem (400) for a query with a name that the operation does not know, or text that cannot be stored."""
    wrong = [FieldError(name[:80], _("There is no such parameter.")) for name in query if name not in known]
    for name, values in query.lists():
        if not all(map(storable, [name, *values])):
            wrong.append(FieldError(name[:80], _("The text has characters that cannot be stored.")))
    if wrong:
        detail = _("The query cannot be used; it may have: %(known)s.") % {"known": ", ".join(sorted(known)) or "–"}
        raise Problem(HTTPStatus.BAD_REQUEST, detail, errors=[_plain(error) for error in wrong])


def _read(request: HttpRequest) -> bytes:
    """Return the body, whatever length was announced; an announced one of more bytes than come is a broken request."""
    try:
        body = request.read(MAX_BODY_BYTES + 1)
    except UnreadablePostError:
        raise Problem(HTTPStatus.BAD_REQUEST, _("The body broke off; send it again.")) from None
    if len(body) > MAX_BODY_BYTES:
        raise too_large(MAX_BODY_BYTES)
    return body


def too_large(most_bytes: int) -> Problem:
    """Return what is answered to a body of more than ``most_bytes``."""
    detail = _("The body is too large: at most %(most)s bytes are taken.") % {"most": f"{most_bytes:,}"}
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def _no_number(name: str) -> float:
    raise ValueError(name)


def _unusable(value: Any) -> Iterator[tuple[str, str]]:
    """Yield (path, why) of everything in ``value`` that cannot be kept, without descending by recursion.

    Only what is open is kept, with its path: paths of all that a body of a million bytes has would take a gigabyte.
    """
    opened: list[tuple[str, Iterator[tuple[str | int, Any]]]] = [("", iter([("", value)]))]
    while opened:
        above, inside = opened[-1]
        name, found = next(inside, ("", END))
        if found is END:
            opened.pop()
        elif isinstance(found, dict | list):
            path = _below(above, name)
            if len(opened) > MAX_DEPTH:
                yield path, _("This is nested too deeply.")
                continue
            opened.append((path, iter(found.items() if isinstance(found, dict) else enumerate(found))))
            if isinstance(found, dict) and not all(map(storable, found)):
                yield path, _("A name has characters that cannot be stored.")
        elif isinstance(found, str) and not storable(found):
            yield _below(above, name), _("The text has characters that cannot be stored.")
        elif isinstance(found, int | float) and abs(found) > MAX_WHOLE:
            yield _below(above, name), _("The number is too large.")


def _below(path: str, name: str | int) -> str:
    return f"{path}.{_shown(name)}".lstrip(".")


def _shown(name: str | int) -> str:
    text = str(name)[:80]
    return text if storable(text) else "?"


def _plain(error: FieldError) -> FieldError:
    return FieldError(_shown(error.path), error.message, error.account)
