"""Limits: what each allows, how much of it is used and when it opens; forgetting the uses after a question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Value
from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queue_app import clock, conf, limits, registry
from queue_app.admin import display
from queue_app.admin.actions import ConfirmedAction, ConfirmedActionsMixin
from queue_app.admin.job_actions import OPERATE
from queue_app.admin.lists import how_many_wait, waiting_link
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.models import Limit
from queue_app.rates import Rate, Rates

UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
NO_LIMIT = _("no longer limited")


@dataclass(frozen=True, slots=True)
class Configured:
    """One limit as it is configured: for which keys, its rates in words, where that is said, whether it was used."""

    pattern: str
    rates: str
    source: str
    used: bool


class ForgetUses(ConfirmedAction):
    """Let a limit begin anew."""

    name, label, done, permission = "forget", _("Forget the uses"), _("begun anew"), OPERATE
    sure = _("Yes, forget the uses")
    warning = _(
        "What was started already is not counted any more: as many jobs as the limit allows may start at once on top "
        "of it. Whoever sets the limit, a platform say, goes on counting."
    )

    def why_not(self, row: Limit, request: HttpRequest) -> str:
        """Skip what has never been used."""
        return "" if row.used else gettext("it has not been used")

    def perform(self, row: Limit, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Forget its uses and let jobs go."""
        return gettext("%(forget)s jobs let go") % {"forget": limits.forget(row.key)}


@admin.register(Limit)
class LimitAdmin(ConfirmedActionsMixin, ReadOnlyAdmin):
    """Limits. Read only, but for forgetting what was counted."""

    page_template = "queue_app/admin/limit.html"
    change_list_template = "queue_app/admin/limit_list.html"
    empty_hint = _(
        "No job has come under a limit yet. Limits are set in SOCIALQ_LIMITS, such as platform:linkedin=20/d."
    )
    confirmed_actions = [ForgetUses]
    list_display = ["key", "rates", "used_so_far", "left", "opens", "waiting"]
    search_fields = ["key"]
    ordering = ["key"]
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Limit]:
        """Return the limits with how many jobs wait for each."""
        rows: QuerySet[Limit] = super().get_queryset(request)
        return rows.annotate(waiting_jobs=how_many_wait(Concat(Value(limits.LOT), OuterRef("key"))))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with what is configured."""
        return super().changelist_view(request, {"configured": configured(), **(extra_context or {})})

    @admin.display(description=_("allows"))
    def rates(self, limit: Limit) -> SafeString | str:
        """Return the rates in words, one a line."""
        return _lines([in_words(rate) for rate in limits.rates_of(limit.key)]) or str(NO_LIMIT)

    @admin.display(description=_("used"))
    def used_so_far(self, limit: Limit) -> SafeString | str:
        """Return how much of each rate is used, one a line."""
        uses = limits.uses(limit, limits.rates_of(limit.key), clock.now())
        return (
            _lines(
                [
                    gettext("%(used)s of %(count)s") % {"used": f"{used:,}", "count": f"{rate.count:,}"}
                    for rate, used in uses
                ]
            )
            or display.NOTHING
        )

    @admin.display(description=_("left now"))
    def left(self, limit: Limit) -> str:
        """Return how many more may start now."""
        return _number(_left(limit, limits.rates_of(limit.key)))

    @admin.display(description=_("opens"))
    def opens(self, limit: Limit) -> SafeString | str:
        """Return when one more may start, where none may now."""
        until = limits.opens_at(limit, limits.rates_of(limit.key), clock.now())
        return display.moment(until) if until else str(_("open"))

    @admin.display(description=_("jobs waiting"), ordering="waiting_jobs")
    def waiting(self, limit: Any) -> SafeString | str:
        """Return how many jobs wait for it, linked."""
        return waiting_link(limits.LOT + limit.key, limit.waiting_jobs)

    def page_context(self, request: HttpRequest, row: Limit) -> dict[str, Any]:
        """Return each rate with its uses, and the rest of the list's columns."""
        rates = limits.rates_of(row.key)
        return {
            "uses": [(in_words(rate), used, rate.count) for rate, used in limits.uses(row, rates, clock.now())],
            "left": self.left(row),
            "opens": self.opens(row),
            "waiting": self.waiting(row),
            "buttons": self.buttons_for(request, row),
        }


def in_words(rate: Rate) -> str:
    """Return a rate such as "20 in any day", "25 in any 15 minutes"."""
    length, unit = next((length, unit) for length, unit in UNITS if rate.seconds % length == 0)
    times = rate.seconds // length
    span = unit if times == 1 else f"{times} {unit}s"
    return gettext("%(number)s in any %(span)s") % {"number": f"{rate.count:,}", "span": span}


def configured() -> list[Configured]:
    """Return every limit of the settings and the job types, by pattern."""
    names = list(Limit.objects.values_list("key", flat=True))
    return [
        Configured(pattern, ", ".join(map(in_words, limits.parse_rates(rates))), source, _is_used(counted_as, names))
        for pattern, rates, source, counted_as in _configured()
    ]


def _configured() -> Iterator[tuple[str, str, str, str]]:
    """Yield pattern, rates, where they are set, and the pattern of the names that they are counted under."""
    for pattern, rates in sorted(conf.get("LIMITS").items()):
        yield pattern, rates, "SOCIALQ_LIMITS", pattern
    for name, kind in sorted(registry.known().items()):
        for pattern, rates in sorted({} if kind.internal else kind.limits.items()):
            yield (
                pattern,
                rates,
                gettext("job type %(name)s") % {"name": name},
                pattern if pattern == f"type:{name}" else f"{name} {pattern}",
            )


def _is_used(pattern: str, names: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _left(limit: Limit, rates: Rates) -> int | None:
    return min((rate.count - used for rate, used in limits.uses(limit, rates, clock.now())), default=None)


def _number(number: int | None) -> str:
    return display.NOTHING if number is None else f"{max(number, 0):,}"


def _lines(words: list[str]) -> SafeString:
    return format_html_join(SafeString("<br>"), "{}", ((word,) for word in words))
