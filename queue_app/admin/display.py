"""How states, times and durations look in the admin: text with an icon, never colour alone. Renders; reads nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

NOTHING = "–"
SPRITE = "queue_app/icons.svg"
MESSAGE_CHARACTERS = 140

# The look of a state by its value: icon of the sprite, tone of the style sheet. Other apps' states may share a value.
LOOKS: Mapping[str, tuple[str, str]] = {
    "draft": ("pencil", "quiet"),
    "pending": ("clock", "wait"),
    "scheduled": ("clock", "wait"),
    "held": ("pause", "warn"),
    "running": ("arrows", "busy"),
    "publishing": ("arrows", "busy"),
    "uncertain": ("question", "warn"),
    "needs_review": ("question", "warn"),
    "completed": ("check", "ok"),
    "published": ("check", "ok"),
    "partially_published": ("half", "warn"),
    "failed": ("cross", "bad"),
    "lost": ("cross", "bad"),
    "retry": ("arrows", "warn"),
    "postponed": ("clock", "wait"),
    "handed_back": ("clock", "quiet"),
    "cancelled": ("stop", "quiet"),
    "expired": ("stop", "warn"),
    "alive": ("check", "ok"),
    "gone": ("stop", "quiet"),
    "pause": ("pause", "warn"),
    "maintenance": ("pause", "quiet"),
    "rate_limit": ("clock", "wait"),
    "reconnect": ("plug", "bad"),
    "disabled": ("stop", "quiet"),
    "soon": ("clock", "warn"),
    "open": ("warning", "warn"),
    "over": ("check", "quiet"),
    "closed": ("check", "ok"),
    "probing": ("arrows", "busy"),
    "job_added": ("dot", "quiet"),
    "status_updated": ("arrows", "quiet"),
    "job_completed": ("check", "ok"),
    "job_failed": ("cross", "bad"),
    "job_cancelled": ("stop", "quiet"),
    "clock_skew": ("warning", "warn"),
    "late": ("clock", "warn"),
}


def icon(name: str) -> SafeString:
    """Return the icon ``name`` of the sprite, hidden from screen readers: a text always stands beside it."""
    return format_html(
        '<svg class="sq-icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>', static(SPRITE), name
    )


def badge(value: str, label: object) -> SafeString:
    """Return ``label`` with the icon and tone of the state ``value``."""
    name, tone = LOOKS.get(value, ("dot", "quiet"))
    return format_html('<span class="sq-badge sq-{}">{}<span>{}</span></span>', tone, icon(name), label)


def mark(value: str, label: object) -> SafeString:
    """Return the icon of the state ``value`` alone, for narrow places; its ``label`` is read out and shown on hover."""
    name, tone = LOOKS.get(value, ("dot", "quiet"))
    return format_html(
        '<span class="sq-mark sq-{}" title="{}">{}<span class="visually-hidden">{}:</span></span>',
        tone,
        label,
        icon(name),
        label,
    )


def moment(at: datetime | None, zone: str = "") -> SafeString | str:
    """Return ``at`` as the clocks of the IANA ``zone`` (empty: the current one) show it, with the zone's name."""
    if at is None:
        return NOTHING
    name = zone or timezone.get_current_timezone_name()
    local = at.astimezone(ZoneInfo(name))
    return format_html(
        '<time datetime="{}" title="{}">{} <span class="sq-zone">{}</span></time>',
        at.isoformat(timespec="seconds"),
        local.strftime("%H:%M:%S, UTC%z"),
        local.strftime("%Y-%m-%d %H:%M"),
        name,
    )


def exact_moment(at: datetime | None, zone: str = "") -> SafeString | str:
    """Return ``at`` to the millisecond, for a timeline."""
    if at is None:
        return NOTHING
    local = at.astimezone(ZoneInfo(zone or timezone.get_current_timezone_name()))
    return format_html(
        '<time datetime="{}">{}<span class="sq-zone">.{}</span></time>',
        at.isoformat(),
        local.strftime("%Y-%m-%d %H:%M:%S"),
        f"{local.microsecond // 1000:03d}",
    )


def duration(seconds: float | None) -> str:
    """Return a duration in its fitting unit: 8 ms, 1.4 s, 3 min 20 s, 2 h 5 min, 3 days."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return gettext("%(seconds)s ms") % {"seconds": f"{seconds * 1000:.0f}"}
    if seconds < 60:
        return f"{seconds:.1f} s"
    span = timedelta(seconds=round(seconds))
    if span.days:
        return ngettext("%(n)d day", "%(n)d days", span.days) % {"n": span.days}
    hours, rest = divmod(span.seconds, 3600)
    minutes, left = divmod(rest, 60)
    return (
        gettext("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
        if hours
        else gettext("%(minutes)s min %(left)s s") % {"minutes": minutes, "left": left}
    )


def short(text: str, characters: int = MESSAGE_CHARACTERS) -> str:
    """Return the beginning of ``text`` on one line."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1] + "…"


def as_json(value: Any) -> str:
    """Return ``value`` as indented JSON, "" for nothing."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str) if value else ""
