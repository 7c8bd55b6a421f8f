"""Dead letters: jobs that failed for good. Listed and searched, retried or discarded one by one or all that match."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from queue_app import given, registry
from queue_app.api import steps
from queue_app.api.many import Many, batches, batches_of, each, own_jobs
from queue_app.api.operations import may_have_taken_effect
from queue_app.errors import MayBeLive
from queue_app.models import Job
from queue_app.states import JobState


def dead_letters(
    *,
    search: str = "",
    type: str | None = None,  # noqa: A002 - as the field is called
    queue: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Job]:
    """Return the failed jobs, newest first; each keeps its ``reason``, ``last_error`` and ``finished_at``.

    ``search`` is looked for in error, reason, target and type, or is an id. ``since`` (at or after) and ``until``
    (before) are aware and bound when they failed. Raises ValueError.
    """
    failed = own_jobs(JobState.FAILED, queue)
    if given.text("the search", search):
        fields = ("last_error", "reason", "target_id", "type")
        wanted = Q(*[(f"{name}__icontains", search) for name in fields], _connector=Q.OR)
        if search.isascii() and search.isdecimal() and len(search) < 20:
            wanted |= Q(pk=int(search))
        failed = failed.filter(wanted)
    if type is not None:
        failed = failed.filter(type=given.word("a job type", type, registry.NAME_CHARACTERS, spaces=True))
    if since is not None:
        failed = failed.filter(finished_at__gte=given.moment("since", since))
    if until is not None:
        failed = failed.filter(finished_at__lt=given.moment("until", until))
    return failed.order_by("-finished_at", "-pk")


def retry_many(job_ids: Iterable[int | str], *, even_if_live: bool = False, actor: str = "") -> Many:
    """Retry the dead letters of these ids, now; return how many, and by id why the others were left.

    One whose unique key another job has by now is left, and unless ``even_if_live`` one that may have taken effect.
    """
    return each(batches_of(job_ids), JobState.FAILED, _retry(even_if_live, actor), "retry")


def retry_all(
    *,
    search: str = "",
    type: str | None = None,  # noqa: A002 - as the field is called
    queue: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    even_if_live: bool = False,
    actor: str = "",
) -> Many:
    """Retry every dead letter that ``dead_letters`` finds by the same words, as ``retry_many`` does."""
    found = dead_letters(search=search, type=type, queue=queue, since=since, until=until)
    return each(batches(found), JobState.FAILED, _retry(even_if_live, actor), "retry")


def discard_many(job_ids: Iterable[int | str], reason: str = "", *, actor: str = "") -> Many:
    """Give up the dead letters of these ids: they become cancelled, with ``reason`` in their history."""
    return each(batches_of(job_ids), JobState.FAILED, lambda job: steps.discard(job, reason, actor=actor), "discard")


def discard_all(
    reason: str = "",
    *,
    search: str = "",
    type: str | None = None,  # noqa: A002 - as the field is called
    queue: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    actor: str = "",
) -> Many:
    """Give up every dead letter that ``dead_letters`` finds by the same words."""
    found = dead_letters(search=search, type=type, queue=queue, since=since, until=until)
    return each(batches(found), JobState.FAILED, lambda job: steps.discard(job, reason, actor=actor), "discard")


def _retry(even_if_live: bool, actor: str) -> Callable[[Job], None]:
    def step(job: Job) -> None:
        if not even_if_live and may_have_taken_effect(job):
            raise MayBeLive(job.pk)
        steps.retry(job, actor=actor)

    return step
