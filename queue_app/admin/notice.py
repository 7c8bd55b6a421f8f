"""What people were told, and which of it is still so."""

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
from queue_app.admin.days import DaysFilter
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.models import Notice

KINDS = {
    "failed": _("failed"),
    "needs_review": _("needs review"),
    "reconnect": _("account must be reconnected"),
    "no_worker": _("no worker alive"),
    "clock_skew": _("clock is wrong"),
    "clock_jump": _("clock was set"),
}


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
    list_display = ["created", "kind_in_words", "subject", "detail", "state", "mailed", "job_link"]
    list_filter = [OpenFilter, "kind", ("created_at", DaysFilter)]
    list_select_related = ["job"]
    search_fields = ["subject", "text"]
    ordering = ["-id"]

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, notice: Notice) -> SafeString | str:
        """Return when it was written."""
        return display.moment(notice.created_at)

    @admin.display(description=_("kind"), ordering="kind")
    def kind_in_words(self, notice: Notice) -> str:
        """Return what it is about."""
        return str(KINDS.get(notice.kind, notice.kind.replace("_", " "))).capitalize()

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

    @admin.display(description=_("mailed"), ordering="sent_at")
    def mailed(self, notice: Notice) -> SafeString | str:
        """Return when it was mailed."""
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
