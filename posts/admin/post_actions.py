"""What a person does to posts in the list. Each action is one service; here are only the words around it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.models import DELETION
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts.admin import zones
from posts.admin.people import person_of
from posts.admin.series_actions import cancel_with_future, delete_with_future, means_future, scope_form
from posts.admin.wall_time import WallTimeForm, wall_time_field
from posts.models import DeliveryStatus, Post
from posts.services import posts as services
from posts.services.errors import Refused, ServiceError
from posts.services.schedule import STARTABLE
from posts.services.validation import problems_of
from queue_app.admin import history
from queue_app.admin.actions import ConfirmedAction, Skipped
from queue_app.database import atomic

FAR = datetime.max.replace(tzinfo=UTC)
IN_FLIGHT = (DeliveryStatus.PUBLISHING, DeliveryStatus.NEEDS_REVIEW)


class WhenForm(WallTimeForm):
    """When the posts go out."""

    at = wall_time_field(_("Goes out"), required=True)
    field_order = ["at", "timezone", "fold", "interval_minutes"]

    def clean(self) -> dict[str, Any]:
        """Turn the wall time into an instant."""
        self.cleaned_data["instant"] = self.instant("at")
        return self.cleaned_data


class SpacingForm(WhenForm):
    """When the first goes out, and how far apart the others follow."""

    interval_minutes = forms.IntegerField(label=_("Minutes between two"), min_value=0, max_value=525_600, initial=60)


class RetryForm(forms.Form):
    """Whether to retry what may be live."""

    even_if_uncertain = forms.BooleanField(
        label=_("Also retry what may already be live; this could publish twice"), required=False
    )


class PostAction(ConfirmedAction):
    """An action on posts."""

    refusals = (ServiceError,)
    asks_when: ClassVar[type[WhenForm] | None] = None

    def form(self, request: HttpRequest, rows: Sequence[Any], *, bound: bool) -> forms.Form | None:
        """Return the form for a time, in the person's own zone, where one is asked."""
        if self.asks_when is None:
            return super().form(request, rows, bound=bound)
        zone = zones.zone_of(person_of(request))
        return self.asks_when(request.POST if bound else None, zone=zone)

    def statuses(self, post: Post) -> set[str]:
        """Return the statuses of the post's deliveries, which the list has read already."""
        return {delivery.status for delivery in post.deliveries.all()}

    def why_not_startable(self, post: Post) -> str:
        """Return why a post cannot start its way, "" if it can."""
        statuses = self.statuses(post)
        if not statuses <= set(STARTABLE):
            return gettext("it is %(status)s already") % {"status": post.get_status_display().lower()}
        return "; ".join(problem.message for problem in problems_of(post))


class Schedule(PostAction):
    """Give drafts, and what was cancelled, failed or expired, a time to go out."""

    name, label, done, permission = "schedule", _("Schedule"), _("scheduled"), "posts.schedule_post"
    asks_when = WhenForm

    def why_not(self, row: Post, request: HttpRequest) -> str:
        """Skip what is under way or out, and what the platforms would not take."""
        return self.why_not_startable(row)

    def perform(self, row: Post, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Schedule it."""
        services.schedule_post(row, at=answers["instant"], timezone=answers["timezone"], actor=person_of(request))
        return f"{answers['at']} {answers['timezone']}"


class PublishNow(PostAction):
    """Publish drafts and scheduled posts at once."""

    name, label, done, permission = "publish_now", _("Publish now"), _("to be published now"), "posts.publish_post"

    def why_not(self, row: Post, request: HttpRequest) -> str:
        """Skip what is being sent or out, and what the platforms would not take."""
        if DeliveryStatus.SCHEDULED in self.statuses(row):
            return ""
        return self.why_not_startable(row)

    def perform(self, row: Post, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Publish it."""
        services.publish_now(row, actor=person_of(request))
        return ""


class RescheduleWithSpacing(PostAction):
    """Have posts go out one after the other, in the order they have now: all or none."""

    name, label, done = "reschedule_with_spacing", _("Reschedule with spacing"), _("rescheduled")
    permission = "posts.reschedule_post"
    asks_when = SpacingForm

    def why_not(self, row: Post, request: HttpRequest) -> str:
        """Skip what is under way or out; drafts need the permission to schedule, too."""
        if DeliveryStatus.SCHEDULED in self.statuses(row):
            return ""
        if not person_of(request).has_perm("posts.schedule_post"):
            return gettext("it is not scheduled yet, and you may not schedule posts")
        return self.why_not_startable(row)

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say which order is meant."""
        return gettext("They go out in the order of their present times, drafts last; either all are moved or none.")

    def perform_all(self, rows: Sequence[Any], request: HttpRequest, answers: dict[str, Any]) -> tuple[int, Skipped]:
        """Move them all in one transaction."""
        ordered = sorted(rows, key=lambda post: (post.scheduled_at or FAR, post.pk))
        try:
            with atomic():
                moved = services.reschedule_with_spacing(
                    ordered,
                    first_at=answers["instant"],
                    interval_minutes=answers["interval_minutes"],
                    actor=person_of(request),
                )
                for post in moved:
                    history.record(
                        request,
                        post,
                        self.flag,
                        gettext("Rescheduled to %(scheduled_at)s UTC.")
                        % {"scheduled_at": f"{post.scheduled_at:%Y-%m-%d %H:%M}"},
                    )
        except self.refusals as refusal:
            return 0, [(row, str(refusal)) for row in rows]
        return len(moved), []


class Retry(PostAction):
    """Publish again what failed or expired; what may be live only if the person says so."""

    name, label, done, permission = "retry", _("Retry"), _("to be tried again now"), "posts.retry_post"

    def form(self, request: HttpRequest, rows: Sequence[Any], *, bound: bool) -> forms.Form | None:
        """Ask about what may be live, where there is such."""
        if not any(DeliveryStatus.NEEDS_REVIEW in self.statuses(row) for row in rows):
            return None
        return RetryForm(request.POST if bound else None)

    def why_not(self, row: Post, request: HttpRequest) -> str:
        """Skip what neither failed nor expired nor needs review."""
        if self.statuses(row) & {DeliveryStatus.FAILED, DeliveryStatus.EXPIRED, DeliveryStatus.NEEDS_REVIEW}:
            return ""
        return gettext("nothing of it has failed or expired")

    def perform(self, row: Post, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Retry it."""
        uncertain = bool(answers.get("even_if_uncertain"))
        found = services.retry_post(row, actor=person_of(request), even_if_uncertain=uncertain)
        return ", ".join(str(delivery.account) for delivery in found)


class Cancel(PostAction):
    """Stop what has not gone out."""

    name, label, done, permission = "cancel", _("Cancel"), _("cancelled"), "posts.cancel_post"

    def why_not(self, row: Post, request: HttpRequest) -> str:
        """Skip what has nothing waiting."""
        if self.statuses(row) & {DeliveryStatus.SCHEDULED, DeliveryStatus.HELD, DeliveryStatus.PUBLISHING}:
            return ""
        if DeliveryStatus.NEEDS_REVIEW in self.statuses(row):
            return gettext("it may already be live; settle that on the page of its delivery")
        return gettext("it is %(status)s, nothing of it waits") % {"status": row.get_status_display().lower()}

    def form(self, request: HttpRequest, rows: Sequence[Any], *, bound: bool) -> forms.Form | None:
        """Ask which posts of a series are meant."""
        return scope_form(request, rows, bound=bound)

    def perform(self, row: Post, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Cancel it; say where that came too late."""
        if means_future(row, answers):
            return cancel_with_future(row, request)
        report = services.cancel_post(row, actor=person_of(request))
        late = ", ".join(str(delivery.account) for delivery in report.refused)
        if not report.cancelled:
            raise Refused(gettext("it is already being sent, or may be live, on %(late)s") % {"late": late})
        return gettext("too late for %(late)s") % {"late": late} if late else ""


class Delete(PostAction):
    """Delete posts; what waits is cancelled first."""

    name, label, done, permission = "delete", _("Delete"), _("deleted"), "posts.delete_post"
    flag = DELETION
    warning = _("What waits is cancelled first. What is live on a platform stays there. This cannot be undone.")

    def why_not(self, row: Post, request: HttpRequest) -> str:
        """Skip what is being sent or may be live."""
        if self.statuses(row) & set(IN_FLIGHT):
            return gettext("it is %(status)s; wait for its outcome or settle it first") % {
                "status": row.get_status_display().lower()
            }
        return ""

    def form(self, request: HttpRequest, rows: Sequence[Any], *, bound: bool) -> forms.Form | None:
        """Ask which posts of a series are meant."""
        return scope_form(request, rows, bound=bound)

    def perform(self, row: Post, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Delete it."""
        if means_future(row, answers):
            return delete_with_future(row, request)
        services.delete_post(row, actor=person_of(request))
        return ""
