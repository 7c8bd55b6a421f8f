"""Accounts: connect, reconnect, disable, delete. The network is asked by the services, outside any transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from posts import conf
from posts.admin.account_forms import ConnectForm, FailureForm
from posts.admin.people import person_of
from posts.models import Account
from posts.outbox.network import PLATFORM as OUTBOX
from posts.publishing import registry, words
from posts.selectors.posts import SEE_ALL, may_see, usable_accounts
from posts.services import accounts as services
from posts.services.errors import ServiceError, ValidationFailed
from posts.services.outbox import set_outbox_failure
from queue_app import clock
from queue_app.admin import display, history
from queue_app.admin.actions import ConfirmedAction, ConfirmedActionsMixin
from queue_app.admin.pages import ReadOnlyAdmin

secret_form = method_decorator(sensitive_post_parameters())


class AccountAction(ConfirmedAction):
    """An action on accounts."""

    refusals = (ServiceError,)
    permission = "posts.change_account"

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what belongs to everybody, unless the person looks after everybody's."""
        return "" if may_manage(request, row) else "it is shared by all; ask an administrator"


class Disable(AccountAction):
    """Stop publishing to accounts; what is scheduled waits."""

    name, label, done = "disable", "Disable", "disabled; what is scheduled for it waits"

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what is disabled."""
        return super().why_not(row, request) or ("" if row.enabled else "it is disabled already")

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Disable it."""
        services.disable_account(row, actor=person_of(request).get_username())
        return ""


class Enable(AccountAction):
    """Publish to accounts again."""

    name, label, done = "enable", "Enable", "enabled"

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what is enabled."""
        return super().why_not(row, request) or ("it is enabled already" if row.enabled else "")

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Enable it."""
        return f"{services.enable_account(row):,} jobs waited"


class Delete(AccountAction):
    """Delete accounts that no post went out to or will."""

    name, label, done, permission = "delete", "Delete", "deleted", "posts.delete_account"
    flag = DELETION

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say what goes with them."""
        drafts = sum(len(services.deletion_effects(row).drafts) for row in rows)
        also = f" and they are taken off {drafts} draft{'s'[: drafts != 1]}" if drafts else ""
        return f"Their credentials are deleted{also}. This cannot be undone."

    def why_not(self, row: Account, request: HttpRequest) -> str:
        """Skip what has posts."""
        posts = len(services.deletion_effects(row).posts)
        having = f"{posts} post{'s'[: posts != 1]} went out to it or will; disable it, or delete those first"
        return super().why_not(row, request) or (having if posts else "")

    def perform(self, row: Account, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Delete it."""
        services.delete_account(row)
        return ""


def may_manage(request: HttpRequest, account: Account) -> bool:
    """Return whether the account is the person's own, or they look after everybody's."""
    return may_see(request.user, account.owner_id)


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
    confirmed_actions = [Disable, Enable, Delete]
    list_display = ["name", "platform_label", "identity_id", "state", "access_ends", "deliveries_count", "owner"]
    list_filter = ["platform", "enabled"]
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
            path("<int:pk>/reconnect/", wrap(self.reconnect_view), name="posts_account_reconnect"),
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
            return self._page(request, "posts/admin/platforms.html", "Connect an account", platforms=platforms)
        may_share = person_of(request).has_perm(SEE_ALL)
        form = ConnectForm(platform, request.POST or None, may_share=may_share)
        if form.is_valid():
            owner = None if form.cleaned_data.get("shared") else person_of(request)
            try:
                account = services.connect_account(platform.name, form.answers(), owner=owner, actor=person_of(request))
            except ServiceError as error:
                _tell(form, error)
            else:
                return self._connected(request, account, ADDITION, "is connected; now it can be posted to")
        return self._page(
            request, "posts/admin/connect.html", f"Connect an account on {platform.label}", form=form, platform=platform
        )

    @secret_form
    def reconnect_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give an account new credentials; its posts stay, and those that waited for it go on."""
        account = self._managed(request, pk)
        platform = registry.platforms().get(account.platform)
        if platform is None:
            raise Http404(f"This site does not know the platform {account.platform}.")
        form = ConnectForm(platform, request.POST or None, kept=services.reconnect_answers(account))
        if form.is_valid():
            try:
                account = services.reconnect_account(account, form.answers())
            except ServiceError as error:
                _tell(form, error)
            else:
                return self._connected(request, account, CHANGE, "is connected again; what waited for it goes out")
        title = f"Reconnect {account}"
        return self._page(request, "posts/admin/connect.html", title, form=form, platform=platform, account=account)

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
            "settings": services.reconnect_answers(row),
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

    def _connected(self, request: HttpRequest, account: Account, flag: int, what: str) -> HttpResponse:
        history.record(request, account, flag, f"{what.partition(';')[0].capitalize()}.")
        self.message_user(request, f"{account} {what}.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:posts_account_change", args=[account.pk]))

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        base = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, "title": title}
        return TemplateResponse(request, template, {**base, **context})


def _tell(form: Any, error: ServiceError) -> None:
    """Put each problem beside its field, the rest on top."""
    if not isinstance(error, ValidationFailed):
        form.add_error(None, str(error))
        return
    for problem in error.problems:
        form.add_error(problem.field if problem.field in form.fields else None, problem.message)
