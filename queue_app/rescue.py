"""Jobs of workers that are gone: given back before the mark, uncertain after it. Also jobs whose time is over.

Processes of this host are judged by pid and start time, at once; other hosts by their lease on the database's clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from datetime import datetime, timedelta

from django.db.models import Q

from queue_app import clock, conf, gates, hooks, processes, registry, transitions, workers
from queue_app.database import atomic, is_away
from queue_app.models import AttemptOutcome, Job, Worker
from queue_app.planning import values_of
from queue_app.states import UNFINISHED, JobState

logger = logging.getLogger("socialq.queue")

EXPIRY_BATCH = 500
UNKNOWN_TYPE_MINUTES = 10


def rescue(now: datetime | None = None, *, judge_the_silent: bool = True) -> int:
    """Take running jobs from workers that are gone, cancel what has expired; return how many jobs were taken.

    Also lets go what no block keeps parked, and sees that every uncertain job is looked up or waits for a person.
    ``judge_the_silent`` is false where nobody can tell who is silent: the caller's own heartbeat failed lately, or the
    clock was set.
    """
    now = now or clock.now()
    rescued = sum(take_from_lost_worker(job) for job in _of_lost_workers(now, judge_the_silent))
    expire_waiting(now)
    if judge_the_silent:
        hold_unknown_types(now)
    gates.sweep()
    see_to_uncertain(now)
    return rescued


def recover() -> int:
    """Do the same as a process that has no heartbeat of its own, and so cannot tell who is silent.

    Takes the jobs of dead processes of this host, and of programs outside the clusters whose lease is over.
    """
    now = clock.now()
    outside = Job.objects.filter(state=JobState.RUNNING, worker=None, lease_until__lte=now)
    return rescue(now, judge_the_silent=False) + sum(take_from_lost_worker(job) for job in outside.order_by("pk"))


def of_silent_workers() -> list[Job]:
    """Return the running jobs that a cluster would take from their workers; see ``silence`` before doing so."""
    return [job for job in _of_lost_workers(clock.now(), judge_the_silent=True) if job.worker_id is not None]


def take_from_lost_worker(job: Job) -> bool:
    """Give back a lost worker's job, or make it uncertain if it was marked; false if it moved meanwhile."""
    return _take(job, AttemptOutcome.LOST, "worker_lost", "its worker was lost", refund=False)


def hand_back(job: Job) -> bool:
    """Give back the job of a worker that is being stopped; the attempt is refunded unless it was marked."""
    return _take(job, AttemptOutcome.HANDED_BACK, "handed_back", "its cluster was stopped", refund=True)


def running_on(cluster: str) -> list[Job]:
    """Return the jobs that workers of ``cluster`` are running."""
    return list(Job.objects.filter(state=JobState.RUNNING, worker__cluster=cluster).select_related("worker"))


def expire_waiting(now: datetime) -> int:
    """Cancel pending and held jobs whose expiry has passed, parked ones too; return how many."""
    expired = 0
    waiting = Q(state__in=[JobState.PENDING, JobState.HELD], expires_at__lte=now)
    for job in Job.objects.filter(waiting).order_by("expires_at")[:EXPIRY_BATCH]:
        expired += _sweep(job, lambda job: transitions.change(job, JobState.CANCELLED, now=now, reason="expired"))
    return expired


def hold_unknown_types(now: datetime) -> int:
    """Hold due jobs of a type that no live worker has known for ten minutes; return how many.

    Not where no worker has lived that long, and not where nobody can tell who is silent.
    """
    overdue = now - timedelta(minutes=UNKNOWN_TYPE_MINUTES)
    if not workers.alive(now).filter(started_at__lte=overdue).exists():
        return 0
    known = workers.types_known_since(overdue)
    held, pending = 0, Job.objects.filter(state=JobState.PENDING)
    unknown = [name for name in values_of("type", pending) if name not in known and registry.find(name) is None]
    if not unknown:
        return 0
    orphaned = Job.objects.filter(state=JobState.PENDING, parked_by="", run_at__lte=overdue, type__in=unknown)
    for job in orphaned[:EXPIRY_BATCH]:
        held += _sweep(job, lambda job: transitions.change(job, JobState.HELD, now=now, reason="unknown_type"))
    return held


def see_to_uncertain(now: datetime) -> int:
    """See to uncertain jobs whose look-up is over without a word: look again, or ask a person if it failed.

    Returns how many there were.
    """
    unseen = Job.objects.filter(state=JobState.UNCERTAIN, needs_review_at=None)
    return sum(
        _sweep(job, lambda job: _look_again_or_ask(job, now))
        for job in unseen.exclude(reconciliations__state__in=UNFINISHED)[:EXPIRY_BATCH]
    )


def _look_again_or_ask(job: Job, now: datetime) -> None:
    gave_up = job.reconciliations.filter(state__in=[JobState.FAILED, JobState.CANCELLED])
    if gave_up.filter(finished_at__gte=job.updated_at).exists():
        transitions.flag_for_review(job, "lookup_failed", now=now)
    else:
        transitions.request_reconciliation(job, now=now)


def _of_lost_workers(now: datetime, judge_the_silent: bool) -> list[Job]:
    lost = []
    for job in Job.objects.filter(state=JobState.RUNNING).select_related("worker"):
        worker = job.worker
        silent = judge_the_silent and _silent(job, worker, now)
        if worker is not None and worker.host == processes.host():
            # One that is alive and yet silent stands still; it keeps the job for its whole lease.
            overdue = job.lease_until is not None and job.lease_until <= now
            gone = not processes.is_alive(worker.pid, worker.start_ticks) or (silent and overdue)
        else:
            gone = silent
        if gone:
            lost.append(job)
    return lost


def _silent(job: Job, worker: Worker | None, now: datetime) -> bool:
    if worker is None:
        # Dequeued by a program outside the clusters: only its own lease speaks for it.
        return job.lease_until is not None and job.lease_until <= now
    return worker.heartbeat_at + timedelta(seconds=conf.get("LEASE_SECONDS")) <= now


def _take(job: Job, outcome: AttemptOutcome, reason: str, message: str, *, refund: bool) -> bool:
    now, fence = clock.now(), job.fence

    def take(seen: Job) -> None:
        # Read anew under a lock: neither the mark nor a longer lease moves the fence, and both may have come since the
        # job was seen.
        running = Job.objects.select_for_update().filter(pk=seen.pk, state=JobState.RUNNING, fence=fence)
        job = running.filter(lease_until=seen.lease_until).first()
        if job is None:
            raise transitions.LostRace(seen)
        if job.marked_at is not None:
            transitions.change(job, JobState.UNCERTAIN, now=now, reason=reason, last_error=message)
        elif refund:
            attempts = max(job.attempts - 1, 0)
            transitions.change(job, JobState.PENDING, now=now, reason=reason, run_at=now, attempts=attempts)
        elif job.attempts >= job.max_attempts:
            transitions.change(job, JobState.FAILED, now=now, reason=reason, last_error=message)
        else:
            transitions.change(job, JobState.PENDING, now=now, reason=reason, run_at=now, last_error=message)
        transitions.close_attempt(job, fence, outcome, now=now, error_class="WorkerLost", message=message)

    return _sweep(job, take)


def _sweep(job: Job, act: Callable[[Job], None]) -> bool:
    """Do something to one job in a transaction; return false if it moved meanwhile.

    Its hook must not keep the sweep from the others: where it breaks, the job is changed without it.
    """
    try:
        try:
            with atomic():
                act(copy(job))
        except transitions.LostRace:
            raise
        except Exception as error:
            if is_away(error):
                raise
            logger.exception("job=%s type=%s its hook broke, changing it without", job.pk, job.type)
            with hooks.without_hooks(), atomic():
                act(job)
    except transitions.LostRace:
        return False
    return True
