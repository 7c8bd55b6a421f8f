"""What a person is told, in words: one message for all notices that wait for them. Nothing secret is in a notice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext, ngettext

from queue_app import conf
from queue_app.channels import Message
from queue_app.models import NoticeDelivery
from queue_app.notices import kind_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_IN_ONE_MESSAGE = 50
CHOICES_PAGE = "admin:queue_app_notifications"


def message_of(rows: Sequence[NoticeDelivery], person: User | None) -> Message:
    """Return the message of ``rows``, which are all for ``person`` (``None``: the site's ADMINS)."""
    more = len(rows) - 1
    subject = _headline(rows[0])
    if more:
        subject += " " + ngettext("(and %(n)s more)", "(and %(n)s more)", more) % {"n": more}
    parts = [_paragraph(row) for row in rows[:MOST_IN_ONE_MESSAGE]]
    if len(rows) > MOST_IN_ONE_MESSAGE:
        parts.append(gettext("... and %(n)s more.") % {"n": len(rows) - MOST_IN_ONE_MESSAGE})
    choices = _address(CHOICES_PAGE) if person is not None else ""
    if choices:
        parts.append(gettext("What you are told of: %(page)s") % {"page": choices})
    return Message(subject, "\n\n".join(parts), is_good=all(row.is_over for row in rows))


def _headline(row: NoticeDelivery) -> str:
    kind = kind_of(row.notice.kind)
    if row.is_over:
        return f"{row.notice.subject}: {kind.over_title}"
    return f"{row.notice.subject}: {kind.title}"


def _paragraph(row: NoticeDelivery) -> str:
    notice = row.notice
    lines = [_headline(row)]
    if row.is_over:
        lines.append(_since(row))
    elif notice.text:
        lines.append(notice.text)
    lines.append(_page(row))
    return "\n".join(line for line in lines if line)


def _since(row: NoticeDelivery) -> str:
    notice = row.notice
    if notice.cleared_at is None:
        return ""
    minutes = max(1, round((notice.cleared_at - notice.created_at).total_seconds() / 60))
    return ngettext("It lasted for %(n)s minute.", "It lasted for %(n)s minutes.", minutes) % {"n": f"{minutes:,}"}


def _page(row: NoticeDelivery) -> str:
    """Return the address of what the notice is about; "" in a host without the admin."""
    notice = row.notice
    if notice.page:
        return _site() + notice.page
    if notice.job_id is not None:
        return _address("admin:queue_app_job_change", notice.job_id)
    return _address("admin:queue_app_notice_change", notice.pk)


def _address(view: str, *args: int) -> str:
    try:
        return _site() + reverse(view, args=args)
    except NoReverseMatch:
        return ""


def _site() -> str:
    return str(conf.get("SITE_URL")).rstrip("/")
