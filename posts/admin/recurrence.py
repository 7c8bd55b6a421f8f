"""Repeating posts: the list of series with their rules in words and next dates; to end one, or move its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import CharField, OuterRef, Prefetch, QuerySet, Subquery, Value
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from posts.admin import zones
from posts.admin.people import person_of
from posts.admin.repeat_words import day_words, end_words, rule_words
from posts.admin.series_actions import report_words
from posts.models import Post, Recurrence
from posts.planning.rules import Rule
from posts.selectors.posts import may_see
from posts.selectors.recurrences import next_wall_times, open_posts, visible_recurrences
from posts.services.errors import ServiceError
from posts.services.series import end_recurrence, extend_recurrence
from queue_app import clock
from queue_app.admin import display
from queue_app.admin.actions import ConfirmedAction, ConfirmedActionsMixin
from queue_app.admin.pages import ReadOnlyAdmin

SHOWN_POSTS, SHOWN_DATES, EXCERPT_CHARACTERS = 100, 5, 60


class EndForm(forms.Form):
    """Whether what was changed by itself goes, too."""

    with_exceptions = forms.BooleanField(
        label=gettext_lazy("Also cancel the posts that were changed by themselves"), required=False
    )


class ExtendForm(forms.Form):
    """The new end."""

    ends_on = forms.DateField(
        label=gettext_lazy("Until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Empty: without an end. What was made for later days is deleted."),
    )


class SeriesAction(ConfirmedAction):
    """An action on series."""

    refusals = (ServiceError,)

    def why_not(self, row: Recurrence, request: HttpRequest) -> str:
        """Skip what has ended."""
        return _("it has ended already") if row.ended_at is not None else ""


class End(SeriesAction):
    """End series now: what has not been sent is cancelled."""

    name, label, done, permission = "end", gettext_lazy("End now"), gettext_lazy("ended"), "posts.cancel_post"
    form_class = EndForm

    def warning_for(self, rows: Sequence[Any]) -> str:
        """Say how many posts are cancelled."""
        number = sum(open_posts(row).filter(is_exception=False).count() for row in rows)
        text = ngettext(
            "%(n)d post that has not been sent is cancelled; no new ones are made. This cannot be undone.",
            "%(n)d posts that have not been sent are cancelled; no new ones are made. This cannot be undone.",
            number,
        )
        return text % {"n": number}

    def perform(self, row: Recurrence, request: HttpRequest, answers: dict[str, Any]) -> str:
        """End it."""
        with_exceptions = bool(answers.get("with_exceptions"))
        return report_words(end_recurrence(row, with_exceptions=with_exceptions, actor=person_of(request)))


class Extend(SeriesAction):
    """Move the end of series."""

    name, label, done, permission = (
        "extend",
        gettext_lazy("Change the end"),
        gettext_lazy("given another end"),
        "posts.schedule_post",
    )
    form_class = ExtendForm

    def perform(self, row: Recurrence, request: HttpRequest, answers: dict[str, Any]) -> str:
        """Move it."""
        ends_on = answers["ends_on"]
        report = extend_recurrence(row, ends_on, actor=person_of(request))
        return f"{end_words(ends_on)} {report_words(report)}".strip()


@admin.register(Recurrence)
class RecurrenceAdmin(ConfirmedActionsMixin, ReadOnlyAdmin):
    """Series of repeating posts, seen by whom their posts are."""

    page_template = "posts/admin/recurrence.html"
    empty_hint = gettext_lazy("Nothing repeats yet. Choose “Repeat” below the time when you write a post.")
    confirmed_actions = [End, Extend]
    list_display = ["excerpt", "state_badge", "rule_in_words", "next_dates", "owner"]
    list_select_related = ["owner"]
    ordering = ["-id"]
    list_per_page = 50

    class Media:
        css = {"all": ["posts/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list under the name that people know."""
        return super().changelist_view(request, {"title": _("Repeating posts"), **(extra_context or {})})

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may see posts sees what repeats."""
        return request.user.has_perm("posts.view_post")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see posts sees what repeats of theirs."""
        return request.user.has_perm("posts.view_post") and (obj is None or may_see(request.user, obj.owner_id))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recurrence]:
        """Return the series that the person may see, with the text of their latest post."""
        latest = Post.objects.filter(recurrence=OuterRef("pk")).order_by("is_exception", "-occurrence")
        zone = Value(zones.zone_of(request.user), output_field=CharField())
        found = visible_recurrences(request.user).annotate(text=Subquery(latest.values("text")[:1]), person_zone=zone)
        coming = Post.objects.filter(scheduled_at__gt=clock.now(), status="scheduled").order_by("scheduled_at")
        shown = Prefetch("posts", coming.only("scheduled_at", "recurrence")[:3], to_attr="coming")
        return found.prefetch_related(shown).order_by(*self.ordering)

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return the rule in words, the next dates and the posts."""
        posts = list(row.posts.order_by("-occurrence")[: SHOWN_POSTS + 1])
        for post in posts:
            post.occurrence_words = post.occurrence.replace("T", " ")[:16]
        more = row.posts.count() - SHOWN_POSTS if len(posts) > SHOWN_POSTS else 0
        return {
            "title": self.excerpt(row),
            "state": self.state_badge(row),
            "words": self.rule_in_words(row),
            "began": day_words(datetime.fromisoformat(row.first_wall_time)),
            "dates": [day_words(wall) for wall in next_wall_times(row, clock.now(), SHOWN_DATES)],
            "posts": posts[:SHOWN_POSTS],
            "posts_more": max(more, 0),
            "zone": zones.zone_of(request.user),
            "buttons": self.buttons_for(request, row),
        }

    @admin.display(description=gettext_lazy("post"))
    def excerpt(self, row: Any) -> str:
        """Return the beginning of the text of the latest post."""
        line = " ".join((row.text or "").split())
        return Truncator(line).chars(EXCERPT_CHARACTERS) or _("Repeating posts %(id)d") % {"id": row.pk}

    @admin.display(description=gettext_lazy("state"))
    def state_badge(self, row: Recurrence) -> SafeString:
        """Return whether it goes on."""
        if row.ended_at is not None:
            return display.badge("gone", _("Ended"))
        return display.badge("alive", _("Goes on"))

    @admin.display(description=gettext_lazy("repeats"))
    def rule_in_words(self, row: Recurrence) -> str:
        """Return the rule in words, with its end."""
        return f"{rule_words(Rule.parse(row.rule))}, {end_words(row.ends_on)}"

    @admin.display(description=gettext_lazy("next"))
    def next_dates(self, row: Any) -> SafeString | str:
        """Return when the next posts go out."""
        times = ((display.moment(post.scheduled_at, row.person_zone),) for post in row.coming)
        return format_html_join("", "<div>{}</div>", times) or display.NOTHING
