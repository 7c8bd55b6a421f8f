"""The list of accounts as people read it: how each stands, what waits for it, what may be done. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from posts.admin.account_actions import may_manage
from posts.models import Account
from posts.publishing import registry
from posts.selectors import accounts as selectors
from queue_app import clock

CHANGE, REMOVE = "posts.change_account", "posts.delete_account"


@dataclass(frozen=True, slots=True)
class Row:
    """One account in the list. ``may_test``, ``may_change`` and ``may_delete`` say which buttons it has."""

    account: Account
    platform: str
    health: selectors.Health
    ends_at: datetime | None
    waiting: int
    may_test: bool
    may_change: bool
    may_delete: bool


def rows_of(accounts: Sequence[Account], request: HttpRequest) -> list[Row]:
    """Return the accounts of one page of the list. Two queries, however many there are."""
    now = clock.now()
    held = selectors.blocks_of(accounts, now)
    waiting = selectors.waiting_by_account(accounts)
    may_change, may_delete = request.user.has_perm(CHANGE), request.user.has_perm(REMOVE)
    rows = []
    for account in accounts:
        is_theirs = may_manage(request, account)
        rows.append(
            Row(
                account=account,
                platform=selectors.label_of_platform(account.platform),
                health=selectors.health_of(account, now, held),
                ends_at=selectors.ends_at(account),
                waiting=waiting.get(account.pk, 0),
                may_test=may_change and is_theirs and account.platform in registry.platforms(),
                may_change=may_change and is_theirs,
                may_delete=may_delete and is_theirs,
            )
        )
    return rows


def most_urgent_first() -> list[str | Combinable]:
    """Return the order of the list: first accounts that a person must mend, last those that are off."""
    urgent = Case(
        When(selectors.RECONNECT, then=Value(0)),
        When(enabled=False, then=Value(2)),
        default=Value(1),
        output_field=IntegerField(),
    )
    return [urgent, "platform", "name", "pk"]


class HealthFilter(admin.SimpleListFilter):
    """Accounts by what they need."""

    title, parameter_name = _("what it needs"), "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return what may be asked for."""
        return [
            ("reconnect", _("Must be reconnected")),
            ("renewal", _("Access ends soon")),
            ("enabling", _("Disabled")),
            ("nothing", _("Works")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        """Return the accounts that need it."""
        match self.value():
            case "reconnect":
                return queryset.filter(selectors.RECONNECT)
            case "renewal":
                return queryset.filter(
                    selectors.ends_by(clock.now() + selectors.SOON), enabled=True, reconnect_reason=""
                )
            case "enabling":
                return queryset.filter(enabled=False)
            case "nothing":
                return queryset.filter(enabled=True, reconnect_reason="")
        return queryset


class PlatformFilter(admin.SimpleListFilter):
    """Accounts by their network, by the names that people know."""

    title, parameter_name = _("platform"), "platform"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the platforms of the accounts that the person may use."""
        names = model_admin.get_queryset(request).order_by("platform").values_list("platform", flat=True).distinct()
        return [(name, selectors.label_of_platform(name)) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        """Return the accounts on the chosen platform."""
        return queryset.filter(platform=self.value()) if self.value() else queryset
