"""Sends notices: a row for each notice, person and channel, so that what went out is not sent again by a retry.

An open condition is told when it begins and, to whoever was told that, when it is over. What one person is to be told
by one channel goes in one message. Owns ``NoticeDelivery``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from queue_app import clock, registry, transitions
from queue_app.channels import NotSent, channels
from queue_app.database import atomic
from queue_app.digest import message_of
from queue_app.models import Notice, NoticeDelivery
from queue_app.notices import kind_of
from queue_app.recipients import Recipients, may_be_told

logger = logging.getLogger("socialq.queue")

# What could not be sent for this long is not news any more.
TRIED_FOR = timedelta(days=1)
# Longer than a send may take: whoever holds a message for longer was lost.
TAKEN_FOR = timedelta(minutes=3)
ERROR_CHARACTERS = 300
BATCH = 500

Recipient = tuple[str, Any]


def address_new(now: datetime) -> list[Recipient]:
    """Write down who is to be told what is new or over; return everybody for whom something waits: (channel, user)."""
    full = True
    while full:
        with atomic():
            full = _address_beginnings(now) == BATCH
    with atomic():
        _address_ends(now)
    waiting = _waiting(now).order_by("channel", "user").values_list("channel", "user").distinct()
    return list(waiting)


def send_soon(now: datetime) -> int:
    """See that a job sends to everybody for whom something waits; return how many jobs that took."""
    found = address_new(now)
    with atomic():
        return sum(
            transitions.add_once(
                registry.DELIVER_NOTICES,
                f"notices:{channel}:{'ADMINS' if user is None else user}",
                now=now,
                args={"channel": channel, "user": None if user is None else str(user)},
            )
            for channel, user in found
        )


def send_now() -> None:
    """Send everything that waits from this process, for there is no worker to do it; what fails is left to one."""
    for channel, user in address_new(clock.now()):
        try:
            deliver(channel, user)
        except NotSent as error:
            logger.warning("notices channel=%s not sent error=%s", channel, error)


def deliver(channel: str, user: Any) -> int:
    """Send one person, or the ADMINS, all that waits for them on one channel, in one message; return how many notices.

    Raises NotSent; the next try sends what was not sent.
    """
    now = clock.now()
    taken = _take(channel, user, now)
    if not taken:
        return 0
    mine = NoticeDelivery.objects.filter(pk__in=[row.pk for row in taken], sent_at=None)
    try:
        if channel not in channels():
            raise NotSent(f"this process knows no channel {channel!r}")
        person = taken[0].user
        channels()[channel].send(person, message_of(taken, person))
    except Exception as error:
        said = str(error) if isinstance(error, NotSent) else type(error).__name__
        mine.update(taken_until=None, error=said[:ERROR_CHARACTERS])
        raise
    told = [row.notice_id for row in taken]
    with atomic():
        mine.update(sent_at=now, taken_until=None, error="")
        Notice.objects.filter(pk__in=told, sent_at=None).update(sent_at=now)
        # It was over before this was told: then that is told, too.
        if Notice.objects.filter(pk__in=told, cleared_at__isnull=False, over_addressed_at=None).exists():
            transitions.send_notices_soon(now)
    return len(taken)


def taken_until(channel: str, user: Any) -> datetime | None:
    """Return until when something for the person is in the hands of another process, ``None`` if nothing is."""
    now = clock.now()
    taken = _waiting(now).filter(channel=channel, user=user, taken_until__gt=now)
    return taken.order_by("taken_until").values_list("taken_until", flat=True).first()


def last_error(channel: str, user: Any) -> str:
    """Return why the newest notice to the person did not go out by the channel, "" if it did."""
    newest = NoticeDelivery.objects.filter(channel=channel, user=user).order_by("-pk").first()
    return newest.error if newest is not None and newest.sent_at is None else ""


def unsent_since(moment: datetime) -> int:
    """Return how many notices of before ``moment`` should have reached somebody, and reached nobody so far."""
    news = Q(created_at__lt=moment, created_at__gt=moment - TRIED_FOR)
    unsent = Notice.objects.filter(news, sent_at=None, cleared_at=None)
    return unsent.filter(Q(addressed_at=None) | Q(deliveries__isnull=False)).distinct().count()


def _waiting(now: datetime) -> QuerySet[NoticeDelivery]:
    return NoticeDelivery.objects.filter(sent_at=None, created_at__gt=now - TRIED_FOR)


def _address_beginnings(now: datetime) -> int:
    """Address the next notices that are new, and return how many: so few that nobody waits long to write."""
    unaddressed = Notice.objects.select_for_update().filter(addressed_at=None, sent_at=None, cleared_at=None)
    new = list(unaddressed.order_by("id")[:BATCH])
    recipients = Recipients(new) if new else None
    for notice in new:
        _address(notice, recipients.of(notice) if recipients else (), now, is_over=False)
    Notice.objects.filter(pk__in=[notice.pk for notice in new]).update(addressed_at=now)
    return len(new)


def _address_ends(now: datetime) -> None:
    """Address the ends of conditions to whoever was told their beginning; what was not told by now is not told at all.

    While somebody is just being told that one began, it is left for later.
    """
    over = Notice.objects.select_for_update().filter(
        addressed_at__isnull=False, cleared_at__isnull=False, over_addressed_at=None
    )
    for notice in list(over.order_by("id")):
        beginnings = notice.deliveries.filter(is_over=False)
        beginnings.filter(Q(taken_until=None) | Q(taken_until__lte=now), sent_at=None).delete()
        if beginnings.filter(sent_at=None).exists():
            continue
        if kind_of(notice.kind).over_title:
            _address(notice, beginnings.values_list("channel", "user"), now, is_over=True)
        Notice.objects.filter(pk=notice.pk).update(over_addressed_at=now)


def _address(notice: Notice, recipients: Iterable[Recipient], now: datetime, *, is_over: bool) -> None:
    NoticeDelivery.objects.bulk_create(
        [
            NoticeDelivery(notice=notice, is_over=is_over, channel=channel, user_id=user, created_at=now)
            for channel, user in recipients
        ],
        ignore_conflicts=True,
    )


def _take(channel: str, user: Any, now: datetime) -> list[NoticeDelivery]:
    """Take what waits for one person on one channel, less what is over untold or not theirs to know any more."""
    with atomic():
        waiting = _waiting(now).filter(channel=channel, user=user)
        free = waiting.filter(Q(taken_until=None) | Q(taken_until__lte=now)).select_for_update(of=("self",))
        rows = list(free.select_related("notice", "notice__job", "user").order_by("pk"))
        idle = [row.pk for row in rows if _is_idle(row)]
        NoticeDelivery.objects.filter(pk__in=idle).delete()
        taken = [row for row in rows if row.pk not in idle]
        NoticeDelivery.objects.filter(pk__in=[row.pk for row in taken]).update(taken_until=now + TAKEN_FOR)
    return taken


def _is_idle(row: NoticeDelivery) -> bool:
    over_untold = not row.is_over and row.notice.job_id is None and row.notice.cleared_at is not None
    return over_untold or (row.user is not None and not may_be_told(row.user, row.notice))
