"""The base of every list here, and of the pages that show one row and change nothing, in place of Django's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR, IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import DataError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from queue_app.admin.told import history_of, jobs_of_row

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin

SEARCH_WORDS, SEARCH_CHARACTERS = 20, 300
# What Django's own filters append to the name of a field.
FILTER_SUFFIXES = ("exact", "id__exact", "isnull", "gte", "lt")


def nothing_selected() -> str:
    """Say what to do where an action was asked for and no row is ticked."""
    return _("Nothing is selected, so nothing was done. Tick the rows that you mean, then press the button again.")


class ListAdmin(AnyModelAdmin):
    """A list that takes any question. ``empty_hint`` says what to do where there is nothing to list."""

    empty_hint: ClassVar[Any] = ""
    show_full_result_count = False
    empty_value_display = "–"
    change_list_template = "queue_app/admin/change_list.html"

    class Media:
        css = {"all": ["queue_app/admin.css", "queue_app/lists.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with the hint for an empty one and the buttons of what may be done to its rows."""
        context = {
            "title": capfirst(self.opts.verbose_name_plural),
            "empty_hint": self.empty_hint,
            "bulk": self.bulk_buttons(request),
            "nothing_selected": nothing_selected(),
            "media": self.media["css"],  # the stock scripts look for the stock buttons
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def bulk_buttons(self, request: HttpRequest) -> list[tuple[str, str, bool]]:
        """Return name and label of each action on many rows, and whether it cannot be undone."""
        return [(name, label, False) for name, label in self.get_action_choices(request, default_choices=[])]

    def zone_name(self, request: HttpRequest) -> str:
        """Return the IANA zone in which the person counts days."""
        return timezone.get_current_timezone_name()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow what the filters of the list ask, and nothing else: other look-ups would read hidden columns."""
        for wanted in self.get_list_filter(request):
            name = getattr(wanted, "parameter_name", None) or (wanted[0] if isinstance(wanted, tuple) else wanted)
            own = wanted[1].names_of(name) if isinstance(wanted, tuple) and hasattr(wanted[1], "names_of") else ()
            if lookup in {name, *own, *(f"{name}__{suffix}" for suffix in FILTER_SUFFIXES)}:
                return True
        return False

    def history_jobs(self, row: Any) -> list[int]:
        """Return the keys of the jobs whose events belong to the history of ``row``."""
        return jobs_of_row(row)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show who did what to one row, with what the queue did."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]  # not in the stubs
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("History: %(row)s") % {"row": row},
            "row": row,
            "row_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk]),
            "lines": history_of(row, self.history_jobs(row)),
            "zone": self.zone_name(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "queue_app/admin/history.html", context)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search for the first words: a page of text would be more conditions than a database takes."""
        words = search_term[:SEARCH_CHARACTERS].split()[:SEARCH_WORDS]
        return super().get_search_results(request, queryset, " ".join(words))

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Return the list that was asked for; a value that no column can have is a wrong question, not an error."""
        try:
            return super().get_changelist_instance(request)
        except (OverflowError, ValueError, DataError) as error:
            raise IncorrectLookupParameters(error) from error


class ReadOnlyAdmin(ListAdmin):
    """A list and pages to read. ``page_template`` shows one row."""

    page_template: ClassVar[str]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is edited by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is deleted by hand."""
        return False

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what ``page_template`` needs beside the row, which it has as ``row``."""
        return {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one row. A POST is refused: actions go to the list."""
        row = self.get_object(request, object_id)
        if row is None:
            self.message_user(
                request,
                _("There is no %(verbose_name)s %(object_id)s any more.")
                % {"verbose_name": self.opts.verbose_name, "object_id": object_id},
                messages.WARNING,
            )
            return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))
        if request.method == "POST" or not self.has_view_permission(request, row):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(row),
            "row": row,
            "original": row,
            "media": self.media,
            "is_popup": IS_POPUP_VAR in request.GET,
            "has_view_permission": True,
            "history_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_history", args=[row.pk]),
            **self.page_context(request, row),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.page_template, context)

    def own_page(
        self, request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        """Render a page that shows no row as ``change_view`` does: a form, or what is shown once."""
        base = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media, "title": title}
        return TemplateResponse(request, template, {**base, **context}, status=status)
