"""After a restore nothing runs by itself: everything is paused, and each job that was unfinished waits for a person.

What the backup shows as waiting may have run since, on the system that it was taken from. Owns what becomes of such
jobs, and letting them go; changes states through ``transitions`` only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from queue_app import blocks, clock, pauses, registry, transitions
from queue_app.api import steps
from queue_app.blocks import EVERYTHING
from queue_app.database import atomic, connection, in_turn, is_postgresql, lock_control
from queue_app.models import AttemptOutcome, Block, BlockKind, Event, Job, Worker
from queue_app.states import JobState
from queue_app.transitions import RESTORED

logger = logging.getLogger("socialq.queue")

ACTOR = "restore"
BATCH = 200
# More than any site writes between a backup and its restore.
EVENTS_SKIPPED = 10_000_000
# Faster than any site writes them: by the clock, what an earlier restore of the same backup gave out lies before.
EVENTS_A_SECOND = 1_000_000
MESSAGE = "it was running when the backup was made"


@dataclass(frozen=True, slots=True)
class Held:
    """What a restore has left to people: jobs held, and uncertain ones to be reviewed."""

    held: int
    to_review: int


def pause(reason: str) -> None:
    """Pause everything in the name of the restore, whatever was paused before."""
    with atomic():
        blocks.place(EVERYTHING, BlockKind.PAUSE, now=clock.now(), reason=reason, actor=ACTOR)


def is_paused() -> bool:
    """Say whether everything is still paused by a restore."""
    return _pauses().exists()


def hold_unfinished() -> Held:
    """Have every unfinished job wait for a person. Safe to repeat.

    1. New events get ids that the system of before has not given out, so that programs that follow them by id miss
    none. 2. What waited or ran is held; what had begun its irreversible step is uncertain. Housekeeping that comes back
    by itself stays. 3. What else the queue does by itself, look-ups and parts of large operations among it, is
    cancelled: it belongs to the system of before. 4. Nothing uncertain is looked up until somebody asks for it.
    """
    _skip_event_ids()
    known = registry.known().values()
    own = [kind.name for kind in known if kind.internal and kind.every_seconds is None]
    periodic = [kind.name for kind in known if kind.internal and kind.every_seconds is not None]
    waiting = Job.objects.filter(state__in=[JobState.PENDING, JobState.RUNNING])
    _each(waiting.exclude(type__in=[*own, *periodic]), _end_as(JobState.HELD))
    _each(waiting.filter(state=JobState.RUNNING, type__in=periodic), _end_as(JobState.PENDING))
    _each(waiting.filter(type__in=own), _end_as(JobState.CANCELLED))
    uncertain = Job.objects.filter(state=JobState.UNCERTAIN)
    _each(uncertain.filter(needs_review_at=None), lambda job, now: transitions.flag_for_review(job, RESTORED, now=now))
    Worker.objects.all().delete()
    held = Held(held_jobs().count(), uncertain.count())
    logger.warning("restored held=%s uncertain=%s", held.held, held.to_review)
    return held


def held_jobs(due_after: datetime | None = None) -> QuerySet[Job]:
    """Return the jobs that a restore holds: all, or those due after a time (aware)."""
    held = Job.objects.filter(state=JobState.HELD, reason=RESTORED)
    return held if due_after is None else held.filter(run_at__gt=due_after)


def release(due_after: datetime | None = None, *, actor: str = "") -> int:
    """Let the jobs go that ``held_jobs`` returns, at their own times, then end the restore's pause; return how many."""
    released = _each(held_jobs(due_after), lambda job, _now: steps.release(job, actor=actor))
    if is_paused():
        pauses.resume(EVERYTHING, actor=actor)
    return released


def _pauses() -> QuerySet[Block]:
    return Block.objects.filter(key=EVERYTHING, kind=BlockKind.PAUSE, actor=ACTOR)


def _skip_event_ids() -> None:
    queue = connection()
    words: list[int | str] = [EVENTS_SKIPPED, int(clock.now().timestamp() * EVENTS_A_SECOND), str(Event._meta.db_table)]
    with atomic(), queue.cursor() as cursor:
        if is_postgresql():
            sql = "SELECT setval(name, GREATEST(nextval(name) + %s, %s)) FROM pg_get_serial_sequence(%s, 'id') AS name"
        else:
            sql = "UPDATE sqlite_sequence SET seq = MAX(seq + %s, %s) WHERE name = %s"
        cursor.execute(sql, words)


def _each(jobs: QuerySet[Job], act: Callable[[Job, datetime], None]) -> int:
    """Do ``act`` to each of ``jobs``, which it takes out of them, in batches; return how many."""
    done, last = 0, 0
    while True:
        with in_turn(), atomic():
            lock_control(shared=True)
            batch = list(jobs.filter(pk__gt=last).order_by("pk").select_for_update(of=("self",))[:BATCH])
            now = clock.now()
            for job in batch:
                act(job, now)
        if not batch:
            return done
        done, last = done + len(batch), batch[-1].pk


def _end_as(target: JobState) -> Callable[[Job, datetime], None]:
    """Return what makes ``target`` of a job, uncertain of a marked one; an execution that was cut off is refunded."""

    def end(job: Job, now: datetime) -> None:
        fence, was_running = job.fence, job.state == JobState.RUNNING
        state, outcome, fields = target, AttemptOutcome.HANDED_BACK, dict[str, Any]()
        if was_running:
            fields = {"last_error": MESSAGE, "attempts": max(job.attempts - 1, 0)}
        if was_running and job.marked_at is not None:
            state, outcome, fields = JobState.UNCERTAIN, AttemptOutcome.LOST, {"last_error": MESSAGE}
        transitions.change(job, state, now=now, reason=RESTORED, actor=ACTOR, **fields)
        if was_running:
            transitions.close_attempt(job, fence, outcome, now=now, message=MESSAGE)

    return end
