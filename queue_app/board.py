"""Memory that the processes of one cluster share, without a lock that a killed process could keep.

Every number is written by one process at a time, or only ever set; each is one aligned machine word. Owns no
database access and starts nothing.
"""

from __future__ import annotations

import time
from enum import IntEnum
from multiprocessing.sharedctypes import RawArray


class _Flag(IntEnum):
    STOP_BY = 0
    FAREWELL = 1
    LOOKS_IN_VAIN = 2
    BEATS = 3
    HANDED = 4
    PUSHER_ENDED = 5
    WISHED = 6
    WAITING = 7


class _Count(IntEnum):
    STARTED = 0
    FINISHED = 1
    FRUITFUL = 2
    LEFT = 3
    PLACE = 4
    ENDED = 5
    JOB = 6
    JOB_ENDS_BY = 7


# How many a slot has.
_WORDS = len(_Count)


class Place(IntEnum):
    """Who is in a slot. Written by the sentinel alone."""

    FREE = 0
    STAYS = 1
    LEAVES = 2


class Board:
    """What a cluster's processes know of each other. ``slots`` is the most workers it may have, ``wished`` how many it
    begins with."""

    def __init__(self, slots: int, wished: int | None = None) -> None:
        self.slots = slots
        self._flags = RawArray("q", len(_Flag))
        self._counts = RawArray("q", slots * _WORDS)
        self._flags[_Flag.WISHED] = slots if wished is None else wished
        self._flags[_Flag.WAITING] = -1

    # --- Stopping ---------------------------------------------------------------------------------------------------

    def request_stop(self, grace_seconds: float) -> None:
        """Ask every process of the cluster to end; running work may go on for ``grace_seconds``. Once."""
        if not self.stopping:
            self._flags[_Flag.STOP_BY] = int((time.monotonic() + grace_seconds) * 1000)

    @property
    def stopping(self) -> bool:
        """Whether the cluster has been asked to end."""
        return bool(self._flags[_Flag.STOP_BY])

    @property
    def seconds_left(self) -> float:
        """Seconds until running work is ended; negative when they are over. Only of a stopping cluster."""
        return float(self._flags[_Flag.STOP_BY]) / 1000 - time.monotonic()

    def say_pusher_ended(self) -> None:
        """Say that nothing more will be put into the queue."""
        self._flags[_Flag.PUSHER_ENDED] = 1

    @property
    def pusher_ended(self) -> bool:
        """Whether nothing more will be put into the queue."""
        return bool(self._flags[_Flag.PUSHER_ENDED])

    def say_farewell(self) -> None:
        """Say that all workers are gone and the others may settle what is left, and leave."""
        self._flags[_Flag.FAREWELL] = 1

    @property
    def farewell(self) -> bool:
        """Whether all workers are gone for good."""
        return bool(self._flags[_Flag.FAREWELL])

    # --- The sentinel's pulse ---------------------------------------------------------------------------------------

    def beat(self) -> None:
        """Say that the sentinel's loop turns."""
        self._flags[_Flag.BEATS] += 1

    @property
    def beats(self) -> int:
        """How often the sentinel's loop has turned."""
        return int(self._flags[_Flag.BEATS])

    # --- How many workers: the housekeeper wishes, the sentinel places ----------------------------------------------

    def wish(self, workers: int) -> None:
        """Ask the sentinel to keep so many workers, at most one a slot."""
        self._flags[_Flag.WISHED] = min(workers, self.slots)

    @property
    def wished(self) -> int:
        """How many workers the cluster should have."""
        return int(self._flags[_Flag.WISHED])

    def place(self, slot: int, place: Place) -> None:
        """Say who is in ``slot``. A worker that is told to leave ends after what it has begun."""
        self._counts[slot * _WORDS + _Count.PLACE] = place

    def place_of(self, slot: int) -> Place:
        """Return who is in ``slot``."""
        return Place(self._of(slot, _Count.PLACE))

    def set_left(self, slot: int, *, left: bool) -> None:
        """Say whether the worker in ``slot`` has left its loop in order, holding nothing."""
        self._counts[slot * _WORDS + _Count.LEFT] = left

    def has_left(self, slot: int) -> bool:
        """Whether the worker in ``slot`` left its loop in order."""
        return bool(self._of(slot, _Count.LEFT))

    def say_ended(self, slot: int, pid: int) -> None:
        """Say that the sentinel ends the process in ``slot``, whatever it is at."""
        self._counts[slot * _WORDS + _Count.ENDED] = pid

    @property
    def ended(self) -> set[int]:
        """The processes that the sentinel has ended; every other that is gone left in order or was lost."""
        return {self._of(slot, _Count.ENDED) for slot in range(self.slots)} - {0}

    @property
    def present(self) -> int:
        """Workers that there are, those that are leaving too."""
        return sum(self.place_of(slot) is not Place.FREE for slot in range(self.slots))

    @property
    def busy(self) -> int:
        """Workers that are in the middle of a task."""
        return sum(self.is_busy(slot) for slot in range(self.slots))

    # --- Work -------------------------------------------------------------------------------------------------------

    def hand_out(self, tasks: int) -> None:
        """Count tasks that the pusher puts into the queue."""
        self._flags[_Flag.HANDED] += tasks

    @property
    def handed(self) -> int:
        """Tasks that the pusher has ever put into the queue."""
        return int(self._flags[_Flag.HANDED])

    def say_exhausted(self) -> None:
        """Count a look of the pusher that found nothing due and nobody working."""
        self._flags[_Flag.LOOKS_IN_VAIN] += 1

    @property
    def exhausted(self) -> bool:
        """Whether the cluster has once had nothing to do."""
        return self.looks_in_vain > 0

    @property
    def looks_in_vain(self) -> int:
        """How often the pusher has found nothing due and nobody working."""
        return int(self._flags[_Flag.LOOKS_IN_VAIN])

    def post_waiting(self, jobs: int) -> None:
        """Say how many jobs were due and not begun at the last look."""
        self._flags[_Flag.WAITING] = jobs

    @property
    def waiting(self) -> int | None:
        """How many jobs were due and not begun at the last look; ``None`` before it."""
        jobs = int(self._flags[_Flag.WAITING])
        return None if jobs < 0 else jobs

    @property
    def in_queue(self) -> int:
        """Tasks handed out that no worker has begun."""
        return self.handed - self._sum(_Count.STARTED)

    @property
    def workers(self) -> int:
        """Workers that can take a task or are in one: all but those that are leaving and idle."""
        return sum(map(self._serves, range(self.slots)))

    @property
    def idle(self) -> int:
        """Workers that nothing handed out will keep busy."""
        return self.workers - (self.handed - self._sum(_Count.FINISHED))

    @property
    def finished(self) -> int:
        """Tasks finished by all workers."""
        return self._sum(_Count.FINISHED)

    @property
    def fruitful(self) -> int:
        """Tasks finished that did something; a token that found no job is the other kind."""
        return self._sum(_Count.FRUITFUL)

    def start_task(self, slot: int) -> None:
        """Count a task that the worker in ``slot`` begins."""
        self._counts[slot * _WORDS + _Count.STARTED] += 1

    def finish_task(self, slot: int, *, fruitful: bool) -> None:
        """Count a task that the worker in ``slot`` has ended."""
        self._counts[slot * _WORDS + _Count.FRUITFUL] += fruitful
        self._counts[slot * _WORDS + _Count.FINISHED] += 1

    def begin_job(self, slot: int, job_id: int, seconds: float) -> None:
        """Say that the handler of a job begins in ``slot``, and how long it may run."""
        self._counts[slot * _WORDS + _Count.JOB] = job_id
        self._counts[slot * _WORDS + _Count.JOB_ENDS_BY] = int((time.monotonic() + seconds) * 1000)

    def end_job(self, slot: int) -> None:
        """Say that no handler runs in ``slot``: what became of the job may be waiting to be saved, however long."""
        self._counts[slot * _WORDS + _Count.JOB_ENDS_BY] = 0

    def overrun_job(self, slot: int) -> int | None:
        """Return the job whose handler runs in ``slot`` longer than it may, ``None`` if none does."""
        ends_by = self._of(slot, _Count.JOB_ENDS_BY)
        return self._of(slot, _Count.JOB) if 0 < ends_by < time.monotonic() * 1000 else None

    def tasks_started(self, slot: int) -> int:
        """How many tasks have been begun in ``slot``."""
        return self._of(slot, _Count.STARTED)

    def is_busy(self, slot: int) -> bool:
        """Whether the worker in ``slot`` is in the middle of a task."""
        return self._of(slot, _Count.STARTED) != self._of(slot, _Count.FINISHED)

    def _serves(self, slot: int) -> bool:
        place = self._of(slot, _Count.PLACE)
        return place == Place.STAYS or (place == Place.LEAVES and self.is_busy(slot))

    def _of(self, slot: int, count: _Count) -> int:
        return int(self._counts[slot * _WORDS + count])

    def _sum(self, count: _Count) -> int:
        return sum(self._counts[count::_WORDS])
