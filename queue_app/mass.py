"""One operation on very many jobs that a person chose: at once, or in parts that jobs of the queue's own work through.

Owns which operations there are, in which states each takes a job, and how a choice is cut into parts. Every change goes
through ``api.steps``. Jobs that may have taken effect are left alone: a person decides about each of them by itself.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from queue_app import api
from queue_app.api import steps
from queue_app.api.many import Many, batches_of, each
from queue_app.models import Job
from queue_app.new_jobs import NewJob
from queue_app.states import UNFINISHED, JobState

logger = logging.getLogger("socialq.queue")

BULK_OPERATION = "queue_app.bulk_operation"
PART_JOBS = 500
REASONS_KEPT = 20
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asked for: the operation, who, when (aware), and what they filled in (``reason``, ``priority``)."""

    operation: str
    actor: str
    asked_at: datetime
    answers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be done to many jobs: from which states, and the step that each takes."""

    states: tuple[JobState, ...]
    step: Callable[[Job, Order], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an order has come that was handed over. ``name`` is its parts' target, ``words`` says what it is."""

    name: str
    words: str
    parts: int
    left: int
    failed: int


def carry_out(order: Order, job_ids: Iterable[int]) -> Many:
    """Do it to the jobs of these ids, in batches; return how many, and by id why the others were left as they are."""
    operation, answer = OPERATIONS[order.operation], Many()
    for batch in batches_of(job_ids):
        found = dict(Job.objects.filter(pk__in=batch).values_list("pk", "state"))
        for state in operation.states:
            ids = [job_id for job_id in batch if found.get(job_id) == state]
            part = each([ids] if ids else [], state, lambda job: operation.step(job, order), order.operation)
            answer.done += part.done
            answer.skipped |= part.skipped
        answer.skipped |= {
            job_id: f"job {job_id} is {found[job_id]}" if job_id in found else str(api.JobNotFound(job_id))
            for job_id in batch
            if found.get(job_id) not in operation.states
        }
    return answer


def hand_over(order: Order, job_ids: Sequence[int]) -> Progress:
    """Enqueue jobs of the queue's own that do it to these, a part each, in the caller's transaction."""
    name = f"{order.operation}-{uuid.uuid4().hex[:8]}"
    starts = range(0, len(job_ids), PART_JOBS)
    args = {
        "operation": order.operation,
        "actor": order.actor,
        "asked_at": order.asked_at.isoformat(),
        "answers": dict(order.answers),
    }
    facts = {"parts": len(starts), "jobs": len(job_ids)}
    parts = (
        NewJob(
            args={**args, "job_ids": list(job_ids[start : start + PART_JOBS])},
            target_id=name,
            metadata={**facts, "part": number},
        )
        for number, start in enumerate(starts, 1)
    )
    api.enqueue_many(BULK_OPERATION, parts, actor=order.actor)
    return Progress(name, words_of(order.operation, len(job_ids), order.actor), len(starts), len(starts), 0)


def under_way(job_type: str = BULK_OPERATION) -> list[Progress]:
    """Return the newest orders that were handed over and are not done, or of which a part failed. A few look-ups.

    ``job_type`` is that of their parts, which have the same arguments and metadata whoever works through them.
    """
    orders: dict[str, list[tuple[int, str]]] = {}
    # One look-up a state, grouped here: asked for all of them at once, SQLite would read every job.
    parts = [
        (job_id, name, state)
        for state in (*UNFINISHED, JobState.FAILED)
        for job_id, name in Job.objects.filter(state=state, type=job_type).values_list("pk", "target_id")
    ]
    for job_id, name, state in sorted(parts, reverse=True):
        orders.setdefault(name, []).append((job_id, state))
    newest = list(orders.items())[:SHOWN]
    jobs = Job.objects.in_bulk([found[0][0] for _name, found in newest])
    return [
        _progress(name, jobs[found[0][0]], [state for _id, state in found])
        for name, found in newest
        if found[0][0] in jobs
    ]


def describe(job: Job) -> str:
    """Name a part to people."""
    noun = job.metadata.get("noun", "jobs")
    words = words_of(job.args["operation"], len(job.args["job_ids"]), job.args["actor"], noun)
    return f"{words}, part {job.metadata['part']} of {job.metadata['parts']}"


def summary(answer: Many) -> dict[str, Any]:
    """Return what became of a part, as its result is kept."""
    why = [answer.skipped[job_id] for job_id in sorted(answer.skipped)[:REASONS_KEPT]]
    return {"done": answer.done, "skipped": len(answer.skipped), "why": why}


def _progress(name: str, part: Job, states: Sequence[str]) -> Progress:
    noun = part.metadata.get("noun", "jobs")
    words = words_of(part.args["operation"], part.metadata["jobs"], part.args["actor"], noun)
    failed = states.count(JobState.FAILED)
    return Progress(name, words, part.metadata["parts"], len(states) - failed, failed)


def words_of(operation: str, number: int, actor: str, noun: str = "jobs") -> str:
    """Name an order to people; an operation's kind of row, before a dot, is not repeated."""
    return f"{operation.rpartition('.')[2].replace('_', ' ')} of {number:,} {noun} by {actor}"


def _retry(job: Job, order: Order) -> None:
    # A part that is run again must not retry a second time what has ended again since.
    if job.updated_at > order.asked_at:
        raise api.QueueError(f"job {job.pk} has changed since this was asked for")
    if api.may_have_taken_effect(job):
        raise api.QueueError(f"job {job.pk} may already have taken effect: look, then retry it by itself")
    steps.retry(job, actor=order.actor)


def _cancel(job: Job, order: Order) -> None:
    steps.cancel(job, actor=order.actor)


def _hold(job: Job, order: Order) -> None:
    steps.hold(job, order.answers["reason"], actor=order.actor)


def _release(job: Job, order: Order) -> None:
    steps.release(job, actor=order.actor)


def _reprioritise(job: Job, order: Order) -> None:
    steps.reprioritise(job, int(order.answers["priority"]), actor=order.actor)


def _discard(job: Job, order: Order) -> None:
    steps.discard(job, order.answers["reason"], actor=order.actor)


OPERATIONS: Mapping[str, Operation] = {
    "retry": Operation((JobState.FAILED, JobState.CANCELLED), _retry),
    "cancel": Operation((JobState.PENDING, JobState.RUNNING, JobState.HELD), _cancel),
    "hold": Operation((JobState.PENDING, JobState.RUNNING), _hold),
    "release": Operation((JobState.HELD,), _release),
    "reprioritise": Operation((JobState.PENDING,), _reprioritise),
    "discard": Operation((JobState.FAILED,), _discard),
}
