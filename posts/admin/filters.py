"""Filters of the lists, kept in the URL. Each asks with a sub-query, so that no row is shown twice."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from posts.models import Delivery, Post, Tag
from posts.publishing import registry
from posts.selectors import attention
from posts.selectors.posts import usable_accounts, visible_posts
from queue_app import clock
from queue_app.admin.asked import whole_number

TAGS_OFFERED = 200


class DeliveryPlatformFilter(admin.SimpleListFilter):
    """Deliveries on a platform."""

    title = _("platform")
    parameter_name = "account__platform"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the platforms that the person has accounts on."""
        names = usable_accounts(request.user).order_by("platform").values_list("platform", flat=True).distinct()
        known = registry.platforms()
        return [(name, known[name].label if name in known else name) for name in names]

    def condition(self) -> Q:
        """Return what a delivery must be."""
        return Q(account__platform=self.value())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the deliveries on the platform."""
        return queryset.filter(self.condition()) if self.value() else queryset


class DeliveryAccountFilter(admin.SimpleListFilter):
    """Deliveries on an account."""

    title = _("account")
    parameter_name = "account__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the accounts that the person may use."""
        return [(str(account.pk), str(account)) for account in usable_accounts(request.user)]

    def condition(self) -> Q:
        """Return what a delivery must be; nonsense matches nothing."""
        return Q(account=whole_number(self.value()) or 0)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the deliveries on the account."""
        return queryset.filter(self.condition()) if self.value() else queryset


class PlatformFilter(DeliveryPlatformFilter):
    """Posts that go out on a platform."""

    parameter_name = "platform"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the posts with a delivery on the platform."""
        return _with_delivery(queryset, self.condition()) if self.value() else queryset


class AccountFilter(DeliveryAccountFilter):
    """Posts that go out on an account."""

    parameter_name = "account"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the posts with a delivery on the account."""
        return _with_delivery(queryset, self.condition()) if self.value() else queryset


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


class TagFilter(admin.SimpleListFilter):
    """Posts with a tag."""

    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the tags of posts that the person sees."""
        seen = Post.tags.through.objects.filter(tag=OuterRef("pk"), post__in=visible_posts(request.user))
        names = Tag.objects.filter(Exists(seen)).values_list("name", flat=True)[:TAGS_OFFERED]
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the posts with the tag."""
        return queryset.filter(tags__name=self.value()) if self.value() else queryset


def _with_delivery(posts: QuerySet[Any], condition: Q) -> QuerySet[Any]:
    return posts.filter(Exists(Delivery.objects.filter(condition, post=OuterRef("pk"))))
