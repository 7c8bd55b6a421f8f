"""Accounts: the list, the page of one, what every text of it gets. Connecting is in ``account_connect``."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import CHANGE
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts.admin import account_doing, slots, zones
from posts.admin.account_actions import Delete, Disable, Enable, Test, may_manage
from posts.admin.account_capacity import capacity_context
from posts.admin.account_connect import ConnectPages, tell
from posts.admin.account_forms import FailureForm, TextsForm
from posts.admin.account_rows import HealthFilter, PlatformFilter, most_urgent_first, rows_of
from posts.models import Account
from posts.outbox.network import PLATFORM as OUTBOX
from posts.publishing import registry
from posts.selectors import accounts as selectors
from posts.selectors.posts import usable_accounts, visible_posts
from posts.services import accounts as services
from posts.services.account_texts import set_account_texts
from posts.services.errors import ServiceError
from posts.services.held import held_by
from posts.services.outbox import set_outbox_failure
from queue_app import clock
from queue_app.admin.actions import ConfirmedActionsMixin

NEXT_NAMED = 5


@admin.register(Account)
class AccountAdmin(ConfirmedActionsMixin, ConnectPages):
    """Accounts that the person may post to."""

    page_template = "posts/admin/account.html"
    change_list_template = "posts/admin/account_list.html"
    empty_hint: ClassVar[Any] = _("No account yet. Press “Add account” above to connect the first one.")
    confirmed_actions = [Test, Disable, Enable, Delete]
    list_display = ["name"]
    list_filter = [HealthFilter, PlatformFilter]
    list_select_related = ["owner"]
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["name", "identity_id"]

    class Media:
        css = {"all": ["posts/accounts.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        """Return the accounts that the person may use."""
        return usable_accounts(request.user)

    def get_ordering(self, request: HttpRequest) -> list[str | Combinable]:
        """Put those first that need a person."""
        return most_urgent_first()

    def get_urls(self) -> list[URLPattern]:
        """Add what is done to one account, and its further pages."""
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/texts/", wrap(self.texts_view), name="posts_account_texts"),
            path("<int:pk>/failure/", wrap(self.failure_view), name="posts_account_failure"),
        ]
        return [*account_doing.urls(self), *slots.urls(self), *own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, each account with how it stands."""
        response = super().changelist_view(request, extra_context)
        context = response.context_data if isinstance(response, TemplateResponse) else None
        if context is not None and "cl" in context:
            context["rows"] = rows_of(list(context["cl"].result_list), request)
            context["zone"] = zones.zone_of(request.user)
        return response

    def texts_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Set the account's signature, variables and UTM parameters."""
        account = self.managed(request, pk)
        form = TextsForm(request.POST or None, account=account)
        if form.is_valid():
            try:
                set_account_texts(account, **form.answers())
            except ServiceError as error:
                tell(form, error)
            else:
                said = gettext("%(account)s has new texts; scheduled posts go out with them.") % {"account": account}
                return self.done(request, account, CHANGE, gettext("Has new texts."), said)
        title = gettext("Texts of %(account)s") % {"account": account}
        return self.own_page(request, "posts/admin/texts.html", title, form=form, account=account)

    def failure_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Choose how an outbox account answers."""
        account = self.managed(request, pk)
        if account.platform != OUTBOX:
            raise Http404(gettext("Only outbox accounts can be told to fail."))
        form = FailureForm(request.POST or None, account=account)
        if form.is_valid():
            try:
                set_outbox_failure(account, form.cleaned_data["failure"], form.cleaned_data["times"])
            except ServiceError as error:
                tell(form, error)
            else:
                how = dict(form.fields["failure"].choices)[form.cleaned_data["failure"]]  # type: ignore[attr-defined]  # a ChoiceField
                said = gettext("%(account)s will now: %(how)s.") % {"account": account, "how": how}
                return self.done(request, account, CHANGE, gettext("Will now: %(how)s.") % {"how": how}, said)
        title = gettext("How %(account)s answers") % {"account": account}
        return self.own_page(request, "posts/admin/failure.html", title, form=form, account=account)

    def page_context(self, request: HttpRequest, row: Account) -> dict[str, Any]:
        """Return how it stands, what it still takes, what waits for it, and what may be done."""
        now = clock.now()
        platform = registry.platforms().get(row.platform)
        may_change = request.user.has_perm("posts.change_account") and may_manage(request, row)
        waiting = selectors.waiting_for(row)
        return {
            "platform_label": selectors.label_of_platform(row.platform),
            "health": selectors.health_of(row, now),
            "ends_at": selectors.ends_at(row),
            "refreshes": platform is not None and platform.refreshes,
            "settings": _answers_in_words(row),
            "held": held_by(row),
            "waiting_count": waiting.count(),
            "waiting_next": waiting.filter(post__in=visible_posts(request.user)).select_related("post", "job")[
                :NEXT_NAMED
            ],
            "is_outbox": row.platform == OUTBOX,
            "slots_url": _slots_url(row),
            "may_change": may_change,
            "may_test": may_change and platform is not None,
            "buttons": [kind for kind in self.buttons_for(request, row) if kind is not Test],
            **capacity_context(request, row),
        }


def _answers_in_words(account: Account) -> list[tuple[str, str]]:
    """Return what was entered when it was connected and is no secret, by the words of the form."""
    platform = registry.platforms().get(account.platform)
    labels = {asked.name: asked.label for asked in (platform.connect_fields if platform is not None else ())}
    return [(labels.get(name, name), answer) for name, answer in services.reconnect_answers(account).items()]


def _slots_url(account: Account) -> str:
    try:
        return reverse("admin:posts_account_slots", args=[account.pk])
    except NoReverseMatch:
        return ""
