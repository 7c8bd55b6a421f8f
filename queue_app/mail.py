"""Mails notices to the site's ADMINS: what happened, to what, and where to look. Nothing secret is in a notice."""

from __future__ import annotations

from django.core.mail import mail_admins
from django.urls import NoReverseMatch, reverse

from queue_app import clock, conf
from queue_app.models import Notice

MOST_IN_ONE_MAIL = 50

TITLES = {
    "failed": "failed",
    "needs_review": "needs review: it may already be live",
    "held": "is held until a person releases it",
    "expired": "was dropped: its time was over before it could run",
    "reconnect": "must be reconnected",
    "no_worker": "no worker is running",
    "clock_skew": "its clock is wrong",
    "clock_jump": "its clock was set",
}


def send_waiting() -> int:
    """Mail every unsent notice, all in one message; return how many. Raises what the mail backend raises."""
    waiting = list(Notice.objects.filter(sent_at=None, cleared_at=None).select_related("job").order_by("id"))
    if not waiting:
        return 0
    first = waiting[0]
    subject = f"{first.subject}: {TITLES.get(first.kind, first.kind)}"
    if len(waiting) > 1:
        subject += f" (and {len(waiting) - 1} more)"
    lines = [_paragraph(notice) for notice in waiting[:MOST_IN_ONE_MAIL]]
    if len(waiting) > MOST_IN_ONE_MAIL:
        lines.append(f"... and {len(waiting) - MOST_IN_ONE_MAIL} more.")
    # A subject is one line, whatever a platform or a person wrote.
    mail_admins(" ".join(subject.split())[:180], "\n\n".join(lines))
    Notice.objects.filter(pk__in=[notice.pk for notice in waiting]).update(sent_at=clock.now())
    return len(waiting)


def _paragraph(notice: Notice) -> str:
    lines = [f"{notice.subject}: {TITLES.get(notice.kind, notice.kind)}"]
    if notice.text:
        lines.append(notice.text)
    page = ("job", notice.job_id) if notice.job_id is not None else ("notice", notice.pk)
    try:
        path = reverse(f"admin:queue_app_{page[0]}_change", args=[page[1]])
    except NoReverseMatch:  # a host without the admin
        return "\n".join(lines)
    return "\n".join([*lines, conf.get("SITE_URL").rstrip("/") + path])
