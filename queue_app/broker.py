"""Hands a django-q2 cluster its work: a token when a job is due, and ordinary tasks of ``async_task`` in turn with it.

A token is a task that calls ``runner.run_due``; jobs themselves never travel through django-q2. Runs in the cluster's
pusher process. Elsewhere (``Q_CLUSTER["broker_class"]``) this is django-q2's ORM broker that also wakes clusters.
"""

from __future__ import annotations

import logging
import math
import time
import uuid
from datetime import timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from queue_app import claims, clock, conf, database, gates, registry, routes
from queue_app.board import Board
from queue_app.waiting import Bell, Waiter, waiter_for

logger = logging.getLogger("socialq.queue")

RUN_DUE = "queue_app.runner.run_due"
NO_TIMEOUT = -1
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)
# After so many tokens in a row that found no job, others hold the rows that are due: look again, but less and less.
BARREN_TOKENS = 3
BARREN_PAUSE_SECONDS = 0.01
# How soon to look again where a job is due but every token for it is under way.
LOOK_AGAIN_SECONDS = 0.05
ROWS_TO_TRY = 10

Batch = list[tuple[int | None, str]]


class JobBroker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """The broker of one queue's cluster.

    ``list_key`` names the ordinary tasks that it serves, ``queue`` the jobs (see ``routes.queues_of``). Only a cluster
    gives it a ``board`` and a ``bell``; without them it serves ordinary tasks alone.
    """

    def __init__(
        self,
        list_key: str | None = None,
        *,
        queue: str = "",
        cluster: str = "",
        board: Board | None = None,
        bell: Bell | None = None,
    ) -> None:
        super().__init__(list_key)
        self._name = queue
        self._queues = routes.queues_of(queue) if queue else {}
        self._cluster = cluster
        self._board = board
        self._bell = bell
        self._waiter: Waiter | None = None
        self._failures = 0
        self._token_was_last = False
        self._barren = _Barren()

    @staticmethod
    def get_connection(_list_key: str | None = None) -> Any:
        """Return the stored tasks. Asks the database nothing: it may be away while a cluster starts."""
        alias = Conf.ORM or database.alias()  # none is named where a host's own tasks go elsewhere
        if not connections[alias].in_atomic_block:
            close_old_connections()
        return OrmQ.objects.using(alias)

    def enqueue(self, task: str) -> Any:
        """Store an ordinary task and wake its cluster; return its id."""
        # By the queue's clock, as it is taken: django-q2 asks the host's, which may be ahead.
        name = self.list_key or Conf.CLUSTER_NAME
        key = self.get_connection().create(key=name, payload=task, lock=clock.now()).pk
        database.wake(self.list_key)
        return key

    def acknowledge(self, task_id: int) -> None:
        """Delete a task that is done. While the database is away it stays, and runs again after ``Conf.RETRY``."""
        try:
            super().acknowledge(task_id)
        except DatabaseError as error:
            logger.warning("task=%s cannot be deleted error=%s", task_id, type(error).__name__)

    def dequeue(self) -> Batch | None:
        """Return signed tasks for idle workers as (id of the stored task or ``None``, text), else wait a little.

        Waits until something changes, the next job is due or the next gate opens, and at most the check interval.
        Errors of the database are logged and tried again with the next call.
        """
        if self._board is None or self._bell is None:
            served: Batch | None = super().dequeue()
            return served
        try:
            batch = self._look_and_wait(self._board, self._bell)
        except DatabaseError as error:
            self._recover(error, self._bell)
            return None
        self._failures = 0
        return batch

    def _look_and_wait(self, board: Board, bell: Bell) -> Batch | None:
        interval = float(conf.get("CHECK_INTERVAL_SECONDS"))
        if board.idle <= 0:
            bell.wait(interval)
            return None
        if self._waiter is None:
            self._waiter = waiter_for(bell, {*self._queues, self.list_key})
        self._waiter.prepare()
        due_in = self._seconds_to_next()
        if batch := self._batch(board, due=due_in <= 0):
            board.hand_out(len(batch))
            return batch
        if due_in > 0 and board.idle == board.workers:
            board.say_exhausted()
        self._waiter.wait(min(interval, due_in if due_in > 0 else LOOK_AGAIN_SECONDS))
        return None

    def _seconds_to_next(self) -> float:
        """Return seconds until the next job is due or the next gate opens; not positive when a job is due."""
        now = clock.now()
        opening = gates.next_opening()
        if opening is not None and opening <= now:
            gates.open_due()
            opening = gates.next_opening()
        due_at = claims.next_due_at(self._queues, sorted(registry.known()))
        moments = [moment for moment in (opening, due_at) if moment is not None]
        return (min(moments) - now).total_seconds() if moments else math.inf

    def _batch(self, board: Board, *, due: bool) -> Batch:
        """Return an ordinary task or tokens, in turn where there are both, for no more than the idle workers."""
        if self._token_was_last:
            return self._task() or (self._tokens(board) if due else [])
        return (self._tokens(board) if due else []) or self._task()

    def _task(self) -> Batch:
        """Return the next ordinary task, locked for ``Conf.RETRY`` seconds, as django-q2's own broker would."""
        now = clock.now()
        waiting = OrmQ.objects.using(database.alias()).filter(key=self.list_key)
        free = waiting.filter(lock__lte=now).order_by("id").values_list("id", "lock", "payload")
        for key, lock, payload in free[:ROWS_TO_TRY]:
            # Whoever changes the lock from what both saw has the task.
            if waiting.filter(pk=key, lock=lock).update(lock=now + timedelta(seconds=Conf.RETRY)):
                self._token_was_last = False
                return [(key, payload)]
        return []

    def _tokens(self, board: Board) -> Batch:
        """Return a token for every due job that an idle worker can take; none while tokens come back without a job."""
        if self._barren.pause_seconds(board) > 0:
            return []
        under_way = board.in_queue
        if under_way == 0:
            # The usual case, one job at its time: not even the due ones are counted first.
            wanted = 1
        else:
            # A token that nobody has picked up yet is already on its way to one of the due jobs.
            wanted = min(self._count_due(board.idle + under_way) - under_way, board.idle)
        if wanted > 0:
            self._token_was_last = True
        return [(None, self._token()) for _ in range(wanted)]

    def _count_due(self, most: int) -> int:
        now, types = clock.now(), sorted(registry.known())
        return sum(claims.count_due(queue, types, now, most) for queue in self._queues)

    def _token(self) -> str:
        token = {
            "id": uuid.uuid4().hex,
            "name": f"due-{self._name}",
            "func": RUN_DUE,
            "args": (self._name, self._cluster),
            "kwargs": {},
            "started": clock.now(),
            "save": False,
            "timeout": NO_TIMEOUT,
        }
        signed: str = SignedPackage.dumps(token)
        return signed

    def _recover(self, error: DatabaseError, bell: Bell) -> None:
        logger.warning("queue=%s database away error=%s", self._name, type(error).__name__)
        connections[database.alias()].close()
        if self._waiter is not None:
            self._waiter.close()
        bell.wait(RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)])
        self._failures += 1


class _Barren:
    """Counts tokens in a row that found no job although one was due: others hold those rows, or claim them first."""

    def __init__(self) -> None:
        self._count = 0
        self._finished = 0
        self._fruitful = 0
        self._last_at = 0.0

    def pause_seconds(self, board: Board) -> float:
        """Return how long no token should be handed out; not positive for none."""
        finished, fruitful = board.finished, board.fruitful
        if fruitful != self._fruitful:
            self._count = 0
        elif finished != self._finished:
            self._count += finished - self._finished
            self._last_at = time.monotonic()
        self._finished, self._fruitful = finished, fruitful
        if self._count < BARREN_TOKENS:
            return 0.0
        pause = min(BARREN_PAUSE_SECONDS * 2 ** min(self._count, 30), float(conf.get("CHECK_INTERVAL_SECONDS")))
        return float(self._last_at + pause - time.monotonic())
