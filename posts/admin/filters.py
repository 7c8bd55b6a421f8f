"""Filters of the lists, kept in the URL. Each asks with a sub-query, so that no row is shown twice."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from posts.models import Delivery
from posts.publishing import registry
from posts.selectors import attention
from posts.selectors.posts import usable_accounts
from queue_app import clock
from queue_app.admin.asked import whole_number


class PlatformFilter(admin.SimpleListFilter):
    """Posts that go out on a platform."""

    title = _("platform")
    parameter_name = "platform"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the platforms that the person has accounts on."""
        names = usable_accounts(request.user).order_by("platform").values_list("platform", flat=True).distinct()
        known = registry.platforms()
        return [(name, known[name].label if name in known else name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the posts with a delivery on the platform."""
        if not self.value():
            return queryset
        return queryset.filter(Exists(Delivery.objects.filter(post=OuterRef("pk"), account__platform=self.value())))


class AccountFilter(admin.SimpleListFilter):
    """Posts that go out on an account."""

    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the accounts that the person may use."""
        return [(str(account.pk), str(account)) for account in usable_accounts(request.user)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the posts with a delivery on the account."""
        account = whole_number(self.value())
        if account is None:
            return queryset
        return queryset.filter(Exists(Delivery.objects.filter(post=OuterRef("pk"), account=account)))


class NeedsFilter(admin.SimpleListFilter):
    """Deliveries that somebody should see to, as the banner and the dashboard count them."""

    title, parameter_name = _("needs a person"), "needs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the reasons."""
        return [
            ("review", _("To decide: may be live")),
            ("failed", _("Failed in the last seven days")),
            ("late", _("Late: due, and not out")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the deliveries that need somebody for that reason."""
        match self.value():
            case "review":
                return queryset.filter(attention.review())
            case "failed":
                return queryset.filter(attention.failed(clock.now()))
            case "late":
                return queryset.filter(attention.late(clock.now()))
        return queryset
