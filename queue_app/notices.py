"""What people are told: rows to be mailed, and conditions that are open until they are over. Sends nothing itself."""

from __future__ import annotations

from datetime import datetime

from queue_app.models import Job, Notice

# Notices of the same few seconds go out in one mail.
GATHER_SECONDS = 10.0
SUBJECT_CHARACTERS = 200


def record(kind: str, subject: str, text: str, *, now: datetime, job: Job | None = None) -> bool:
    """Write a notice; return whether it is new. Without a job, one stays open per (kind, subject) until cleared.

    A subject holds names from outside, so it is cut to size.
    """
    subject = subject[:SUBJECT_CHARACTERS]
    values = {"text": text, "created_at": now}
    if job is not None:
        Notice.objects.create(kind=kind, subject=subject, job=job, **values)
        return True
    _, created = Notice.objects.get_or_create(kind=kind, subject=subject, job=None, cleared_at=None, defaults=values)
    return created


def clear(kind: str, subject: str, *, now: datetime) -> None:
    """Close the open notice of (kind, subject), if there is one: the incident is over."""
    still_open = Notice.objects.filter(kind=kind, subject=subject[:SUBJECT_CHARACTERS], cleared_at=None)
    if still_open.exists():  # asked after every success: a write would wait for SQLite's one lock each time
        still_open.update(cleared_at=now)
