"""The queue's panels of the dashboard: what needs a person, what is now, who works, the last day, what is next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from queue_app import clock, conf, registry, selectors
from queue_app.admin import charts, display, once
from queue_app.admin.dashboard import Need, Panel, Tally, counted, register
from queue_app.admin.due import late
from queue_app.admin.lists import MOST_COUNTED
from queue_app.database import alias, connection
from queue_app.explain import START_COMMAND
from queue_app.models import Job, Worker
from queue_app.planning import PENDING, UNPARKED
from queue_app.recent import Day, last_day
from queue_app.states import JobState

PANELS = "queue_app/admin/panels"
ENDED_OR_STUCK = (JobState.HELD, JobState.UNCERTAIN, JobState.FAILED, JobState.COMPLETED, JobState.CANCELLED)
WORKERS_SHOWN, NEXT_SHOWN = 50, 8
# A worker that fell silent longer ago than this was taken away for good.
SILENT_SHOWN = timedelta(hours=1)


def jobs_url(query: str = "") -> str:
    """Return the address of the list of jobs."""
    return reverse("admin:queue_app_job_changelist") + (f"?{query}" if query else "")


def attention(request: HttpRequest) -> Mapping[str, Any]:
    """Return the jobs that wait for a person."""
    tallies = _tallies(request)
    needs = [
        _need("uncertain", _("without a clear answer"), tallies, _("May have happened: each is looked up, then asks.")),
        _need("held", _("held"), tallies, _("Wait until somebody releases or cancels them.")),
        _need("failed", _("failed"), tallies, _("Gave up. Read the error, then retry or discard.")),
        Need(
            "late",
            _("late"),
            counted(Job.objects.filter(late(clock.now())).exclude(type__in=selectors.internal_types())),
            jobs_url("waiting=late"),
            _("Due, and no worker has taken them: start more workers, or see what these do."),
        ),
    ]
    return {"needs": [need for need in needs if need.tally]}


def now(request: HttpRequest) -> Mapping[str, Any]:
    """Return how many jobs are in every state, and for how long the oldest due one has waited."""
    waiting = once.waiting(request)
    numbers = waiting.by_queue().values()
    tallies = _tallies(request)
    states = [
        ("pending", str(_("Due now")), Tally(waiting.due), jobs_url("waiting=due")),
        ("pause", str(_("Behind a pause or limit")), Tally(_sum(numbers, "parked")), jobs_url("waiting=gate")),
    ]
    states += [
        (state.value, str(state.label).capitalize(), tallies[state.value], jobs_url(f"state__exact={state.value}"))
        for state in (JobState.PENDING, JobState.RUNNING, *ENDED_OR_STUCK)
    ]
    return {"states": states, "oldest": _oldest(waiting.oldest_due_seconds())}


def workers_now(request: HttpRequest) -> Mapping[str, Any]:
    """Return the workers that live or fell silent lately, each with what it does."""
    since = clock.now() - SILENT_SHOWN
    heard = Worker.objects.filter(stopped_at=None, heartbeat_at__gt=since).order_by("host", "pid")
    shown = list(heard[: WORKERS_SHOWN + 1])
    running = Job.objects.filter(state=JobState.RUNNING, worker__in=[worker.pk for worker in shown])
    jobs = {worker: (pk, kind) for worker, pk, kind in running.values_list("worker", "pk", "type")}
    living = once.living(request)
    rows = [(worker, worker.pk in living, _ago(worker), jobs.get(worker.pk)) for worker in shown[:WORKERS_SHOWN]]
    return {
        "workers": sorted(rows, key=lambda row: not row[1]),
        "living": len(living),
        "more": len(shown) > WORKERS_SHOWN,
        "start_command": START_COMMAND,
    }


def day(request: HttpRequest) -> Mapping[str, Any]:
    """Return the figures and charts of the last 24 hours."""
    jobs = Job.objects.exclude(type__in=selectors.internal_types())
    return day_context(last_day(jobs, clock.now()), str(_("completed")))


def day_context(figures: Day, done_word: str, zone: str = "") -> dict[str, Any]:
    """Return the panel of a day's ``figures``; ``done_word`` is what success is called."""
    rate = figures.success_rate
    return {
        "day": figures,
        "done_word": done_word,
        "zone": zone,
        "rate": f"{rate:.1%}" if rate is not None else display.NOTHING,
        "ended": charts.ended(figures, done_word, zone),
        "durations": charts.durations(figures, zone),
        "rows": [(charts.label(hour, zone), hour) for hour in figures.hours],
    }


def coming(request: HttpRequest) -> Mapping[str, Any]:
    """Return the jobs that are due next."""
    # The index of the claim has it all: no row is read but those that are shown.
    due_later = Job.objects.filter(PENDING, UNPARKED, run_at__gt=clock.now()).order_by("run_at", "id")
    ids = list(due_later.values_list("pk", flat=True)[: NEXT_SHOWN + len(selectors.internal_types()) * 2])
    jobs = Job.objects.filter(pk__in=ids).exclude(type__in=selectors.internal_types()).order_by("run_at", "id")
    return {"rows": [(job.run_at, _about(job), _page(job)) for job in jobs[:NEXT_SHOWN]], "all_url": jobs_url()}


def _tallies(request: HttpRequest) -> dict[str, Tally]:
    return once.once(request, "tallies", lambda: _count_states(request))


def _count_states(request: HttpRequest) -> dict[str, Tally]:
    """Count the jobs of each state, as far as their list does."""
    numbers = once.waiting(request).by_queue().values()
    tallies = {name: Tally(_sum(numbers, name)) for name in ("pending", "running")}
    parts, values = [], []
    for place, state in enumerate(ENDED_OR_STUCK):
        rows = selectors.jobs_of(state).order_by().values("pk")[:MOST_COUNTED]
        text, params = rows.query.get_compiler(using=alias()).as_sql()
        parts.append(f"SELECT {place}, COUNT(*) FROM ({text}) AS counted")  # noqa: S608 -- a query set's own text
        values += params
    with connection().cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        found = dict(cursor.fetchall())
    return tallies | {state.value: Tally(found[place]) for place, state in enumerate(ENDED_OR_STUCK)}


def _need(state: str, label: Any, tallies: Mapping[str, Tally], sentence: Any) -> Need:
    return Need(state, label, tallies[state], jobs_url(f"state__exact={state}"), sentence)


def _oldest(seconds: float | None) -> dict[str, Any] | None:
    """Return how late the oldest due job is, in words, and how bad that is."""
    if seconds is None:
        return None
    whole = int(seconds)
    words = f"{whole} s" if whole < 120 else display.duration(whole)
    if whole > conf.get("VERY_LATE_SECONDS"):
        return {"words": words, "look": "bad", "icon": "cross"}
    late_by = whole > conf.get("LATE_SECONDS")
    return {"words": words, "look": "warn" if late_by else "ok", "icon": "warning" if late_by else "check"}


def _ago(worker: Worker) -> str:
    return display.duration(max((clock.now() - worker.heartbeat_at).total_seconds(), 0))


def _about(job: Job) -> str:
    kind = registry.find(job.type)
    words = kind.describe(job) if kind is not None and kind.describe is not None else job.target_id
    return display.short(f"{job} {words}".strip())


def _page(job: Job) -> str:
    return reverse("admin:queue_app_job_change", args=[job.pk])


def _sum(numbers: Any, name: str) -> int:
    return sum(row[name] for row in numbers)


VIEW_JOB = "queue_app.view_job"
register(Panel("attention", _("Needs a person first"), 10, f"{PANELS}/attention.html", attention, VIEW_JOB))
register(Panel("now", _("The queue now"), 20, f"{PANELS}/now.html", now, VIEW_JOB))
register(Panel("workers", _("Workers"), 25, f"{PANELS}/workers.html", workers_now, "queue_app.view_worker"))
register(Panel("day", _("The last 24 hours"), 40, f"{PANELS}/day.html", day, VIEW_JOB))
register(Panel("next", _("What is next"), 50, f"{PANELS}/next.html", coming, VIEW_JOB))
