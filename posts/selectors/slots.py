"""An account's weekly posting slots: when the next ones come, and which of them are free. Reads only.

A slot is a time of the week on the clocks of the account's zone. Where the clocks skip it, it moves forward by as much
as they do; where they show it twice, it is the first. It is taken if anything waits for the account in that minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from posts.models import Account, Delivery, DeliveryStatus, Slot
from posts.planning.occurrences import instant_of

TAKING = (DeliveryStatus.SCHEDULED, DeliveryStatus.HELD, DeliveryStatus.PUBLISHING, DeliveryStatus.NEEDS_REVIEW)
# How far the next free slot is looked for, and how much at a time.
FARTHEST, STRETCH = timedelta(days=364), timedelta(days=28)
# More weekly slots than a calendar can show; nobody reads on.
MOST_SLOTS = 500
_DAY, _WEEK, _MINUTE = timedelta(days=1), timedelta(days=7), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ComingSlot:
    """A slot of an account at an instant (aware UTC), and whether something goes out there already."""

    at: datetime
    is_taken: bool


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A time at which ``account`` posts by its plan, and at which nothing goes out to it yet."""

    at: datetime
    account: Account


@dataclass(frozen=True, slots=True)
class NextSlot:
    """The next free slot for several accounts: a slot of ``of``; ``without`` have slots, but none at this time."""

    at: datetime
    of: tuple[Account, ...]
    without: tuple[Account, ...] = ()


def coming_slots(account: Account, since: datetime, until: datetime) -> list[ComingSlot]:
    """Return the slots of ``account`` from ``since`` to before ``until`` (aware), in order."""
    taken = _taken_minutes([account], since, until)
    plan = account.slots.all()
    return [ComingSlot(at, (account.pk, at) in taken) for at in _instants(account, plan, since, until)]


def free_slots(accounts: Iterable[Account], since: datetime, until: datetime) -> list[FreeSlot]:
    """Return the free slots of ``accounts`` from ``since`` to before ``until`` (aware), in order of time."""
    plans = _plans(accounts, MOST_SLOTS)
    taken = _taken_minutes(list(plans), since, until) if plans else set()
    found = [
        FreeSlot(at, account)
        for account, plan in plans.items()
        for at in _instants(account, plan, since, until)
        if (account.pk, at) not in taken
    ]
    return sorted(found, key=lambda slot: (slot.at, slot.account.pk))


def next_free_slot(accounts: Iterable[Account], now: datetime) -> NextSlot | None:
    """Return the next slot of ``accounts`` after ``now``, ``None`` if none has slots or all of a year are taken.

    Accounts without slots do not matter. Of the others it is the first time that is a slot of each of them and free on
    each; where they have no such time within four weeks, the first slot of any of them at which all are free.
    """
    plans = _plans(accounts)
    since = now + _MINUTE
    while plans and since < now + FARTHEST:
        until = since + STRETCH
        found = _first_free(plans, since, until)
        if found is not None:
            return found
        since = until
    return None


def slots_of(account: Account) -> list[list[Slot]]:
    """Return the slots of each day of the week, Monday first, in order."""
    week: list[list[Slot]] = [[] for _ in range(7)]
    for slot in account.slots.order_by("weekday", "wall_time"):
        week[slot.weekday].append(slot)
    return week


def zone_of_slots(account: Account) -> str:
    """Return the zone of the account's slots; UTC where none was chosen."""
    return account.slots_timezone or "UTC"


def shared_slots(post_id: int) -> list[tuple[Account, list[int]]]:
    """Return the accounts that have the post in a slot which another post takes, too; with the ids of those."""
    shared = []
    for delivery in Delivery.objects.filter(post=post_id, status__in=TAKING).select_related("account", "post"):
        at = delivery.post.scheduled_at
        if at is None:
            continue
        minute = _minute(at)
        others = Delivery.objects.filter(
            account=delivery.account_id,
            status__in=TAKING,
            post__scheduled_at__gte=minute,
            post__scheduled_at__lt=minute + _MINUTE,
        ).exclude(post=post_id)
        ids = list(others.order_by("post").values_list("post", flat=True))
        if ids and minute in _instants(delivery.account, delivery.account.slots.all(), minute, minute + _MINUTE):
            shared.append((delivery.account, ids))
    return shared


def _plans(accounts: Iterable[Account], most: int | None = None) -> dict[Account, list[Slot]]:
    """Return the slots of those accounts that have any; of all together ``most`` at most."""
    known = {account.pk: account for account in accounts}
    plans: dict[Account, list[Slot]] = {}
    for slot in Slot.objects.filter(account__in=known)[:most]:
        plans.setdefault(known[slot.account_id], []).append(slot)
    return plans


def _first_free(plans: dict[Account, list[Slot]], since: datetime, until: datetime) -> NextSlot | None:
    taken = {at for _, at in _taken_minutes(list(plans), since, until)}
    times: dict[datetime, list[Account]] = {}
    for account, plan in plans.items():
        for at in _instants(account, plan, since, until):
            if at not in taken:
                times.setdefault(at, []).append(account)
    if not times:
        return None
    of_all = [at for at, accounts in times.items() if len(accounts) == len(plans)]
    at = min(of_all or times)
    return NextSlot(at, tuple(times[at]), tuple(account for account in plans if account not in times[at]))


def _instants(account: Account, plan: Iterable[Slot], since: datetime, until: datetime) -> list[datetime]:
    """Return when the slots of ``plan`` come from ``since`` to before ``until``, in order, each minute once."""
    zone = zone_of_slots(account)
    return sorted({at for slot in plan for at in _weekly(slot, zone, since, until) if since <= at < until})


def _weekly(slot: Slot, zone: str, since: datetime, until: datetime) -> Iterator[datetime]:
    """Yield when ``slot`` comes, from a day before ``since``: a time that the clocks skip may come on the next day."""
    first, last = (at.astimezone(ZoneInfo(zone)).date() for at in (since, until))
    day = first - _DAY
    day += timedelta(days=(slot.weekday - day.weekday()) % 7)
    while day <= last:
        yield instant_of(datetime.combine(day, slot.wall_time), zone)
        day += _WEEK


def _taken_minutes(accounts: Sequence[Account], since: datetime, until: datetime) -> set[tuple[int, datetime]]:
    """Return (account's id, minute) of whatever goes out to ``accounts`` in this time."""
    waiting = Delivery.objects.filter(
        account__in=accounts,
        status__in=TAKING,
        post__scheduled_at__gte=_minute(since),
        post__scheduled_at__lt=until,
    )
    times = waiting.values_list("account", "post__scheduled_at")
    return {(account, _minute(at)) for account, at in times if at is not None}


def _minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)
