"""What people do to webhooks, one or many: test, switch on and off, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.models import DELETION
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from posts.admin.people import person_of
from posts.models import WebhookEndpoint
from posts.services import endpoints
from posts.services.errors import ServiceError
from posts.services.given_up import given_up
from posts.services.sending import send_test
from queue_app.admin import history
from queue_app.admin.actions import ConfirmedAction


class SwitchOnForm(forms.Form):
    """Where to go on."""

    catch_up = forms.BooleanField(
        label=_("Also send what it missed"),
        required=False,
        help_text=_("As far as that is kept. What it has already comes under the same id, so it can tell."),
    )


class EndpointAction(ConfirmedAction):
    """An action on webhooks."""

    refusals = (ServiceError,)
    permission = "posts.change_webhookendpoint"


class Test(EndpointAction):
    """Send an event that means nothing, and say what the receiver answered."""

    name, of_one = "test", True
    sure: ClassVar[Any] = _("Yes, send it")
    label: ClassVar[Any] = _("Send test event")
    done: ClassVar[Any] = _("sent a test event")

    def perform_all(
        self, rows: Sequence[Any], request: HttpRequest, answers: dict[str, Any]
    ) -> tuple[int, list[tuple[Any, str]]]:
        """Send to each, outside of any transaction: receivers are called."""
        count, refused = 0, []
        for row in rows:
            sent = send_test(row)
            if not sent.arrived:
                refused.append((row, sent.message))
                history.record(request, row, self.flag, gettext("Test event: %(said)s") % {"said": sent.message})
                continue
            count += 1
            said = gettext("The receiver took it, with status %(status)s.") % {"status": sent.status}
            history.record(request, row, self.flag, gettext("Test event: %(said)s") % {"said": said})
            messages.info(request, f"{row}: {said}")
        return count, refused


class SwitchOn(EndpointAction):
    """Send what happens again."""

    name, form_class = "switch_on", SwitchOnForm
    label: ClassVar[Any] = _("Switch on")
    done: ClassVar[Any] = _("switched on")

    def why_not(self, row: WebhookEndpoint, request: HttpRequest) -> str:
        """Skip what is on."""
        return gettext("it is on already") if row.enabled else ""

    def perform(self, row: WebhookEndpoint, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Switch it on."""
        endpoints.switch_on(row, catch_up=answers["catch_up"], actor=person_of(request))
        return gettext("with what it missed") if answers["catch_up"] else ""


class SwitchOff(EndpointAction):
    """Send nothing more."""

    name = "switch_off"
    label: ClassVar[Any] = _("Switch off")
    done: ClassVar[Any] = _("switched off")

    def why_not(self, row: WebhookEndpoint, request: HttpRequest) -> str:
        """Skip what is off."""
        return "" if row.enabled else gettext("it is off already")

    def perform(self, row: WebhookEndpoint, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Switch it off."""
        endpoints.switch_off(row, actor=person_of(request))
        return ""


class GivenUpAction(EndpointAction):
    """An action on what was given up."""

    def why_not(self, row: WebhookEndpoint, request: HttpRequest) -> str:
        """Skip what lacks nothing."""
        return "" if given_up(row) else gettext("nothing was given up")


class SendAgain(GivenUpAction):
    """Send once more what was given up."""

    name = "send_again"
    label: ClassVar[Any] = _("Send again what was given up")
    done: ClassVar[Any] = _("sent again what was given up")
    sure: ClassVar[Any] = _("Yes, send it again")

    def why_not(self, row: WebhookEndpoint, request: HttpRequest) -> str:
        """Skip what lacks nothing, and what is off."""
        if not row.enabled:
            return gettext("it is off: switch it on first")
        return super().why_not(row, request)

    def perform(self, row: WebhookEndpoint, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Queue it."""
        return _events(endpoints.send_again(row, actor=person_of(request)))


class Forget(GivenUpAction):
    """Never send what was given up."""

    name = "forget"
    label: ClassVar[Any] = _("Forget what was given up")
    done: ClassVar[Any] = _("rid of what was given up")
    sure: ClassVar[Any] = _("Yes, forget it")

    def perform(self, row: WebhookEndpoint, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Put it away."""
        return _events(endpoints.forget_given_up(row, actor=person_of(request)))


class Delete(EndpointAction):
    """Delete webhooks with their secrets."""

    name, permission, flag = "delete", "posts.delete_webhookendpoint", DELETION
    label: ClassVar[Any] = _("Delete")
    done: ClassVar[Any] = _("deleted")
    warning: ClassVar[Any] = _("Nothing is sent there any more, and the secret is gone. This cannot be undone.")

    def perform(self, row: WebhookEndpoint, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Delete it."""
        endpoints.delete_endpoint(row, actor=person_of(request))
        return ""


def _events(count: int) -> str:
    return ngettext("%(n)s event", "%(n)s events", count) % {"n": f"{count:,}"}
