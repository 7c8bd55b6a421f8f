"""Telling people: conditions that other code finds, and the one the queue finds by itself, that nobody is working."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from queue_app import clock, mail, notices, registry, transitions, workers
from queue_app.database import atomic

logger = logging.getLogger("socialq.queue")

NO_WORKER = "no_worker"
NO_WORKER_SUBJECT = "The queue"


def tell(kind: str, subject: str, text: str) -> bool:
    """Open the incident (kind, subject) and see that it is mailed once; return whether it was not open already."""
    now = clock.now()
    with atomic():
        created = notices.record(kind, subject, text, now=now)
        if created:
            transitions.add_once(registry.SEND_NOTICES, "send_notices", now=now, delay_seconds=notices.GATHER_SECONDS)
    return created


def over(kind: str, subject: str) -> None:
    """Close the incident (kind, subject), if it is open."""
    notices.clear(kind, subject, now=clock.now())


def check_workers(none_since: datetime | None) -> datetime | None:
    """Look whether any worker lives; mail the ADMINS, once, when none has for a minute.

    Called from a process that is no worker, with what it answered last time: since when none has lived, or ``None``.
    The mail goes out from here, for there is no worker to send it.
    """
    now = clock.now()
    if workers.alive(now).exists():
        over(NO_WORKER, NO_WORKER_SUBJECT)
        return None
    since = none_since or now
    if now - since >= timedelta(seconds=60):
        text = "Nothing is published until one runs: start it with python manage.py qcluster"
        if notices.record(NO_WORKER, NO_WORKER_SUBJECT, text, now=now):
            try:
                mail.send_waiting()
            except OSError as error:
                logger.warning("mail failed error=%s", type(error).__name__)
    return since
