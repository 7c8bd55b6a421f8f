"""What the apps of a site add to its backups: facts that are kept, doubts about them elsewhere, and what is cleared.

The database and its files need none of this. For the ``jobs.py`` of an app, beside its job types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """One app's part. ``facts`` are JSON and never secret; ``doubts`` says in words what they mean for this site.

    ``after_restore`` brings the restored rows of the app in order, in a transaction, and says what a person must know.
    """

    name: str
    facts: Callable[[], Mapping[str, Any]]
    doubts: Callable[[Mapping[str, Any]], Iterable[str]]
    after_restore: Callable[[], Iterable[str]]


_parts: dict[str, Part] = {}


def backup_part(part: Part) -> None:
    """Have backups and restores ask this part, too."""
    _parts[part.name] = part


def facts() -> dict[str, Any]:
    """Return what the parts keep of this site."""
    return {name: dict(part.facts()) for name, part in _parts.items()}


def doubts(said: Mapping[str, Any]) -> list[str]:
    """Return what a backup's facts mean here, in words."""
    known = {name: each for name, each in said.items() if name in _parts and isinstance(each, Mapping)}
    return [doubt for name, each in known.items() for doubt in _parts[name].doubts(each)]


def after_restore() -> list[str]:
    """Bring the rows of every part in order, in the caller's transaction; return what people must know."""
    return [said for part in _parts.values() for said in part.after_restore()]
