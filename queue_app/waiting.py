"""Waiting for work without asking the database all the time: LISTEN on PostgreSQL, the data version on SQLite.

A waiter is used as ``prepare()``, look for work, ``wait()``: what changes after ``prepare()`` ends the wait. Errors are
Django's database errors. Nothing here looks for work itself.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import time
from collections.abc import Collection
from typing import Any, Protocol

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from queue_app.database import WAKE_CHANNEL, alias, is_postgresql

DATA_VERSION_SECONDS = 0.01


class Bell:
    """Wakes a process from another one, or from a signal handler. Made before the fork; ringing never blocks."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self.writer, False)

    def fileno(self) -> int:
        """Return what becomes readable when the bell rings."""
        return self._reader

    def ring(self) -> None:
        """Wake whoever waits, or will wait next."""
        with contextlib.suppress(BlockingIOError):
            os.write(self.writer, b"!")

    def hush(self) -> bool:
        """Forget what has rung so far; return whether anything had."""
        rung = False
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reader, 4096):
                rung = True
        return rung

    def wait(self, seconds: float) -> bool:
        """Wait until the bell rings, at most ``seconds``; return whether it did."""
        return bool(readable(seconds, self.fileno())) and self.hush()

    def close(self) -> None:
        """Give the pipe back; the bell cannot be used again."""
        os.close(self._reader)
        os.close(self.writer)


def readable(seconds: float, *files: int) -> list[int]:
    """Return which of ``files`` can be read, waiting at most ``seconds`` for the first of them."""
    poll = select.poll()
    for file in files:
        poll.register(file, select.POLLIN)
    return [file for file, _event in poll.poll(max(0, math.ceil(seconds * 1000)))]


class Waiter(Protocol):
    """Waits for changes of one queue."""

    def prepare(self) -> None:
        """Take note of how things are now."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when something has changed since ``prepare()``, the bell rings, or ``seconds`` are over."""
        ...

    def close(self) -> None:
        """Give up connections; they are made anew when needed."""
        ...


def waiter_for(bell: Bell, topics: Collection[str] | None) -> Waiter:
    """Return the waiter for the queue's database. ``topics`` are the names under which changes are announced; ``None``
    is all of them."""
    if not is_postgresql():
        return DataVersionWaiter(bell)
    return NotificationWaiter(bell, topics)


class DataVersionWaiter:
    """Watches SQLite's data version: it changes with every commit of another connection, and asking costs no I/O."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._seen = -1

    def prepare(self) -> None:
        """Take note of the version."""
        self._seen = self._version()

    def wait(self, seconds: float) -> None:
        """Return when another connection has committed, the bell rings, or ``seconds`` are over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._bell.wait(min(left, DATA_VERSION_SECONDS)) or self._version() != self._seen:
                return

    def close(self) -> None:
        """Nothing of its own is open: it reads on the connection of its caller."""

    def _version(self) -> int:
        connection = connections[alias()]
        connection.ensure_connection()
        with connection.wrap_database_errors:
            (version,) = connection.connection.execute("PRAGMA data_version").fetchone()
        return int(version)


class NotificationWaiter:
    """Listens to PostgreSQL's notifications on a connection of its own."""

    def __init__(self, bell: Bell, topics: Collection[str] | None) -> None:
        self._bell = bell
        self._topics = None if topics is None else {topic.encode() for topic in topics}
        self._listener: BaseDatabaseWrapper | None = None

    def prepare(self) -> None:
        """Listen, and forget what was announced so far."""
        self._announced()

    def wait(self, seconds: float) -> None:
        """Return when a change of the queue is announced, the bell rings, or ``seconds`` are over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = readable(left, self._bell.fileno(), self._connection().pgconn.socket)
            if self._bell.hush() or (ready and self._announced()):
                return

    def close(self) -> None:
        """Close the listening connection."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _announced(self) -> bool:
        connection = self._connection()
        found = False
        with connections[alias()].wrap_database_errors:
            connection.pgconn.consume_input()
            while notification := connection.pgconn.notifies():
                found |= self._topics is None or notification.extra in self._topics
        return found

    def _connection(self) -> Any:
        if self._listener is None:
            listener = connections[alias()].copy()
            listener.ensure_connection()
            with listener.cursor() as cursor:
                cursor.execute(f"LISTEN {WAKE_CHANNEL}")
            self._listener = listener
        return self._listener.connection
