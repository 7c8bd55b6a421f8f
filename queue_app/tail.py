"""Reads the event log in the order of its ids, each event once and none left out.

PostgreSQL hands out ids before it commits, so an event may become visible after one with a higher id. Where an id is
missing, what follows it is kept back until every transaction that could still write it is over; an id that was rolled
back or purged is then known to be missing for good. SQLite's writers are alone: there, nothing is ever kept back.
Nothing here waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connections
from django.db.models import F, Max, QuerySet

from queue_app.database import alias, is_postgresql
from queue_app.models import Event

BATCH = 500
# Reading from now on, an event of a transaction that is open is found where no more than this many were written since.
LOOK_BACK = 10_000

# Who has taken an id holds this lock on the sequence until its transaction is over, and took it before the id.
WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = pg_get_serial_sequence(%s, 'id')::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND pid IS DISTINCT FROM pg_backend_pid()
"""


@dataclass(slots=True)
class _Gap:
    """Ids up to ``upto`` are decided once the transactions ``writers`` are over."""

    upto: int
    writers: frozenset[str]


class Tail:
    """A place in the event log. ``after`` is the id of the last event that was seen; ``None`` begins now.

    ``position`` is the id up to which everything has been read.
    """

    def __init__(self, after: int | None) -> None:
        self.newest_at_start = self._newest()
        self._gap: _Gap | None = None
        self._seen: frozenset[int] = frozenset()
        self.position = self._now() if after is None else after

    @property
    def is_held_back(self) -> bool:
        """Whether there are events that could not be read yet, behind a transaction that is still open."""
        return self._gap is not None and self._gap.upto > self.position

    def read(self) -> list[Event]:
        """Return the next events, at most ``BATCH``, each with its ``job_type``; none if the next is not decided.

        What has no job has none of its types.
        """
        while found := self._next():
            self.position = found[-1].pk
            if new := [event for event in found if event.pk not in self._seen]:
                return new
        return []

    def _next(self) -> list[Event]:
        rows = list(self._rows()[:BATCH])
        whole = [event for place, event in enumerate(rows, self.position + 1) if event.pk == place]
        if whole or not rows:
            return whole
        if self._gap is None or self._gap.upto <= self.position:
            self._gap = _Gap(rows[-1].pk, _writers())
        elif self._gap.writers:
            self._gap.writers &= _writers()
        if self._gap.writers:
            return []
        # Read once more: what the writers left behind is visible now, and what is not there now never will be.
        decided = list(self._rows().filter(pk__lte=self._gap.upto)[:BATCH])
        if not decided:  # purged meanwhile
            self.position = self._gap.upto
        return decided

    def _rows(self) -> QuerySet[Event]:
        rows = Event.objects.using(alias()).filter(pk__gt=self.position).annotate(job_type=F("job__type"))
        return rows.order_by("pk")

    def _now(self) -> int:
        """Return where to begin so that only what is not visible yet is read."""
        if not _writers():
            return self.newest_at_start
        floor = max(self.newest_at_start - LOOK_BACK, 0)
        recent = Event.objects.using(alias()).filter(pk__gt=floor, pk__lte=self.newest_at_start)
        self._seen = frozenset(recent.values_list("pk", flat=True))
        missing = (place for place in range(floor + 1, self.newest_at_start + 1) if place not in self._seen)
        return next(missing, self.newest_at_start + 1) - 1

    @staticmethod
    def _newest() -> int:
        newest: int | None = Event.objects.using(alias()).aggregate(newest=Max("pk"))["newest"]
        return newest or 0


def _writers() -> frozenset[str]:
    """Return the open transactions of others that may hold an id which nobody can see yet."""
    if not is_postgresql():
        return frozenset()
    with connections[alias()].cursor() as cursor:
        cursor.execute(WRITERS, [Event._meta.db_table])
        return frozenset(row[0] for row in cursor.fetchall())
