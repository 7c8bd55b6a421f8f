"""Choosing files of the library: a piece of a page for the composer's dialog, which the composer's script listens to.

Each file is a button with ``data-media-id``, ``data-name``, ``data-thumbnail``, ``data-alt`` and ``data-kind``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.views.decorators.http import require_safe

from posts.models import Media
from posts.selectors.library import pickable, tags_offered
from posts.selectors.media import has_preview
from queue_app.admin.asked import whole_number

if TYPE_CHECKING:
    from queue_app.admin.pages import ReadOnlyAdmin

PER_PAGE = 24
MAY = ("posts.view_media", "posts.add_post", "posts.change_post")


def urls(page: ReadOnlyAdmin) -> list[URLPattern]:
    """Return the address of the piece."""
    return [path("pick/", admin.site.admin_view(pick), name="posts_media_pick")]


@require_safe
def pick(request: HttpRequest) -> HttpResponse:
    """Show the files that the person may attach, found by ``q`` and ``tag``, a page ``p`` at a time."""
    if not any(request.user.has_perm(permission) for permission in MAY):
        raise PermissionDenied
    text = request.GET.get("q", "").replace("\0", "")[:200]
    tag = request.GET.get("tag", "").replace("\0", "")[:50]
    start = (max(1, min(whole_number(request.GET.get("p")) or 1, 10_000)) - 1) * PER_PAGE
    # One more than is shown tells whether there is another page: nothing is counted.
    found = list(pickable(request.user, text, tag)[start : start + PER_PAGE + 1])
    number = start // PER_PAGE + 1
    context = {
        "files": [(media, _thumbnail(media)) for media in found[:PER_PAGE]],
        "q": text,
        "tag": tag,
        "tags": tags_offered(request.user),
        "previous": number - 1,
        "next": number + 1 if len(found) > PER_PAGE else 0,
    }
    return render(request, "posts/admin/media_pick.html", context)


def _thumbnail(media: Media) -> str:
    try:
        return reverse("posts:thumbnail", args=[media.uuid]) if has_preview(media) else ""
    except NoReverseMatch:
        return ""
