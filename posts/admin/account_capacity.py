"""What an account's limits still take, now or at a time that is asked for in the address. Parses, asks, renders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from posts.admin import zones
from posts.admin.wall_time import WallTimeForm, wall_time_field
from posts.models import Account
from posts.services.capacity import Capacity, capacity
from queue_app import clock


class AtForm(WallTimeForm):
    """The time at which the limits are looked at, in the person's own zone."""

    at = wall_time_field(_("Look at another time"))

    def __init__(self, data: Any = None, *, zone: str) -> None:
        super().__init__(data, zone=zone)
        self.fields["timezone"].widget = forms.HiddenInput()


@dataclass(frozen=True, slots=True)
class Line:
    """One limit in words; ``percent`` of it is left."""

    limit: Capacity
    window: str
    percent: int


def capacity_context(request: HttpRequest, account: Account) -> dict[str, Any]:
    """Return the limits of ``account``, at the time in the address if it has one that can be understood."""
    zone = zones.zone_of(request.user)
    asked = "at" in request.GET
    form = AtForm(request.GET if asked else None, zone=zone)
    at: datetime | None = None
    if asked and form.is_valid():
        at = form.instant("at")
    now = clock.now()
    if at is not None and at <= now:
        form.add_error("at", _("This time is over; the limits are those of now."))
        at = None
    if not asked:
        form.fields["at"].initial = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None, minute=0)
    lines = [_line(limit) for limit in capacity(account, at)]
    return {"at": at, "at_form": form, "limits": lines, "zone": zone}


def span_words(seconds: int) -> str:
    """Return a length in its largest whole unit: 15 minutes, 3 hours, 1 day."""
    if seconds % 86_400 == 0:
        return ngettext("%(n)d day", "%(n)d days", seconds // 86_400) % {"n": seconds // 86_400}
    if seconds % 3600 == 0:
        return ngettext("%(n)d hour", "%(n)d hours", seconds // 3600) % {"n": seconds // 3600}
    if seconds % 60 == 0:
        return ngettext("%(n)d minute", "%(n)d minutes", seconds // 60) % {"n": seconds // 60}
    return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}


def _line(limit: Capacity) -> Line:
    return Line(limit, span_words(limit.seconds), 100 * limit.left // limit.count)
