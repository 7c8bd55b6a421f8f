"""The main process of ``manage.py qcluster`` and ``workers``: a sentinel with its workers for each cluster it was asked
for; watches their pulse, replaces them.

Runs nothing itself and keeps no database connection. django-q2's own Cluster and Sentinel are not used: they wait for
locks that a killed process keeps for ever; its worker, pusher, monitor and scheduler are.
"""

from __future__ import annotations

import gc
import logging
import math
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import Any

from django.db import connections
from django.utils.translation import gettext
from django_q.conf import Conf

from queue_app import conf, database, processes
from queue_app.autoscale import Bounds
from queue_app.board import Board
from queue_app.sentinel import Orders, run_sentinel
from queue_app.waiting import Bell

logger = logging.getLogger("socialq.queue")

DEFAULT_QUEUE = "default"
BROKER = "queue_app.broker.JobBroker"
TURN_SECONDS = 1.0
SILENCE_SECONDS = 10.0
# Of the grace, what is kept for handing back after the workers had to be killed; then what the sentinel may take more.
HAND_BACK_SHARE = 0.25
HAND_BACK_SECONDS = 2.0
OVERTIME_SECONDS = 8.0
# A sentinel that lived no longer than this died quickly; after a few of those the next one waits.
QUICK_DEATH_SECONDS = 2.0
QUICK_DEATHS_WITHOUT_PAUSE = 3
LONGEST_PAUSE_SECONDS = 4.0
# A look that was under way when something was last handed out anywhere may have missed what that added; the next not.
LOOKS_TO_BE_SURE = 2


def names_other_broker() -> bool:
    """Say whether the host's ``Q_CLUSTER`` has django-q2 work with a broker other than this database."""
    if Conf.BROKER_CLASS:
        return bool(Conf.BROKER_CLASS != BROKER)
    if Conf.IRON_MQ or Conf.SQS:
        return True
    return not Conf.ORM and bool(Conf.MONGO or Conf.REDIS or Conf.DJANGO_REDIS)


@dataclass(frozen=True, slots=True)
class Plan:
    """One cluster to run: its name, which is its queue's, and how many workers it begins with; within ``bounds`` it
    adapts that number to its work."""

    name: str
    workers: int
    bounds: Bounds | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How one cluster does: workers that there are and should be, those busy, and the jobs waiting if that is known."""

    name: str
    present: int
    wished: int
    busy: int
    waiting: int | None


@dataclass(slots=True)
class _Group:
    """A sentinel with its processes."""

    cluster: str
    process: ForkProcess
    board: Board
    bell: Bell
    beats: int = 0
    silent_seconds: float = 0.0

    def kill(self) -> None:
        """End the group at once. Before its leader is reaped, so that the number is still its own."""
        with suppress(ProcessLookupError):
            os.killpg(_pid(self.process), signal.SIGKILL)
        self.process.kill()
        self.process.join()

    def is_lost(self, passed: float) -> bool:
        """Say whether the group has ended or must be ended, ``passed`` seconds after it was last asked."""
        beats = self.board.beats
        self.silent_seconds = self.silent_seconds + passed if beats == self.beats else 0.0
        self.beats = beats
        overdue = self.board.stopping and self.board.seconds_left < -OVERTIME_SECONDS
        ended = _has_ended(self.process)
        if not ended and (overdue or self.silent_seconds > SILENCE_SECONDS):
            logger.error("cluster=%s its sentinel does not answer, ending it", self.cluster)
            return True
        if ended and not self.board.stopping:
            logger.error("cluster=%s its sentinel died", self.cluster)
        return ended


class _Cluster:
    """One planned cluster: the sentinel that works for it, those still ending beside it, and when to start the next."""

    def __init__(self, plan: Plan, bell: Bell, *, own_broker: bool, watched: bool) -> None:
        self.plan = plan
        self.queue = DEFAULT_QUEUE if plan.name == Conf.PREFIX else plan.name
        self.list_key = str(Conf.PREFIX) if self.queue == DEFAULT_QUEUE else self.queue
        self.groups: list[_Group] = []
        self._bell = bell
        self._schedules = own_broker and bool(Conf.SCHEDULER)
        self._watched = watched
        self._quick_deaths = 0
        self._started_at = self._start_again_at = -math.inf

    @property
    def board(self) -> Board | None:
        """The board of the sentinel that was started last, ``None`` while there is none."""
        return self.groups[-1].board if self.groups else None

    def count(self) -> Count:
        """Return how it does, those of its workers too that are ending."""
        boards = [group.board for group in self.groups]
        wished = next((board.wished for board in boards if not board.stopping), 0)
        waiting = self.board.waiting if self.board is not None else None
        present, busy = sum(board.present for board in boards), sum(board.busy for board in boards)
        return Count(self.plan.name, present, wished, busy, waiting)

    def start_if_needed(self) -> None:
        """Start a sentinel unless one works; those that are ending go on beside it."""
        now = time.monotonic()
        if any(not group.board.stopping for group in self.groups) or now < self._start_again_at:
            return
        self._quick_deaths = self._quick_deaths + 1 if now < self._started_at + QUICK_DEATH_SECONDS else 0
        pause = 2.0 ** (self._quick_deaths - QUICK_DEATHS_WITHOUT_PAUSE)
        self._started_at = now
        self._start_again_at = now + (min(pause, LONGEST_PAUSE_SECONDS) if pause >= 1.0 else 0.0)
        self.groups.append(self._start())

    def bury_lost(self, passed: float) -> None:
        """Kill what is left of groups that have ended or do not answer; ``passed`` seconds after the last time."""
        for group in list(self.groups):
            if group.is_lost(passed):
                self._remove(group)

    def stop(self, *, at_once: bool) -> None:
        """Have every group end in order within the grace, or kill it."""
        grace = float(conf.get("STOP_GRACE_SECONDS"))
        for group in list(self.groups):
            if at_once:
                self._remove(group)
            else:
                group.board.request_stop(grace - min(HAND_BACK_SECONDS, grace * HAND_BACK_SHARE))
                group.bell.ring()

    def _remove(self, group: _Group) -> None:
        group.kill()
        self.groups.remove(group)

    def _start(self) -> _Group:
        bounds = self.plan.bounds
        board = Board(bounds.most if bounds is not None else self.plan.workers, self.plan.workers)
        cluster, bell = str(uuid.uuid4()), Bell()
        orders = Orders(
            *(cluster, self.queue, self.list_key, board),
            to_sentinel=bell,
            to_main=self._bell,
            schedules=self._schedules,
            bounds=bounds,
            watched=self._watched,
        )
        process = multiprocessing.get_context("fork").Process(target=run_sentinel, args=(orders, os.getpid()))
        connections.close_all()
        process.start()
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(_pid(process), _pid(process))  # so does the child: whoever is first
        return _Group(cluster, process, board, bell)


class JobCluster:
    """Runs the planned clusters until told to stop. SIGTERM or SIGINT: in order; a second one: at once.

    ``watch`` is called about once a second with how each of them does.
    """

    def __init__(self, plans: Sequence[Plan], *, watch: Callable[[list[Count]], None] | None = None) -> None:
        self._own_broker = not names_other_broker()
        self._bell = Bell()
        self._watch = watch
        self._clusters = [
            _Cluster(plan, self._bell, own_broker=self._own_broker, watched=watch is not None) for plan in plans
        ]
        self._signals = 0
        self._looked_at = 0.0
        self._handed: list[int] = []
        self._looks: list[int] = []

    def run(self, *, once: bool = False) -> None:
        """Work until stopped by a signal or, with ``once``, until nothing is due in any of the queues."""
        self._configure_django_q()
        _keep_memory_shared()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._bell.writer)
        try:
            while not self._signals or any(cluster.groups for cluster in self._clusters):
                self._turn(once)
        finally:
            signal.set_wakeup_fd(-1)
            for cluster in self._clusters:
                cluster.stop(at_once=True)

    def _turn(self, once: bool) -> None:
        if not self._signals:
            for cluster in self._clusters:
                cluster.start_if_needed()
        groups = [group.process.sentinel for cluster in self._clusters for group in cluster.groups]
        wait([*groups, self._bell.fileno()], TURN_SECONDS)
        self._bell.hush()
        now = time.monotonic()
        # Capped: when this process itself stood still, that says nothing about the sentinels.
        passed = min(now - self._looked_at, TURN_SECONDS)
        self._looked_at = now
        for cluster in self._clusters:
            cluster.bury_lost(passed)
        if self._watch is not None:
            self._watch([cluster.count() for cluster in self._clusters])
        if once and self._nothing_is_due():
            self._signals = self._signals or 1
        if self._signals:
            for cluster in self._clusters:
                cluster.stop(at_once=self._signals > 1)

    def _nothing_is_due(self) -> bool:
        """Say whether every cluster has run out of work, and none has had any that could have left some to another."""
        boards = [cluster.board for cluster in self._clusters]
        present = [board for board in boards if board is not None]
        handed, looks = [board.handed for board in present], [board.looks_in_vain for board in present]
        if len(present) < len(boards):
            return False
        if len(boards) == 1:
            return looks[0] > 0
        if handed != self._handed or any(board.finished != board.handed for board in present):
            self._handed, self._looks = handed, looks
            return False
        return all(now >= then + LOOKS_TO_BE_SURE for now, then in zip(looks, self._looks, strict=True))

    def _on_signal(self, _signal: int, _frame: Any) -> None:
        self._signals += 1

    def _configure_django_q(self) -> None:
        """Set, in this process and its children, what django-q2 reads at import and a host may not have."""
        if self._own_broker:
            Conf.BROKER_CLASS = BROKER
            Conf.ORM = Conf.ORM or database.alias()


def _keep_memory_shared() -> None:
    """Load before the fork what every child would load; keep their collectors from touching, and so copying, it all."""
    connection = connections[database.alias()]  # connects to nothing
    connection.ops.compiler("SQLCompiler")  # loads Django's compilers
    connection.get_connection_params()  # on PostgreSQL, makes the table of psycopg's adapters
    gettext("")
    gc.collect()
    gc.freeze()


def _has_ended(process: ForkProcess) -> bool:
    """Say whether a child has ended, without reaping it: its number stays its own. Its pipe may be held by others."""
    try:
        processes.start_ticks(_pid(process))
    except ProcessLookupError:
        return True
    return False


def _pid(process: ForkProcess) -> int:
    """Return the number of a process that was started. Never 0, which would mean our own group."""
    if not process.pid:
        raise RuntimeError("the process was not started")
    return process.pid
