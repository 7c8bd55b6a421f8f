"""Shutting out whoever guesses a password: what django-axes counts, and what it answers.

Counted in the database, so that all processes and machines count together, by name and address at once: nobody can
lock the administrator out from elsewhere. By the address alone as well, for who tries one password with many names; far
more are borne there, for many people may share one. No logic of the apps belongs here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

logger = logging.getLogger("socialq.site")


class Handler(AxesDatabaseHandler):  # type: ignore[misc]  # the package has no types
    """django-axes' own, to which every name is locked from an address that has had all its wrong passwords."""

    def get_failures(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> int:
        """Return how many passwords of the name were wrong; where its address is locked, no less than lock a name."""
        failures: int = super().get_failures(request, credentials)
        request.address_is_locked = is_locked = _address_is_locked(request)  # type: ignore[attr-defined]  # for the answer
        return max(failures, settings.AXES_FAILURE_LIMIT) if is_locked else failures


def answer(request: HttpRequest, _response: HttpResponse | None, _credentials: Mapping[str, Any]) -> HttpResponse:
    """Say that too many passwords were wrong, and when the next one is looked at; as ``AXES_LOCKOUT_CALLABLE``."""
    wait = get_cool_off(request)
    seconds = int(wait.total_seconds()) if wait else 0
    if getattr(request, "axes_failures_since_start", 0):  # this password was looked at: the lock begins with it
        logger.warning("login locked", extra={"address": request.axes_ip_address, "seconds": seconds})  # type: ignore[attr-defined]  # of django-axes
    page = {
        "title": _("Too many wrong passwords"),
        "minutes": -(-seconds // 60),
        "of_every_name": getattr(request, "address_is_locked", False),
        "login_url": reverse("admin:login"),
    }
    response = TemplateResponse(request, "admin/locked_out.html", page, status=429).render()
    response["Retry-After"] = str(seconds)
    response["Cache-Control"] = "no-store"
    return response


def _address_is_locked(request: HttpRequest) -> bool:
    """Say whether too many passwords were wrong that came from the request's address, if that is known."""
    address, most = request.axes_ip_address, settings.LOGIN_WRONG_PASSWORDS  # type: ignore[attr-defined]  # of django-axes
    if address is None or not most:
        return False
    lately = AccessAttempt.objects.filter(ip_address=address, attempt_time__gte=get_cool_off_threshold(request))
    failures: int | None = lately.aggregate(failures=Sum("failures_since_start"))["failures"]
    return (failures or 0) >= most
