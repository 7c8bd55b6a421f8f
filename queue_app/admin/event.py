"""Events: what happened, the newest first. Cheap however long the log is: no whole table is asked."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from queue_app.admin import display
from queue_app.admin.asked import whole_number
from queue_app.admin.days import DaysFilter
from queue_app.admin.lists import ChosenFilter, LongListMixin
from queue_app.admin.pages import SEARCH_CHARACTERS, ReadOnlyAdmin
from queue_app.explain import REASONS, words
from queue_app.models import Event, EventName
from queue_app.states import JobState


class TargetFilter(admin.SimpleListFilter):
    """Events by the state that the job entered."""

    title, parameter_name = _("to"), "target"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the states."""
        return list(JobState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """Return the events that led to the chosen state."""
        return queryset.filter(target=self.value()) if self.value() in JobState.values else queryset


class NameFilter(ChosenFilter):
    """Events by what happened; those that other apps record by ``?name=`` and their name, or all of them."""

    title, parameter_name = _("event"), "name"
    RECORDED = "recorded"

    def offered(self) -> list[str]:
        """Return the names of the queue's own events, and the word for all others."""
        return [*EventName.values, self.RECORDED]

    def shown(self, value: str) -> str:
        """Return an event's name in words."""
        return str({**dict(EventName.choices), self.RECORDED: _("of other apps")}.get(value, value))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """Return the events that were asked for."""
        return queryset.filter(job=None) if self.value() == self.RECORDED else super().queryset(request, queryset)


@admin.register(Event)
class EventAdmin(LongListMixin, ReadOnlyAdmin):
    """Events. Read only."""

    page_template = "queue_app/admin/event.html"
    empty_hint = _("Nothing has happened yet. Each job that is queued begins with an event.")
    list_display = ["happened", "name_badge", "job_link", "change", "why", "actor"]
    list_display_links = ["happened"]
    list_filter = [NameFilter, TargetFilter, ("at", DaysFilter)]
    list_select_related = ["job"]
    search_fields = ["actor", "reason"]
    search_help_text = _("Search by the number of a job, by who did it, or by the reason.")
    ordering = ["-id"]
    sortable_by = ()
    list_per_page = 50

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search for a job by its number, else for the words in who did it and why, as code or as people read it."""
        term = search_term.strip()
        number = whole_number(term.removeprefix("#"))
        if number is not None:
            return queryset.filter(job_id=number), False
        found, has_duplicates = super().get_search_results(request, queryset, search_term)
        codes = [code for code, said in REASONS.items() if term and term[:SEARCH_CHARACTERS].lower() in said.lower()]
        return (found | queryset.filter(reason__in=codes) if codes else found), has_duplicates

    @admin.display(description=_("when"))
    def happened(self, event: Event) -> SafeString | str:
        """Return when it happened, to the millisecond."""
        return display.exact_moment(event.at)

    @admin.display(description=_("event"))
    def name_badge(self, event: Event) -> SafeString:
        """Return the event with its icon."""
        said = event.get_name_display()
        return display.badge(event.name, said.capitalize() if event.job_id is not None else said)

    @admin.display(description=_("job"))
    def job_link(self, event: Event) -> SafeString | str:
        """Return the job, linked; what other apps record has none."""
        if event.job is None:
            return display.NOTHING
        return format_html('<a href="{}">{}</a>', reverse("admin:queue_app_job_change", args=[event.job_id]), event.job)

    @admin.display(description=_("from and to"))
    def change(self, event: Event) -> str:
        """Return the states before and after."""
        return f"{event.source} → {event.target}" if event.source not in ("", event.target) else event.target

    @admin.display(description=_("reason"))
    def why(self, event: Event) -> str:
        """Return the reason in words."""
        return words(event.job, event.reason) or display.NOTHING

    def page_context(self, request: HttpRequest, row: Event) -> dict[str, Any]:
        """Return the event in words and its data."""
        return {
            "title": f"{row.get_name_display().capitalize()}: {row.job}" if row.job is not None else row.name,
            "name": self.name_badge(row),
            "job_link": self.job_link(row),
            "change": self.change(row),
            "why": self.why(row),
            "data": display.as_json(row.data),
        }
