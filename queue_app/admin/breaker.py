"""Breakers: which keys failed again and again, until when each is left alone; closing one after a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queue_app import breakers, clock
from queue_app.admin import display
from queue_app.admin.actions import ConfirmedAction, ConfirmedActionsMixin
from queue_app.admin.job_actions import OPERATE
from queue_app.admin.lists import how_many_wait, waiting_link
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.models import Breaker

STATES: Mapping[str, str | Promise] = {
    "closed": _("Closed: its jobs run"),
    "open": _("Open: left alone"),
    "probing": _("Probing: one job at a time"),
}


class CloseNow(ConfirmedAction):
    """Let everything under a key run again."""

    name, label, done, permission = "close", _("Close now"), _("closed; what waited runs again"), OPERATE
    sure = _("Yes, close now")
    warning = _("Everything that waits is tried at once. If the other side still fails, it opens again.")

    def why_not(self, row: Breaker, request: HttpRequest) -> str:
        """Skip what keeps nothing from running."""
        return gettext("it is closed") if breakers.state_of(row, clock.now()) == "closed" else ""

    def perform(self, row: Breaker, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Close it."""
        return gettext("%(close)s jobs let go") % {"close": breakers.close(row.key)}


class StateFilter(admin.SimpleListFilter):
    """Breakers by whether they keep anything from running."""

    title, parameter_name = _("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the three states."""
        return list(STATES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Breaker]) -> QuerySet[Breaker]:
        """Return the breakers in the chosen state."""
        open_now = Q(open_until__gt=clock.now())
        tripped = Q(open_until__isnull=False, trips__gt=0)
        match self.value():
            case "open":
                return queryset.filter(open_now)
            case "probing":
                return queryset.filter(tripped).exclude(open_now)
            case "closed":
                return queryset.exclude(open_now).exclude(tripped)
        return queryset


@admin.register(Breaker)
class BreakerAdmin(ConfirmedActionsMixin, ReadOnlyAdmin):
    """Breakers. Read only, but for closing one."""

    page_template = "queue_app/admin/breaker.html"
    empty_hint = _("No key has failed so far. A job type counts failures where it says breaker=")
    confirmed_actions = [CloseNow]
    list_display = ["key", "state", "failures", "waiting", "ends", "error", "probed_by"]
    list_filter = [StateFilter]
    list_select_related = ["probe"]
    search_fields = ["key", "last_error"]
    ordering = ["key"]
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Breaker]:
        """Return the breakers with how many jobs wait for each."""
        rows: QuerySet[Breaker] = super().get_queryset(request)
        return rows.annotate(waiting_jobs=how_many_wait(Concat(Value(breakers.LOT), OuterRef("key"))))

    @admin.display(description=_("state"))
    def state(self, breaker: Breaker) -> SafeString:
        """Return whether it lets jobs run, with its icon."""
        state = breakers.state_of(breaker, clock.now())
        return display.badge(state, STATES[state])

    @admin.display(description=_("open until"), ordering="open_until")
    def ends(self, breaker: Breaker) -> SafeString | str:
        """Return until when nothing is tried."""
        shut = breakers.state_of(breaker, clock.now()) == "open"
        return display.moment(breaker.open_until) if shut else display.NOTHING

    @admin.display(description=_("last error"))
    def error(self, breaker: Breaker) -> str:
        """Return the beginning of the last error."""
        return display.short(breaker.last_error)

    @admin.display(description=_("probe"))
    def probed_by(self, breaker: Breaker) -> SafeString | str:
        """Return the job that is being tried, linked."""
        if breaker.probe is None:
            return display.NOTHING
        url = reverse("admin:queue_app_job_change", args=[breaker.probe.pk])
        return format_html('<a href="{}">{}</a>', url, breaker.probe)

    @admin.display(description=_("jobs waiting"), ordering="waiting_jobs")
    def waiting(self, breaker: Any) -> SafeString | str:
        """Return how many jobs wait for it, linked."""
        return waiting_link(breakers.LOT + breaker.key, breaker.waiting_jobs)

    def page_context(self, request: HttpRequest, row: Breaker) -> dict[str, Any]:
        """Return the list's columns and the buttons."""
        return {
            "state": self.state(row),
            "ends": self.ends(row),
            "probe": self.probed_by(row),
            "waiting": self.waiting(row),
            "buttons": self.buttons_for(request, row),
        }
