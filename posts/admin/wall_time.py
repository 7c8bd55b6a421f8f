"""Form fields for a time as a person means it: a wall time, its zone, and which one where the clocks show it twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from posts.admin import zones
from posts.text.wall_time import AmbiguousError, Fold, WallTimeError, parse_wall_time
from queue_app import clock
from queue_app.admin.long_select import LongSelect
from queue_app.zones import zone_choices


class WallTimeInput(forms.DateTimeInput):
    """The browser's own control for a date and a time; a text field where there is none."""

    input_type = "datetime-local"

    def format_value(self, value: Any) -> str:
        """Return what the control understands; a time that cannot be read comes back as it was typed."""
        return value.isoformat(timespec="minutes") if isinstance(value, datetime) else str(value or "")


class WallTimeForm(forms.Form):
    """A form with ``timezone``, ``fold`` and any number of wall times, which ``instant`` turns into instants."""

    timezone = forms.ChoiceField(label=_("Time zone"), choices=zone_choices, widget=LongSelect)
    fold = forms.ChoiceField(
        label=_("Which of the two"),
        required=False,
        choices=[("", "–"), ("0", _("the first, before the clocks go back")), ("1", _("the second"))],
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, zone: str, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        shown = str((data or {}).get("timezone") or self.initial.get("timezone") or zone)
        self.fields["timezone"].initial = zone
        self.asks_fold = bool((data or {}).get("fold"))
        if shown in _names():
            now = clock.now()
            self.fields["timezone"].help_text = _("It is %(time)s in %(zone)s now, %(offset)s.") % {
                "time": now.astimezone(ZoneInfo(shown)).strftime("%H:%M"),
                "zone": shown.replace("_", " "),
                "offset": zones.offset_words(shown, now),
            }

    def instant(self, name: str) -> datetime | None:
        """Return the instant (aware UTC) of the wall time in ``name``, or ``None``, with an error where it is wrong."""
        text = str(self.cleaned_data.get(name) or "")
        zone = self.cleaned_data.get("timezone")
        if not text or not zone:
            return None
        fold = self.cleaned_data.get("fold") or ""
        try:
            return parse_wall_time(text, zone, fold=cast("Fold", int(fold)) if fold else None)
        except AmbiguousError as error:
            self.asks_fold = True
            self.add_error(name, str(error))
        except WallTimeError as error:
            self.add_error(name, str(error))
        return None

    def wall_time(self, name: str) -> str:
        """Return the wall time in ``name`` as it was entered, in ISO form; "" where an offset was given with it."""
        if not self.cleaned_data[name]:
            return ""
        moment = datetime.fromisoformat(str(self.cleaned_data[name]).strip())
        return moment.isoformat(timespec="seconds") if moment.tzinfo is None else ""

    def fold_field(self) -> forms.BoundField | None:
        """Return the field that asks which of two equal times is meant, where it must be asked."""
        return self["fold"] if self.asks_fold else None


def wall_time_field(label: Any, *, required: bool = False, help_text: Any = "") -> forms.CharField:
    """Return a field for a wall time. It keeps the text; ``WallTimeForm.instant`` reads it."""
    return forms.CharField(
        label=label, required=required, help_text=help_text, max_length=40, widget=WallTimeInput(format=None)
    )


def _names() -> set[str]:
    return {name for _region, names in zone_choices() for name, _label in names}
