"""Actions on all posts or deliveries that match: too many to be named one by one are handed to the queue, in parts."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext as _

from posts.services import bulk
from queue_app import clock, mass
from queue_app.admin import history
from queue_app.admin.actions import CONFIRMED, SHOWN, Choice, ConfirmedAction, ConfirmedActionsMixin, is_sure
from queue_app.admin.many import lines_of, parts_url, what_keeps_it
from queue_app.database import atomic

# More than so many are not looked at one by one.
FEW = 200


class ManyRowsMixin(ConfirmedActionsMixin):
    """Runs the actions that ``bulk.OPERATIONS`` knows by name on any number of rows."""

    def run_action(self, kind: type[ConfirmedAction], request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
        """Ask, or do it once it has been confirmed."""
        if len(rows.order_by().values_list("pk")[: FEW + 1]) <= FEW:
            return super().run_action(kind, request, rows)
        name = f"{self.opts.model_name}.{kind.name}"
        if name not in bulk.OPERATIONS:
            words = _("%(label)s takes at most %(few)d at a time: choose fewer.") % {"label": kind.label, "few": FEW}
            self.message_user(request, words, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return self._run_on_many(kind(), name, request, rows)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list with what the queue is still doing to its rows."""
        lines = lines_of(mass.under_way(bulk.BULK_OPERATION)) if request.method == "GET" else []
        return super().changelist_view(request, {"lines": lines, **(extra_context or {})})

    def _run_on_many(
        self, action: ConfirmedAction, name: str, request: HttpRequest, rows: QuerySet[Any]
    ) -> HttpResponse:
        operation = bulk.OPERATIONS[name]
        able = rows.filter(operation.able)
        choice = self._choice(rows, able)
        form = action.form(request, choice.able, bound=CONFIRMED in request.POST)
        if not is_sure(request, choice, form):
            return self.ask(action, request, choice, form)
        answers = {key: value for key, value in (form.cleaned_data if form is not None else {}).items() if key != "at"}
        order = mass.Order(name, request.user.get_username(), clock.now(), answers)
        # No more than were counted, whatever has come to match since.
        ids = list(able.order_by(*operation.order).values_list("pk", flat=True)[: choice.able_count])
        with atomic():
            progress = bulk.hand_over(order, ids)
            number = f"{len(ids):,} {self.opts.verbose_name_plural}"
            said = _("%(action)s: handed to the queue as %(progress)s.") % {
                "action": action.label,
                "progress": progress.name,
            }
            history.record(request, self.model(), CHANGE, said, key="", name=number)
        words = format_html(
            '{}: {}. <a href="{}">{}</a>',
            action.label,
            _("%(number)s, in %(parts)d parts that the queue works through")
            % {"number": number, "parts": progress.parts},
            parts_url(progress.name),
            _("See how far it is"),
        )
        self.message_user(request, words, messages.SUCCESS)
        return HttpResponseRedirect(request.get_full_path())

    def _choice(self, rows: QuerySet[Any], able: QuerySet[Any]) -> Choice:
        number = able.order_by().count()
        labels = dict(self.model._meta.get_field("status").choices)
        names = self.opts.verbose_name_plural
        left = rows.exclude(pk__in=able.order_by().values("pk")).order_by().values_list("status")
        skipped = [
            (f"{count:,} {names}", _("%(status)s: there is nothing to do, or a person must decide about each") % {
                "status": labels.get(status, status)
            })
            for status, count in left.annotate(Count("pk"))
        ]  # fmt: skip
        parts = -(-number // bulk.PART_ROWS)
        warning = _(
            "This takes longer than a page should. The queue does it itself: %(parts)d parts, about one a second. "
            "What starts or ends meanwhile is left alone; pause it first if none may."
        ) % {"parts": parts}
        total = sum(count for _status, count in left.annotate(Count("pk")))
        return Choice(list(able[:SHOWN]), number, skipped, total, warning + what_keeps_it(bulk.BULK_OPERATION))
