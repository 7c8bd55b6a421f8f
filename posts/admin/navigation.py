"""The row of links on every page of the admin: what there is to do here, as data. Reads no rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User


@dataclass(frozen=True, slots=True)
class Entry:
    """One link. It is for who has one of ``permissions``, and stands only where ``view`` has an address."""

    label: str | Promise
    view: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as a page shows it. ``current`` is the value of aria-current, "" where the page is another's."""

    label: str | Promise
    url: str
    current: str


ENTRIES = (
    Entry(_("Dashboard"), "admin:queue_app_dashboard", ("posts.view_post", "queue_app.view_job")),
    Entry(_("Write"), "admin:posts_post_add", ("posts.add_post",)),
    Entry(_("Posts"), "admin:posts_post_changelist", ("posts.view_post",)),
    Entry(_("Calendar"), "admin:posts_calendar", ("posts.view_post",)),
    Entry(_("Library"), "admin:posts_media_changelist", ("posts.view_media",)),
    Entry(_("Accounts"), "admin:posts_account_changelist", ("posts.view_account",)),
    Entry(_("Telegram sources"), "admin:posts_telegramsource_changelist", ("posts.view_telegramsource",)),
    Entry(_("Webhooks"), "admin:posts_webhookendpoint_changelist", ("posts.view_webhookendpoint",)),
    Entry(_("Jobs"), "admin:queue_app_job_changelist", ("queue_app.view_job",)),
    Entry(
        _("History"),
        "admin:admin_logentry_changelist",
        ("admin.view_logentry", "posts.view_post", "queue_app.view_job"),
    ),
)


def links_for(user: User | AnonymousUser, path: str) -> list[Link]:
    """Return the links that ``user`` may follow. The one that leads nearest to the page at ``path`` is current."""
    if not user.is_active or not user.is_staff:
        return []
    found = [
        (entry.label, url)
        for entry in ENTRIES
        if any(user.has_perm(permission) for permission in entry.permissions) and (url := _address(entry.view))
    ]
    nearest = max((url for _label, url in found if path.startswith(url)), key=len, default="")
    return [Link(label, url, _current(url, nearest, path)) for label, url in found]


def _current(url: str, nearest: str, path: str) -> str:
    if url != nearest:
        return ""
    return "page" if url == path else "true"


def _address(view: str) -> str:
    try:
        return reverse(view)
    except NoReverseMatch:
        return ""
