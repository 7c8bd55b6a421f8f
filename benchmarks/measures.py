"""The measurements. Each takes an open bench and returns named figures, ``None`` where there is nothing to measure."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from benchmarks.bench import START_SECONDS, Bench, Line, shared_out_bytes
from benchmarks.report import percentile

Figures = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    steady_seconds: float = 3.0
    most_jobs: int = 12_000
    crowd: int = 1_000_000
    samples: int = 32
    enqueue_seconds: float = 2.0
    drain_patience_seconds: float = 30.0
    lateness_patience_seconds: float = 75.0
    kill_patience_seconds: float = 100.0


FULL = Scale()
QUICK = Scale(
    steady_seconds=0.5,
    most_jobs=1000,
    crowd=20_000,
    samples=8,
    enqueue_seconds=0.3,
    drain_patience_seconds=10.0,
    lateness_patience_seconds=8.0,
    kill_patience_seconds=8.0,
)

FEWEST_JOBS = 100
WARM_SHARE = 0.1
GAP_SECONDS = (0.1, 0.4)
AHEAD_SECONDS = 2.0
AHEAD_GAP_SECONDS = (0.05, 0.25)
HOLD_SECONDS = 600.0


def pace(bench: Bench, scale: Scale) -> int:
    """Return how many jobs this queue drains in about ``scale.steady_seconds``, by a first look."""
    with bench.consuming():
        count, rate = FEWEST_JOBS, 0.0
        for _ in range(2):
            lines = bench.wait_for(bench.add(count), scale.drain_patience_seconds, must=True)
            rate = count / max(lines[-1].began_at - lines[0].began_at, 0.001)
            count = int(min(max(rate * scale.steady_seconds / 3, FEWEST_JOBS), scale.most_jobs / 3))
    return int(min(max(rate * scale.steady_seconds, FEWEST_JOBS), scale.most_jobs))


def drain(bench: Bench, scale: Scale, count: int) -> Figures:
    """Run ``count`` jobs that were due before the workers started; jobs a second once both workers are up.

    The first tenth, and what ran before the second worker's first job, is not counted. ``twice`` and ``missing`` are
    jobs that did not run exactly once.
    """
    bench.fresh_file()
    numbers = bench.add(count + int(count * WARM_SHARE))
    bench.start_consumer()
    try:
        lines = bench.wait_for(numbers, scale.drain_patience_seconds)
    finally:
        bench.end_consumers()
    ran = {line.number for line in lines}
    counts: Figures = {"twice": len(lines) - len(ran), "missing": len(numbers) - len(ran)}
    first = _first_counted(lines, int(count * WARM_SHARE))
    counted = lines[first:]
    if len(counted) < 2:
        return counts | {"jobs_a_second": 0.0 if ran else None}
    return counts | {"jobs_a_second": (len(counted) - 1) / (counted[-1].began_at - counted[0].began_at)}


def pickup(bench: Bench, scale: Scale) -> Figures:
    """Add single jobs at random moments to idle workers; milliseconds from asking for it to the handler's start."""
    moments = random.Random(1)  # noqa: S311 -- the same moments in every run
    waited = []
    with bench.consuming() as consumer:
        memory = shared_out_bytes(consumer.pid)
        for _ in range(scale.samples):
            time.sleep(moments.uniform(*GAP_SECONDS))
            number, asked_at = bench.add_one()
            line = bench.wait_for(range(number, number + 1), scale.lateness_patience_seconds, must=True)[0]
            waited.append(line.began_at - asked_at)
    return _percentiles(waited) | {"memory_mb": memory / 1e6}


def lateness(bench: Bench, scale: Scale) -> Figures:
    """Schedule jobs ahead, on workers that are idle; milliseconds from due to the handler's start."""
    gaps = random.Random(2)  # noqa: S311 -- the same moments in every run
    due: dict[int, float] = {}
    with bench.consuming():
        due_at = time.time() + AHEAD_SECONDS
        for _ in range(scale.samples):
            due_at += gaps.uniform(*AHEAD_GAP_SECONDS)
            due[bench.add_one(due_at)[0]] = due_at
        lines = bench.wait_for(range(min(due), max(due) + 1), scale.lateness_patience_seconds)
    if len(lines) < len(due):
        return {"p50_ms": None, "p99_ms": None}
    return _percentiles([line.began_at - due[line.number] for line in lines])


def enqueue(bench: Bench, scale: Scale) -> Figures:
    """Add jobs for a while with no worker running; jobs a second, one commit each and a thousand at a time."""
    one = bench.ask("rate_one", file=bench.file, seconds=scale.enqueue_seconds)
    many = bench.ask("rate_many", file=bench.file, seconds=scale.enqueue_seconds) if bench.queue.bulk else None
    return {"one_a_second": one, "many_a_second": many}


def kill(bench: Bench, scale: Scale) -> Figures:
    """Kill -9 the process that runs a job; seconds until the job runs again. ``None``: not in the time waited."""
    with bench.consuming():
        number, line = _held(bench)
        os.kill(line.pid, signal.SIGKILL)
        return {"seconds": _runs_again(bench, number, time.time(), scale)}


def machine(bench: Bench, scale: Scale) -> Figures:
    """Kill -9 all of one of two machines while it runs a job; seconds until the job runs on the other."""
    try:
        consumers: Mapping[str, subprocess.Popen[bytes]] = {name: bench.start_consumer(name) for name in "ab"}
        bench.warm(lambda line: line.machine)
        number, line = _held(bench)
        consumers[line.machine].kill()
        return {"seconds": _runs_again(bench, number, time.time(), scale)}
    finally:
        bench.end_consumers()


@cache
def namespaces_permitted() -> bool:
    """Say whether another machine can be simulated here."""
    try:
        return subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], check=False).returncode == 0
    except FileNotFoundError:
        return False


SIMPLE: Mapping[str, Callable[[Bench, Scale], Figures]] = {
    "pickup": pickup,
    "lateness": lateness,
    "enqueue": enqueue,
    "kill": kill,
    "machine": machine,
}


def _first_counted(lines: list[Line], warm: int) -> int:
    """Return where the steady part begins: after the warm-up, with both workers, but not past the middle."""
    first_pid = lines[0].pid if lines else 0
    joined = next((index for index, line in enumerate(lines) if line.pid != first_pid), 0)
    return max(warm, min(joined, len(lines) // 2))


def _held(bench: Bench) -> tuple[int, Line]:
    """Add a job that stays in its handler; return its number and its line once it is there."""
    number, _ = bench.add_one(hold_seconds=HOLD_SECONDS)
    return number, bench.wait_for(range(number, number + 1), START_SECONDS, must=True)[0]


def _runs_again(bench: Bench, number: int, killed_at: float, scale: Scale) -> float | None:
    deadline = time.monotonic() + scale.kill_patience_seconds
    while time.monotonic() < deadline:
        runs = bench.runs_of(number)
        if len(runs) > 1:
            return runs[1].began_at - killed_at
        time.sleep(0.05)
    return None


def _percentiles(seconds: list[float]) -> Figures:
    return {"p50_ms": percentile(seconds, 50) * 1000, "p99_ms": percentile(seconds, 99) * 1000}
