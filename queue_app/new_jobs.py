"""What may be enqueued: a new job as its caller describes it, checked and made into a row. Writes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from queue_app import arguments, given, routes, statements
from queue_app.models import Job
from queue_app.priorities import number_of
from queue_app.registry import KEY_CHARACTERS, JobType

MAX_KEYS = 20
TEXT_CHARACTERS = 200
MOST_RETRIES = 1_000_000
RESERVED_PREFIXES = ("limit:", "breaker:")
# The unique keys of the queue's own jobs.
RESERVED_UNIQUE = ("every:", "reconcile:", "send_notices")

_BLANK: Mapping[str, Any] = {column.attname: column.get_default() for column in Job._meta.concrete_fields}


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be: its arguments, and where it differs from its type's defaults. Times are aware.

    ``target_id`` names what the job is about, ``keys`` what it can be blocked and limited by; ``metadata`` is JSON
    that the queue only keeps.
    """

    args: Mapping[str, Any] = field(default_factory=dict)
    target_id: str | int = ""
    priority: int | str | None = None
    run_at: datetime | None = None
    expires_at: datetime | None = None
    unique_key: str | None = None
    keys: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    max_retries: int | None = None
    queue: str | None = None


def build(kind: JobType, new: NewJob, now: datetime) -> Job:
    """Return the unsaved pending job that ``new`` describes, with the type's defaults, route and unique key.

    Its arguments are checked too. Raises InvalidArguments, and ValueError for everything else that cannot be.
    """
    args = arguments.check(kind, new.args)
    target_id = _target(new.target_id)
    run_at = now if new.run_at is None else given.moment("run_at", new.run_at)
    values = {
        "type": kind.name,
        "queue": routes.queue_for(kind.name, kind.queue) if new.queue is None else _queue(new.queue),
        "priority": kind.priority if new.priority is None else number_of(new.priority),
        "args": args,
        "target_id": target_id,
        "metadata": _metadata(kind, new.metadata),
        "keys": _keys(new.keys) if new.keys else [],
        "unique_key": (
            derived_key(kind, new.args, target_id) if new.unique_key is None else _own_key("unique_key", new.unique_key)
        ),
        "run_at": run_at,
        "expires_at": _expiry(kind, new.expires_at, run_at, now),
        "max_attempts": kind.max_attempts if new.max_retries is None else _attempts(new.max_retries),
        "created_at": now,
        "updated_at": now,
    }
    return statements.assemble(Job, {**_BLANK, **values})


def derived_key(kind: JobType, args: Mapping[str, Any], target_id: str) -> str | None:
    """Return the unique key of a job of this type whose caller gives none. Raises ValueError."""
    if callable(kind.unique):
        key = kind.unique(args, target_id)
        return None if key is None else _own_key(f"the unique key of {kind.name}", key)
    if not kind.unique:
        return None
    # No type's name holds the space, so that keys of two types never meet.
    if len(target_id) <= TEXT_CHARACTERS - len(kind.name) - 1 and target_id:
        return f"{kind.name} {target_id}"
    named = target_id or json.dumps(args, sort_keys=True, cls=DjangoJSONEncoder)
    return f"{kind.name} {hashlib.sha256(named.encode()).hexdigest()}"


def _target(target_id: object) -> str:
    if target_id == "":
        return ""
    _check(isinstance(target_id, str | int) and not isinstance(target_id, bool), "target_id is text or a number")
    return given.text("target_id", str(target_id), TEXT_CHARACTERS, least=1)


def _queue(queue: object) -> str:
    return given.word("a queue's name", queue, routes.QUEUE_CHARACTERS)


def _metadata(kind: JobType, metadata: object) -> dict[str, Any]:
    if not metadata:
        return {}
    if not isinstance(metadata, dict):
        raise arguments.InvalidArguments(kind.name, [f"a {type(metadata).__name__} instead of a dict for metadata"])
    # As it is read again: its column, unlike that of the arguments, knows no dates.
    kept: dict[str, Any] = json.loads(arguments.check_json(kind.name, "metadata", metadata))
    return kept


def _keys(keys: object) -> list[str]:
    listed = isinstance(keys, Sequence | set | frozenset) and not isinstance(keys, str | bytes)
    _check(listed, f"keys is a list of words such as account:7, not a {type(keys).__name__}")
    found: list[str] = []
    for each in keys:  # type: ignore[attr-defined]  # asked above
        key = given.word("a key", each, KEY_CHARACTERS)
        _check(
            not key.startswith(RESERVED_PREFIXES),
            f"the key {given.shown(key)} begins with a word that the queue uses itself",
        )
        if key not in found:
            found.append(key)
    _check(len(found) <= MAX_KEYS, f"a job has at most {MAX_KEYS} keys, not {len(found)}")
    return found


def _expiry(kind: JobType, wanted: datetime | None, run_at: datetime, now: datetime) -> datetime | None:
    return kind.expires_at(run_at) if wanted is None else given.expiry(wanted, run_at, now)


def _attempts(max_retries: object) -> int:
    fine = isinstance(max_retries, int) and not isinstance(max_retries, bool) and 0 <= max_retries <= MOST_RETRIES
    _check(fine, f"max_retries is a number from 0 to {MOST_RETRIES}, not {given.shown(max_retries)}")
    return int(max_retries) + 1  # type: ignore[call-overload,no-any-return]  # asked above


def _own_key(what: str, value: object) -> str:
    key = given.text(what, value, TEXT_CHARACTERS, least=1)
    _check(not key.startswith(RESERVED_UNIQUE), f"{what} {given.shown(key)} begins as those of the queue's own jobs")
    return key


def _check(fine: bool, message: str) -> None:
    if not fine:
        raise ValueError(message)
