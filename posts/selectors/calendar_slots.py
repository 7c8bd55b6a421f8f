"""The free weekly posting slots of several accounts at once, in a span of time, by two queries. Reads only.

What a slot is, and what takes it, is said in ``posts.selectors.slots``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from posts.models import Account, Delivery, Slot
from posts.planning.occurrences import instant_of
from posts.selectors.slots import TAKING, zone_of_slots

# More weekly slots than a calendar can show; nobody reads on.
MOST_SLOTS = 500


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A time at which ``account`` posts by its plan, and at which nothing goes out to it yet."""

    at: datetime
    account: Account


def free_slots(accounts: Iterable[Account], start: datetime, end: datetime) -> list[FreeSlot]:
    """Return the free slots of ``accounts`` from ``start`` to before ``end`` (aware), in order of time."""
    known = {account.pk: account for account in accounts}
    slots = list(Slot.objects.filter(account__in=known)[:MOST_SLOTS])
    found = {(slot.account_id, at) for slot in slots for at in _instants(slot, known, start, end)}
    if not found:
        return []
    times = (
        Delivery.objects.filter(account__in={account for account, _ in found}, status__in=TAKING)
        .filter(post__scheduled_at__gte=_minute(start), post__scheduled_at__lt=end)
        .values_list("account", "post__scheduled_at")
    )
    taken = {(account, _minute(at)) for account, at in times if at is not None}
    return [FreeSlot(at, known[account]) for at, account in sorted((at, account) for account, at in found - taken)]


def _instants(slot: Slot, accounts: dict[int, Account], start: datetime, end: datetime) -> Iterator[datetime]:
    zone = zone_of_slots(accounts[slot.account_id])
    first, last = (at.astimezone(ZoneInfo(zone)).date() for at in (start, end))
    # A day more: where the clocks skip a slot's time, it comes later, perhaps on the next day.
    day = first - timedelta(days=1)
    day += timedelta(days=(slot.weekday - day.weekday()) % 7)
    while day <= last:
        at = instant_of(datetime.combine(day, slot.wall_time), zone)
        if start <= at < end:
            yield at
        day += timedelta(days=7)


def _minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)
