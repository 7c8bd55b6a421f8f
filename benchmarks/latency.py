"""How late does scheduled work begin on an idle system? ``python -m benchmarks.latency``

Schedules the same moments as jobs of the queue and as django-q2 Schedules, in one database, run by ``qcluster`` and by
django-q2's own command beside it; prints the median and the 99th percentile of start minus scheduled time, for SQLite
and, where a server is installed, PostgreSQL. Takes about three minutes.
"""

from __future__ import annotations

import math
import random
import tempfile
from pathlib import Path

from tests.postgres import PrivatePostgres, binaries
from tests.site import Databases, PostgresDatabases, Site, SqliteDatabases, open_site

JOBS = 50
AHEAD_SECONDS = 5.0
GAP_SECONDS = (0.3, 1.3)
PATIENCE_SECONDS = 180.0
AIM_SECONDS = 0.25

SCHEDULE = """
from datetime import timedelta
from django_q.models import Schedule
from queue_app import api, clock
moment = clock.now() + timedelta(seconds={ahead})
for gap in {gaps}:
    moment += timedelta(seconds=gap)
    due_at = moment.timestamp()
    api.enqueue("benchmarks.note_start", {{"file": {file!r}, "who": "ours", "due_at": due_at}}, run_at=moment)
    Schedule.objects.create(
        func="benchmarks.host.jobs.note_start", args=repr(({file!r}, "stock", due_at)), next_run=moment, cluster="stock"
    )
"""


def main() -> None:
    """Measure on every database there is, and print a table."""
    print(f"{'database':<12}{'queue':<8}{'jobs':>6}{'p50 ms':>12}{'p99 ms':>12}{'max ms':>12}")
    with tempfile.TemporaryDirectory() as folder:
        report("sqlite", SqliteDatabases(Path(folder)), Path(folder))
    if binaries() is None:
        print("postgresql  not installed, not measured")
        return
    server = PrivatePostgres(durable=True)
    try:
        server.start()
        with tempfile.TemporaryDirectory() as folder:
            report("postgresql", PostgresDatabases(server, Path(folder), "latency"), Path(folder))
    finally:
        server.close()


def report(name: str, databases: Databases, folder: Path) -> None:
    """Measure on one database and print its two lines."""
    with open_site(databases, "latency_site", folder) as site:
        for who, late in measure(site).items():
            figures = (percentile(late, 50), percentile(late, 99), max(late))
            verdict = f"  aim: p99 under {AIM_SECONDS * 1000:.0f} ms" if who == "ours" else ""
            cells = "".join(f"{seconds * 1000:>12.1f}" for seconds in figures)
            print(f"{name:<12}{who:<8}{len(late):>6}{cells}{verdict}", flush=True)


def measure(site: Site) -> dict[str, list[float]]:
    """Return by how many seconds each start was late, for our jobs and for django-q2's schedules."""
    notes = site.directory / "starts"
    site.env["DJANGO_SETTINGS_MODULE"] = "benchmarks.host.settings"
    site.spawn("qcluster")
    site.env["Q_CLUSTER_NAME"] = "stock"
    site.spawn("stock_qcluster")
    del site.env["Q_CLUSTER_NAME"]
    site.wait_until(lambda: site.sql("SELECT COUNT(*) FROM queue_app_worker")[0][0] == 4)
    moments = random.Random(1)  # noqa: S311 -- the same moments in every run
    gaps = [moments.uniform(*GAP_SECONDS) for _ in range(JOBS)]
    site.python(SCHEDULE.format(ahead=AHEAD_SECONDS, gaps=gaps, file=str(notes)))
    site.wait_until(lambda: notes.exists() and len(notes.read_text().splitlines()) == 2 * JOBS, PATIENCE_SECONDS)
    late: dict[str, list[float]] = {"ours": [], "stock": []}
    for line in notes.read_text().splitlines():
        who, due_at, began_at = line.split()
        late[who].append(float(began_at) - float(due_at))
    return late


def percentile(values: list[float], percent: float) -> float:
    """Return the smallest value that at least ``percent`` per cent of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


if __name__ == "__main__":
    main()
