"""The same operation on many jobs: in batches, each a transaction that locks its rows by ascending id.

What moved meanwhile, and what an operation refuses, is left alone and named. Jobs with a hook are changed one in a
transaction: a hook may lock rows of its own, and two such transactions could wait for each other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import QuerySet

from queue_app import clock, conf, given, purge, registry, rescue
from queue_app.api import steps
from queue_app.database import atomic, is_away
from queue_app.errors import JobNotFound, QueueError
from queue_app.models import Job
from queue_app.selectors import in_queue, jobs_of
from queue_app.states import JobState

logger = logging.getLogger("socialq.queue")

BATCH = 500
LONGEST_DAYS = 100_000


@dataclass(slots=True)
class Many:
    """What became of many jobs: how many were ``done``, and by id why the others were left as they are."""

    done: int = 0
    skipped: dict[int, str] = field(default_factory=dict)


def clear(queue: str | None = None, *, actor: str) -> int:
    """Cancel every pending job (of ``queue``), none is deleted; return how many. Housekeeping stays."""
    waiting = own_jobs(JobState.PENDING, queue)
    return each(batches(waiting), JobState.PENDING, lambda job: steps.cancel(job, actor=actor), "clear").done


def release_running(queue: str | None = None, *, actor: str) -> int:
    """Take every running job (of ``queue``) from whoever runs it; return how many. Housekeeping stays.

    Marked ones become uncertain, the others pending with their attempt refunded. Their fences move, so that what runs
    on can neither mark nor finish. Use it where workers are known to be gone: others may do the work twice.
    """
    running = own_jobs(JobState.RUNNING, queue)
    return each(batches(running), JobState.RUNNING, lambda job: steps.hand_back(job, actor=actor), "hand_back").done


def clean_up(days: float | None = None, states: Iterable[str] = (JobState.COMPLETED, JobState.CANCELLED)) -> int:
    """Delete finished jobs in ``states`` that ended over ``days`` days ago (PURGE_AFTER_DAYS); return how many.

    Raises ValueError for a state that is not final.
    """
    age = given.number("days", conf.get("PURGE_AFTER_DAYS") if days is None else days, 0, LONGEST_DAYS)
    return purge.purge(age, given.listed("states", states))


def recover_stale(timeout_minutes: float | None = None) -> int:
    """Take running jobs from workers that are gone; return how many. Clusters do the same every few seconds.

    Those are dead processes of this host, and programs outside the clusters whose lease is over. That another machine
    is silent only a cluster can tell, or ``manage.py rescue_jobs``, which listens for a while: after the database was
    away all are. With ``timeout_minutes`` also those that programs outside took longer ago than that, whatever their
    lease says. A cluster's living worker keeps its job until the type's timeout ends it: nothing runs twice at once.
    """
    if timeout_minutes is not None:
        given.number("timeout_minutes", timeout_minutes, 0, LONGEST_DAYS * 24 * 60)
    taken = rescue.recover()
    if timeout_minutes is not None:
        before = clock.now() - timedelta(minutes=timeout_minutes)
        stale = Job.objects.filter(state=JobState.RUNNING, worker=None, started_at__lte=before)
        taken += sum(rescue.take_from_lost_worker(job) for job in stale.order_by("pk"))
    return taken


def own_jobs(state: JobState, queue: str | None = None) -> QuerySet[Job]:
    """Return the jobs in ``state`` (of ``queue``) less the queue's own housekeeping."""
    return jobs_of(state).filter(in_queue(queue))


def batches(jobs: QuerySet[Job]) -> Iterator[list[int]]:
    """Yield the ids of ``jobs`` as they are now, ascending, BATCH at a time; those that come later are not met."""
    last = jobs.order_by("-pk").values_list("pk", flat=True).first()
    seen = 0
    while last is not None:
        found = jobs.filter(pk__gt=seen, pk__lte=last).order_by("pk").values_list("pk", flat=True)
        batch = list(found[:BATCH])
        if not batch:
            return
        seen = batch[-1]
        yield batch


def batches_of(job_ids: Iterable[int | str]) -> Iterator[list[int]]:
    """Yield the ids that a caller listed, ascending, each once, BATCH at a time; raise ValueError for what is none."""
    ids = sorted({given.job_id(job_id) for job_id in given.listed("job ids", job_ids)})
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def each(found: Iterable[list[int]], state: JobState, step: Callable[[Job], None], operation: str) -> Many:
    """Take ``step`` on every job that is still in ``state``; what it refuses by a QueueError is skipped."""
    answer = Many()
    for batch in found:
        hooked = _hooked_among(batch)
        for group in [[job_id for job_id in batch if job_id not in hooked], *([job_id] for job_id in sorted(hooked))]:
            if group:
                _change(group, state, step, answer, alone=group[0] in hooked)
    logger.info("operation=%s done=%s skipped=%s", operation, answer.done, len(answer.skipped))
    return answer


def _change(ids: list[int], state: JobState, step: Callable[[Job], None], answer: Many, *, alone: bool) -> None:
    try:
        with atomic():
            _step_through(ids, state, step, answer)
    except Exception as error:
        if not alone or is_away(error):
            raise
        # Its hook must not keep the operation from all the others.
        logger.exception("job=%s operation failed, its hook broke", ids[0])
        answer.skipped[ids[0]] = f"the hook of job {ids[0]} broke: {type(error).__name__}"


def _step_through(ids: list[int], state: JobState, step: Callable[[Job], None], answer: Many) -> None:
    locked = Job.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    jobs = {job.pk: job for job in locked}
    for job_id in ids:
        job = jobs.get(job_id)
        try:
            if job is None:
                raise JobNotFound(job_id)
            if job.state != state:
                answer.skipped[job_id] = f"job {job_id} is {job.state}, not {state.value}"
                continue
            step(job)
        except QueueError as refusal:
            answer.skipped[job_id] = str(refusal)
        else:
            answer.done += 1


def _hooked_among(ids: list[int]) -> set[int]:
    hooked = [name for name in registry.known() if registry.is_hooked(name)]
    return set(Job.objects.filter(pk__in=ids, type__in=hooked).values_list("pk", flat=True))
