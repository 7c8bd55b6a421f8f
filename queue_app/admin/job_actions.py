"""What an operator may do with jobs: each action with the states it takes, its question and its form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from queue_app import api, arguments, registry
from queue_app.admin import display
from queue_app.admin.actions import ConfirmedAction
from queue_app.api.steps import REASON_CHARACTERS
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST, Job
from queue_app.priorities import PRIORITY_NAMES
from queue_app.states import UNFINISHED, JobState
from queue_app.transitions import LostRace

OPERATE = "queue_app.operate_job"
REFUSALS: tuple[type[Exception], ...] = (api.QueueError, LostRace)
PRIORITIES = [
    (number, f"{number} – {name}" if name else str(number))
    for number in range(PRIORITY_FIRST, PRIORITY_LAST + 1)
    for name in [next((word for word, named in PRIORITY_NAMES.items() if named == number), "")]
]


class ReasonForm(forms.Form):
    """Why; shown where the job is."""

    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_CHARACTERS, help_text=_("Shown to whoever looks at the job.")
    )


class OptionalReasonForm(ReasonForm):
    """Why, for those who want to say it."""

    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_CHARACTERS, required=False, help_text=_("Kept in the job's history.")
    )


class PriorityForm(forms.Form):
    """Another priority."""

    priority = forms.TypedChoiceField(
        label=_("Priority"), choices=PRIORITIES, coerce=int, initial=5, help_text=_("1 runs first, 10 last.")
    )


class ArgumentsForm(forms.Form):
    """The arguments of one job as JSON, checked as when it was queued."""

    arguments = forms.CharField(
        label=_("Arguments"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField sq-code", "spellcheck": "false"}),
        help_text=_("A JSON object: each argument by its name."),
    )

    def __init__(self, job: Job, data: Any = None) -> None:
        super().__init__(data, initial={"arguments": display.as_json(job.args) or "{}"})
        self._job = job

    def clean_arguments(self) -> dict[str, Any]:
        """Return the arguments; refuse what is no JSON and what does not fit the job's type."""
        kind = registry.find(self._job.type)
        if kind is None:
            raise forms.ValidationError(str(registry.UnknownJobType(self._job.type)))
        try:
            found: dict[str, Any] = json.loads(self.cleaned_data["arguments"], object_pairs_hook=_each_once)
            arguments.check(kind, found)
        except json.JSONDecodeError as error:
            raise forms.ValidationError(gettext("This is no JSON: %(error)s.") % {"error": error}) from None
        except RecursionError:
            raise forms.ValidationError(gettext("This is nested too deeply.")) from None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
        return found


class JobAction(ConfirmedAction):
    """An action on jobs. ``states`` are those that it takes a job from."""

    permission, refusals = OPERATE, REFUSALS
    states: ClassVar[tuple[JobState, ...]] = ()

    def why_not(self, row: Job, request: HttpRequest) -> str:
        """Skip what is in another state, and what is already being sent."""
        if row.state not in self.states:
            return gettext("it is %(state)s") % {"state": row.get_state_display()}
        if row.state == JobState.RUNNING and row.marked_at is not None:
            return gettext("it is already being sent; wait for its outcome")
        return ""


class Retry(JobAction):
    """Run failed and cancelled jobs again; uncertain ones with a warning."""

    name, label, done = "retry", _("Retry"), _("put back to run now")
    states = (JobState.FAILED, JobState.CANCELLED, JobState.UNCERTAIN)

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Warn of jobs whose step may have taken effect."""
        uncertain = sum(api.may_have_taken_effect(row) for row in rows)
        return (
            gettext("%(uncertain)s of these may already be live: retrying could publish twice.")
            % {"uncertain": uncertain}
            if uncertain
            else ""
        )

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Retry it."""
        api.retry(row.pk, actor=request.user.get_username())
        return ""


class RetryEdited(Retry):
    """Run one job again with other arguments."""

    name, label, done = "retry_edited", _("Retry with edited arguments"), _("put back to run now with edited arguments")
    sure, of_one = _("Yes, retry with these arguments"), True
    refusals = (*REFUSALS, ValueError, registry.UnknownJobType)

    def form(self, request: HttpRequest, rows: Sequence[Any], *, bound: bool) -> forms.Form | None:
        """Return the form with the job's arguments."""
        if not rows:
            return None
        return ArgumentsForm(rows[0], request.POST) if bound else ArgumentsForm(rows[0])

    def why_not(self, row: Job, request: HttpRequest) -> str:
        """Skip several at once, and what no handler here can check."""
        if len(request.POST.getlist(ACTION_CHECKBOX_NAME)) > 1 or request.POST.get("select_across", "0") != "0":
            return gettext("choose one job: each has arguments of its own")
        if row.state in self.states and registry.find(row.type) is None:
            return gettext("nothing here knows the type %(type)s, so its arguments cannot be checked") % {
                "type": row.type
            }
        return super().why_not(row, request)

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Retry it with the arguments of the form."""
        api.retry(row.pk, actor=request.user.get_username(), args=answers["arguments"])
        return ""


class Cancel(JobAction):
    """Stop unfinished jobs that are not past their mark."""

    name, label, done, states = "cancel", _("Cancel"), _("cancelled"), UNFINISHED

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Warn that stopping an uncertain job takes nothing back."""
        uncertain = sum(row.state == JobState.UNCERTAIN for row in rows)
        return (
            gettext("%(uncertain)s of these may already be live: cancelling stops the look-up alone.")
            % {"uncertain": uncertain}
            if uncertain
            else ""
        )

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Cancel it."""
        api.cancel(row.pk, actor=request.user.get_username())
        return ""


class Hold(JobAction):
    """Keep jobs from running until somebody releases them."""

    name, label, done = "hold", _("Hold"), _("held")
    states, form_class = (JobState.PENDING, JobState.RUNNING), ReasonForm

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Hold it."""
        api.hold(row.pk, answers["reason"], actor=request.user.get_username())
        return str(answers["reason"])


class Release(JobAction):
    """Let held jobs run."""

    name, label, done, states = "release", _("Release"), _("released to run"), (JobState.HELD,)

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Release it."""
        api.release(row.pk, actor=request.user.get_username())
        return ""


class Reprioritise(JobAction):
    """Give waiting jobs another priority."""

    name, label, done = "reprioritise", _("Change priority"), _("given another priority")
    sure = _("Yes, change the priority")
    states, form_class = (JobState.PENDING,), PriorityForm

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Change its priority."""
        api.reprioritise(row.pk, answers["priority"], actor=request.user.get_username())
        return gettext("%(priority)s to %(answers)s") % {"priority": row.priority, "answers": answers["priority"]}


class Discard(JobAction):
    """Give dead letters up: they become cancelled."""

    name, label, done = "discard", _("Discard"), _("given up")
    states, form_class = (JobState.FAILED,), OptionalReasonForm

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Discard it."""
        api.discard(row.pk, answers["reason"], actor=request.user.get_username())
        return str(answers["reason"])


class CheckAgain(JobAction):
    """Look uncertain jobs up anew."""

    name, label, done = "check_again", _("Check again"), _("being looked up again")
    states = (JobState.UNCERTAIN,)

    def why_not(self, row: Job, request: HttpRequest) -> str:
        """Skip what is not uncertain, and what cannot be looked up."""
        kind = registry.find(row.type)
        unknown = (
            ""
            if kind is not None and kind.reconcile is not None
            else gettext("type %(type)s cannot be looked up") % {"type": row.type}
        )
        return super().why_not(row, request) or unknown

    def perform(self, row: Job, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Have it looked up."""
        api.check_again(row.pk)
        return ""


JOB_ACTIONS = (Retry, RetryEdited, Cancel, Hold, Release, Reprioritise, Discard, CheckAgain)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(gettext("The name %(twice)s stands twice in one object.") % {"twice": repr(twice[:60])})
    return found
