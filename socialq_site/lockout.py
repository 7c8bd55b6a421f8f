"""Shutting out whoever guesses a password: what django-axes counts, and what it answers.

Counted in the database, so that all processes and machines count together, by name and address at once: nobody can
lock the administrator out from elsewhere. No logic of the apps belongs here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from axes.helpers import get_cool_off
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

logger = logging.getLogger("socialq.site")


def answer(request: HttpRequest, _response: HttpResponse | None, _credentials: Mapping[str, Any]) -> HttpResponse:
    """Say that too many passwords were wrong, and when the next one is looked at; as ``AXES_LOCKOUT_CALLABLE``."""
    wait = get_cool_off(request)
    seconds = int(wait.total_seconds()) if wait else 0
    if getattr(request, "axes_failures_since_start", 0):  # this password was looked at: the lock begins with it
        logger.warning("login locked", extra={"address": request.axes_ip_address, "seconds": seconds})  # type: ignore[attr-defined]  # of django-axes
    page = {"title": _("Too many wrong passwords"), "minutes": -(-seconds // 60), "login_url": reverse("admin:login")}
    response = TemplateResponse(request, "admin/locked_out.html", page, status=429).render()
    response["Retry-After"] = str(seconds)
    response["Cache-Control"] = "no-store"
    return response
