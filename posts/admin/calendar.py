"""The calendar: posts by month, week, day or as a list, and moving them. Parses, calls services, renders.

A move is answered with the calendar itself where a script asked, with a redirect to it elsewhere; either says what
became of it. A move that is refused changes nothing, so the calendar that answers has the post where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from posts.admin import calendar_moves as moves
from posts.admin.calendar_asked import asked_by, remember
from posts.admin.calendar_page import page_context

if TYPE_CHECKING:
    from posts.admin.post import PostAdmin

View = Callable[..., HttpResponse]


def urls(admin: PostAdmin) -> list[URLPattern]:
    """Return the addresses of the calendar; none changes anything but by POST."""

    def of(view: Any) -> View:
        return admin.admin_site.admin_view(partial(view, admin))

    return [
        path("calendar/", of(show), name="posts_calendar"),
        path("calendar/drop/", require_POST(of(moves.drop)), name="posts_calendar_drop"),
        path("calendar/undo/", require_POST(of(moves.undo)), name="posts_calendar_undo"),
        path("calendar/move/<int:post_id>/", of(moves.move), name="posts_calendar_move"),
    ]


def show(admin: PostAdmin, request: HttpRequest) -> HttpResponse:
    """Show the calendar as the address asks for it."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    asked = asked_by(request, request.GET)
    remember(request, asked)
    context = {
        **admin.page_base(request, None),
        **page_context(request, asked),
        "title": _("Calendar"),
        "said": moves.last_said(request),
    }
    return TemplateResponse(request, "posts/admin/calendar.html", context)
