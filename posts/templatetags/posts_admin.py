"""Template tags of the posts app's admin: the banner, the first steps, thumbnails and links out."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from posts.admin.attention import banner_of
from posts.admin.chips import account_chip
from posts.admin.delivery import external_link
from posts.admin.first_steps import steps_context
from posts.admin.media import size_of, thumbnail_of
from posts.admin.navigation import links_for
from posts.selectors.library import lacks_alt_text
from posts.selectors.platforms import window_words
from posts.text.top_domains import TOP_DOMAINS
from queue_app.admin import dashboard

register = template.Library()

register.simple_tag(account_chip, name="account_chip")
register.simple_tag(external_link, name="external_link")
register.simple_tag(thumbnail_of, name="picture_thumbnail")
register.filter(window_words)
register.filter("file_size", size_of)
register.filter(lacks_alt_text)
register.simple_tag(lambda: " ".join(sorted(TOP_DOMAINS)), name="top_domains")


@register.inclusion_tag("posts/admin/navigation.html", takes_context=True)
def admin_navigation(context: Context) -> dict[str, Any]:
    """Show the links to the main pages on every page of a person who is signed in."""
    request = context.get("request")
    user = getattr(request, "user", None)
    return {"links": links_for(user, request.path) if request is not None and user is not None else []}


@register.inclusion_tag("posts/admin/banner.html", takes_context=True)
def attention_banner(context: Context) -> dict[str, Any]:
    """Say on every page what somebody should look at: needs review, failed, to reconnect, no worker alive, paused."""
    request = context.get("request")
    return banner_of(request) if request is not None and hasattr(request, "user") else {}


@register.inclusion_tag("queue_app/admin/dashboard_live.html", takes_context=True)
def dashboard_panels(context: Context) -> dict[str, Any]:
    """Show the dashboard's panels above the list of apps, less what the first steps say already."""
    found = (
        dashboard.context_of(context["request"], without=("posts",)) if dashboard.panels_for(context["request"]) else {}
    )
    return {**found, "perms": context.get("perms"), "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("posts/admin/first_steps.html", takes_context=True)
def first_steps(context: Context) -> dict[str, Any]:
    """Show connect → write → schedule with ticks, then how many posts there are in each state, as links."""
    user = context["request"].user
    if not user.has_perm("posts.view_post"):
        return {"shown": False}
    return {"shown": True, "perms": context.get("perms"), **steps_context(context["request"])}
