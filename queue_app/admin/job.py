"""Jobs: where each stands in words, its history, and what an operator may do with it; dead letters among them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queue_app import registry
from queue_app.admin import display
from queue_app.admin.asked import whole_number
from queue_app.admin.dashboard import dashboard
from queue_app.admin.days import ComingDaysFilter
from queue_app.admin.due import DueFilter
from queue_app.admin.job_actions import JOB_ACTIONS
from queue_app.admin.lists import LongChangeList, LongListMixin, LotFilter, OwnJobsFilter, QueueFilter, TypeFilter
from queue_app.admin.many import ManyJobsMixin, progress_lines
from queue_app.admin.others import job_filters, names_of
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.course import course_of
from queue_app.explain import explain, words
from queue_app.models import Job
from queue_app.states import JobState

DEAD = f"?state__exact={JobState.FAILED.value}"
DEAD_COLUMNS = ["number", "what", "failed_at", "why", "error", "attempts_of"]
DEAD_HINT = _("No dead letters: nothing has failed for good.")


class JobChangeList(LongChangeList):
    """A page of jobs, each with what it is about, which the apps say of all at once."""

    def get_results(self, request: HttpRequest) -> None:
        """Find the rows of the page and name them."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        names = names_of(self.result_list)
        for job in self.result_list:
            job.about = names.get(job.pk)


@admin.register(Job)
class JobAdmin(ManyJobsMixin, LongListMixin, ReadOnlyAdmin):
    """Jobs, to read and to operate. Filtered to the failed ones they are the dead letters."""

    page_template = "queue_app/admin/job.html"
    empty_hint = _("No job yet. Jobs appear here as soon as something is queued.")
    confirmed_actions = JOB_ACTIONS
    list_display = ["number", "state_badge", "what", "due", "attempts_of", "error", "runs_on"]
    list_filter = ["state", DueFilter, OwnJobsFilter, TypeFilter, QueueFilter, LotFilter, ("run_at", ComingDaysFilter)]
    list_select_related = ["worker"]
    search_fields = ["target_id", "unique_key", "last_error", "reason", "type"]
    search_help_text = _("Search by number, target, unique key, type, reason or error.")
    ordering = ["-id"]
    list_per_page = 50

    def get_urls(self) -> list[URLPattern]:
        """Put the dashboard beside the list."""
        view = self.admin_site.admin_view(dashboard)
        own = path("dashboard/", view, {"site": self.admin_site}, name="queue_app_dashboard")
        return [own, *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns; those of dead letters say when and why each failed."""
        return DEAD_COLUMNS if _is_dead_letters(request) else self.list_display

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Return the queue's own filters and those of the apps that use it."""
        return [*self.list_filter, *job_filters()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the list."""
        return JobChangeList

    def get_ordering(self, request: HttpRequest) -> Any:
        """Return the newest first: by number, dead letters by when they failed."""
        return ["-finished_at", "-id"] if _is_dead_letters(request) else self.ordering

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search for the words; a number finds the job and the jobs about that target, by an index alone."""
        number = whole_number(search_term.strip().removeprefix("#"))
        if number is not None:
            by_target = Job.objects.exclude(target_id="").filter(target_id=str(number)).values("pk")
            return queryset.filter(pk__in=Job.objects.filter(pk=number).values("pk").union(by_target)), False
        return super().get_search_results(request, queryset, search_term)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list under the name of what is in it, with links to its other half and what is under way."""
        everything = reverse("admin:queue_app_job_changelist")
        dead = _is_dead_letters(request)
        context: dict[str, Any] = {
            "tools": [(everything, _("All jobs"))] if dead else [(f"{everything}{DEAD}", _("Dead letters"))],
            "lines": progress_lines() if request.method == "GET" else [],
        }
        if dead:
            context |= {"title": _("Dead letters"), "empty_filtered": DEAD_HINT if len(request.GET) == 1 else ""}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    @admin.display(description=_("job"), ordering="id")
    def number(self, job: Job) -> str:
        """Return the job's number."""
        return f"#{job.pk}"

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, job: Job) -> SafeString:
        """Return the state with its icon."""
        return display.badge(job.state, job.get_state_display().capitalize())

    @admin.display(description=_("what"), ordering="type")
    def what(self, job: Job) -> SafeString:
        """Return what it is about, its type, and its priority where that is not the usual one."""
        usual = Job._meta.get_field("priority").get_default()
        rest = [job.type] if job.priority == usual else [job.type, _("priority %(number)d") % {"number": job.priority}]
        about = self.about(job)
        return format_html('{}<span class="sq-second">{}</span>', about, " · ".join(map(str, rest)))

    @admin.display(description=_("due"), ordering="run_at")
    def due(self, job: Job) -> SafeString | str:
        """Return when it is due."""
        return display.moment(job.run_at)

    @admin.display(description=_("worker"))
    def runs_on(self, job: Job) -> str:
        """Return the worker that has it, shortened."""
        return display.short(str(job.worker), 24) if job.worker is not None else ""

    @admin.display(description=_("attempts"), ordering="attempts")
    def attempts_of(self, job: Job) -> str:
        """Return how many attempts it has had, of how many."""
        return gettext("%(attempts)s of %(max_attempts)s") % {
            "attempts": job.attempts,
            "max_attempts": job.max_attempts,
        }

    @admin.display(description=_("last error"))
    def error(self, job: Job) -> str:
        """Return the beginning of the last error."""
        return display.short(job.last_error)

    @admin.display(description=_("about"))
    def about(self, job: Job) -> str:
        """Return what it is about: as an app says, else the type's own description where there is one."""
        named = getattr(job, "about", None) or names_of([job]).get(job.pk)
        if named:
            return display.short(named)
        kind = registry.find(job.type)
        return display.short(kind.describe(job) if kind is not None and kind.describe is not None else job.target_id)

    @admin.display(description=_("failed"), ordering="finished_at")
    def failed_at(self, job: Job) -> SafeString | str:
        """Return when it failed."""
        return display.moment(job.finished_at)

    @admin.display(description=_("why"), ordering="reason")
    def why(self, job: Job) -> str:
        """Return the reason in words."""
        return words(job) or display.NOTHING

    def page_context(self, request: HttpRequest, row: Job) -> dict[str, Any]:
        """Return the explanation, the history and the buttons."""
        return {
            "explanation": explain(row),
            "about": self.about(row),
            "events": row.events.order_by("id"),
            "course": course_of(row),
            "tone": display.LOOKS[row.state][1],
            "reconciliations": row.reconciliations.order_by("id"),
            "arguments": display.as_json(row.args),
            "result": display.as_json(row.result),
            "buttons": self.buttons_for(request, row),
        }


def _is_dead_letters(request: HttpRequest) -> bool:
    return JobState.FAILED in (request.GET.get("state__exact"), request.GET.get("state"))
