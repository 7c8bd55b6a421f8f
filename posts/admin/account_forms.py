"""Forms of accounts: what a platform asks when it is connected, and how an outbox account is told to fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts.models import Account
from posts.outbox.network import FAILURES
from posts.publishing.platform import Platform
from posts.services.logins import Choice
from posts.text.variables import UTM_NAMES


class ConnectForm(forms.Form):
    """A platform's ``connect_fields``. Secrets are password inputs and are never rendered back."""

    def __init__(
        self,
        platform: Platform,
        data: Mapping[str, Any] | None = None,
        *,
        kept: Mapping[str, str] | None = None,
        may_share: bool = False,
    ) -> None:
        super().__init__(data)
        self.platform = platform
        for asked in platform.connect_fields:
            widget: forms.Widget = forms.TextInput(attrs={"size": 50, "autocomplete": "off"})
            if asked.secret:
                widget = forms.PasswordInput(render_value=False, attrs={"size": 50, "autocomplete": "new-password"})
            self.fields[asked.name] = forms.CharField(
                label=asked.label,
                required=asked.required and not asked.default,
                strip=True,
                max_length=2000,
                help_text=asked.help,
                initial=(kept or {}).get(asked.name, asked.default),
                widget=widget,
            )
        if may_share:
            self.fields["shared"] = forms.BooleanField(
                label=_("Everybody here may post to it"), required=False, initial=True
            )

    def answers(self) -> dict[str, str]:
        """Return what was entered, by the platform's names."""
        return {asked.name: str(self.cleaned_data[asked.name]) for asked in self.platform.connect_fields}


class ChoiceForm(forms.Form):
    """What of a login is to be connected."""

    chosen = forms.MultipleChoiceField(label=_("Connect"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, choices: Sequence[Choice], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        known = gettext(" (connected already)")
        offered = [(str(each.place), each.name + (known if each.is_known else "")) for each in choices]
        self.fields["chosen"].choices = offered  # type: ignore[attr-defined]  # a ChoiceField

    def places(self) -> list[int]:
        """Return what was ticked, by its place."""
        return [int(place) for place in self.cleaned_data["chosen"]]


class TextsForm(forms.Form):
    """What every text of an account gets."""

    signature = forms.CharField(
        label=_("Signature"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto", "class": "vLargeTextField"}),
        help_text=_("Stands below every text for this account, and counts with it."),
    )
    variables = forms.CharField(
        label=_("Variables"),
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 5, "dir": "auto", "class": "vLargeTextField", "placeholder": "shop=https://shop.example"}
        ),
        help_text=_("One a line, name=value. {shop} in a text becomes the value; {account} is the account's name."),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, account: Account) -> None:
        lines = "\n".join(f"{name}={value}" for name, value in account.variables.items())
        super().__init__(data, initial={"signature": account.signature, "variables": lines, **account.utm})
        for name in UTM_NAMES:
            box = forms.TextInput(attrs={"class": "vTextField", "dir": "auto"})
            self.fields[name] = forms.CharField(label=name, required=False, max_length=200, widget=box)
        self.fields[UTM_NAMES[0]].help_text = _("Put on every link of a text that begins with http, where not empty.")

    def clean_variables(self) -> dict[str, str]:
        """Return the values by name."""
        lines = [line for line in str(self.cleaned_data["variables"]).splitlines() if line.strip()]
        for line in lines:
            if "=" not in line:
                raise forms.ValidationError(gettext("“%(line)s” is not name=value.") % {"line": line[:60]})
        pairs = (line.partition("=") for line in lines)
        return {name.strip(): value.strip() for name, _equals, value in pairs}

    def answers(self) -> dict[str, Any]:
        """Return what the service takes."""
        given = self.cleaned_data
        signature = str(given["signature"]).replace("\r\n", "\n")
        utm = {name: given[name] for name in UTM_NAMES}
        return {"signature": signature, "variables": given["variables"], "utm": utm}


class FailureForm(forms.Form):
    """How an account of the built-in network answers from now on."""

    failure = forms.ChoiceField(label=_("It should"), required=False, choices=list(FAILURES.items()))
    times = forms.IntegerField(
        label=_("How often"), required=False, min_value=1, max_value=1_000_000, help_text=_("Empty: always.")
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, account: Account) -> None:
        super().__init__(data)
        self.fields["failure"].initial = account.config.get("failure", "")
        self.fields["times"].initial = account.config.get("failures_left")
