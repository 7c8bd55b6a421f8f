"""Webhooks: made with a secret that is shown once, changed, tested, switched, with what their receivers answered last.

Receivers are called by the test alone, outside any transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from posts.admin.people import person_of
from posts.admin.webhook_actions import Delete, Forget, SendAgain, SwitchOff, SwitchOn, Test
from posts.models import OffReason, WebhookEndpoint
from posts.selectors.events import visible_endpoints
from posts.services import endpoints
from posts.services.errors import ServiceError, ValidationFailed
from posts.services.given_up import given_up
from queue_app.admin import display, history
from queue_app.admin.actions import ConfirmedActionsMixin
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.database import atomic


class EndpointForm(forms.Form):
    """What a webhook is called, where it is, and what it is sent."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("By which you will know it again, such as “Desk”.")
    )
    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        widget=forms.URLInput(attrs={"class": "vTextField"}),
        help_text=_("Where events are sent by POST. It answers with any 2xx once it has one; that is all that counts."),
    )
    names = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(name, name) for name in endpoints.KNOWN],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: all that you may see. Those of jobs come within some ten seconds."),
    )


@admin.register(WebhookEndpoint)
class WebhookAdmin(ConfirmedActionsMixin, ReadOnlyAdmin):
    """The person's own webhooks, or everybody's with the permission."""

    page_template = "posts/admin/webhook.html"
    empty_hint: ClassVar[Any] = _(
        "No webhook yet. Press “Add webhook” above to have a program of yours told what happens to posts and jobs."
    )
    confirmed_actions = [Test, SendAgain, Forget, SwitchOn, SwitchOff, Delete]
    list_display = ["name", "host", "state", "wanted", "last_success", "owner"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    ordering = ["name", "id"]
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        """Return the webhooks that the person may see."""
        return visible_endpoints(request.user).select_related("owner").order_by(*self.ordering)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may add webhooks makes them for themselves."""
        return request.user.has_perm("posts.add_webhookendpoint")

    def get_urls(self) -> list[URLPattern]:
        """Add the form of one, and its new secret."""
        views: dict[str, Callable[..., HttpResponse]] = {"edit": self.edit_view, "secret": self.secret_view}
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"posts_webhookendpoint_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    @sensitive_variables("secret")
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask where it is, then show its secret, this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = EndpointForm(request.POST or None)
        if form.is_valid():
            try:
                with atomic():
                    endpoint, secret = endpoints.create_endpoint(person_of(request), **form.cleaned_data)
                    history.record(request, endpoint, ADDITION, gettext("Made."))
            except ValidationFailed as error:
                _add_problems(form, error)
            else:
                return self._secret_page(request, endpoint, secret)
        return self.own_page(request, "posts/admin/webhook_form.html", gettext("Add a webhook"), form=form)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Change what it is called, where it is and what it is sent."""
        endpoint = self._changeable(request, pk)
        known = {"name": endpoint.name, "url": endpoint.url, "names": endpoint.names}
        form = EndpointForm(request.POST if request.method == "POST" else None, initial=known)
        if form.is_valid():
            try:
                with atomic():
                    endpoints.change_endpoint(endpoint, **form.cleaned_data, actor=person_of(request))
                    history.record(request, endpoint, CHANGE, gettext("Changed."))
            except ValidationFailed as error:
                _add_problems(form, error)
            else:
                self.message_user(request, gettext("%(name)s was changed.") % {"name": endpoint}, messages.SUCCESS)
                return HttpResponseRedirect(_address(endpoint))
        return self.own_page(
            request, "posts/admin/webhook_form.html", gettext("Change a webhook"), form=form, row=endpoint
        )

    @sensitive_variables("secret")
    def secret_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then give it a new secret and show that, this once."""
        endpoint = self._changeable(request, pk)
        if request.method != "POST":
            return self.own_page(request, "posts/admin/webhook_renew.html", gettext("Make a new secret"), row=endpoint)
        try:
            with atomic():
                secret = endpoints.renew_secret(endpoint, actor=person_of(request))
                history.record(request, endpoint, CHANGE, gettext("New secret."))
        except ServiceError as error:
            self.message_user(request, f"{error}.", messages.ERROR)
            return HttpResponseRedirect(reverse("admin:posts_webhookendpoint_changelist"))
        return self._secret_page(request, endpoint, secret)

    def page_context(self, request: HttpRequest, row: WebhookEndpoint) -> dict[str, Any]:
        """Return the list's columns, the last attempts and the buttons."""
        attempts = [{**line, "at": datetime.fromisoformat(line["at"]), "badge": _answered(line)} for line in row.recent]
        return {
            "state": self.state(row),
            "wanted": self.wanted(row),
            "last_success": self.last_success(row),
            "attempts": attempts,
            "given_up": given_up(row),
            "may_change": request.user.has_perm("posts.change_webhookendpoint"),
            "buttons": self.buttons_for(request, row),
        }

    @admin.display(description=_("server"))
    def host(self, endpoint: WebhookEndpoint) -> str:
        """Return the host alone: the rest of an address may be all that is needed to send there."""
        return urlsplit(endpoint.url).hostname or display.NOTHING

    @admin.display(description=_("state"), ordering="enabled")
    def state(self, endpoint: WebhookEndpoint) -> SafeString:
        """Return whether it is sent anything, and takes it."""
        if not endpoint.enabled:
            look = "disabled" if endpoint.off_reason == OffReason.PERSON else "failed"
            return display.badge(look, endpoint.get_off_reason_display())
        if endpoint.failing_since is not None:
            return display.badge("soon", gettext("Fails"))
        return display.badge("alive", gettext("On"))

    @admin.display(description=_("events"))
    def wanted(self, endpoint: WebhookEndpoint) -> str:
        """Return what it is sent."""
        return ", ".join(endpoint.names) or gettext("all")

    @admin.display(description=_("last success"), ordering="last_success_at")
    def last_success(self, endpoint: WebhookEndpoint) -> SafeString | str:
        """Return when it last took something."""
        return display.moment(endpoint.last_success_at) if endpoint.last_success_at else gettext("not yet")

    def _changeable(self, request: HttpRequest, pk: int) -> WebhookEndpoint:
        """Return a webhook that the person may change."""
        if not request.user.has_perm("posts.change_webhookendpoint"):
            raise PermissionDenied
        endpoint = self.get_queryset(request).filter(pk=pk).first()
        if endpoint is None:
            raise Http404(gettext("There is no such webhook."))
        return endpoint

    def _secret_page(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
        return self.own_page(
            request, "posts/admin/webhook_secret.html", gettext("The signing secret"), row=endpoint, secret=secret
        )


def _add_problems(form: EndpointForm, error: ValidationFailed) -> None:
    for problem in error.problems:
        form.add_error(problem.field if problem.field in form.fields else None, f"{problem.message}.")


def _address(endpoint: WebhookEndpoint) -> str:
    return reverse("admin:posts_webhookendpoint_change", args=[endpoint.pk])


def _answered(line: dict[str, Any]) -> SafeString:
    """Return the answer of one attempt as it is shown."""
    status = line["status"]
    arrived = status is not None and 200 <= status < 300
    return display.badge("completed" if arrived else "failed", gettext("no answer") if status is None else status)
