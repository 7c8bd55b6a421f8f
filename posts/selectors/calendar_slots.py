"""The weekly posting slots of accounts as instants in a span of time, without those that are taken. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timezone import get_default_timezone_name

from posts.models import Account, Delivery, DeliveryStatus, Slot
from posts.text.wall_time import WallTimeError, resolve_wall_time
from queue_app.zones import rules_of

# More weekly slots than a calendar can show; nobody reads on.
MOST_SLOTS = 500
# What became of a post that no longer needs its slot.
GIVEN_UP = (DeliveryStatus.DRAFT, DeliveryStatus.CANCELLED, DeliveryStatus.EXPIRED)


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A time at which ``account`` posts by its plan, and for which nothing is planned yet."""

    at: datetime
    account: Account


def free_slots(accounts: Iterable[Account], start: datetime, end: datetime) -> list[FreeSlot]:
    """Return the free slots of ``accounts`` from ``start`` to before ``end`` (aware), in order of time."""
    known = {account.pk: account for account in accounts}
    slots = list(Slot.objects.filter(account__in=known)[:MOST_SLOTS])
    found = [FreeSlot(at, known[slot.account_id]) for slot in slots for at in _instants(slot, known, start, end)]
    if not found:
        return []
    taken = set(
        Delivery.objects.filter(account__in={slot.account.pk for slot in found})
        .filter(post__scheduled_at__in={slot.at for slot in found})
        .exclude(status__in=GIVEN_UP)
        .values_list("account_id", "post__scheduled_at")
    )
    free = [slot for slot in found if (slot.account.pk, slot.at) not in taken]
    return sorted(free, key=lambda slot: (slot.at, slot.account.pk))


def _instants(slot: Slot, accounts: dict[int, Account], start: datetime, end: datetime) -> Iterator[datetime]:
    zone = accounts[slot.account_id].slots_timezone or get_default_timezone_name()
    try:
        rules = rules_of(zone)
    except ValueError:  # nobody knows the zone any more
        return
    day = start.astimezone(rules).date()
    day += timedelta(days=(slot.weekday - day.weekday()) % 7)
    last = end.astimezone(rules).date()
    while day <= last:
        with suppress(WallTimeError):  # the clocks skip it that week
            at = resolve_wall_time(datetime.combine(day, slot.wall_time), zone, fold=0)
            if start <= at < end:
                yield at
        day += timedelta(days=7)
