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
from django.utils.translation import gettext_lazy as _

from posts.admin import zones
from posts.admin.filters import NeedsFilter
from posts.admin.people import person_of
from posts.models import Delivery, DeliveryStatus
from posts.publishing import registry
from posts.selectors.deliveries import explanation, next_step, progress, timeline
from posts.selectors.posts import visible_posts
from posts.services import deliveries as services
from posts.services.errors import ServiceError
from posts.services.options import chosen_of, offered
from posts.services.publication import parts_of
from posts.services.queueing import may_be_live
from queue_app.admin import display
from queue_app.admin.actions import ConfirmedAction, ConfirmedActionsMixin
from queue_app.admin.pages import ReadOnlyAdmin

TWICE = "may already be live: a retry could publish twice. Look on the platform first."


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

    name, label, done, permission = "retry", "Retry", "to be tried again now", "posts.retry_post"

    def why_not(self, row: Delivery, request: HttpRequest) -> str:
        """Skip what is waiting, under way or out."""
        if row.status in services.RETRIABLE or row.status == DeliveryStatus.NEEDS_REVIEW:
            return ""
        return f"it is {row.get_status_display().lower()}"

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Warn of what could be published twice."""
        live = sum(may_be_live(row) for row in rows)
        return f"{live} of these {TWICE}" if live and len(rows) > 1 else f"This one {TWICE}" if live else ""

    def perform(self, row: Delivery, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Retry it; the person has read the warning."""
        services.retry_delivery(row, actor=person_of(request), even_if_uncertain=may_be_live(row))
        return ""


class Cancel(DeliveryAction):
    """Stop what has not gone out, and look-ups of what may be live."""

    name, label, done, permission = "cancel", "Cancel", "cancelled", "posts.cancel_post"

    def why_not(self, row: Delivery, request: HttpRequest) -> str:
        """Skip what is settled."""
        return "" if row.status in services.CANCELLABLE else f"it is {row.get_status_display().lower()}"

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say that cancelling takes nothing back."""
        if any(row.status == DeliveryStatus.NEEDS_REVIEW for row in rows):
            return "What may already be live stays live: cancelling only ends looking for it."
        return ""

    def perform(self, row: Delivery, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Cancel it."""
        services.cancel_delivery(row, actor=person_of(request))
        return ""


class MarkAsPublished(DeliveryAction):
    """Take a person's word that it is live."""

    name, label, done = "mark_published", "Mark as published", "marked as published"
    permission = "posts.retry_post"
    form_class = LinkForm

    def why_not(self, row: Delivery, request: HttpRequest) -> str:
        """Skip what does not need review."""
        return _only_review(row)

    def perform(self, row: Delivery, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Mark it."""
        services.mark_delivery_published(row, url=answers["url"], actor=person_of(request))
        return str(answers["url"])


class CheckAgain(DeliveryAction):
    """Have it looked up on the platform once more."""

    name, label, done = "check_again", "Check again", "being looked up again"
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
    return f"it is {row.get_status_display().lower()}; only what needs review is settled by hand"


@admin.register(Delivery)
class DeliveryAdmin(ConfirmedActionsMixin, ReadOnlyAdmin):
    """Deliveries of the posts that the person may see."""

    page_template = "posts/admin/delivery.html"
    empty_hint = "Nothing here yet: a delivery appears for each account that a post is written for."
    confirmed_actions = [MarkAsPublished, CheckAgain, Retry, Cancel]
    list_display = ["title", "account", "status_badge", "goes_out_at", "published", "live_link", "error"]
    list_filter = [
        "status",
        NeedsFilter,
        "account__platform",
        ("account", admin.RelatedOnlyFieldListFilter),
        "published_at",
    ]
    search_fields = ["post__text", "text_override", "error_message", "url"]
    ordering = ["-id"]
    list_per_page = 50

    class Media:
        css = {"all": ["posts/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Return the deliveries that the person may see."""
        zone = Value(zones.zone_of(request.user), output_field=CharField())
        rows = Delivery.objects.filter(post__in=visible_posts(request.user)).select_related("post", "account", "job")
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
            "explanation": explanation(row),
            "next_step": next_step(row),
            "progress": progress(row),
            "live": _live_in_words(row),
            "options": _options_in_words(row),
            "moments": timeline(row),
            "job": job,
            "attempts": job.attempt_set.order_by("id") if job is not None else [],
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
        """Return when it went out."""
        return display.moment(delivery.published_at, delivery.person_zone)

    @admin.display(description=_("link"))
    def live_link(self, delivery: Delivery) -> SafeString | str:
        """Return the link to the live post."""
        return external_link(delivery.url, "Open") or display.NOTHING

    @admin.display(description=_("last error"))
    def error(self, delivery: Delivery) -> str:
        """Return the beginning of the last error."""
        return display.short(delivery.error_message)


def _live_in_words(delivery: Delivery) -> list[tuple[str, str]]:
    """Return the address (or id) of each live part, and what it is where it is no part of the text."""
    kinds = [part.get("kind") for part in parts_of(delivery.snapshot or {})]
    kinds += [""] * len(delivery.live)
    return [
        (str(part.get("url") or part.get("id", "")), "first comment" if kind == "comment" else "")
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


def external_link(url: str, text: str) -> SafeString | str:
    """Return a link out of the site, if ``url`` is a web address: it came from outside."""
    if not url.startswith(("https://", "http://")):
        return ""
    return format_html('<a href="{}" rel="noopener noreferrer">{} {}</a>', url, display.icon("link"), text)
