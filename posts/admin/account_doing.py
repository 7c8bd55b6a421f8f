"""What is done to one account from its page or its row: testing the connection, resuming what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from posts.admin.account_actions import Test
from posts.admin.people import person_of
from posts.services.errors import ServiceError
from posts.services.held import held_by, resume_account
from queue_app.admin import history
from queue_app.database import atomic

if TYPE_CHECKING:
    from posts.admin.account_connect import ConnectPages


def urls(admin: ConnectPages) -> list[URLPattern]:
    """Return the addresses; each takes POST alone."""
    wrap = admin.admin_site.admin_view

    @require_POST
    def test(request: HttpRequest, pk: int) -> HttpResponse:
        return test_connection(admin, request, pk)

    @require_POST
    def resume(request: HttpRequest, pk: int) -> HttpResponse:
        return resume_held(admin, request, pk)

    return [
        path("<int:pk>/test/", wrap(test), name="posts_account_test"),
        path("<int:pk>/resume/", wrap(resume), name="posts_account_resume"),
    ]


def test_connection(admin: ConnectPages, request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the network who the login belongs to and what it may do; nothing is posted. Outside any transaction."""
    account = admin.managed(request, pk)
    action = Test()
    unable = action.why_not(account, request)
    try:
        note = "" if unable else action.perform(account, request, {})
    except ServiceError as error:
        unable, note = str(error), ""
    if unable:
        history.record(request, account, CHANGE, _("Tested: it failed."))
        admin.message_user(
            request, _("The test of %(account)s failed: %(why)s") % {"account": account, "why": unable}, messages.ERROR
        )
    else:
        history.record(request, account, CHANGE, _("Tested: %(note)s.") % {"note": note})
        said = _("%(account)s works: %(note)s. Nothing was posted.") % {"account": account, "note": note}
        admin.message_user(request, said, messages.SUCCESS)
    return HttpResponseRedirect(_back(request, pk))


def resume_held(admin: ConnectPages, request: HttpRequest, pk: int) -> HttpResponse:
    """Let go what the account holds, by a person's word."""
    account = admin.managed(request, pk)
    waiting = held_by(account).waiting
    with atomic():
        resume_account(account, actor=person_of(request))
        history.record(request, account, CHANGE, _("Resumed; %(waiting)s held.") % {"waiting": f"{waiting:,}"})
    if waiting:
        said = ngettext(
            "%(n)s held post goes out now.",
            "%(n)s held posts go out now, the oldest first, as far as the limits allow.",
            waiting,
        ) % {"n": f"{waiting:,}"}
    else:
        said = _("%(account)s is resumed; it held no post.") % {"account": account}
    admin.message_user(request, said, messages.SUCCESS)
    return HttpResponseRedirect(reverse("admin:posts_account_change", args=[pk]))


def _back(request: HttpRequest, pk: int) -> str:
    """Return where the button was: a page of this site, else the account's."""
    url = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure()):
        return url
    return reverse("admin:posts_account_change", args=[pk])
