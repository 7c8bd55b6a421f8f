"""The main process of ``manage.py qcluster``: starts a sentinel with its workers, watches its pulse, replaces it.

Runs nothing itself and keeps no database connection. django-q2's own Cluster and Sentinel are not used: they wait for
locks that a killed process keeps for ever; its worker, pusher, monitor and scheduler are.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import Any

from django.db import connections
from django_q.conf import Conf

from queue_app import conf, database, processes
from queue_app.board import Board
from queue_app.sentinel import run_sentinel
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


def names_other_broker() -> bool:
    """Say whether the host's ``Q_CLUSTER`` has django-q2 work with a broker other than this database."""
    if Conf.BROKER_CLASS:
        return bool(Conf.BROKER_CLASS != BROKER)
    if Conf.IRON_MQ or Conf.SQS:
        return True
    return not Conf.ORM and bool(Conf.MONGO or Conf.REDIS or Conf.DJANGO_REDIS)


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


class JobCluster:
    """Runs one queue's jobs until told to stop. SIGTERM or SIGINT: in order; a second one: at once."""

    def __init__(self, queue: str = DEFAULT_QUEUE) -> None:
        self._queue = DEFAULT_QUEUE if queue == Conf.PREFIX else queue
        self._list_key = str(Conf.PREFIX) if self._queue == DEFAULT_QUEUE else self._queue
        self._own_broker = not names_other_broker()
        self._groups: list[_Group] = []
        self._signals = 0
        self._bell = Bell()
        self._quick_deaths = 0
        self._started_at = self._start_again_at = -math.inf
        self._looked_at = 0.0

    def run(self, *, once: bool = False) -> None:
        """Work until stopped by a signal or, with ``once``, until nothing is due."""
        self._configure_django_q()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._bell.writer)
        try:
            while self._groups or not self._signals:
                self._turn(once)
        finally:
            signal.set_wakeup_fd(-1)
            for group in self._groups:
                group.kill()

    def _turn(self, once: bool) -> None:
        self._start_if_needed()
        wait([*(group.process.sentinel for group in self._groups), self._bell.fileno()], TURN_SECONDS)
        self._bell.hush()
        now = time.monotonic()
        # Capped: when this process itself stood still, that says nothing about the sentinel.
        passed = min(now - self._looked_at, TURN_SECONDS)
        self._looked_at = now
        for group in list(self._groups):
            self._look_after(group, passed)
        if once and any(group.board.exhausted for group in self._groups):
            self._signals = self._signals or 1
        if self._signals:
            self._stop()

    def _look_after(self, group: _Group, passed: float) -> None:
        beats = group.board.beats
        group.silent_seconds = group.silent_seconds + passed if beats == group.beats else 0.0
        group.beats = beats
        overdue = group.board.stopping and group.board.seconds_left < -OVERTIME_SECONDS
        ended = _has_ended(group.process)
        if not (ended or overdue or group.silent_seconds > SILENCE_SECONDS):
            return
        if not ended:
            logger.error("cluster=%s its sentinel does not answer, ending it", group.cluster)
        elif not group.board.stopping:
            logger.error("cluster=%s its sentinel died", group.cluster)
        group.kill()
        self._groups.remove(group)

    def _start_if_needed(self) -> None:
        """Start a sentinel unless one works or we stop; those that are ending go on beside it."""
        now = time.monotonic()
        working = any(not group.board.stopping for group in self._groups)
        if working or self._signals or now < self._start_again_at:
            return
        self._quick_deaths = self._quick_deaths + 1 if now < self._started_at + QUICK_DEATH_SECONDS else 0
        pause = 2.0 ** (self._quick_deaths - QUICK_DEATHS_WITHOUT_PAUSE)
        self._started_at = now
        self._start_again_at = now + (min(pause, LONGEST_PAUSE_SECONDS) if pause >= 1.0 else 0.0)
        self._groups.append(self._start())

    def _start(self) -> _Group:
        cluster, board, bell = str(uuid.uuid4()), Board(int(conf.get("WORKERS"))), Bell()
        schedules = self._own_broker and bool(Conf.SCHEDULER)
        process = multiprocessing.get_context("fork").Process(
            target=run_sentinel, args=(cluster, self._queue, self._list_key, board, bell, os.getpid(), schedules)
        )
        connections.close_all()
        process.start()
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(_pid(process), _pid(process))  # so does the child: whoever is first
        return _Group(cluster, process, board, bell)

    def _stop(self) -> None:
        grace = float(conf.get("STOP_GRACE_SECONDS"))
        for group in list(self._groups):
            if self._signals > 1:
                group.kill()
                self._groups.remove(group)
            else:
                group.board.request_stop(grace - min(HAND_BACK_SECONDS, grace * HAND_BACK_SHARE))
                group.bell.ring()

    def _on_signal(self, _signal: int, _frame: Any) -> None:
        self._signals += 1

    def _configure_django_q(self) -> None:
        """Set, in this process and its children, what django-q2 reads at import and a host may not have."""
        Conf.CLUSTER_NAME = self._list_key
        if self._own_broker:
            Conf.BROKER_CLASS = BROKER
            Conf.ORM = Conf.ORM or database.alias()


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
