"""What happens to jobs, for whoever follows it: signals after the commit, and the event log as a stream.

Events are written by ``transitions.py`` alone; nothing here changes a job.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Collection, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from functools import partial
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, transaction

from queue_app import conf, given, registry
from queue_app.database import alias, is_postgresql
from queue_app.models import Event, EventName, Job
from queue_app.signals import BY_NAME
from queue_app.tail import Tail
from queue_app.waiting import Bell, waiter_for

# PostgreSQL announces new work, but no other change: after one, the log is looked at again this soon, then ever later.
FIRST_LOOK_SECONDS = 0.05
LARGEST_ID = 2**63 - 1
LONGEST_SECONDS = 366 * 86_400.0


def announce(job: Job, event: Event) -> None:
    """Send the signal of ``event``, which was just written, once the transaction commits. Costs nothing unheard."""
    if is_heard(event.name) and not _is_internal(job.type):
        signal = BY_NAME[event.name]
        send = partial(signal.send_robust, sender=Job, job_id=event.job_id, event=mapping(event))
        transaction.on_commit(send, using=alias())


def is_heard(name: str) -> bool:
    """Say whether anybody is connected to the signal of the events called ``name``."""
    return BY_NAME[name].has_listeners(Job)


def mapping(event: Event) -> dict[str, Any]:
    """Return the event as others see it: JSON's types only, ``timestamp`` as ISO 8601 in UTC."""
    data = json.loads(json.dumps(event.data, cls=DjangoJSONEncoder)) if event.data else {}
    return {
        "id": event.pk,
        "event": str(event.name),
        "job_id": event.job_id,
        "timestamp": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "data": {
            **data,
            "source": str(event.source),
            "target": str(event.target),
            "reason": event.reason,
            "actor": event.actor,
        },
    }


def subscribe(
    *,
    after: int | None = None,
    names: Collection[str] | None = None,
    job_id: int | str | None = None,
    timeout_seconds: float | None = None,
) -> Iterator[dict[str, Any]]:
    """Follow what happens to jobs: yield ``{"id", "event", "job_id", "timestamp", "data"}``, and wait for more.

    In the order of ids, each event once and none left out. ``after`` is the id of the last event that was handled
    (0: from the oldest that is kept); ``None`` is from this call on. ``names`` are those of ``EventName``; housekeeping
    is left out. Ends when there was no such event for ``timeout_seconds``; 0 yields what is there. On PostgreSQL an
    open transaction keeps back what was written after it, and a change that makes no new work is seen within the
    check interval. Not to be waited on inside a transaction. Uses the calling thread's connection, and on PostgreSQL
    another. Raises ValueError, RuntimeError inside a transaction, and Django's database errors: then subscribe again.
    """
    return _Stream(after, names, job_id, timeout_seconds).events()


async def asubscribe(
    *,
    after: int | None = None,
    names: Collection[str] | None = None,
    job_id: int | str | None = None,
    timeout_seconds: float | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """Follow what happens to jobs, as ``subscribe`` does, from the first step on; a thread of its own does the waiting.

    Closing the iterator, or cancelling its task, ends the thread and its connections.
    """
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, "socialq-events")
    stream: _Stream | None = None
    try:
        stream = await loop.run_in_executor(thread, _Stream, after, names, job_id, timeout_seconds)
        events = stream.events()
        while (event := await loop.run_in_executor(thread, next, events, None)) is not None:
            yield event
    finally:
        if stream is not None:
            stream.stop()
            thread.submit(events.close)
        thread.submit(connections.close_all)
        thread.shutdown(wait=False)


class _Stream:
    """One subscription. Everything but ``stop`` belongs to one thread."""

    def __init__(
        self, after: int | None, names: Collection[str] | None, job_id: int | str | None, timeout_seconds: float | None
    ) -> None:
        if after is not None and not (type(after) is int and 0 <= after <= LARGEST_ID):
            raise ValueError(f"after is the number of an event, not {given.shown(after)}")
        for name in given.listed("names", names or ()):
            if name not in EventName.values:
                raise ValueError(f"there is no event {given.shown(name)}; there are {', '.join(EventName.values)}")
        self._names = None if names is None else frozenset(names)
        self._job_id = None if job_id is None else given.job_id(job_id)
        self._timeout_seconds = float("inf")
        if timeout_seconds is not None:
            self._timeout_seconds = given.number("timeout_seconds", timeout_seconds, 0, LONGEST_SECONDS)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._bell: Bell | None = None
        self._tail = Tail(after)

    def stop(self) -> None:
        """Have ``events`` end soon, from another thread."""
        self._stopped.set()
        with self._lock:
            if self._bell is not None:
                self._bell.ring()

    def events(self) -> Generator[dict[str, Any]]:
        """Yield the events, see ``subscribe``."""
        self._bell = bell = Bell()
        waiter = waiter_for(bell, None)
        interval = float(conf.get("CHECK_INTERVAL_SECONDS"))
        first_pause = min(FIRST_LOOK_SECONDS, interval) if is_postgresql() else interval
        pause, deadline = first_pause, time.monotonic() + self._timeout_seconds
        try:
            while not self._stopped.is_set():
                waiter.prepare()
                found = self._tail.read()
                for event in filter(self._is_wanted, found):
                    yield mapping(event)
                    deadline = time.monotonic() + self._timeout_seconds
                left = deadline - time.monotonic()
                # What was there when we began is read to its end, however long that takes.
                if left <= 0 and (not found or self._tail.position >= self._tail.newest_at_start):
                    return
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

    def _is_wanted(self, event: Any) -> bool:
        return (
            (self._names is None or event.name in self._names)
            and (self._job_id is None or event.job_id == self._job_id)
            and not _is_internal(event.job_type)
        )


def _is_internal(type_name: str) -> bool:
    job_type = registry.known().get(type_name)
    return job_type is not None and job_type.internal


def _refuse_to_wait_in_a_transaction() -> None:
    if connections[alias()].in_atomic_block:
        raise RuntimeError(
            "following events waits for what others commit: do it outside a transaction, or with timeout_seconds=0"
        )
