"""Deleting finished jobs, in batches that never keep a claim waiting. Unfinished jobs are never deleted.

Also what else grows old: results, uses of limits, notices, kept answers, tallies, workers, events of no job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet
from django.db.models.lookups import In

from queue_app import clock, conf, limits, throttle, totals
from queue_app.database import alias, atomic, delete_in_turns, in_turn
from queue_app.expressions import Unindexed
from queue_app.models import Event, Job, Notice, Worker
from queue_app.planning import finished_before
from queue_app.rest.idempotency import forget_answers
from queue_app.states import FINISHED, UNFINISHED, JobState

logger = logging.getLogger("socialq.queue")

BATCH = 500

Part = Callable[[datetime], int]
_others: list[Part] = []


def candidates(days: float, states: Iterable[str]) -> QuerySet[Job]:
    """Return the finished jobs in ``states`` that ended more than ``days`` days ago.

    A look-up is kept as long as its job is not finished, and a job as long as one of its look-ups is not. Raises
    ValueError for a state that is not final.
    """
    return _settled(finished_before(clock.now() - timedelta(days=days)), _final(states))


def purge(
    days: float, states: Iterable[str] = FINISHED, *, progress: Callable[[int], None] = lambda _done: None
) -> int:
    """Delete jobs as ``candidates`` finds them, with their attempts, events and notices; return how many jobs went.

    ``progress`` is called after each batch with the number so far.
    """
    # One moment for both queries: what only one of them finds would be found again and again.
    wanted, before, deleted = _final(states), clock.now() - timedelta(days=days), 0
    totals.catch_up()  # what goes now is never counted again
    found = _settled(finished_before(before), wanted).order_by("finished_at", "pk")
    while batch := list(found.values_list("pk", flat=True)[:BATCH]):
        with in_turn(), atomic():
            # Somebody may have retried one since it was found. By their keys: the walk is not for under a lock.
            still = _settled(Q(pk__in=batch, finished_at__lt=before), wanted).select_for_update(of=("self",))
            gone = list(still.values_list("pk", flat=True))
            Event.objects.filter(job__in=gone).delete()
            Notice.objects.filter(job__in=gone).delete()
            deleted += Job.objects.filter(pk__in=gone).delete()[1].get(Job._meta.label, 0)
        progress(deleted)
    return deleted


def _final(states: Iterable[str]) -> list[str]:
    wanted = list(states)
    for state in wanted:
        if state not in FINISHED:
            raise ValueError(f"only finished jobs are purged ({', '.join(FINISHED)}), not {state!r}")
    return wanted


def _settled(which: Q, states: list[str]) -> QuerySet[Job]:
    """Return the jobs in ``states`` that neither serve nor are served by one that is not finished.

    ``which`` finds them: most jobs are in those states.
    """
    ended = Job.objects.filter(which, In(Unindexed("state"), states))
    return ended.exclude(reconciles__state__in=UNFINISHED).exclude(reconciliations__state__in=UNFINISHED)


def forget_results(now: datetime) -> int:
    """Forget the results whose time is over, in batches; return how many. When it ran out stays, for who asks."""
    forgotten = 0
    seen: tuple[datetime | None, int] = (datetime.min.replace(tzinfo=UTC), 0)
    while True:
        later = Q(result_expires_at__gt=seen[0]) | Q(result_expires_at=seen[0], pk__gt=seen[1])
        stale = Job.objects.filter(later, result_expires_at__lte=now).order_by("result_expires_at", "pk")
        batch = list(stale.values_list("result_expires_at", "pk")[:BATCH])
        if not batch:
            return forgotten
        seen = batch[-1]
        kept = Job.objects.filter(pk__in=[pk for _at, pk in batch], state__in=FINISHED, result__isnull=False)
        with in_turn():
            forgotten += kept.update(result=None)


def housekeeping(part: Part) -> Part:
    """Have the daily purge call this function of another app, too: it gets the time and returns how many rows went.

    For the ``jobs.py`` of an app, beside its job types. It should delete in batches, outside of one large transaction.
    """
    _others.append(part)
    return part


def purge_by_settings() -> int:
    """Delete by the ages of the settings; forget what else grew old; return the number of jobs.

    What goes wrong with one of these keeps none of the others from being done; the first error is raised at the end.
    """
    now = clock.now()
    done, errors = [], []
    for part in (*PARTS, *_others):
        try:
            done.append(part(now))
        except Exception as error:
            logger.exception("purge part=%s failed", part.__name__.strip("_"))
            errors.append(error)
    if errors:
        raise errors[0]
    return done[0] + done[1]


def _purge_done(_now: datetime) -> int:
    return purge(conf.get("PURGE_AFTER_DAYS"), (JobState.COMPLETED, JobState.CANCELLED))


def _purge_failed(_now: datetime) -> int:
    return purge(conf.get("PURGE_FAILED_AFTER_DAYS"), (JobState.FAILED,))


def _forget_notices(now: datetime) -> int:
    old = now - timedelta(days=conf.get("PURGE_FAILED_AFTER_DAYS"))
    return delete_in_turns(Notice.objects.filter(Q(cleared_at__lt=old) | Q(_told_before(old), job=None)), BATCH)


def _told_before(moment: datetime) -> Q:
    """Return the condition of notices that were told, or that there was nobody to tell, before ``moment``."""
    return Q(sent_at__lt=moment) | Q(addressed_at__lt=moment)


def _forget_workers(now: datetime) -> int:
    """Delete the workers that have been silent for a day and that no kept job names; return how many.

    Nothing finds jobs by their worker but one look at all of them, which is done here and locks nothing. SQLite looks
    at all of them again for each worker that it deletes: hence one a transaction.
    """
    silent, forgotten = Worker.objects.filter(heartbeat_at__lt=now - timedelta(days=1)), 0
    named = Job.objects.filter(worker__isnull=False).order_by().values("worker").distinct()
    for worker_id in list(silent.exclude(pk__in=named).values_list("pk", flat=True)):
        # Django's delete() would first look at all jobs once more, to take the worker off.
        with in_turn():
            forgotten += silent.filter(pk=worker_id)._raw_delete(alias())  # noqa: SLF001 -- no public way past that
    return forgotten


def _forget_events(now: datetime) -> int:
    """Delete the old events that belong to no job and so go with none; return how many. The oldest have lowest ids."""
    old, forgotten = now - timedelta(days=conf.get("PURGE_FAILED_AFTER_DAYS")), 0
    oldest = Event.objects.filter(job=None).order_by("job_id", "pk")  # as the index of jobs' events has them
    while batch := [pk for pk, at in oldest.values_list("pk", "at")[:BATCH] if at < old]:
        with in_turn():
            forgotten += Event.objects.filter(pk__in=batch).delete()[0]
    return forgotten


# Of these the first two say how many jobs went.
PARTS: Sequence[Part] = (
    _purge_done,
    _purge_failed,
    forget_results,
    limits.forget_old_uses,
    forget_answers,
    _forget_notices,
    _forget_workers,
    _forget_events,
    throttle.forget,
)
