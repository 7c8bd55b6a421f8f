"""Why a job is not running, and when it will: in words, from the same predicates as the claim. Reads only.

A claim takes a job exactly when nothing is among its explanation's ``blockers``.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from queue_app import breakers, clock, conf, forecast, gates, limits, registry, routes
from queue_app.models import BlockKind, Job
from queue_app.states import JobState

# Every code that a transition may carry as its reason, in words. Codes of a site's own handlers appear as they are.
REASONS: Mapping[str, str] = {
    "": "",
    "retry": "the last execution failed and it will be tried again",
    "worker_lost": "its worker was lost",
    "handed_back": "its cluster was stopped before it was done",
    "blocked": "it met a block while it ran",
    "parked": "set aside under a blocked key",
    "unparked": "let go: the block is over",
    "rescheduled": "moved to another time",
    "marked": "about to do the step that cannot be taken back",
    "step_done": "one step of several that cannot be taken back is done",
    "needs_review": "nobody can tell what became of it: a person must decide",
    "expired": "its time was over before it could run",
    "by_hand": "by hand",
    "taken_back": "taken back by hand from its worker",
    "discarded": "given up by hand after it failed",
    "stopped_may_be_live": "stopped by hand; what it sent may be live",
    "said_by_person": "a person said that it took effect",
    "found": "found when looked up",
    "proven_absent": "looked up, and provably not there: it runs again",
    "no_answer": "no clear answer came after the step that cannot be taken back",
    "no_lookup": "it cannot be looked up",
    "lookup_failed": "looking it up failed",
    "out_of_attempts": "all attempts are used up",
    "unknown_type": "no running worker knows its type",
    "hook_failed": "what follows its changes is broken, so it cannot be started",
    "timeout": "it ran too long",
    "token_refreshed": "access was refreshed and it goes on at once",
    "refresh_busy": "another worker is refreshing the account's access",
}

# Every kind of gate (``gates.Shut.kind``), in words.
GATES: Mapping[str, str] = {kind.value: str(kind.label) for kind in BlockKind} | {
    gates.LIMIT: "the limit is used up",
    gates.BREAKER: "it failed again and again and is left alone",
    gates.TURN: "it is not its turn yet",
}

START_COMMAND = "python manage.py qcluster"
TIME = "%Y-%m-%d %H:%M:%S UTC"
# A forecast is told where it is this much later than what has been said already.
NEWS = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing that keeps a job from being claimed, until a time (aware UTC, ``None``: nobody knows).

    ``code`` is a kind of gate, a state, ``not_due``, ``expired``, ``parked``, ``no_worker`` or ``unknown_type``.
    """

    code: str
    words: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a job stands: in a sentence its chief blocker, all of them, and about when it will run.

    ``text`` is "" for what is completed; ``until`` is the chief blocker's end; ``expected_at`` is ``None`` where nobody
    can say, and for what does not wait. Times are aware UTC.
    """

    text: str
    blockers: tuple[Blocker, ...] = ()
    until: datetime | None = None
    expected_at: datetime | None = None


def explain(job: Job) -> Explanation:
    """Say in words where ``job`` stands, what keeps it from running, and when it will run."""
    now = clock.now()
    if job.state != JobState.PENDING:
        blocker = _of_state(job)
        return Explanation(blocker.words, (blocker,), blocker.until)
    by_queue, by_workers = _of_queue(job, now), _of_workers(job, now)
    if by_queue:
        text, until = by_queue[0].words, by_queue[0].until
    else:
        text, until = f"due, but {by_workers[0].words}" if by_workers else _in_line(job, now), None
    expected_at = forecast.forecast(job, now)
    if expected_at is not None and expected_at - (until or now) > NEWS:
        text += f"; it will run about {expected_at:{TIME}}"
    return Explanation(text, (*by_queue, *by_workers), until, expected_at)


def words(job: Job, reason: str | None = None) -> str:
    """Return the job's reason code, or another of its type, in words; an unknown code as it is."""
    code = job.reason if reason is None else reason
    job_type = registry.known().get(job.type)
    own = job_type.reasons if job_type is not None else {}
    return own.get(code) or REASONS.get(code, code.replace("_", " "))


def start_command(queue: str) -> str:
    """Return the command that starts workers for ``queue``; "" if ``CLUSTERS`` gives it to no cluster."""
    default = str(Job._meta.get_field("queue").get_default())
    for cluster in (default, queue, *conf.get("CLUSTERS")):
        if queue in routes.queues_of(cluster):
            return START_COMMAND if cluster == default else f"{START_COMMAND} --name {shlex.quote(cluster)}"
    return ""


def _of_state(job: Job) -> Blocker:
    """Return what keeps a job from being claimed that is not pending."""
    until = None
    match job.state:
        case JobState.RUNNING:
            said, until = "it is being sent right now" if job.marked_at else "it is running right now", job.lease_until
        case JobState.HELD:
            said = f"held until a person releases it: {words(job)}"
        case JobState.UNCERTAIN:
            said, until = _uncertain(job)
        case JobState.FAILED:
            said = f"failed: {job.last_error or words(job)}"
        case JobState.CANCELLED:
            said = f"cancelled: {words(job)}" if job.reason else "cancelled"
        case _:
            said = ""
    return Blocker(str(job.state), said, until)


def _uncertain(job: Job) -> tuple[str, datetime | None]:
    if job.needs_review_at is not None:
        return f"it may already be live; a person must decide ({words(job)})", None
    look_up = Job.objects.filter(unique_key=f"reconcile:{job.pk}", state=JobState.PENDING).first()
    said = f"it may already be live: {words(job)}; it is being looked up"
    return (said, None) if look_up is None else (f"{said}, at {look_up.run_at:{TIME}}", look_up.run_at)


def _of_queue(job: Job, now: datetime) -> list[Blocker]:
    """Return what keeps a pending job from every claim, whoever makes it; what lasts longest comes first."""
    shut = gates.look(job, now)
    found = [_by_gate(gate, now) for gate in shut]
    if job.parked_by and job.parked_by not in {gate.lot for gate in shut}:
        found.append(_by_open_gate(job))
    if job.run_at > now:
        found.append(_not_due(job))
    found.sort(key=lambda blocker: blocker.until.timestamp() if blocker.until else math.inf, reverse=True)
    if job.expires_at is not None and job.expires_at <= now:
        said = f"its time was over at {job.expires_at:{TIME}}, so it is dropped instead of run"
        found.insert(0, Blocker("expired", said))
    return found


def _by_gate(gate: gates.Shut, now: datetime) -> Blocker:
    detail = f": {gate.reason}" if gate.reason else ""
    until = f", until {gate.until:{TIME}}" if gate.until and gate.until > now else ""
    return Blocker(gate.kind, f"{GATES[gate.kind]} ({gate.key}){detail}{until}", gate.until)


def _by_open_gate(job: Job) -> Blocker:
    """Return why a parked job whose gate is open still waits: it has not been let go, or others leave before it."""
    # A block's lot is emptied at once; out of the others' a few go at a time.
    kind = next((prefix for prefix in (limits.LOT, breakers.LOT) if job.parked_by.startswith(prefix)), "")
    ahead = forecast.ahead_in_lot(job) if kind else 0
    said = f"behind {_others(ahead)}" if ahead else "about to be let go"
    return Blocker("parked", f"set aside under {job.parked_by.removeprefix(kind)}, {said}")


def _not_due(job: Job) -> Blocker:
    why = f"{words(job)}; " if job.reason not in ("", "by_hand") else ""
    error = f" (last error: {job.last_error})" if job.reason == "retry" and job.last_error else ""
    return Blocker("not_due", f"{why}due at {job.run_at:{TIME}}{error}", job.run_at)


def _of_workers(job: Job, now: datetime) -> list[Blocker]:
    """Return what keeps a due job waiting for want of a worker. Before its time none is needed."""
    serving = forecast.serving(job, now) if job.run_at <= now else []
    if job.run_at > now or any(job.type in worker.types for worker in serving):
        return []
    if serving:
        return [Blocker("unknown_type", f"no running worker knows the type {job.type!r}")]
    command = start_command(job.queue)
    step = f"start one with {command}" if command else "the setting CLUSTERS gives it to no cluster, name it there"
    return [Blocker("no_worker", f"no worker serves the queue {job.queue!r}: {step}")]


def _in_line(job: Job, now: datetime) -> str:
    ahead = forecast.ahead_in_queue(job, now)
    return f"due, behind {_others(ahead)}" if ahead else "due now, next in line"


def _others(number: int) -> str:
    if number >= forecast.MOST:
        return f"{number:,} others or more"
    return f"{number:,} other{'' if number == 1 else 's'}"
