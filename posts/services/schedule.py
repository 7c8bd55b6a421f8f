"""Scheduling, publishing now and rescheduling: a time for a post and a job for each delivery, in one commit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.utils.timezone import get_default_timezone_name
from django.utils.translation import gettext

from posts.models import Delivery, DeliveryStatus, Post
from posts.services import access, queueing, telling
from posts.services.errors import Outdated, Problem, Refused, ValidationFailed
from posts.services.occurrences import mark_changed
from posts.services.status import sync_post_status
from posts.services.validation import problems_of, shown, zone_problems
from queue_app import clock

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# A time that passed while the person was pressing the button means now.
JUST_PASSED = timedelta(seconds=60)
FARTHEST = timedelta(days=3653)

STARTABLE = (DeliveryStatus.DRAFT, DeliveryStatus.CANCELLED, DeliveryStatus.EXPIRED, DeliveryStatus.FAILED)


def schedule_post(
    post: Post,
    *,
    at: datetime,
    wall_time: str = "",
    timezone: str = "",
    expected_version: int | None = None,
    actor: User | None = None,
) -> Post:
    """Have every account of a post that is not under way publish it ``at`` (aware); return it as stored.

    ``wall_time`` (ISO, no offset) in the IANA zone ``timezone`` is what the person meant: the zone is else the post's
    or the site's, the wall time follows from both, and ValueError says that it does not agree. At most a minute past
    means now. Raises ValidationFailed, Refused, Conflict (also where ``expected_version`` is not the stored one),
    NotAllowed.
    """
    access.require(actor, "schedule_post", post)
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])
        require_version(stored, expected_version)
        start(stored, at, wall_time=wall_time, timezone=timezone, actor=actor)
        mark_changed(stored, actor)
    stored.refresh_from_db()
    return stored


def publish_now(post: Post, *, actor: User | None = None) -> Post:
    """Publish a post now, whether it is a draft or scheduled for later; return it as stored.

    Raises as ``schedule_post`` does.
    """
    access.require(actor, "publish_post", post)
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])
        if waiting(stored):
            move(stored, clock.now(), actor=actor)
        else:
            start(stored, clock.now(), actor=actor)
        mark_changed(stored, actor)
    stored.refresh_from_db()
    return stored


def reschedule_post(
    post: Post,
    *,
    at: datetime,
    wall_time: str = "",
    timezone: str = "",
    expected_version: int | None = None,
    actor: User | None = None,
) -> Post:
    """Move what of a post is still waiting to ``at`` (aware); arguments and errors as for ``schedule_post``."""
    access.require(actor, "reschedule_post", post)
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])
        require_version(stored, expected_version)
        move(stored, at, wall_time=wall_time, timezone=timezone, actor=actor)
        mark_changed(stored, actor)
    stored.refresh_from_db()
    return stored


def require_version(stored: Post, expected: int | None) -> None:
    """Raise Outdated where a locked post is no longer the version that the person saw (``None``: any will do)."""
    if expected is not None and stored.version != expected:
        raise Outdated(
            gettext("Post %(stored)s was changed by somebody else meanwhile; open it again and repeat your change")
            % {"stored": stored.pk}
        )


def waiting(post: Post) -> list[Delivery]:
    """Return the deliveries of ``post`` that are scheduled and have not begun."""
    return [found for found in queueing.deliveries_of(post) if found.status == DeliveryStatus.SCHEDULED]


def start(post: Post, at: datetime, *, wall_time: str = "", timezone: str = "", actor: User | None) -> list[int]:
    """Queue every delivery of a locked post for ``at``; return the jobs' ids."""
    deliveries = queueing.deliveries_of(post)
    for delivery in deliveries:
        _require_startable(post, delivery)
    now = clock.now()
    at = _set_time(post, at, now, wall_time, timezone)
    problems = problems_of(post, deliveries)
    if problems:
        raise ValidationFailed(problems)
    name = access.name_of(actor)
    jobs = [queueing.queue_delivery(delivery, post, at=at, now=now, actor=name) for delivery in deliveries]
    sync_post_status(post.pk, actor=name)
    return [job.pk for job in jobs]


def move(post: Post, at: datetime, *, wall_time: str = "", timezone: str = "", actor: User | None) -> None:
    """Move the waiting deliveries of a locked post to ``at``."""
    deliveries = waiting(post)
    if not deliveries:
        status = post.get_status_display().lower()
        raise Refused(
            gettext("Post %(post)s is %(status)s, so nothing of it waits for a time; schedule it instead")
            % {"post": post.pk, "status": status}
        )
    at, name = _set_time(post, at, clock.now(), wall_time, timezone), access.name_of(actor)
    for delivery in deliveries:
        expires_at = queueing.expiry_of(post, at)
        queueing.move_delivery(delivery, post, at=at, expires_at=expires_at, actor=name)
    telling.happened(post, telling.SCHEDULED, name)


def _require_startable(post: Post, delivery: Delivery) -> None:
    if delivery.status in STARTABLE and not queueing.may_be_live(delivery):
        return
    where = shown(delivery.account)
    if delivery.status == DeliveryStatus.SCHEDULED:
        raise Refused(
            gettext("Post %(post)s is scheduled already on %(where)s; reschedule it instead")
            % {"post": post.pk, "where": where}
        )
    if delivery.status == DeliveryStatus.HELD:
        raise Refused(
            gettext("Post %(post)s is held on %(where)s; release or cancel it there first")
            % {"post": post.pk, "where": where}
        )
    if delivery.status == DeliveryStatus.PUBLISHED:
        raise Refused(
            gettext("Post %(post)s is published on %(where)s already; write a new post, or retry what failed")
            % {"post": post.pk, "where": where}
        )
    if delivery.status == DeliveryStatus.PUBLISHING:
        raise Refused(
            gettext("Post %(post)s is being published on %(where)s right now; wait for its outcome")
            % {"post": post.pk, "where": where}
        )
    raise Refused(
        gettext("Post %(post)s may already be live on %(where)s; settle that on the page of its delivery first")
        % {"post": post.pk, "where": where}
    )


def _set_time(post: Post, at: datetime, now: datetime, wall_time: str, timezone: str) -> datetime:
    """Check and store when ``post`` goes out; return the instant, which is ``now`` where ``at`` has just passed."""
    if at.tzinfo is None:
        raise ValueError(gettext("at needs a time zone"))
    zone = timezone or post.timezone or get_default_timezone_name()
    problems = zone_problems(zone)
    if problems:
        raise ValidationFailed(problems)
    said = _shown(at, zone)
    if at < now - JUST_PASSED:
        problems.append(
            Problem(
                "scheduled_at", gettext("%(said)s is in the past; choose a later time, or publish now") % {"said": said}
            )
        )
    if at > now + FARTHEST:
        problems.append(
            Problem(
                "scheduled_at",
                gettext("%(said)s is more than ten years ahead; choose an earlier time") % {"said": said},
            )
        )
    if post.expires_at is not None and post.expires_at <= max(at, now):
        message = gettext("The post is dropped if not out by %(shown)s, before it is due; change one") % {
            "shown": _shown(post.expires_at, zone)
        }
        problems.append(Problem("expires_at", message))
    if problems:
        raise ValidationFailed(problems)
    instant = max(at, now)
    local = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    # A wall time is kept to the second; the instant may have parts of one.
    if wall_time and instant == at and datetime.fromisoformat(wall_time) != local.replace(microsecond=0):
        raise ValueError(
            gettext("%(wall_time)s in %(zone)s is not %(at)s") % {"wall_time": wall_time, "zone": zone, "at": at}
        )
    post.scheduled_at, post.timezone, post.version = instant, zone, post.version + 1
    post.wall_time = local.isoformat(timespec="seconds")
    post.save(update_fields=["scheduled_at", "wall_time", "timezone", "version", "updated_at"])
    return instant


def _shown(at: datetime, zone: str) -> str:
    try:
        return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"
    except OverflowError:  # the calendar's first or last day
        return f"{at:%Y-%m-%d %H:%M}"
