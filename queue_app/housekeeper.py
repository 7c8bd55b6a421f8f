"""The process that speaks for a cluster to the database; the sentinel never does.

It has django-q2's pusher and monitor as threads: each process costs memory of its own for every object that it so much
as looks at. Dies with the sentinel and holds no lock that another process needs to end.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from queue import Empty
from typing import Any

from django.db import Error as DatabaseError
from django.db import connections
from django_q.monitor import monitor
from django_q.pusher import pusher
from django_q.queues import Queue
from django_q.scheduler import scheduler

from queue_app import clock, clockwatch, conditions, conf, jobs, maintenance, processes, rescue, totals, workers
from queue_app.autoscale import Scaler, count_waiting
from queue_app.board import Board
from queue_app.children import STOP, Wiring, begin, quieten
from queue_app.models import Worker

logger = logging.getLogger("socialq.queue")

MONITOR_POLL_SECONDS = 0.25
SAVE_RESULTS_SECONDS = 2.0
SCHEDULER_SECONDS = 30.0


def run_housekeeper(wiring: Wiring, parent_pid: int) -> None:
    """Push work, save results and speak for the cluster until all its workers are gone; hand back what they left."""
    begin(parent_pid)
    quieten()
    _stop_cluster_on_sigterm(wiring)
    Housekeeper(wiring).run()


class _Thread(threading.Thread):
    """A loop of django-q2's beside the housekeeper's own; its end is noticed at once."""

    def __init__(self, name: str, loop: Callable[[], None], at_end: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._loop = loop
        self._at_end = at_end
        self.ended = False

    def run(self) -> None:
        """Turn the loop until it ends."""
        try:
            self._loop()
        finally:
            self.ended = True
            self._at_end()
            connections.close_all()


class Housekeeper:
    """Heartbeats, rescue, the number of workers, django-q2's schedules; the pusher and the monitor.

    Errors of the database wait for the next round.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._broker = wiring.broker()
        self._housekeeping_scheduled = False
        self._schedules_at = self._scale_at = time.monotonic()
        self._look_at = time.monotonic() + conditions.LOOK_SECONDS
        self._scaler = Scaler(wiring.bounds) if wiring.bounds is not None else None
        self._pusher = _Thread("pusher", self._push, self._pusher_ended)
        self._monitor = _Thread("monitor", self._save_results, wiring.to_housekeeper.ring)
        # By itself: a long sweep must not make others take our workers for dead.
        self._heart = _Thread("heart", self._beat, wiring.to_housekeeper.ring)
        self._farewell = threading.Event()
        # After a failed heartbeat others may hold us for silent, and we them: nobody is judged for one lease. Nor after
        # the clock was set: whoever has not beaten since looks silent, and his jobs overdue.
        self._heard_at = clock.steady_seconds()
        self._judge_at = _in_one_lease()
        self._clocks = clockwatch.ClockWatch(wiring.cluster)
        self._counting = totals.Counting()

    def run(self) -> None:
        """Tend the cluster every few seconds, and at once when the bell rings."""
        board = self._wiring.board
        self._monitor.start()
        self._heart.start()
        if board.stopping:
            board.say_pusher_ended()  # one before us was lost, with what it held
        else:
            self._pusher.start()
        while not board.farewell:
            try:
                self._tend()
            except DatabaseError as error:
                self._away(error)
            except Exception:
                # The jobs must go on whatever this trips over: the cluster ends with the housekeeper.
                logger.exception("cluster=%s its housekeeping failed", self._wiring.cluster)
            self._wiring.to_housekeeper.wait(self._seconds_to_next_round())
            if not board.stopping and (self._pusher.ended or self._monitor.ended or self._heart.ended):
                return  # the cluster cannot go on without; the sentinel sees that we are gone
        self._farewell.set()
        self._hand_over()
        self._monitor.join(SAVE_RESULTS_SECONDS)

    def _push(self) -> None:
        pusher(self._wiring.tasks, _StopEvent(self._wiring.board), self._broker)

    def _pusher_ended(self) -> None:
        self._wiring.board.say_pusher_ended()
        self._wiring.to_sentinel.ring()
        self._wiring.to_housekeeper.ring()

    def _save_results(self) -> None:
        monitor(_Results(self._wiring.results, self._wiring.board), self._wiring.broker())

    def _beat(self) -> None:
        """Say every few seconds that the workers live."""
        while not self._farewell.is_set():
            try:
                if clock.steady_seconds() - self._heard_at > _half_a_lease():
                    self._judge_at = _in_one_lease()
                workers.heartbeat(self._wiring.cluster)
                self._heard_at = clock.steady_seconds()
            except DatabaseError as error:
                self._away(error)
            self._farewell.wait(conf.get("HEARTBEAT_SECONDS"))

    def _away(self, error: DatabaseError) -> None:
        self._judge_at = _in_one_lease()
        logger.warning("cluster=%s database away error=%s", self._wiring.cluster, type(error).__name__)
        connections.close_all()

    def _may_judge(self) -> bool:
        """Say whether anybody may be judged by his silence: not while, nor soon after, we could not be heard."""
        now = clock.steady_seconds()
        return now >= self._judge_at and now - self._heard_at <= _half_a_lease()

    def _look_at_clocks(self) -> datetime:
        """Return the queue's time, and take note if its clock was set: by a little, all are still heard of in time."""
        now, jump = self._clocks.check()
        if abs(jump) > _half_a_lease():
            self._judge_at = _in_one_lease()
        return now

    def _seconds_to_next_round(self) -> float:
        heartbeat = float(conf.get("HEARTBEAT_SECONDS"))
        return min(heartbeat, float(conf.get("AUTOSCALE_SECONDS"))) if self._scaler is not None else heartbeat

    def _tend(self) -> None:
        board = self._wiring.board
        self._sign_off_dead()
        now = self._look_at_clocks()
        maintenance.plan(now)
        if not board.stopping or board.seconds_left > 0:
            # Later our own workers are being ended, and what they leave is handed back instead.
            rescue.rescue(now, judge_the_silent=self._may_judge())
        if board.stopping:
            return
        if not self._housekeeping_scheduled:
            jobs.schedule_housekeeping()
            self._housekeeping_scheduled = True
        self._look_for_conditions(now)
        self._measure_load()
        if self._wiring.schedules and time.monotonic() >= self._schedules_at:
            self._schedules_at = time.monotonic() + SCHEDULER_SECONDS
            scheduler(broker=self._wiring.broker())
        self._counting.look()

    def _look_for_conditions(self, now: datetime) -> None:
        """See now and then, for all clusters, whether there is something that people should be told."""
        if time.monotonic() < self._look_at or not self._may_judge():
            return
        self._look_at = time.monotonic() + conditions.LOOK_SECONDS
        if workers.first_cluster(now) == self._wiring.cluster:
            conditions.check(now)

    def _measure_load(self) -> None:
        """Count what waits, where somebody wants to know, and wish for as many workers as that needs."""
        bounds, board = self._wiring.bounds, self._wiring.board
        if bounds is None and not self._wiring.watched:
            return
        most = (bounds.up_over if bounds is not None else int(conf.get("AUTOSCALE_UP_OVER"))) + 1
        waiting = count_waiting(self._wiring.queue, most)
        board.post_waiting(waiting)
        if self._scaler is None or time.monotonic() < self._scale_at:
            return
        self._scale_at = time.monotonic() + float(conf.get("AUTOSCALE_SECONDS"))
        workers_now, wished = board.wished, self._scaler.look(waiting, board.wished)
        if wished != workers_now:
            logger.info(
                "cluster=%s queue=%s waiting=%s workers=%s wished=%s",
                *(self._wiring.cluster, self._wiring.queue, waiting, workers_now, wished),
            )
            board.wish(wished)
            self._wiring.to_sentinel.ring()

    def _sign_off_dead(self) -> None:
        cluster = self._wiring.cluster
        for enlisted in Worker.objects.filter(cluster=cluster, stopped_at=None):
            if not processes.is_alive(enlisted.pid, enlisted.start_ticks):
                workers.stopped(cluster, enlisted.pid)

    def _hand_over(self) -> None:
        """Settle what workers were running when they ended, and sign the cluster off."""
        ended = self._wiring.board.ended
        try:
            for job in rescue.running_on(self._wiring.cluster):
                if job.worker is not None and job.worker.pid in ended:
                    rescue.hand_back(job)
                else:
                    rescue.take_from_lost_worker(job)
            workers.stopped(self._wiring.cluster)
        except DatabaseError as error:
            # The next cluster's sweep finds these jobs by their dead processes.
            logger.warning("cluster=%s cannot settle its jobs error=%s", self._wiring.cluster, type(error).__name__)


def _in_one_lease() -> float:
    return clock.steady_seconds() + float(conf.get("LEASE_SECONDS"))


def _half_a_lease() -> float:
    return float(conf.get("LEASE_SECONDS")) / 2


class _Results:
    """The monitor's end of the result queue: ends once all workers are gone and nothing is left to save."""

    def __init__(self, results: Queue, board: Board) -> None:
        self._results = results
        self._board = board

    def get(self) -> Any:
        """Return the next result, or what ends the monitor's loop."""
        while True:
            last_look = self._board.farewell
            try:
                return self._results.get(timeout=0 if last_look else MONITOR_POLL_SECONDS)
            except Empty:
                if last_look:
                    return STOP


class _StopEvent:
    """What the pusher takes for the sentinel's event; the real one's lock could be held by a dead process."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def is_set(self) -> bool:
        """Say whether the cluster stops."""
        return self._board.stopping


def _stop_cluster_on_sigterm(wiring: Wiring) -> None:
    """Have SIGTERM to this process end the whole cluster in order; this process leaves with it."""

    def stop(_signal: int, _frame: Any) -> None:
        wiring.board.request_stop(float(conf.get("STOP_GRACE_SECONDS")))
        wiring.to_sentinel.ring()

    signal.signal(signal.SIGTERM, stop)
