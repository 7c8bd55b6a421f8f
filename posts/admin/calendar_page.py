"""What the calendar shows: days, hours and cards, in one zone. Reads through selectors; renders nothing."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from posts.admin.calendar_asked import DAY, LIST, MONTH, WEEK, YEARS, Asked
from posts.admin.people import person_of
from posts.models import Post, PostMedia, PostStatus
from posts.publishing import registry
from posts.selectors.calendar import Cell, cells_between, drafts, first_picture
from posts.selectors.slots import FreeSlot, free_slots
from posts.services.moves import why_not_movable
from posts.text.wall_time import first_instant
from queue_app.admin.long_select import LongSelect
from queue_app.zones import zone_choices

MOST = {MONTH: 3, WEEK: 3, DAY: 20, LIST: 20}
MOST_DRAFTS, MOST_SLOTS = 8, 2
LIST_DAYS = 14
MORNING = time(9)
FULL_WIDTH_WORDS = 280


@dataclass(frozen=True, slots=True)
class Card:
    """A post as it lies there. ``at`` is on the calendar's clocks, ``None`` for a draft."""

    post: Post
    at: datetime | None
    accounts: list[str]
    picture: PostMedia | None
    url: str
    move_url: str

    @property
    def time(self) -> str:
        """What the clocks show."""
        return f"{self.at:%H:%M}" if self.at is not None else ""

    @property
    def excerpt(self) -> str:
        """The beginning of the text, on one line."""
        line = " ".join(self.post.text.split())
        return line if len(line) <= FULL_WIDTH_WORDS else line[: FULL_WIDTH_WORDS - 1] + "…"


@dataclass(slots=True)
class Place:
    """A day or an hour, with what lies in it. ``write_url`` leads to the composer at its time; "" where it is past."""

    day: date
    cell: Cell
    cards: list[Card]
    hour: int | None = None
    write_url: str = ""
    write_at: str = ""
    more_url: str = ""
    slots: list[tuple[FreeSlot, str, str]] = field(default_factory=list)
    slots_more: int = 0

    @property
    def is_skipped(self) -> bool:
        """Whether the clocks jump over it."""
        return self.cell.starts_at == self.cell.ends_at


@dataclass(slots=True)
class Day:
    """A day: itself as a place, or its hours."""

    day: date
    url: str
    is_today: bool
    is_past: bool
    is_outside: bool
    place: Place | None = None
    hours: list[Place] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many posts lie on it."""
        places = [self.place] if self.place is not None else self.hours
        return sum(place.cell.count for place in places)


class CalendarPage:
    """One view of the calendar, ready to be rendered."""

    def __init__(self, request: HttpRequest, asked: Asked) -> None:
        self.asked, self.person = asked, person_of(request)
        self.may_move = self.person.has_perm("posts.reschedule_post")
        self.may_schedule = self.person.has_perm("posts.schedule_post")
        self.may_write = self.person.has_perm("posts.add_post")
        self.zone = ZoneInfo(asked.zone)
        self.local_now = asked.now.astimezone(self.zone).replace(tzinfo=None)
        self.url = reverse("admin:posts_calendar")
        shown = urlencode({"shown": asked.query()})
        # An address is looked up once, not for every card.
        self.post_url = reverse("admin:posts_post_change", args=[0]).replace("/0/", "/%s/")
        self.move_url = f"{reverse('admin:posts_calendar_move', args=[0])}?{shown}".replace("%", "%%").replace(
            "/0/", "/%s/", 1
        )
        self.add_url = reverse("admin:posts_post_add")
        self.is_by_hours = asked.view in (WEEK, DAY)
        self.dates = _dates(asked.view, asked.day)
        self.days = self._days()
        self.weeks = [self.days[start : start + 7] for start in range(0, len(self.days), 7)]
        self.count = sum(day.count for day in self.days)
        found = drafts(self.person, asked.filters, most=MOST_DRAFTS + 1)
        self.drafts = [self._card(post) for post in found[:MOST_DRAFTS]]
        self.has_more_drafts = len(found) > MOST_DRAFTS

    @property
    def title(self) -> str:
        """The span in words."""
        first, last = self.dates[0], self.dates[-1]
        match self.asked.view:
            case "month":
                return date_format(self.asked.day, "F Y")
            case "day":
                return date_format(first, "l, j F Y")
        if first.year != last.year:
            start = date_format(first, "j F Y")
        else:
            start = date_format(first, "j" if first.month == last.month else "j F")
        return f"{start} – {date_format(last, 'j F Y')}"

    @property
    def tabs(self) -> list[tuple[str, str, str]]:
        """The views: name, label, address."""
        labels = {MONTH: _("Month"), WEEK: _("Week"), DAY: _("Day"), LIST: _("List")}
        return [(name, label, self._to(view=name)) for name, label in labels.items()]

    @property
    def previous_url(self) -> str:
        """One month, week, day or list back; "" at the calendar's end."""
        return self._step(-1)

    @property
    def next_url(self) -> str:
        """One on."""
        return self._step(1)

    @property
    def today_url(self) -> str:
        """Where today is."""
        return self._to(day=self.asked.today)

    @property
    def clear_url(self) -> str:
        """The same without filters."""
        return f"{self.url}?{self.asked.query(filters=type(self.asked.filters)())}"

    def _step(self, by: int) -> str:
        day = self.asked.day
        if self.asked.view == MONTH:
            months = day.year * 12 + day.month - 1 + by
            year, month = divmod(months, 12)
            day = date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
        else:
            day += timedelta(days=by * {WEEK: 7, DAY: 1, LIST: LIST_DAYS}[self.asked.view])
        return self._to(day=day) if day.year in YEARS else ""

    def _to(self, *, view: str = "", day: date | None = None) -> str:
        return f"{self.url}?{self.asked.query(view=view, day=day)}"

    def _days(self) -> list[Day]:
        asked, midnight = self.asked, time()
        walls = [datetime.combine(day, midnight) for day in (*self.dates, self.dates[-1] + timedelta(days=1))]
        if self.is_by_hours:
            walls = [wall.replace(hour=hour) for wall in walls[:-1] for hour in range(24)] + walls[-1:]
        bounds = [first_instant(wall, asked.zone) for wall in walls]
        cells = cells_between(self.person, asked.filters, bounds, most=MOST[asked.view])
        places = [self._place(wall, cell) for wall, cell in zip(walls, cells, strict=False)]
        if self.is_by_hours:
            self._lay_slots(places, bounds)
        size = 24 if self.is_by_hours else 1
        days = []
        for number, day in enumerate(self.dates):
            found = Day(
                day=day,
                url=self._to(view=DAY, day=day),
                is_today=day == asked.today,
                is_past=day < asked.today,
                is_outside=asked.view == MONTH and day.month != asked.day.month,
            )
            here = places[number * size : (number + 1) * size]
            if self.is_by_hours:
                found.hours = here
            else:
                found.place = here[0]
            days.append(found)
        return days

    def _place(self, wall: datetime, cell: Cell) -> Place:
        place = Place(wall.date(), cell, [self._card(post) for post in cell.posts])
        if self.is_by_hours:
            place.hour = wall.hour
        at = self._time_for(wall) if self.may_write and not place.is_skipped else None
        if at is not None:
            place.write_at, place.write_url = f"{at:%H:%M}", self._composer(at)
        if cell.more:
            place.more_url = self._list_of(cell) if self.asked.view == DAY else self._to(view=DAY, day=place.day)
        return place

    def _time_for(self, wall: datetime) -> datetime | None:
        """Return the time at which a new post would be written there: that hour, or in the morning of that day."""
        return free_time(wall, self.local_now, by_hours=self.is_by_hours)

    def _composer(self, at: datetime, account: int | None = None) -> str:
        asked = {"at": at.isoformat(timespec="minutes"), "timezone": self.asked.zone}
        account = account or self.asked.filters.account
        if account:
            asked["account"] = str(account)
        return f"{self.add_url}?{urlencode(asked)}"

    def _list_of(self, cell: Cell) -> str:
        """Return the address of the list of posts for a span that is too full even for its day."""
        asked = {"scheduled_at__gte": cell.starts_at.isoformat(), "scheduled_at__lt": cell.ends_at.isoformat()}
        return f"{reverse('admin:posts_post_changelist')}?{urlencode(asked)}"

    def _lay_slots(self, places: Sequence[Place], bounds: Sequence[datetime]) -> None:
        """Put the free posting slots of the accounts that are shown into their hours."""
        filters = self.asked.filters
        accounts = [
            account
            for account in self.asked.choices.accounts
            if filters.account in (None, account.pk) and filters.platform in ("", account.platform)
        ]
        if not self.may_write or filters.tag or filters.state:
            return
        by_hour = {(place.day, place.hour): place for place in places}
        for slot in free_slots(accounts, max(bounds[0], self.asked.now), bounds[-1]):
            local = slot.at.astimezone(self.zone).replace(tzinfo=None)
            place = by_hour.get((local.date(), local.hour))
            if place is None:
                continue
            if len(place.slots) < MOST_SLOTS:
                place.slots.append((slot, f"{local:%H:%M}", self._composer(local, slot.account.pk)))
            else:
                place.slots_more += 1

    def _card(self, post: Post) -> Card:
        is_draft = post.status == PostStatus.DRAFT
        may = self.may_schedule if is_draft else self.may_move
        known = registry.platforms()
        names = [found.account for found in post.deliveries.all()]
        return Card(
            post=post,
            at=None if is_draft or post.scheduled_at is None else post.scheduled_at.astimezone(self.zone),
            accounts=[
                f"{account.name} ({known[account.platform].label if account.platform in known else account.platform})"
                for account in names
            ],
            picture=first_picture(post),
            url=self.post_url % post.pk,
            move_url=self.move_url % post.pk if may and not why_not_movable(post) else "",
        )


def free_time(wall: datetime, now: datetime, *, by_hours: bool) -> datetime | None:
    """Return when something new goes out that is put at ``wall``: an hour, or a day that starts then. ``None``: past.

    Both are wall times of the calendar's zone. Today it is the next full hour, on a later day in the morning.
    """
    following = (now + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    if by_hours:
        return wall if wall > now else None
    if wall.date() > now.date():
        return datetime.combine(wall.date(), MORNING)
    return following if wall.date() == now.date() == following.date() else None


def _dates(view: str, day: date) -> list[date]:
    if view == MONTH:
        return [found for week in calendar.Calendar().monthdatescalendar(day.year, day.month) for found in week]
    if view == WEEK:
        first = day - timedelta(days=day.weekday())
        return [first + timedelta(days=place) for place in range(7)]
    return [day + timedelta(days=place) for place in range(1 if view == DAY else LIST_DAYS)]


def page_context(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    """Return what the templates of the calendar need."""
    page = CalendarPage(request, asked)
    template = f"posts/admin/calendar_{WEEK if page.is_by_hours else asked.view}.html"
    zones = LongSelect(choices=zone_choices()).render("zone", asked.zone)
    shown = {"page": page, "asked": asked, "shown": asked.query(), "zone_select": zones}
    return {**shown, "view_template": template}
