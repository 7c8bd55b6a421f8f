"""Whether an account gets the same text twice within a day. Reads only; what a person makes of it is theirs."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from posts.models import Account, Delivery, DeliveryStatus, Post

NEAR = timedelta(hours=24)
LATEST_START = timedelta(hours=24)  # what is late goes out so long after its time
COUNTING = (
    DeliveryStatus.SCHEDULED,
    DeliveryStatus.HELD,
    DeliveryStatus.PUBLISHING,
    DeliveryStatus.PUBLISHED,
    DeliveryStatus.NEEDS_REVIEW,
)
MOST_COMPARED = 500
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


@dataclass(frozen=True, slots=True)
class Duplicate:
    """``account`` has, or gets, the same text with ``post``, ``at`` (aware UTC)."""

    account: Account
    post: Post
    at: datetime
    is_published: bool


def duplicates_of(post: Post, deliveries: Sequence[Delivery], at: datetime) -> list[Duplicate]:
    """Return for each account of ``deliveries`` the nearest other post with the same text within 24 hours of ``at``.

    Others of its own series do not count: they are meant to repeat. ``post`` and ``deliveries`` need not be saved.
    Texts are the same that differ in case, spaces and invisible signs alone; posts without a text are never. The
    nearest 500 posts in time are looked at.
    """
    wanted = {found.account_id: normalised(_said(found, post)) for found in deliveries}
    wanted = {account_id: text for account_id, text in wanted.items() if text}
    if not wanted:
        return []
    try:
        since, until = at - NEAR - LATEST_START, at + NEAR
    except OverflowError:  # at the ends of the calendar, where nothing goes out
        return []
    others = (
        Delivery.objects.filter(
            account__in=wanted,
            status__in=COUNTING,
            post__scheduled_at__gte=since,
            post__scheduled_at__lte=until,
        )
        .exclude(post=post.pk)
        .select_related("post", "account")
        .defer("options", "checkpoints", "snapshot", "live", "progress", "response")
        .order_by("-post__scheduled_at")
    )
    if post.recurrence_id is not None:
        others = others.exclude(post__recurrence=post.recurrence_id)
    nearest: dict[int, Duplicate] = {}
    for other in others[:MOST_COMPARED]:
        when = other.published_at or other.post.scheduled_at
        if when is None or abs(when - at) > NEAR or normalised(_said(other, other.post)) != wanted[other.account_id]:
            continue
        known = nearest.get(other.account_id)
        if known is None or abs(when - at) < abs(known.at - at):
            is_published = other.status == DeliveryStatus.PUBLISHED
            nearest[other.account_id] = Duplicate(other.account, other.post, when, is_published)
    return list(nearest.values())


def normalised(text: str) -> str:
    """Return ``text`` without what a reader does not see as a difference."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).casefold().split())


def _said(delivery: Delivery, post: Post) -> str:
    return post.text if delivery.text_override is None else delivery.text_override
