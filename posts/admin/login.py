"""The way to a network's own page and back: its address, the callback, what was found there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from posts.admin.account_forms import ChoiceForm
from posts.admin.people import person_of
from posts.models import Account, PendingLogin
from posts.publishing.platform import Platform
from posts.services import logins
from posts.services.sessions import app_of
from queue_app import conf as queue_conf

CALLBACK = "posts_account_callback"


def callback_url() -> str:
    """Return the one address that networks send people back to; it has to be registered there exactly so."""
    return str(queue_conf.get("SITE_URL")).rstrip("/") + reverse(f"admin:{CALLBACK}")


def lacks_app(platform: Platform) -> bool:
    """Return whether nobody can log in there before this site has an app at the network."""
    return platform.oauth is not None and platform.needs_app and not app_of(platform.name).client_id


def connect_context(request: HttpRequest, platform: Platform) -> dict[str, Any]:
    """Return what the page to connect says about the platform's app and the callback."""
    callback = callback_url()
    parts = urlsplit(callback)
    site_address = f"{parts.scheme}://{parts.netloc}"
    return {
        "platform": platform,
        "callback_url": callback,
        "callback_differs": request.build_absolute_uri(parts.path) != callback,
        "own_address": f"{request.scheme}://{request.get_host()}",
        "site_address": site_address,
        "same_page": site_address + request.get_full_path(),
        "app_missing": lacks_app(platform),
        "settings_prefix": f"SOCIALQ_{platform.name.upper()}",
    }


def to_network(
    request: HttpRequest,
    admin_site: AdminSite,
    platform: Platform,
    answers: Mapping[str, str],
    *,
    account: Account | None = None,
    is_shared: bool = False,
) -> HttpResponse:
    """Show the way to the network's page to log in.

    A page with a link, because a form that is sent may not lead elsewhere: the site's security policy forbids it.
    """
    url = logins.begin_login(
        platform.name,
        answers,
        user=person_of(request),
        redirect_uri=callback_url(),
        account=account,
        is_shared=is_shared,
    )
    base = {
        **admin_site.each_context(request),
        "title": _("Log in at %(label)s") % {"label": platform.label},
        "opts": Account._meta,
    }
    return TemplateResponse(request, "posts/admin/leave.html", {**base, "platform": platform, "url": url})


def finish(request: HttpRequest) -> PendingLogin | Account:
    """Finish the login that the network sent the person back from."""
    given = request.GET
    refusal = ": ".join(filter(None, [given.get("error", ""), given.get("error_description", "")]))
    code = given.get("code", "")
    return logins.finish_login(given.get("state", ""), code, user=person_of(request), refusal=refusal[:300])


def choose(request: HttpRequest, uuid: UUID) -> tuple[ChoiceForm, list[Account]]:
    """Return the form to choose what to connect, and what was connected if it was sent."""
    person = person_of(request)
    pending = logins.pending_login(uuid, user=person)
    form = ChoiceForm(logins.choices(pending), request.POST if request.method == "POST" else None)
    return form, logins.connect_choices(pending, form.places(), user=person) if form.is_valid() else []
