"""The one answer to "may this job start?": blocks, breakers and limits together, for the claim and for explanations.

A shut gate has a lot, where jobs wait until it opens. ``look`` reads; ``enter`` is the same under the rows' locks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.db import connections

from queue_app import blocks, breakers, clock, hooks, limits, maintenance, parking, statements
from queue_app.database import alias, is_away
from queue_app.models import Block, Breaker, Job, Limit

logger = logging.getLogger("socialq.queue")

LIMIT, BREAKER, TURN = "limit", "breaker", "turn"
OTHERS_FIRST = "others that wait for the limit go first"


@dataclass(frozen=True, slots=True)
class Shut:
    """A gate that keeps a job waiting. ``kind`` is a BlockKind, ``limit``, ``breaker`` or ``turn``: a limit allows
    more, but others wait for it that come first. ``until`` is aware UTC, ``None`` where nobody knows."""

    kind: str
    key: str
    reason: str
    until: datetime | None
    lot: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Leave to start: what the start must be counted under, in the same transaction."""

    limits: tuple[Limit, ...] = ()
    probed: tuple[Breaker, ...] = ()

    def record(self, job: Job, now: datetime) -> None:
        """Count the start of ``job``."""
        limits.record(self.limits, now)
        for breaker in self.probed:
            breakers.begin_probe(breaker, job)


FREE = Passage()


def has_own(job: Job) -> bool:
    """Say whether a limit or a breaker watches over ``job``. Asks no database."""
    return bool(limits.limits_of(job) or breakers.keys_of(job))


def concerns(lot: str, job: Job) -> bool:
    """Say whether ``job`` would wait in ``lot`` while that gate is shut. Asks no database."""
    if lot.startswith(limits.LOT):
        return lot.removeprefix(limits.LOT) in limits.limits_of(job)
    if lot.startswith(breakers.LOT):
        return lot.removeprefix(breakers.LOT) in breakers.keys_of(job)
    return lot in blocks.keys_of(job)


def look(job: Job, now: datetime) -> list[Shut]:
    """Return every gate that would keep ``job`` waiting at ``now``, as the claim meets them. Reads only."""
    shut = [_by_block(block) for block in blocks.active(blocks.awaited_by(job), now)]
    shut += _shut_breakers(job, now, list(Breaker.objects.filter(key__in=breakers.keys_of(job)).order_by("key")))
    named = limits.limits_of(job)
    return shut + _shut_limits(job, now, list(Limit.objects.filter(key__in=named).order_by("key")))


def enter(job: Job, now: datetime) -> Shut | Passage:
    """Return leave to start ``job``, or the first gate that refuses it. Call under the control lock, to start or park.

    Locks the job's breakers, then its limits, each in the order of their names.
    """
    names = list(limits.limits_of(job))
    block = blocks.first_active(job, now)
    if block is not None:
        limits.pass_on(names, now)
        return _by_block(block)
    found = list(Breaker.objects.select_for_update().filter(key__in=breakers.keys_of(job)).order_by("key"))
    for shut in _shut_breakers(job, now, found):
        limits.pass_on(names, now)
        return shut
    locked = limits.lock(names)
    for shut in _shut_limits(job, now, locked):
        limit = next(limit for limit in locked if limit.key == shut.key)
        limits.wait(limit, shut.until or now)
        return shut
    return Passage(tuple(locked), tuple(breaker for breaker in found if breakers.is_half_open(breaker)))


def next_opening() -> datetime | None:
    """Return when a gate with jobs behind it opens next by itself, ``None`` if none will. One query."""
    field = Block._meta.get_field("until")
    rows = statements.fetch(_opening_sql(alias()), ())
    return min((at for (value,) in rows if (at := statements.read(field, value)) is not None), default=None)


def open_due() -> int:
    """Open every gate whose time has come and let go who may leave; return how many jobs that were."""
    now = clock.now()
    maintenance.plan(now)  # before elapsed blocks go: between two occurrences of a window is no moment
    freed = _let_go(blocks.lift_elapsed)
    freed += sum(_let_go(breakers.let_go, key) for key in list(breakers.elapsed(now)))
    return freed + sum(_let_go(limits.let_go, name) for name in list(limits.elapsed(now)))


def sweep() -> int:
    """Let go whoever still waits behind a gate that is open by now, whatever went wrong before; return how many."""
    freed = 0
    for lot in parking.lots():
        if lot.startswith(limits.LOT):
            name = lot.removeprefix(limits.LOT)
            freed += _let_go(limits.let_go, name) if limits.may_let_go(name) else 0
        elif lot.startswith(breakers.LOT):
            freed += _let_go(breakers.let_go, lot.removeprefix(breakers.LOT))
        else:
            freed += _let_go(blocks.let_go, lot)
    return freed


def _let_go(act: Callable[..., int], *names: str) -> int:
    """Let jobs go by ``act``. A hook that breaks must not keep the others, and every other gate, shut."""
    try:
        return act(*names)
    except Exception as error:
        if is_away(error):
            raise
        logger.exception("gate=%s the hook of a job broke, letting jobs go without", " ".join(names))
        with hooks.without_hooks():
            return act(*names)


def _by_block(block: Block) -> Shut:
    return Shut(block.kind, block.key, block.reason, block.until, block.key)


def _shut_breakers(job: Job, now: datetime, found: list[Breaker]) -> list[Shut]:
    shut = []
    for breaker in found:
        keeps, until = breakers.shut_until(breaker, job, now)
        if keeps:
            shut.append(Shut(BREAKER, breaker.key, breaker.last_error, until, breakers.LOT + breaker.key))
    return shut


def _shut_limits(job: Job, now: datetime, found: list[Limit]) -> list[Shut]:
    named, shut = limits.limits_of(job), []
    for limit in found:
        lot, until = limits.LOT + limit.key, limits.opens_at(limit, named[limit.key], now)
        if until is not None:
            rates = " ".join(str(rate) for rate in named[limit.key])
            shut.append(Shut(LIMIT, limit.key, rates, until, lot))
        elif limit.opens_at is not None and job.parked_by != lot and parking.goes_first(lot, job):
            shut.append(Shut(TURN, limit.key, OTHERS_FIRST, now, lot))
    return shut


@lru_cache(maxsize=4)
def _opening_sql(using: str) -> str:
    quote = connections[using].ops.quote_name
    block, limit, breaker, job = (quote(model._meta.db_table) for model in (Block, Limit, Breaker, Job))
    # A breaker that nobody waits for opens by being met.
    return (
        f"SELECT MIN(until) FROM {block} WHERE until IS NOT NULL "  # noqa: S608 -- names of tables
        f"UNION ALL SELECT MIN(opens_at) FROM {limit} WHERE opens_at IS NOT NULL "
        f"UNION ALL SELECT MIN(open_until) FROM {breaker} WHERE open_until IS NOT NULL AND probe_id IS NULL AND EXISTS "
        f"(SELECT 1 FROM {job} WHERE parked_by <> '' AND parked_by = '{breakers.LOT}' || {breaker}.key)"
    )
