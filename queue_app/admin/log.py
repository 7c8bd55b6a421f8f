"""The history of everything that people did in the admin: who, when, what. Read only.

People see what they did themselves; whoever has one of ``SEES_ALL`` sees what everybody did.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from queue_app.admin import display
from queue_app.admin.asked import whole_number
from queue_app.admin.days import DaysFilter
from queue_app.admin.lists import LongListMixin
from queue_app.admin.pages import ListAdmin
from queue_app.people import key_of_person

SEES_ALL = ["admin.view_logentry"]
PEOPLE_OFFERED = 200
LOOKS = {
    ADDITION: ("job_added", _("Added")),
    CHANGE: ("status_updated", _("Changed")),
    DELETION: ("cancelled", _("Deleted")),
}


def sees_all(request: HttpRequest) -> bool:
    """Return whether the person sees what everybody did."""
    return any(request.user.has_perm(permission) for permission in SEES_ALL)


class PersonFilter(admin.SimpleListFilter):
    """What one person did."""

    title, parameter_name = _("person"), "person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the people who did something, to those who see it."""
        if not sees_all(request):
            return []
        did = Exists(LogEntry.objects.filter(user=OuterRef("pk")))
        people = get_user_model().objects.filter(did).order_by("pk")[:PEOPLE_OFFERED]
        return [(str(person.pk), person.get_username()) for person in people]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        """Return the lines of the chosen person; nonsense matches nothing."""
        if not self.value():
            return queryset
        key = key_of_person(self.value() or "")
        return queryset.filter(user=key) if key is not None else queryset.none()


class KindFilter(admin.SimpleListFilter):
    """What was done to one kind of thing."""

    title, parameter_name = _("about"), "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the kinds that have a line."""
        used = LogEntry.objects.order_by().values("content_type").distinct()
        kinds = ContentType.objects.filter(pk__in=used).order_by("app_label", "model")
        return [(str(kind.pk), capfirst(kind.name)) for kind in kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        """Return the lines about the chosen kind."""
        return queryset.filter(content_type=whole_number(self.value()) or 0) if self.value() else queryset


class FlagFilter(admin.SimpleListFilter):
    """What was added, changed or deleted."""

    title, parameter_name = _("kind"), "action_flag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the three."""
        return [(str(flag), label) for flag, (_state, label) in LOOKS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        """Return the lines of the chosen kind; nonsense matches nothing."""
        return queryset.filter(action_flag=(whole_number(self.value()) or 0) % 100) if self.value() else queryset


class LogAdmin(LongListMixin, ListAdmin):
    """The history. Nothing is added, changed or deleted by hand. Registered by the app that shows it."""

    change_list_template = "queue_app/admin/log_list.html"
    empty_hint = _("Nothing was done yet. What people do here is written down by itself.")
    actions = None
    list_display = ["when", "who", "kind", "thing", "what"]
    list_display_links = None
    list_filter = [PersonFilter, KindFilter, FlagFilter, ("action_time", DaysFilter)]
    list_select_related = ["user", "content_type"]
    search_fields = ["object_repr", "change_message"]
    search_help_text = _("Search in names and in what was done.")
    ordering = ["-id"]
    sortable_by = ()
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """Return the lines that the person sees."""
        rows: QuerySet[LogEntry] = super().get_queryset(request)
        return rows if sees_all(request) else rows.filter(user=request.user.pk or 0)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list under the name that people look for."""
        return super().changelist_view(request, {"title": _("History"), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the list: a line has no page of its own."""
        return HttpResponseRedirect(reverse("admin:admin_logentry_changelist"))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody who works here sees at least what they did themselves."""
        return bool(request.user.is_staff and request.user.get_all_permissions())

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show it in the index to them."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted by hand."""
        return False

    @admin.display(description=_("when"))
    def when(self, line: LogEntry) -> SafeString | str:
        """Return when it was done."""
        return display.moment(line.action_time)

    @admin.display(description=_("who"))
    def who(self, line: LogEntry) -> str:
        """Return who did it."""
        return str(line.user.get_username())

    @admin.display(description=_("kind"))
    def kind(self, line: LogEntry) -> SafeString:
        """Return whether something was added, changed or deleted, with its icon."""
        state, label = LOOKS.get(line.action_flag, LOOKS[CHANGE])
        return display.badge(state, label)

    @admin.display(description=_("about"))
    def thing(self, line: LogEntry) -> SafeString | str:
        """Return what it was done to, with its kind; linked while there may be a page of it."""
        name = line.object_repr or display.NOTHING
        kind = capfirst(line.content_type.name) if line.content_type is not None else ""
        url = address_of(line)
        shown = format_html('<a href="{}">{}</a>', url, name) if url else name
        return format_html('{}<span class="sq-second">{}</span>', shown, kind)

    @admin.display(description=_("what was done"))
    def what(self, line: LogEntry) -> str:
        """Return what was done, in words."""
        return line.get_change_message()


def address_of(line: LogEntry) -> str:
    """Return the address of the page of what a line is about; "" if it has none any more."""
    if line.content_type is None or not line.object_id or line.action_flag == DELETION:
        return ""
    name = f"admin:{line.content_type.app_label}_{line.content_type.model}_change"
    try:
        return reverse(name, args=[line.object_id])
    except NoReverseMatch:
        return ""
