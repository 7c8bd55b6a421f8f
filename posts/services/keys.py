"""Sealing everything anew under the newest key, so that older keys can be taken out of the settings.

Row by row, with no lock that lasts: a row is written only where it still holds what was read, so that a login that is
refreshed meanwhile stays as the refresh left it. A run that was interrupted is simply run again: what is under the
newest key already is passed over. What uploads under way have sealed is left alone; it is over within a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from posts import credentials
from posts.models import Account, AppRegistration, ChatAddress, PendingLogin, TelegramSource, WebhookEndpoint
from posts.services.validation import shown
from queue_app.database import atomic

BATCH = 200
TRIES = 5  # at a row that somebody else writes at the same time


@dataclass(slots=True)
class Rotation:
    """What a run has done, or would do: how many values it sealed anew, and the names of what it could not.

    ``unreadable`` were sealed with a key that is not in the settings; ``busy`` changed each time they were tried.
    """

    sealed: int = 0
    unreadable: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A table with something sealed: where it stands, what guards it beside its own text, what is written with it."""

    rows: QuerySet[Any]
    column: str
    guards: tuple[str, ...]
    writes: Mapping[str, Any]
    name: Callable[[Any], str]


def rotate_keys(
    *, dry_run: bool = False, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Rotation:
    """Seal anew what is not under the newest key; with ``dry_run`` only say what that would be.

    ``progress`` is told after each batch how many rows of how many were looked at.
    """
    rotation = Rotation()
    kinds = _kinds()
    total, done = sum(_older(kind).count() for kind in kinds), 0
    for kind in kinds:
        for batch in _batches(_older(kind)):
            for row in batch:
                _reseal(kind, row, rotation, dry_run=dry_run)
            done += len(batch)
            progress(done, max(done, total))
    return rotation


def _kinds() -> tuple[_Kind, ...]:
    account = _Kind(
        Account.objects.all(),
        "sealed_credentials",
        ("credentials_version",),
        {"key_fingerprint": credentials.fingerprint()},
        shown,
    )
    others = (AppRegistration, ChatAddress, PendingLogin, TelegramSource, WebhookEndpoint)
    return account, *(_Kind(model.objects.all(), "sealed", (), {}, str) for model in others)


def _older(kind: _Kind) -> QuerySet[Any]:
    """Return the rows that may be under an older key: by the fingerprint where it is kept, else all, which are few."""
    rows = kind.rows.exclude(**{kind.column: ""})
    return rows.exclude(**kind.writes) if kind.writes else rows


def _batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


def _reseal(kind: _Kind, row: Any, rotation: Rotation, *, dry_run: bool) -> None:
    """Seal one row anew, unless it is under the newest key already or gone; a lost race is tried again."""
    for _attempt in range(TRIES):
        sealed = getattr(row, kind.column)
        if credentials.is_newest(sealed) and all(getattr(row, name) == value for name, value in kind.writes.items()):
            return
        try:
            fresh = credentials.seal(row.uuid, credentials.unseal(row.uuid, sealed))
        except credentials.CannotOpen:
            rotation.unreadable.append(kind.name(row))
            return
        if dry_run or _write(kind, row, fresh):
            rotation.sealed += 1
            return
        row = kind.rows.filter(pk=row.pk).first()
        if row is None:
            return
    rotation.busy.append(kind.name(row))


def _write(kind: _Kind, row: Any, fresh: str) -> bool:
    """Write ``fresh`` where the row still is as it was read. One row a statement: no two can wait for one another."""
    seen = {name: getattr(row, name) for name in (kind.column, *kind.guards)}
    with atomic():
        changed = kind.rows.filter(pk=row.pk, **seen).update(**{kind.column: fresh, **kind.writes})
    return bool(changed)
