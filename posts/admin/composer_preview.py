"""The composer's live part: previews and remarks for what is typed, before anything is saved. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from posts.admin import zones
from posts.admin.composer_form import Composer
from posts.admin.composer_judging import find_duplicates, judge, says_something, show
from posts.admin.people import person_of

if TYPE_CHECKING:
    from posts.admin.post import PostAdmin


def urls(admin: PostAdmin) -> list[URLPattern]:
    """Return where the composer sends its form while somebody types."""

    def new(request: HttpRequest) -> HttpResponse:
        return preview(admin, request, None)

    def stored(request: HttpRequest, object_id: int) -> HttpResponse:
        return preview(admin, request, object_id)

    view = admin.admin_site.admin_view
    return [
        path("preview/", view(new), name="posts_post_preview"),
        path("<int:object_id>/preview/", view(stored), name="posts_post_preview_stored"),
    ]


def preview(admin: PostAdmin, request: HttpRequest, object_id: int | None) -> HttpResponse:
    """Answer a form of the composer with how the post will look and what is to be said beside each account."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    post = admin.get_object(request, str(object_id)) if object_id is not None else None
    if object_id is not None and post is None:
        raise Http404
    if not (admin.has_change_permission(request, post) if post is not None else admin.has_add_permission(request)):
        raise PermissionDenied
    person = person_of(request)
    composer = Composer(person, post, zones.zone_of(person))
    composer.listen(request)
    composer.form.is_valid()
    if says_something(composer):
        judge(composer)
        find_duplicates(composer)
        show(composer)
    context = {"composer": composer, "person": person, "zone": composer.zone, "is_live": True}
    return TemplateResponse(request, "posts/admin/composer_live.html", context)
