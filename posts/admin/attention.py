"""The banner of every page: what somebody should look at, and what is paused. It is read again while a page is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse

from posts.models import Account
from posts.selectors.accounts import RECONNECT
from posts.selectors.attention import needs_attention
from posts.selectors.posts import may_see, usable_accounts
from queue_app.admin import once
from queue_app.admin.asked import whole_number
from queue_app.admin.dashboard import LIVE_SECONDS
from queue_app.admin.switches import name_of
from queue_app.explain import START_COMMAND

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

PERMISSIONS = ("posts.view_post", "queue_app.view_job")
NAMED = 3
ACCOUNT = "account:"


def urls(admin: ModelAdmin[Any]) -> list[URLPattern]:
    """Return the address at which pages ask for their banner again."""
    return [path("attention/", admin.admin_site.admin_view(attention), name="posts_attention")]


def attention(request: HttpRequest) -> HttpResponse:
    """Return the banner alone."""
    context = banner_of(request)
    if not context:
        raise PermissionDenied
    return TemplateResponse(request, "posts/admin/banner.html", context)


def banner_of(request: HttpRequest) -> dict[str, Any]:
    """Return what the banner's template needs; nothing for people whom it does not concern."""
    user = request.user
    if not (user.is_active and user.is_staff) or not any(user.has_perm(permission) for permission in PERMISSIONS):
        return {}
    posts = user.has_perm("posts.view_post")
    found = once.once(request, "attention", lambda: needs_attention(user)) if posts else None
    return {
        "attention": found,
        "mending": _mending(request) if found and found.reconnect else [],
        "no_worker": not once.living(request),
        "start_command": START_COMMAND,
        "paused": _paused(request)[:NAMED],
        "paused_more": max(len(once.paused(request)) - NAMED, 0),
        "live_url": _address("admin:posts_attention"),
        "live_seconds": LIVE_SECONDS,
    }


def _mending(request: HttpRequest) -> list[Account]:
    """Return the first accounts that must be reconnected, of those to which the person may give a new login."""
    user = request.user
    if not user.has_perm("posts.change_account"):
        return []
    broken = usable_accounts(user).filter(RECONNECT).order_by("platform", "name")
    return [account for account in broken[: 2 * NAMED] if may_see(user, account.owner_id)][:NAMED]


def _paused(request: HttpRequest) -> list[str]:
    """Return what is paused, by the names that people know."""
    keys = [block.key for block in once.paused(request)]
    found = [whole_number(key.removeprefix(ACCOUNT)) for key in keys if key.startswith(ACCOUNT)]
    numbers = [number for number in found if number is not None]
    accounts = usable_accounts(request.user).filter(pk__in=numbers) if numbers else []
    names = {account.block_key: str(account) for account in accounts}
    return [names.get(key) or name_of(key) for key in keys]


def _address(view: str) -> str:
    try:
        return reverse(view)
    except NoReverseMatch:
        return ""
