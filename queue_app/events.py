"""What happens, for whoever follows it: the event log as a stream, signals after the commit, and events of other apps.

Those of jobs are written by ``transitions.py`` alone; nothing here changes a job.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Generator, Iterator, Mapping
from contextlib import aclosing, closing
from datetime import UTC
from functools import partial
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from queue_app import arguments, clock, given, statements
from queue_app.database import alias
from queue_app.models import Event, Job
from queue_app.signals import BY_NAME, event_recorded, signal_of
from queue_app.stream import NAME_CHARACTERS, NAME_FORM, Stream, in_own_thread, is_internal

LONGEST_SECONDS = 366 * 86_400.0


def record(name: str, data: Mapping[str, Any], *, actor: str = "") -> Event:
    """Write that something happened which is no change of a job, in the caller's transaction; return the event.

    ``name`` is "app.verb" in small letters ("post.published"), ``data`` JSON that anybody who may follow may read.
    It has its place among the events of jobs: one sequence of ids tells of everything. Raises ValueError.
    """
    if not NAME_FORM.fullmatch(given.text("name", name, NAME_CHARACTERS)):
        raise ValueError(f"an event is called like post.published, not {given.shown(name)}")
    arguments.check_json(name, "data", data)
    row = {"at": clock.now(), "name": name, "data": dict(data), "actor": given.actor(actor)}
    blank = dict.fromkeys(("source", "target", "reason"), "")
    (identifier,) = statements.insert_returning(Event, {**row, **blank})
    event = Event(pk=identifier, **row)
    for signal in (event_recorded, signal_of(name)):
        if signal.has_listeners(Event):
            send = partial(signal.send_robust, sender=Event, job_id=None, event=mapping(event))
            transaction.on_commit(send, using=alias())
    return event


def announce(job: Job, event: Event) -> None:
    """Send the signal of ``event``, which was just written, once the transaction commits. Costs nothing unheard."""
    if is_heard(event.name) and not is_internal(job.type):
        signal = BY_NAME[event.name]
        send = partial(signal.send_robust, sender=Job, job_id=event.job_id, event=mapping(event))
        transaction.on_commit(send, using=alias())


def is_heard(name: str) -> bool:
    """Say whether anybody is connected to the signal of the events called ``name``."""
    return BY_NAME[name].has_listeners(Job)


def mapping(event: Event) -> dict[str, Any]:
    """Return the event as others see it: JSON's types only, ``timestamp`` as ISO 8601 in UTC."""
    data = json.loads(json.dumps(event.data, cls=DjangoJSONEncoder)) if event.data else {}
    if event.job_id is not None:
        data |= {"source": str(event.source), "target": str(event.target), "reason": event.reason}
    return {
        "id": event.pk,
        "event": str(event.name),
        "job_id": event.job_id,
        "timestamp": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "data": {**data, "actor": event.actor},
    }


def subscribe(
    *,
    after: int | None = None,
    names: Collection[str] | None = None,
    job_id: int | str | None = None,
    timeout_seconds: float | None = None,
) -> Iterator[dict[str, Any]]:
    """Follow what happens: yield ``{"id", "event", "job_id", "timestamp", "data"}``, and wait for more.

    In the order of ids, each event once and none left out. ``after`` is the id of the last event that was handled
    (0: from the oldest that is kept); ``None`` is from this call on. ``names`` are those of ``EventName``, and others
    that apps record, such as "post.published"; housekeeping is left out. ``job_id`` is ``None`` in what apps record.
    Ends when there was no such event for ``timeout_seconds``; 0 yields what is there. On PostgreSQL an open
    transaction keeps back what was written after it, and a change that makes no new work is seen within the check
    interval. Not to be waited on inside a transaction. Uses the calling thread's connection, and on PostgreSQL
    another. Raises ValueError, RuntimeError inside a transaction, and Django's database errors: then subscribe again.
    """
    return _told(Stream(after, names, job_id), _seconds(timeout_seconds))


async def asubscribe(
    *,
    after: int | None = None,
    names: Collection[str] | None = None,
    job_id: int | str | None = None,
    timeout_seconds: float | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """Follow what happens, as ``subscribe`` does, from the first step on; a thread of its own does the waiting.

    Closing the iterator, or cancelling its task, ends the thread and its connections.
    """
    seconds = _seconds(timeout_seconds)
    told = in_own_thread(partial(Stream, after, names, job_id), lambda stream: _told(stream, seconds))
    async with aclosing(told):
        async for event in told:
            yield event


def _told(stream: Stream, timeout_seconds: float) -> Generator[dict[str, Any]]:
    with closing(stream.steps(timeout_seconds)) as steps:
        for event in steps:
            if event is None:
                return
            yield mapping(event)


def _seconds(timeout_seconds: float | None) -> float:
    if timeout_seconds is None:
        return float("inf")
    return given.number("timeout_seconds", timeout_seconds, 0, LONGEST_SECONDS)
