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
    EXHAUSTED = 2
    BEATS = 3
    HANDED = 4


class _Count(IntEnum):
    STARTED = 0
    FINISHED = 1
    FRUITFUL = 2
    LEFT = 3


class Board:
    """What a cluster's processes know of each other. ``workers`` is the number of worker slots."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._flags = RawArray("q", len(_Flag))
        self._counts = RawArray("q", workers * len(_Count))

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

    def say_farewell(self) -> None:
        """Say that all workers are gone and the others may settle what is left, and leave."""
        self._flags[_Flag.FAREWELL] = 1

    @property
    def farewell(self) -> bool:
        """Whether all workers are gone for good."""
        return bool(self._flags[_Flag.FAREWELL])

    def say_exhausted(self) -> None:
        """Say that nothing was due and nobody was working."""
        self._flags[_Flag.EXHAUSTED] = 1

    @property
    def exhausted(self) -> bool:
        """Whether the cluster has once had nothing to do."""
        return bool(self._flags[_Flag.EXHAUSTED])

    # --- The sentinel's pulse ---------------------------------------------------------------------------------------

    def beat(self) -> None:
        """Say that the sentinel's loop turns."""
        self._flags[_Flag.BEATS] += 1

    @property
    def beats(self) -> int:
        """How often the sentinel's loop has turned."""
        return int(self._flags[_Flag.BEATS])

    # --- Work -------------------------------------------------------------------------------------------------------

    def hand_out(self, tasks: int) -> None:
        """Count tasks that the pusher puts into the queue."""
        self._flags[_Flag.HANDED] += tasks

    @property
    def in_queue(self) -> int:
        """Tasks handed out that no worker has begun."""
        return int(self._flags[_Flag.HANDED]) - self._sum(_Count.STARTED)

    @property
    def idle(self) -> int:
        """Workers that nothing handed out will keep busy."""
        return self.workers - (int(self._flags[_Flag.HANDED]) - self._sum(_Count.FINISHED))

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
        self._counts[slot * len(_Count) + _Count.STARTED] += 1

    def finish_task(self, slot: int, *, fruitful: bool) -> None:
        """Count a task that the worker in ``slot`` has ended."""
        self._counts[slot * len(_Count) + _Count.FRUITFUL] += fruitful
        self._counts[slot * len(_Count) + _Count.FINISHED] += 1

    def tasks_started(self, slot: int) -> int:
        """How many tasks have been begun in ``slot``."""
        return self._of(slot, _Count.STARTED)

    def is_busy(self, slot: int) -> bool:
        """Whether the worker in ``slot`` is in the middle of a task."""
        return self._of(slot, _Count.STARTED) != self._of(slot, _Count.FINISHED)

    def set_left(self, slot: int, *, left: bool) -> None:
        """Say whether the worker in ``slot`` has left its loop in order, holding nothing."""
        self._counts[slot * len(_Count) + _Count.LEFT] = left

    def has_left(self, slot: int) -> bool:
        """Whether the worker in ``slot`` left its loop in order."""
        return bool(self._of(slot, _Count.LEFT))

    def _of(self, slot: int, count: _Count) -> int:
        return int(self._counts[slot * len(_Count) + count])

    def _sum(self, count: _Count) -> int:
        return sum(self._counts[count :: len(_Count)])
