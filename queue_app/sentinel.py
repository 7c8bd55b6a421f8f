"""The sentinel of one cluster: starts its processes, watches them, and ends the cluster when it must.

It never touches the database, never forks with a connection open, and never waits for a lock. A process that is lost
may have left a lock of django-q2's queues held, so the cluster is ended in order and its parent starts another one
beside it at once. Workers that leave in order do not end the cluster: as many are kept as are wished for.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import Any

from django.db import connections
from django_q.conf import Conf
from django_q.queues import Queue

from queue_app import children, conf, housekeeper
from queue_app.autoscale import Bounds
from queue_app.board import Board, Place
from queue_app.children import Wiring
from queue_app.lifeline import die_with_parent
from queue_app.waiting import Bell

logger = logging.getLogger("socialq.queue")

TURN_SECONDS = 0.5
STOPPING_TURN_SECONDS = 0.05
# What each part of an orderly end may take once nothing runs any more.
PUSHER_SECONDS = 1.0
IDLE_WORKER_SECONDS = 2.0
IN_FLIGHT_SECONDS = 0.5
HAND_OVER_SECONDS = 3.0
TELL_AGAIN_SECONDS = 1.0
# A task of async_task that overran its timeout by this much could not be stopped by its own alarm.
TIMER_GRACE_SECONDS = 5.0


@dataclass(slots=True)
class _WorkerProcess:
    process: ForkProcess
    slot: int
    timer: Any
    task: int = 0
    task_ends_at: float = 0.0
    told_at: float | None = None
    idle_since: float | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """What a cluster is started with. ``queue`` names it; ``list_key`` names the ordinary tasks that it serves."""

    cluster: str
    queue: str
    list_key: str
    board: Board
    to_sentinel: Bell
    to_main: Bell
    # Whether django-q2's schedules are served too.
    schedules: bool
    # Between how many workers the cluster adapts itself to its work, if it does.
    bounds: Bounds | None
    # Whether somebody looks at how much waits.
    watched: bool


class JobSentinel:
    """One cluster's sentinel; ``run`` is the whole life of its process."""

    def __init__(self, orders: Orders) -> None:
        self._board = orders.board
        self._pid = os.getpid()
        self._bell = orders.to_sentinel
        self._to_main = orders.to_main
        self._wiring = Wiring(
            cluster=orders.cluster,
            queue=orders.queue,
            list_key=orders.list_key,
            board=self._board,
            to_sentinel=self._bell,
            to_pusher=Bell(),
            to_housekeeper=Bell(),
            tasks=Queue(maxsize=self._board.slots),
            results=Queue(),
            schedules=orders.schedules,
            bounds=orders.bounds,
            watched=orders.watched,
        )
        self._workers: list[_WorkerProcess] = []
        self._parent_pid = os.getppid()

    def run(self) -> None:
        """Guard the cluster until it has ended."""
        self._start()
        while not self._board.stopping:
            self._turn(TURN_SECONDS)
        self._end()

    def _start(self) -> None:
        connections.close_all()
        # What there is by now stays: a child's collector that looks through it would make a copy of its pages.
        gc.collect()
        gc.freeze()
        self._housekeeper = self._fork(housekeeper.run_housekeeper)
        self._fit()
        logger.info("cluster=%s queue=%s workers=%s running", *self._name(), len(self._workers))

    def _turn(self, seconds: float) -> None:
        """Wait for something to happen, and look after every process once."""
        wait([*(child.sentinel for child in self._children() if child.is_alive()), self._bell.fileno()], seconds)
        self._bell.hush()
        self._board.beat()
        if os.getppid() != self._parent_pid:
            # Only where the kernel has not seen to it already.
            os.killpg(self._pid, signal.SIGKILL)
        if not self._housekeeper.is_alive() and not self._board.farewell:
            if not self._board.stopping:
                self._lost(self._housekeeper)
            self._housekeeper = self._fork(housekeeper.run_housekeeper)
        for worker in list(self._workers):
            self._look_after(worker)
        if not self._board.stopping:
            self._fit()

    def _look_after(self, worker: _WorkerProcess) -> None:
        if worker.process.is_alive():
            self._end_overrun_job(worker)
            self._end_overrun_task(worker)
            return
        self._workers.remove(worker)
        self._board.place(worker.slot, Place.FREE)
        self._wiring.to_housekeeper.ring()
        if not (self._board.stopping or self._board.has_left(worker.slot)):
            self._lost(worker.process)

    def _fit(self) -> None:
        """Start workers into free slots, or tell some to leave, idle ones first, until as many stay as are wished."""
        staying = [worker for worker in self._workers if self._board.place_of(worker.slot) is Place.STAYS]
        surplus = len(staying) - self._board.wished
        free = [slot for slot in range(self._board.slots) if self._board.place_of(slot) is Place.FREE]
        for slot in free[: max(-surplus, 0)]:
            self._start_worker(slot)
            self._wiring.to_pusher.ring()
        staying.sort(key=lambda worker: self._board.is_busy(worker.slot))
        for worker in staying[: max(surplus, 0)]:
            self._board.place(worker.slot, Place.LEAVES)

    def _lost(self, child: ForkProcess) -> None:
        logger.error("cluster=%s queue=%s lost process=%s exitcode=%s", *self._name(), child.pid, child.exitcode)
        self._board.request_stop(float(conf.get("STOP_GRACE_SECONDS")))
        self._to_main.ring()  # it starts the next cluster

    def _end_overrun_job(self, worker: _WorkerProcess) -> None:
        """Kill a worker whose handler its own alarm did not stop; one that only saves an answer is left alone."""
        job_id = self._board.overrun_job(worker.slot)
        if job_id is not None:
            logger.error("job=%s overran its timeout, killing worker=%s", job_id, worker.process.pid)
            worker.process.kill()

    def _end_overrun_task(self, worker: _WorkerProcess) -> None:
        """Kill a worker whose ordinary task is past django-q2's timeout. The timer is read past its lock."""
        seconds = worker.timer.get_obj().value
        task = self._board.tasks_started(worker.slot)
        if seconds <= 0 or not self._board.is_busy(worker.slot):
            worker.task_ends_at = 0.0
        elif task != worker.task or not worker.task_ends_at:
            worker.task, worker.task_ends_at = task, time.monotonic() + seconds + TIMER_GRACE_SECONDS
        elif time.monotonic() > worker.task_ends_at:
            logger.error("worker=%s overran the timeout of its task, killing it", worker.process.pid)
            worker.process.kill()

    # --- The end ----------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Let running work finish or end it, settle what is left, and leave no process."""
        # 1. No new work; what is in the queue is begun.
        self._wiring.to_pusher.ring()
        self._turn_until(lambda: self._board.pusher_ended, PUSHER_SECONDS)
        self._turn_until(lambda: self._board.in_queue <= 0, IN_FLIGHT_SECONDS)
        # 2. Workers finish what they are at, until the grace is over.
        while self._workers:
            for worker in self._workers:
                self._see_off(worker, time.monotonic())
            self._turn(STOPPING_TURN_SECONDS)
        # 3. Results are saved; jobs of workers that had to be killed are handed back.
        self._board.say_farewell()
        self._wiring.to_housekeeper.ring()
        self._let_end(self._housekeeper, HAND_OVER_SECONDS)
        logger.info("cluster=%s queue=%s ended", *self._name())

    def _see_off(self, worker: _WorkerProcess, now: float) -> None:
        """Tell a worker to leave after its task; kill it when the grace is over or when it stays although idle."""
        if self._board.is_busy(worker.slot):
            worker.idle_since = None
        elif worker.idle_since is None:
            worker.idle_since = now
        stays = worker.idle_since is not None and now - worker.idle_since > IDLE_WORKER_SECONDS
        if stays or self._board.seconds_left <= 0:
            self._board.say_ended(worker.slot, worker.process.pid or 0)
            worker.process.kill()
        elif worker.told_at is None or now - worker.told_at > TELL_AGAIN_SECONDS:
            # Again, because a signal may arrive just before the process begins to wait.
            worker.process.terminate()
            worker.told_at = now

    def _turn_until(self, reached: Callable[[], bool], seconds: float) -> None:
        """Go on looking after the processes until something is reached, at most ``seconds``."""
        deadline = time.monotonic() + seconds
        while not reached() and time.monotonic() < deadline:
            self._turn(STOPPING_TURN_SECONDS)

    def _let_end(self, process: ForkProcess, seconds: float) -> None:
        """Wait until ``process`` has ended; kill it when it has not in ``seconds``."""
        deadline = time.monotonic() + seconds
        while process.is_alive() and time.monotonic() < deadline:
            wait([process.sentinel], STOPPING_TURN_SECONDS)
            self._board.beat()
        process.kill()
        process.join()

    # --- Processes --------------------------------------------------------------------------------------------------

    def _start_worker(self, slot: int) -> None:
        timer = multiprocessing.get_context("fork").Value("f", -1)
        self._board.set_left(slot, left=False)
        self._board.end_job(slot)
        self._board.place(slot, Place.STAYS)
        process = self._fork(children.run_worker, slot, timer, daemon=Conf.DAEMONIZE_WORKERS)
        self._workers.append(_WorkerProcess(process, slot, timer))

    def _fork(self, target: Callable[..., None], *args: Any, daemon: bool = True) -> ForkProcess:
        process = multiprocessing.get_context("fork").Process(
            target=target, args=(self._wiring, self._pid, *args), daemon=daemon
        )
        process.start()
        return process

    def _children(self) -> list[ForkProcess]:
        return [self._housekeeper, *(worker.process for worker in self._workers)]

    def _name(self) -> tuple[str, str]:
        return self._wiring.cluster, self._wiring.queue


def run_sentinel(orders: Orders, parent_pid: int) -> None:
    """Be the sentinel of a cluster, in a process group of its own; SIGTERM ends the cluster in order."""
    os.setpgid(0, 0)
    die_with_parent(parent_pid)
    signal.set_wakeup_fd(orders.to_sentinel.writer)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Conf.CLUSTER_NAME = orders.list_key  # read by the schedules and the saved results

    def stop(_signal: int, _frame: Any) -> None:
        orders.board.request_stop(float(conf.get("STOP_GRACE_SECONDS")))

    signal.signal(signal.SIGTERM, stop)
    JobSentinel(orders).run()
