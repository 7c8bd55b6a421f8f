"""The sentinel of one cluster: starts its processes, watches them, and ends the cluster when it must.

It never touches the database, never forks with a connection open, and never waits for a lock. Any process lost but the
housekeeper may have left a lock of django-q2's queues held, so the cluster is ended in order and its parent starts
another one beside it at once.
"""

from __future__ import annotations

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

from queue_app import children, conf
from queue_app.board import Board
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


class JobSentinel:
    """One cluster's sentinel; ``run`` is the whole life of its process."""

    def __init__(self, cluster: str, queue: str, list_key: str, board: Board, bell: Bell, schedules: bool) -> None:
        self._board = board
        self._pid = os.getpid()
        self._bell = bell
        self._wiring = Wiring(
            cluster=cluster,
            queue=queue,
            list_key=list_key,
            board=board,
            to_sentinel=self._bell,
            to_pusher=Bell(),
            to_housekeeper=Bell(),
            tasks=Queue(maxsize=board.workers),
            results=Queue(),
            schedules=schedules,
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
        self._housekeeper = self._fork(children.run_housekeeper)
        for slot in range(self._board.workers):
            self._start_worker(slot)
        self._monitor = self._fork(children.run_monitor)
        self._pusher = self._fork(children.run_pusher)
        logger.info("cluster=%s queue=%s workers=%s running", *self._name(), self._board.workers)

    def _turn(self, seconds: float) -> None:
        """Wait for something to happen, and look after every process once."""
        wait([*(child.sentinel for child in self._children() if child.is_alive()), self._bell.fileno()], seconds)
        self._bell.hush()
        self._board.beat()
        if os.getppid() != self._parent_pid:
            # Only where the kernel has not seen to it already.
            os.killpg(self._pid, signal.SIGKILL)
        if not self._housekeeper.is_alive() and not self._board.farewell:
            self._housekeeper = self._fork(children.run_housekeeper)
        for child in (self._monitor, self._pusher):
            if not child.is_alive() and not self._board.stopping:
                self._lost(child)
        for worker in list(self._workers):
            self._look_after(worker)

    def _look_after(self, worker: _WorkerProcess) -> None:
        if worker.process.is_alive():
            self._end_overrun_task(worker)
            return
        self._workers.remove(worker)
        self._wiring.to_housekeeper.ring()
        if self._board.stopping:
            return
        if self._board.has_left(worker.slot):
            self._start_worker(worker.slot)
        else:
            self._lost(worker.process)

    def _lost(self, child: ForkProcess) -> None:
        logger.error("cluster=%s queue=%s lost process=%s exitcode=%s", *self._name(), child.pid, child.exitcode)
        self._board.request_stop(float(conf.get("STOP_GRACE_SECONDS")))

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
        self._let_end([self._pusher], PUSHER_SECONDS)
        deadline = time.monotonic() + IN_FLIGHT_SECONDS
        while self._board.in_queue > 0 and time.monotonic() < deadline:
            self._turn(STOPPING_TURN_SECONDS)
        # 2. Workers finish what they are at, until the grace is over.
        while self._workers:
            for worker in self._workers:
                self._see_off(worker, time.monotonic())
            self._turn(STOPPING_TURN_SECONDS)
        # 3. Results are saved; jobs of workers that had to be killed are handed back.
        self._board.say_farewell()
        self._wiring.to_housekeeper.ring()
        self._let_end([self._monitor, self._housekeeper], HAND_OVER_SECONDS)
        logger.info("cluster=%s queue=%s ended", *self._name())

    def _see_off(self, worker: _WorkerProcess, now: float) -> None:
        """Tell a worker to leave after its task; kill it when the grace is over or when it stays although idle."""
        if self._board.is_busy(worker.slot):
            worker.idle_since = None
        elif worker.idle_since is None:
            worker.idle_since = now
        stays = worker.idle_since is not None and now - worker.idle_since > IDLE_WORKER_SECONDS
        if stays or self._board.seconds_left <= 0:
            worker.process.kill()
        elif worker.told_at is None or now - worker.told_at > TELL_AGAIN_SECONDS:
            # Again, because a signal may arrive just before the process begins to wait.
            worker.process.terminate()
            worker.told_at = now

    def _let_end(self, processes: list[ForkProcess], seconds: float) -> None:
        """Wait until ``processes`` have ended; kill what has not in ``seconds``."""
        deadline = time.monotonic() + seconds
        while any(process.is_alive() for process in processes) and time.monotonic() < deadline:
            wait([process.sentinel for process in processes if process.is_alive()], STOPPING_TURN_SECONDS)
            self._board.beat()
        for process in processes:
            process.kill()
            process.join()

    # --- Processes --------------------------------------------------------------------------------------------------

    def _start_worker(self, slot: int) -> None:
        timer = multiprocessing.get_context("fork").Value("f", -1)
        self._board.set_left(slot, left=False)
        process = self._fork(children.run_worker, slot, timer, daemon=Conf.DAEMONIZE_WORKERS)
        self._workers.append(_WorkerProcess(process, slot, timer))

    def _fork(self, target: Callable[..., None], *args: Any, daemon: bool = True) -> ForkProcess:
        process = multiprocessing.get_context("fork").Process(
            target=target, args=(self._wiring, self._pid, *args), daemon=daemon
        )
        process.start()
        return process

    def _children(self) -> list[ForkProcess]:
        return [self._housekeeper, self._monitor, self._pusher, *(worker.process for worker in self._workers)]

    def _name(self) -> tuple[str, str]:
        return self._wiring.cluster, self._wiring.queue


def run_sentinel(
    cluster: str, queue: str, list_key: str, board: Board, bell: Bell, parent_pid: int, schedules: bool
) -> None:
    """Be the sentinel of a cluster, in a process group of its own; SIGTERM ends the cluster in order."""
    os.setpgid(0, 0)
    die_with_parent(parent_pid)
    signal.set_wakeup_fd(bell.writer)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def stop(_signal: int, _frame: Any) -> None:
        board.request_stop(float(conf.get("STOP_GRACE_SECONDS")))

    signal.signal(signal.SIGTERM, stop)
    JobSentinel(cluster, queue, list_key, board, bell, schedules).run()
