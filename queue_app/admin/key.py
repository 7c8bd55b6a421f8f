"""API keys: made for oneself and shown once, listed, revoked after a question."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from queue_app import clock, keys
from queue_app.admin import display, history
from queue_app.admin.actions import ConfirmedAction, ConfirmedActionsMixin
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.database import atomic
from queue_app.models import ApiKey

TICKET_SALT = "queue_app.api_key"
DEFAULT_DAYS = "90"
STATES = {"alive": _("Works"), "expired": _("Over"), "revoked": _("Revoked")}
LOOKS = {"alive": "alive", "expired": "expired", "revoked": "cancelled"}


class KeyForm(forms.Form):
    """What a new key is for. ``ticket`` makes a form that is sent twice one key."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("By which you will know it again, such as “Reports at night”.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        help_text=_("As far as you may yourself."),
        choices=list(keys.SCOPES.items()),
        initial=[keys.READ],
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.TypedChoiceField(label=_("Ends"), coerce=int, initial=DEFAULT_DAYS)
    ticket = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"ticket": signing.dumps(keys.new_prefix(), salt=TICKET_SALT)})
        offered = [(str(days), gettext("in %(n)s days") % {"n": days}) for days in (30, 90, 365)]
        self.fields["days"].choices = [*offered, ("0", gettext("never"))]  # type: ignore[attr-defined]  # a ChoiceField

    def prefix_of_key(self) -> str:
        """Return the beginning that the form was given for its key; "" where the form is not ours."""
        try:
            return str(signing.loads(self.cleaned_data["ticket"], salt=TICKET_SALT))
        except signing.BadSignature:
            return ""

    def ends_at(self) -> datetime | None:
        """Return when the key ends."""
        days: int = self.cleaned_data["days"]
        return clock.now() + timedelta(days=days) if days else None


class Revoke(ConfirmedAction):
    """End keys for good."""

    name, permission = "revoke", "queue_app.change_apikey"
    label: ClassVar[Any] = _("Revoke")
    done: ClassVar[Any] = _("revoked")
    warning: ClassVar[Any] = _("Programs that use it are refused at once. This cannot be undone.")
    refusals = (ValueError,)

    def why_not(self, row: ApiKey, request: HttpRequest) -> str:
        """Skip what is revoked."""
        return gettext("it is revoked already") if row.revoked_at else ""

    def perform(self, row: ApiKey, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Revoke it."""
        if not keys.revoke_key(row):
            raise ValueError(gettext("it is revoked already"))
        return ""


@admin.register(ApiKey)
class KeyAdmin(ConfirmedActionsMixin, ReadOnlyAdmin):
    """The person's own keys, or everybody's with the permission."""

    page_template = "queue_app/admin/key.html"
    empty_hint: ClassVar[Any] = _("No API key yet. Press “Add API key” above to make one for a program of yours.")
    confirmed_actions = [Revoke]
    list_display = ["name", "begins_with", "user", "may", "state", "used", "ends"]
    list_select_related = ["user"]
    search_fields = ["name", "prefix"]
    ordering = ["-id"]
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        """Return the keys that the person may see."""
        return keys.visible_keys(request.user).select_related("user").order_by("-id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may add keys makes them for themselves."""
        return request.user.has_perm("queue_app.add_apikey")

    @sensitive_variables("secret")
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask what the key is for, then show it, this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = KeyForm(request.POST or None)
        if form.is_valid() and (prefix := form.prefix_of_key()):
            try:
                with atomic():
                    key, secret = keys.create_key(
                        request.user,  # type: ignore[arg-type]  # signed in: the admin lets nobody else here
                        name=form.cleaned_data["name"],
                        scopes=form.cleaned_data["scopes"],
                        expires_at=form.ends_at(),
                        prefix=prefix,
                    )
                    history.record(
                        request, key, ADDITION, gettext("Made; it may: %(scopes)s.") % {"scopes": ", ".join(key.scopes)}
                    )
            except IntegrityError:
                return self._made_before(request, prefix)
            except ValueError as error:
                form.add_error(None, str(error))
            else:
                return self.own_page(
                    request, "queue_app/admin/key_made.html", gettext("Your new key"), row=key, secret=secret
                )
        return self.own_page(request, "queue_app/admin/key_add.html", gettext("Make an API key"), form=form)

    def _made_before(self, request: HttpRequest, prefix: str) -> HttpResponse:
        key = keys.visible_keys(request.user).filter(prefix=prefix).first()
        said = gettext("This key is made, and was shown once. If you did not keep it, revoke it and make another.")
        self.message_user(request, said, messages.WARNING)
        if key is None:
            return HttpResponseRedirect(reverse("admin:queue_app_apikey_changelist"))
        return HttpResponseRedirect(reverse("admin:queue_app_apikey_change", args=[key.pk]))

    def page_context(self, request: HttpRequest, row: ApiKey) -> dict[str, Any]:
        """Return the list's columns and the buttons."""
        return {
            "state": self.state(row),
            "begins_with": self.begins_with(row),
            "may": self.may(row),
            "ends": self.ends(row),
            "used": self.used(row),
            "buttons": self.buttons_for(request, row),
        }

    @admin.display(description=_("begins with"), ordering="prefix")
    def begins_with(self, key: ApiKey) -> str:
        """Return the part of the key that is no secret."""
        return f"sq_{key.prefix}_…"

    @admin.display(description=_("may"))
    def may(self, key: ApiKey) -> str:
        """Return what the key may do, in words."""
        return ", ".join(str(keys.SCOPES.get(scope, scope)) for scope in key.scopes)

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> SafeString:
        """Return whether it works, with its icon."""
        state = keys.state_of(key, clock.now())
        return display.badge(LOOKS[state], STATES[state])

    @admin.display(description=_("last used"), ordering="last_used_at")
    def used(self, key: ApiKey) -> SafeString | str:
        """Return when it was last used, to the minute."""
        return display.moment(key.last_used_at) if key.last_used_at else gettext("not yet")

    @admin.display(description=_("ends"), ordering="expires_at")
    def ends(self, key: ApiKey) -> SafeString | str:
        """Return when it ends."""
        return display.moment(key.expires_at) if key.expires_at else gettext("never")
