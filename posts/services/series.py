"""Changing, extending and ending a series of repeating posts. What somebody changed by itself is kept, and named.

Lock order: the series, then jobs, then their posts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from django.db.models import QuerySet
from django.utils.translation import gettext

from posts.models import Post, Recurrence
from posts.planning.occurrences import instant_of
from posts.planning.rules import Rule
from posts.selectors.recurrences import coming_wall_times, open_posts
from posts.services import access, queueing
from posts.services.drafts import save_draft
from posts.services.errors import Problem, Refused, ValidationFailed
from posts.services.posts import cancel_post, delete_post
from posts.services.recurrence import (
    lock_series,
    make_occurrences,
    make_soon,
    put_in,
    raise_any,
    refusal_is_over,
    require_series,
    rule_problems,
    schedule_or_tell,
)
from queue_app import clock

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# The last wall time of a day, to the second.
END_OF_DAY = "T23:59:59"


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """What became of the later posts of a series: how many were ``changed``, made anew, cancelled or deleted; those
    ``kept`` because somebody had changed them by themselves; those ``refused``, because they are being sent."""

    changed: int = 0
    kept: list[Post] = field(default_factory=list)
    refused: list[Post] = field(default_factory=list)


def change_future(
    post: Post,
    *,
    rule: str,
    ends_on: date | None,
    wall_time: str = "",
    actor: User | None = None,
) -> SeriesReport:
    """Give every later post of the series what ``post``, which was changed just now, has; return what became of them.

    ``rule`` "" ends the series after ``post``. ``wall_time`` (ISO) in the post's zone is its new time, "" if it was not
    moved: with a new time or rule the later posts are made anew, but none on a day whose post somebody deleted or
    changed. Raises ValidationFailed, Refused, Conflict, NotAllowed.
    """
    access.require(actor, "schedule_post", post)
    with queueing.one_transaction():
        recurrence = lock_series(_series_of(post))
        (stored,) = queueing.lock_posts([post.pk])
        if not rule:
            return _ended(recurrence, stored, actor)
        wall = datetime.fromisoformat(wall_time or stored.occurrence)
        raise_any(rule_problems(rule, wall, ends_on))
        text = str(Rule.parse(rule).completed(wall.date()))
        zone = stored.timezone if wall_time else recurrence.timezone
        is_timed_anew = (text, zone, wall.isoformat(timespec="seconds")) != (
            recurrence.rule,
            recurrence.timezone,
            stored.occurrence,
        )
        refusal_is_over(recurrence)
        recurrence.ends_on = ends_on
        if is_timed_anew:
            recurrence.rule, recurrence.timezone = text, zone
            return _make_anew(recurrence, stored, wall)
        return _change_each(recurrence, stored, actor)


def extend_recurrence(recurrence: Recurrence, ends_on: date | None, *, actor: User | None = None) -> SeriesReport:
    """Let a series go on until the day ``ends_on`` (``None``: for ever); what was made for later days is deleted.

    Raises ValidationFailed, Refused, Conflict, NotAllowed.
    """
    require_series(recurrence, "schedule_post", actor)
    with queueing.one_transaction():
        stored = lock_series(recurrence.pk)
        if stored.ended_at is not None:
            raise Refused(gettext("This series has ended; write a new post and let it repeat"))
        if ends_on is not None and ends_on.isoformat() < stored.first_wall_time[:10]:
            raise ValidationFailed(
                [Problem("ends_on", gettext("The end is before the series begins; choose a later day"))]
            )
        stored.ends_on = ends_on
        return _trim(stored)


def end_recurrence(recurrence: Recurrence, *, with_exceptions: bool = False, actor: User | None = None) -> SeriesReport:
    """End a series: nothing is made any more, and what has not been sent is cancelled.

    What somebody changed by itself stays, unless ``with_exceptions``. Raises Conflict, NotAllowed.
    """
    require_series(recurrence, "cancel_post", actor)
    with queueing.one_transaction():
        stored = lock_series(recurrence.pk)
        _end(stored)
        return _cancel(open_posts(stored), actor, with_exceptions=with_exceptions)


def cancel_future(post: Post, *, actor: User | None = None) -> SeriesReport:
    """Cancel ``post`` and what comes after it in its series, which ends. Raises as ``end_recurrence`` does."""
    access.require(actor, "cancel_post", post)
    with queueing.one_transaction():
        recurrence = lock_series(_series_of(post))
        _end(recurrence)
        report = cancel_post(post, actor=actor)
        if not report.cancelled:
            raise Refused(gettext("It is already being sent, or may be live, so nothing was cancelled"))
        later = _cancel(open_posts(recurrence, after=post.occurrence), actor, with_exceptions=False)
        return SeriesReport(later.changed + 1, later.kept, later.refused)


def delete_future(post: Post, *, actor: User | None = None) -> SeriesReport:
    """Delete ``post`` and what comes after it in its series, which ends. Raises Refused, Conflict, NotAllowed."""
    access.require(actor, "delete_post", post)
    with queueing.one_transaction():
        recurrence = lock_series(_series_of(post))
        _end(recurrence)
        number, kept = 1, []
        for later in open_posts(recurrence, after=post.occurrence):
            if later.is_exception:
                kept.append(later)
            else:
                delete_post(later, actor=actor)
                number += 1
        delete_post(post, actor=actor)
        return SeriesReport(number, kept)


def _series_of(post: Post) -> int:
    if post.recurrence_id is None:
        raise Refused(gettext("Post %(post)s does not repeat") % {"post": post.pk})
    return post.recurrence_id


def _end(recurrence: Recurrence) -> None:
    if recurrence.ended_at is None:
        recurrence.ended_at = clock.now()
        recurrence.save(update_fields=["ended_at"])
    refusal_is_over(recurrence)


def _ended(recurrence: Recurrence, post: Post, actor: User | None) -> SeriesReport:
    """End a locked series after ``post``."""
    access.require(actor, "cancel_post", post)
    _end(recurrence)
    return _cancel(open_posts(recurrence, after=post.occurrence), actor, with_exceptions=False)


def _cancel(posts: Iterable[Post], actor: User | None, *, with_exceptions: bool) -> SeriesReport:
    number, kept, refused = 0, [], []
    for post in posts:
        if post.is_exception and not with_exceptions:
            kept.append(post)
            continue
        done = cancel_post(post, actor=actor)
        number += bool(done.cancelled)
        refused += [post] if done.refused else []
    return SeriesReport(number, kept, refused)


def _trim(recurrence: Recurrence) -> SeriesReport:
    """Save a locked series whose end was changed: delete what is behind it, have made what is missing before it."""
    report = SeriesReport()
    if recurrence.ends_on is not None:
        end = f"{recurrence.ends_on.isoformat()}{END_OF_DAY}"
        days = _days_gone(recurrence, since=end)
        report = _delete(open_posts(recurrence, after=end))
        if recurrence.made_until > end:
            # What is deleted here is made again if the end moves away again; what a person deleted or changed is not.
            recurrence.made_until = max(end, recurrence.first_wall_time)
            _skip(recurrence, days | _days_of(report.kept))
    recurrence.save(update_fields=["ends_on", "made_until", "skipped_days"])
    make_soon(recurrence)
    return report


def _delete(posts: Iterable[Post]) -> SeriesReport:
    """Delete posts that were made for a series and that nobody changed."""
    number, kept = 0, []
    for post in posts:
        if post.is_exception:
            kept.append(post)
        else:
            delete_post(post)
            number += 1
    return SeriesReport(number, kept)


def _make_anew(recurrence: Recurrence, post: Post, wall: datetime) -> SeriesReport:
    """Delete the later posts of a locked series and make them by its new rule and time, from ``post`` on."""
    occurrence = _iso(wall)
    # Moved before others of the series, it must not double those that lie between its new time and its old one.
    since = min(occurrence, post.occurrence)
    gone = _days_gone(recurrence, since=since) - _days_of([post])
    kept = _delete(open_posts(recurrence, after=post.occurrence)).kept
    _skip(recurrence, gone | _days_of(_after(recurrence, since).exclude(pk=post.pk)))
    if Post.objects.filter(recurrence=recurrence, occurrence=occurrence).exclude(pk=post.pk).exists():
        text = gettext(
            "Another post of this series has this time already; choose another one, or change this post only"
        )
        raise ValidationFailed([Problem("scheduled_at", text)])
    recurrence.first_wall_time = recurrence.made_until = occurrence
    recurrence.save(update_fields=["rule", "timezone", "ends_on", "first_wall_time", "made_until", "skipped_days"])
    put_in(post, recurrence, wall)
    return SeriesReport(make_occurrences(recurrence.pk), kept)


def _days_gone(recurrence: Recurrence, *, since: str) -> set[str]:
    """Return the days after ``since`` for which a locked series, as it is stored, had a post made that is gone."""
    stored = Recurrence.objects.get(pk=recurrence.pk)
    made = takewhile(lambda wall: _iso(wall) <= stored.made_until, coming_wall_times(stored, after=since))
    return {f"{wall:%Y-%m-%d}" for wall in made} - _days_of(_after(recurrence, since))


def _days_of(posts: Iterable[Post]) -> set[str]:
    return {post.occurrence[:10] for post in posts}


def _after(recurrence: Recurrence, since: str) -> QuerySet[Post]:
    return Post.objects.filter(recurrence=recurrence, occurrence__gt=since).only("occurrence")


def _skip(recurrence: Recurrence, days: set[str]) -> None:
    recurrence.skipped_days = sorted({*recurrence.skipped_days, *days})


def _change_each(recurrence: Recurrence, post: Post, actor: User | None) -> SeriesReport:
    """Give the later posts of a locked series the content of ``post``; they keep their times."""
    trimmed = _trim(recurrence)
    number, kept = 0, []
    for later in open_posts(recurrence, after=post.occurrence):
        if later.is_exception:
            kept.append(later)
            continue
        _write_over(later, post, actor)
        if later.scheduled_at is None:
            at = instant_of(datetime.fromisoformat(later.occurrence), recurrence.timezone)
            schedule_or_tell(later, recurrence, at, actor=actor)
        Post.objects.filter(pk=later.pk).update(is_exception=False)
        number += 1
    if post.scheduled_at == instant_of(datetime.fromisoformat(post.occurrence), recurrence.timezone):
        Post.objects.filter(pk=post.pk).update(is_exception=False)
    return SeriesReport(number, [*kept, *trimmed.kept])


def _write_over(later: Post, post: Post, actor: User | None) -> None:
    lasts = (
        post.expires_at - post.scheduled_at if post.expires_at is not None and post.scheduled_at is not None else None
    )
    deliveries = list(post.deliveries.order_by("pk"))
    at = later.scheduled_at or instant_of(datetime.fromisoformat(later.occurrence), later.timezone)
    save_draft(
        post=later,
        owner=later.owner,
        text=post.text,
        account_ids=[found.account_id for found in deliveries],
        media=list(post.post_media.order_by("position", "pk").values_list("media_id", "alt_text")),
        own_texts={found.account_id: found.text_override or "" for found in deliveries},
        options={found.account_id: found.options for found in deliveries},
        thread_mode=post.thread_mode,
        first_comment=post.first_comment,
        language=post.language,
        timezone=later.timezone,
        priority=post.priority,
        expires_at=at + lasts if lasts is not None else None,
        tags=list(post.tags.values_list("name", flat=True)),
        actor=actor,
    )


def _iso(wall: datetime) -> str:
    return wall.isoformat(timespec="seconds")
