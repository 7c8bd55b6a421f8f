"""The form fields that say how a post repeats, and the rule that they make. Reads nothing and writes nothing."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext_lazy as _

from posts.admin.wall_time import WallTimeForm
from posts.models import Post, Recurrence
from posts.planning.rules import DAILY, DAYS, LAST_DAY, MONTHLY, RULE_CHARACTERS, WEEKLY, YEARLY, Rule

NEVER, EVERY_DAY, EVERY_WEEK, MONTH_DAY, LAST = "", "daily", "weekly", "month_day", "last_day"
WEEKDAY, LAST_WEEKDAY, EVERY_YEAR, OWN = "weekday", "last_weekday", "yearly", "own"
REPEATS = [
    (NEVER, _("never")),
    (EVERY_DAY, _("daily")),
    (EVERY_WEEK, _("weekly, on the days below")),
    (MONTH_DAY, _("monthly, on the same day of the month")),
    (LAST, _("monthly, on the last day")),
    (WEEKDAY, _("monthly, on the same weekday (the first Monday …)")),
    (LAST_WEEKDAY, _("monthly, on the last weekday of its kind (the last Monday …)")),
    (EVERY_YEAR, _("yearly")),
    (OWN, _("by a rule of my own (RRULE)")),
]
REPEAT_FIELDS = ("repeats", "repeat_every", "repeat_days", "repeat_rule", "repeat_until")
MOST_APART = 366


class RepeatForm(WallTimeForm):
    """A form with a wall time that may come back. ``rule_text`` is what the fields mean for a first day."""

    repeats = forms.ChoiceField(label=_("Repeat"), required=False, choices=REPEATS)
    repeat_every = forms.IntegerField(
        label=_("Every"),
        required=False,
        min_value=1,
        max_value=MOST_APART,
        initial=1,
        help_text=_("2 is every other day, week, month or year."),
    )
    repeat_days = forms.MultipleChoiceField(
        label=_("On"),
        required=False,
        choices=[(DAYS[day], name) for day, name in WEEKDAYS_ABBR.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None: the weekday on which it goes out first."),
    )
    repeat_rule = forms.CharField(
        label=_("Rule"),
        required=False,
        max_length=RULE_CHARACTERS,
        widget=forms.TextInput(attrs={"size": 50, "placeholder": "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"}),
        help_text=_("An RRULE of RFC 5545 that names days, without a start, an end or a time of day."),
    )
    repeat_until = forms.DateField(
        label=_("Until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The last day on which it may go out. Empty: without an end."),
    )

    def rule_text(self, first: date) -> str:
        """Return the rule that was chosen, for a post that goes out on the day ``first``; "" for never.

        What was typed as a rule of one's own comes back as it is.
        """
        given = self.cleaned_data
        return rule_of(
            given.get("repeats") or NEVER,
            first,
            every=given.get("repeat_every") or 1,
            days=given.get("repeat_days") or (),
            own=given.get("repeat_rule") or "",
        )

    @property
    def is_repeat_changed(self) -> bool:
        """Return whether any of the fields is another than the page showed."""
        return "repeats" in self.data and bool(set(REPEAT_FIELDS) & set(self.changed_data))


def rule_of(repeats: str, first: date, *, every: int, days: Any, own: str) -> str:
    """Return the rule that these choices make, "" for never."""
    place = (first.day - 1) // 7 + 1
    weekday = DAYS[first.weekday()]
    parts = {
        EVERY_DAY: f"FREQ={DAILY}",
        EVERY_WEEK: f"FREQ={WEEKLY};BYDAY={','.join(days) or weekday}",
        MONTH_DAY: f"FREQ={MONTHLY};BYMONTHDAY={first.day}",
        LAST: f"FREQ={MONTHLY};BYMONTHDAY={LAST_DAY}",
        WEEKDAY: f"FREQ={MONTHLY};BYDAY={place}{weekday}",
        LAST_WEEKDAY: f"FREQ={MONTHLY};BYDAY=-1{weekday}",
        EVERY_YEAR: f"FREQ={YEARLY};BYMONTH={first.month};BYMONTHDAY={first.day}",
    }
    if repeats == OWN:
        return own.strip() or "RRULE"
    return f"{parts[repeats]};INTERVAL={every}" if repeats in parts else ""


def repeat_initial(post: Post | None) -> dict[str, Any]:
    """Return what the fields show of the series of ``post``; nothing for a post that does not repeat (any more)."""
    recurrence = post.recurrence if post is not None else None
    if post is None or recurrence is None or recurrence.ended_at is not None:
        return {}
    rule = Rule.parse(recurrence.rule)
    first = datetime.fromisoformat(post.occurrence).date()
    return {
        "repeats": _choice_of(recurrence, rule, first),
        "repeat_every": rule.interval,
        "repeat_days": [DAYS[day] for which, day in rule.days if not which],
        "repeat_rule": recurrence.rule,
        "repeat_until": recurrence.ends_on,
    }


def _choice_of(recurrence: Recurrence, rule: Rule, first: date) -> str:
    """Return the choice that makes this very rule from the day ``first``, else that it is one of one's own."""
    days = [DAYS[day] for _which, day in rule.days]
    for choice, _label in REPEATS[1:-1]:
        made = rule_of(choice, first, every=rule.interval, days=days, own="")
        if str(Rule.parse(made)) == recurrence.rule:
            return choice
    return OWN
