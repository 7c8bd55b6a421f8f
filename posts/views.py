"""Uploading a file and showing it again. Parses, calls a service, renders.

The upload has a view of its own, outside of any transaction: a form that carried files would hold SQLite's write lock
while they come in.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.signing import BadSignature
from django.db import transaction
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseForbidden,
    HttpResponseRedirect,
    JsonResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from posts import conf
from posts.files import inline_file, ranged_file
from posts.selectors.media import picture_to_show, preview_of
from posts.selectors.posts import usable_media
from posts.services.addresses import row_of
from posts.services.errors import NoRoom, ServiceError
from posts.services.media import store_upload
from posts.services.storing import is_on_this_machine, opener_of
from posts.uploads import BodyTooLargeError, BodyUnreadableError, BodyWithoutRoomError, read_body

FIELD = "file"


@csrf_exempt  # the token may be in the body, which is read under a limit first; _store checks it
@require_POST
@transaction.non_atomic_requests
def upload(request: HttpRequest) -> HttpResponse:
    """Store the file in the field ``file``; for people who are logged in and may add media.

    Answers JSON ``{id, uuid, name, kind, width, height, thumbnail}`` or ``{error}`` with its status; a browser's form
    gets a message instead, back at ``next``.
    """
    if not request.user.is_authenticated:
        return _answer_error(request, _("You are not logged in any more. Log in, then upload the file again."), 401)
    if not request.user.has_perm("posts.add_media"):
        return _answer_error(request, _("You may not upload files; ask an administrator for the permission."), 403)
    try:
        read_body(request, **conf.upload_limits())
    except BodyTooLargeError as error:
        text = _("The file is too large: at most %(limit)s bytes are allowed. Make it smaller.")
        return _answer_error(request, text % {"limit": f"{error.max_bytes:,}"}, 413)
    except BodyUnreadableError:
        return _answer_error(request, _("The upload broke off. Upload the file again."), 400)
    except BodyWithoutRoomError:
        return _answer_error(request, str(NoRoom(_("The file"))), 507)
    return _store(request)


@require_safe
@login_required
def thumbnail(request: HttpRequest, uuid: UUID) -> FileResponse:
    """Send a small rendering of a file if there is one, else the picture; to those who may attach it.

    With ``?whole=1`` the picture itself, where it can be shown.
    """
    if request.user.is_anonymous:
        raise Http404("No such picture.")
    media = get_object_or_404(usable_media(request.user), uuid=uuid)
    source = picture_to_show(media) if "whole" in request.GET else preview_of(media)
    if source is None:
        raise Http404("There is no picture of this file.")
    try:
        return inline_file(source.file.open("rb"), source.mime_type)
    except FileNotFoundError:
        raise Http404("The file is gone: its posts have ended.") from None


@require_safe
def signed_media(request: HttpRequest, token: str, name: str) -> HttpResponseBase:
    """Send the file that a signed address stands for, to whoever has it, until it ends; ``name`` is for readers only.

    Networks fetch it here. It asks for no login and sets no cookie; parts of it (Range) are given too.
    """
    try:
        row = row_of(token)
    except BadSignature:
        return HttpResponseForbidden("This address was altered, or its time is over.", content_type="text/plain")
    if row is None or not row.file.storage.exists(row.file.name or ""):
        raise Http404("The file is gone: its posts have ended.")
    try:
        return ranged_file(
            request,
            opener_of(row),
            size_bytes=row.size_bytes,
            mime_type=row.mime_type,
            in_parts=is_on_this_machine(row),  # of a file elsewhere every part would cost a copy of the whole
        )
    except FileNotFoundError:
        raise Http404("The file is gone: its posts have ended.") from None


@csrf_protect
def _store(request: HttpRequest) -> HttpResponse:
    file = request.FILES.get(FIELD)
    if file is None or request.user.is_anonymous:
        return _answer_error(request, _("There is no file in the upload. Choose a file first."), 400)
    try:
        media = store_upload(file, owner=request.user, original_name=file.name or "")
    except ServiceError as error:
        return _answer_error(request, str(error), 507 if isinstance(error, NoRoom) else 400)
    if _wants_page(request):
        text = _("%(name)s is uploaded as file %(id)s.") % {"name": media.original_name, "id": media.pk}
        return _page(request, messages.SUCCESS, text, 201)
    facts = {
        "id": media.pk,
        "uuid": str(media.uuid),
        "name": media.original_name,
        "kind": media.kind,
        "width": media.width,
        "height": media.height,
        "thumbnail": reverse("posts:thumbnail", args=[media.uuid]) if preview_of(media) is not None else "",
    }
    return JsonResponse(facts, status=201)


def _answer_error(request: HttpRequest, text: str, status: int) -> HttpResponse:
    if _wants_page(request):
        return _page(request, messages.ERROR, text, status)
    return JsonResponse({"error": text}, status=status)


def _wants_page(request: HttpRequest) -> bool:
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"


def _page(request: HttpRequest, level: int, text: str, status: int) -> HttpResponse:
    """Go back to the page that the form was on, with a message there; without one, say it here."""
    # The address's own ``next``, not the body's: a body that was refused is not read.
    target = request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        messages.add_message(request, level, text, fail_silently=True)
        return HttpResponseRedirect(target)
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
