"""For any host: a page that fails because the database is locked, full or away answers 503 instead of 500, and monitors
may ask under any name.

The answer needs no database, no session and no JavaScript. What a view began in a transaction was rolled back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from queue_app import conf
from queue_app.database import is_away
from queue_app.trouble import Trouble, trouble_of

logger = logging.getLogger("socialq.queue")

RETRY_AFTER_SECONDS = 10
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HAPPENED: Mapping[Trouble, Promise] = {
    Trouble.LOCKED: _("The database is busy: something else has held it for too long."),
    Trouble.FULL: _("The database has no room, or its disk fails. An administrator must make room."),
    Trouble.AWAY: _("The database cannot be reached."),
}
# A view may have ended a transaction before, and a connection may break while it waits for the answer to its last word.
SAVED_PERHAPS = _("It was not saved, or only in part: look before you send it again.")
TRY_AGAIN = _("Try again in a moment.")
GO_BACK = _("Go back in a moment: what you typed is still there.")


class MonitorsMiddleware:
    """Lets monitors ask for their pages under any name: a probe knows the address of a container and no other.

    Stands first, before what refuses a name that is not in ALLOWED_HOSTS. The pages are the same under every name.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Have the site's own name stand in for the one that a monitor asked for."""
        if request.path in _monitors_paths():
            request.META["HTTP_HOST"] = urlsplit(str(conf.get("SITE_URL"))).netloc
        return self._get_response(request)


class DatabaseAwayMiddleware(MiddlewareMixin):
    """Tells people, and programs that ask for JSON, that the database could not be used and what to do."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 503 where a view was refused by the database as a whole; any other error stays what it is."""
        if not is_away(exception):
            return None
        trouble = trouble_of(exception)
        logger.warning("database %s path=%s error=%s", trouble, request.path, type(exception).__name__)
        lines = away_lines(trouble, safe=request.method in SAFE_METHODS)
        if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
            response: HttpResponse = JsonResponse({"error": " ".join(lines)}, status=503)
        else:
            page = {"happened": lines[0], "lines": lines[1:], "reload": request.method in SAFE_METHODS}
            response = HttpResponse(render_to_string("queue_app/database_away.html", page), status=503)
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
        response["Cache-Control"] = "no-store"
        return response


def _monitors_paths() -> set[str]:
    try:
        return {reverse(f"queue_app:{name}") for name in ("health", "ready", "metrics")}
    except NoReverseMatch:  # a host that does not serve them
        return set()


def away_lines(trouble: Trouble, *, safe: bool) -> list[str]:
    """Return what happened, whether anything was saved, and what to do."""
    if safe:
        return [str(HAPPENED[trouble]), str(TRY_AGAIN)]
    return [str(HAPPENED[trouble]), str(SAVED_PERHAPS), str(GO_BACK)]
