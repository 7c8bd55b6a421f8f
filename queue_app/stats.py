"""Counts for people and monitors. Reads only."""

from __future__ import annotations

from django.db.models import Count

from queue_app import registry
from queue_app.models import Job
from queue_app.states import JobState


def counts() -> dict[str, int]:
    """Return the number of jobs in every state, zeros too, and their sum as ``total``.

    Housekeeping is left out: it is not what people queued.
    """
    internal = [name for name, job_type in registry.known().items() if job_type.internal]
    found = dict(Job.objects.exclude(type__in=internal).values_list("state").annotate(Count("id")).order_by())
    numbers = {state.value: found.get(state.value, 0) for state in JobState}
    return {**numbers, "total": sum(numbers.values())}
