"""The built-in network's pages: what is live on it, newest first. Reads only.

Who may look: anybody where the site is on loopback or ``OUTBOX_PUBLIC`` is set, else staff.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from posts import conf
from posts.files import inline_file
from posts.outbox.models import OutboxPost
from queue_app import conf as queue_conf

PER_PAGE = 20
PER_PAGE_MAX = 100

View = Callable[..., HttpResponseBase]


def for_readers(view: View) -> View:
    """Let only those in who may read the outbox: others log in, or are refused."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if conf.get("OUTBOX_PUBLIC") or _on_loopback(request) or request.user.is_staff:
            return view(request, *args, **kwargs)
        if request.user.is_authenticated:
            raise PermissionDenied("The outbox is for staff; SOCIALQ_OUTBOX_PUBLIC=true opens it to everybody.")
        return redirect_to_login(request.get_full_path())

    return guarded


@require_safe
@for_readers
def outbox(request: HttpRequest) -> HttpResponse:
    """Show what is live, newest first; ``?per_page=`` (1 to 100) and ``?page=``."""
    try:
        per_page, number = int(request.GET.get("per_page", PER_PAGE)), int(request.GET.get("page", 1))
    except ValueError:
        per_page, number = 0, 0
    if not 1 <= per_page <= PER_PAGE_MAX or number < 1:
        return HttpResponseBadRequest(
            f"per_page is a number from 1 to {PER_PAGE_MAX} and page one from 1.", content_type="text/plain"
        )
    pages = Paginator(OutboxPost.objects.order_by("-published_at", "-pk"), per_page)
    if number > max(1, pages.num_pages):
        raise Http404("The outbox has fewer pages.")
    return render(request, "posts/outbox.html", {"page": pages.page(number), "per_page": per_page})


@require_safe
@for_readers
def outbox_post(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one live post: where a delivery's link leads."""
    return render(request, "posts/outbox_post.html", {"post": get_object_or_404(OutboxPost, pk=pk)})


@require_safe
@for_readers
def outbox_picture(request: HttpRequest, pk: int, position: int) -> FileResponse:
    """Send one picture of a live post, the network's own copy."""
    pictures = get_object_or_404(OutboxPost, pk=pk).pictures
    if position >= len(pictures):
        raise Http404("The post has fewer pictures.")
    picture = pictures[position]
    try:
        return inline_file(default_storage.open(picture["file"]), picture["mime_type"])
    except FileNotFoundError:
        raise Http404("The picture is gone from the media folder.") from None


def _on_loopback(request: HttpRequest) -> bool:
    """Say whether site and visitor are on this machine: by the site's address and the connection, not by a header."""
    return _is_loopback(urlsplit(queue_conf.get("SITE_URL")).hostname or "") and _is_loopback(
        request.META.get("REMOTE_ADDR", "")
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
