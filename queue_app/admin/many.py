"""Actions on all that match: where a choice holds too many jobs to be named one by one.

It is counted by state, done in batches, and where it is longer than a page should take, handed to the queue itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from queue_app import blocks, clock, mass, workers
from queue_app.admin import history
from queue_app.admin.actions import CONFIRMED, SHOWN, Choice, ConfirmedAction, ConfirmedActionsMixin, is_sure
from queue_app.database import atomic
from queue_app.mass import Operation, Order, Progress
from queue_app.models import Job
from queue_app.states import JobState

# More than so many are not looked at one by one; more than MOST_AT_ONCE are not done while a person waits.
FEW, MOST_AT_ONCE = 200, 1000


class ManyJobsMixin(ConfirmedActionsMixin):
    """Runs the actions that ``mass.OPERATIONS`` knows by name on any number of jobs."""

    def run_action(self, kind: type[ConfirmedAction], request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
        """Ask, or do it once it has been confirmed."""
        if len(rows.order_by().values_list("pk")[: FEW + 1]) <= FEW:
            return super().run_action(kind, request, rows)
        operation = mass.OPERATIONS.get(kind.name)
        if operation is None:
            words = gettext("%(kind)s takes at most %(few)s jobs at a time: choose fewer.") % {
                "kind": kind.label,
                "few": FEW,
            }
            self.message_user(request, words, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return self._run_on_many(kind(), operation, request, rows)

    def _run_on_many(
        self, action: ConfirmedAction, operation: Operation, request: HttpRequest, rows: QuerySet[Any]
    ) -> HttpResponse:
        able = rows.filter(state__in=operation.states)
        choice = _choice(operation, rows, able)
        form = action.form(request, choice.able, bound=CONFIRMED in request.POST)
        if not is_sure(request, choice, form):
            return self.ask(action, request, choice, form)
        answers = form.cleaned_data if form is not None else {}
        order = Order(action.name, request.user.get_username(), clock.now(), answers)
        # No more than were counted, whatever has come to match since.
        ids = list(able.order_by("pk").values_list("pk", flat=True)[: choice.able_count])
        if len(ids) > MOST_AT_ONCE:
            self._hand_over(action, request, order, ids)
        else:
            self._carry_out(action, request, order, ids)
        return HttpResponseRedirect(request.get_full_path())

    def _carry_out(self, action: ConfirmedAction, request: HttpRequest, order: Order, ids: list[int]) -> None:
        answer = mass.carry_out(order, ids)
        _record(request, f"{action.done.capitalize()}.", gettext("%(done)s jobs") % {"done": f"{answer.done:,}"})
        self.message_user(
            request,
            gettext("%(done)s jobs %(done_2)s.") % {"done": f"{answer.done:,}", "done_2": action.done},
            messages.SUCCESS,
        )
        if answer.skipped:
            why = "; ".join(answer.skipped[job_id] for job_id in sorted(answer.skipped)[:SHOWN])
            self.message_user(
                request,
                gettext("%(number)s skipped – %(why)s") % {"number": f"{len(answer.skipped):,}", "why": why},
                messages.WARNING,
            )

    def _hand_over(self, action: ConfirmedAction, request: HttpRequest, order: Order, ids: list[int]) -> None:
        with atomic():
            progress = mass.hand_over(order, ids)
            _record(
                request,
                gettext("%(action)s: handed to the queue as %(progress)s.")
                % {"action": action.label, "progress": progress.name},
                gettext("%(number)s jobs") % {"number": f"{len(ids):,}"},
            )
        words = format_html(
            '{}: {} jobs, in {} parts of the queue\'s own. <a href="{}">See how far it is</a>',
            action.label, f"{len(ids):,}", progress.parts, parts_url(progress.name),
        )  # fmt: skip
        self.message_user(request, words, messages.SUCCESS)


def parts_url(name: str) -> str:
    """Return the address of the list of an order's parts."""
    return f"{reverse('admin:queue_app_job_changelist')}?{urlencode({'own': 'yes', 'q': name})}"


def progress_lines() -> list[SafeString]:
    """Return a line for each order on jobs that the queue is working on."""
    return lines_of(mass.under_way())


def lines_of(orders: Iterable[Progress]) -> list[SafeString]:
    """Return a line for each of ``orders``."""
    return [
        format_html(
            '{}: {} of {} parts done{}. <a href="{}">Look at them</a>',
            progress.words.capitalize(),
            progress.parts - progress.left - progress.failed,
            progress.parts,
            f", {progress.failed} failed" if progress.failed else "",
            parts_url(progress.name),
        )
        for progress in orders
    ]


def _choice(operation: Operation, rows: QuerySet[Any], able: QuerySet[Any]) -> Choice:
    counts = dict(rows.order_by().values_list("state").annotate(Count("pk")))
    number = sum(counts.get(state, 0) for state in operation.states)
    skipped = [
        (gettext("%(counts)s jobs") % {"counts": f"{counts[state]:,}"}, f"{state.label}: {_why(state)}")
        for state in JobState
        if state in counts and state not in operation.states
    ]
    skipped_count = sum(counts.values()) - number
    return Choice(list(able[:SHOWN]), number, skipped, skipped_count, _warning(number))


def _why(state: JobState) -> str:
    if state == JobState.UNCERTAIN:
        return gettext("they may already be live; a person must decide about each")
    return gettext("there is nothing to do")


def _warning(number: int) -> str:
    """Say how a long operation goes on, and what would keep it from doing so."""
    if number <= MOST_AT_ONCE:
        return ""
    parts = -(-number // mass.PART_JOBS)
    said = gettext(
        "This takes longer than a page should. The queue does it itself: %(parts)s parts, about one a second.  "
    ) % {"parts": parts}
    said += gettext("What starts or ends meanwhile is left alone; pause it first if none may.")
    return said + what_keeps_it(mass.BULK_OPERATION)


def what_keeps_it(job_type: str) -> str:
    """Say what would keep the queue from working through parts of this type, "" if nothing would."""
    now, said = clock.now(), ""
    block = blocks.first_active(Job(type=job_type), now)
    if block is not None:
        said += gettext(" But %(key)s is blocked (%(kind)s): it waits until that is over.") % {
            "key": block.key,
            "kind": block.get_kind_display(),
        }
    if not workers.alive(now).exists():
        said += gettext(" No worker runs now: it waits for one.")
    return said


def _record(request: HttpRequest, message: str, name: str) -> None:
    """Write one line for all of them; the history of each job names who did it."""
    history.record(request, Job(), CHANGE, message, key="", name=name)
