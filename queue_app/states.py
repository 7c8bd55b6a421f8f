"""Job states and the table of transitions: the only place that says what may follow what. The docs draw it."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _

from queue_app.errors import QueueError


class JobState(models.TextChoices):
    """Where a job stands. Exactly one at any time."""

    PENDING = "pending", _("pending")
    RUNNING = "running", _("running")
    HELD = "held", _("held")
    UNCERTAIN = "uncertain", _("uncertain")
    COMPLETED = "completed", _("completed")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


# Names that other queues have for our states.
ALIASES: Mapping[str, JobState] = {"processing": JobState.RUNNING}
UNFINISHED = (JobState.PENDING, JobState.RUNNING, JobState.HELD, JobState.UNCERTAIN)
FINISHED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)

# From each state, where a job may go, and in which words the diagram says why.
TRANSITIONS: Mapping[JobState, Mapping[JobState, str]] = {
    JobState.PENDING: {
        JobState.RUNNING: "claimed and started",
        JobState.HELD: "needs a person",
        JobState.CANCELLED: "cancelled or expired",
    },
    JobState.RUNNING: {
        JobState.COMPLETED: "done",
        JobState.PENDING: "retry, postponed, blocked or handed back (unmarked)",
        JobState.HELD: "needs a person (unmarked)",
        JobState.FAILED: "gave up",
        JobState.CANCELLED: "cancelled or expired (unmarked)",
        JobState.UNCERTAIN: "no answer after the mark",
    },
    JobState.HELD: {
        JobState.PENDING: "released by a person",
        JobState.CANCELLED: "cancelled",
    },
    JobState.UNCERTAIN: {
        JobState.COMPLETED: "found, or said by a person",
        JobState.PENDING: "proven absent, or retried by a person",
        JobState.FAILED: "proven absent, no executions left",
        JobState.CANCELLED: "stopped by a person, may be live",
    },
    JobState.FAILED: {
        JobState.PENDING: "retried by a person",
        JobState.CANCELLED: "discarded by a person",
    },
    JobState.CANCELLED: {JobState.PENDING: "retried by a person"},
    JobState.COMPLETED: {},
}

# What a marked running job may become. Unmarked jobs may take every edge but the one to ``uncertain``.
MARKED_EXITS = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.UNCERTAIN})


class IllegalTransition(QueueError):
    """The table has no such edge. ``str()`` says which job, from where, to where, and what is allowed."""

    def __init__(self, job_id: int, source: str, target: str) -> None:
        allowed = ", ".join(TRANSITIONS[JobState(source)]) or "nothing: it is final"
        super().__init__(f"job {job_id} is {source} and cannot become {target}; allowed: {allowed}")
        self.job_id = job_id
        self.source = source
        self.target = target


def named(word: object) -> JobState:
    """Return the state that ``word`` names, also by an alias; raise ValueError for one that is none."""
    name = ALIASES.get(str(word), word)
    if name not in JobState.values:
        known = ", ".join([*JobState.values, *ALIASES])
        raise ValueError(f"invalid job status: {str(word)[:40]!r}; there are {known}")
    return JobState(name)


def check(job_id: int, source: str, target: str, *, marked: bool = False) -> None:
    """Raise IllegalTransition unless the table allows ``source`` → ``target`` for a job with or without a mark."""
    allowed = target in TRANSITIONS[source]  # type: ignore[index]  # a choice is its text
    if source == JobState.RUNNING:
        allowed = allowed and (target in MARKED_EXITS if marked else target != JobState.UNCERTAIN)
    if not allowed:
        raise IllegalTransition(job_id, source, target)


def diagram() -> str:
    """Return the table as a Mermaid state diagram, one line an edge."""
    lines = ["stateDiagram-v2", "    [*] --> pending: enqueued"]
    for source, targets in TRANSITIONS.items():
        lines += [f"    {source.value} --> {target.value}: {why}" for target, why in targets.items()]
    lines += [f"    {state.value} --> [*]" for state in FINISHED]
    return "\n".join(lines) + "\n"
