"""Compares our queue with its peers: ``python -m benchmarks.engine``, or ``make bench``. Prints tables, writes JSON.

Decides what is measured in which order; how is told by ``measures``, on what by ``queues``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import measures, origin
from benchmarks.bench import Bench, BenchError, Databases
from benchmarks.measures import FULL, QUICK, Figures, Scale
from benchmarks.queues import BOTH, OURS, PEERS_PYTHON, QUEUES, Queue
from benchmarks.report import RESULTS, plain
from tests.postgres import binaries

MEASURES = ("drain", "crowd", *measures.SIMPLE)
SIDE_BY_SIDE = 24


class Run:
    """One run of the whole comparison; ``result`` is what is printed and stored."""

    def __init__(self, options: argparse.Namespace, databases: Sequence[Databases], queues: Sequence[Queue]) -> None:
        self._only: list[str] = options.only
        self._runs: int = options.runs
        self._scale: Scale = QUICK if options.quick else FULL
        self._databases = databases
        self._queues = queues
        self._lock = threading.Lock()
        self._began_at = time.monotonic()
        self.result = _about(options, self._scale)

    def measure(self) -> None:
        """Measure everything: first one queue after another, then what is mostly waiting, side by side.

        How fast the machine commits is measured before and after the first part: if the two differ, so may figures.
        """
        pairs = [(databases, queue) for databases in self._databases for queue in self._queues]
        pairs = [(databases, queue) for databases, queue in pairs if databases.kind in queue.databases]
        self._commits()
        for databases, queue in pairs:
            self._guarded("drain", databases, queue, self._drains)
            for name in measures.SIMPLE:
                if name not in queue.waits:
                    self._guarded(name, databases, queue, self._simple)
        self._commits()
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            waiting = [
                pool.submit(self._guarded, name, databases, queue, self._simple)
                for name in measures.SIMPLE
                for databases, queue in pairs
                if name in queue.waits
            ]
            for future in waiting:
                future.result()

    def _commits(self) -> None:
        for databases in self._databases:
            rate = databases.commits_a_second(self._scale.enqueue_seconds)
            self.result["commits_a_second"].setdefault(databases.kind, []).append(rate)

    def _guarded(
        self, name: str, databases: Databases, queue: Queue, measure: Callable[[str, Databases, Queue], None]
    ) -> None:
        """Call ``measure`` where ``name`` was asked for; what goes wrong with one queue does not end the run."""
        if not {name, "crowd" if name == "drain" else name} & set(self._only):
            return
        if name == "machine" and not measures.namespaces_permitted():
            self._problem(f"{queue.name} on {databases.kind}: kill of a machine not measured: needs unshare")
            return
        try:
            measure(name, databases, queue)
        except BenchError as error:
            self._keep(name, databases, queue, {"broken": None})
            self._problem(f"{queue.name} on {databases.kind}: {name} failed")
            print(f"{name}: {error}", file=sys.stderr)

    def _drains(self, _name: str, databases: Databases, queue: Queue) -> None:
        """Drain without and then with a crowd of jobs that are not due, the same number of jobs each."""
        with databases.open_bench(queue) as bench:
            count = measures.pace(bench, self._scale)
            for _ in range(self._runs):
                self._drain("drain", databases, bench, count)
        if "crowd" not in self._only:
            return
        with databases.open_bench(queue) as bench:
            bench.ask("fill", file=bench.file, count=self._scale.crowd)
            for _ in range(self._runs):
                self._drain("crowd", databases, bench, count)

    def _drain(self, name: str, databases: Databases, bench: Bench, count: int) -> None:
        databases.settle(bench.url)
        figures = measures.drain(bench, self._scale, count)
        self._keep(name, databases, bench.queue, figures | {"jobs": count})
        for wrong in ("twice", "missing"):
            if figures[wrong]:
                where = f"{bench.queue.name} on {databases.kind}: in a {name} of {count} jobs"
                self._problem(f"{where} {figures[wrong]:.0f} {WRONG[wrong]}")

    def _simple(self, name: str, databases: Databases, queue: Queue) -> None:
        with databases.open_bench(queue) as bench:
            for _ in range(self._runs):
                figures = measures.SIMPLE[name](bench, self._scale)
                self._keep(name, databases, queue, figures)
                # What never came in the time waited comes no sooner in another run.
                if None in figures.values() and name in queue.waits:
                    return

    def _keep(self, name: str, databases: Databases, queue: Queue, figures: Figures) -> None:
        shown = " ".join(f"{key}={value if value is None else round(value, 3)}" for key, value in figures.items())
        print(
            f"{time.monotonic() - self._began_at:6.0f} s  {databases.kind} {queue.name} {name} {shown}", file=sys.stderr
        )
        with self._lock:
            kept = self.result["databases"].setdefault(databases.kind, {})
            kept.setdefault(queue.name, {}).setdefault(name, []).append(figures)

    def _problem(self, text: str) -> None:
        with self._lock:
            self.result["problems"].append(text)


WRONG = {"twice": "ran twice", "missing": "had not run when the time was up"}


def main() -> None:
    """Measure what the command line asks for, print the tables and write the JSON."""
    options = _options()
    # So that a terminated run, too, ends the processes that it started.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(1))
    queues = [queue for queue in QUEUES if queue.name == OURS or queue.name in options.peers]
    if len(queues) > 1 and not PEERS_PYTHON.exists():
        raise SystemExit(f"{PEERS_PYTHON} is missing: run make bench, or use --peers none")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="socialq-bench-")))
        databases = []
        for kind in options.databases:
            if kind == "postgresql" and binaries() is None:
                print("PostgreSQL is not installed, not measured", file=sys.stderr)
                continue
            own = folder / kind
            own.mkdir()
            databases.append(Databases(kind, own))
            stack.callback(databases[-1].close)
        run = Run(options, databases, queues)
        for queue in queues:
            told = {"version": _version(queue, databases), "settings": queue.settings}
            run.result["queues"][queue.name] = told
        run.measure()
    print(plain(run.result))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(run.result, indent=1) + "\n", encoding="utf-8")


def _version(queue: Queue, databases: Sequence[Databases]) -> str:
    for each in databases:
        if each.kind in queue.databases:
            with each.open_bench(queue) as bench:
                return str(bench.ask("version"))
    return "not run"


def _about(options: argparse.Namespace, scale: Scale) -> dict[str, Any]:
    return {
        "commit": origin.commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": options.runs,
        "quick": options.quick,
        "scale": asdict(scale),
        "machine": origin.machine(),
        "queues": {},
        "databases": {},
        "commits_a_second": {},
        "problems": [],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    peers = [queue.name for queue in QUEUES if queue.name != OURS]
    parser.add_argument("--only", type=_choice(MEASURES), default=list(MEASURES), help=f"of {', '.join(MEASURES)}")
    parser.add_argument("--databases", type=_choice(BOTH), default=list(BOTH), help=f"of {', '.join(BOTH)}")
    parser.add_argument("--peers", type=_choice(peers), default=peers, help=f"none, or of {', '.join(peers)}")
    parser.add_argument("--runs", type=int, default=3, help="of which the median is shown (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small numbers: does everything work?")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where to write (default: %(default)s)")
    return parser.parse_args()


def _choice(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = [] if text == "none" else [name.strip() for name in text.split(",")]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is not one of {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    main()
