"""Why a job is not running, and when it will: in words, from the same predicates as the claim. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from queue_app import blocks, clock, registry, workers
from queue_app.claims import due
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

START_COMMAND = "python manage.py qcluster"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job waits (``text``, "" if nothing keeps it), and until when as far as that is known (aware UTC)."""

    text: str
    until: datetime | None = None


def explain(job: Job) -> Explanation:
    """Say in words where ``job`` stands, what keeps it from running, and when it will run."""
    now = clock.now()
    match job.state:
        case JobState.PENDING:
            return _pending(job, now)
        case JobState.RUNNING:
            sending = "it is being sent right now" if job.marked_at else "it is running right now"
            return Explanation(sending, job.lease_until)
        case JobState.HELD:
            return Explanation(f"held until a person releases it: {words(job)}")
        case JobState.UNCERTAIN:
            return _uncertain(job)
        case JobState.FAILED:
            return Explanation(f"failed: {job.last_error or words(job)}")
        case JobState.CANCELLED:
            return Explanation(f"cancelled: {words(job)}" if job.reason else "cancelled")
    return Explanation("")


def words(job: Job, reason: str | None = None) -> str:
    """Return the job's reason code, or another of its type, in words; an unknown code as it is."""
    code = job.reason if reason is None else reason
    job_type = registry.known().get(job.type)
    own = job_type.reasons if job_type is not None else {}
    return own.get(code) or REASONS.get(code, code.replace("_", " "))


def _pending(job: Job, now: datetime) -> Explanation:
    block = blocks.first_active(job, now)
    if block is not None:
        detail = f": {block.reason}" if block.reason else ""
        return Explanation(f"{BlockKind(block.kind).label} ({block.key}){detail}", block.until)
    if job.run_at > now:
        why = f"{words(job)}; " if job.reason not in ("", "by_hand") else ""
        error = f" (last error: {job.last_error})" if job.reason == "retry" and job.last_error else ""
        return Explanation(f"{why}due at {job.run_at:%Y-%m-%d %H:%M:%S} UTC{error}", job.run_at)
    return Explanation(_due(job, now))


def _due(job: Job, now: datetime) -> str:
    serving = [worker for worker in workers.alive(now) if job.queue in worker.queues]
    if not serving:
        return f"due, but no worker serves the queue {job.queue!r}: start one with {START_COMMAND}"
    if not any(job.type in worker.types for worker in serving):
        return f"due, but no running worker knows the type {job.type!r}"
    types = list(registry.known())
    ahead = sum(due(job.queue, types, now, priority).count() for priority in range(1, job.priority))
    ahead += due(job.queue, types, now, job.priority).filter(run_at__lt=job.run_at).count()
    return f"due, behind {ahead} others" if ahead else "due now, next in line"


def _uncertain(job: Job) -> Explanation:
    if job.needs_review_at is not None:
        return Explanation(f"it may already be live; a person must decide ({words(job)})")
    look_up = Job.objects.filter(unique_key=f"reconcile:{job.pk}", state=JobState.PENDING).first()
    until = look_up.run_at if look_up is not None else None
    return Explanation(f"it may already be live: {words(job)}; it is being looked up", until)
