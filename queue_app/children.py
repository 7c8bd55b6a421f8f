"""What every process of a cluster has after the fork, and what its workers do: django-q2's worker, with our jobs.

All die with the sentinel, leave in order when asked to by SIGTERM, and hold no lock that another needs to end.
"""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import dataclass
from functools import partial
from queue import Empty
from typing import Any

from django.db import Error as DatabaseError
from django.db import connections
from django_q.conf import Conf
from django_q.queues import Queue
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.worker import worker

from queue_app import database, runner
from queue_app.autoscale import Bounds
from queue_app.board import Board, Place
from queue_app.broker import RUN_DUE, JobBroker
from queue_app.lifeline import die_with_parent
from queue_app.waiting import Bell

logger = logging.getLogger("socialq.queue")

STOP = "STOP"  # what ends django-q2's loops
# How soon a worker that waits for work sees that it should leave.
LEAVE_POLL_SECONDS = 1.0
# After so many times PostgreSQL's plan for a statement is kept.
PLANS_KEPT_AFTER = 2
CONNECTION_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the sentinel makes once and every child of it gets."""

    cluster: str
    queue: str
    list_key: str
    board: Board
    to_sentinel: Bell
    to_pusher: Bell
    to_housekeeper: Bell
    tasks: Queue
    results: Queue
    # Whether django-q2's schedules are served too: not where another cluster of the site does.
    schedules: bool
    # Between how many workers the cluster adapts itself to its work, if it does.
    bounds: Bounds | None = None
    # Whether somebody looks at how much waits.
    watched: bool = False

    def broker(self) -> JobBroker:
        """Return this cluster's broker."""
        return JobBroker(self.list_key, queue=self.queue, cluster=self.cluster, board=self.board, bell=self.to_pusher)


class _Leave(BaseException):
    """Raised by SIGTERM in a worker that waits for a task."""


def run_worker(wiring: Wiring, parent_pid: int, slot: int, timer: Any) -> None:
    """Work until told to leave; a task begun is finished first."""
    begin(parent_pid)
    quieten()
    inbox = _Inbox(wiring.tasks, wiring.board, slot)
    signal.signal(signal.SIGTERM, inbox.leave)
    runner.configure(
        lambda: wiring.board.stopping or inbox.leaving,
        begins=partial(wiring.board.begin_job, slot),
        ends=partial(wiring.board.end_job, slot),
    )
    _count_tasks(wiring, slot)
    _keep_connection()
    try:
        runner.enlist(wiring.queue, wiring.cluster)
    except DatabaseError:
        logger.warning("worker=%s asked to leave while the database was away", os.getpid())
    worker(inbox, wiring.results, timer, Conf.TIMEOUT)
    wiring.board.set_left(slot, left=True)


class _Inbox:
    """A worker's end of the task queue. A worker that should leave does so once it has finished what it was given.

    It sees that on the board; while it waits it looks every second, because a signal that ended its wait could leave
    the queue's lock held or a task lost. Only when the cluster ends, and both no longer matter, SIGTERM ends the wait.
    """

    def __init__(self, tasks: Queue, board: Board, slot: int) -> None:
        self._tasks = tasks
        self._board = board
        self._slot = slot
        self._waiting = False
        self.leaving = False

    def get(self) -> Any:
        """Return the next task, or what ends the worker's loop."""
        try:
            while not (self.leaving or self._board.place_of(self._slot) is Place.LEAVES):
                try:
                    self._waiting = True
                    return self._tasks.get(timeout=LEAVE_POLL_SECONDS)
                except Empty:
                    self._waiting = False
        except _Leave:
            pass
        finally:
            self._waiting = False
        return STOP

    def leave(self, _signal: int, _frame: Any) -> None:
        """Handle SIGTERM."""
        self.leaving = True
        if self._waiting and self._board.stopping:
            self._waiting = False
            raise _Leave


def begin(parent_pid: int) -> None:
    """Tie this process to its parent; the first thing that a child does."""
    die_with_parent(parent_pid)
    signal.set_wakeup_fd(-1)  # the sentinel's


def _keep_connection() -> None:
    """Spare a worker the new connection that django-q2 would have it make for every task; check the old one instead.

    On PostgreSQL it keeps the plans of what it asks again and again: the claim's takes longer to make than to run. Only
    here, for a pooler between the web server and the database might not know kept plans.
    """
    settings = connections[database.alias()].settings_dict
    settings |= {"CONN_MAX_AGE": CONNECTION_SECONDS, "CONN_HEALTH_CHECKS": True}
    if database.is_postgresql():
        settings["OPTIONS"] = {"prepare_threshold": PLANS_KEPT_AFTER, **settings.get("OPTIONS", {})}


def _count_tasks(wiring: Wiring, slot: int) -> None:
    board = wiring.board

    def begun(**_signal: Any) -> None:
        board.start_task(slot)

    def ended(task: dict[str, Any], **_signal: Any) -> None:
        # A token that failed found nothing either: a claim that always fails must not be asked without a pause.
        found_nothing = task["func"] == RUN_DUE and not (task["success"] and task["result"])
        board.finish_task(slot, fruitful=not found_nothing)
        wiring.to_pusher.ring()

    pre_execute.connect(begun, weak=False)
    post_execute_in_worker.connect(ended, weak=False)


def quieten() -> None:
    """Leave django-q2's lines for every token out of the log; the runner logs each job."""
    logging.getLogger("django-q").addFilter(
        lambda record: record.levelno > logging.INFO or RUN_DUE not in record.getMessage()
    )
