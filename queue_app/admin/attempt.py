"""The error log: every execution of every job, those that did not go well first in the filter."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queue_app.admin import display
from queue_app.admin.days import DaysFilter
from queue_app.admin.lists import AttemptTypeFilter, ChosenFilter, LongListMixin
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.models import Attempt, AttemptOutcome

NEWEST = 1000
GONE_WELL = (AttemptOutcome.RUNNING, AttemptOutcome.COMPLETED)


class OutcomeFilter(admin.SimpleListFilter):
    """Errors unless something else is asked for: that is what an error log is opened for."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return "all" and every outcome."""
        return [("all", _("All executions")), *AttemptOutcome.choices]

    def choices(self, changelist: Any) -> Any:
        """Name the default, which Django would call All."""
        default, *others = super().choices(changelist)
        return [{**default, "display": _("Everything that did not go well")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Attempt]) -> QuerySet[Attempt]:
        """Return the attempts with the chosen outcome."""
        if self.value() == "all":
            return queryset
        if self.value() in AttemptOutcome.values:
            return queryset.filter(outcome=self.value())
        return queryset.exclude(outcome__in=GONE_WELL)


class ErrorFilter(ChosenFilter):
    """Attempts that ended with one class of error. Offers those of the newest attempts."""

    title, parameter_name = _("error"), "error_class"

    def offered(self) -> list[str]:
        """Return the classes by name."""
        newest = Attempt.objects.order_by("-id").values("pk")[:NEWEST]
        found = Attempt.objects.filter(pk__in=newest).exclude(error_class="")
        return sorted(found.order_by().values_list("error_class", flat=True).distinct())


@admin.register(Attempt)
class AttemptAdmin(LongListMixin, ReadOnlyAdmin):
    """Attempts with their errors. Read only."""

    page_template = "queue_app/admin/attempt.html"
    empty_hint = _("Nothing has gone wrong. Choose “All executions” in the filter to see what has run.")
    list_display = [
        "started",
        "outcome_badge",
        "error",
        "error_class",
        "job_link",
        "count",
        "response_code",
        "took",
        "worker",
    ]
    list_display_links = ["started"]
    list_filter = [OutcomeFilter, ErrorFilter, AttemptTypeFilter, ("started_at", DaysFilter)]
    list_select_related = ["job"]
    search_fields = ["message", "code", "job__target_id"]
    search_help_text = _("Search messages, codes and targets.")
    ordering = ["-id"]
    list_per_page = 50

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list under the name that people look for."""
        return super().changelist_view(request, {"title": gettext("Error log"), **(extra_context or {})})

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, attempt: Attempt) -> SafeString | str:
        """Return when it started."""
        return display.moment(attempt.started_at)

    @admin.display(description=_("job"), ordering="job")
    def job_link(self, attempt: Attempt) -> SafeString:
        """Return the job, linked."""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:queue_app_job_change", args=[attempt.job_id]), attempt.job
        )

    @admin.display(description=_("attempt"), ordering="number")
    def count(self, attempt: Attempt) -> str:
        """Return which of how many it was."""
        return gettext("%(number)s of %(max_attempts)s") % {
            "number": attempt.number,
            "max_attempts": attempt.job.max_attempts,
        }

    @admin.display(description=_("outcome"), ordering="outcome")
    def outcome_badge(self, attempt: Attempt) -> SafeString:
        """Return the outcome with its icon."""
        return display.badge(attempt.outcome, attempt.get_outcome_display().capitalize())

    @admin.display(description=_("message"))
    def error(self, attempt: Attempt) -> str:
        """Return the beginning of the message."""
        return display.short(attempt.message)

    @admin.display(description=_("duration"))
    def took(self, attempt: Attempt) -> str:
        """Return how long it ran."""
        return display.duration(attempt.duration_seconds)
