"""Counts for people and monitors. Reads only."""

from __future__ import annotations

from django.db.models import Count

from queue_app.models import Job
from queue_app.states import JobState


def counts(*, include_internal: bool = False) -> dict[str, int]:
    """Return the number of jobs in every state, zeros too, and their sum as ``total``.

    The queue's own housekeeping is left out unless asked for: it is not what people queued.
    """
    jobs = Job.objects.all() if include_internal else Job.objects.exclude(type__startswith="queue_app.")
    found = dict(jobs.values_list("state").annotate(Count("id")).order_by())
    numbers = {state.value: found.get(state.value, 0) for state in JobState}
    return {**numbers, "total": sum(numbers.values())}
