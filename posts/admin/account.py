"""Accounts: connect, reconnect, disable, delete. The network is asked by the services, outside any transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from posts import conf
from posts.admin import login
from posts.admin.account_actions import Delete, Disable, Enable, Test, may_manage
from posts.admin.account_forms import ConnectForm, FailureForm, TextsForm
from posts.admin.filters import ReconnectFilter
from posts.admin.people import person_of
from posts.models import Account
from posts.outbox.network import PLATFORM as OUTBOX
from posts.publishing import registry, words
from posts.selectors.posts import SEE_ALL, usable_accounts
from posts.services import accounts as services
from posts.services.account_texts import set_account_texts
from posts.services.errors import ServiceError, ValidationFailed
from posts.services.logins import LoginOver
from posts.services.outbox import set_outbox_failure
from posts.services.windows import remaining
from queue_app import clock
from queue_app.admin import display, history
from queue_app.admin.actions import ConfirmedActionsMixin
from queue_app.admin.pages import ReadOnlyAdmin

FIRST_LOGIN = 1  # the version of the credentials that an account was made with
secret_form = method_decorator(sensitive_post_parameters())


def state_of(account: Account) -> tuple[str, str]:
    """Return the state of an account for a badge, and in words."""
    if not account.enabled:
        return "disabled", "Disabled"
    if account.reconnect_reason:
        return "reconnect", "Must be reconnected"
    ends = account.credentials_expire_at
    platform = registry.platforms().get(account.platform)
    if ends is not None and ends <= clock.now() and not (platform is not None and platform.refreshes):
        return "expired", "Access has ended"
    return "alive", "Connected"


@admin.register(Account)
class AccountAdmin(ConfirmedActionsMixin, ReadOnlyAdmin):
    """Accounts that the person may post to."""

    page_template = "posts/admin/account.html"
    empty_hint = "No account yet. Press “Add account” above to connect the first one."
    confirmed_actions = [Test, Disable, Enable, Delete]
    list_display = ["name", "platform_label", "identity_id", "state", "access_ends", "deliveries_count", "owner"]
    list_filter = ["platform", "enabled", ReconnectFilter]
    list_select_related = ["owner"]
    search_fields = ["name", "identity_id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        """Return the accounts that the person may use."""
        return usable_accounts(request.user).annotate(delivery_count=Count("deliveries")).order_by("platform", "name")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may add accounts connects them."""
        return request.user.has_perm("posts.add_account")

    def get_urls(self) -> list[URLPattern]:
        """Add the pages to reconnect, and to tell an outbox account to fail."""
        wrap = self.admin_site.admin_view
        own = [
            path("callback/", wrap(self.callback_view), name=login.CALLBACK),
            path("choose/<uuid:uuid>/", wrap(self.choose_view), name="posts_account_choose"),
            path("<int:pk>/reconnect/", wrap(self.reconnect_view), name="posts_account_reconnect"),
            path("<int:pk>/texts/", wrap(self.texts_view), name="posts_account_texts"),
            path("<int:pk>/failure/", wrap(self.failure_view), name="posts_account_failure"),
        ]
        return own + list(super().get_urls())

    @secret_form
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Choose a platform, then answer what it asks."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        known, enabled = registry.platforms(), conf.get("ENABLED_PLATFORMS")
        platforms = [known[name] for name in known if name in enabled]
        platform = known.get(request.GET.get("platform", ""))
        if platform not in platforms:
            offered = [(each, login.lacks_app(each)) for each in platforms]
            return self._page(request, "posts/admin/platforms.html", "Connect an account", platforms=offered)
        may_share = person_of(request).has_perm(SEE_ALL)
        form = ConnectForm(platform, _sent(request), may_share=may_share)
        if form.is_valid():
            is_shared = bool(form.cleaned_data.get("shared"))
            try:
                if platform.oauth is not None:
                    return login.to_network(request, self.admin_site, platform, form.answers(), is_shared=is_shared)
                owner, actor = None if is_shared else person_of(request), person_of(request)
                account = services.connect_account(platform.name, form.answers(), owner=owner, actor=actor)
            except ServiceError as error:
                _tell(form, error)
            else:
                return self._logged_in(request, account)
        title = f"Connect an account on {platform.label}"
        context = login.connect_context(request, platform)
        return self._page(request, "posts/admin/connect.html", title, form=form, **context)

    def callback_view(self, request: HttpRequest) -> HttpResponse:
        """Take the person back from the network's page: connect, or ask what to connect."""
        if not (self.has_add_permission(request) or request.user.has_perm("posts.change_account")):
            raise PermissionDenied
        try:
            result = login.finish(request)
        except LoginOver as error:
            return self._page(request, "posts/admin/login_over.html", "Nothing was connected", error=error, status=403)
        except ServiceError as error:
            return self._back_to_list(request, str(error), messages.ERROR)
        if isinstance(result, Account):
            return self._logged_in(request, result)
        return HttpResponseRedirect(reverse("admin:posts_account_choose", args=[result.uuid]))

    def choose_view(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        """Ask which of several pages, organisations or channels to connect."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        try:
            form, accounts = login.choose(request, uuid)
        except ServiceError as error:
            return self._back_to_list(request, str(error), messages.ERROR)
        if not accounts:
            return self._page(request, "posts/admin/choose.html", "What should be connected?", form=form)
        for account in accounts:
            history.record(request, account, ADDITION, "Connected.")
        names = ", ".join(str(account) for account in accounts)
        return self._back_to_list(request, f"Connected: {names}.", messages.SUCCESS)

    @secret_form
    def reconnect_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give an account new credentials; its posts stay, and those that waited for it go on."""
        account = self._managed(request, pk)
        platform = registry.platforms().get(account.platform)
        if platform is None:
            raise Http404(f"This site does not know the platform {account.platform}.")
        form = ConnectForm(platform, _sent(request), kept=services.reconnect_answers(account))
        if form.is_valid():
            try:
                if platform.oauth is not None:
                    return login.to_network(request, self.admin_site, platform, form.answers(), account=account)
                account = services.reconnect_account(account, form.answers())
            except ServiceError as error:
                _tell(form, error)
            else:
                return self._logged_in(request, account)
        context = login.connect_context(request, platform)
        title = f"Reconnect {account}"
        return self._page(request, "posts/admin/connect.html", title, form=form, account=account, **context)

    def texts_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Set the account's signature, variables and UTM parameters."""
        account = self._managed(request, pk)
        form = TextsForm(request.POST or None, account=account)
        if form.is_valid():
            try:
                set_account_texts(account, **form.answers())
            except ServiceError as error:
                _tell(form, error)
            else:
                return self._connected(request, account, CHANGE, "has new texts; scheduled posts go out with them")
        return self._page(request, "posts/admin/texts.html", f"Texts of {account}", form=form, account=account)

    def failure_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Choose how an outbox account answers."""
        account = self._managed(request, pk)
        if account.platform != OUTBOX:
            raise Http404("Only outbox accounts can be told to fail.")
        form = FailureForm(request.POST or None, account=account)
        if form.is_valid():
            try:
                set_outbox_failure(account, form.cleaned_data["failure"], form.cleaned_data["times"])
            except ServiceError as error:
                _tell(form, error)
            else:
                how = dict(form.fields["failure"].choices)[form.cleaned_data["failure"]]  # type: ignore[attr-defined]  # a ChoiceField
                return self._connected(request, account, CHANGE, f"will now: {how}")
        return self._page(request, "posts/admin/failure.html", f"How {account} answers", form=form, account=account)

    def page_context(self, request: HttpRequest, row: Account) -> dict[str, Any]:
        """Return the state in words and what may be done."""
        platform = registry.platforms().get(row.platform)
        label = platform.label if platform is not None else row.platform
        reason = words.sentence(row.reconnect_reason, {}, label) if row.reconnect_reason else ""
        return {
            "platform_label": label,
            "state": display.badge(*state_of(row)),
            "reason": reason,
            "refreshes": platform is not None and platform.refreshes,
            "settings": _answers_in_words(row),
            "windows": remaining(row),
            "is_outbox": row.platform == OUTBOX,
            "may_reconnect": request.user.has_perm("posts.change_account") and may_manage(request, row),
            "buttons": self.buttons_for(request, row),
        }

    @admin.display(description=_("platform"), ordering="platform")
    def platform_label(self, account: Account) -> str:
        """Return the platform's name for people."""
        platform = registry.platforms().get(account.platform)
        return platform.label if platform is not None else account.platform

    @admin.display(description=_("state"))
    def state(self, account: Account) -> SafeString:
        """Return the state with its icon."""
        return display.badge(*state_of(account))

    @admin.display(description=_("access ends"), ordering="credentials_expire_at")
    def access_ends(self, account: Account) -> SafeString | str:
        """Return when the login ends, if it does."""
        return display.moment(account.credentials_expire_at)

    @admin.display(description=_("deliveries"))
    def deliveries_count(self, account: Any) -> int:
        """Return how many deliveries it has."""
        return int(account.delivery_count)

    def _managed(self, request: HttpRequest, pk: int) -> Account:
        if not request.user.has_perm("posts.change_account"):
            raise PermissionDenied
        account = usable_accounts(request.user).filter(pk=pk).first()
        if account is None:
            raise Http404("There is no such account.")
        if not may_manage(request, account):
            raise PermissionDenied
        return account

    def _logged_in(self, request: HttpRequest, account: Account) -> HttpResponse:
        """Say that it is connected; one that was known before, by whichever way, is connected again."""
        if account.credentials_version == FIRST_LOGIN:
            return self._connected(request, account, ADDITION, "is connected; now it can be posted to")
        return self._connected(request, account, CHANGE, "is connected again; what waited for it goes out")

    def _connected(self, request: HttpRequest, account: Account, flag: int, what: str) -> HttpResponse:
        history.record(request, account, flag, f"{what.partition(';')[0].capitalize()}.")
        self.message_user(request, f"{account} {what}.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:posts_account_change", args=[account.pk]))

    def _back_to_list(self, request: HttpRequest, text: str, level: int) -> HttpResponse:
        self.message_user(request, text, level)
        return HttpResponseRedirect(reverse("admin:posts_account_changelist"))

    def _page(
        self, request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        base = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, "title": title}
        return TemplateResponse(request, template, {**base, **context}, status=status)


def _answers_in_words(account: Account) -> list[tuple[str, str]]:
    """Return what was entered when it was connected and is no secret, by the words of the form."""
    platform = registry.platforms().get(account.platform)
    labels = {asked.name: asked.label for asked in (platform.connect_fields if platform is not None else ())}
    return [(labels.get(name, name), answer) for name, answer in services.reconnect_answers(account).items()]


def _sent(request: HttpRequest) -> QueryDict | None:
    # A platform that asks nothing sends a form with its token alone, which is a form that was sent all the same.
    return request.POST if request.method == "POST" else None


def _tell(form: Any, error: ServiceError) -> None:
    """Put each problem beside its field, the rest on top."""
    if not isinstance(error, ValidationFailed):
        form.add_error(None, str(error))
        return
    for problem in error.problems:
        form.add_error(problem.field if problem.field in form.fields else None, problem.message)
