"""What a request asks of the calendar: view, date, zone and filters. What cannot be used is said, never an error.

The address has all of it; view and date are kept in the session for the next visit without them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from posts.admin import zones
from posts.admin.people import person_of
from posts.models import Account, PostStatus, Tag
from posts.publishing import registry
from posts.selectors.calendar import Filters
from posts.selectors.posts import usable_accounts
from posts.text.wall_time import UnknownZone
from queue_app import clock
from queue_app.admin.asked import whole_number

MONTH, WEEK, DAY, LIST = VIEWS = ("month", "week", "day", "list")
REMEMBERED = "posts_calendar"
# The calendar's first and last year: at the ends of time there is no midnight everywhere.
YEARS = range(1990, 2101)


@dataclass
class Choices:
    """What the filters offer."""

    accounts: list[Account]
    platforms: list[tuple[str, str]]
    tags: list[str]
    states: list[PostStatus] = field(default_factory=lambda: list(PostStatus))


@dataclass
class Asked:
    """What is asked for. ``notes`` say what of it could not be used."""

    view: str
    day: date
    zone: str
    filters: Filters
    now: datetime
    choices: Choices
    has_own_zone: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def offset(self) -> str:
        """How far the zone is from UTC now."""
        return zones.offset_words(self.zone, self.now)

    @property
    def today(self) -> date:
        """The day that it is in the calendar's zone."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    def query(self, *, view: str = "", day: date | None = None, filters: Filters | None = None) -> str:
        """Return the address's query for this, or for another view, day or other filters."""
        chosen = self.filters if filters is None else filters
        found = QueryDict(mutable=True)
        found["view"] = view or self.view
        found["date"] = (day or self.day).isoformat()
        if self.has_own_zone:
            found["zone"] = self.zone
        for name in ("account", "platform", "tag", "state"):
            if getattr(chosen, name):
                found[name] = str(getattr(chosen, name))
        return found.urlencode()


def asked_by(request: HttpRequest, query: QueryDict) -> Asked:
    """Return what ``query`` asks for, with what the person looked at last in place of what it leaves open."""
    person, now, notes = person_of(request), clock.now(), list[str]()
    choices = _choices(request)
    zone, has_own_zone = zones.zone_of(person), False
    wanted = query.get("zone") or ""
    if zones.usable(wanted):
        zone, has_own_zone = wanted, True
    elif wanted:
        notes.append(str(UnknownZone(wanted)))
    kept = request.session.get(REMEMBERED) or {}
    return Asked(
        view=_view(query.get("view") or "", notes) or _view(kept.get("view") or "", []) or MONTH,
        day=_day(query.get("date") or "", notes)
        or _day(kept.get("date") or "", [])
        or now.astimezone(ZoneInfo(zone)).date(),
        zone=zone,
        filters=_filters(query, choices, notes),
        now=now,
        choices=choices,
        has_own_zone=has_own_zone,
        notes=notes,
    )


def remember(request: HttpRequest, asked: Asked) -> None:
    """Keep view and date for the next visit."""
    seen = {"view": asked.view, "date": asked.day.isoformat()}
    if request.session.get(REMEMBERED) != seen:
        request.session[REMEMBERED] = seen


def parse_day(text: str) -> date | None:
    """Return the day that ``text`` (ISO) names, if the calendar has it."""
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
    return day if day is not None and day.year in YEARS else None


def _choices(request: HttpRequest) -> Choices:
    accounts = list(usable_accounts(person_of(request)))
    known = registry.platforms()
    names = dict.fromkeys(account.platform for account in accounts)
    labels = [(name, known[name].label if name in known else name) for name in names]
    return Choices(accounts, labels, list(Tag.objects.values_list("name", flat=True)))


def _view(text: str, notes: list[str]) -> str:
    if text and text not in VIEWS:
        notes.append(_("There is no view “%(name)s”; choose one above.") % {"name": text[:20]})
    return text if text in VIEWS else ""


def _day(text: str, notes: list[str]) -> date | None:
    found = parse_day(text)
    if text and found is None:
        notes.append(_("“%(text)s” is no day that the calendar has; write it like 2026-11-27.") % {"text": text[:20]})
    return found


def _filters(query: QueryDict, choices: Choices, notes: list[str]) -> Filters:
    """Return the filters that can be used, and say which cannot."""
    given = {name: (query.get(name) or "").strip() for name in ("account", "platform", "tag", "state")}
    offered = {
        "account": {str(account.pk) for account in choices.accounts},
        "platform": {name for name, _label in choices.platforms},
        "tag": set(choices.tags),
        "state": set(PostStatus.values),
    }
    for name, value in given.items():
        if value and value not in offered[name]:
            notes.append(_("“%(value)s” is nothing that can be filtered by; it is left out.") % {"value": value[:40]})
            given[name] = ""
    account = whole_number(given["account"])
    return Filters(account, given["platform"], given["tag"], given["state"])
