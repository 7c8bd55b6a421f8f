"""ETags of what has a version: ``"<version>-<hash of the answer>"``.

``If-None-Match`` compares the whole, so that an answer whose states moved on is sent again. ``If-Match`` compares the
version alone: that a delivery goes out does not keep somebody from editing what they have read.
"""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from queue_app.rest.auth import Request
from queue_app.rest.problems import Problem

TAG = re.compile(r'(?:W/)?"([0-9]{1,18})(?:-[0-9a-f]*)?"')


def expected_version(request: Request, current: int) -> int | None:
    """Return the version that ``If-Match`` asks for, which is ``current``; ``None`` where any will do.

    Raises Problem (412) where the caller saw another one.
    """
    given = request.headers.get("If-Match", "*").strip()
    if given == "*":
        return None
    if current not in {int(version) for version in TAG.findall(given)}:
        raise outdated()
    return current


def outdated() -> Problem:
    """Return what is answered where ``If-Match`` names another version than the stored one."""
    detail = _("It was changed by somebody else meanwhile (If-Match); read it again and repeat your change.")
    return Problem(HTTPStatus.PRECONDITION_FAILED, detail)


def tagged(request: Request, response: HttpResponseBase) -> HttpResponseBase:
    """Give the answer its ETag where it tells of something with a version; 304 without a body where it is known."""
    if request.version is None or not isinstance(response, HttpResponse) or response.status_code >= 400:
        return response
    digest = hashlib.sha256(response.content).hexdigest()[:16]
    response["ETag"] = tag = f'"{request.version}-{digest}"'
    known = [each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")]
    if request.method == "GET" and (tag in known or known == ["*"]):
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    return response
