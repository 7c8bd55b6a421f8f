"""The dashboard: one page of panels, each of which an app registers as data. The page decides who sees which.

A panel of a name that is registered already stands in its place for everybody who may see it: an app that knows more of
what jobs are about says it in its own words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from queue_app import clock
from queue_app.admin.lists import MOST_COUNTED

Words = str | Promise
Context = Callable[[HttpRequest], Mapping[str, Any]]
LIVE_SECONDS = 5
LIVE_HEADER = "X-Live"


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the dashboard. ``template`` has what ``context`` returns as ``panel``; lower ``order`` stands first."""

    name: str
    title: Words
    order: int
    template: str
    context: Context
    permission: str


@dataclass(frozen=True, slots=True)
class Tally:
    """A number of rows, as the list of them counts: to MOST_COUNTED and no further."""

    number: int

    def __str__(self) -> str:
        if self.number >= MOST_COUNTED:
            return _("%(number)s or more") % {"number": f"{MOST_COUNTED:,}"}
        return f"{self.number:,}"

    def __bool__(self) -> bool:
        return bool(self.number)


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a person should see to. ``look`` is the state whose icon and tone it has."""

    look: str
    label: Words
    tally: Tally
    url: str
    sentence: Words


@dataclass(frozen=True, slots=True)
class Switch:
    """A key that can be paused, by the name that people know it by."""

    key: str
    label: Words


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel as a page has it."""

    panel: Panel
    context: Mapping[str, Any]


_panels: dict[str, list[Panel]] = {}
_switches: list[Callable[[HttpRequest], list[Switch]]] = []


def register(panel: Panel) -> Panel:
    """Add a panel; see the module for one whose name is taken."""
    _panels.setdefault(panel.name, []).append(panel)
    return panel


def switch_source(source: Callable[[HttpRequest], list[Switch]]) -> Callable[[HttpRequest], list[Switch]]:
    """Have the dashboard offer the keys that this function returns for pausing."""
    _switches.append(source)
    return source


def switches(request: HttpRequest) -> Iterator[Switch]:
    """Return every key that is offered for pausing."""
    for source in _switches:
        yield from source(request)


def panels_for(request: HttpRequest) -> list[Panel]:
    """Return the panels that the person may see, in order."""
    found = []
    for panels in _panels.values():
        mine = [panel for panel in panels if request.user.has_perm(panel.permission)]
        found += mine[-1:]
    return sorted(found, key=lambda panel: panel.order)


def context_of(request: HttpRequest, without: Collection[str] = ()) -> dict[str, Any]:
    """Return what the template of the panels needs: the panels with their figures, and when these were read."""
    panels = [panel for panel in panels_for(request) if panel.name not in without]
    return {
        "panels": [Shown(panel, panel.context(request)) for panel in panels],
        "read_at": clock.now(),
        "zone_name": timezone.get_current_timezone_name(),
        "dashboard_url": reverse("admin:queue_app_dashboard"),
        "live_seconds": LIVE_SECONDS,
    }


def dashboard(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the page; to the page itself, which asks again and again, the panels alone."""
    if not panels_for(request):
        raise PermissionDenied
    if LIVE_HEADER in request.headers:
        return TemplateResponse(request, "queue_app/admin/dashboard_panels.html", context_of(request))
    context = {**site.each_context(request), "title": _("Dashboard"), **context_of(request)}
    return TemplateResponse(request, "queue_app/admin/dashboard.html", context)


def counted(rows: QuerySet[Any]) -> Tally:
    """Count ``rows`` as their list does."""
    return Tally(rows.order_by()[:MOST_COUNTED].count())
