"""Adding jobs: one, or many a statement. In the caller's transaction, so that work and job commit together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Literal

from django.db import IntegrityError

from queue_app import bulk, clock, given, registry, transitions
from queue_app.database import alone, atomic
from queue_app.errors import DuplicateJob
from queue_app.models import Job
from queue_app.new_jobs import NewJob, build
from queue_app.states import UNFINISHED

logger = logging.getLogger("socialq.queue")


def enqueue(
    job_type: str,
    args: Mapping[str, Any] | None = None,
    *,
    target_id: str | int = "",
    priority: int | str | None = None,
    max_retries: int | None = None,
    run_at: datetime | None = None,
    expires_at: datetime | None = None,
    unique_key: str | None = None,
    keys: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    queue: str | None = None,
    on_duplicate: Literal["raise", "return"] = "raise",
    actor: str = "",
) -> Job:
    """Add a job in the caller's transaction and return it.

    ``priority`` is 1 (first) to 10 (last) or high, normal, low. ``run_at`` and ``expires_at`` are aware. ``keys`` are
    what it can be blocked and limited by. Raises UnknownJobType, InvalidArguments (they are no JSON, or do not fit the
    handler), ValueError, and DuplicateJob unless ``on_duplicate="return"``.
    """
    if on_duplicate not in ("raise", "return"):
        raise ValueError(f"on_duplicate is raise or return, not {on_duplicate!r}")
    kind = registry.get(job_type)
    new = NewJob(
        args=args or {},
        target_id=target_id,
        priority=priority,
        run_at=run_at,
        expires_at=expires_at,
        unique_key=unique_key,
        keys=keys,
        metadata=metadata or {},
        max_retries=max_retries,
        queue=queue,
    )
    actor, job = given.actor(actor), build(kind, new, clock.recent())
    existing = _add(job, actor)
    if existing is not job:
        if on_duplicate == "return":
            return existing
        raise DuplicateJob(job.unique_key or "", existing.pk)
    logger.info("job=%s type=%s queue=%s priority=%s operation=enqueue", job.pk, job.type, job.queue, job.priority)
    return job


def _add(job: Job, actor: str, *, again: bool = False) -> Job:
    """Add the job and return it, or the job that has its unique key."""
    try:
        with nullcontext() if alone() and transitions.is_added_at_once(job) else atomic():
            return transitions.add(job, actor=actor)
    except IntegrityError:
        existing = Job.objects.filter(unique_key=job.unique_key, state__in=UNFINISHED).first()
        if job.unique_key is None or (existing is None and again):
            raise
    # Where that one has finished since, the key is free by now.
    return existing or _add(job, actor, again=True)


def enqueue_many(
    job_type: str, jobs: Iterable[NewJob], *, on_duplicate: Literal["raise", "skip"] = "raise", actor: str = ""
) -> list[int]:
    """Add many jobs of one type in the caller's transaction, all or none; return their ids in order.

    A job whose unique key an unfinished one has raises DuplicateJob; with ``on_duplicate="skip"`` it is left out and
    the other's id stands in its place. Raises as ``enqueue``.
    """
    kind, now = registry.get(job_type), clock.now()
    made = (build(kind, _new_job(new), now) for new in given.listed("jobs", jobs))
    ids = bulk.insert(made, actor=given.actor(actor), on_duplicate=on_duplicate)
    logger.info("type=%s operation=enqueue_many jobs=%s", job_type, len(ids))
    return ids


def _new_job(value: object) -> NewJob:
    if not isinstance(value, NewJob):
        raise ValueError(f"jobs lists NewJob(args, ...), not a {type(value).__name__}")  # noqa: TRY004 -- bad input
    return value
