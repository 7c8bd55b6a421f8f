"""Why a job is not running, and when it will: in words, from the same predicates as the claim. Reads only.

A claim takes a job exactly when nothing is among its explanation's ``blockers``.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from queue_app import breakers, clock, conf, forecast, gates, limits, registry, routes
from queue_app.models import BlockKind, Job
from queue_app.states import JobState
from queue_app.wording import Words

# Every code that a transition may carry as its reason, in words. Codes of a site's own handlers appear as they are.
REASONS: Mapping[str, Words] = {
    "": "",
    "retry": _("the last execution failed and it will be tried again"),
    "worker_lost": _("its worker was lost"),
    "handed_back": _("its cluster was stopped before it was done"),
    "blocked": _("it met a block while it ran"),
    "parked": _("set aside under a blocked key"),
    "unparked": _("let go: the block is over"),
    "rescheduled": _("moved to another time"),
    "marked": _("about to do the step that cannot be taken back"),
    "step_done": _("one step of several that cannot be taken back is done"),
    "needs_review": _("nobody can tell what became of it: a person must decide"),
    "expired": _("its time was over before it could run"),
    "by_hand": _("by hand"),
    "taken_back": _("taken back by hand from its worker"),
    "discarded": _("given up by hand after it failed"),
    "stopped_may_be_live": _("stopped by hand; what it sent may be live"),
    "said_by_person": _("a person said that it took effect"),
    "found": _("found when looked up"),
    "proven_absent": _("looked up, and provably not there: it runs again"),
    "no_answer": _("no clear answer came after the step that cannot be taken back"),
    "no_lookup": _("it cannot be looked up"),
    "lookup_failed": _("looking it up failed"),
    "out_of_attempts": _("all attempts are used up"),
    "restored": _("restored from a backup; what was due since then may have run already"),
    "unknown_type": _("no running worker knows its type"),
    "hook_failed": _("what follows its changes is broken, so it cannot be started"),
    "timeout": _("it ran too long"),
    "token_refreshed": _("access was refreshed and it goes on at once"),
    "refresh_busy": _("another worker is refreshing the account's access"),
}

# Every kind of gate (``gates.Shut.kind``), in words.
GATES: Mapping[str, Words] = {kind.value: kind.label for kind in BlockKind} | {
    gates.LIMIT: _("the limit is used up"),
    gates.BREAKER: _("it failed again and again and is left alone"),
    gates.TURN: _("it is not its turn yet"),
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
        text, until = (
            gettext("due, but %(words)s") % {"words": by_workers[0].words} if by_workers else _in_line(job, now),
            None,
        )
    expected_at = forecast.forecast(job, now)
    if expected_at is not None and expected_at - (until or now) > NEWS:
        text += gettext("; it will run about %(expected_at)s") % {"expected_at": f"{expected_at:{TIME}}"}
    return Explanation(text, (*by_queue, *by_workers), until, expected_at)


def words(job: Job | None, reason: str | None = None) -> str:
    """Return the job's reason code, or another of its type, in words; an unknown code as it is. No job has none."""
    if job is None:
        return ""
    code = job.reason if reason is None else reason
    job_type = registry.known().get(job.type)
    own = job_type.reasons if job_type is not None else {}
    return str(own.get(code) or REASONS.get(code, code.replace("_", " ")))


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
            said, until = (
                gettext("it is being sent right now") if job.marked_at else gettext("it is running right now"),
                job.lease_until,
            )
        case JobState.HELD:
            said = gettext("held until a person releases it: %(words)s") % {"words": words(job)}
        case JobState.UNCERTAIN:
            said, until = _uncertain(job)
        case JobState.FAILED:
            said = gettext("failed: %(last_error)s") % {"last_error": job.last_error or words(job)}
        case JobState.CANCELLED:
            said = gettext("cancelled: %(words)s") % {"words": words(job)} if job.reason else "cancelled"
        case _:
            said = ""
    return Blocker(str(job.state), said, until)


def _uncertain(job: Job) -> tuple[str, datetime | None]:
    if job.needs_review_at is not None:
        return gettext("it may already be live; a person must decide (%(words)s)") % {"words": words(job)}, None
    look_up = Job.objects.filter(unique_key=f"reconcile:{job.pk}", state=JobState.PENDING).first()
    said = gettext("it may already be live: %(words)s; it is being looked up") % {"words": words(job)}
    return (
        (said, None)
        if look_up is None
        else (gettext("%(said)s, at %(run_at)s") % {"said": said, "run_at": f"{look_up.run_at:{TIME}}"}, look_up.run_at)
    )


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
        said = gettext("its time was over at %(expires_at)s, so it is dropped instead of run") % {
            "expires_at": f"{job.expires_at:{TIME}}"
        }
        found.insert(0, Blocker("expired", said))
    return found


def _by_gate(gate: gates.Shut, now: datetime) -> Blocker:
    detail = f": {gate.reason}" if gate.reason else ""
    until = gettext(", until %(until)s") % {"until": f"{gate.until:{TIME}}"} if gate.until and gate.until > now else ""
    return Blocker(gate.kind, f"{GATES[gate.kind]} ({gate.key}){detail}{until}", gate.until)


def _by_open_gate(job: Job) -> Blocker:
    """Return why a parked job whose gate is open still waits: it has not been let go, or others leave before it."""
    # A block's lot is emptied at once; out of the others' a few go at a time.
    kind = next((prefix for prefix in (limits.LOT, breakers.LOT) if job.parked_by.startswith(prefix)), "")
    ahead = forecast.ahead_in_lot(job) if kind else 0
    said = gettext("behind %(others)s") % {"others": _others(ahead)} if ahead else gettext("about to be let go")
    return Blocker(
        "parked",
        gettext("set aside under %(removeprefix)s, %(said)s")
        % {"removeprefix": job.parked_by.removeprefix(kind), "said": said},
    )


def _not_due(job: Job) -> Blocker:
    why = f"{words(job)}; " if job.reason not in ("", "by_hand") else ""
    error = (
        gettext(" (last error: %(last_error)s)") % {"last_error": job.last_error}
        if job.reason == "retry" and job.last_error
        else ""
    )
    return Blocker(
        "not_due",
        gettext("%(why)sdue at %(run_at)s%(error)s") % {"why": why, "run_at": f"{job.run_at:{TIME}}", "error": error},
        job.run_at,
    )


def _of_workers(job: Job, now: datetime) -> list[Blocker]:
    """Return what keeps a due job waiting for want of a worker. Before its time none is needed."""
    serving = forecast.serving(job, now) if job.run_at <= now else []
    if job.run_at > now or any(job.type in worker.types for worker in serving):
        return []
    if serving:
        return [
            Blocker("unknown_type", gettext("no running worker knows the type %(type)s") % {"type": repr(job.type)})
        ]
    command = start_command(job.queue)
    step = (
        gettext("start one with %(command)s") % {"command": command}
        if command
        else gettext("the setting CLUSTERS gives it to no cluster, name it there")
    )
    return [
        Blocker(
            "no_worker",
            gettext("no worker serves the queue %(queue)s: %(step)s") % {"queue": repr(job.queue), "step": step},
        )
    ]


def _in_line(job: Job, now: datetime) -> str:
    ahead = forecast.ahead_in_queue(job, now)
    return gettext("due, behind %(others)s") % {"others": _others(ahead)} if ahead else gettext("due now, next in line")


def _others(number: int) -> str:
    if number >= forecast.MOST:
        return gettext("%(number)s others or more") % {"number": f"{number:,}"}
    return ngettext("%(number)s other", "%(number)s others", number) % {"number": f"{number:,}"}
