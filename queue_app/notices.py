"""What people are told, as rows: notices of what happened, and conditions that are open until they are over.

Owns the kinds that there are and whom a notice is for. Sends nothing; who is told and how is ``telling``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from queue_app.models import Job, Notice

# Notices of the same few seconds go out in one message.
GATHER_SECONDS = 10.0
SUBJECT_CHARACTERS, PAGE_CHARACTERS = 200, 300
WATCHERS = "queue_app.view_job"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice. ``label`` names it where people choose; in a message ``title`` follows what it is about, and
    ``over_title`` once that is over ("": it is about a moment, and has no end).

    ``of_owners`` says that it may be about something that belongs to a person, ``by_default`` that its owner is told
    who has chosen nothing.
    """

    name: str
    label: str | Promise
    title: str | Promise
    over_title: str | Promise = ""
    of_owners: bool = False
    by_default: bool = False


@dataclass(frozen=True, slots=True)
class Concern:
    """Whom a notice is for: the user ``owner_id``, and whoever has ``permission``. ``page`` is where to look."""

    owner_id: Any = None
    permission: str = WATCHERS
    page: str = ""


EVERYBODY_WHO_WATCHES = Concern()

_kinds: dict[str, Kind] = {}


def register_kinds(*kinds: Kind) -> None:
    """Add kinds of notices, or replace those of the same name. For the ``jobs.py`` of an app."""
    _kinds.update({kind.name: kind for kind in kinds})


def kinds() -> Mapping[str, Kind]:
    """Return every kind that this process knows, by name."""
    return dict(_kinds)


def kind_of(name: str) -> Kind:
    """Return the kind ``name``; one that this process does not know is called by its name."""
    return _kinds.get(name) or Kind(name, name.replace("_", " "), name.replace("_", " "))


def record(
    kind: str,
    subject: str,
    text: str,
    *,
    now: datetime,
    key: str = "",
    job: Job | None = None,
    concern: Concern = EVERYBODY_WHO_WATCHES,
) -> bool:
    """Write a notice; return whether it is new. Without a job, one stays open per (kind, key) until cleared.

    A subject is what people read; where it never changes it is the key, too. It holds names from outside, so it is cut
    to size.
    """
    subject = subject[:SUBJECT_CHARACTERS]
    values = {
        "text": text,
        "created_at": now,
        "owner_id": concern.owner_id,
        "permission": concern.permission,
        "page": concern.page[:PAGE_CHARACTERS],
    }
    if job is not None:
        Notice.objects.create(kind=kind, subject=subject, job=job, **values)
        return True
    if _still_open(kind, subject, key).exists():
        return False
    _, created = Notice.objects.get_or_create(
        kind=kind, key=key or subject, job=None, cleared_at=None, defaults={**values, "subject": subject}
    )
    return created


def clear(kind: str, subject: str, *, now: datetime, key: str = "") -> bool:
    """Close the open notice of (kind, key); return whether there was one: the incident is over."""
    still_open = _still_open(kind, subject, key)
    # Asked after every success: a write would wait for SQLite's one lock each time.
    return still_open.exists() and still_open.update(cleared_at=now) > 0


def say_anew(kind: str, subject: str, text: str, *, key: str = "") -> None:
    """Change what the open notice of (kind, key) says. Whoever was told of it already is not told again."""
    _still_open(kind, subject, key).update(text=text)


def open_conditions(names: Iterable[str]) -> list[Notice]:
    """Return the incidents of these kinds that are not over."""
    return list(Notice.objects.filter(kind__in=list(names), job=None, cleared_at=None).order_by("id"))


def _still_open(kind: str, subject: str, key: str) -> QuerySet[Notice]:
    """Return the open incident of (kind, key). One that the release before opened has no key, and this subject."""
    subject = subject[:SUBJECT_CHARACTERS]
    same = Q(key=key or subject) | Q(key="", subject=subject)
    return Notice.objects.filter(same, kind=kind, job=None, cleared_at=None)


register_kinds(
    Kind("failed", _("Failed"), _("failed"), _("works again"), of_owners=True, by_default=True),
    Kind(
        "needs_review",
        _("Needs review"),
        _("needs review: it may already be live"),
        of_owners=True,
        by_default=True,
    ),
    Kind("held", _("Held until a person releases it"), _("is held until a person releases it"), of_owners=True),
    Kind(
        "expired",
        _("Dropped: too late"),
        _("was dropped: its time was over before it could run"),
        of_owners=True,
        by_default=True,
    ),
    Kind("no_worker", _("No worker is running"), _("no worker is running"), _("a worker is running again")),
    Kind("queue_late", _("A queue is late"), _("is late"), _("is in time again")),
    Kind("too_many_waiting", _("Too many jobs wait"), _("too many jobs wait"), _("fewer jobs wait again")),
    Kind("too_many_errors", _("Too many jobs fail"), _("too many jobs fail"), _("fewer jobs fail again")),
    Kind("workers_missing", _("Workers are missing"), _("workers are missing"), _("enough workers live again")),
    Kind("clock_skew", _("A clock is wrong"), _("its clock is wrong"), _("its clock is right again")),
    Kind("clock_jump", _("A clock was set"), _("its clock was set")),
)
