"""The only writer of ``Job.state``: every change is one compare-and-set with its event, in the caller's transaction.

Nothing here opens a network connection, sleeps or calls a handler. Functions must be called inside
``database.atomic()``; they raise ``LostRace`` when somebody else changed the job first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import IntegrityError
from django.db.models import F

from queue_app import events, hooks, notices, registry, routes, statements, states
from queue_app.database import alias, atomic, is_postgresql, tell, wake
from queue_app.models import Attempt, AttemptOutcome, Event, EventName, Job, Worker
from queue_app.states import FINISHED, JobState

EVENT_NAMES = {JobState[name]: EventName[name] for name in ("COMPLETED", "FAILED", "CANCELLED")}
EXPIRED = "expired"
# Told once for all of them, by whoever restores.
RESTORED = "restored"
_RUNNING, _COMPLETED = JobState.RUNNING.value, JobState.COMPLETED.value

_COLUMNS = tuple(field.attname for field in Job._meta.concrete_fields if not field.primary_key)
_NEW_ATTEMPT = {
    field.attname: field.get_default()
    for field in Attempt._meta.concrete_fields
    if not (field.primary_key or field.null)
}


@dataclass(frozen=True, slots=True)
class Execution:
    """What a start wrote as the job's attempt: which one it is, under which fence, and when it began."""

    number: int
    fence: int
    started_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Completion:
    """What ``complete`` writes, as text, and how its values are stored."""

    job: str
    event: str
    attempt: str
    moment: Callable[[datetime], Any]
    json: Callable[[Any], Any]


class LostRace(Exception):
    """Somebody else changed the job first: its state or fence is not what the caller saw."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.pk} is no longer {job.state} under fence {job.fence}")
        self.job = job


def add(job: Job, *, actor: str = "") -> Job:
    """Save a new pending job with its first event. Raises IntegrityError if its unique key is taken."""
    job.state = JobState.PENDING
    values = {name: value for name in _COLUMNS if (value := getattr(job, name)) is not None}
    words: dict[str, Any] = {"source": "", "reason": job.reason, "actor": actor, "at": job.created_at, "data": {}}
    if is_added_at_once(job):
        event = {**words, "name": EventName.ADDED, "target": job.state}
        job.pk = statements.insert_both(Job, values, Event, event, link="job_id", wakes=job.queue)
        job._state.adding, job._state.db = False, alias()
        return job
    (job.pk,) = statements.insert_returning(Job, values)
    job._state.adding, job._state.db = False, alias()
    _record([job], EventName.ADDED, **words)
    wake(job.queue)
    return job


def is_added_at_once(job: Job) -> bool:
    """Say whether ``add`` is a single statement: then it needs no transaction of its own."""
    return is_postgresql() and not _is_followed(job, EventName.ADDED)


def add_once(type_name: str, key: str, *, now: datetime, delay_seconds: float = 0.0, **fields: Any) -> bool:
    """Add a job that nobody enqueued, as its type and the routes say, unless an unfinished one has ``key``.

    Return whether it was added.
    """
    if Job.objects.filter(unique_key=key, state__in=states.UNFINISHED).exists():
        return False
    kind, run_at = registry.get(type_name), now + timedelta(seconds=delay_seconds)
    values: dict[str, Any] = {
        "queue": routes.queue_for(type_name, kind.queue),
        "priority": kind.priority,
        "expires_at": kind.expires_at(run_at),
        "max_attempts": kind.max_attempts,
    }
    job = Job(type=type_name, unique_key=key, run_at=run_at, created_at=now, updated_at=now, **{**values, **fields})
    try:
        with atomic():
            add(job)
    except IntegrityError:
        return False
    return True


def start(job: Job, worker: Worker | None, *, now: datetime, lease_seconds: float, holder: str = "") -> Execution:
    """Claim and start a pending job; count the attempt."""
    by = worker.name if worker else holder
    execution = Execution(job.attempts + 1, job.fence + 1, now)
    # Written first, so that it travels with the change: whoever loses the race takes it back with the transaction.
    statements.insert(
        Attempt,
        {
            **_NEW_ATTEMPT,
            "job_id": job.pk,
            "number": execution.number,
            "fence": execution.fence,
            "worker": by,
            "started_at": now,
        },
    )
    change(
        job,
        JobState.RUNNING,
        now=now,
        reason="",
        actor=by,
        worker_id=worker.pk if worker else None,
        started_at=now,
        lease_until=now + timedelta(seconds=lease_seconds),
        attempts=execution.number,
        locked=True,
    )
    return execution


def complete(job: Job, *, now: datetime, result: Any, result_expires_at: datetime | None) -> None:
    """Do at once what ``change`` and ``close_attempt`` do to a running job that is done and that nobody follows.

    Raises LostRace, where statements are gathered not before the next one is sent.
    """
    texts = _completion(alias())
    at, ends = texts.moment(now), result_expires_at and texts.moment(result_expires_at)
    marked, kept = job.marked_at and texts.moment(job.marked_at), None if result is None else texts.json(result)
    own = (job.pk, _RUNNING, job.fence)
    tell(texts.job, [_COMPLETED, "", "", at, at, None, None, marked, kept, ends, job.fence + 1, *own], LostRace(job))
    tell(texts.event, [job.pk, at, EventName.COMPLETED.value, _RUNNING, _COMPLETED, "", "", "{}"])
    tell(texts.attempt, [AttemptOutcome.COMPLETED.value, at, job.pk, job.fence])


def start_update(*, now: str, worker_id: str, lease_until: str) -> str:
    """Return what ``start`` does to a job's row, called ``job``, as SQL that only lacks which; all given is SQL too."""
    return (
        f"UPDATE {statements.quoted(Job._meta.db_table)} AS job SET state = '{JobState.RUNNING.value}', reason = '', "  # noqa: S608
        f"parked_by = '', updated_at = {now}, started_at = {now}, worker_id = {worker_id}, "
        f"lease_until = {lease_until}, attempts = job.attempts + 1, fence = job.fence + 1"
    )


def start_attempt(*, job_id: str, number: str, fence: str, worker: str, now: str) -> str:
    """Return how ``start`` writes the attempt, as SQL; all given is SQL too."""
    defaults = {name: statements.literal(str(value)) for name, value in _NEW_ATTEMPT.items()}
    own = {"job_id": job_id, "number": number, "fence": fence, "worker": worker, "started_at": now}
    return statements.inserting(Attempt, {**defaults, **own})


def start_event(*, job_id: str, worker: str, now: str) -> str:
    """Return how ``start`` writes the event, as SQL; all given is SQL too."""
    edge = {"name": EventName.UPDATED.value, "source": JobState.PENDING.value, "target": JobState.RUNNING.value}
    words = {name: statements.literal(word) for name, word in {**edge, "reason": "", "data": "{}"}.items()}
    return statements.inserting(Event, {**words, "job_id": job_id, "actor": worker, "at": now})


def mark(job: Job, *, now: datetime) -> None:
    """Write down that the irreversible step is about to begin. The fence stays: the same worker goes on."""
    _write(job, {"marked_at": now, "updated_at": now}, moves_fence=False)
    _record([job], EventName.UPDATED, source=JobState.RUNNING, reason="marked", actor="", at=now, data={})


def unmark(job: Job, *, now: datetime) -> None:
    """Write down that one irreversible step of several is done and recorded: a crash before the next repeats nothing.

    What has begun to take effect does not expire any more, and what it waits for from here on is counted anew.
    """
    _write(job, dict.fromkeys(("marked_at", "expires_at", "postponed_since")) | {"updated_at": now}, moves_fence=False)
    _record([job], EventName.UPDATED, source=JobState.RUNNING, reason="step_done", actor="", at=now, data={})


def clear_mark(job: Job) -> None:
    """Forget the mark in memory: the platform documented that nothing happened. Stored with the next change."""
    job.marked_at = None


def park(jobs: Sequence[Job], lot: str, *, now: datetime) -> None:
    """Put pending jobs that the caller has locked aside under a shut gate, out of the claim's sight."""
    _move(jobs, lot, "parked", lot, now=now)


def unpark(jobs: Sequence[Job], *, now: datetime) -> None:
    """Let parked jobs that the caller has locked run again."""
    for lot in {job.parked_by for job in jobs}:
        _move([job for job in jobs if job.parked_by == lot], "", "unparked", lot, now=now)
    for queue in {job.queue for job in jobs}:
        wake(queue)


def reschedule(job: Job, run_at: datetime, *, now: datetime, actor: str = "", **fields: Any) -> None:
    """Move a pending job's due time, and its priority or expiry by ``fields``."""
    values = {"run_at": run_at, "updated_at": now, **fields}
    if run_at > now:
        # Not due, it waits behind no gate: one let go early would be counted there as about to start.
        values["parked_by"] = ""
    _write(job, values)
    data = {"run_at": run_at}
    _record([job], EventName.UPDATED, source=JobState.PENDING, reason="rescheduled", actor=actor, at=now, data=data)
    wake(job.queue)


def change(
    job: Job,
    target: JobState,
    *,
    now: datetime,
    reason: str,
    actor: str = "",
    data: dict[str, Any] | None = None,
    locked: bool = False,
    **fields: Any,
) -> None:
    """Move ``job`` to ``target`` and bring the object up to date.

    ``reason`` is a code of ``explain.REASONS``. ``fields`` are further columns to set. ``locked`` says that the caller
    has locked the row as it is, so that the event may be written first and travel with the change. Raises
    IllegalTransition if the table has no such edge and LostRace if the stored state or fence differs: of a job that
    completes, and that nobody follows, not before the next statement is sent where they are gathered.
    """
    source, job_type = job.state, registry.find(job.type)
    states.check(job.pk, source, target, marked=job.marked_at is not None)
    values: dict[str, Any] = {"state": target, "reason": reason, "parked_by": "", "updated_at": now, **fields}
    if source == JobState.RUNNING:
        values |= {"lease_until": None, "marked_at": job.marked_at}
    if target == JobState.PENDING:
        values |= {"marked_at": None, "finished_at": None, "needs_review_at": None}
        values.setdefault("postponed_since", None)
    if target in FINISHED:
        values |= {"finished_at": now, "needs_review_at": None}
    name = EVENT_NAMES.get(target, EventName.UPDATED)
    words: dict[str, Any] = {"source": source, "reason": reason, "actor": actor, "at": now, "data": data or {}}
    recurs = target in FINISHED and job_type is not None and job_type.every_seconds is not None
    if locked and not _is_followed(job, name):
        statements.insert(Event, {**words, "job_id": job.pk, "name": name, "target": target})
        _write(job, values)
    else:
        _write(job, values, unseen=target == JobState.COMPLETED and not (recurs or _is_followed(job, name)))
        _record([job], name, **words)
    if target == JobState.PENDING:
        wake(job.queue)
    elif target == JobState.UNCERTAIN:
        request_reconciliation(job, now=now)
    elif (target in (JobState.FAILED, JobState.HELD) and reason != RESTORED) or reason == EXPIRED:
        _tell(job, EXPIRED if reason == EXPIRED else target, job.last_error, now=now)
    if recurs and job_type is not None:
        if target == JobState.COMPLETED and job_type.internal and notices.clear(JobState.FAILED, job.type, now=now):
            send_notices_soon(now)
        add_recurring(job_type, now=now, delay_seconds=job_type.every_seconds or 0.0)


def add_recurring(job_type: registry.JobType, *, now: datetime, delay_seconds: float) -> bool:
    """See that one job of a housekeeping type waits; return whether it had to be added."""
    return add_once(job_type.name, f"every:{job_type.name}", now=now, delay_seconds=delay_seconds)


def request_reconciliation(job: Job, *, now: datetime, delay_seconds: float = registry.RECONCILE_DELAY_SECONDS) -> None:
    """Enqueue the look-up of an uncertain job, once; where its type has none, ask a person at once."""
    if job.type not in registry.known() or registry.get(job.type).reconcile is None:
        flag_for_review(job, "no_lookup", now=now)
        return
    add_once(
        registry.RECONCILE,
        f"reconcile:{job.pk}",
        now=now,
        delay_seconds=delay_seconds,
        queue=job.queue,
        priority=job.priority,
        args={"job_id": job.pk},
        reconciles=job,
    )


def flag_for_review(job: Job, reason: str, *, now: datetime) -> None:
    """Say that a person must decide what became of an uncertain job, and tell someone. Does nothing if it moved on."""
    if job.state != JobState.UNCERTAIN:
        return
    try:
        _write(job, {"needs_review_at": now, "reason": reason, "updated_at": now}, moves_fence=False)
    except LostRace:
        return
    _record([job], EventName.UPDATED, source=JobState.UNCERTAIN, reason="needs_review", actor="", at=now, data={})
    _tell(job, "needs_review", job.last_error, now=now)


def send_notices_soon(now: datetime) -> None:
    """See that what people are to be told goes out within seconds, with all that comes up meanwhile."""
    add_once(registry.SEND_NOTICES, "send_notices", now=now, delay_seconds=notices.GATHER_SECONDS)


def close_attempt(job: Job, fence: int, outcome: AttemptOutcome, *, now: datetime, **fields: Any) -> None:
    """Finish the attempt that ran under ``fence``."""
    where = {"job": job.pk, "fence": fence, "finished_at": None}
    statements.update_unseen(Attempt, where, {"outcome": outcome, "finished_at": now, **fields})


@lru_cache(maxsize=4)
def _completion(_using: str) -> _Completion:
    ends = ("state", "reason", "parked_by", "updated_at", "finished_at", "lease_until", "needs_review_at", "marked_at")
    return _Completion(
        statements.update_text(Job, [*ends, "result", "result_expires_at", "fence"], ["id", "state", "fence"]),
        statements.insert_text(Event, ["job", "at", "name", "source", "target", "reason", "actor", "data"]),
        f"{statements.update_text(Attempt, ['outcome', 'finished_at'], ['job', 'fence'])} AND finished_at IS NULL",
        statements.writer(Event._meta.get_field("at")),
        statements.writer(Job._meta.get_field("result")),
    )


def _tell(job: Job, kind: str, text: str, *, now: datetime) -> None:
    """Write a notice about the job and see that it is sent. The queue's own jobs are told of by what they serve.

    A periodic one serves everybody: where it fails for good, that is open until one of its type has completed.
    """
    job_type = registry.find(job.type)
    if job_type is not None and job_type.internal:
        if kind != JobState.FAILED or job_type.every_seconds is None:
            return
        if not notices.record(kind, job.type, text, now=now):
            return
    else:
        notices.record(kind, hooks.subject_of(job), text, job=job, now=now, concern=hooks.concern_of(job))
    send_notices_soon(now)


def _move(jobs: Sequence[Job], parked_by: str, reason: str, lot: str, *, now: datetime) -> None:
    ids = [job.pk for job in jobs]
    Job.objects.filter(pk__in=ids).update(parked_by=parked_by, fence=F("fence") + 1, updated_at=now)
    for job in jobs:
        job.parked_by, job.fence = parked_by, job.fence + 1
    _record(jobs, EventName.UPDATED, source=JobState.PENDING, reason=reason, actor="", at=now, data={"key": lot})


def _write(job: Job, values: dict[str, Any], *, moves_fence: bool = True, unseen: bool = False) -> None:
    """Compare and set: write ``values`` where the stored state and fence are the object's, then onto the object.

    ``unseen`` says that nothing reads the row before the next statement is sent.
    """
    where = {"id": job.pk, "state": job.state, "fence": job.fence}
    if moves_fence:
        values = {**values, "fence": job.fence + 1}
    if unseen:
        statements.update_unseen(Job, where, values, unchanged=LostRace(job))
    elif statements.update(Job, where, values) == 0:
        raise LostRace(job)
    for name, value in values.items():
        setattr(job, name, value)


def _record(
    jobs: Sequence[Job], name: EventName, *, source: str, reason: str, actor: str, at: datetime, data: dict[str, Any]
) -> None:
    """Write one event for each of ``jobs``, all with the same words, and ask their types' hooks."""
    words = {"source": source, "reason": reason, "actor": actor, "at": at, "data": data}
    rows = [{**words, "job_id": job.pk, "name": name, "target": job.state} for job in jobs]
    if not any(_is_followed(job, name) for job in jobs):
        statements.insert(Event, *rows)
        return
    ids = statements.insert_returning(Event, *rows)
    for job, row, identifier in zip(jobs, rows, ids, strict=True):
        event = Event(pk=identifier, **row)
        events.announce(job, event)
        hooks.follow(job, event)


def _is_followed(job: Job, name: EventName) -> bool:
    """Say whether anybody wants the job's events as objects: its type's hook, or a receiver of signals."""
    return registry.is_hooked(job.type) or events.is_heard(name)
