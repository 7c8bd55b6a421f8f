"""Incidents: conditions that other code finds, opened and closed; and that nobody is working, found from outside."""

from __future__ import annotations

from datetime import datetime, timedelta

from queue_app import clock, notices, telling, transitions, workers
from queue_app.database import atomic

NO_WORKER = "no_worker"
NO_WORKER_SUBJECT = "The queue"
NONE_FOR = timedelta(seconds=60)


def tell(
    kind: str, subject: str, text: str, concern: notices.Concern = notices.EVERYBODY_WHO_WATCHES, *, key: str = ""
) -> bool:
    """Open the incident (kind, key) and see that it is told once; return whether it was not open already.

    ``subject`` is what people read, and the key if none is given: give one where names change. ``concern`` says whom it
    is for.
    """
    now = clock.now()
    with atomic():
        created = notices.record(kind, subject, text, now=now, key=key, concern=concern)
        if created:
            transitions.send_notices_soon(now)
    return created


def over(kind: str, subject: str, *, key: str = "") -> None:
    """Close the incident (kind, key), if it is open, and see that whoever was told of it is told that."""
    now = clock.now()
    if notices.clear(kind, subject, now=now, key=key):
        with atomic():
            transitions.send_notices_soon(now)


def check_workers(none_since: datetime | None) -> datetime | None:
    """Look whether any worker lives; tell people, once, when none has for a minute.

    Called from a process that is no worker, with what it answered last time: since when none has lived, or ``None``.
    The message goes out from here, for there is no worker to send it.
    """
    now = clock.now()
    if workers.alive(now).exists():
        over(NO_WORKER, NO_WORKER_SUBJECT)
        return None
    since = none_since or now
    if now - since >= NONE_FOR:
        text = "Nothing is published until one runs: start it with python manage.py qcluster"
        if notices.record(NO_WORKER, NO_WORKER_SUBJECT, text, now=now):
            telling.send_now()
    return since
