"""What is asked before a repeating post is cancelled or deleted: this one, or all that come after it, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from posts.admin.composer_series import FUTURE, THIS
from posts.admin.people import person_of
from posts.models import Post
from posts.services.series import SeriesReport, cancel_future, delete_future


class ScopeForm(forms.Form):
    """Which posts of a series are meant."""

    scope = forms.ChoiceField(
        label=gettext_lazy("Of what repeats"),
        choices=[
            (THIS, gettext_lazy("this one only")),
            (FUTURE, gettext_lazy("this and all future ones; the series ends")),
        ],
        initial=THIS,
        widget=forms.RadioSelect,
    )


def scope_form(request: HttpRequest, rows: Sequence[Any], *, bound: bool) -> forms.Form | None:
    """Return the question, where one of ``rows`` repeats."""
    if not any(row.recurrence_id for row in rows):
        return None
    return ScopeForm(request.POST if bound else None)


def means_future(row: Post, answers: Mapping[str, Any]) -> bool:
    """Return whether all that come after ``row`` are meant, too."""
    return row.recurrence_id is not None and answers.get("scope") == FUTURE


def cancel_with_future(row: Post, request: HttpRequest) -> str:
    """Cancel ``row`` and what comes after it; say what became of them. One that went with an earlier row is done."""
    if not row.deliveries.filter(status__in=("scheduled", "held", "publishing")).exists():
        return _("together with the ones before it")
    return report_words(cancel_future(row, actor=person_of(request)))


def delete_with_future(row: Post, request: HttpRequest) -> str:
    """Delete ``row`` and what comes after it; say what became of them. One that went with an earlier row is done."""
    if not Post.objects.filter(pk=row.pk).exists():
        return _("together with the ones before it")
    return report_words(delete_future(row, actor=person_of(request)))


def report_words(report: SeriesReport) -> str:
    """Return in one line what became of the posts of a series, with the names of those that were kept."""
    parts = [ngettext("%(n)d post", "%(n)d posts", report.changed) % {"n": report.changed}]
    if report.kept:
        names = ", ".join(f"“{post}” {post.wall_time[:10]}" for post in report.kept[:10])
        parts.append(_("changed by themselves and kept: %(names)s") % {"names": names})
    if report.refused:
        parts.append(_("%(n)d already being sent") % {"n": len(report.refused)})
    return "; ".join(parts)
