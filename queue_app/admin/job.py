"""Jobs: where each stands in words, its history, and what an operator may do with it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from queue_app import api, registry
from queue_app.admin import display
from queue_app.admin.actions import ConfirmedAction, ConfirmedActionsMixin
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.explain import explain
from queue_app.models import Job
from queue_app.states import FINISHED, JobState
from queue_app.transitions import LostRace

OPERATE = "queue_app.operate_job"
REFUSALS = (api.QueueError, api.IllegalTransition, LostRace)
RETRIED = (JobState.FAILED, JobState.CANCELLED, JobState.HELD, JobState.UNCERTAIN)


class Retry(ConfirmedAction):
    """Run failed and cancelled jobs again, release held ones; uncertain ones with a warning."""

    name, label, done, permission, refusals = "retry", "Retry", "put back to run now", OPERATE, REFUSALS

    def why_not(self, row: Job, request: HttpRequest) -> str:
        """Skip what runs, waits or is done."""
        return "" if row.state in RETRIED else f"it is {row.get_state_display()}"

    def warning_for(self, rows: Any) -> str:
        """Warn of jobs whose step may have taken effect."""
        uncertain = sum(api.may_have_taken_effect(row) for row in rows)
        return f"{uncertain} of these may already be live: retrying could publish twice." if uncertain else ""

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Retry it."""
        api.retry(row.pk, actor=request.user.get_username())
        return ""


class Cancel(ConfirmedAction):
    """Stop unfinished jobs that are not past their mark."""

    name, label, done, permission, refusals = "cancel", "Cancel", "cancelled", OPERATE, REFUSALS

    def why_not(self, row: Job, request: HttpRequest) -> str:
        """Skip what is over or already being sent."""
        if row.state in FINISHED:
            return f"it is already {row.get_state_display()}"
        if row.state == JobState.RUNNING and row.marked_at is not None:
            return "it is already being sent; wait for its outcome"
        return ""

    def warning_for(self, rows: Any) -> str:
        """Warn that stopping an uncertain job takes nothing back."""
        uncertain = sum(row.state == JobState.UNCERTAIN for row in rows)
        return f"{uncertain} of these may already be live: cancelling stops the look-up alone." if uncertain else ""

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Cancel it."""
        api.cancel(row.pk, actor=request.user.get_username())
        return ""


class CheckAgain(ConfirmedAction):
    """Look uncertain jobs up anew."""

    name, label, done, permission, refusals = "check_again", "Check again", "being looked up again", OPERATE, REFUSALS

    def why_not(self, row: Job, request: HttpRequest) -> str:
        """Skip what is not uncertain, and what cannot be looked up."""
        if row.state != JobState.UNCERTAIN:
            return f"it is {row.get_state_display()}, not uncertain"
        kind = registry.known().get(row.type)
        return "" if kind is not None and kind.reconcile is not None else f"jobs of type {row.type} cannot be looked up"

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Have it looked up."""
        api.check_again(row.pk)
        return ""


class OwnJobsFilter(admin.SimpleListFilter):
    """Leave the queue's own housekeeping out, as its counts do."""

    title = _("jobs")
    parameter_name = "own"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the choice beside the default."""
        return [("yes", _("With the queue's own"))]

    def choices(self, changelist: Any) -> Any:
        """Name the default, which Django would call All."""
        default, *others = super().choices(changelist)
        return [{**default, "display": _("What people queued")}, *others]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the jobs asked for."""
        return queryset if self.value() == "yes" else queryset.exclude(type__startswith="queue_app.")


@admin.register(Job)
class JobAdmin(ConfirmedActionsMixin, ReadOnlyAdmin):
    """Jobs, to read and to operate."""

    page_template = "queue_app/admin/job.html"
    empty_hint = "No job matches. Jobs appear here as soon as something is queued."
    confirmed_actions = [Retry, Cancel, CheckAgain]
    list_display = ["number", "state_badge", "type", "target_id", "due", "attempts_of", "error", "priority", "worker"]
    list_filter = ["state", OwnJobsFilter, "type", "queue", "run_at"]
    list_select_related = ["worker"]
    search_fields = ["=id", "target_id", "unique_key", "last_error"]
    search_help_text = _("Search by number, target, unique key or error.")
    ordering = ["-id"]
    list_per_page = 50

    @admin.display(description=_("job"), ordering="id")
    def number(self, job: Job) -> str:
        """Return the job's number."""
        return f"#{job.pk}"

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, job: Job) -> SafeString:
        """Return the state with its icon."""
        return display.badge(job.state, job.get_state_display().capitalize())

    @admin.display(description=_("due"), ordering="run_at")
    def due(self, job: Job) -> SafeString | str:
        """Return when it is due."""
        return display.moment(job.run_at)

    @admin.display(description=_("attempts"), ordering="attempts")
    def attempts_of(self, job: Job) -> str:
        """Return how many attempts it has had, of how many."""
        return f"{job.attempts} of {job.max_attempts}"

    @admin.display(description=_("last error"))
    def error(self, job: Job) -> str:
        """Return the beginning of the last error."""
        return display.short(job.last_error)

    def page_context(self, request: HttpRequest, row: Job) -> dict[str, Any]:
        """Return the explanation, the history and the buttons."""
        kind = registry.known().get(row.type)
        return {
            "explanation": explain(row),
            "about": kind.describe(row) if kind is not None and kind.describe is not None else row.target_id,
            "events": row.events.order_by("id"),
            "attempts": row.attempt_set.order_by("id"),
            "reconciliations": row.reconciliations.order_by("id"),
            "arguments": display.as_json(row.args),
            "result": display.as_json(row.result),
            "buttons": self.buttons_for(request, row),
        }
