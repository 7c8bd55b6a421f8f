"""A person's own page of what they are told of, by which way. Parse, call, render."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from queue_app import choices, conf, telling
from queue_app.channels import Channel, Message, NotSent, channels
from queue_app.mail import MAIL
from queue_app.models import NoticeChoice
from queue_app.people import admin_addresses
from queue_app.recipients import kinds_for

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PAGE = "queue_app_notifications"


class NotificationsForm(forms.Form):
    """Kinds by channel, and the address of each channel that asks for one, which is never shown again."""

    def __init__(self, person: User, data: Any = None) -> None:
        super().__init__(data)
        self._person = person
        self._kinds = kinds_for(person)
        wishes = choices.wishes_of(person)
        for name, channel in channels().items():
            field = forms.MultipleChoiceField(
                label=channel.label, choices=[(kind.name, kind.label) for kind in self._kinds], required=False
            )
            self.fields[_kinds_field(name)] = field
            self.initial[_kinds_field(name)] = wishes.get(name, ())
            if channel.address_label:
                attributes = {"autocomplete": "off", "class": "vTextField"}
                self.fields[_address_field(name)] = forms.CharField(
                    label=channel.address_label,
                    help_text=channel.address_help,
                    required=False,
                    widget=forms.PasswordInput(attrs=attributes),
                )
                if channel.known_address(person):
                    self.fields[_forget_field(name)] = forms.BooleanField(label=_("Forget it"), required=False)

    def table(self) -> list[tuple[Any, list[dict[str, Any]]]]:
        """Return a row for each kind with a box for each channel."""
        return [
            (kind.label, [self._box(kind.name, kind.label, name, channel) for name, channel in channels().items()])
            for kind in self._kinds
        ]

    def addresses(self) -> list[tuple[forms.BoundField, forms.BoundField | None, str]]:
        """Return for each channel that asks for an address its field, the one to forget it, and what is known."""
        return [
            (
                self[_address_field(name)],
                self[_forget_field(name)] if _forget_field(name) in self.fields else None,
                channel.known_address(self._person),
            )
            for name, channel in channels().items()
            if channel.address_label
        ]

    @sensitive_variables("address")
    def save(self) -> bool:
        """Keep the addresses, then the choice; return whether all was right, else the errors stand at their fields."""
        for name, channel in channels().items():
            address = self.cleaned_data.get(_address_field(name), "")
            if not address and not self.cleaned_data.get(_forget_field(name)):
                continue
            try:
                channel.save_address(self._person, address)
            except ValueError as error:
                self.add_error(_address_field(name), str(error))
        if self.errors:
            return False
        choices.choose(self._person, {name: self.cleaned_data[_kinds_field(name)] for name in channels()})
        return True

    def _box(self, kind: str, label: Any, name: str, channel: Channel) -> dict[str, Any]:
        field = _kinds_field(name)
        return {
            "name": field,
            "value": kind,
            "id": f"id_{field}_{kind}",
            "checked": kind in (self[field].value() or ()),
            "label": gettext("%(kind)s: by %(channel)s") % {"kind": label, "channel": channel.label},
        }


@sensitive_post_parameters()
def notifications(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show and keep the choice of who is signed in; send them a test where they ask for one."""
    person = cast("User", request.user)
    test = channels().get(request.POST.get("test", ""))
    if test is not None:
        _send_test(request, person, test)
        return HttpResponseRedirect(reverse(f"admin:{PAGE}"))
    form = NotificationsForm(person, request.POST if request.method == "POST" else None)
    if form.is_valid() and form.save():
        messages.success(request, gettext("Saved. This is what you are told of from now on."))
        return HttpResponseRedirect(reverse(f"admin:{PAGE}"))
    context = {
        **site.each_context(request),
        "opts": NoticeChoice._meta,
        "title": gettext("Notifications"),
        "form": form,
        "columns": [channel.label for channel in channels().values()],
        "ways": [_way(channel, person) for channel in channels().values()],
        "is_admin": _mailbox(person) in {address.lower() for address in admin_addresses()},
    }
    response = TemplateResponse(request, "queue_app/admin/notifications.html", context)
    add_never_cache_headers(response)
    return response


def _send_test(request: HttpRequest, person: User, channel: Channel) -> None:
    address = channel.known_address(person)
    if not address:
        messages.error(request, gettext("%(channel)s: there is no address yet.") % {"channel": channel.label})
        return
    said = {"channel": channel.label, "address": address}
    body = gettext("This is a test from %(site)s. What you are told of arrives like this.")
    try:
        channel.send(person, Message(gettext("A test"), body % {"site": conf.get("SITE_URL")}, is_good=True))
    except NotSent as error:
        messages.error(request, gettext("The test did not go out: %(error)s.") % {"error": error})
    else:
        messages.success(request, gettext("%(channel)s: a test was sent to %(address)s.") % said)


def _way(channel: Channel, person: User) -> dict[str, Any]:
    return {
        "name": channel.name,
        "label": channel.label,
        "address": channel.known_address(person),
        "error": telling.last_error(channel.name, person.pk),
    }


def _mailbox(person: User) -> str:
    return channels()[MAIL].known_address(person).strip().lower() if MAIL in channels() else ""


def _kinds_field(channel: str) -> str:
    return f"kinds_{channel}"


def _address_field(channel: str) -> str:
    return f"address_{channel}"


def _forget_field(channel: str) -> str:
    return f"forget_{channel}"
