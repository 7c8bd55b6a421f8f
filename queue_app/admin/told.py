"""The history of one row: what people did to it in the admin, and what the queue did with its jobs, in one list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from queue_app.explain import words
from queue_app.models import Event, Job

MOST_LINES = 500


class Line(NamedTuple):
    """One line: when, who ("" for the site itself), what."""

    at: datetime
    who: str
    what: str


def history_of(row: Model, jobs: Iterable[Any] = ()) -> list[Line]:
    """Return the newest lines about ``row`` and about ``jobs`` (keys), the newest first."""
    kind = ContentType.objects.get_for_model(row, for_concrete_model=False)
    entries = LogEntry.objects.filter(content_type=kind, object_id=str(row.pk)).select_related("user").order_by("-id")
    lines = [
        Line(entry.action_time, entry.user.get_username(), entry.get_change_message()) for entry in entries[:MOST_LINES]
    ]
    events = Event.objects.filter(job__in=list(jobs)).select_related("job").order_by("-id")[:MOST_LINES]
    lines += [_of_event(event) for event in events]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:MOST_LINES]


def _of_event(event: Event) -> Line:
    change = f"{event.source} → {event.target}" if event.source not in ("", event.target) else event.target
    why = words(event.job, event.reason)
    return Line(event.at, event.actor, f"{event.job}: {change}" + (f" – {why}" if why else ""))


def jobs_of_row(row: Model) -> list[int]:
    """Return the keys of the jobs whose events belong to the history of ``row``: those of a job itself."""
    return [row.pk] if isinstance(row, Job) else []
