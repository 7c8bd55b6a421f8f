"""Limits: at most N starts of jobs with a key in any window of W seconds, counted for all machines in the database.

Every start takes the next number of its key; the window is full while start number ``used - N + 1`` lies within it,
so a look costs one row however large N is. Jobs over a limit wait in its lot, and as many are let go as may start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from queue_app import blocks, clock, conf, given, parking, registry, workers
from queue_app.database import atomic, delete_in_turns
from queue_app.models import PRIORITY_FIRST, Block, BlockKind, Job, Limit, LimitUse
from queue_app.rates import LONGEST_SECONDS, Rate, Rates, parse_rates
from queue_app.selectors import ahead_of, due

__all__ = [
    "LOT",
    "Rate",
    "Rates",
    "about_to_start",
    "elapsed",
    "forget",
    "forget_old_uses",
    "let_go",
    "limits_of",
    "lock",
    "may_let_go",
    "opens_at",
    "parse_rates",
    "pass_on",
    "rates_of",
    "record",
    "remaining",
    "uses",
    "wait",
]

LOT = "limit:"
NAME_CHARACTERS = 290
FORGET_BATCH = 500
MOST_COUNTED = 500


def limits_of(job: Job) -> dict[str, Rates]:
    """Return the limits that hold for ``job``: the name under which its starts are counted, and the rates.

    The site's are counted by key; a type's own under its name and the key, unless that is its ``type:`` key.
    """
    settings: Mapping[str, str] = conf.get("LIMITS")
    kind = registry.find(job.type)
    own = kind.limits if kind is not None else {}
    if not settings and not own:
        return {}
    found = {}
    for key in blocks.keys_of(job):
        if rates := _match(settings, key):
            found[key] = parse_rates(rates)
        if rates := _match(own, key):
            found.setdefault(_own_name(job.type, key), parse_rates(rates))
    return found


def rates_of(name: str) -> Rates:
    """Return the rates that hold now for a limit of this name; none if it is no longer limited."""
    type_name, divides, key = name.partition(" ")
    if divides:
        kind = registry.find(type_name)
        rates = _match(kind.limits if kind is not None else {}, key)
    else:
        rates = _match(conf.get("LIMITS"), name)
        if not rates and name.startswith("type:"):
            kind = registry.find(name.removeprefix("type:"))
            rates = _match(kind.limits if kind is not None else {}, name)
    return parse_rates(rates) if rates else ()


def opens_at(limit: Limit, rates: Rates, now: datetime, *, ahead: int = 0) -> datetime | None:
    """Return when one more start will be allowed, ``None`` if it is now. ``ahead`` starts are taken for made now."""
    moments = []
    for rate in rates:
        # This start would leave the window with the one that is `count` before it.
        number = limit.used + ahead - rate.count + 1
        if number > limit.used:
            moments.append(now + rate.window)
        elif number > 0:
            at = LimitUse.objects.filter(limit=limit, number=number).values_list("at", flat=True).first()
            if at is not None and at + rate.window > now:
                moments.append(at + rate.window)
    return max(moments, default=None)


def remaining(name: str, at: datetime | None = None) -> int | None:
    """Return how many more starts with the key ``name`` are allowed now, or at a time to come if none start until then.

    That is the least that any limit on the key allows, the types' own among them; "type key" asks for one type's alone.
    0 while a platform's cool-down keeps the key, ``None`` where nothing is limited. Raises ValueError.
    """
    name, now = given.word("a limit's name", name, NAME_CHARACTERS, spaces=True), clock.now()
    moment = now if at is None else max(now, given.moment("at", at))
    cooling = blocks.active([name.rpartition(" ")[2]], moment).filter(kind=BlockKind.RATE_LIMIT)
    if cooling.exists():
        return 0
    rooms = []
    for each in [name, *_own_names(name)]:
        rates, limit = rates_of(each), Limit.objects.filter(key=each).first()
        rooms += [max(0, rate.count - _used(limit, rate, moment)) for rate in rates]
    return min(rooms, default=None)


def uses(limit: Limit, rates: Rates, now: datetime) -> list[tuple[Rate, int]]:
    """Return each of ``rates`` with how many starts lie in its window at ``now``. Two look-ups a rate, at most."""
    return [(rate, _used(limit, rate, now)) for rate in rates]


def lock(names: Sequence[str]) -> list[Limit]:
    """Return the rows of the named limits, locked in the order of their names until the transaction ends."""
    rows = Limit.objects.select_for_update()
    return [rows.get_or_create(key=name)[0] for name in sorted(names)]


def wait(limit: Limit, until: datetime) -> None:
    """See that jobs that are being parked under ``limit`` are let go at ``until``."""
    if limit.opens_at is None or limit.opens_at > until:
        Limit.objects.filter(pk=limit.pk).update(opens_at=until)


def pass_on(names: Sequence[str], now: datetime) -> None:
    """See that others are let go now: a job of these limits, perhaps let go for a start under them, does not start."""
    for name in sorted(names):
        Limit.objects.filter(key=name, opens_at__gt=now).update(opens_at=now)


def record(limits: Sequence[Limit], now: datetime) -> None:
    """Count one start under each of ``limits``, which the transaction has locked."""
    for limit in limits:
        last = LimitUse.objects.filter(limit=limit, number=limit.used).values_list("at", flat=True).first()
        limit.used += 1
        # A clock that was set back must not make the window look emptier than it is.
        LimitUse.objects.create(limit=limit, number=limit.used, at=max(now, last) if last else now)
        Limit.objects.filter(pk=limit.pk).update(used=limit.used)


def let_go(name: str) -> int:
    """Let as many jobs parked under the limit go as may start now; see to the next time. Return how many.

    Those who are about to start already are counted in. A limit of a job type that only other living workers know is
    left to them, and nobody leaves for where a block would stop them all.
    """
    freed, starting = 0, about_to_start(name)
    with atomic():
        (limit,) = lock([name])
        now = clock.now()
        rates, stop = rates_of(name), _stop(name, now)
        if not rates and _is_others(name, now):
            return 0
        if stop is not None:
            opens = stop.until
        elif not rates:
            freed = len(parking.let_go(LOT + name))
            opens = now
        else:
            room = _room(limit, rates, now) - starting
            freed = len(parking.let_go(LOT + name, room)) if room > 0 else 0
            opens = opens_at(limit, rates, now, ahead=freed + starting) or now
        waiting = parking.first(LOT + name) is not None
        Limit.objects.filter(pk=limit.pk).update(opens_at=opens if waiting else None)
    return freed


def may_let_go(name: str) -> bool:
    """Say whether ``let_go`` would change anything now: not while the limit is full until the time already noted.

    Reads only, so that a sweep over many full limits takes no lock and writes nothing.
    """
    now, rates = clock.now(), rates_of(name)
    if not rates and _is_others(name, now):
        return False
    limit = Limit.objects.filter(key=name).first()
    noted = limit.opens_at if limit is not None else None
    if stop := _stop(name, now):
        return noted != stop.until
    if not rates or limit is None or noted is None:
        return True
    room = _room(limit, rates, now)
    starting = about_to_start(name) if room > 0 else 0
    opens = opens_at(limit, rates, now, ahead=starting)
    return room > starting or opens is None or not now < noted <= opens


def about_to_start(name: str) -> int:
    """Count the due jobs under the limit that a worker will claim before any that wait in its lot: let go, most of
    them, and not started yet. Looks at ``MOST_COUNTED`` due jobs at most.
    """
    now, first = clock.now(), parking.first(LOT + name)
    if first is None:
        return 0
    serving = workers.alive(now).values_list("queues", "types")
    types = {known for queues, types in serving if first.queue in queues for known in types}
    found, left = 0, MOST_COUNTED
    for priority in range(PRIORITY_FIRST, first.priority + 1):
        ahead = due(first.queue, types, now, priority).filter(ahead_of(first)).values_list("type", "keys")[:left]
        for type_name, keys in ahead:
            left -= 1
            found += name in limits_of(Job(type=type_name, queue=first.queue, keys=keys))
    return found


def forget(name: str) -> int:
    """Delete every use that the limit ``name`` has counted and let go who may start now; return how many jobs."""
    with atomic():
        (limit,) = lock([name])
        LimitUse.objects.filter(limit=limit).delete()
        return let_go(name)


def elapsed(now: datetime) -> Iterator[str]:
    """Yield the limits whose time to let jobs go has come."""
    yield from Limit.objects.filter(opens_at__lte=now).values_list("key", flat=True)


def forget_old_uses(now: datetime) -> int:
    """Delete, in batches, uses that no window can reach any more; return how many.

    Where the rates are not known here, other processes may know them: then a window can be as long as any.
    """
    deleted = 0
    for limit in Limit.objects.all():
        longest = max((rate.seconds for rate in rates_of(limit.key)), default=LONGEST_SECONDS)
        before = now - timedelta(seconds=longest)
        old = LimitUse.objects.filter(limit=limit, at__lt=before, number__lt=limit.used).order_by("at")
        deleted += delete_in_turns(old, FORGET_BATCH)
    return deleted


def _is_others(name: str, now: datetime) -> bool:
    """Say whether the limit is that of a job type that is not known here, but to a living worker."""
    owner, divides, _key = name.partition(" ")
    if not divides:
        if not name.startswith("type:"):
            return False
        owner = name.removeprefix("type:")
    return registry.find(owner) is None and owner in workers.known_types(now)


def _stop(name: str, now: datetime) -> Block | None:
    """Return the block that keeps everything, or every job that the limit counts, waiting longest."""
    return blocks.active([blocks.EVERYTHING, name.rpartition(" ")[2]], now).first()


def _room(limit: Limit, rates: Rates, now: datetime) -> int:
    """Return how many more starts the limit allows now; less than none where it was lowered."""
    return min(rate.count - _used(limit, rate, now) for rate in rates)


def _used(limit: Limit | None, rate: Rate, now: datetime) -> int:
    if limit is None:
        return 0
    within = LimitUse.objects.filter(limit=limit, at__gt=now - rate.window)
    oldest = within.order_by("at", "number").values_list("number", flat=True).first()
    return 0 if oldest is None else limit.used - oldest + 1


def _own_names(key: str) -> list[str]:
    """Return the names under which types count the starts of their own with ``key``."""
    if " " in key or key.startswith("type:"):
        return []
    return [_own_name(kind.name, key) for kind in registry.known().values() if _match(kind.limits, key)]


def _own_name(type_name: str, key: str) -> str:
    return key if key == f"type:{type_name}" else f"{type_name} {key}"


def _match(rates: Mapping[str, str], key: str) -> str:
    """Return the rates of the exact key, else of the longest pattern that fits; "" for none."""
    if key in rates:
        return rates[key]
    fitting = [pattern for pattern in rates if fnmatchcase(key, pattern)]
    return rates[max(fitting, key=len)] if fitting else ""
