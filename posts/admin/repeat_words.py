"""A rule of a repeating post in words, and how one day of it is said."""

from __future__ import annotations

from datetime import date, datetime

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext_lazy

from posts.planning.rules import DAILY, LAST_DAY, MONTHLY, WEEKLY, YEARLY, Rule

FEWEST_DAYS, LEAP_DAY = 28, (2, 29)
_WHICH = {
    1: pgettext_lazy("weekday of a month", "first"),
    2: pgettext_lazy("weekday of a month", "second"),
    3: pgettext_lazy("weekday of a month", "third"),
    4: pgettext_lazy("weekday of a month", "fourth"),
    5: pgettext_lazy("weekday of a month", "fifth"),
    -1: pgettext_lazy("weekday of a month", "last"),
    -2: pgettext_lazy("weekday of a month", "second to last"),
}


def rule_words(rule: Rule) -> str:
    """Return ``rule`` as a person says it, with what months without a day mean."""
    parts = [_every(rule)]
    if rule.months and not _is_day_of_year(rule):
        parts.append(_("in %(months)s") % {"months": _listed([str(MONTHS[month]) for month in rule.months])})
    days = _days(rule)
    if days:
        parts.append(days)
    if rule.positions:
        places = _listed([_place(place) for place in rule.positions])
        parts.append(_("only the %(places)s of these days") % {"places": places})
    text = " ".join(parts)
    left_out = _left_out(rule)
    return f"{text} ({left_out})" if left_out else text


def day_words(wall: datetime) -> str:
    """Return a wall time with its weekday, such as Friday 27 November 2026, 14:05."""
    return date_format(wall, "l j F Y, H:i")


def end_words(ends_on: date | None) -> str:
    """Return until when a series goes on."""
    return _("until %(day)s") % {"day": date_format(ends_on, "j F Y")} if ends_on is not None else _("without an end")


def _every(rule: Rule) -> str:
    number = {"n": rule.interval}
    if rule.every == DAILY:
        return ngettext("Every day", "Every %(n)d days", rule.interval) % number
    if rule.every == WEEKLY:
        return ngettext("Every week", "Every %(n)d weeks", rule.interval) % number
    if rule.every == MONTHLY:
        return ngettext("Every month", "Every %(n)d months", rule.interval) % number
    return ngettext("Every year", "Every %(n)d years", rule.interval) % number


def _days(rule: Rule) -> str:
    found = []
    if _is_day_of_year(rule):
        found.append(date_format(date(2000, rule.months[0], rule.month_days[0]), "j F"))
    elif rule.month_days:
        found.append(_listed([_month_day(day) for day in rule.month_days]))
    if rule.days:
        names = [_weekday(which, day) for which, day in sorted(rule.days, key=lambda day: day[1])]
        if rule.month_days:
            return _("on %(days)s, where that is %(weekdays)s") % {
                "days": found[0],
                "weekdays": _listed(names, _("or")),
            }
        found.append(_listed(names))
    return _("on %(days)s") % {"days": found[0]} if found else ""


def _is_day_of_year(rule: Rule) -> bool:
    """Return whether the rule is one day of the year that every calendar has, and nothing else."""
    one = rule.every == YEARLY and len(rule.months) == len(rule.month_days) == 1 and not rule.days
    return one and 0 < rule.month_days[0] <= _longest(rule.months[0])


def _longest(month: int) -> int:
    return 29 if month == LEAP_DAY[0] else 30 if month in (4, 6, 9, 11) else 31


def _left_out(rule: Rule) -> str:
    if rule.positions or not (rule.month_days or any(abs(which) == 5 for which, _day in rule.days)):
        return ""
    if _is_day_of_year(rule):
        return _("in leap years only") if (rule.months[0], rule.month_days[0]) == LEAP_DAY else ""
    late = [abs(day) for day in rule.month_days if abs(day) > FEWEST_DAYS]
    if late or any(abs(which) == 5 for which, _day in rule.days):
        return _("months without it are left out")
    return ""


def _month_day(day: int) -> str:
    if day == LAST_DAY:
        return _("the last day")
    if day < 0:
        return _("day %(n)d from the end") % {"n": -day}
    return _("day %(n)d") % {"n": day}


def _weekday(which: int, day: int) -> str:
    name = str(WEEKDAYS[day])
    if not which:
        return name
    if which in _WHICH:
        return _("the %(which)s %(weekday)s") % {"which": _WHICH[which], "weekday": name}
    if which < 0:
        return _("%(weekday)s number %(n)d from the end") % {"weekday": name, "n": -which}
    return _("%(weekday)s number %(n)d") % {"weekday": name, "n": which}


def _place(place: int) -> str:
    if place in _WHICH:
        return str(_WHICH[place])
    return _("number %(n)d from the end") % {"n": -place} if place < 0 else _("number %(n)d") % {"n": place}


def _listed(words: list[str], last: str = "") -> str:
    """Return words as a list in a sentence: a, b and c."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} {last or _('and')} {words[-1]}"
