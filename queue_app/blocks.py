"""What keeps a key from running: placing and lifting blocks, and letting go who waited under one.

A key is a word such as ``account:7``; every job also has ``all``, ``queue:<name>`` and ``type:<name>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from queue_app import clock, parking
from queue_app.database import alias, atomic, connection, in_turn, lock_control
from queue_app.models import Block, BlockKind, Job

EVERYTHING = "all"
REASON_CHARACTERS = 300


def keys_of(job: Job) -> list[str]:
    """Return every key under which ``job`` can be blocked."""
    return [EVERYTHING, f"queue:{job.queue}", f"type:{job.type}", *job.keys]


def awaited_by(job: Job) -> list[str]:
    """Return every key whose block keeps ``job`` waiting: its own, and the one that an outcome has parked it under."""
    return [*keys_of(job), job.parked_by] if job.parked_by else keys_of(job)


def active(keys: Sequence[str], now: datetime) -> QuerySet[Block]:
    """Return the blocks that hold at ``now`` on any of ``keys``, the longest first, of equally long ones the oldest."""
    open_ended_first = F("until").desc(nulls_first=True)
    return _holding(now).filter(key__in=keys).order_by(open_ended_first, "pk")


def count_by_kind(now: datetime) -> dict[str, int]:
    """Return how many blocks of each kind hold at ``now``, zeros too."""
    found = dict(_holding(now).values_list("kind").annotate(Count("id")).order_by())
    return {kind.value: found.get(kind.value, 0) for kind in BlockKind}


def first_active(job: Job, now: datetime) -> Block | None:
    """Return the block that will keep ``job`` waiting longest, or ``None``."""
    return active(keys_of(job), now).first()


def place(
    key: str,
    kind: BlockKind,
    *,
    now: datetime,
    reason: str = "",
    until: datetime | None = None,
    actor: str = "",
    may_shorten: bool = True,
) -> Block:
    """Block ``key``; a second block of the same kind replaces the first, unless it ends sooner and not ``may_shorten``.

    Call inside a transaction. Once that has committed, no job under the key passes its mark. A reason may quote a
    platform, so it is cut to size.
    """
    lock_control(shared=False)
    standing = None if may_shorten else Block.objects.filter(key=key, kind=kind, source="").first()
    if standing is not None and (standing.until is None or (until is not None and standing.until >= until)):
        return standing
    reason = reason[:REASON_CHARACTERS]
    block, _created = Block.objects.update_or_create(
        key=key,
        kind=kind,
        source="",
        defaults={"reason": reason, "until": until, "actor": actor},
        create_defaults={"reason": reason, "until": until, "actor": actor, "created_at": now},
    )
    return block


def lift(key: str, kind: BlockKind) -> int:
    """Remove the block and let the jobs parked under ``key`` run again, as ``unpark_free`` does; return how many."""
    with atomic():
        remove(key, kind)
    return unpark_free(key)


def remove(key: str, kind: BlockKind) -> None:
    """Remove the block in the caller's transaction; ``unpark_free`` after it, or the next sweep, lets its jobs go."""
    lock_control(shared=False)
    Block.objects.filter(key=key, kind=kind).delete()


def lift_elapsed() -> int:
    """Remove blocks whose time is over and let their jobs go; return how many."""
    elapsed = Block.objects.filter(until__lte=clock.now())
    keys = sorted(set(elapsed.values_list("key", flat=True)))
    if not keys:
        return 0
    with atomic():
        lock_control(shared=False)
        elapsed.delete()
    return sum(let_go(key) for key in keys)


def unpark_free(key: str) -> int:
    """Let the jobs parked under ``key`` go if nothing blocks it any more; return how many were let go.

    Inside a transaction none are, for every claim would wait for its end: once it has committed one batch goes, and
    the clusters' sweep lets go what is left.
    """
    if connection().in_atomic_block:
        transaction.on_commit(partial(_unpark_batch, key), using=alias(), robust=True)
        return 0
    return let_go(key)


def let_go(key: str) -> int:
    """Do what ``unpark_free`` does, in batches, whatever transaction this is; return how many were let go."""
    freed = 0
    # A sweep asks this every few seconds: what stays parked must not cost it a lock.
    while not active([key], clock.now()).exists() and (batch := _unpark_batch(key)):
        freed += batch
    return freed


def _holding(now: datetime) -> QuerySet[Block]:
    begun = Q(starts_at=None) | Q(starts_at__lte=now)
    return Block.objects.filter(begun, Q(until=None) | Q(until__gt=now))


def _unpark_batch(key: str) -> int:
    with in_turn(), atomic():
        # Shared: a park that saw a block is committed before this, or sees that the block is gone.
        lock_control(shared=True)
        if active([key], clock.now()).exists():
            return 0
        return len(parking.let_go(key))
