"""Posts that repeat: a series is begun, and its posts are made ahead. Changing and ending one is in ``series``.

Each occurrence is a post of its own, copied from the latest that nobody changed by itself, and scheduled like any
other. One wall time makes one post, by a constraint; ``made_until`` keeps what somebody deleted from coming back. What
cannot be scheduled stays as a draft, and people are told. Lock order: the series, then jobs, then their posts.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from posts.models import Delivery, Post, PostMedia, Recurrence
from posts.planning.occurrences import instant_of, wall_times
from posts.planning.rules import Rule, RuleError
from posts.selectors.posts import may_see
from posts.selectors.recurrences import coming_wall_times, open_posts, pattern_of, wall_now
from posts.services import access, queueing, telling
from posts.services.concerns import concern_of_series
from posts.services.errors import NotAllowed, Problem, Refused, ServiceError, ValidationFailed
from posts.services.schedule import FARTHEST, schedule_post
from posts.services.tags import set_tags
from queue_app import alerts, api, clock
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

REPEAT = "posts.repeat"
REFUSED_NOTICE = "repeating_post"
# Posts are made so far ahead, and the next one however far away it is.
AHEAD = timedelta(days=60)


def rule_problems(text: str, first: datetime, ends_on: date | None) -> list[Problem]:
    """Return why a post that goes out at the wall time ``first`` cannot repeat by the rule ``text``."""
    try:
        rule = Rule.parse(text)
    except RuleError as error:
        return [Problem("rule", f"{error}")]
    if ends_on is not None and ends_on < first.date():
        return [
            Problem(
                "ends_on",
                gettext("The end, %(ends_on)s, is before the post itself goes out; choose a later day")
                % {"ends_on": ends_on},
            )
        ]
    turn = next(wall_times(rule, first), None)
    if turn is None:
        return [Problem("rule", gettext("The rule has no day in the next ten years; change it"))]
    if turn.date() != first.date():
        said = gettext("%(first)s is no day of the rule; the first is %(turn)s. Let the post go out then") % {
            "first": f"{first:%Y-%m-%d}",
            "turn": f"{turn:%Y-%m-%d}",
        }
        return [Problem("rule", said)]
    return []


def repeat_post(
    post: Post, *, rule: str, ends_on: date | None = None, first_wall_time: str = "", actor: User | None = None
) -> Recurrence:
    """Have a scheduled ``post`` come back by ``rule`` until the day ``ends_on``; return the series.

    ``first_wall_time`` is the time that was meant, where the post's own differs (it was just past). The later posts are
    made by a job of their own, queued in this transaction. Raises ValidationFailed, Refused, Conflict, NotAllowed.
    """
    access.require(actor, "schedule_post", post)
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])
        if stored.recurrence is not None and stored.recurrence.ended_at is None:
            raise Refused(
                gettext("Post %(stored)s repeats already; change all its future posts instead") % {"stored": stored.pk}
            )
        first = first_wall_time or stored.wall_time
        if not first:
            raise Refused(
                gettext("Post %(stored)s is not scheduled; schedule it, then it can repeat") % {"stored": stored.pk}
            )
        wall = datetime.fromisoformat(first)
        raise_any(rule_problems(rule, wall, ends_on))
        recurrence = Recurrence.objects.create(
            owner=stored.owner,
            rule=str(Rule.parse(rule).completed(wall.date())),
            first_wall_time=wall.isoformat(timespec="seconds"),
            timezone=stored.timezone,
            ends_on=ends_on,
            made_until=wall.isoformat(timespec="seconds"),
        )
        put_in(stored, recurrence, wall)
        make_soon(recurrence)
    post.refresh_from_db()
    return recurrence


def make_soon(recurrence: Recurrence) -> None:
    """Queue, in the caller's transaction, the job that makes what is missing of a series."""
    key = f"repeat:{recurrence.pk}"
    api.enqueue(REPEAT, {"recurrence_id": recurrence.pk}, unique_key=key, on_duplicate="return")


def make_occurrences(recurrence_id: int) -> int:
    """Make the posts of a series that are due to be made; return how many.

    Each has a transaction of its own. Safe to repeat, and for several processes at once.
    """
    number = 0
    while (made := _make_next(recurrence_id)) is not None:
        number += made
    return number


def lock_series(recurrence_id: int) -> Recurrence:
    """Lock a series until the caller's transaction ends, before anything of its posts is; return it as stored."""
    return Recurrence.objects.select_for_update().get(pk=recurrence_id)


def require_series(recurrence: Recurrence, action: str, actor: User | None) -> None:
    """Raise NotAllowed unless ``actor`` has the permission ``posts.<action>`` and may see the series."""
    access.require(actor, action)
    if actor is not None and not may_see(actor, recurrence.owner_id):
        raise NotAllowed(gettext("These repeating posts belong to somebody else; ask their owner or an administrator"))


def refusal_is_over(recurrence: Recurrence) -> None:
    """Close what people were told of a series whose post could not be scheduled."""
    alerts.over(REFUSED_NOTICE, _notice_subject(recurrence), key=_notice_key(recurrence))


def _make_next(recurrence_id: int) -> int | None:
    """Make the next post of a series, if it is time; return how many it made, ``None`` if nothing is left to do."""
    now = clock.now()
    with queueing.one_transaction():
        recurrence = Recurrence.objects.select_for_update().filter(pk=recurrence_id, ended_at=None).first()
        if recurrence is None:
            return None
        wall = next(coming_wall_times(recurrence, after=recurrence.made_until), None)
        if wall is None:
            return None
        at = instant_of(wall, recurrence.timezone)
        if at > now + FARTHEST or (at > now + AHEAD and _has_next(recurrence, now)):
            return None
        recurrence.made_until = wall.isoformat(timespec="seconds")
        recurrence.save(update_fields=["made_until"])
        if at <= now:
            # Nothing made it in time, because nothing ran: late it would be stale.
            when = f"{wall:%Y-%m-%d %H:%M} ({recurrence.timezone})"
            said = gettext("The post of %(when)s was not made: nothing ran before it was due.") % {"when": when}
            _tell(recurrence, said)
            return 0
        return _make(recurrence, wall, at)


def _has_next(recurrence: Recurrence, now: datetime) -> bool:
    return open_posts(recurrence, after=wall_now(recurrence, now)).exists()


def _make(recurrence: Recurrence, wall: datetime, at: datetime) -> int:
    """Copy the pattern of a locked series to ``wall`` and schedule it; what is refused stays a draft, and is told."""
    pattern = pattern_of(recurrence)
    if pattern is None:
        recurrence.ended_at = clock.now()
        recurrence.save(update_fields=["ended_at"])
        text = gettext("All its posts were deleted, so there is nothing to repeat any more: the series has ended.")
        _tell(recurrence, text)
        return 0
    occurrence = wall.isoformat(timespec="seconds")
    if Post.objects.filter(recurrence=recurrence, occurrence=occurrence).exists():
        return 0
    post = _copy(pattern, recurrence, occurrence, at)
    schedule_or_tell(post, recurrence, at)
    return 1


def schedule_or_tell(post: Post, recurrence: Recurrence, at: datetime, *, actor: User | None = None) -> str:
    """Schedule a draft of a series; return "" or the reason why it stays a draft, which people are told, too."""
    try:
        with atomic():
            schedule_post(post, at=at, timezone=recurrence.timezone, actor=actor)
    except ServiceError as refused:
        when = f"{post.occurrence.replace('T', ' ')[:16]} ({recurrence.timezone})"
        text = gettext("Post %(post)s of %(when)s stays a draft and does not go out: %(refused)s.") % {
            "post": post.pk,
            "when": when,
            "refused": refused,
        }
        post.deliveries.update(error_message=str(refused), error_code="not_scheduled")
        _tell(recurrence, text)
        return str(refused)
    post.deliveries.filter(error_code="not_scheduled").update(error_message="", error_code="")
    return ""


def _tell(recurrence: Recurrence, text: str) -> None:
    alerts.tell(
        REFUSED_NOTICE,
        _notice_subject(recurrence),
        text,
        concern_of_series(recurrence),
        key=_notice_key(recurrence),
    )


def _notice_subject(recurrence: Recurrence) -> str:
    return gettext("Repeating posts %(recurrence)s") % {"recurrence": recurrence.pk}


def _notice_key(recurrence: Recurrence) -> str:
    return f"series:{recurrence.pk}"


def _copy(pattern: Post, recurrence: Recurrence, occurrence: str, at: datetime) -> Post:
    """Write the next post of a series, as a draft."""
    lasts = (
        None
        if pattern.expires_at is None or pattern.scheduled_at is None
        else pattern.expires_at - pattern.scheduled_at
    )
    post = Post.objects.create(
        owner=recurrence.owner,
        text=pattern.text,
        language=pattern.language,
        thread_mode=pattern.thread_mode,
        first_comment=pattern.first_comment,
        timezone=recurrence.timezone,
        priority=pattern.priority,
        expires_at=at + lasts if lasts is not None else None,
        recurrence=recurrence,
        occurrence=occurrence,
        version=1,
    )
    for used in pattern.post_media.order_by("position", "pk"):
        PostMedia.objects.create(post=post, media_id=used.media_id, position=used.position, alt_text=used.alt_text)
    for found in pattern.deliveries.order_by("pk"):
        Delivery.objects.create(
            post=post,
            account_id=found.account_id,
            text_override=found.text_override,
            options=found.options,
            keyed_at=clock.now(),
        )
    set_tags(post, pattern.tags.values_list("name", flat=True))
    telling.happened(post, telling.CREATED, "")
    return post


def put_in(post: Post, recurrence: Recurrence, wall: datetime) -> None:
    """Make ``post`` the occurrence of a series at ``wall``, one that follows its changes."""
    occurrence = wall.isoformat(timespec="seconds")
    Post.objects.filter(pk=post.pk).update(recurrence=recurrence, occurrence=occurrence, is_exception=False)


def raise_any(problems: list[Problem]) -> None:
    """Raise ValidationFailed if there are ``problems``."""
    if problems:
        raise ValidationFailed(problems)
