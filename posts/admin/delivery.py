"""Deliveries: one post on one account, in words, with what a person may do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import CharField, QuerySet, Value
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from posts.admin import zones
from posts.admin.chips import account_chip
from posts.admin.filters import DeliveryAccountFilter, DeliveryPlatformFilter, NeedsFilter
from posts.admin.many import ManyRowsMixin
from posts.admin.people import person_of
from posts.models import Delivery, DeliveryStatus
from posts.publishing import registry
from posts.selectors.deliveries import explanation, next_step, progress, timeline, trouble
from posts.selectors.posts import visible_deliveries
from posts.selectors.waiting import waits_until
from posts.services import deliveries as services
from posts.services.errors import ServiceError
from posts.services.options import chosen_of, offered
from posts.services.publication import parts_of
from posts.services.queueing import may_be_live
from queue_app.admin import display
from queue_app.admin.actions import ConfirmedAction
from queue_app.admin.days import ComingDaysFilter, DaysFilter
from queue_app.admin.lists import LongListMixin
from queue_app.admin.pages import ReadOnlyAdmin
from queue_app.course import course_of
from queue_app.states import JobState

TWICE = _("may already be live: a retry could publish twice. Look on the platform first.")


class LinkForm(forms.Form):
    """Where the post is live."""

    url = forms.CharField(
        label=_("Link of the live post"),
        required=False,
        max_length=500,
        widget=forms.URLInput(attrs={"size": 60, "placeholder": "https://"}),
        help_text=_("Paste its address. Empty where the platform gives none."),
    )


class DeliveryAction(ConfirmedAction):
    """An action on deliveries."""

    refusals = (ServiceError,)


class Retry(DeliveryAction):
    """Send again what did not go out; release what is held; what may be live only after a warning."""

    name, label, done, permission = "retry", _("Retry"), _("to be tried again now"), "posts.retry_post"

    def why_not(self, row: Delivery, request: HttpRequest) -> str:
        """Skip what is waiting, under way or out."""
        if row.status in services.RETRIABLE or row.status == DeliveryStatus.NEEDS_REVIEW:
            return ""
        return gettext("it is %(status)s") % {"status": row.get_status_display().lower()}

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Warn of what could be published twice."""
        live = sum(may_be_live(row) for row in rows)
        return (
            gettext("%(live)s of these %(twice)s") % {"live": live, "twice": TWICE}
            if live and len(rows) > 1
            else gettext("This one %(twice)s") % {"twice": TWICE}
            if live
            else ""
        )

    def perform(self, row: Delivery, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Retry it; the person has read the warning."""
        services.retry_delivery(row, actor=person_of(request), even_if_uncertain=may_be_live(row))
        return ""


class Cancel(DeliveryAction):
    """Stop what has not gone out, and look-ups of what may be live."""

    name, label, done, permission = "cancel", _("Cancel"), _("cancelled"), "posts.cancel_post"

    def why_not(self, row: Delivery, request: HttpRequest) -> str:
        """Skip what is settled."""
        return (
            ""
            if row.status in services.CANCELLABLE
            else gettext("it is %(status)s") % {"status": row.get_status_display().lower()}
        )

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say that cancelling takes nothing back."""
        if any(row.status == DeliveryStatus.NEEDS_REVIEW for row in rows):
            return gettext("What may already be live stays live: cancelling only ends looking for it.")
        return ""

    def perform(self, row: Delivery, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Cancel it."""
        services.cancel_delivery(row, actor=person_of(request))
        return ""


class MarkAsPublished(DeliveryAction):
    """Take a person's word that it is live."""

    name, label, done = "mark_published", _("Mark as published"), _("marked as published")
    permission = "posts.retry_post"
    form_class = LinkForm

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say what of a thread will never be sent then."""
        rest = max((unsent_parts(row) for row in rows), default=0)
        if not rest:
            return ""
        text = ngettext(
            "%(n)d later part of the thread has not been sent, and will not be: this ends the whole delivery. "
            "Retry instead if it should go out, too.",
            "%(n)d later parts of the thread have not been sent, and will not be: this ends the whole delivery. "
            "Retry instead if they should go out, too.",
            rest,
        )
        return text % {"n": rest}

    def why_not(self, row: Delivery, request: HttpRequest) -> str:
        """Skip what does not need review."""
        return _only_review(row)

    def perform(self, row: Delivery, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Mark it."""
        services.mark_delivery_published(row, url=answers["url"], actor=person_of(request))
        return str(answers["url"])


class CheckAgain(DeliveryAction):
    """Have it looked up on the platform once more."""

    name, label, done = "check_again", _("Check again"), _("being looked up again")
    permission = "posts.retry_post"

    def why_not(self, row: Delivery, request: HttpRequest) -> str:
        """Skip what does not need review."""
        return _only_review(row)

    def perform(self, row: Delivery, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Have it looked up."""
        services.check_delivery_again(row, actor=person_of(request))
        return ""


def _only_review(row: Delivery) -> str:
    if row.status == DeliveryStatus.NEEDS_REVIEW:
        return ""
    return gettext("it is %(status)s; only what needs review is settled by hand") % {
        "status": row.get_status_display().lower()
    }


@admin.register(Delivery)
class DeliveryAdmin(ManyRowsMixin, LongListMixin, ReadOnlyAdmin):
    """Deliveries of the posts that the person may see."""

    page_template = "posts/admin/delivery.html"
    empty_hint = _("Nothing here yet. Write a post: a delivery appears for each account that it goes out on.")
    confirmed_actions = [MarkAsPublished, CheckAgain, Retry, Cancel]
    list_display = ["title", "chip", "status_badge", "goes_out_at", "published", "error"]
    list_filter = [
        "status",
        NeedsFilter,
        DeliveryAccountFilter,
        DeliveryPlatformFilter,
        ("post__scheduled_at", ComingDaysFilter),
        ("published_at", DaysFilter),
    ]
    search_help_text = _("Search in texts, errors and links.")
    search_fields = ["post__text", "text_override", "error_message", "url"]
    ordering = ["-id"]
    list_per_page = 50

    class Media:
        css = {"all": ["posts/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Return the deliveries that the person may see."""
        zone = Value(zones.zone_of(request.user), output_field=CharField())
        rows = visible_deliveries(request.user).select_related("post", "account", "job")
        return rows.annotate(person_zone=zone).order_by(*self.ordering)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see posts sees where they stand."""
        return super().has_view_permission(request, obj) or request.user.has_perm("posts.view_post")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the list in the index to them as well."""
        return self.has_view_permission(request)

    def page_context(self, request: HttpRequest, row: Delivery) -> dict[str, Any]:
        """Return the delivery in words, its history, its job and the buttons."""
        job = row.job
        return {
            "title": f"{row.post} → {row.account}",
            "zone": zones.zone_of(request.user),
            "tone": display.LOOKS[row.status][1],
            "explanation": explanation(row, zones.zone_of(request.user)),
            "wait_until": waits_until(job) if job is not None and job.state == JobState.PENDING else None,
            "trouble": trouble(row),
            "next_step": next_step(row),
            "progress": progress(row),
            "live": _live_in_words(row),
            "options": _options_in_words(row),
            "moments": timeline(row),
            "job": job,
            "course": course_of(job) if job is not None else None,
            "may_see_job": request.user.has_perm("queue_app.view_job"),
            "answer": display.as_json(row.response),
            "is_moving": row.status
            in (DeliveryStatus.SCHEDULED, DeliveryStatus.PUBLISHING, DeliveryStatus.NEEDS_REVIEW),
            "buttons": self.buttons_for(request, row),
        }

    @admin.display(description=_("post"), ordering="post")
    def title(self, delivery: Delivery) -> str:
        """Return the beginning of the post's text."""
        return str(delivery.post)

    def history_jobs(self, row: Delivery) -> list[int]:
        """Return its job."""
        return [row.job_id] if row.job_id is not None else []

    def zone_name(self, request: HttpRequest) -> str:
        """Count days in the person's own zone."""
        return zones.zone_of(request.user)

    @admin.display(description=_("account"), ordering="account")
    def chip(self, delivery: Delivery) -> SafeString:
        """Return the account with its platform."""
        return account_chip(delivery.account)

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, delivery: Delivery) -> SafeString:
        """Return the status with its icon."""
        return display.badge(delivery.status, delivery.get_status_display())

    @admin.display(description=_("due"), ordering="job__run_at")
    def goes_out_at(self, delivery: Any) -> SafeString | str:
        """Return when it is due, in the person's own zone."""
        due = delivery.job.run_at if delivery.job is not None else delivery.post.scheduled_at
        return display.moment(due, delivery.person_zone)

    @admin.display(description=_("published"), ordering="published_at")
    def published(self, delivery: Any) -> SafeString | str:
        """Return when it went out, with the link to the live post."""
        if delivery.published_at is None:
            return ""
        at, link = display.moment(delivery.published_at, delivery.person_zone), external_link(delivery.url, _("Open"))
        return format_html('{}<span class="sq-second">{}</span>', at, link) if link else at

    @admin.display(description=_("last error"))
    def error(self, delivery: Delivery) -> str:
        """Return the beginning of the last error."""
        return display.short(delivery.error_message)


def unsent_parts(delivery: Delivery) -> int:
    """Return how many parts of the thread lie behind the one of which nobody knows whether it is live."""
    uncertain = 0 if delivery.live and not delivery.live[-1].get("settled", True) else 1
    return max(0, len(parts_of(delivery.snapshot or {})) - len(delivery.live) - uncertain)


def _live_in_words(delivery: Delivery) -> list[tuple[str, str]]:
    """Return the address (or id) of each live part, and what it is where it is no part of the text."""
    kinds = [part.get("kind") for part in parts_of(delivery.snapshot or {})]
    kinds += [""] * len(delivery.live)
    return [
        (str(part.get("url") or part.get("id", "")), gettext("first comment") if kind == "comment" else "")
        for part, kind in zip(delivery.live, kinds, strict=False)
    ]


def _options_in_words(delivery: Delivery) -> list[tuple[str, str]]:
    """Return the options that were chosen, by the words of the composer."""
    platform = registry.platforms().get(delivery.account.platform)
    known = offered(platform, delivery.account.config) if platform is not None else ()
    labels = {option.name: (option.label, dict(option.choices)) for option in known}
    found = []
    for name, value in chosen_of(delivery.options, known).items():
        label, choices = labels.get(name, (name, {}))
        shown = ", ".join(map(str, value)) if isinstance(value, list) else choices.get(str(value), str(value))
        found.append((label, {"True": "yes", "False": "no"}.get(shown, shown)))
    return found


def external_link(url: str, text: object) -> SafeString | str:
    """Return a link out of the site, if ``url`` is a web address: it came from outside."""
    if not url.startswith(("https://", "http://")):
        return ""
    return format_html('<a href="{}" rel="noopener noreferrer">{} {}</a>', url, display.icon("link"), text)
