"""Moving a post on the calendar: where it lands, what may be moved at all, and what becomes of one that repeats.

Times of day are those of the post's own zone: a post at nine in Berlin is at nine in Berlin on another day, too.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from posts.models import DeliveryStatus, Post, PostStatus
from posts.services import queueing
from posts.services.errors import Refused
from posts.services.schedule import require_version, reschedule_post, schedule_post
from posts.text.wall_time import Fold, resolve_wall_time

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Landing(NamedTuple):
    """Where a post would go out: the instant, and the wall time (ISO) in the zone by which it was meant."""

    at: datetime
    wall_time: str
    timezone: str


def why_not_movable(post: Post) -> str:
    """Return why ``post`` cannot be given another time, "" if it can; reads the deliveries only if nobody has yet."""
    statuses = {delivery.status for delivery in post.deliveries.all()}
    if post.status == PostStatus.DRAFT:
        return ""
    if DeliveryStatus.PUBLISHING in statuses:
        return _("It is being published right now.")
    if DeliveryStatus.NEEDS_REVIEW in statuses:
        return _("It may already be live; settle that on its page first.")
    if DeliveryStatus.PUBLISHED in statuses:
        return _("It is published already, at least in part.")
    if DeliveryStatus.SCHEDULED not in statuses:
        return _("Nothing of it waits for a time: it is %(status)s.") % {
            "status": post.get_status_display().lower() if post.status != PostStatus.SCHEDULED else _("held")
        }
    return ""


def on_day(post: Post, day: date, *, seen_in: str, fold: Fold | None = None) -> Landing:
    """Return where a post with a time lands that is dragged to ``day``: at its own time of day, in its own zone.

    ``seen_in`` is the zone of the calendar, which says on which day the post lies now. Raises WallTimeError where the
    clocks of its zone skip that time, or show it twice and ``fold`` does not say which.
    """
    if post.scheduled_at is None:
        raise ValueError(_("a post without a time has no time of day to keep"))
    zone = post.timezone or seen_in
    if post.wall_time:
        own = datetime.fromisoformat(post.wall_time)
    else:
        own = post.scheduled_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    days = (day - post.scheduled_at.astimezone(ZoneInfo(seen_in)).date()).days
    wall = own + timedelta(days=days)
    return Landing(resolve_wall_time(wall, zone, fold=fold), wall.isoformat(timespec="seconds"), zone)


def at_time(post: Post, wall: datetime, *, seen_in: str, fold: Fold | None = None) -> Landing:
    """Return where a post lands that is dragged to ``wall`` (naive) on the clocks of ``seen_in``; it keeps its zone.

    Raises WallTimeError as ``on_day`` does.
    """
    at = resolve_wall_time(wall, seen_in, fold=fold)
    zone = post.timezone or seen_in
    own = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return Landing(at, own.isoformat(timespec="seconds"), zone)


def move_post(
    post: Post,
    landing: Landing,
    *,
    expected_version: int | None,
    actor: User | None,
    is_exception: bool | None = None,
) -> Post:
    """Give a waiting post, or a draft, another time; return it as stored.

    One that repeats goes its own way from then on, unless an undo says what it was before (``is_exception``). Raises
    Refused, Conflict, ValidationFailed, NotAllowed, and writes nothing then.
    """
    times: dict[str, Any] = {"at": landing.at, "wall_time": landing.wall_time, "timezone": landing.timezone}
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])
        require_version(stored, expected_version)
        why = why_not_movable(stored)
        if why:
            raise Refused(why)
        if stored.status == PostStatus.DRAFT:
            moved = schedule_post(stored, **times, actor=actor)
        else:
            moved = reschedule_post(stored, **times, expected_version=expected_version, actor=actor)
        if is_exception is not None and moved.is_exception != is_exception:
            moved.is_exception = is_exception
            moved.save(update_fields=["is_exception"])
    return moved
