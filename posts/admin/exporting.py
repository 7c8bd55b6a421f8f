"""The list of posts, filtered as the address says, as a CSV file that can be imported again. Sent as it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin as site_admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from posts.admin import zones
from posts.selectors.csv_export import exported_lines
from posts.selectors.posts import usable_accounts
from queue_app import clock

if TYPE_CHECKING:
    from posts.admin.post import PostAdmin


def urls(admin: PostAdmin) -> list[URLPattern]:
    """Return the address of the export."""

    @require_safe
    def view(request: HttpRequest) -> HttpResponseBase:
        return _export(admin, request)

    return [path("export/", site_admin.site.admin_view(view), name="posts_post_export")]


def _export(admin: PostAdmin, request: HttpRequest) -> HttpResponseBase:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    try:
        posts = admin.get_changelist_instance(request).queryset
    except IncorrectLookupParameters as error:
        raise BadRequest(gettext("No such filter.")) from error
    lines = exported_lines(posts, usable_accounts(request.user), zone=zones.zone_of(request.user))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="posts-{clock.now():%Y-%m-%d}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
