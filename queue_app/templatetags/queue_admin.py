"""Template tags of the queue's admin pages: icons, badges, times. They render what they are given and read nothing."""

from __future__ import annotations

from typing import Any

from django import template
from django.apps import apps
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_htmx.jinja import htmx_script

from queue_app import explain
from queue_app.admin import display

register = template.Library()

# What the Content-Security-Policy forbids is switched off: styles of its own, and evaluating text as code.
HTMX_CONFIG = '{"includeIndicatorStyles": false, "allowEval": false, "selfRequestsOnly": true, "historyCacheSize": 0}'

SCRIPTS_LOADED = "queue_admin_scripts"

register.simple_tag(display.icon, name="icon")
register.simple_tag(display.badge, name="badge")
register.simple_tag(display.moment, name="moment")
register.simple_tag(display.exact_moment, name="exact_moment")
register.simple_tag(lambda zone="": zone or timezone.get_current_timezone_name(), name="zone_name")
register.filter("duration", display.duration)
register.simple_tag(explain.words, name="reason_words")


@register.filter
def whole(number: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{number:,}"


@register.filter
def plain(number: float) -> str:
    """Return a number as SVG reads it, whatever the person's language."""
    return str(number)


@register.simple_tag
def queue_admin_styles() -> SafeString:
    """Return the link to the style sheet of these pages."""
    return format_html('<link rel="stylesheet" href="{}">', static("queue_app/admin.css"))


@register.simple_tag(takes_context=True)
def queue_admin_scripts(context: Context) -> SafeString:
    """Return the scripts of live pages, once a page; nothing without django_htmx, where pages stand still."""
    if not apps.is_installed("django_htmx") or context.render_context.get(SCRIPTS_LOADED):
        return SafeString()
    context.render_context[SCRIPTS_LOADED] = True
    return format_html(
        '<meta name="htmx-config" content="{}">{}<script type="module" src="{}"></script>',
        HTMX_CONFIG,
        htmx_script(),
        static("queue_app/live.js"),
    )


@register.simple_tag
def live_part(part: str, url: str, seconds: int = 5, is_moving: bool = True, shape: str = "") -> SafeString:
    """Return the attributes of the element ``part`` that is read again from ``url`` every so many seconds.

    Where nothing ``is_moving`` it stands still. When ``shape`` changes, the whole page is loaded anew (live.js).
    """
    own = format_html('id="{}" data-shape="{}"', part, shape)
    if not is_moving:
        return own
    asks = 'data-live hx-get="{}" hx-select="#{}" hx-trigger="every {}s, live:now" hx-swap="outerHTML ignoreTitle:true"'
    return format_html("{} {}", own, format_html(asks, url, part, seconds))


@register.simple_tag
def state_badge(row: Any) -> SafeString:
    """Return the badge of a row's ``state``, ``status`` or ``outcome``, whichever it has."""
    for field in ("state", "status", "outcome"):
        value = getattr(row, field, None)
        if value is not None:
            return display.badge(value, getattr(row, f"get_{field}_display")().capitalize())
    raise TypeError(f"{type(row).__name__} has no state")
