"""One subscription to the event log: reads its tail and waits for more, in the thread of whoever follows.

Decides which events a follower asked for. Writes nothing.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

from queue_app import conf, given, registry
from queue_app.database import alias, is_postgresql
from queue_app.models import Event, EventName
from queue_app.tail import Tail
from queue_app.waiting import Bell, waiter_for

# PostgreSQL announces new work, but no other change: after one, the log is looked at again this soon, then ever later.
FIRST_LOOK_SECONDS = 0.05
LARGEST_ID = 2**63 - 1
NAME_CHARACTERS = 100
# What other apps call their events; names of the queue's own have no dot.
NAME_FORM = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")

Step = TypeVar("Step")


class Stream:
    """A place in the log, and which events are wanted. Everything but ``stop`` belongs to one thread.

    ``after``, ``names`` and ``job_id`` are as for ``events.subscribe``; raises ValueError.
    """

    def __init__(
        self, after: int | None = None, names: Collection[str] | None = None, job_id: int | str | None = None
    ) -> None:
        if after is not None and not (type(after) is int and 0 <= after <= LARGEST_ID):
            raise ValueError(f"after is the number of an event, not {given.shown(after)}")
        for name in given.listed("names", names or ()):
            check_name(name)
        self._names = None if names is None else frozenset(names)
        self._job_id = None if job_id is None else given.job_id(job_id)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._bell: Bell | None = None
        self._tail = Tail(after)

    @property
    def position(self) -> int:
        """The id up to which the log has been read."""
        return self._tail.position

    def read(self) -> list[Event]:
        """Return the next events, wanted or not; none if there are none yet."""
        return self._tail.read()

    def stop(self) -> None:
        """Have ``steps`` end soon, from another thread."""
        self._stopped.set()
        with self._lock:
            if self._bell is not None:
                self._bell.ring()

    def steps(self, idle_seconds: float) -> Generator[Event | None]:
        """Yield the wanted events, and ``None`` whenever there was none for ``idle_seconds``."""
        self._bell = bell = Bell()
        waiter = waiter_for(bell, None)
        interval = float(conf.get("CHECK_INTERVAL_SECONDS"))
        first_pause = min(FIRST_LOOK_SECONDS, interval) if is_postgresql() else interval
        pause, deadline = first_pause, time.monotonic() + idle_seconds
        try:
            while not self._stopped.is_set():
                waiter.prepare()
                found = self.read()
                for event in filter(self.is_wanted, found):
                    yield event
                    deadline = time.monotonic() + idle_seconds
                left = deadline - time.monotonic()
                # What was there when we began is read to its end, however long that takes.
                if left <= 0 and (not found or self._tail.position >= self._tail.newest_at_start):
                    yield None
                    left = idle_seconds
                    deadline = time.monotonic() + left
                if found:
                    pause = first_pause
                    continue
                _refuse_to_wait_in_a_transaction()
                waiter.wait(min(pause, left))
                pause = min(pause * 2, interval)
        finally:
            waiter.close()
            with self._lock:
                self._bell = None
                bell.close()

    def is_wanted(self, event: Any) -> bool:
        """Say whether an event that was read is asked for."""
        return (
            (self._names is None or event.name in self._names)
            and (self._job_id is None or event.job_id == self._job_id)
            and not is_internal(event.job_type)
        )


async def in_own_thread(make: Callable[[], Stream], steps: Callable[[Stream], Generator[Step]]) -> AsyncGenerator[Step]:
    """Yield the ``steps`` of the stream that ``make`` makes; both run in a thread of its own, which does the waiting.

    Closing this, or cancelling its task, ends the thread and its connections.
    """
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, "socialq-events")
    stream: Stream | None = None
    end = object()
    try:
        stream = await loop.run_in_executor(thread, make)
        found = steps(stream)
        while (step := await loop.run_in_executor(thread, next, found, end)) is not end:
            yield step  # type: ignore[misc]  # no end, so a step
    finally:
        if stream is not None:
            stream.stop()
            thread.submit(found.close)
        thread.submit(connections.close_all)
        thread.shutdown(wait=False)


def check_name(name: object) -> None:
    """Raise ValueError for what no event can be called."""
    if isinstance(name, str) and (name in EventName.values or NAME_FORM.fullmatch(name)):
        return
    known = ", ".join(EventName.values)
    raise ValueError(f"there is no event {given.shown(name)}; there are {known}, and those of apps, like post.failed")


def is_internal(type_name: str | None) -> bool:
    """Say whether jobs of that type are housekeeping. ``None``: the event has no job."""
    job_type = registry.find(type_name or "")
    return job_type is not None and job_type.internal


def _refuse_to_wait_in_a_transaction() -> None:
    if connections[alias()].in_atomic_block:
        raise RuntimeError(
            "following events waits for what others commit: do it outside a transaction, or with timeout_seconds=0"
        )
