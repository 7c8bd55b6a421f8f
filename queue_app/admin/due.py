"""The list of jobs by when they are due: what a worker could take now, and what is late. As the dashboard counts it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from queue_app import clock, conf
from queue_app.planning import PARKED, PENDING, UNPARKED


def due_at(moment: datetime) -> Q:
    """Return the condition of jobs that a worker may take at ``moment``, as far as no gate is met."""
    return Q(PENDING, UNPARKED, run_at__lte=moment)


def late(now: datetime) -> Q:
    """Return the condition of jobs that have been due for too long; what a pause or a limit keeps is not late."""
    return due_at(now - timedelta(seconds=conf.get("LATE_SECONDS")))


class DueFilter(admin.SimpleListFilter):
    """Waiting jobs by what they wait for."""

    title, parameter_name = _("waiting"), "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the choices."""
        return [
            ("due", _("For a worker: due now")),
            ("late", _("For a worker: late")),
            ("gate", _("For a pause or a limit to end")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the jobs that wait so."""
        now = clock.now()
        conditions = {"due": due_at(now), "late": late(now), "gate": PARKED}
        return queryset.filter(conditions[self.value() or ""]) if self.value() in conditions else queryset
