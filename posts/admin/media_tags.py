"""The tags of files and posts: how often each is used; rename, merge, delete. They are everybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from posts.admin.people import person_of
from posts.models import Tag
from posts.selectors.library import counted_tags
from posts.services.errors import NotAllowed, Refused, ServiceError
from posts.services.tags import NAME_CHARACTERS, delete_tag, rename_tag
from queue_app.admin import history
from queue_app.admin.asked import whole_number
from queue_app.database import atomic

if TYPE_CHECKING:
    from queue_app.admin.pages import ReadOnlyAdmin

RENAME, MERGE, DELETE, DELETE_SURELY = "_rename", "_merge", "_delete", "_delete_surely"
BUTTONS = {
    RENAME: "posts.change_tag",
    MERGE: "posts.change_tag",
    DELETE: "posts.delete_tag",
    DELETE_SURELY: "posts.delete_tag",
}


def urls(page: ReadOnlyAdmin) -> list[URLPattern]:
    """Return the address of the page."""

    def view(request: HttpRequest) -> HttpResponse:
        return _tags(page, request)

    return [path("tags/", admin.site.admin_view(view), name="posts_media_tags")]


def _tags(page: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """Show the tags; rename, merge or delete one, the latter two after asking."""
    if not page.has_view_permission(request):
        raise PermissionDenied
    if request.method != "POST":
        return _page(page, request)
    button = next((name for name in BUTTONS if name in request.POST), "")
    if not button or not request.user.has_perm(BUTTONS[button]):
        raise PermissionDenied
    tag = Tag.objects.filter(pk=whole_number(request.POST.get("tag")) or 0).first()
    if tag is None:
        messages.warning(request, _("This tag is gone; somebody has renamed or deleted it."))
        return HttpResponseRedirect(request.path)
    name = request.POST.get("name", "")[: NAME_CHARACTERS * 4]
    if button == DELETE:
        return _page(page, request, asks=tag, asks_to=DELETE_SURELY)
    try:
        _work(request, button, tag, name)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except Refused:
        return _page(page, request, asks=tag, asks_to=MERGE, name=name)
    except ServiceError as error:
        messages.error(request, f"{error}.")
    return HttpResponseRedirect(request.path)


def _work(request: HttpRequest, button: str, tag: Tag, name: str) -> None:
    old = str(tag)
    key = tag.pk
    with atomic():
        if button == DELETE_SURELY:
            delete_tag(tag, actor=person_of(request))
            history.record(request, tag, DELETION, _("Deleted."), key=key, name=old)
            text = _("The tag “%(old)s” is deleted.") % {"old": old}
        else:
            now = rename_tag(tag, name, actor=person_of(request), merge=button == MERGE)
            text = _("“%(old)s” is “%(new)s” now.") % {"old": old, "new": now}
            history.record(request, now, CHANGE, text)
    messages.success(request, text)


def _page(page: ReadOnlyAdmin, request: HttpRequest, **more: Any) -> HttpResponse:
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "media": page.media,
        "title": _("Tags"),
        "tags": counted_tags(),
        "files_url": reverse("admin:posts_media_changelist"),
        "may_rename": request.user.has_perm("posts.change_tag"),
        "may_delete": request.user.has_perm("posts.delete_tag"),
        "most": NAME_CHARACTERS,
        **more,
    }
    return TemplateResponse(request, "posts/admin/media_tags.html", context)
