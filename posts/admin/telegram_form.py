"""The form of a Telegram source: what a person says of a bot that feeds posts. The services say what makes sense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from posts import conf
from posts.models import TelegramSource
from posts.publishing import registry
from posts.services.errors import ValidationFailed
from posts.services.telegram_sources import senders_of, source_problems
from queue_app import zones
from queue_app.admin.long_select import LongSelect

if TYPE_CHECKING:
    SourceModelForm = forms.ModelForm[TelegramSource]
else:
    SourceModelForm = forms.ModelForm


class SendersField(forms.CharField):
    """Numbers of chats and people, one a line."""

    widget = forms.Textarea(attrs={"rows": 3, "cols": 40})

    def prepare_value(self, value: Any) -> Any:
        """Show a list one a line."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Return the numbers."""
        try:
            return senders_of(super().clean(value))
        except ValidationFailed as error:
            raise forms.ValidationError(str(error)) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare as text."""
        return super().has_changed(self.prepare_value(initial), data)


class SourceForm(SourceModelForm):
    """One source. The token is asked for once, and never shown."""

    token = forms.CharField(
        label=_("Bot token"),
        required=False,
        strip=True,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "vTextField"}),
    )
    senders = SendersField(
        label=_("Who may feed it"),
        required=False,
        help_text=_(
            "The numbers of chats and people, one a line. Empty: nobody. Write to the bot, then look here: the page "
            "names who wrote last without being in the list."
        ),
    )
    platforms = forms.MultipleChoiceField(
        label=_("Platforms"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: every platform that has an enabled account at the time."),
    )
    start_delay_minutes = forms.FloatField(label=_("Minutes to the first post"), min_value=0, initial=0)
    interval_minutes = forms.FloatField(label=_("Minutes from one platform to the next"), min_value=0, initial=60)
    timezone = forms.ChoiceField(label=_("Time zone"), choices=zones.zone_choices, widget=LongSelect)

    class Meta:
        model = TelegramSource
        fields: Sequence[str] = [
            "name",
            "token",
            "senders",
            "action",
            "platforms",
            "start_delay_minutes",
            "interval_minutes",
            "timezone",
            "replies",
            "enabled",
            "api_url",
        ]
        help_texts = {
            "name": _("By which you will know it again, such as “News desk”."),
            "replies": _("Says what became of each message. Channels are never answered: everybody would read it."),
            "api_url": _("Of your own, if you run one."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.fields:
            return  # of who may only look
        known, enabled = registry.platforms(), conf.get("ENABLED_PLATFORMS")
        offered = [(name, known[name].label) for name in enabled if name in known]
        # One that was ticked before it was disabled stays, so that saving names it.
        offered += [(name, name) for name in self.instance.platforms if name not in enabled]
        self.fields["platforms"].choices = offered  # type: ignore[attr-defined]  # a ChoiceField
        stored, zone = self.instance.timezone, self.fields["timezone"]
        if stored and isinstance(zone, forms.ChoiceField) and not zone.valid_value(stored):
            zone.choices = [(stored, stored), *zones.zone_choices()]
        self.fields["token"].help_text = (
            _("Empty: the stored one stays.") if self.instance.pk else _("From @BotFather, for example 123456:ABC-DEF.")
        )

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # where Django makes the instance; not in the stubs
        if self.errors:
            return
        for problem in source_problems(self.instance, self.cleaned_data["token"]):
            self.add_error(problem.field if problem.field in self.fields else None, problem.message)
