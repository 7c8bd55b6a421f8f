"""A repeating post in the composer: whether this one or all future ones are meant, and what follows from it.

Works inside the composer's transaction, through the services of series.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts.admin.links import post_link
from posts.admin.repeat_words import end_words, rule_words
from posts.models import Post, PostStatus
from posts.planning.rules import Rule
from posts.services.recurrence import lock_series, repeat_post
from posts.services.series import SeriesReport, change_future

if TYPE_CHECKING:
    from posts.admin.composer_form import Composer

SCOPE, THIS, FUTURE, BUTTON = "scope", "this", "future", "scope_for"


def repeats_still(post: Post | None) -> bool:
    """Return whether ``post`` is one of a series that goes on."""
    return post is not None and post.recurrence is not None and post.recurrence.ended_at is None


def shown(post: Post | None) -> dict[str, Any]:
    """Return what the composer says of the series of ``post``."""
    if post is None or post.recurrence is None or not repeats_still(post):
        return {}
    words = f"{rule_words(Rule.parse(post.recurrence.rule))}, {end_words(post.recurrence.ends_on)}"
    return {"series": post.recurrence, "series_words": words, "post_is_exception": post.is_exception}


def must_ask(post: Post | None, request: HttpRequest) -> bool:
    """Return whether the person has yet to say which posts are meant."""
    return repeats_still(post) and request.POST.get(SCOPE) not in (THIS, FUTURE)


def button_of(request: HttpRequest, save: str, schedule: str) -> str:
    """Return the button that was pressed before the question which posts are meant; ``save`` unless it was another."""
    return schedule if request.POST.get(BUTTON) == schedule else save


def lock(post: Post | None, request: HttpRequest) -> None:
    """Lock the series before its post is, where all of it will be changed."""
    if post is not None and post.recurrence_id is not None and request.POST.get(SCOPE) == FUTURE:
        lock_series(post.recurrence_id)


def follow(request: HttpRequest, composer: Composer, saved: Post) -> None:
    """Let a saved post repeat, or change its series, as the form says; tell what became of it."""
    form = composer.form
    if repeats_still(composer.post):
        if request.POST.get(SCOPE) == FUTURE:
            _change(request, composer, saved)
        elif form.is_repeat_changed:
            messages.warning(request, _("How it repeats was not changed: that would concern all future posts."))
        return
    if not form.cleaned_data.get("repeats"):
        return
    if saved.status != PostStatus.SCHEDULED:
        messages.warning(request, _("It does not repeat yet: choose that again when you schedule it."))
        return
    wall_time = form.wall_time("goes_out") if form.moved("goes_out") else ""
    first = datetime.fromisoformat(wall_time or saved.wall_time)
    rule = form.rule_text(first.date())
    ends_on = form.cleaned_data["repeat_until"]
    repeat_post(saved, rule=rule, ends_on=ends_on, first_wall_time=wall_time, actor=composer.person)
    messages.info(request, _("It repeats; its next posts are being made."))


def _change(request: HttpRequest, composer: Composer, saved: Post) -> None:
    form = composer.form
    has_moved = form.moved("goes_out") and saved.status == PostStatus.SCHEDULED
    wall_time = (form.wall_time("goes_out") or saved.wall_time) if has_moved else ""
    first = datetime.fromisoformat(wall_time or saved.occurrence)
    report = change_future(
        saved,
        rule=form.rule_text(first.date()),
        ends_on=form.cleaned_data["repeat_until"],
        wall_time=wall_time,
        actor=composer.person,
    )
    tell(request, report, ngettext("%(n)d later post follows.", "%(n)d later posts follow.", report.changed))


def tell(request: HttpRequest, report: SeriesReport, sentence: str) -> None:
    """Say what became of the other posts of a series: how many, which were kept, which came too late."""
    messages.info(request, sentence % {"n": report.changed})
    if report.kept:
        text = ngettext(
            "%(n)d was changed by itself before and stays as it is:",
            "%(n)d were changed by themselves before and stay as they are:",
            len(report.kept),
        )
        messages.info(request, _named(text % {"n": len(report.kept)}, report.kept))
    if report.refused:
        messages.warning(request, _named(_("Too late, because they are being sent:"), report.refused))


def _named(text: str, posts: list[Post]) -> str:
    return format_html("{} {}", text, format_html_join(", ", "{}", ((post_link(post),) for post in posts[:20])))
