"""Posts that repeat: which series a person sees, when they come next, what of them is still to come. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from posts.models import DeliveryStatus, Post, PostStatus, Recurrence
from posts.planning.occurrences import wall_times
from posts.planning.rules import Rule
from posts.selectors.posts import SEE_ALL

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Person = User | AnonymousUser

# What may still be changed: nothing of it is out, on its way, or perhaps out.
OPEN = (PostStatus.DRAFT, PostStatus.SCHEDULED)
_BEGUN = (DeliveryStatus.PUBLISHING, DeliveryStatus.PUBLISHED, DeliveryStatus.NEEDS_REVIEW)


def visible_recurrences(person: Person) -> QuerySet[Recurrence]:
    """Return the series that ``person`` may see, by the rule for posts."""
    return Recurrence.objects.all() if person.has_perm(SEE_ALL) else Recurrence.objects.filter(owner=person.pk or 0)


def coming_wall_times(recurrence: Recurrence, *, after: str = "") -> Iterator[datetime]:
    """Yield the wall times of a series in order, those after the wall time ``after`` (ISO; "" for all)."""
    first = datetime.fromisoformat(recurrence.first_wall_time)
    later = datetime.fromisoformat(after) if after else None
    skipped = {date.fromisoformat(day) for day in recurrence.skipped_days}
    for wall in wall_times(Rule.parse(recurrence.rule), first, after=later, until=recurrence.ends_on):
        if wall.date() not in skipped:
            yield wall


def wall_now(recurrence: Recurrence, now: datetime) -> str:
    """Return ``now`` (aware) as the clocks of the series show it, ISO without an offset, to the second."""
    return now.astimezone(ZoneInfo(recurrence.timezone)).replace(tzinfo=None).isoformat(timespec="seconds")


def next_wall_times(recurrence: Recurrence, now: datetime, number: int) -> list[datetime]:
    """Return the next wall times of a series that goes on; none of one that has ended."""
    if recurrence.ended_at is not None:
        return []
    found = coming_wall_times(recurrence, after=wall_now(recurrence, now - timedelta(seconds=1)))
    return [wall for wall, _ in zip(found, range(number), strict=False)]


def open_posts(recurrence: Recurrence, *, after: str = "") -> QuerySet[Post]:
    """Return the posts of a series that may still be changed, in order; those later than the occurrence ``after``."""
    begun = Post.objects.filter(deliveries__status__in=_BEGUN).values("pk")
    found = Post.objects.filter(recurrence=recurrence, status__in=OPEN, occurrence__gt=after)
    return found.exclude(pk__in=begun.filter(recurrence=recurrence)).order_by("occurrence")


def pattern_of(recurrence: Recurrence) -> Post | None:
    """Return the post that the next one is made from: the latest that was not changed by itself, else the latest."""
    posts = Post.objects.filter(recurrence=recurrence).order_by("is_exception", "-occurrence")
    return posts.first()
