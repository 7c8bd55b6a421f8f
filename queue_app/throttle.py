"""How often programs may do something: counted in the database, so that all processes and machines count together.

Counts by keys that callers choose, in windows that begin with a key's first use. Knows nothing of HTTP but the names
of its headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Any

from queue_app import clock, conf, statements
from queue_app.database import alias, delete_in_turns, run
from queue_app.models import ApiKey, Tally

BATCH = 500
REQUESTS_SECONDS = 60
GUESSES_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class Bound:
    """At most ``most`` uses in a window of ``seconds``. With ``locks`` the last one begins the window anew: whoever has
    come that far is shut out for all of it."""

    name: str
    most: int
    seconds: int
    locks: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left under ``bound`` after a use: how many more, and in how many seconds the window ends.

    ``refused``: this use was one too many, and was not counted.
    """

    bound: Bound
    left: int
    seconds: int
    refused: bool = False

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that tell a program of it (draft-ietf-httpapi-ratelimit-headers, and RFC 9110 10.2.3)."""
        told = {
            "RateLimit-Policy": f'"{self.bound.name}";q={self.bound.most};w={self.bound.seconds}',
            "RateLimit": f'"{self.bound.name}";r={self.left};t={self.seconds}',
        }
        return told | {"Retry-After": str(self.seconds)} if self.refused else told


def count_request(key: ApiKey) -> Allowance:
    """Count one request of a program with ``key``."""
    return take(f"key:{key.pk}", Bound("requests", conf.get("API_REQUESTS_PER_MINUTE"), REQUESTS_SECONDS))


def count_wrong_key(address: str | None) -> Allowance:
    """Count one API key from ``address`` that nobody has: a guess. Who guesses too often is shut out for a while."""
    return take(f"guess:{address}", _guesses())


def shut_out(address: str | None) -> Allowance | None:
    """Return for how long ``address`` is shut out, right key or wrong; ``None`` if it is not. Writes nothing."""
    bound = _guesses()
    now = clock.recent()
    ends_at = Tally.objects.filter(key=f"guess:{address}", used__gte=bound.most, ends_at__gt=now).values_list("ends_at")
    found = ends_at.first()
    return Allowance(bound, 0, _seconds(found[0], now), refused=True) if found else None


def take(key: str, bound: Bound) -> Allowance:
    """Count one use of ``key`` unless it has had all that ``bound`` gives: one statement, and one row a key."""
    now = clock.recent()
    write = statements.writer(Tally._meta.get_field("ends_at"))
    moment, end = write(now), write(now + timedelta(seconds=bound.seconds))
    rows = run(_take_sql(alias()), [key, end, moment, moment, bound.locks, bound.most, moment, bound.most]).fetchall()
    if rows:
        ((used, ends_at),) = rows
        return Allowance(bound, max(0, bound.most - used), _seconds(_read(ends_at), now))
    found = Tally.objects.filter(key=key).values_list("ends_at", flat=True).first()
    return Allowance(bound, 0, _seconds(found or now, now), refused=True)


def forget(now: datetime) -> int:
    """Delete the tallies whose window is over, in batches; return how many."""
    return delete_in_turns(Tally.objects.filter(ends_at__lt=now), BATCH)


def _guesses() -> Bound:
    return Bound("wrong-keys", conf.get("API_WRONG_KEYS"), GUESSES_SECONDS, locks=True)


def _seconds(ends_at: datetime, now: datetime) -> int:
    return max(1, ceil((ends_at - now).total_seconds()))


def _read(value: Any) -> datetime:
    moment: datetime = statements.read(Tally._meta.get_field("ends_at"), value)
    return moment


@lru_cache(maxsize=4)
def _take_sql(using: str) -> str:
    """Return the statement that begins a window, or counts on in it; it changes and returns nothing at its end."""
    mark, table = statements.placeholder(), statements.quoted(Tally._meta.db_table)
    return (
        f"INSERT INTO {table} (key, used, ends_at) VALUES ({mark}, 1, {mark}) ON CONFLICT (key) DO UPDATE SET "  # noqa: S608 -- our own
        f"used = CASE WHEN {table}.ends_at <= {mark} THEN 1 ELSE {table}.used + 1 END, "
        f"ends_at = CASE WHEN {table}.ends_at <= {mark} OR ({mark} AND {table}.used + 1 >= {mark}) "
        f"THEN excluded.ends_at ELSE {table}.ends_at END "
        f"WHERE {table}.ends_at <= {mark} OR {table}.used < {mark} RETURNING used, ends_at"
    )
