"""What people were told, and which of it is still so."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from queue_app.admin import display
from queue_app.admin.days import DaysFilter
from queue_app.admin.notifications import PAGE, notifications
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.models import Notice
from queue_app.notices import kind_of


class OpenFilter(admin.SimpleListFilter):
    """Conditions that last, such as an account to reconnect, by whether they are over."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the two states."""
        return [("open", _("Still open")), ("over", _("Over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        """Return the notices in the chosen state."""
        if self.value() == "open":
            return queryset.filter(cleared_at=None, job=None)
        return queryset.filter(cleared_at__isnull=False) if self.value() == "over" else queryset


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Notices. Read only."""

    page_template = "queue_app/admin/notice.html"
    empty_hint = _("Nobody had to be told anything so far.")
    list_display = ["created", "kind_in_words", "subject", "detail", "state", "told", "job_link"]
    list_filter = [OpenFilter, "kind", ("created_at", DaysFilter)]
    list_select_related = ["job"]
    search_fields = ["subject", "text"]
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        """Put everybody's own choices beside the list."""
        view = self.admin_site.admin_view(notifications)
        return [path("mine/", view, {"site": self.admin_site}, name=PAGE), *super().get_urls()]

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, notice: Notice) -> SafeString | str:
        """Return when it was written."""
        return display.moment(notice.created_at)

    @admin.display(description=_("kind"), ordering="kind")
    def kind_in_words(self, notice: Notice) -> str:
        """Return what it is about."""
        return str(kind_of(notice.kind).label).capitalize()

    @admin.display(description=_("text"))
    def detail(self, notice: Notice) -> str:
        """Return the beginning of the text."""
        return display.short(notice.text)

    @admin.display(description=_("state"))
    def state(self, notice: Notice) -> SafeString | str:
        """Return whether it still holds; a notice about a job tells of a moment and has no state."""
        if notice.job_id is not None:
            return display.NOTHING
        return display.badge("over", _("Over")) if notice.cleared_at else display.badge("open", _("Open"))

    @admin.display(description=_("told"), ordering="sent_at")
    def told(self, notice: Notice) -> SafeString | str:
        """Return when somebody was told of it first."""
        return display.moment(notice.sent_at)

    @admin.display(description=_("job"))
    def job_link(self, notice: Notice) -> SafeString | str:
        """Return the job it tells of, linked."""
        if notice.job is None:
            return display.NOTHING
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:queue_app_job_change", args=[notice.job.pk]), notice.job
        )

    def page_context(self, request: HttpRequest, row: Notice) -> dict[str, Any]:
        """Return the notice's kind and state in words."""
        return {"kind": self.kind_in_words(row), "state": self.state(row), "job_link": self.job_link(row)}
