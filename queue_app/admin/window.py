"""Maintenance windows: written, changed and deleted here; what they place follows at once, in the same transaction.

What waited under a block that goes is let go after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from queue_app import clock, maintenance, zones
from queue_app.admin import display
from queue_app.admin.long_select import LongSelect
from queue_app.admin.pages import ListAdmin
from queue_app.models import MaintenanceWindow

if TYPE_CHECKING:
    WindowModelForm = forms.ModelForm[MaintenanceWindow]
else:
    WindowModelForm = forms.ModelForm

LONGEST_MINUTES = maintenance.WEEK * maintenance.MINUTES_A_DAY - 1


class WindowForm(WindowModelForm):
    """One window. What makes sense is for ``maintenance.validate`` to say."""

    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays"), choices=list(WEEKDAYS.items()), coerce=int, widget=forms.CheckboxSelectMultiple
    )
    starts = forms.TimeField(
        label=_("Starts"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_(
            "A time that the clocks skip moves to the first after the gap; of two equal times the first counts."
        ),
    )
    duration_minutes = forms.IntegerField(label=_("Minutes"), min_value=1, max_value=LONGEST_MINUTES)
    timezone = forms.ChoiceField(label=_("Time zone"), choices=zones.zone_choices, widget=LongSelect)

    class Meta:
        model = MaintenanceWindow
        fields = ["name", "key", "weekdays", "starts", "duration_minutes", "timezone", "enabled"]
        help_texts = {
            "name": _("Shown where a job waits."),
            "key": _("“all”, or one key: queue:default, type:posts.publish, account:7, platform:bluesky."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored, field = self.instance.timezone, self.fields.get("timezone")
        if isinstance(field, forms.ChoiceField) and not field.valid_value(stored):
            # A zone that names no place, set by a program: saving the form must not change it.
            field.choices = [(stored, stored), *zones.zone_choices()]

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # where Django makes the instance; not in the stubs
        if self.errors:
            return
        try:
            maintenance.validate(self.instance)
        except ValidationError as error:
            self.add_error(None, error)


@admin.register(MaintenanceWindow)
class WindowAdmin(ListAdmin):
    """Maintenance windows."""

    empty_hint = _("No maintenance window. Add one to pause something at the same time every week or day.")
    form = WindowForm
    actions = None
    list_display = ["name", "key", "days", "starts", "duration", "upcoming", "enabled"]
    list_filter = ["enabled"]
    search_fields = ["name", "key"]
    ordering = ["name"]
    readonly_fields = ["days", "upcoming"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields of the form; who may only look sees the weekdays by name."""
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        fields = [name if name != "weekdays" or may_write else "days" for name in WindowForm.Meta.fields]
        return [*fields, "upcoming"] if obj else fields

    @admin.display(description=_("weekdays"))
    def days(self, window: MaintenanceWindow) -> str:
        """Return the weekdays by their short names."""
        return ", ".join(str(WEEKDAYS_ABBR.get(day, day)) for day in sorted(window.weekdays))

    @admin.display(description=_("lasts"), ordering="duration_minutes")
    def duration(self, window: MaintenanceWindow) -> str:
        """Return how long it lasts."""
        return display.duration(window.duration_minutes * 60)

    @admin.display(description=_("next"))
    def upcoming(self, window: MaintenanceWindow) -> SafeString | str:
        """Return the current or next occurrence in words, or why there is none."""
        if not window.enabled:
            return str(_("not while it is disabled"))
        now = clock.now()
        try:
            starts_at, until = maintenance.next_occurrence(window, now)
        except ValidationError as error:
            return " ".join(error.messages)
        begin = _("now") if starts_at <= now else display.moment(starts_at, window.timezone)
        return format_html("{}, {} {}", begin, _("until"), display.moment(until, window.timezone))

    def save_model(self, request: HttpRequest, obj: MaintenanceWindow, form: Any, change: bool) -> None:
        """Save the window and place its block."""
        super().save_model(request, obj, form, change)
        maintenance.plan(clock.now())
        words = format_html("{} {}: {}", _("Next"), obj.name, self.upcoming(obj))
        self.message_user(request, words, messages.INFO)

    def delete_model(self, request: HttpRequest, obj: MaintenanceWindow) -> None:
        """Delete the window and its block; what waited under it runs."""
        super().delete_model(request, obj)
        maintenance.plan(clock.now())
