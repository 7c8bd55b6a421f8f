"""Operator actions on a list: each counts what it will do, names what it skips and why, asks, and is in the history.

Owns the confirmation and the loop. What an action does is its own business, through a service or ``queue_app.api``.
An action is reached by POST alone and checks its permission itself, so a form made by hand gets 403.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, DELETION
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import capfirst
from django.utils.translation import gettext

from queue_app.admin import history
from queue_app.admin.asked import whole_number
from queue_app.admin.pages import ListAdmin, nothing_selected
from queue_app.database import atomic
from queue_app.wording import Words

SHOWN = 20
# Each row is looked at, and done, by itself while a person waits.
MOST_AT_ONCE = 500
CONFIRMED, WARNED, NEXT = "confirmed", "warned", "next"

Skipped = list[tuple[Any, str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """What an action would do: to how many rows, some of which are shown; what it skips and why; what to warn of."""

    able: Sequence[Any]
    able_count: int
    skipped: Sequence[tuple[Any, str]]
    skipped_count: int
    warning: str


class Met(NamedTuple):
    """Something that an action on a row meets, with the address of its page ("" for none)."""

    text: str
    url: str = ""


class ConfirmedAction:
    """One action. ``label`` is its imperative, ``done`` the participle for the message and the history.

    ``permission`` is "app.codename". ``refusals`` are the exceptions whose text tells the person why a row was left
    alone. ``form_class`` asks for more; ``warning`` stands above the button, ``sure`` on it where "Yes, <label> this
    one" would be no English. ``of_one``: only the page of a row offers it, no list.
    """

    name: ClassVar[str]
    label: ClassVar[Words]
    done: ClassVar[Words]
    permission: ClassVar[str]
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    form_class: ClassVar[type[forms.Form] | None] = None
    warning: ClassVar[Words] = ""
    flag: ClassVar[int] = CHANGE
    of_one: ClassVar[bool] = False
    sure: ClassVar[Words] = ""

    def form(self, request: HttpRequest, rows: Sequence[Any], *, bound: bool) -> forms.Form | None:
        """Return the form of the confirmation page, or ``None`` if nothing is asked."""
        if self.form_class is None:
            return None
        return self.form_class(request.POST) if bound else self.form_class()

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Return what the person must know before confirming, "" if nothing."""
        return str(self.warning)

    def why_not(self, row: Any, request: HttpRequest) -> str:
        """Return why ``row`` must be skipped, "" if it need not."""
        return ""

    def is_offered(self, row: Any, request: HttpRequest) -> bool:
        """Return whether the page of ``row`` has a button for it."""
        return not self.why_not(row, request)

    def met_by(self, row: Any, request: HttpRequest) -> Sequence[Met]:
        """Return what stands below ``row`` where the person is asked: what else it would touch, what forbids it."""
        return ()

    def perform(self, row: Any, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Do it to one row, inside a transaction; return a note for the history ("" for none)."""
        raise NotImplementedError

    def perform_all(self, rows: Sequence[Any], request: HttpRequest, answers: dict[str, Any]) -> tuple[int, Skipped]:
        """Do it to every row, each in a transaction with its line in the history; return how many, and the refused."""
        count, refused = 0, []
        for row in rows:
            try:
                with atomic():
                    key, name = row.pk, str(row)
                    note = self.perform(row, request, answers)
                    line = capfirst(self.done) + (f": {note}" if note else ".")
                    history.record(request, row, self.flag, line, key=key, name=name)
            except self.refusals as refusal:
                refused.append((row, str(refusal)))
            else:
                count += 1
        return count, refused


class ConfirmedActionsMixin(ListAdmin):
    """Gives a ModelAdmin its ``confirmed_actions``, and its pages the buttons that start them."""

    confirmed_actions: ClassVar[Sequence[type[ConfirmedAction]]] = ()
    confirmation_template: ClassVar[str] = "queue_app/admin/confirmation.html"

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Return the actions that this person may use; Django's own deletion is not among them.

        Since Django 6.1 the page of a row asks as well, by ``action_location``; ours has buttons of its own.
        """
        if action_location is not None and action_location.name != "CHANGE_LIST":
            return {}
        return {
            kind.name: (_runner(kind), kind.name, kind.label)
            for kind in self.confirmed_actions
            if request.user.has_perm(kind.permission)
        }

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Refuse, with 403, an action that the person may not use, before anything else looks at it."""
        if request.method == "POST":
            wanted = set(request.POST.getlist("action"))
            refused = [kind for kind in self.confirmed_actions if not request.user.has_perm(kind.permission)]
            if any(kind.name in wanted for kind in refused):
                raise PermissionDenied
            selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
            if None in map(whole_number, selected):
                raise BadRequest(gettext("A selected row has no such key."))
            if not selected and request.POST.get("select_across") == "1":
                # "All that match" by itself says which rows are meant; Django asks for one of them, too.
                whole = request.POST.copy()
                whole[ACTION_CHECKBOX_NAME] = "0"
                request.POST = whole  # type: ignore[assignment]  # a form of our own is as good as the one that came
            elif not selected and wanted:
                self.message_user(request, nothing_selected(), messages.WARNING)
                return HttpResponseRedirect(request.get_full_path())
        return super().changelist_view(request, extra_context)

    def bulk_buttons(self, request: HttpRequest) -> list[tuple[str, str, bool]]:
        """Return the actions that this person may use; what cannot be undone comes last and looks so."""
        kinds = [kind for kind in self.confirmed_actions if request.user.has_perm(kind.permission) and not kind.of_one]
        return [(kind.name, str(kind.label), kind.flag == DELETION) for kind in kinds]

    def buttons_for(self, request: HttpRequest, row: Model) -> list[type[ConfirmedAction]]:
        """Return every action that the page of ``row`` offers, which are those that would not skip it, as a rule."""
        return [
            kind
            for kind in self.confirmed_actions
            if request.user.has_perm(kind.permission) and kind().is_offered(row, request)
        ]

    def run_action(self, kind: type[ConfirmedAction], request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
        """Ask, or do it once it has been confirmed."""
        action = kind()
        chosen = list(rows[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            said = gettext("%(action)s takes at most %(most)s at a time: choose fewer.")
            said %= {"action": action.label, "most": f"{MOST_AT_ONCE:,}"}
            self.message_user(request, said, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        able: list[Any] = []
        skipped: Skipped = []
        for row in chosen:
            why = action.why_not(row, request)
            if why:
                skipped.append((row, why))
            else:
                able.append(row)
        answered = CONFIRMED in request.POST
        form = action.form(request, able, bound=answered)
        choice = Choice(able, len(able), skipped, len(skipped), action.warning_for(able))
        if not is_sure(request, choice, form):
            return self.ask(action, request, choice, form)
        count, refused = action.perform_all(able, request, form.cleaned_data if form is not None else {})
        self._report(action, request, count, [*skipped, *refused])
        back = _next(request) or request.get_full_path()
        gone = action.flag == DELETION and any(f"/{key}/" in back for key in request.POST.getlist(ACTION_CHECKBOX_NAME))
        return HttpResponseRedirect(request.get_full_path() if gone else back)

    def ask(
        self, action: ConfirmedAction, request: HttpRequest, choice: Choice, form: forms.Form | None
    ) -> HttpResponse:
        """Return the page that says what would happen and asks whether it should."""
        names = self.opts.verbose_name if choice.able_count == 1 else self.opts.verbose_name_plural
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": action.label,
            "question": f"{action.label}: {choice.able_count:,} {names}",
            "action": action,
            "warning": choice.warning,
            "has_changed": CONFIRMED in request.POST and not _is_as_asked(request, choice),
            "able": [(row, action.met_by(row, request)) for row in choice.able[:SHOWN]],
            "able_count": choice.able_count,
            "able_more": f"{max(choice.able_count - SHOWN, 0):,}",
            "button": action.sure
            or gettext("Yes, %(action)s %(these)s")
            % {"action": action.label.lower(), "these": _these(choice.able_count)},
            "skipped": [(row, why, action.met_by(row, request)) for row, why in choice.skipped[:SHOWN]],
            "skipped_count": choice.skipped_count,
            "skipped_more": max(len(choice.skipped) - SHOWN, 0),
            "form": form,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "select_across": request.POST.get("select_across", "0"),
            "next": _next(request),
            "back": _next(request) or request.get_full_path(),
        }
        return TemplateResponse(request, self.confirmation_template, context)

    def _report(self, action: ConfirmedAction, request: HttpRequest, count: int, skipped: Skipped) -> None:
        if count:
            names = self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural
            self.message_user(request, f"{count} {names} {action.done}.", messages.SUCCESS)
        if len(skipped) == 1 and not count:
            row, why = skipped[0]
            self.message_user(
                request, gettext("%(row)s was left as it is: %(why)s") % {"row": row, "why": why}, messages.ERROR
            )
        elif skipped:
            parts = "; ".join(f"{row}: {why}" for row, why in skipped[:SHOWN])
            more = f"; +{len(skipped) - SHOWN}" if len(skipped) > SHOWN else ""
            self.message_user(
                request,
                gettext("%(number)s skipped – %(parts)s%(more)s")
                % {"number": len(skipped), "parts": parts, "more": more},
                messages.WARNING,
            )


def _runner(kind: type[ConfirmedAction]) -> Any:
    def run(modeladmin: ConfirmedActionsMixin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
        return modeladmin.run_action(kind, request, rows)

    return run


def is_sure(request: HttpRequest, choice: Choice, form: forms.Form | None) -> bool:
    """Return whether the person was asked about no fewer rows, under the warning that holds now, and filled all in.

    In between a row may have become one that could be published twice: then the question is put again.
    """
    return _is_as_asked(request, choice) and (form is None or form.is_valid())


def _is_as_asked(request: HttpRequest, choice: Choice) -> bool:
    asked = whole_number(request.POST.get(CONFIRMED)) or 0
    return 0 < choice.able_count <= asked and request.POST.get(WARNED, "") == choice.warning


def _these(number: int) -> str:
    return gettext("this one") if number == 1 else gettext("these %(number)s") % {"number": f"{number:,}"}


def _next(request: HttpRequest) -> str:
    """Return where to go afterwards, if the form says so and it is a page of this site."""
    url = request.POST.get(NEXT, "")
    return url if url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure()) else ""
