"""Uploading right into the library: a form that works by itself, and an answer for the script that sends one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts import conf
from posts.admin.bodies import with_limits
from posts.admin.people import person_of
from posts.models import Media
from posts.selectors.library import library
from posts.services.errors import ServiceError
from posts.services.media import store_upload
from queue_app.admin import history

if TYPE_CHECKING:
    from queue_app.admin.pages import ReadOnlyAdmin

FIELD = "file"


def urls(page: ReadOnlyAdmin) -> list[URLPattern]:
    """Return the address of the upload."""

    def view(request: HttpRequest) -> HttpResponse:
        return _upload(page, request)

    limited = with_limits(view, conf.upload_limits, _answer_unread)
    return [path("upload/", admin.site.admin_view(limited), name="posts_media_upload")]


def form_context(request: HttpRequest) -> dict[str, Any]:
    """Return what the upload form needs."""
    return {"upload_url": reverse("admin:posts_media_upload"), "upload_limits": conf.upload_limits()}


def _upload(page: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """Store what was sent, outside of any transaction; show the form."""
    if not request.user.has_perm("posts.add_media"):
        raise PermissionDenied
    if request.method != "POST":
        context = {**page.admin_site.each_context(request), "opts": page.opts, "media": page.media}
        context |= {"title": _("Upload files"), **form_context(request)}
        return TemplateResponse(request, "posts/admin/media_upload.html", context)
    files = request.FILES.getlist(FIELD)
    stored: list[Media] = []
    refused = [] if files else [_("There is no file in the upload. Choose a file first.")]
    for file in files:
        try:
            stored.append(_store(request, file))
        except ServiceError as error:
            refused.append(str(error))
    return _answer(request, stored, refused)


def _store(request: HttpRequest, file: UploadedFile[bytes]) -> Media:
    person = person_of(request)
    media = store_upload(file, owner=person, original_name=file.name or "", is_in_library=True)
    history.record(request, media, ADDITION, _("Uploaded into the library."))
    return media


def _answer(request: HttpRequest, stored: Sequence[Media], refused: Sequence[str]) -> HttpResponse:
    """Tell a script of the cards of what was stored, and of why the rest was not; else go back to the library."""
    if _is_script(request):
        rows = library(request.user).filter(pk__in=[media.pk for media in stored])
        may_choose = request.user.has_perm("posts.change_media") or request.user.has_perm("posts.delete_media")
        cards = [
            render_to_string("posts/admin/media_card.html", {"file": row, "may_choose": may_choose}, request)
            for row in rows
        ]
        return JsonResponse({"cards": cards, "error": " ".join(refused)}, status=201 if cards else 200)
    if stored:
        text = ngettext("%(n)s file is in the library.", "%(n)s files are in the library.", len(stored))
        messages.success(request, text % {"n": len(stored)})
    for reason in refused:
        messages.error(request, reason)
    return HttpResponseRedirect(reverse("admin:posts_media_changelist"))


def _answer_unread(request: HttpRequest, text: str, status: int) -> HttpResponse:
    if _is_script(request):
        return JsonResponse({"error": text}, status=status)
    messages.error(request, text)
    return HttpResponseRedirect(reverse("admin:posts_media_changelist"))


def _is_script(request: HttpRequest) -> bool:
    return request.get_preferred_type(["application/json", "text/html"]) == "application/json"
