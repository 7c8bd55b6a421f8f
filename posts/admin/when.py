"""The composer's “When”: what a time means, in words with zone and offset; the next free slot; how a post repeats.

The page says it when it is made, and asks for it anew while the person types. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _

from posts.admin import composer_series, zones
from posts.admin.composer_fields import ComposerForm
from posts.admin.people import person_of
from posts.admin.repeat_form import NEVER, REPEAT_FIELDS, rule_of
from posts.admin.repeat_words import day_words, end_words, rule_words
from posts.models import Account
from posts.planning.occurrences import instant_of, wall_times
from posts.planning.rules import Rule
from posts.selectors.posts import usable_accounts, visible_posts
from posts.selectors.slots import NextSlot, next_free_slot, zone_of_slots
from posts.services.recurrence import rule_problems
from posts.text.wall_time import AmbiguousError, Fold, WallTimeError, parse_wall_time
from queue_app import clock
from queue_app.admin.asked import whole_number
from queue_app.zones import zone_choices

if TYPE_CHECKING:
    from posts.admin.post import PostAdmin

SHOWN_DATES = 5
WHEN_FIELDS = ("goes_out", "timezone", "fold", *REPEAT_FIELDS)


@dataclass
class Said:
    """What is said below the time: when it goes out, or what is wrong; how it repeats, with the next dates."""

    sentence: str = ""
    problem: str = ""
    rule: str = ""
    rule_problem: str = ""
    dates: list[str] = field(default_factory=list)
    at: datetime | None = None


def urls(admin: PostAdmin) -> list[URLPattern]:
    """Return the addresses that the page asks while the person types."""
    wrap = admin.admin_site.admin_view
    return [
        path("when/", wrap(lambda request: _when_view(admin, request)), name="posts_post_when"),
        path("next-slot/", wrap(lambda request: _slot_view(admin, request)), name="posts_post_next_slot"),
    ]


def said(form: ComposerForm) -> Said:
    """Return what ``form``, sent or not, says of its time; asks in it which of two equal times is meant."""
    text, zone = str(form["goes_out"].value() or "").strip(), str(form["timezone"].value() or "")
    now = clock.now()
    found = Said()
    if not text:
        found.sentence = _("No time yet. A draft waits for one; Publish now sends it at once.")
        return _with_rule(found, form, None, zone)
    fold = str(form["fold"].value() or "")
    try:
        found.at = parse_wall_time(text, zone, fold=cast("Fold", int(fold)) if fold in ("0", "1") else None)
    except AmbiguousError as error:
        form.asks_fold = True
        found.problem = str(error)
    except WallTimeError as error:
        found.problem = str(error)
    else:
        form.asks_fold = form.asks_fold or _is_twice(text, zone)
        found.sentence = moment_words(found.at, zone, now)
    return _with_rule(found, form, found.at, zone)


def moment_words(at: datetime, zone: str, now: datetime) -> str:
    """Return when something goes out: the day, the time, the zone, its offset then, and how far away that is."""
    try:
        when = day_words(at.astimezone(ZoneInfo(zone)).replace(tzinfo=None))
    except OverflowError:
        return _("That time is too far away; choose a nearer one.")
    words = {"when": f"{when} {zone.replace('_', ' ')}", "offset": zones.offset_words(zone, at)}
    if at < now:
        past = {**words, "ago": timesince(at, now, depth=1)}
        return _("%(when)s (%(offset)s) was %(ago)s ago: choose a later time.") % past
    return _("Goes out %(when)s (%(offset)s), in %(ahead)s") % {**words, "ahead": timeuntil(at, now, depth=1)}


def fill_next_slot(request: HttpRequest, accounts: Iterable[Account]) -> None:
    """Put the next free slot of ``accounts`` into what was sent, as though it had been typed."""
    request.POST = _with_slot(request.POST, list(accounts))  # type: ignore[assignment]  # a QueryDict that may be changed


def slot_words(accounts: Iterable[Account]) -> dict[str, Any]:
    """Return what is said after the button was pressed: whose slot it is, or that nobody chosen has any."""
    chosen = list(accounts)
    found = next_free_slot(chosen, clock.now())
    return {"slot": found, "slot_zones": _slot_zones(found), "has_chosen": bool(chosen), "asked_slot": True}


def chosen_accounts(request: HttpRequest, sent: QueryDict) -> list[Account]:
    """Return the accounts that are ticked, as far as the person may use them."""
    ids = [int(value) for value in sent.getlist("accounts") if whole_number(value) is not None]
    return list(usable_accounts(person_of(request)).filter(pk__in=ids).order_by("pk"))


def _when_view(admin: PostAdmin, request: HttpRequest) -> HttpResponse:
    form = _asked_form(admin, request, request.GET)
    return TemplateResponse(request, "posts/admin/composer_when_said.html", {"form": form, "when": said(form)})


def _slot_view(admin: PostAdmin, request: HttpRequest) -> HttpResponse:
    accounts = chosen_accounts(request, request.GET)
    form = _asked_form(admin, request, _with_slot(request.GET, accounts))
    post_id = whole_number(request.GET.get("post"))
    post = visible_posts(request.user).filter(pk=post_id).first() if post_id is not None else None
    context = {"form": form, "when": said(form), "row": post, **composer_series.shown(post), **slot_words(accounts)}
    return TemplateResponse(request, "posts/admin/composer_when.html", context)


def _asked_form(admin: PostAdmin, request: HttpRequest, sent: QueryDict) -> ComposerForm:
    """Return the form with what was typed so far as its first values: nothing is wrong before it is sent."""
    if not (admin.has_add_permission(request) or admin.has_change_permission(request)):
        raise PermissionDenied
    initial: dict[str, Any] = {name: sent.get(name, "")[:500] for name in WHEN_FIELDS if name in sent}
    initial["repeat_days"] = sent.getlist("repeat_days")
    zone = zones.zone_of(person_of(request))
    return ComposerForm(zone=zone, initial={"timezone": zone, **initial})


def _with_slot(sent: QueryDict, accounts: list[Account]) -> QueryDict:
    filled = sent.copy()
    found = next_free_slot(accounts, clock.now())
    zone = filled.get("timezone", "")
    if found is not None and zone in dict(_zones()):
        local = found.at.astimezone(ZoneInfo(zone))
        text = local.replace(tzinfo=None).isoformat(timespec="minutes")
        filled["goes_out"], filled["fold"] = text, str(local.fold) if _is_twice(text, zone) else ""
    return filled


def _zones() -> list[tuple[str, str]]:
    return [pair for _region, names in zone_choices() for pair in names]


def _slot_zones(found: NextSlot | None) -> list[tuple[Account, str]]:
    """Return each account whose slot it is, with the time on the clocks of its plan."""
    if found is None:
        return []
    return [
        (account, f"{found.at.astimezone(ZoneInfo(zone_of_slots(account))):%H:%M} {zone_of_slots(account)}")
        for account in found.of
    ]


def _is_twice(text: str, zone: str) -> bool:
    """Return whether the clocks of ``zone`` show this time twice."""
    try:
        parse_wall_time(text, zone)
    except AmbiguousError:
        return True
    except WallTimeError:
        return False
    return False


def _with_rule(found: Said, form: ComposerForm, at: datetime | None, zone: str) -> Said:
    """Add how the post repeats, where that was chosen."""
    repeats = str(form["repeats"].value() or NEVER)
    if repeats == NEVER:
        return found
    if at is None:
        found.rule_problem = found.problem and _("Choose a time that exists, then the dates are shown here.")
        found.rule_problem = found.rule_problem or _("Choose when it goes out first, then the dates are shown here.")
        return found
    try:
        first = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError:  # the sentence says that it is too far away
        return found
    every = whole_number(str(form["repeat_every"].value() or "")) or 1
    own = str(form["repeat_rule"].value() or "")
    text = rule_of(repeats, first.date(), every=every, days=form["repeat_days"].value() or (), own=own)
    until = _date(form["repeat_until"].value())
    problems = rule_problems(text, first, until)
    if problems:
        found.rule_problem = f"{problems[0].message}."
        return found
    rule = Rule.parse(text).completed(first.date())
    found.rule = f"{rule_words(rule)}, {end_words(until)}"
    found.dates = [_occurrence_words(wall, zone) for wall in islice(wall_times(rule, first, until=until), SHOWN_DATES)]
    return found


def _occurrence_words(wall: datetime, zone: str) -> str:
    at = instant_of(wall, zone)
    shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    text = f"{day_words(shown)} ({zones.offset_words(zone, at)})"
    if shown != wall:
        text = _("%(when)s – the clocks skip %(time)s") % {"when": text, "time": f"{wall:%H:%M}"}
    return text


def _date(value: Any) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value or ""))
    except ValueError:
        return None
