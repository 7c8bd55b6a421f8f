"""The pages to connect and reconnect accounts. The network is asked by the services, outside any transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters

from posts import conf
from posts.admin import login
from posts.admin.account_actions import may_manage
from posts.admin.account_forms import ConnectForm
from posts.admin.people import person_of
from posts.models import Account
from posts.publishing import registry
from posts.selectors.posts import SEE_ALL, usable_accounts
from posts.services import accounts as services
from posts.services.errors import ServiceError, ValidationFailed
from posts.services.held import held_by
from posts.services.logins import LoginOver
from queue_app.admin import history
from queue_app.admin.pages import ReadOnlyAdmin

FIRST_LOGIN = 1  # the version of the credentials that an account was made with
secret_form = method_decorator(sensitive_post_parameters())


class ConnectPages(ReadOnlyAdmin):
    """Choosing a platform, answering what it asks, coming back from its page, choosing what to connect."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may add accounts connects them."""
        return request.user.has_perm("posts.add_account")

    def get_urls(self) -> list[URLPattern]:
        """Add the pages to connect and reconnect."""
        wrap = self.admin_site.admin_view
        own = [
            path("callback/", wrap(self.callback_view), name=login.CALLBACK),
            path("choose/<uuid:uuid>/", wrap(self.choose_view), name="posts_account_choose"),
            path("<int:pk>/reconnect/", wrap(self.reconnect_view), name="posts_account_reconnect"),
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
            return self.own_page(request, "posts/admin/platforms.html", _("Connect an account"), platforms=offered)
        may_share = person_of(request).has_perm(SEE_ALL)
        form = ConnectForm(platform, _sent(request), may_share=may_share)
        if form.is_valid():
            is_shared = bool(form.cleaned_data.get("shared"))
            try:
                if platform.oauth is not None:
                    return login.to_network(request, self.admin_site, platform, form.answers(), is_shared=is_shared)
                owner, actor = None if is_shared else person_of(request), person_of(request)
                account = services.connect_account(platform.name, form.answers(), owner=owner, actor=actor, hold=True)
            except ServiceError as error:
                tell(form, error)
            else:
                return self._logged_in(request, account)
        title = _("Connect an account on %(platform)s") % {"platform": platform.label}
        context = login.connect_context(request, platform)
        return self.own_page(request, "posts/admin/connect.html", title, form=form, **context)

    def callback_view(self, request: HttpRequest) -> HttpResponse:
        """Take the person back from the network's page: connect, or ask what to connect."""
        if not (self.has_add_permission(request) or request.user.has_perm("posts.change_account")):
            raise PermissionDenied
        try:
            result = login.finish(request)
        except LoginOver as error:
            title = _("Nothing was connected")
            return self.own_page(request, "posts/admin/login_over.html", title, error=error, status=403)
        except services.OtherIdentity as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:posts_account_reconnect", args=[error.account.pk]))
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
            return self.own_page(request, "posts/admin/choose.html", _("What should be connected?"), form=form)
        for account in accounts:
            history.record(request, account, ADDITION, "Connected.")
        names = ", ".join(str(account) for account in accounts)
        return self._back_to_list(request, _("Connected: %(names)s.") % {"names": names}, messages.SUCCESS)

    @secret_form
    def reconnect_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give an account new credentials; its posts stay, and those that are due wait for a word."""
        account = self.managed(request, pk)
        platform = registry.platforms().get(account.platform)
        if platform is None:
            raise Http404(_("This site does not know the platform %(platform)s.") % {"platform": account.platform})
        form = ConnectForm(platform, _sent(request), kept=services.reconnect_answers(account))
        if form.is_valid():
            try:
                if platform.oauth is not None:
                    return login.to_network(request, self.admin_site, platform, form.answers(), account=account)
                account = services.reconnect_account(account, form.answers(), actor=person_of(request), hold=True)
            except ServiceError as error:
                tell(form, error)
            else:
                return self._logged_in(request, account)
        context = login.connect_context(request, platform)
        title = _("Reconnect %(account)s") % {"account": account}
        return self.own_page(request, "posts/admin/connect.html", title, form=form, account=account, **context)

    def managed(self, request: HttpRequest, pk: int) -> Account:
        """Return the account if the person looks after it; raises Http404 and PermissionDenied."""
        if not request.user.has_perm("posts.change_account"):
            raise PermissionDenied
        account = usable_accounts(request.user).filter(pk=pk).first()
        if account is None:
            raise Http404(_("There is no such account."))
        if not may_manage(request, account):
            raise PermissionDenied
        return account

    def done(self, request: HttpRequest, account: Account, flag: int, line: str, said: str) -> HttpResponse:
        """Write ``line`` to the account's history, say ``said``, and go to its page."""
        history.record(request, account, flag, line)
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:posts_account_change", args=[account.pk]))

    def _logged_in(self, request: HttpRequest, account: Account) -> HttpResponse:
        """Say that it is connected; one that was known before, by whichever way, is connected again."""
        named = {"account": account}
        if account.credentials_version == FIRST_LOGIN:
            said = _("%(account)s is connected; now it can be posted to.") % named
            return self.done(request, account, ADDITION, _("Is connected."), said)
        said = _("%(account)s is connected again.") % named
        waiting = held_by(account).waiting
        if waiting:
            wait = ngettext(
                "%(n)s post is held: look below, then resume it.",
                "%(n)s posts are held: look below, then resume them.",
                waiting,
            )
            said = f"{said} {wait % {'n': f'{waiting:,}'}}"
        return self.done(request, account, CHANGE, _("Is connected again."), said)

    def _back_to_list(self, request: HttpRequest, text: str, level: int) -> HttpResponse:
        self.message_user(request, text, level)
        return HttpResponseRedirect(reverse("admin:posts_account_changelist"))


def tell(form: Any, error: ServiceError) -> None:
    """Put each problem beside its field, the rest on top."""
    if not isinstance(error, ValidationFailed):
        form.add_error(None, str(error))
        return
    for problem in error.problems:
        form.add_error(problem.field if problem.field in form.fields else None, problem.message)


def _sent(request: HttpRequest) -> QueryDict | None:
    # A platform that asks nothing sends a form with its token alone, which is a form that was sent all the same.
    return request.POST if request.method == "POST" else None
