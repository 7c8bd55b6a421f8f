"""Filters of the media library, kept in the URL."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from posts.selectors import library


class TagFilter(admin.SimpleListFilter):
    """Files with a tag; the chosen one need not be among those offered."""

    title, parameter_name = _("tag"), "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the tags of the files that the person may use."""
        chosen = request.GET.get("tag", "")[:50]
        names = dict.fromkeys([*library.tags_offered(request.user), *([chosen] if chosen else [])])
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the files with the tag."""
        value = self.value()
        return queryset.filter(library.with_tag(value.replace("\0", ""))) if value else queryset


class _TwoWays(admin.SimpleListFilter):
    """A question with the answers yes and no."""

    yes: Any
    no: Any

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the two answers."""
        return [("yes", self.yes), ("no", self.no)]

    def condition(self) -> Any:
        """Return the condition of yes."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the files of the answer."""
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(self.condition() if self.value() == "yes" else ~self.condition())


class UnusedFilter(_TwoWays):
    """Files by whether any post has them."""

    title, parameter_name, yes, no = _("use"), "unused", _("In no post"), _("In a post")

    def condition(self) -> Any:
        """No post has it."""
        return library.used_by_no_post()


class AltTextFilter(_TwoWays):
    """Files by whether their alt text is still to be written."""

    title, parameter_name, yes, no = _("alt text"), "without_alt", _("Missing"), _("Written, or none needed")

    def condition(self) -> Any:
        """It could have one and has none."""
        return library.without_alt_text()


class GoneFilter(admin.SimpleListFilter):
    """Files by whether they are still stored."""

    title, parameter_name = _("file"), "gone"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the two answers."""
        return [("no", _("Stored")), ("yes", _("Gone"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the files of the answer."""
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(file_deleted_at__isnull=self.value() == "no")
