"""What keeps lists of a million rows cheap: counting no further than people page, filters that ask no whole table."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Count, IntegerField, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from queue_app import breakers, limits, parking, registry, routes, selectors
from queue_app.models import Job

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyPaginator = Paginator[Any]
else:
    AnyModelAdmin = admin.ModelAdmin
    AnyPaginator = Paginator

MOST_COUNTED = 10_000
LOTS_OFFERED = 20


class CappedPaginator(AnyPaginator):
    """Counts to MOST_COUNTED; older rows are found by filters."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or MOST_COUNTED if there are as many or more."""
        return int(self.object_list.order_by()[:MOST_COUNTED].count())  # type: ignore[attr-defined]  # a query set here

    @property
    def capped(self) -> bool:
        """Whether there may be more rows than were counted."""
        return self.count >= MOST_COUNTED


class LongChangeList(ChangeList):
    """A list that does not give the number at which counting ended for the number of results."""

    def get_results(self, request: HttpRequest) -> None:
        """Find the rows of the page; beside the search Django shows a count that differs from the full one."""
        super().get_results(request)
        if self.paginator.capped:
            self.full_result_count = self.result_count


class LongListMixin(AnyModelAdmin):
    """A list that is not counted to its end, nor once for each choice of its filters."""

    paginator = CappedPaginator
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the class of the list."""
        return LongChangeList


class ChosenFilter(admin.SimpleListFilter):
    """Rows whose ``parameter_name`` has the chosen value, which need not be among those offered."""

    def offered(self) -> list[str]:
        """Return the values to offer."""
        raise NotImplementedError

    def shown(self, value: str) -> str:
        """Return what a value is called."""
        return value

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the values to offer, the chosen one among them."""
        chosen = request.GET.get(str(self.parameter_name))
        values = dict.fromkeys([*self.offered(), *([chosen] if chosen else [])])
        return [(value, self.shown(value)) for value in values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows with the chosen value."""
        value = self.value()
        return queryset.filter(**{str(self.parameter_name): value}) if value else queryset


class TypeFilter(ChosenFilter):
    """Jobs of one type. Offers those that this process knows."""

    title, parameter_name = _("type"), "type"

    def offered(self) -> list[str]:
        """Return the known types, without the queue's own."""
        return sorted(name for name, kind in registry.known().items() if not kind.internal)


class AttemptTypeFilter(TypeFilter):
    """Attempts of jobs of one type."""

    parameter_name = "job__type"


class QueueFilter(ChosenFilter):
    """Jobs of one queue. Offers the default one, those that something waits in, and those that types are sent to."""

    title, parameter_name = _("queue"), "queue"

    def offered(self) -> list[str]:
        """Return the queues by name."""
        own = {routes.queue_for(kind.name, kind.queue) for kind in registry.known().values()}
        return sorted({*own, *selectors.pending_queues()})


class LotFilter(ChosenFilter):
    """Jobs that wait behind one shut gate: a pause, a limit, a breaker."""

    title, parameter_name = _("waiting under"), "parked_by"

    def offered(self) -> list[str]:
        """Return the first lots in which jobs wait."""
        return list(islice(parking.lots(), LOTS_OFFERED))

    def shown(self, value: str) -> str:
        """Return the gate's kind and key."""
        for kind, prefix in (("limit", limits.LOT), ("breaker", breakers.LOT)):
            if value.startswith(prefix):
                return f"{kind} {value.removeprefix(prefix)}"
        return value

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the jobs in the chosen lot."""
        # Said twice, for SQLite uses a partial index only where its condition stands in the query.
        return super().queryset(request, queryset.exclude(parked_by="") if self.value() else queryset)


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
        return queryset if self.value() == "yes" else queryset.exclude(type__in=selectors.internal_types())


def waiting_in(lot: Any) -> QuerySet[Job]:
    """Return the jobs that wait in ``lot``, text or an expression. See ``LotFilter`` for why it is said twice."""
    return Job.objects.exclude(parked_by="").filter(parked_by=lot)


def how_many_wait(lot: Any) -> Coalesce:
    """Return the number of jobs that wait in the lot that the expression ``lot`` names, as an annotation."""
    waiting = waiting_in(lot).order_by().values("parked_by").annotate(found=Count("pk"))
    return Coalesce(Subquery(waiting.values("found")), 0, output_field=IntegerField())


def waiting_link(lot: str, number: int) -> SafeString | str:
    """Return the number of jobs that wait in ``lot``, linked to their list."""
    if not number:
        return "0"
    url = f"{reverse('admin:queue_app_job_changelist')}?{urlencode({'parked_by': lot, 'own': 'yes'})}"
    return format_html('<a href="{}">{}</a>', url, f"{number:,}")
