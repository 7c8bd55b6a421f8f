"""A filter by days: a few that people ask for by name, or any range, in the person's own zone. Kept in the URL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queue_app import clock


class Days(NamedTuple):
    """What the form of a range shows."""

    from_name: str
    to_name: str
    from_day: str
    to_day: str
    zone: str


class DaysFilter(admin.FieldListFilter):
    """Rows whose moment falls on the chosen days; both ends belong to them, either may be open.

    Use it as ``("run_at", DaysFilter)``; the list's ``zone_name`` says where a day begins.
    """

    ahead: ClassVar[bool] = False

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        self.from_name, self.to_name = self.names_of(field_path)
        self._from = _day(params.get(self.from_name, [""])[-1])
        self._to = _day(params.get(self.to_name, [""])[-1])
        self._zone = str(model_admin.zone_name(request))
        super().__init__(field, request, params, model, model_admin, field_path)

    @staticmethod
    def names_of(field_path: str) -> tuple[str, str]:
        """Return the parameters of the URL."""
        return f"{field_path}_from", f"{field_path}_to"

    def expected_parameters(self) -> list[str | None]:
        """Return the parameters that are ours."""
        return [self.from_name, self.to_name]

    @property
    def chosen(self) -> str:
        """What a range is called that has no name."""
        ends = [date_format(day, "SHORT_DATE_FORMAT") if day else "…" for day in (self._from, self._to)]
        return " – ".join(ends)

    def days(self) -> Days:
        """Return what the form of a range shows."""
        shown = [day.isoformat() if day else "" for day in (self._from, self._to)]
        return Days(self.from_name, self.to_name, shown[0], shown[1], self._zone)

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield the days that have a name."""
        for label, start, end in self._named():
            asked = {self.from_name: start.isoformat(), self.to_name: end.isoformat()} if start and end else {}
            yield {
                "selected": (self._from, self._to) == (start, end),
                "query_string": changelist.get_query_string(asked, [self.from_name, self.to_name]),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of these days."""
        if self._from:
            queryset = queryset.filter(**{f"{self.field_path}__gte": self._midnight(self._from)})
        if self._to:
            queryset = queryset.filter(**{f"{self.field_path}__lt": self._midnight(self._to + timedelta(days=1))})
        return queryset

    def _named(self) -> list[tuple[Any, date | None, date | None]]:
        today = clock.now().astimezone(ZoneInfo(self._zone)).date()
        week, month = timedelta(days=7), today.replace(day=1)
        next_month = (month + timedelta(days=32)).replace(day=1)
        coming = [
            (_("Tomorrow"), today + timedelta(days=1), today + timedelta(days=1)),
            (_("Next 7 days"), today, today + week),
        ]
        return [
            (_("Any day"), None, None),
            (_("Today"), today, today),
            *(coming if self.ahead else []),
            (_("Past 7 days"), today - week, today),
            (_("This month"), month, next_month - timedelta(days=1)),
        ]

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self._zone))


class ComingDaysFilter(DaysFilter):
    """The same for what mostly lies ahead."""

    ahead = True


def _day(text: str) -> date | None:
    """Return the day that ``text`` writes as ISO 8601; none for "". Raises IncorrectLookupParameters for others."""
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise IncorrectLookupParameters(error) from error
    # A day beside the ends of the calendar has no midnight in every zone.
    if not date.min + timedelta(days=2) <= found <= date.max - timedelta(days=2):
        raise IncorrectLookupParameters(gettext("%(found)s is beside the calendar") % {"found": found})
    return found
